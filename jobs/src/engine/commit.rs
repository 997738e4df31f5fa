//! The deciding transaction: lock, read the time, fold, write once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use outdial_workflows::Moment;
use outdial_workflows::call::{DialReply, Refusal, RefusalKind};
use outdial_workflows::gate::GateFacts;
use outdial_workflows::history::Recorded;
use outdial_workflows::ids::{
    AttemptNumber, AttemptRef, CampaignId, ClientId, DialKey, JobId, LeadId, new_id,
};
use outdial_workflows::input::{Answer, Command, Input, Rest, Run};
use outdial_workflows::workflow::Workflow;
use rand::RngExt;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fold::{self, Case, Circumstances, Reading, Setting};
use super::wake::Signal;
use super::{Engine, EngineError, Item, Reply, ToSend};
use crate::crash;
use crate::jobs::registry;
use crate::providers::{DialOrder, Provider};
use crate::store::queue::{Lease, NewJob};
use crate::store::workflows::Locked;
use crate::store::{self, StoreError, attempts::Of};

/// What came of each item, in their order.
pub(super) type Taken = Vec<Result<Reply, EngineError>>;

/// Commits one batch of a client's inputs.
pub(super) async fn batch(engine: &Engine, client: ClientId, items: &[Item]) -> Result<Taken, StoreError> {
    let mut tx = engine.inner.pool.begin().await?;
    if items.iter().any(|item| item.input.may_forbid()) {
        store::barrier::exclude(&mut tx, client).await?;
    } else if items.iter().any(|item| matches!(item.input, Input::Submit { .. })) {
        store::barrier::share(&mut tx, client).await?;
    }
    let leads: Vec<Uuid> = items.iter().map(|item| item.lead.0).collect::<HashSet<_>>().into_iter().collect();
    let locked = store::workflows::lock(&mut tx, client, &leads).await?;
    // A process that stands still between here and the commit must not send on what it has seen.
    let seen = Instant::now();
    let now = engine.inner.clock.now(&mut tx).await?;
    let decided = decide_and_write(engine, &mut tx, client, items, locked, now).await?;
    crash_before(items);
    tx.commit().await?;
    crash_after(items);
    decided.announce(engine, client).await;
    Ok(decided.taken(seen))
}

fn crash_before(items: &[Item]) {
    for item in items {
        match item.input {
            Input::Submit { .. } => crash::point("submit.before_commit"),
            Input::Replied { .. } => crash::point("reply.before_commit"),
            Input::News { .. } => crash::point("news.before_commit"),
            _ => {}
        }
    }
}

fn crash_after(items: &[Item]) {
    for item in items {
        match item.input {
            Input::Submit { .. } => crash::point("submit.after_commit"),
            Input::Replied { .. } => crash::point("reply.after_commit"),
            _ => {}
        }
    }
}

/// What a batch came to, before and after its commit.
pub(super) struct Decided {
    answers: Vec<Result<(Answer, Option<ToSend>), EngineError>>,
    pub(super) signal: Signal,
    pub(super) timers: Vec<(LeadId, Option<Moment>)>,
    rests: Vec<Rest>,
}

impl Decided {
    fn taken(self, seen: Instant) -> Taken {
        let reply = |(answer, send)| Reply { answer, seen, send };
        self.answers.into_iter().map(|answer| answer.map(reply)).collect()
    }

    /// Tells this process what the commit made possible; others heard it with the commit.
    pub(super) async fn announce(&self, engine: &Engine, client: ClientId) {
        engine.inner.timers.set(client, &self.timers);
        engine.hub().signal(client, self.signal);
        for rest in &self.rests {
            tracing::warn!(account.id = %rest.account, until = %rest.until, cause = rest.cause,
                "a carrier account rests");
            // Lost in a crash, the carrier's next answer sets it again.
            if let Err(error) = rest_account(engine, client, rest).await {
                tracing::warn!(account.id = %rest.account, error = &error as &dyn std::error::Error,
                    "an account's rest could not be noted");
            }
        }
    }
}

