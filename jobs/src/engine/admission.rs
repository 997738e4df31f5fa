//! Admission: takes waiting leads from open lanes into free slots.
//!
//! A round holds the client's row and then the account's, so that what it counts is
//! what stands, on any number of nodes, without a leader. It peeks at candidates,
//! locks those it can use, and goes through the same fold and write as everything else.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId};
use outdial_workflows::input::Input;
use outdial_workflows::limits::{Limit, Room, Usage, look_back, reservations_allowed, room};
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Engine, Item, commit, gather, lanes};
use crate::crash;
use crate::store::admission::{Candidate, OpenLane};
use crate::store::workflows::Locked;
use crate::store::{self, Failure, StoreError};

/// How often all clients are looked at, in case a signal was lost.
const SWEEP: Duration = Duration::from_secs(5);
/// Looks are at least so far apart: a look costs the same for one slot as for a hundred, and under load
/// slots become free all the time.
const BREATH: Duration = Duration::from_millis(4);
/// The most leads admitted in one transaction.
const BATCH: u32 = 200;

/// How long until leads are looked at again that somebody else was working on.
const OTHERS_AT_WORK: TimeDelta = TimeDelta::milliseconds(50);

/// What a round came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// How many leads were given a slot.
    pub reserved: usize,
    /// How many were looked at by the gate.
    pub looked_at: usize,
    /// When to look again, if nothing happens before: the next lead is due, or a rate leaves room.
    pub again_at: Option<Moment>,
}

impl Round {
    fn add(&mut self, other: Self) {
        self.reserved += other.reserved;
        self.looked_at += other.looked_at;
        self.again_at = earlier(self.again_at, other.again_at);
    }
}

fn earlier(a: Option<Moment>, b: Option<Moment>) -> Option<Moment> {
    [a, b].into_iter().flatten().min()
}

/// Runs until the engine stops.
pub(super) async fn run(engine: Engine) {
    let mut next: HashMap<ClientId, Instant> = HashMap::new();
    let mut next_sweep = Instant::now();
    loop {
        if Instant::now() >= next_sweep {
            next_sweep = Instant::now() + SWEEP;
            match store::in_time(clients(&engine)).await {
                Ok(running) => {
                    next.retain(|client, _| running.contains(client));
                    next.extend(running.into_iter().map(|client| (client, Instant::now())));
                }
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the clients could not be listed"
                ),
            }
        }
        next.extend(engine.hub().take_dirty().into_iter().map(|client| (client, Instant::now())));
        let due: Vec<ClientId> =
            next.iter().filter(|(_, at)| **at <= Instant::now()).map(|(client, _)| *client).collect();
        for client in due {
            match look(&engine, client).await {
                Some(at) => drop(next.insert(client, at)),
                None => drop(next.remove(&client)),
            }
        }
        let breath = Instant::now() + BREATH;
        let until = next.values().copied().min().map_or(next_sweep, |at| at.min(next_sweep));
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = engine.hub().admission() => {}
            () = engine.stopping().cancelled() => return,
        }
        tokio::time::sleep_until(breath).await;
    }
}

/// One look at a client; tells when to look again.
async fn look(engine: &Engine, client: ClientId) -> Option<Instant> {
    let round = round(engine, client).await;
    tracing::debug!(client.id = %client, ?round, "admission looked");
    match round {
        Ok(Round { looked_at, .. }) if looked_at > 0 => Some(Instant::now()),
        Ok(Round { again_at, .. }) => {
            let now = engine.now().await.ok()?;
            let wait = (again_at? - now).to_std().unwrap_or_default();
            Some(Instant::now() + wait.min(SWEEP))
        }
        Err(error) => {
            if error.failure() != Failure::Conflict {
                tracing::warn!(client.id = %client, error = &error as &dyn std::error::Error, "a round of admission failed");
            }
            Some(Instant::now() + Duration::from_millis(100))
        }
    }
}

async fn clients(engine: &Engine) -> Result<HashSet<ClientId>, StoreError> {
    let mut conn = engine.inner.pool.acquire().await?;
    Ok(store::admission::clients(&mut conn).await?.into_iter().collect())
}

