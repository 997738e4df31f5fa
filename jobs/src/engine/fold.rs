//! Folds inputs over runs: pure, between what was loaded and what is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use outdial_workflows::Moment;
use outdial_workflows::analytics;
use outdial_workflows::attempt::{Attempt, Ledger, Revision, Spending};
use outdial_workflows::call::{CallId, CarrierTimes};
use outdial_workflows::decide::decide;
use outdial_workflows::gate::GateFacts;
use outdial_workflows::history::Event;
use outdial_workflows::ids::{AttemptNumber, CampaignId, ClientId, LeadId};
use outdial_workflows::input::{Answer, Context, Input, JobOrder, Rest, Run};
use outdial_workflows::ivr::Flow;
use outdial_workflows::limits::Spent;
use outdial_workflows::money::Cost;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::playbook::Playbook;
use outdial_workflows::rules::Rules;
use outdial_workflows::statistics::Deltas;
use outdial_workflows::workflow::State;
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::playbooks;
use super::wake::Signal;
use crate::providers::{DialBody, SharedCarrier};
use crate::store::campaigns::CampaignFacts;
use crate::store::leads::Briefing;
use crate::store::spending::{Delta, Key};
use crate::store::{self, StoreError};

/// The rules of revisions, which never change once written.
#[derive(Default)]
pub(super) struct RuleBook {
    read: Mutex<HashMap<(CampaignId, Revision), Readable>>,
}

/// `None`: this version cannot read them.
type Readable = Option<Arc<Rules>>;

impl RuleBook {
    /// The rules of a revision; `None` if this version cannot read them.
    pub(super) async fn get(
        &self,
        conn: &mut PgConnection,
        client: ClientId,
        campaign: CampaignId,
        revision: Revision,
    ) -> Result<Readable, StoreError> {
        let key = (campaign, revision);
        if let Some(rules) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(rules.clone());
        }
        let stored = store::campaigns::rules(conn, client, campaign, revision).await?;
        let rules = stored.and_then(|stored| match serde_json::from_value::<Rules>(stored) {
            Ok(rules) => Some(Arc::new(rules)),
            Err(error) => {
                tracing::error!(campaign.id = %campaign, revision = revision.0, %error,
                    "ALERT: a campaign's rules cannot be read; its leads are held");
                None
            }
        });
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(key, rules.clone());
        Ok(rules)
    }
}

/// What a campaign's leads are decided by, in one batch.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) facts: CampaignFacts,
    pub(super) rules: Readable,
    /// `None` if the account cannot be opened: nothing is sent then, and news is still taken in.
    pub(super) carrier: Option<SharedCarrier>,
    /// What our own agent goes by, if it goes by anything; read where somebody may be dialled.
    pub(super) playbook: Option<playbooks::Readable<Playbook>>,
    /// The flow that its calls go by, if they go by one of ours; read likewise.
    pub(super) flow: Option<playbooks::Readable<Flow>>,
}

impl Setting {
    fn times(&self) -> CarrierTimes {
        /// For an account that cannot be opened: nobody is asked until somebody mends it.
        const UNASKED: CarrierTimes = CarrierTimes {
            silence: chrono::TimeDelta::seconds(30),
            ask_first: chrono::TimeDelta::seconds(30),
            poll_first: chrono::TimeDelta::seconds(30),
            ask_cap: chrono::TimeDelta::minutes(5),
        };
        self.carrier.as_ref().map_or(UNASKED, |carrier| carrier.times())
    }

    /// As the carrier has it for what answers by the present rules; `None` if either cannot be read.
    pub(super) fn resend_within(&self) -> Option<chrono::TimeDelta> {
        self.carrier.as_ref()?.resend_within(&self.rules.as_deref()?.agent)
    }
}

/// What was read of a lead for the gate.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) phone: Option<PhoneNumber>,
    /// What else is known of the person, read where the campaign's agents are told of it.
    pub(super) briefing: Option<Briefing>,
    pub(super) gate: Option<GateFacts>,
}

/// A lead in a batch: as it was loaded, and as the inputs so far have left it.
pub(super) struct Case {
    pub(super) before: Run,
    pub(super) run: Run,
    pub(super) events: Vec<Event>,
    pub(super) jobs: Vec<JobOrder>,
    pub(super) suppress: bool,
    pub(super) bodies: BTreeMap<AttemptNumber, DialBody>,
    /// What conversations yielded, later tellings over earlier ones.
    pub(super) results: BTreeMap<AttemptNumber, Map<String, Value>>,
}

impl Case {
    pub(super) fn new(run: Run) -> Self {
        Self {
            before: run.clone(),
            run,
            events: vec![],
            jobs: vec![],
            suppress: false,
            bodies: BTreeMap::new(),
            results: BTreeMap::new(),
        }
    }

    /// Attempts that this batch made and that still stand.
    pub(super) fn reserved(&self) -> impl Iterator<Item = &Attempt> {
        self.run.attempts.iter().filter(|attempt| self.before.attempt(attempt.number).is_none())
    }

    /// Attempts that this batch changed, after it made them if it did.
    pub(super) fn changed(&self) -> impl Iterator<Item = &Attempt> {
        let as_made = |now: &Attempt| matches!(now.ledger, Ledger::Reserved | Ledger::Submitted);
        let differs = move |now: &&Attempt| match self.before.attempt(now.number) {
            Some(before) => before != *now,
            None => !as_made(now),
        };
        self.run.attempts.iter().filter(differs)
    }

    /// Attempts that this batch resolved: no step is left to do for them.
    pub(super) fn resolved(&self) -> impl Iterator<Item = AttemptNumber> {
        let was_live = |number| self.before.attempt(number).is_some_and(Attempt::is_live);
        let resolved = move |now: &&Attempt| !now.is_live() && was_live(now.number);
        self.run.attempts.iter().filter(resolved).map(|now| now.number)
    }

