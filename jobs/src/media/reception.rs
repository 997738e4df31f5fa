//! Where carriers' sockets reach the conversations of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::conversation::Heard;
use outdial_workflows::ids::{AttemptRef, CampaignId, DialKey, JobId, NodeId, new_id};
use outdial_workflows::playbook::Playbook;
use serde_json::json;
use tokio::sync::mpsc;
use url::Url;
use uuid::Uuid;

use super::session::Line;
use super::speech::Speech;
use super::wire::Dialect;
use crate::engine::Engine;
use crate::jobs::converse::{self, Converse};
use crate::jobs::{Job as _, JobError};
use crate::operations::{OperationError, playbooks};
use crate::queue::{Desk, Slot};
use crate::store::queue::{Claim, Claimed, Lease, NewJob};
use crate::store::{self, StoreError};

/// How many sockets, or other things that are heard, wait for a conversation that is busy.
const WAITING: usize = 16;

/// The conversations of a process, and what they are held with.
#[derive(Debug)]
pub struct Reception {
    speech: Speech,
    calls: Mutex<HashMap<AttemptRef, Extension>>,
}

/// A way to a conversation.
#[derive(Debug)]
struct Extension {
    lines: mpsc::Sender<Line>,
    heard: mpsc::Sender<Heard>,
    /// Until its job has taken it.
    waiting: Option<Waiting>,
}

/// A call that was answered, and waits for its job.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) dialect: Dialect,
    pub(crate) line: Line,
    pub(crate) lines: mpsc::Receiver<Line>,
    pub(crate) heard: mpsc::Receiver<Heard>,
    /// For what the conversation's own doings lead to.
    pub(crate) tell: mpsc::Sender<Heard>,
    pub(crate) playbook: Named,
}

/// A playbook by the name that campaigns have for it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) playbook: Arc<Playbook>,
    pub(crate) campaign: CampaignId,
}

/// How long a seat is waited for. Somebody has picked up and hears nothing meanwhile; a look at the queue, which has the free
/// ones, takes a few milliseconds.
const SEAT_WITHIN: Duration = Duration::from_millis(500);

/// What became of a socket.
#[derive(Debug)]
pub enum Received {
    /// A conversation begins with it.
    Held,
    /// It takes the place of another.
    Replaced,
    /// Another process talks with the person, or has a seat for it.
    Elsewhere {
        /// Where it takes sockets.
        address: Url,
        /// To be given up once the socket is passed on.
        line: Line,
    },
    /// Its campaign names no playbook: nobody is to talk on it.
    Unattended {
        /// To be given up, which closes the socket and may end the call.
        line: Line,
    },
    /// Nobody talks on it.
    Refused {
        /// Why.
        why: &'static str,
        /// To be given up, which closes the socket and may end the call.
        line: Line,
    },
}

/// Removes a conversation from the reception when it is over.
pub(crate) struct OnCall<'a> {
    reception: &'a Reception,
    attempt: AttemptRef,
}

impl Drop for OnCall<'_> {
    fn drop(&mut self) {
        self.reception.calls().remove(&self.attempt);
    }
}

impl Reception {
    /// A reception for conversations that go through these services.
    pub fn new(speech: Speech) -> Self {
        Self { speech, calls: Mutex::default() }
    }

    /// The services.
    pub fn speech(&self) -> &Speech {
        &self.speech
    }

