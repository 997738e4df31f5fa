//! Holds the conversation of a call that was answered.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use chrono_tz::Tz;
use outdial_workflows::call::Source;
use outdial_workflows::conversation::{Conversation, Duties, Ending};
use outdial_workflows::gate::{GateFacts, whereabouts};
use outdial_workflows::ids::{AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::input::Input;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::playbook::Playbook;
use outdial_workflows::results::{CallResults, Course, Speaker};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::analyse::Analyse;
use super::hang_up::HangUp;
use super::{Ctx, Job, JobError};
use crate::crash;
use crate::engine::wake::Signal;
use crate::engine::{Engine, EngineError};
use crate::media::keeper::{Keeper, Kept};
use crate::media::reception::{Named, Waiting};
use crate::media::recording::{Recording, place};
use crate::media::session::{Cast, Held, Surroundings, hold};
use crate::media::speech::ForCall;
use crate::media::telling::{Telling, What};
use crate::media::wire::Dialect;
use crate::operations::called::{self, Called};
use crate::operations::reports;
use crate::store::{self, StoreError};

/// What a conversation yielded is recorded again after this, if that failed. Its lease is kept meanwhile.
const RECORD_AGAIN: Duration = Duration::from_secs(1);
/// So often, before the job is given back; whoever takes it records what was stored as it was said.
const RECORD_TRIES: u32 = 30;

/// Holds the conversation of an attempt, where its carrier's socket came to: it is claimed as it is queued.
///
/// Whoever else comes to run it has taken it over from a process that died, and ends the call: the person has been
/// talking to nobody since.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Converse {
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
}

#[async_trait]
impl Job for Converse {
    const KIND: &'static str = "converse.v1";
    const SLOTS: usize = 64;
    const TRIES: i16 = 20;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        let reception = ctx.engine.reception();
        match reception.and_then(|reception| reception.take(self.attempt())) {
            Some((waiting, on_call)) => {
                crash::point("converse.begun");
                let results = self.hold(ctx, waiting).await;
                drop(on_call);
                self.record_surely(ctx, results).await?;
            }
            None => self.lost(ctx).await?,
        }
        store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            let now = ctx.engine.now_in(&mut conn).await?;
            store::queue::finish(&mut conn, self.client, &[ctx.lease], now).await?;
            Ok::<_, StoreError>(())
        })
        .await?;
        Ok(())
    }
}

/// All that a conversation needs.
struct Ready {
    conversation: Conversation,
    services: ForCall,
    zone: Tz,
    /// Where it is recorded, below which directory, if it is.
    recorded_at: Option<(PathBuf, PathBuf)>,
}

impl Converse {
    fn attempt(&self) -> AttemptRef {
        AttemptRef { client: self.client, lead: self.lead, number: self.number }
    }

    async fn hold(&self, ctx: &Ctx, waiting: Waiting) -> CallResults {
        let Waiting { dialect, line, lines, heard, tell, playbook: named } = waiting;
        let Named { name, version, playbook, campaign } = named;
        let ready = self.ready(ctx, dialect, &playbook).await;
        let (held, kept) = match ready {
            Ok(Ready { conversation, services, zone, recorded_at }) => {
                let recording = self.recording(ctx, dialect, recorded_at).await;
                let (acts, told) = mpsc::unbounded_channel();
                let keeper = Keeper::new(ctx.engine.clone(), self.attempt(), tell, zone);
                let around = Surroundings { lines, heard, acts, recording };
                let ForCall { recogniser, model, voice } = &services;
                let cast = Cast { recogniser, model, voice };
                tokio::join!(hold(conversation, dialect, line, cast, around), keeper.run(told))
            }
            Err(problem) => {
                tracing::error!(attempt = %DialKey(self.attempt()), problem, "a conversation cannot begin");
                (Held::never(problem), Kept::default())
            }
        };
        ctx.engine.metrics().talked(self.client, campaign, dialect, &held, &kept.turns);
        let course = Course {
            playbook: name,
            version,
            ending: held.ending,
            lasted_ms: whole_ms(held.lasted),
            speculated_in_vain: held.speculated_in_vain,
            first_words_ms: held.first_words.map(whole_ms),
            abandoned: held.abandoned,
        };
        kept.into_results(course)
    }

