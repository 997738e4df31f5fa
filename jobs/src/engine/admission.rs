//! Admission: takes waiting leads from open lanes into free slots.
//!
//! A round is alone with the client, so that what it counts is what stands, on any number of
//! nodes, without a leader. It peeks at candidates, locks those it can use, and goes through the
//! same fold and write as everything else.
//!
//! Where this process has free slots for them, what it reserves it submits in the same transaction,
//! under the shared barrier: the gate was asked that very moment. Otherwise the dial job does.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::breaker::Breaker;
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LaneId, LeadId};
use outdial_workflows::input::Input;
use outdial_workflows::limits::{
    Bound, Limit, Room, Usage, look_back, reservations_allowed, room, spent_since,
};
use outdial_workflows::packs::edition;
use outdial_workflows::pool::{self, NumberChoice};
use outdial_workflows::rules::Rules;
use serde::Deserialize;
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Engine, Item, Unsent, commit, gather, lanes};
use crate::crash;
use crate::jobs::Job;
use crate::jobs::dial::Dial;
use crate::store::admission::{Candidate, OpenLane, Used};
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
    // A process that stands still between here and the commit must not send on what it has seen.
    let seen = std::time::Instant::now();
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
        Item { lead: row.lead(), input: Input::Admit { account, caller_id }, lease: None }
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
    decided.lay_out(engine, seen);
    let reserved = decided.reserved();
    decided.announce(engine, client).await;
    Ok(Round { reserved, looked_at: tried.items.len(), again_at: None })
}

/// Whose turn it is: each process counts for itself, and so serves all evenly.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Which of a client's accounts was served last.
    accounts: Mutex<HashMap<ClientId, AccountId>>,
    /// Where a campaign's next call begins among its numbers.
    numbers: Mutex<HashMap<CampaignId, usize>>,
}

impl Turns {
    /// The account after the one that was served last goes first, so that none takes all of what the client's
    /// limits leave. Looks that served nobody change nothing: one comes after each that did.
    fn order(&self, client: ClientId, accounts: &mut [AccountId]) {
        let turns = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = turns.get(&client) else { return };
        accounts.sort_unstable_by_key(|account| account.0);
        let after = accounts.partition_point(|account| account.0 <= last.0);
        accounts.rotate_left(after % accounts.len().max(1));
    }

    fn account_was(&self, client: ClientId, account: AccountId) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(client, account);
    }

    fn number_of(&self, campaign: CampaignId) -> usize {
        let turns = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        turns.get(&campaign).copied().unwrap_or_default()
    }

    fn number_was(&self, campaign: CampaignId, place: usize) {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).insert(campaign, place.wrapping_add(1));
    }
}

/// A lane that may be served, with the rules of its campaign; `None` if they cannot be read.
struct Open {
    lane: OpenLane,
    rules: Option<Arc<Rules>>,
}

impl Open {
    fn pool(&self) -> &[CallerId] {
        self.rules.as_ref().map_or(&[], |rules| &rules.caller_ids)
    }

    fn choice(&self) -> NumberChoice {
        self.rules.as_ref().map(|rules| rules.number_choice).unwrap_or_default()
    }

    fn looks_at_leads(&self) -> bool {
        self.pool().len() > 1 && self.choice().looks_at_lead()
    }
}

/// A lead that is to be dialled, and from which number.
struct Chosen {
    lead: LeadId,
    lane: LaneId,
    caller_id: Option<CallerId>,
}

/// How many leads an account may take now, from which lanes, and through which numbers.
#[derive(Default)]
struct Plan {
    free: u32,
    open: Vec<Open>,
    by_campaign: HashMap<CampaignId, u32>,
    /// Numbers of which something is known; the others have room.
    by_number: HashMap<CallerId, Room>,
    again_at: Option<Moment>,
}