async fn rest_account(engine: &Engine, client: ClientId, rest: &Rest) -> Result<(), StoreError> {
    let mut conn = engine.inner.pool.acquire().await?;
    store::accounts::rest(&mut conn, client, rest.account, rest.until, &rest.cause).await
}

/// Folds the items over the locked rows, and writes what follows.
pub(super) async fn decide_and_write(
    engine: &Engine,
    conn: &mut PgConnection,
    client: ClientId,
    items: &[Item],
    locked: Vec<Locked>,
    now: Moment,
) -> Result<Decided, StoreError> {
    let mut batch = Batch::load(engine, conn, client, items, locked, now).await?;
    let chances: Vec<u64> = items.iter().map(|_| rand::rng().random()).collect();
    let mut answers = batch.fold(items, &chances);
    let lost = batch.reserve(conn).await?;
    if !lost.is_empty() {
        answers = batch.refold(items, &chances, &lost);
    }
    batch.write(conn, items, &answers).await?;
    Ok(batch.into_decided(answers))
}

type Answers = Vec<Result<(Answer, Option<ToSend>), EngineError>>;

struct Batch<'a> {
    engine: &'a Engine,
    client: ClientId,
    now: Moment,
    cases: BTreeMap<LeadId, Case>,
    /// Leads in quarantine: news of them is kept in the inbox.
    aside: HashSet<LeadId>,
    settings: HashMap<CampaignId, Setting>,
    readings: HashMap<LeadId, Reading>,
    leases: HashSet<Uuid>,
    rests: Vec<Rest>,
}

impl<'a> Batch<'a> {
    async fn load(
        engine: &'a Engine,
        conn: &mut PgConnection,
        client: ClientId,
        items: &[Item],
        locked: Vec<Locked>,
        now: Moment,
    ) -> Result<Self, StoreError> {
        let mut aside = HashSet::new();
        let mut workflows = Vec::with_capacity(locked.len());
        for row in locked {
            match row {
                Locked::Ready(workflow) => workflows.push(workflow),
                Locked::Quarantined(lead) => drop(aside.insert(lead)),
                // Halving finds the input that touches it.
                Locked::Unreadable(_, error) => return Err(error),
            }
        }
        let mut batch = Self {
            engine,
            client,
            now,
            cases: BTreeMap::new(),
            aside,
            settings: HashMap::new(),
            readings: HashMap::new(),
            leases: HashSet::new(),
            rests: vec![],
        };
        batch.load_runs(conn, items, workflows).await?;
        batch.load_settings(conn).await?;
        batch.load_readings(conn, items).await?;
        batch.load_leases(conn, items).await?;
        Ok(batch)
    }

    /// Each workflow with its latest attempt and those that inputs name.
    async fn load_runs(
        &mut self,
        conn: &mut PgConnection,
        items: &[Item],
        workflows: Vec<Workflow>,
    ) -> Result<(), StoreError> {
        let latest = workflows.iter().filter_map(|row| Some((row.lead, AttemptNumber::new(row.attempts)?)));
        let named = items.iter().filter_map(|item| Some((item.lead, item.input.attempt()?)));
        let wanted: HashSet<(LeadId, AttemptNumber)> = latest.chain(named).collect();
        let (leads, numbers): (Vec<Uuid>, Vec<i16>) =
            wanted.iter().map(|(lead, number)| (lead.0, i16::try_from(number.get()).unwrap_or(0))).unzip();
        let mut attempts: HashMap<LeadId, Vec<_>> = HashMap::new();
        if !leads.is_empty() {
            for loaded in store::attempts::load(conn, self.client, &leads, &numbers).await? {
                let (lead, attempt) = loaded.map_err(|(_, error)| error)?;
                attempts.entry(lead).or_default().push(attempt);
            }
        }
        for workflow in workflows {
            let attempts = attempts.remove(&workflow.lead).unwrap_or_default();
            self.cases.insert(workflow.lead, Case::new(Run { workflow, attempts }));
        }
        Ok(())
    }