/// Admits what there is room for, for one client, account by account.
pub(super) async fn round(engine: &Engine, client: ClientId) -> Result<Round, StoreError> {
    if engine.clock_is_off() {
        return Ok(Round::default());
    }
    let accounts = store::in_time(async {
        let mut session = engine.inner.sessions.take().await?;
        let accounts = store::admission::accounts(&mut session, client).await?;
        session.done();
        Ok::<_, StoreError>(accounts)
    });
    let accounts = accounts.await?;
    let mut total = Round::default();
    for account in accounts {
        total.add(account_round(engine, client, account).await?);
    }
    Ok(total)
}

/// One round of an account. Should a lead be at fault, fewer are tried, until it stands alone and is put aside.
async fn account_round(engine: &Engine, client: ClientId, account: AccountId) -> Result<Round, StoreError> {
    let mut most = BATCH;
    loop {
        if engine.inner.gather.too_many_quarantined(client) {
            return Ok(Round::default());
        }
        let mut tried = vec![];
        let round = store::in_time(try_round(engine, client, account, most, &mut tried));
        let error = match gather::unless_it_panics(round).await {
            Err(error) if error.failure() == Failure::Data => error,
            result => return result,
        };
        match tried.as_slice() {
            [] => return Err(error),
            [item] => {
                gather::put_aside(engine, client, item, &error).await;
                most = BATCH;
            }
            several => most = u32::try_from(several.len() / 2).unwrap_or(BATCH),
        }
    }
}

/// Tries a round of at most `most` leads; `tried` are those that it came down to.
async fn try_round(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    most: u32,
    tried: &mut Vec<Item>,
) -> Result<Round, StoreError> {
    let mut session = engine.inner.sessions.take().await?;
    let round = round_on(engine, &mut session, client, account, most, tried).await?;
    if round.looked_at == 0 {
        // What such a round locked is let go by a rollback that waits for the next round trip.
        session.ping().await?;
    }
    session.done();
    Ok(round)
}

async fn round_on(
    engine: &Engine,
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    most: u32,
    tried: &mut Vec<Item>,
) -> Result<Round, StoreError> {
    let mut tx = conn.begin().await?;
    store::admission::lock_client(&mut tx, client).await?;
    let Some(row) = store::admission::lock_account(&mut tx, client, account).await? else {
        return Ok(Round::default());
    };
    let now = engine.inner.clock.now(&mut tx).await?;
    if row.resting_until.is_some_and(|until| until > now) {
        return Ok(Round { again_at: row.resting_until, ..Round::default() });
    }
    let Some(lanes) = lanes::visited(engine, &mut tx, client, account, now).await? else {
        // It stands, whatever comes of the round.
        tx.commit().await?;
        return Box::pin(try_round(engine, client, account, most, tried)).await;
    };
    let mut plan = Plan::make(engine, &mut tx, client, account, &row.limits, &lanes.open, now).await?;
    plan.free = plan.free.min(most);
    let ids: Vec<Uuid> = plan.open.iter().map(|lane| lane.lane.0).collect();
    if plan.free == 0 || ids.is_empty() {
        return Ok(Round { again_at: earlier(plan.again_at, lanes.next_opening), ..Round::default() });
    }
    let due = store::admission::due(&mut tx, client, &ids, now, plan.free.into()).await?;
    let chosen = plan.choose(due);
    if chosen.is_empty() {
        let next = store::admission::next_due(&mut tx, client, &ids).await?;
        return Ok(Round { again_at: earlier(next, lanes.next_opening), ..Round::default() });
    }
    let served: HashSet<Uuid> = chosen.iter().map(|candidate| candidate.lane.0).collect();
    store::admission::served(&mut tx, client, &served.into_iter().collect::<Vec<_>>(), now).await?;
    let leads: Vec<Uuid> = chosen.iter().map(|candidate| candidate.lead.0).collect();
    let locked = store::workflows::lock_due(&mut tx, client, &leads, now).await?;
    // Later than the end of every call whose slot was counted as free.
    let now = engine.inner.clock.now(&mut tx).await?;
    if locked.is_empty() {
        // Somebody else works on all of them: look again when they are done.
        return Ok(Round { again_at: Some(now + OTHERS_AT_WORK), ..Round::default() });
    }
    let admit = |row: &Locked| Item { lead: row.lead(), input: Input::Admit { account }, lease: None };
    *tried = locked.iter().map(admit).collect();
    let mut decided = commit::decide_and_write(engine, &mut tx, client, tried, locked, now).await?;
    crash::point("admission.before_commit");
    tx.commit().await?;
    crash::point("admission.after_commit");
    decided.announce(engine, client).await;
    Ok(Round { reserved: decided.reserved(), looked_at: tried.len(), again_at: None })
}