impl Plan {
    async fn make(
        engine: &Engine,
        conn: &mut PgConnection,
        (client, account): (ClientId, AccountId),
        row: &store::admission::Account,
        lanes: &[OpenLane],
        now: Moment,
    ) -> Result<Self, StoreError> {
        let own = readable(&row.limits, &format!("account {account}"));
        let clients = readable(&row.client_limits, &format!("client {client}"));
        let (Some(own), Some(clients)) = (own, clients) else { return Ok(Self::default()) };
        let mut open = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let rules = engine.inner.rules.get(conn, client, lane.campaign, lane.revision).await?;
            open.push(Open { lane: *lane, rules });
        }
        let numbers = match row.knows_numbers {
            true => store::numbers::of_account(conn, client, account).await?,
            false => vec![],
        };
        let numbers: Vec<_> = numbers
            .into_iter()
            .map(|number| {
                let limits = readable(&number.limits, &format!("number {}", number.number));
                (number.number, number.breaker, limits)
            })
            .collect();
        let of_lanes = open.iter().filter_map(|open| open.rules.as_ref()).flat_map(|rules| &rules.limits);
        let of_numbers = numbers.iter().filter_map(|(.., limits)| limits.as_ref()).flatten();
        let all: Vec<Limit> = own.iter().chain(&clients).chain(of_lanes).chain(of_numbers).copied().collect();
        let (since, spent_since) = (look_back(&all, now), spent_since(&all, now));
        let accounts = match clients.is_empty() {
            true => vec![account.0],
            false => store::admission::all_accounts(conn, client).await?,
        };
        let mut usage = store::admission::usage(conn, client, &accounts, since, spent_since).await?;
        let of_client = room(&clients, &Usage::together(usage.iter().map(|used| &used.usage)), now);
        usage.retain(|used| used.account == account);
        let whole = Usage::together(usage.iter().map(|used| &used.usage));
        let of_account = room(&own, &whole, now);
        let least = reservations_allowed(0).saturating_sub(whole.pending);
        let reservations = match of_account.free.min(of_client.free) <= least {
            // Whatever was submitted lately, so many may be reserved.
            true => least,
            false => {
                let since = now - TimeDelta::seconds(1);
                let recent = store::admission::submitted_since(conn, client, account, since).await?;
                reservations_allowed(recent).saturating_sub(whole.pending)
            }
        };
        let breaker = row.breaker.lets_through(whole.pending, now);
        let free = of_account.free.min(of_client.free).min(reservations).min(breaker).min(BATCH);
        let mut plan =
            Self { free, again_at: of_account.again_at().max(of_client.again_at()), ..Self::default() };
        for (number, breaker, limits) in numbers {
            let used = usage.iter().filter(|used| used.caller_id.as_ref() == Some(&number));
            let used = Usage::together(used.map(|used| &used.usage));
            plan.by_number.insert(number, of_number(&breaker, limits.as_deref(), &used, now));
        }
        for lane in open {
            plan.add_lane(lane, &usage, now);
        }
        Ok(plan)
    }

    /// A lane whose campaign's limits bind, or whose numbers are all taken, is passed over for this
    /// round, and moves no lead.
    fn add_lane(&mut self, open: Open, usage: &[Used], now: Moment) {
        let campaign = open.lane.campaign;
        let used = usage.iter().filter(|used| used.campaign == campaign);
        let used = Usage::together(used.map(|used| &used.usage));
        let limits = open.rules.as_ref().map_or(&[][..], |rules| &rules.limits);
        let own = room(limits, &used, now);
        let numbers = self.of_pool(open.pool());
        if own.free > 0 && numbers.free > 0 {
            self.by_campaign.insert(campaign, own.free);
            self.open.push(open);
            return;
        }
        let binding = [own, numbers].into_iter().filter(|room| room.free == 0);
        self.again_at = earlier(self.again_at, binding.filter_map(|room| room.again_at()).max());
    }

    fn of_number(&self, number: &CallerId) -> Room {
        self.by_number.get(number).copied().unwrap_or(Room::ENDLESS)
    }

    fn of_pool(&self, pool: &[CallerId]) -> Room {
        Room::of_any(pool.iter().map(|number| self.of_number(number)))
    }

    /// What the choice of numbers looks at, for lanes that have one.
    async fn seen_before(
        &self,
        conn: &mut PgConnection,
        client: ClientId,
        due: &[Candidate],
    ) -> Result<HashMap<LeadId, pool::Lead>, StoreError> {
        let looking: HashSet<LaneId> =
            self.open.iter().filter(|open| open.looks_at_leads()).map(|open| open.lane.lane).collect();
        let leads: Vec<Uuid> =
            due.iter().filter(|due| looking.contains(&due.lane)).map(|due| due.lead.0).collect();
        if leads.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(store::admission::seen_before(conn, client, &leads).await?.into_iter().collect())
    }

    /// Those that go first: the longest due, with each priority's handicap; lanes in turn. Each with the
    /// number that it is dialled from.
    fn choose(
        &mut self,
        mut due: Vec<Candidate>,
        seen: &HashMap<LeadId, pool::Lead>,
        turns: &Turns,
    ) -> Vec<Chosen> {
        let handicap = |candidate: &Candidate| TimeDelta::seconds(candidate.priority.handicap_s());
        due.sort_by_key(|candidate| (candidate.due_at + handicap(candidate), candidate.lead));
        let mut order: HashMap<LaneId, u32> = HashMap::new();
        let places: HashMap<LaneId, usize> =
            self.open.iter().enumerate().map(|(place, open)| (open.lane.lane, place)).collect();
        let mut in_turn: Vec<(u32, usize, Candidate)> = due
            .into_iter()
            .filter_map(|candidate| {
                let turn = order.entry(candidate.lane).or_default();
                *turn += 1;
                Some((*turn, *places.get(&candidate.lane)?, candidate))
            })
            .collect();
        in_turn.sort_by_key(|(turn, place, _)| (*turn, *place));
        let most = usize::try_from(self.free).unwrap_or(usize::MAX);
        let mut chosen = Vec::new();
        for (_, place, candidate) in in_turn {
            if chosen.len() == most {
                break;
            }
            if let Some(caller_id) = self.take(place, seen.get(&candidate.lead), turns) {
                chosen.push(Chosen { lead: candidate.lead, lane: candidate.lane, caller_id });
            }
        }
        chosen
    }

    /// Takes a slot of the lane's campaign and one of a number; the number, if the campaign has any.
    /// `None` if there is no slot.
    fn take(&mut self, place: usize, lead: Option<&pool::Lead>, turns: &Turns) -> Option<Option<CallerId>> {
        let open = self.open.get(place)?;
        let campaign = open.lane.campaign;
        if self.by_campaign.get(&campaign).is_none_or(|left| *left == 0) {
            return None;
        }
        let nobody = pool::Lead::default();
        let number = match open.pool() {
            [] => None,
            numbers => {
                let has_room = |number: &CallerId| self.of_number(number).free > 0;
                let turn = turns.number_of(campaign);
                let at = pool::choose(numbers, open.choice(), lead.unwrap_or(&nobody), turn, has_room)?;
                turns.number_was(campaign, at);
                Some(numbers.get(at)?.clone())
            }
        };
        if let Some(room) = number.as_ref().and_then(|number| self.by_number.get_mut(number)) {
            room.free -= 1;
        }
        self.by_campaign.entry(campaign).and_modify(|left| *left -= 1);
        Some(number)
    }
}

