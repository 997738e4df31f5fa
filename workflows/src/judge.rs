//! The judge: did a whole database keep the four promises?
//!
//! It reads what is stored, row by row and event by event, and recomputes local
//! times, caps and the dial ledger by code of its own. It calls neither the gate,
//! nor the calendar's search, nor the limits' arithmetic, nor `decide`: two readings
//! of the same rules that agree are worth more than one.
//!
//! Leads come in one at a time and in any order, and are let go again. What is kept
//! is one small span an attempt, for what only shows across leads: numbers in use
//! twice, and limits.
//!
//! What it cannot see: for how long a campaign was paused (the history of a lead does
//! not say), what was spent in a day, and what limits outside of a campaign's rules or a lead's zone
//! were before they were edited. Limits are judged as they are now, for attempts since then; of zones see [`Rule::Zone`].
//! A lead of which a row cannot be read is named and not judged; one whose history has lost its beginning to its age is
//! counted and not judged.

mod hours;
mod law;
mod lead;
mod reading;
mod rows;
mod spans;
mod verdict;

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;

use crate::Moment;
use crate::attempt::{Attempt, Revision};
use crate::call::CallerId;
use crate::gate::{CampaignState, Consent};
use crate::history::Recorded;
use crate::ids::{AccountId, CampaignId, ClientId, DialKey, LeadId, made_at};
use crate::limits::Limit;
use crate::phone::PhoneNumber;
use crate::retention::beginning_removed;
use crate::rules::Rules;
use crate::workflow::Workflow;

pub use verdict::{Finding, MOST_LISTED, Promise, Rule, Unreadable, Verdict};

/// What holds for many leads at once.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Every revision of every campaign that could be read. A call made under one that is
    /// missing here is a violation: rules that cannot be read mean *do not call*.
    pub rules: HashMap<(CampaignId, Revision), Rules>,
    /// The accounts as they are now.
    pub accounts: HashMap<AccountId, AccountWorld>,
    /// What bounds all of a client's dialling together, as it is now.
    pub clients: HashMap<ClientId, Bounds>,
    /// What bounds an account's calls from one number, as it is now.
    pub numbers: HashMap<(AccountId, CallerId), Bounds>,
    /// Where campaigns stand. One that is missing is taken to be running; it matters only
    /// to a strict judge.
    pub campaigns: HashMap<CampaignId, CampaignState>,
    /// Every suppression there ever was, lifted ones included.
    pub suppressions: Vec<SuppressionRecord>,
    /// Every consent that was ever recorded, by whose it is, taken back or not. `None` if
    /// nobody looked: then consent is not judged.
    pub consents: Option<HashMap<(ClientId, PhoneNumber), Vec<Consent>>>,
}

/// An account with a carrier, as far as the promises go.
#[derive(Clone, Debug, Default)]
pub struct AccountWorld {
    /// Its limits, beside those of campaigns.
    pub bounds: Bounds,
    /// Whether its carrier is emulated, so that the open calendar may be used on it.
    pub emulated: bool,
}

/// Limits that can be changed, and since when they are as they are.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// All of them hold.
    pub limits: Vec<Limit>,
    /// Attempts reserved up to then are not judged by them; `None`: all are.
    pub since: Option<Moment>,
}

/// A number that was not to be called for a time.
#[derive(Clone, Debug)]
pub struct SuppressionRecord {
    /// Whose list it is on.
    pub client: ClientId,
    /// The number.
    pub phone: PhoneNumber,
    /// The campaign it is bounded to; `None` for the whole client.
    pub campaign: Option<CampaignId>,
    /// From when on.
    pub created_at: Moment,
    /// Until when, if it ends by itself.
    pub expires_at: Option<Moment>,
    /// When it was lifted, if it was.
    pub removed_at: Option<Moment>,
}