    async fn load_settings(&mut self, conn: &mut PgConnection) -> Result<(), StoreError> {
        let campaigns: HashSet<Uuid> = self.cases.values().map(|case| case.run.workflow.campaign.0).collect();
        if campaigns.is_empty() {
            return Ok(());
        }
        let campaigns: Vec<Uuid> = campaigns.into_iter().collect();
        for facts in store::campaigns::facts(conn, self.client, &campaigns).await? {
            let inner = &self.engine.inner;
            let rules = inner.rules.get(conn, self.client, facts.campaign, facts.revision).await?;
            let carrier = inner.carriers.get(conn, self.client, facts.account, facts.account_version).await;
            let carrier = match carrier {
                Ok(carrier) => Some(carrier),
                Err(super::AccountError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::error!(account.id = %facts.account, error = &error as &dyn std::error::Error,
                        "ALERT: a carrier account cannot be opened; nothing is dialled from it");
                    None
                }
            };
            self.settings.insert(facts.campaign, Setting { facts, rules, carrier });
        }
        Ok(())
    }

    /// What the gate and the dial request need, for those leads whose inputs may dial.
    async fn load_readings(&mut self, conn: &mut PgConnection, items: &[Item]) -> Result<(), StoreError> {
        let wanted: HashSet<LeadId> =
            items.iter().filter(|item| may_dial(&item.input)).map(|item| item.lead).collect();
        let ids: Vec<Uuid> =
            wanted.iter().filter(|lead| self.cases.contains_key(lead)).map(|lead| lead.0).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let contacts = store::leads::contacts(conn, self.client, &ids).await?;
        let asked: HashSet<LeadId> =
            items.iter().filter(|item| self.asks_gate(item)).map(|item| item.lead).collect();
        let phones: Vec<String> = contacts
            .iter()
            .filter(|contact| asked.contains(&contact.lead))
            .filter_map(|contact| contact.phone.as_ref().map(|phone| phone.as_str().to_owned()))
            .collect();
        let suppressed = match phones.is_empty() {
            true => vec![],
            false => store::suppressions::of_phones(conn, self.client, &phones).await?,
        };
        for contact in contacts {
            let Some(case) = self.cases.get(&contact.lead) else { continue };
            let campaign = case.run.workflow.campaign;
            let gate =
                self.settings.get(&campaign).filter(|_| asked.contains(&contact.lead)).map(|setting| {
                    let phone = contact.phone.as_ref().map(|phone| phone.as_str());
                    GateFacts {
                        campaign: setting.facts.state,
                        account_ready: setting.carrier.is_some() && setting.facts.account_ready(self.now),
                        account_emulated: setting.facts.emulated,
                        zone: contact.zone,
                        suppressed: suppressed
                            .iter()
                            .filter(|row| Some(row.phone.as_str()) == phone)
                            .filter(|row| row.campaign.is_none_or(|bounded| bounded == campaign))
                            .map(|row| row.expires_at)
                            .collect(),
                    }
                });
            self.readings.insert(contact.lead, Reading { phone: contact.phone, gate });
        }
        Ok(())
    }

    /// The gate is asked for admissions, for retries by a person, and for submissions whose
    /// facts may have changed since they were read.
    fn asks_gate(&self, item: &Item) -> bool {
        let Input::Submit { attempt, .. } = item.input else { return may_dial(&item.input) };
        let Some(case) = self.cases.get(&item.lead) else { return false };
        let reserved_under = case.run.attempt(attempt).map(|attempt| attempt.barrier);
        let now = self.settings.get(&case.run.workflow.campaign).map(|setting| setting.facts.barrier);
        reserved_under != now
    }

    async fn load_leases(&mut self, conn: &mut PgConnection, items: &[Item]) -> Result<(), StoreError> {
        let submits = |item: &&Item| matches!(item.input, Input::Submit { .. });
        let leases: Vec<Lease> = items.iter().filter(submits).filter_map(|item| item.lease).collect();
        if !leases.is_empty() {
            self.leases =
                store::queue::held(conn, self.client, &leases, self.now).await?.into_iter().collect();
        }
        Ok(())
    }

    fn fold(&mut self, items: &[Item], chances: &[u64]) -> Answers {
        let none = HashSet::new();
        items.iter().zip(chances).map(|(item, chance)| self.take(item, *chance, &none)).collect()
    }