/// What a number's limits and its breaker leave. Nothing if its limits cannot be read.
pub(crate) fn of_number(breaker: &Breaker, limits: Option<&[Limit]>, used: &Usage, now: Moment) -> Room {
    let Some(limits) = limits else { return Room { free: 0, again: None } };
    let own = room(limits, used, now);
    let until = breaker.resting_until.filter(|until| *until > now);
    let rest = until.map(|until| (until, Bound::Rest));
    Room { free: own.free.min(breaker.lets_through(used.pending, now)), again: own.again.max(rest) }
}

/// Limits as they are stored; `None`, with an alert, if they cannot be read: then nothing is dialled.
fn readable(limits: &serde_json::Value, whose: &str) -> Option<Vec<Limit>> {
    let limits = Vec::deserialize(limits);
    if let Err(error) = &limits {
        tracing::error!(whose, %error, "ALERT: limits cannot be read; nothing that they bound is dialled");
    }
    limits.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_served_in_turn_however_many_looks_serve_nobody() {
        let (client, turns) = (ClientId(Uuid::from_u128(9)), Turns::default());
        let order = |accounts: &[u128]| {
            let mut accounts: Vec<_> = accounts.iter().map(|id| AccountId(Uuid::from_u128(*id))).collect();
            turns.order(client, &mut accounts);
            accounts.iter().map(|account| account.0.as_u128()).collect::<Vec<_>>()
        };
        let was = |id| turns.account_was(client, AccountId(Uuid::from_u128(id)));
        assert_eq!(order(&[1, 2, 3]), [1, 2, 3]);
        was(1);
        assert_eq!(order(&[1, 2, 3]), [2, 3, 1]);
        assert_eq!(order(&[1, 2, 3]), [2, 3, 1], "nobody was served meanwhile");
        was(3);
        assert_eq!(order(&[1, 2, 3]), [1, 2, 3]);
        was(2);
        assert_eq!(order(&[1, 3]), [3, 1], "the one that was served last is gone");
        assert_eq!(order(&[]), Vec::<u128>::new());
    }
}
