//! What there is room for: how many leads, from which lanes, through which numbers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::breaker::Breaker;
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LaneId, LeadId};
use outdial_workflows::limits::{
    Bound, Limit, Room, Usage, look_back, reservations_allowed, room, spent_since,
};
use outdial_workflows::pool::{self, NumberChoice};
use outdial_workflows::rules::Rules;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::turns::Turns;
use super::{BATCH, Engine, earlier};
use crate::store::admission::{Candidate, OpenLane, Used};
use crate::store::{self, StoreError};

/// A lane that may be served, with the rules of its campaign; `None` if they cannot be read.
pub(super) struct Open {
    pub(super) lane: OpenLane,
    rules: Option<Arc<Rules>>,
}

impl Open {
    fn pool(&self) -> &[CallerId] {
        self.rules.as_ref().map_or(&[], |rules| &rules.caller_ids)
    }

    fn choice(&self) -> NumberChoice {
        self.rules.as_ref().map(|rules| rules.number_choice).unwrap_or_default()
    }

    /// Whether our own agent talks.
    fn takes_seats(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.agent.playbook().is_some())
    }

    fn looks_at_leads(&self) -> bool {
        self.pool().len() > 1 && self.choice().looks_at_lead()
    }
}

/// A lead that is to be dialled, and from which number.
pub(super) struct Chosen {
    pub(super) lead: LeadId,
    pub(super) lane: LaneId,
    pub(super) caller_id: Option<CallerId>,
}

/// How many leads an account may take now, from which lanes, and through which numbers.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) free: u32,
    pub(super) open: Vec<Open>,
    by_campaign: HashMap<CampaignId, u32>,
    /// Seats for calls that our own agent talks on.
    seats: u32,
    /// Numbers of which something is known; the others have room.
    by_number: HashMap<CallerId, Room>,
    pub(super) again_at: Option<Moment>,
}

impl Plan {
    pub(super) async fn make(
        engine: &Engine,
        conn: &mut PgConnection,
        (client, account): (ClientId, AccountId),
        row: &store::admission::Account,
        lanes: &[OpenLane],
        now: Moment,
    ) -> Result<Self, StoreError> {
        let own = readable(&row.limits, &format!("account {account}"));
        let carriers = row.carrier_calls.and_then(|calls| u32::try_from(calls).ok());
        let carriers = carriers.map(|max| Limit::Concurrent { max });
        let own = own.map(|own| own.into_iter().chain(carriers).collect::<Vec<_>>());
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
        if open.iter().any(Open::takes_seats) {
            plan.seats = store::seats::free(conn, client, now).await?.unwrap_or_default();
        }
        for lane in open {
            plan.add_lane(lane, &usage, now);
        }
        Ok(plan)
    }

    /// A lane whose campaign's limits bind, or whose numbers or seats are all taken, is passed over for this
    /// round, and moves no lead.
    fn add_lane(&mut self, open: Open, usage: &[Used], now: Moment) {
        if open.takes_seats() && self.seats == 0 {
            // Looked at again when a call ends, or more are granted.
            return;
        }
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
    pub(super) async fn seen_before(
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
    pub(super) fn choose(
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
        let takes_seat = open.takes_seats();
        if self.by_campaign.get(&campaign).is_none_or(|left| *left == 0) || (takes_seat && self.seats == 0) {
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
        self.seats -= u32::from(takes_seat);
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
