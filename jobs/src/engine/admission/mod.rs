//! Admission: takes waiting leads from open lanes into free slots.
//!
//! A round is alone with the client, so that what it counts is what stands, on any number of
//! nodes, without a leader. It peeks at candidates, locks those it can use, and goes through the
//! same fold and write as everything else.
//!
//! Where this process has free slots for them, what it reserves it submits in the same transaction,
//! under the shared barrier: the gate was asked that very moment. Otherwise the dial job does.

mod plan;
mod turns;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::{AccountId, ClientId, LeadId};
use outdial_workflows::input::Input;
use outdial_workflows::packs::edition;
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use self::plan::Plan;
pub(crate) use self::plan::of_number;
pub(super) use self::turns::Turns;
use super::{Engine, Item, Unsent, commit, gather, lanes};
use crate::crash;
use crate::jobs::Job;
use crate::jobs::dial::Dial;
use crate::store::workflows::Locked;
use crate::store::{self, Failure, StoreError};

/// How often it is asked which clients have somebody due, in case a signal was lost; half
/// as often after nobody had.
const SWEEP: Duration = Duration::from_secs(5);
/// A client is looked at again after this at the latest, should its next lead be due far in the future.
const FURTHEST: Duration = Duration::from_secs(300);
/// Looks are at least so far apart: a look costs the same for one slot as for a hundred, and under load
/// slots become free all the time.
const BREATH: Duration = Duration::from_millis(1);
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
    // The first time all are looked at, so that it is known when their next leads are due.
    let mut all_known = false;
    loop {
        if Instant::now() >= next_sweep {
            next_sweep = Instant::now() + SWEEP;
            match store::in_time(clients(&engine, all_known)).await {
                Ok(clients) => {
                    if all_known && clients.is_empty() {
                        next_sweep += SWEEP;
                    }
                    all_known = true;
                    next.extend(clients.into_iter().map(|client| (client, Instant::now())));
                }
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the clients could not be listed"
                ),
            }
        }
        next.extend(engine.hub().take_dirty().into_iter().map(|client| (client, Instant::now())));
        let mut due: Vec<ClientId> =
            next.iter().filter(|(_, at)| **at <= Instant::now()).map(|(client, _)| *client).collect();
        let no_room = !due.is_empty() && idle_slots(&engine) == 0;
        if no_room {
            due.clear();
        }
        for client in due {
            match look(&engine, client).await {
                Some(at) => drop(next.insert(client, at)),
                None => drop(next.remove(&client)),
            }
        }
        let breath = Instant::now() + BREATH;
        let until = match no_room {
            true => next_sweep,
            false => next.values().copied().min().map_or(next_sweep, |at| at.min(next_sweep)),
        };
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = slot_freed(&engine), if no_room => {}
            () = engine.hub().admission() => {}
            () = engine.admits_no_more().cancelled() => return,
        }
        tokio::time::sleep_until(breath).await;
    }
}

/// How many dial jobs this process could begin at once. No more are made: one that waited for a slot would
/// hold its place within all limits meanwhile, and might wait beyond its time. Without workers here, they
/// are made for others to run.
fn idle_slots(engine: &Engine) -> u32 {
    let room = engine.inner.desk.get().and_then(|desk| desk.room(Dial::KIND));
    room.map_or(BATCH, |free| u32::try_from(free).unwrap_or(BATCH).min(BATCH))
}

async fn slot_freed(engine: &Engine) {
    match engine.inner.desk.get() {
        Some(desk) => desk.freed().await,
        None => std::future::pending().await,
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
            Some(Instant::now() + wait.min(FURTHEST))
        }
        Err(error) => {
            if error.failure() != Failure::Conflict {
                tracing::warn!(client.id = %client, error = &error as &dyn std::error::Error, "a round of admission failed");
            }
            Some(Instant::now() + Duration::from_millis(100))
        }
    }
}

/// Clients that may have somebody to call: now, or else ever.
async fn clients(engine: &Engine, now_only: bool) -> Result<Vec<ClientId>, StoreError> {
    let now = engine.about_now().await?;
    let mut conn = engine.inner.pool.acquire().await?;
    match now_only {
        true => store::admission::clients_due(&mut conn, edition(), now).await,
        false => store::admission::clients(&mut conn).await,
    }
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
    let mut accounts = accounts.await?;
    engine.inner.turns.order(client, &mut accounts);
    let mut total = Round::default();
    for account in accounts {
        let round = account_round(engine, client, account).await?;
        if round.reserved > 0 {
            engine.inner.turns.account_was(client, account);
        }
        total.add(round);
    }
    Ok(total)
}