    /// How many conversations are under way here.
    pub fn under_way(&self) -> usize {
        self.calls().len()
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<AttemptRef, Extension>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a conversation something. False if it is not held here.
    pub(super) fn tell(&self, attempt: AttemptRef, heard: Heard) -> bool {
        let to = self.calls().get(&attempt).map(|extension| extension.heard.clone());
        let Some(to) = to else { return false };
        if to.try_send(heard).is_err() {
            tracing::warn!(attempt = %DialKey(attempt), "a conversation was too busy to hear something");
        }
        true
    }

    /// The call that waits for its job, if it reached this process.
    pub(crate) fn take(&self, attempt: AttemptRef) -> Option<(Waiting, OnCall<'_>)> {
        let waiting = self.calls().get_mut(&attempt)?.waiting.take()?;
        Some((waiting, OnCall { reception: self, attempt }))
    }

    /// Puts a line in the place of another; gives it back if there is no such conversation.
    fn replace(&self, attempt: AttemptRef, line: Line) -> Result<(), Line> {
        let calls = self.calls();
        let Some(extension) = calls.get(&attempt) else { return Err(line) };
        extension.lines.try_send(line).map_err(|error| match error {
            mpsc::error::TrySendError::Full(line) | mpsc::error::TrySendError::Closed(line) => line,
        })
    }

    fn put(&self, attempt: AttemptRef, dialect: Dialect, line: Line, playbook: Named) {
        let (to_lines, lines) = mpsc::channel(WAITING);
        let (tell, heard) = mpsc::channel(WAITING);
        let waiting = Waiting { dialect, line, lines, heard, tell: tell.clone(), playbook };
        let extension = Extension { lines: to_lines, heard: tell, waiting: Some(waiting) };
        self.calls().insert(attempt, extension);
    }
}

/// Takes in a socket whose stream has begun: a conversation of the campaign's playbook begins, in a job of its own that
/// this process has claimed, unless one goes on already. Where no seat is free, or another process holds the call, the
/// socket is to be passed on; `may_pass`: to one that may have a seat, since it was not passed on for that before.
///
/// # Errors
/// If the database cannot be asked, or the campaign's playbook cannot be read.
pub async fn receive(
    engine: &Engine,
    key: DialKey,
    dialect: Dialect,
    line: Line,
    may_pass: bool,
) -> Result<Received, JobError> {
    let received = take_in(engine, key, dialect, line, may_pass).await?;
    engine.metrics().stream_received(dialect, &received);
    Ok(received)
}

async fn take_in(
    engine: &Engine,
    key: DialKey,
    dialect: Dialect,
    line: Line,
    may_pass: bool,
) -> Result<Received, JobError> {
    let attempt = key.0;
    let line = match engine.reception() {
        Some(reception) => match reception.replace(attempt, line) {
            Ok(()) => return Ok(Received::Replaced),
            Err(line) => line,
        },
        None => line,
    };
    if let Some(node) = store::in_time(holder(engine, attempt)).await? {
        return Ok(match store::in_time(address_of(engine, node)).await? {
            Some(address) if node != engine.node() => Received::Elsewhere { address, line },
            _ => Received::Refused { why: "whoever holds the call cannot be reached", line },
        });
    }
    let Some((campaign, name, version)) = named(engine, attempt).await? else {
        return Ok(Received::Unattended { line });
    };
    let (reception, desk, slot) = match seat(engine).await {
        Ok(seat) => seat,
        Err(why) => {
            if may_pass && let Some(address) = store::in_time(most_room(engine)).await? {
                return Ok(Received::Elsewhere { address, line });
            }
            nobody_there(engine, attempt).await?;
            return Ok(Received::Refused { why, line });
        }
    };
    let (playbook, version) = playbooks::of(engine, attempt.client, &name, version).await?;
    let playbook = Named { name, version, playbook, campaign };
    let Some(claimed) = claim(engine, attempt, &playbook, desk.lease()).await? else {
        return Ok(Received::Refused { why: "the call is held elsewhere, or was held before", line });
    };
    reception.put(attempt, dialect, line, playbook);
    desk.hand_out(claimed, slot);
    Ok(Received::Held)
}

/// Somebody picked up, and nobody is there: the attempt has failed, and its call is ended, unless it was talked on.
///
/// # Errors
/// If the database cannot be asked.
pub async fn nobody_there(engine: &Engine, attempt: AttemptRef) -> Result<(), JobError> {
    if !store::in_time(is_known(engine, attempt)).await? {
        converse::fail(engine, attempt).await?;
        converse::end_call(engine, attempt).await?;
    }
    Ok(())
}

/// A seat for a conversation in this process, or why there is none.
async fn seat(engine: &Engine) -> Result<(&Reception, &Desk, Slot), &'static str> {
    let reception = engine.reception().ok_or("this process holds no conversations")?;
    let desk = engine.desk().ok_or("this process has no workers")?;
    let slot = desk.slot_within(Converse::KIND, SEAT_WITHIN).await;
    let slot = slot.ok_or("every seat of this process is taken")?;
    Ok((reception, desk, slot))
}