    /// Begins to record. A conversation that cannot be is held all the same.
    async fn recording(
        &self,
        ctx: &Ctx,
        dialect: Dialect,
        at: Option<(PathBuf, PathBuf)>,
    ) -> Option<Recording> {
        let (directory, place) = at?;
        let begun = async {
            let recording = Recording::begin(directory.join(&place), dialect.format()).await?;
            let place = place.to_string_lossy();
            store::in_time(async {
                let mut conn = ctx.engine.pool().acquire().await?;
                store::conversations::recorded(&mut conn, self.attempt(), &place).await
            })
            .await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(recording)
        };
        match begun.await {
            Ok(recording) => Some(recording),
            Err(error) => {
                tracing::error!(attempt = %DialKey(self.attempt()), error = &*error as &dyn std::error::Error,
                    "a conversation is not recorded");
                None
            }
        }
    }

    /// What is read before the first word; or why there can be none.
    async fn ready(&self, ctx: &Ctx, dialect: Dialect, playbook: &Playbook) -> Result<Ready, String> {
        let reception = ctx.engine.reception().ok_or("this process holds no conversations")?;
        let read = called::read(&ctx.engine, self.attempt()).await;
        let Called { now, contact, briefing, rules, .. } = read.map_err(|error| error.to_string())?;
        let (contact, briefing) = contact.zip(briefing).ok_or("the person was erased")?;
        let phone = contact.phone.clone().ok_or("the person was erased")?;
        let rules = rules.ok_or("the campaign's rules cannot be read")?;
        let attributes = briefing.attribute_texts();
        let values = briefing.values(&phone, &attributes);
        let script = playbook.fill(&values).map_err(|missing| missing.to_string())?;
        let facts = GateFacts {
            phone: Some(phone.clone()),
            zone: contact.zone,
            region: contact.region,
            ..GateFacts::default()
        };
        let whereabouts = whereabouts(&facts, rules.zone).ok();
        // Of several zones the first by name, as in what explanations show.
        let zone = whereabouts.as_ref().and_then(|place| place.zones().first().copied()).unwrap_or(Tz::UTC);
        let here = now.with_timezone(&zone);
        let duties = Duties::of(whereabouts.as_ref(), rules.purpose, rules.record, here.date_naive());
        let services = reception.speech().for_call(dialect, &script).map_err(|error| error.to_string())?;
        let local_time = here.format("%A, %-d %B %Y, %H:%M").to_string();
        let recorded_at = ctx.engine.recordings().filter(|_| rules.record);
        let recorded_at = recorded_at.map(|directory| (directory.to_owned(), place(self.attempt(), now)));
        let conversation = Conversation::new(script, duties, local_time);
        Ok(Ready { conversation, services, zone, recorded_at })
    }