    /// The carrier's names for calls that attempts are known by since this batch.
    pub(super) fn named(&self) -> impl Iterator<Item = &CallId> {
        let before = |number| self.before.attempt(number).and_then(|attempt| attempt.call_id.as_ref());
        self.run.attempts.iter().filter_map(move |attempt| {
            attempt.call_id.as_ref().filter(|call| before(attempt.number) != Some(*call))
        })
    }

    /// The outcomes that this batch recorded, and the lead's own, by the names of their events.
    pub(super) fn came_to(&self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        self.events.iter().filter_map(|event| match event {
            Event::OutcomeRecorded { outcome, .. } => Some((event.name(), Some(outcome.name()))),
            Event::Finished { outcome, .. } => Some((event.name(), outcome.map(|outcome| outcome.name()))),
            _ => None,
        })
    }

    pub(super) fn is_changed(&self) -> bool {
        self.run.workflow != self.before.workflow
    }
}

/// The batch's own circumstances.
pub(super) struct Circumstances<'a> {
    pub(super) now: Moment,
    pub(super) settings: &'a HashMap<CampaignId, Setting>,
    pub(super) readings: &'a HashMap<LeadId, Reading>,
}

/// Decides one input for one lead.
pub(super) fn step(
    case: &mut Case,
    input: &Input,
    chance: u64,
    circumstances: &Circumstances<'_>,
) -> (Answer, Option<Rest>) {
    let Some(setting) = circumstances.settings.get(&case.run.workflow.campaign) else {
        return (Answer::Noted, None);
    };
    let reading = circumstances.readings.get(&case.run.workflow.lead);
    let context = Context {
        now: circumstances.now,
        chance,
        rules: setting.rules.as_deref(),
        revision: setting.facts.revision,
        times: setting.times(),
        resend_within: setting.resend_within(),
        barrier: setting.facts.barrier,
        gate: reading.and_then(|reading| reading.gate.as_ref()),
        phone: reading.and_then(|reading| reading.phone.as_ref()),
    };
    let decision = decide(case.run.clone(), input, &context);
    case.run = decision.run;
    case.events.extend(decision.events);
    case.jobs.extend(decision.jobs);
    for (number, results) in decision.results {
        if let Ok(Value::Object(told)) = serde_json::to_value(results) {
            add_results(case.results.entry(number).or_default(), told);
        }
    }
    case.suppress |= decision.suppress.is_some();
    (decision.answer, decision.rest)
}

/// What the batch changed in the counts.
pub(super) fn deltas<'a>(cases: impl Iterator<Item = &'a Case>, now: Moment) -> Deltas {
    let mut deltas = Deltas::default();
    for case in cases {
        deltas.moved(&case.before.workflow, &case.run.workflow, now);
    }
    deltas
}

/// What the batch changed of how calls go.
pub(super) fn calls<'a>(cases: impl Iterator<Item = &'a Case>) -> analytics::Deltas {
    let mut deltas = analytics::Deltas::default();
    for case in cases {
        deltas.changed(case.run.workflow.campaign, &case.before.attempts, &case.run.attempts);
    }
    deltas
}

/// What the batch changed of what is spent.
pub(super) fn spending<'a>(cases: impl Iterator<Item = &'a Case>) -> Vec<(Key, Delta)> {
    let mut deltas: BTreeMap<Key, Delta> = BTreeMap::new();
    let mut count = |campaign: CampaignId, attempt: &Attempt, sign: i32| {
        let (open, micros) = match attempt.spending() {
            None => return,
            Some(Spending::Open) => (sign, 0),
            Some(Spending::Known(cost)) => (0, cost.micros * i64::from(sign)),
        };
        let span = Spent::span_of(attempt.reserved_at);
        let delta = deltas.entry(Key { account: attempt.account, campaign, span }).or_default();
        delta.open += open;
        delta.micros += micros;
    };
    for case in cases {
        let campaign = case.run.workflow.campaign;
        case.before.attempts.iter().for_each(|attempt| count(campaign, attempt, -1));
        case.run.attempts.iter().for_each(|attempt| count(campaign, attempt, 1));
    }
    deltas.into_iter().filter(|(_, delta)| *delta != Delta::default()).collect()
}

/// What the batch makes possible, besides the jobs that it queues.
pub(super) fn signal<'a>(cases: impl Iterator<Item = &'a Case>) -> Signal {
    let mut signal = Signal::default();
    for case in cases {
        let freed = case.before.live().is_some() && case.run.live().is_none();
        // A rate and the cap on reservations count it no longer as pending.
        let answered = is_pending(&case.before) && !is_pending(&case.run);
        let priced = costs(&case.before) != costs(&case.run);
        let waits = case.run.workflow.state == State::Waiting && case.is_changed();
        signal.admission |= freed || answered || priced || waits;
    }
    signal
}

fn costs(run: &Run) -> Cost {
    run.attempts.iter().filter_map(|attempt| attempt.cost).sum()
}

/// Whether its latest attempt is reserved, or submitted without a result.
fn is_pending(run: &Run) -> bool {
    run.latest().is_some_and(|attempt| matches!(attempt.ledger, Ledger::Reserved | Ledger::Submitted))
}

/// Adds what is told later, as [`crate::store::call_results::add`] does.
fn add_results(known: &mut Map<String, Value>, told: Map<String, Value>) {
    for (field, value) in told {
        match (known.get_mut(&field), value) {
            (Some(Value::Object(before)), Value::Object(later)) if field == "analysis" => {
                before.extend(later);
            }
            (_, value) => drop(known.insert(field, value)),
        }
    }
}