/// One round of an account. Should a lead be at fault, fewer are tried, until it stands alone and is put aside.
async fn account_round(engine: &Engine, client: ClientId, account: AccountId) -> Result<Round, StoreError> {
    let mut most = idle_slots(engine);
    loop {
        if engine.inner.gather.too_many_quarantined(client) {
            return Ok(Round::default());
        }
        if most == 0 {
            return Ok(Round { again_at: Some(engine.about_now().await?), ..Round::default() });
        }
        let mut tried = Tried::default();
        let round = store::in_time(try_round(engine, client, account, most, &mut tried));
        let result = gather::unless_it_panics(round).await;
        // Nobody knows whether it committed. What it submitted was not sent: whoever said so later would
        // have to ask the carrier.
        engine.will_not_send(tried.submitted);
        let error = match result {
            Err(error) if error.failure() == Failure::Data => error,
            result => return result,
        };
        match tried.items.as_slice() {
            [] => return Err(error),
            [item] => {
                gather::put_aside(engine, client, item, &error).await;
                most = idle_slots(engine);
            }
            several => most = u32::try_from(several.len() / 2).unwrap_or(BATCH),
        }
    }
}

/// What a round came down to, also if it did not end.
#[derive(Default)]
struct Tried {
    items: Vec<Item>,
    /// What it was about to commit as submitted.
    submitted: Vec<Unsent>,
}

/// Tries a round of at most `most` leads.
async fn try_round(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    most: u32,
    tried: &mut Tried,
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
    tried: &mut Tried,
) -> Result<Round, StoreError> {
    let mut tx = store::admission::begin(conn, client).await?;
    let Some(row) = store::admission::read_account(&mut tx, client, account).await? else {
        return Ok(Round::default());
    };
    let now = engine.inner.clock.now(&mut tx).await?;
    if row.breaker.resting_until.is_some_and(|until| until > now) {
        return Ok(Round { again_at: row.breaker.resting_until, ..Round::default() });
    }
    let Some(lanes) = lanes::visited(engine, &mut tx, client, account, now).await? else {
        // It stands, whatever comes of the round.
        tx.commit().await?;
        return Box::pin(try_round(engine, client, account, most, tried)).await;
    };
    let mut plan = Plan::make(engine, &mut tx, (client, account), &row, &lanes.open, now).await?;
    plan.free = plan.free.min(most);
    let ids: Vec<Uuid> = plan.open.iter().map(|open| open.lane.lane.0).collect();
    if plan.free == 0 || ids.is_empty() {
        return Ok(Round { again_at: earlier(plan.again_at, lanes.next_opening), ..Round::default() });
    }
    let due = store::admission::due(&mut tx, client, &ids, now, plan.free.into()).await?;
    let seen = plan.seen_before(&mut tx, client, &due).await?;
    let chosen = plan.choose(due, &seen, &engine.inner.turns);
    if chosen.is_empty() {
        let next = store::admission::next_due(&mut tx, client, &ids).await?;
        return Ok(Round { again_at: earlier(next, lanes.next_opening), ..Round::default() });
    }
    // From here on as a submission: what forbids calls waits for it, or it for that.
    store::barrier::share(&mut tx, client).await?;
    let served: HashSet<Uuid> = chosen.iter().map(|chosen| chosen.lane.0).collect();
    store::admission::served(&mut tx, client, &served.into_iter().collect::<Vec<_>>(), now).await?;
    let leads: Vec<Uuid> = chosen.iter().map(|chosen| chosen.lead.0).collect();
    let locked = store::workflows::lock_due(&mut tx, client, &leads, now).await?;
    // Looked at before the clock is read, so that whoever is found free was freed by a commit whose time is
    // earlier: the ledger then says of no number that two attempts held it at once. The number of anybody who is
    // reserved from here on is told busy by its index.
    let busy = store::attempts::busy(&mut tx, client, &leads).await?;
    // A process that stands still between here and the commit must not send on what it has seen.
    let seen = std::time::Instant::now();
    let began = seen;
    // Later than the end of every call whose slot was counted as free.
    let now = engine.inner.clock.now(&mut tx).await?;
    if locked.is_empty() {
        // Somebody else works on all of them: look again when they are done.
        return Ok(Round { again_at: Some(now + OTHERS_AT_WORK), ..Round::default() });
    }
    let mut numbers: HashMap<LeadId, Option<CallerId>> =
        chosen.into_iter().map(|chosen| (chosen.lead, chosen.caller_id)).collect();
    let admit = |row: &Locked| {
        let caller_id = numbers.remove(&row.lead()).flatten();
        let input = match busy.contains(&row.lead()) {
            true => Input::NumberBusy,
            false => Input::Admit { account, caller_id },
        };
        Item { lead: row.lead(), input, lease: None }
    };
    tried.items = locked.iter().map(admit).collect();
    let slots = engine.inner.desk.get().map(|desk| desk.up_to(Dial::KIND, locked.len()));
    let when = (now, slots.unwrap_or_default());
    let mut decided = commit::decide_and_write(engine, &mut tx, client, &tried.items, locked, when).await?;
    tried.submitted = decided.submitted();
    crash::point("admission.before_commit");
    if !tried.submitted.is_empty() {
        crash::point("submit.before_commit");
    }
    tx.commit().await?;
    crash::point("admission.after_commit");
    if !std::mem::take(&mut tried.submitted).is_empty() {
        crash::point("submit.after_commit");
    }
    engine.metrics().committed("admission", tried.items.len(), began.elapsed());
    decided.lay_out(engine, seen);
    let reserved = decided.reserved();
    decided.announce(engine, client).await;
    Ok(Round { reserved, looked_at: tried.items.len(), again_at: None })
}