    /// Some numbers were busy: the same fold again, in which those admissions are turned away.
    fn refold(&mut self, items: &[Item], chances: &[u64], lost: &HashSet<LeadId>) -> Answers {
        for case in self.cases.values_mut() {
            *case = Case::new(case.before.clone());
        }
        self.rests.clear();
        items.iter().zip(chances).map(|(item, chance)| self.take(item, *chance, lost)).collect()
    }

    fn take(
        &mut self,
        item: &Item,
        chance: u64,
        lost: &HashSet<LeadId>,
    ) -> Result<(Answer, Option<ToSend>), EngineError> {
        let Some(mut case) = self.cases.remove(&item.lead) else {
            return match self.aside.contains(&item.lead) {
                true if matches!(item.input, Input::Command { .. }) => {
                    let why = "the lead is in quarantine; release it first";
                    Ok((Answer::Declined(why.to_owned()), None))
                }
                true => Ok((Answer::Noted, None)),
                false => Err(EngineError::NoSuchLead(item.lead)),
            };
        };
        let circumstances =
            Circumstances { now: self.now, settings: &self.settings, readings: &self.readings };
        let input = self.as_it_stands(item, lost);
        let (mut answer, rest) = fold::step(&mut case, &input, chance, &circumstances);
        self.rests.extend(rest);
        let mut send = None;
        if let Answer::Send(number) = answer {
            match self.compose(&case, number) {
                Ok(composed) => {
                    case.bodies.insert(number, composed.body.clone());
                    send = Some(composed);
                }
                Err(cause) => {
                    // Nothing was sent, and these rules would never send anything.
                    let refusal = Refusal { kind: RefusalKind::Rejected, cause };
                    let input = Input::Replied { attempt: number, reply: DialReply::Refused(refusal) };
                    fold::step(&mut case, &input, chance, &circumstances);
                    answer = Answer::DoNotSend(case.run.workflow.why.clone());
                }
            }
        }
        self.cases.insert(item.lead, case);
        Ok((answer, send))
    }

    /// The input with what only this transaction knows: whether the lease holds, whether the number was lost.
    fn as_it_stands(&self, item: &Item, lost: &HashSet<LeadId>) -> Input {
        match &item.input {
            Input::Submit { attempt, token, .. } => Input::Submit {
                attempt: *attempt,
                token: *token,
                lease_held: item.lease.is_some_and(|lease| self.leases.contains(&lease.token)),
            },
            Input::Admit { .. } if lost.contains(&item.lead) => Input::NumberBusy,
            input => input.clone(),
        }
    }

    fn compose(&self, case: &Case, number: AttemptNumber) -> Result<ToSend, String> {
        let lead = case.run.workflow.lead;
        let key = DialKey(AttemptRef { client: self.client, lead, number });
        let setting = self.settings.get(&case.run.workflow.campaign);
        let phone = case.run.attempt(number).and_then(|attempt| attempt.phone.as_ref());
        let (Some(setting), Some(phone)) = (setting, phone) else {
            return Err("the lead's number was erased".into());
        };
        let (Some(rules), Some(carrier)) = (setting.rules.as_deref(), setting.carrier.as_ref()) else {
            return Err("the campaign's rules or account cannot be read".into());
        };
        let secret = self.engine.inner.key.secret_of(key);
        let public_url = &self.engine.inner.public_url;
        let order = DialOrder { key, phone, rules, public_url, secret: &secret };
        let body = carrier.compose(&order).map_err(|error| error.to_string())?;
        Ok(ToSend { body, carrier: carrier.clone() })
    }

    /// Writes new attempts first: their unique index says which numbers are busy.
    async fn reserve(&self, conn: &mut PgConnection) -> Result<HashSet<LeadId>, StoreError> {
        let new = |case: &'_ Case| case.reserved().map(|attempt| attempt.number).next();
        let wanted: HashSet<LeadId> =
            self.cases.iter().filter(|(_, case)| new(case).is_some()).map(|(lead, _)| *lead).collect();
        if wanted.is_empty() {
            return Ok(wanted);
        }
        let rows = self.cases.values().flat_map(|case| {
            let workflow = &case.run.workflow;
            case.reserved().map(|attempt| Of { lead: workflow.lead, campaign: workflow.campaign, attempt })
        });
        let written = store::attempts::reserve(conn, self.client, rows.collect()).await?;
        Ok(wanted.difference(&written).copied().collect())
    }