    /// Records what a conversation yielded, again and again for as long as the database is away.
    async fn record_surely(&self, ctx: &Ctx, results: CallResults) -> Result<(), JobError> {
        let mut tries = 1;
        loop {
            match self.record(ctx, results.clone()).await {
                Err(error) if tries < RECORD_TRIES && error.is_unharmed() => {
                    tracing::warn!(%error, tries, "what a conversation yielded was not recorded yet");
                    tokio::time::sleep(RECORD_AGAIN).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    /// Records what a conversation yielded, and has the call ended that it was held on.
    async fn record(&self, ctx: &Ctx, mut results: CallResults) -> Result<(), JobError> {
        let holder = store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            store::conversations::holder(&mut conn, self.attempt()).await
        });
        if holder.await?.is_none() {
            // Whoever found its holder silent for longer than its lease has ended it, and what they recorded stands.
            tracing::warn!(attempt = %DialKey(self.attempt()), "a conversation was ended by another process before");
            return Ok(());
        }
        let analysed = Analyse::is_worth_it(&results);
        let goes_on = self.is_within_a_flow(ctx, &mut results).await?;
        let ending = results.course.as_ref().map(|course| course.ending.clone());
        if ending.as_ref().is_some_and(Ending::is_our_failure) && results.outcome().is_none() {
            fail(&ctx.engine, self.attempt()).await?;
        }
        if !goes_on && !ending.as_ref().is_some_and(Ending::leaves_nobody) {
            end_call(&ctx.engine, self.attempt()).await?;
        }
        reports::result(&ctx.engine, DialKey(self.attempt()), results).await?;
        store::in_time(async {
            let mut tx = ctx.engine.pool().begin().await?;
            let now = ctx.engine.now_in(&mut tx).await?;
            let said = Telling { attempt: self.attempt(), what: What::Said };
            store::notify(&mut tx, &said.payload()).await?;
            if store::conversations::end(&mut tx, self.attempt(), now).await? && analysed {
                let job = Analyse::of(self.attempt()).queued(now);
                store::queue::insert(&mut tx, self.client, &[job], now).await?;
                store::notify(&mut tx, &Signal::JOBS.payload(self.client)).await?;
            }
            Ok::<_, StoreError>(tx.commit().await?)
        })
        .await?;
        Ok(())
    }

    /// Whether the call goes on by a flow. What was said is added to what it has said then, which may have gone on by now,
    /// in the order of the clock.
    async fn is_within_a_flow(&self, ctx: &Ctx, results: &mut CallResults) -> Result<bool, JobError> {
        let known = store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            let known = store::call_results::read(&mut conn, self.client, self.lead, self.number).await?;
            Ok::<_, StoreError>((known, store::conversations::underway(&mut conn, self.attempt()).await?))
        });
        let (Some(CallResults { flow: Some(flow), .. }), Some(underway)) = known.await? else {
            return Ok(false);
        };
        let later = u32::try_from((underway.began_at - flow.began_at).num_milliseconds()).unwrap_or_default();
        let mut turns = std::mem::take(&mut results.transcript);
        for turn in &mut turns {
            turn.at_ms = turn.at_ms.map(|at| at.saturating_add(later));
            turn.until_ms = turn.until_ms.map(|at| at.saturating_add(later));
        }
        reports::turns(&ctx.engine, DialKey(self.attempt()), turns).await?;
        Ok(true)
    }

    /// Whoever held the conversation has died, and it has ended where it was.
    async fn lost(&self, ctx: &Ctx) -> Result<(), JobError> {
        let (now, underway) = store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            let now = ctx.engine.now_in(&mut conn).await?;
            Ok::<_, StoreError>((now, store::conversations::underway(&mut conn, self.attempt()).await?))
        })
        .await?;
        let Some(underway) = underway else { return Ok(()) };
        tracing::warn!(attempt = %DialKey(self.attempt()), "a conversation was lost with its process; its call is ended");
        let lasted = (now - underway.began_at).num_milliseconds();
        let course = Course {
            playbook: underway.playbook,
            version: underway.version,
            ending: Ending::HolderLost,
            lasted_ms: u32::try_from(lasted).unwrap_or_default(),
            speculated_in_vain: 0,
            first_words_ms: None,
            // What was said is stored turn by turn: nothing of it is there of a greeting that broke off.
            abandoned: Some(!underway.turns.iter().any(|turn| turn.speaker == Speaker::Agent)),
        };
        let kept = Kept { turns: underway.turns, known: underway.known, ..Kept::default() };
        self.record(ctx, kept.into_results(course)).await
    }
}

fn whole_ms(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Says of a call whose person was answered by nobody, or not as they should have been, that it failed: what follows
/// is decided as after a failure of the carrier's.
pub(crate) async fn fail(
    engine: &Engine,
    AttemptRef { client, lead, number }: AttemptRef,
) -> Result<(), EngineError> {
    let verdict = Input::Verdict { attempt: number, outcome: Outcome::Failed, source: Source::Agent };
    match engine.input(client, lead, verdict, None).await {
        Ok(_) | Err(EngineError::Quarantined(_) | EngineError::NoSuchLead(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Has a call ended: its carrier is asked by a job of its own, where it has a way; else the closed socket has to do.
pub(crate) async fn end_call(engine: &Engine, attempt: AttemptRef) -> Result<(), JobError> {
    let carrier = engine.carrier_of(attempt).await?;
    if !carrier.is_some_and(|carrier| carrier.ends_calls()) {
        return Ok(());
    }
    // Not an order for the lead, whose next call may have begun by now.
    store::in_time(async {
        let mut tx = engine.pool().begin().await?;
        let now = engine.now_in(&mut tx).await?;
        store::queue::insert(&mut tx, attempt.client, &[HangUp::queued(attempt, now)], now).await?;
        store::notify(&mut tx, &Signal::JOBS.payload(attempt.client)).await?;
        Ok::<_, StoreError>(tx.commit().await?)
    })
    .await?;
    Ok(())
}