/// How many leads an account may take now, and from which lanes.
struct Plan {
    free: u32,
    open: Vec<OpenLane>,
    by_campaign: HashMap<CampaignId, u32>,
    again_at: Option<Moment>,
}

impl Plan {
    async fn make(
        engine: &Engine,
        conn: &mut PgConnection,
        client: ClientId,
        account: AccountId,
        limits: &serde_json::Value,
        lanes: &[OpenLane],
        now: Moment,
    ) -> Result<Self, StoreError> {
        let limits: Vec<Limit> = match serde_json::from_value(limits.clone()) {
            Ok(limits) => limits,
            Err(error) => {
                tracing::error!(account.id = %account, %error,
                    "ALERT: an account's limits cannot be read; nothing is dialled from it");
                return Ok(Self { free: 0, open: vec![], by_campaign: HashMap::new(), again_at: None });
            }
        };
        let mut by_lane = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let rules = engine.inner.rules.get(conn, client, lane.campaign, lane.revision).await?;
            by_lane.push(rules.map(|rules| rules.limits.clone()).unwrap_or_default());
        }
        let since = look_back(limits.iter().chain(by_lane.iter().flatten()), now);
        let usage = store::admission::usage(conn, client, account, since).await?;
        let recent =
            store::admission::submitted_since(conn, client, account, now - TimeDelta::seconds(1)).await?;
        let whole = Usage::together(usage.iter().map(|(_, used)| used));
        let account_room = room(&limits, &whole, now);
        let reservations = reservations_allowed(recent).saturating_sub(whole.pending);
        let mut plan = Self {
            free: account_room.free.min(reservations).min(BATCH),
            open: vec![],
            by_campaign: HashMap::new(),
            again_at: account_room.again_at,
        };
        for (lane, limits) in lanes.iter().zip(&by_lane) {
            plan.add_lane(*lane, limits, &usage, now);
        }
        Ok(plan)
    }

    /// A lane whose campaign's limits bind is passed over for this round, and moves no lead.
    fn add_lane(&mut self, lane: OpenLane, limits: &[Limit], usage: &[(CampaignId, Usage)], now: Moment) {
        let none = Usage::default();
        let used =
            usage.iter().find(|(campaign, _)| *campaign == lane.campaign).map_or(&none, |(_, used)| used);
        let Room { free, again_at } = room(limits, used, now);
        if free > 0 {
            self.open.push(lane);
            self.by_campaign.insert(lane.campaign, free);
        } else if let Some(again_at) = again_at {
            self.again_at = Some(self.again_at.map_or(again_at, |at| at.min(again_at)));
        }
    }

    /// Those that go first: the longest due, with each priority's handicap; lanes in turn.
    fn choose(&self, mut due: Vec<Candidate>) -> Vec<Candidate> {
        let handicap = |candidate: &Candidate| TimeDelta::seconds(candidate.priority.handicap_s());
        due.sort_by_key(|candidate| (candidate.due_at + handicap(candidate), candidate.lead));
        let mut turns: HashMap<Uuid, u32> = HashMap::new();
        let place = |lane: Uuid| self.open.iter().position(|open| open.lane.0 == lane);
        let mut in_turn: Vec<(u32, Option<usize>, Candidate)> = due
            .into_iter()
            .map(|candidate| {
                let turn = turns.entry(candidate.lane.0).or_default();
                *turn += 1;
                (*turn, place(candidate.lane.0), candidate)
            })
            .collect();
        in_turn.sort_by_key(|(turn, place, _)| (*turn, *place));
        let mut left = self.by_campaign.clone();
        let campaign =
            |lane: Uuid| self.open.iter().find(|open| open.lane.0 == lane).map(|open| open.campaign);
        let mut fits = |candidate: &Candidate| {
            let room = campaign(candidate.lane.0).and_then(|campaign| left.get_mut(&campaign));
            room.filter(|room| **room > 0).map(|room| *room -= 1).is_some()
        };
        let chosen = in_turn.into_iter().map(|(.., candidate)| candidate).filter(|candidate| fits(candidate));
        chosen.take(usize::try_from(self.free).unwrap_or(usize::MAX)).collect()
    }
}