    async fn write(
        &self,
        conn: &mut PgConnection,
        items: &[Item],
        answers: &Answers,
    ) -> Result<(), StoreError> {
        let client = self.client;
        let changed: Vec<&Workflow> =
            self.cases.values().filter(|case| case.is_changed()).map(|case| &case.run.workflow).collect();
        if !changed.is_empty() {
            store::workflows::save(conn, client, &changed).await?;
        }
        let attempts = self.changed_attempts();
        if !attempts.is_empty() {
            store::attempts::save(conn, client, &attempts).await?;
        }
        let events = self.events();
        if !events.is_empty() {
            store::events::append(conn, client, &events).await?;
        }
        self.write_suppressions(conn).await?;
        self.write_jobs(conn, items, answers).await?;
        self.keep_news(conn, items).await?;
        let deltas = fold::deltas(self.cases.values(), self.now);
        if !deltas.is_empty() {
            store::statistics::add(conn, client, &deltas).await?;
        }
        let signal = fold::signal(self.cases.values());
        if !signal.is_empty() {
            store::notify(conn, &signal.payload(client)).await?;
        }
        Ok(())
    }

    fn changed_attempts(&self) -> Vec<(Of<'_>, Option<Vec<u8>>)> {
        let body = |case: &Case, number| {
            let body = case.bodies.get(&number)?;
            serde_json::to_vec(body).ok()
        };
        self.cases
            .values()
            .flat_map(|case| {
                let workflow = &case.run.workflow;
                case.changed().map(move |attempt| {
                    let of = Of { lead: workflow.lead, campaign: workflow.campaign, attempt };
                    (of, body(case, attempt.number))
                })
            })
            .collect()
    }

    fn events(&self) -> Vec<(LeadId, Recorded)> {
        let at = self.now;
        self.cases
            .iter()
            .flat_map(|(lead, case)| {
                let first = case.before.workflow.events + 1;
                (first..)
                    .zip(&case.events)
                    .map(|(seq, event)| (*lead, Recorded { seq, at, event: event.clone() }))
            })
            .collect()
    }

    async fn write_suppressions(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        let leads: Vec<LeadId> =
            self.cases.iter().filter(|(_, case)| case.suppress).map(|(lead, _)| *lead).collect();
        if leads.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = leads.iter().map(|_| new_id(self.now)).collect();
        store::suppressions::from_results(conn, self.client, &ids, &leads, self.now).await
    }

    /// Queues what the decisions order, and removes what is done or has no use any more.
    async fn write_jobs(
        &self,
        conn: &mut PgConnection,
        items: &[Item],
        answers: &Answers,
    ) -> Result<(), StoreError> {
        let goes_on = |answer: &Answer| matches!(answer, Answer::Send(_) | Answer::LeaseLost);
        let done: Vec<Lease> = items
            .iter()
            .zip(answers)
            .filter(|(_, answer)| !answer.as_ref().is_ok_and(|(answer, _)| goes_on(answer)))
            .filter_map(|(item, _)| item.lease)
            .collect();
        if !done.is_empty() {
            store::queue::finish(conn, self.client, &done).await?;
        }
        let resolved =
            self.cases.iter().flat_map(|(lead, case)| case.resolved().map(|number| (lead.0, number)));
        let (leads, numbers): (Vec<Uuid>, Vec<i16>) =
            resolved.map(|(lead, number)| (lead, i16::try_from(number.get()).unwrap_or(0))).unzip();
        if !leads.is_empty() {
            store::queue::drop_steps(conn, self.client, &leads, &numbers).await?;
        }
        let new: Vec<NewJob> = self
            .cases
            .iter()
            .flat_map(|(lead, case)| case.jobs.iter().map(|order| self.job(*lead, case, *order)))
            .collect();
        if !new.is_empty() {
            store::queue::insert(conn, self.client, &new, self.now).await?;
        }
        Ok(())
    }