/// Everything that is stored about one lead.
#[derive(Clone, Debug)]
pub struct LeadRecord {
    /// The tenant.
    pub client: ClientId,
    /// The person.
    pub lead: LeadId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The number; `None` once the person was erased.
    pub phone: Option<PhoneNumber>,
    /// The zone as it was given.
    pub zone: Option<String>,
    /// The region as it was given.
    pub region: Option<String>,
    /// The lead's state.
    pub workflow: Workflow,
    /// Whether a commit about it failed for its data, so that nothing touches it.
    pub quarantined: bool,
    /// All of its rows in the dial ledger, by number.
    pub attempts: Vec<Attempt>,
    /// All of its history, by seq.
    pub events: Vec<Recorded>,
}

/// Hears every lead once, then speaks.
#[derive(Debug)]
pub struct Judge {
    world: World,
    now: Moment,
    grace: TimeDelta,
    strict: bool,
    history_since: Option<Moment>,
    hours: HashMap<(CampaignId, Revision), hours::Hours>,
    suppressed: HashMap<(ClientId, PhoneNumber), Vec<SuppressionRecord>>,
    spans: spans::Spans,
    dials: HashMap<DialKey, u32>,
    unheard: HashSet<LeadId>,
    verdict: Verdict,
}

impl Judge {
    /// How far a timer may be overdue before its lead counts as lost. Nodes sweep every
    /// 5 s and take over a dead node's work within 15 s; the rest is for a busy database.
    pub const GRACE: TimeDelta = TimeDelta::seconds(60);

    /// A judge of `world` as it stands at `now`, by the database's clock.
    pub fn new(mut world: World, now: Moment) -> Self {
        let mut suppressed: HashMap<_, Vec<_>> = HashMap::new();
        for record in world.suppressions.drain(..) {
            suppressed.entry((record.client, record.phone.clone())).or_default().push(record);
        }
        let hours =
            world.rules.iter().map(|(key, rules)| (*key, hours::Hours::read(&rules.calendar))).collect();
        Self {
            world,
            now,
            grace: Self::GRACE,
            strict: false,
            history_since: None,
            hours,
            suppressed,
            spans: spans::Spans::default(),
            dials: HashMap::new(),
            unheard: HashSet::new(),
            verdict: Verdict::default(),
        }
    }

    /// Another patience than [`Judge::GRACE`].
    #[must_use]
    pub fn with_grace(mut self, grace: TimeDelta) -> Self {
        self.grace = grace;
        self
    }

    /// Also complains of leads that wait although they are due and their campaign runs.
    /// For tests, in which nothing but a fault keeps a due lead waiting: no limit binds,
    /// and the hours are open.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Histories from before are no longer kept. A lead that was accepted before and has lost the beginning of its own is
    /// counted and not heard: half a story would accuse of what the other half explains.
    #[must_use]
    pub fn with_history_since(mut self, since: Option<Moment>) -> Self {
        self.history_since = since;
        self
    }

    /// Hears one lead. Each lead must be heard once.
    pub fn lead(&mut self, record: &LeadRecord) {
        let first = record.events.first().map(|event| event.seq);
        if made_at(record.lead.0).is_some_and(|at| beginning_removed(at, first, self.history_since)) {
            self.unheard.insert(record.lead);
            self.verdict.past += 1;
            return;
        }
        let heard = lead::hear(self, record);
        self.verdict.leads += 1;
        self.verdict.attempts += u64::try_from(record.attempts.len()).unwrap_or(u64::MAX);
        self.verdict.finished += u64::from(heard.finished);
        for finding in heard.findings {
            self.verdict.add(finding);
        }
        for span in heard.spans {
            self.spans.add(record, span);
        }
    }

    /// Notes that something stored cannot be read. A lead that it is about is not heard: half a story
    /// would accuse of what the other half explains.
    pub fn unreadable(&mut self, lead: Option<LeadId>, problem: String) {
        self.unheard.extend(lead);
        self.verdict.cannot_read(Unreadable { lead, problem });
    }

    /// A carrier's own count of the calls it made for a key, where it can be had:
    /// emulators count.
    pub fn provider_dials(&mut self, key: DialKey, dials: u32) {
        *self.dials.entry(key).or_default() += dials;
    }

    /// What is to be said in the end.
    pub fn finish(mut self) -> Verdict {
        let across = self.spans.judge(&self.world, &self.dials, &self.unheard);
        for finding in across {
            self.verdict.add(finding);
        }
        self.verdict
    }
}