async fn holder(engine: &Engine, attempt: AttemptRef) -> Result<Option<NodeId>, StoreError> {
    let mut conn = engine.pool().acquire().await?;
    store::conversations::holder(&mut conn, attempt).await
}

async fn address_of(engine: &Engine, node: NodeId) -> Result<Option<Url>, StoreError> {
    let mut conn = engine.pool().acquire().await?;
    store::seats::address_of(&mut conn, node).await
}

/// Where a process that has a voice takes requests: whichever holds the conversation, or else one that has a seat.
pub(super) async fn voice_elsewhere(engine: &Engine, attempt: AttemptRef) -> Result<Option<Url>, StoreError> {
    let holder = store::in_time(holder(engine, attempt)).await?.filter(|node| *node != engine.node());
    let held = match holder {
        Some(node) => store::in_time(address_of(engine, node)).await?,
        None => None,
    };
    match held {
        Some(address) => Ok(Some(address)),
        None => store::in_time(most_room(engine)).await,
    }
}

/// Another process that has a seat.
async fn most_room(engine: &Engine) -> Result<Option<Url>, StoreError> {
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    store::seats::most_room(&mut conn, engine.node(), now).await
}

async fn is_known(engine: &Engine, attempt: AttemptRef) -> Result<bool, StoreError> {
    let mut conn = engine.pool().acquire().await?;
    store::conversations::is_known(&mut conn, attempt).await
}

/// An attempt's campaign, its playbook, and its version if it is a certain one.
pub(super) async fn named(
    engine: &Engine,
    attempt: AttemptRef,
) -> Result<Option<(CampaignId, String, Option<u32>)>, OperationError> {
    let AttemptRef { client, lead, number } = attempt;
    let number = i16::try_from(number.get()).unwrap_or(i16::MAX);
    let (attempts, campaign) = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let attempts = store::attempts::load(&mut conn, client, &[lead.0], &[number]).await?;
        let campaign = store::workflows::campaign_of(&mut conn, client, lead).await?;
        Ok::<_, StoreError>((attempts, campaign))
    })
    .await?;
    let attempt = attempts.into_iter().next().transpose().map_err(|(_, error)| error)?;
    let (Some((_, attempt)), Some(campaign)) = (attempt, campaign) else { return Ok(None) };
    let rules = engine.rules(client, campaign, attempt.revision).await?;
    let named = rules.as_ref().and_then(|rules| rules.agent.playbook());
    Ok(named.map(|(name, version)| (campaign, name.to_owned(), version)))
}

/// Begins the conversation in the ledger, with its job, which this process holds from the first moment; `None` if the
/// call is held, or was.
async fn claim(
    engine: &Engine,
    attempt: AttemptRef,
    playbook: &Named,
    lease: TimeDelta,
) -> Result<Option<Claimed>, StoreError> {
    let AttemptRef { client, lead, number } = attempt;
    store::in_time(async {
        let mut tx = engine.pool().begin().await?;
        let now: Moment = engine.now_in(&mut tx).await?;
        let node = engine.node();
        let by = (playbook.name.as_str(), playbook.version);
        if !store::conversations::begin(&mut tx, attempt, node, by, now).await? {
            return Ok(None);
        }
        let (id, token) = (JobId(new_id(now)), Uuid::new_v4());
        let args = json!({ "client": client, "lead": lead, "number": number });
        let job = NewJob {
            id,
            kind: Converse::KIND,
            // No step of the lead: what was said is recorded after the call, too.
            step: None,
            args: args.clone(),
            priority: 0,
            born_claimed: Some(Claim { node, token, until: now + lease }),
        };
        store::queue::insert(&mut tx, client, &[job], now).await?;
        tx.commit().await?;
        let lease = Lease { client, job: id, token };
        Ok(Some(Claimed {
            lease,
            kind: Converse::KIND.to_owned(),
            args,
            lead: None,
            tries: 1,
            rescued: false,
        }))
    })
    .await
}