    fn job(&self, lead: LeadId, case: &Case, order: outdial_workflows::input::JobOrder) -> NewJob {
        let (kind, number) = registry::step(order);
        let args = serde_json::json!({ "client": self.client, "lead": lead, "number": number });
        let priority = case.run.workflow.priority as i16;
        NewJob { id: JobId::new(self.now), kind, step: Some((lead, number)), args, priority }
    }

    /// News of leads in quarantine waits in the inbox until they are released.
    async fn keep_news(&self, conn: &mut PgConnection, items: &[Item]) -> Result<(), StoreError> {
        let kept: Vec<store::inbox::Kept> = items
            .iter()
            .filter(|item| self.aside.contains(&item.lead) && is_news(&item.input))
            .filter_map(|item| {
                Some(store::inbox::Kept {
                    id: new_id(self.now),
                    lead: item.lead,
                    number: item.input.attempt().and_then(|number| i16::try_from(number.get()).ok()),
                    input: serde_json::to_value(&item.input).ok()?,
                })
            })
            .collect();
        if kept.is_empty() {
            return Ok(());
        }
        store::inbox::keep(conn, self.client, Provider::Exotel, &kept, self.now).await
    }

    fn into_decided(self, answers: Answers) -> Decided {
        let timed = |workflow: &Workflow| {
            use outdial_workflows::workflow::State;
            match workflow.state {
                State::Dialling | State::Calling | State::Settling => workflow.wake_at,
                State::Waiting | State::Held | State::Finished => None,
            }
        };
        let changed = self.cases.values().filter(|case| case.is_changed());
        let timers = changed.map(|case| (case.run.workflow.lead, timed(&case.run.workflow))).collect();
        let signal = fold::signal(self.cases.values());
        Decided { answers, signal, timers, rests: self.rests }
    }
}

/// Inputs for which the gate or the dial request needs the person's data.
fn may_dial(input: &Input) -> bool {
    match input {
        Input::Admit { .. } | Input::Submit { .. } => true,
        Input::Command { command, .. } => *command == Command::Retry,
        Input::NumberBusy
        | Input::NotSent { .. }
        | Input::Replied { .. }
        | Input::News { .. }
        | Input::Asked { .. }
        | Input::Verdict { .. }
        | Input::Timer
        | Input::JobQuarantined { .. }
        | Input::CampaignEnded { .. } => false,
    }
}

/// Inputs that tell something which must not be lost.
fn is_news(input: &Input) -> bool {
    match input {
        Input::Replied { .. } | Input::News { .. } | Input::Asked { .. } | Input::Verdict { .. } => true,
        Input::NotSent { .. } | Input::CampaignEnded { .. } => true,
        Input::Admit { .. }
        | Input::NumberBusy
        | Input::Submit { .. }
        | Input::Timer
        | Input::JobQuarantined { .. }
        | Input::Command { .. } => false,
    }
}

/// Puts a workflow aside that a commit failed on, with the input as it was.
pub(super) async fn quarantine(
    engine: &Engine,
    client: ClientId,
    item: &Item,
    error: &str,
) -> Result<(), StoreError> {
    let mut tx = engine.inner.pool.begin().await?;
    let now = engine.inner.clock.now(&mut tx).await?;
    let input = serde_json::to_value(&item.input).unwrap_or_default();
    store::quarantine::workflow(&mut tx, client, new_id(now), item.lead, &input, error, now).await?;
    if is_news(&item.input) {
        let number = item.input.attempt().and_then(|number| i16::try_from(number.get()).ok());
        let kept = store::inbox::Kept { id: new_id(now), lead: item.lead, number, input };
        store::inbox::keep(&mut tx, client, Provider::Exotel, &[kept], now).await?;
    }
    if let Some(lease) = item.lease {
        store::queue::finish(&mut tx, client, &[lease]).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Whether a reservation of this run was lost to another; used by admission to count what it got.
pub(super) fn got(answer: &Result<(Answer, Option<ToSend>), EngineError>) -> bool {
    matches!(answer, Ok((Answer::Reserved(_), _)))
}

impl Decided {
    /// How many leads were reserved.
    pub(super) fn reserved(&self) -> usize {
        self.answers.iter().filter(|answer| got(answer)).count()
    }
}
