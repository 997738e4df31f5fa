//! The deciding transaction: lock, read the time, fold, write once.

mod load;
mod record;
mod write;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use outdial_workflows::Moment;
use outdial_workflows::breaker::Heard;
use outdial_workflows::call::{CallId, DialReply, Refusal, RefusalKind, Source};
use outdial_workflows::ids::{AttemptNumber, AttemptRef, CampaignId, ClientId, DialKey, LeadId, new_id};
use outdial_workflows::input::{Answer, Command, Input, JobOrder, Rest};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::Rules;
use outdial_workflows::template;
use outdial_workflows::workflow::Workflow;
use rand::RngExt;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use self::write::{Born, Written};
use super::breakers::{self, Answered};
use super::fold::{self, Case, Circumstances, Reading, Setting};
use super::wake::Signal;
use super::{Counted, Engine, EngineError, Happened, Item, Reply, ToSend, Unsent, inbox};
use crate::crash;
use crate::metrics::Tally;
use crate::providers::{DialOrder, Provider};
use crate::queue::Slot;
use crate::store::workflows::Locked;
use crate::store::{self, StoreError};
use crate::traces;

/// What came of each item, in their order.
pub(super) type Taken = Vec<Result<Reply, EngineError>>;

/// Commits one batch of a client's inputs, unless that takes longer than `patience`.
pub(super) async fn batch(
    engine: &Engine,
    client: ClientId,
    items: &[Item],
    patience: Duration,
) -> Result<Taken, StoreError> {
    let began = Instant::now();
    let (mut decided, seen) = store::within(patience, commit(engine, client, items)).await?;
    engine.metrics().committed("batch", items.len(), began.elapsed());
    decided.announce(engine, client).await;
    Ok(decided.taken(seen))
}

async fn commit(engine: &Engine, client: ClientId, items: &[Item]) -> Result<(Decided, Instant), StoreError> {
    let mut session = engine.inner.sessions.take().await?;
    let mut tx = session.begin().await?;
    if items.iter().any(|item| item.input.may_forbid()) {
        store::barrier::exclude(&mut tx, client).await?;
    } else if items.iter().any(|item| rings(&item.input)) {
        store::barrier::share(&mut tx, client).await?;
    }
    let leads: Vec<Uuid> = items.iter().map(|item| item.lead.0).collect::<HashSet<_>>().into_iter().collect();
    let locked = store::workflows::lock(&mut tx, client, &leads).await?;
    // A process that stands still between here and the commit must not send on what it has seen.
    let seen = Instant::now();
    let now = engine.inner.clock.now(&mut tx).await?;
    let decided = decide_and_write(engine, &mut tx, client, items, locked, (now, vec![])).await?;
    crash_before(items);
    tx.commit().await?;
    session.done();
    crash_after(items);
    for send in decided.sends() {
        engine.inner.dialled.placed(send.attempt, send.carrier.clone());
    }
    Ok((decided, seen))
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
    /// Jobs that this process has claimed with the commit.
    born: Vec<Born>,
    pub(super) signal: Signal,
    pub(super) timers: Vec<(LeadId, Option<Moment>)>,
    /// Attempts that are no longer live.
    resolved: Vec<(LeadId, AttemptNumber)>,
    rests: Vec<Rest>,
    answered: Vec<Answered>,
    happened: Vec<Happened>,
    tally: Tally,
    /// Outcomes, for leads' traces.
    came_to: Vec<(LeadId, &'static str, Option<&'static str>)>,
    /// What came of news, by who told it: carrier, source, and whether it was new.
    news: Vec<(&'static str, Source, bool)>,
    /// Calls that attempts are known by from this commit on.
    named: Vec<CallId>,
}

impl Decided {
    fn taken(self, seen: Instant) -> Taken {
        let reply = |(answer, send)| Reply { answer, seen, send };
        self.answers.into_iter().map(|answer| answer.map(reply)).collect()
    }

    fn sends(&self) -> impl Iterator<Item = &ToSend> {
        self.answers.iter().filter_map(|answer| answer.as_ref().ok().and_then(|(_, send)| send.as_ref()))
    }

    /// What the batch submitted: to be sent by this process, or to be said that it was not.
    pub(super) fn submitted(&self) -> Vec<Unsent> {
        self.sends().map(ToSend::unsent).collect()
    }

    /// Lays out for the workers here what the batch submitted, now that it has committed. They are to send
    /// it soon after `seen`.
    pub(super) fn lay_out(&mut self, engine: &Engine, seen: Instant) {
        let sends = self.answers.iter_mut().filter_map(|answer| answer.as_mut().ok()?.1.take());
        let mut sends: HashMap<LeadId, ToSend> = sends.map(|send| (send.attempt.lead, send)).collect();
        for born in &self.born {
            if let Some(send) = born.claimed.lead.and_then(|lead| sends.remove(&lead)) {
                engine.inner.dialled.placed(send.attempt, send.carrier.clone());
                engine.inner.laid_out.put(born.claimed.lease.token, send, seen);
            }
        }
        if !sends.is_empty() {
            engine.will_not_send(sends.values().map(ToSend::unsent).collect());
        }
    }

    /// Tells this process what the commit made possible; others heard it with the commit.
    pub(super) async fn announce(&mut self, engine: &Engine, client: ClientId) {
        if let Some(desk) = engine.inner.desk.get() {
            self.born.drain(..).for_each(|born| desk.hand_out(born.claimed, born.slot));
        }
        // Before anybody hears of free slots.
        breakers::hear(engine, client, &self.answered).await;
        engine.inner.timers.set(client, &self.timers);
        let attempt =
            |(lead, number): &(LeadId, AttemptNumber)| AttemptRef { client, lead: *lead, number: *number };
        engine.inner.dialled.resolved(self.resolved.iter().map(attempt));
        engine.hub().signal(client, self.signal);
        self.happened.iter().for_each(|happened| engine.tell(*happened));
        engine.metrics().count(client, &self.tally);
        self.came_to.iter().for_each(|(lead, event, outcome)| traces::came_to(*lead, event, *outcome));
        self.news
            .iter()
            .for_each(|(provider, source, is_new)| engine.metrics().news(provider, *source, *is_new));
        if !self.named.is_empty() {
            inbox::follow_meanwhile(engine, client, self.named.clone());
        }
        for rest in &self.rests {
            tracing::warn!(account.id = %rest.account, until = ?rest.until, cause = rest.cause,
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
    store::in_time(async {
        let mut conn = engine.inner.pool.acquire().await?;
        match rest.until {
            Some(until) => store::accounts::rest(&mut conn, client, rest.account, until, &rest.cause).await,
            None => {
                let now = engine.inner.clock.now(&mut conn).await?;
                store::accounts::hold(&mut conn, client, rest.account, &rest.cause, now).await
            }
        }
    })
    .await
}

/// Folds the items over the locked rows, and writes what follows. With a slot for each item, what is
/// reserved is submitted with it; the caller then shares the barrier.
pub(super) async fn decide_and_write(
    engine: &Engine,
    conn: &mut PgConnection,
    client: ClientId,
    items: &[Item],
    locked: Vec<Locked>,
    (now, slots): (Moment, Vec<Slot>),
) -> Result<Decided, StoreError> {
    let mut batch = Batch::load(engine, conn, client, items, locked, now).await?;
    batch.submits = slots.len() >= items.len();
    batch.slots = slots;
    let chances: Vec<u64> = items.iter().map(|_| rand::rng().random()).collect();
    let mut answers = batch.fold(items, &chances);
    let lost = batch.reserve(conn).await?;
    if !lost.is_empty() {
        answers = batch.refold(items, &chances, &lost);
    }
    let written = batch.write(conn, items, &answers).await?;
    Ok(batch.into_decided(answers, written))
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
    /// Attempts whose calls are to go to numbers that are not to be called.
    suppressed: HashSet<(LeadId, AttemptNumber)>,
    /// Whether what is reserved is submitted at once.
    submits: bool,
    /// For the jobs that send it.
    slots: Vec<Slot>,
    rests: Vec<Rest>,
    /// What carriers answered to dial requests, as far as a breaker may take notice.
    answered: Vec<Answered>,
    news: Vec<(&'static str, Source, bool)>,
    /// People's orders for single leads that changed something.
    orders: Vec<record::Order>,
}

impl Batch<'_> {
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
        self.answered.clear();
        self.news.clear();
        self.orders.clear();
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
        let known = case.events.len();
        let before = match &input {
            Input::Command { command, .. } => record::standing(&case, command),
            _ => serde_json::Value::Null,
        };
        let (mut answer, rest) = fold::step(&mut case, &input, chance, &circumstances);
        self.rests.extend(rest);
        if let Input::News { source, .. } = &input {
            let told = (self.provider_of(&case), *source, case.events.len() > known);
            self.news.push(told);
        }
        // What changed nothing is in no history, either.
        if case.events.len() > known {
            self.orders.extend(record::order(&case, &input, &before));
        }
        if let (true, Answer::Reserved(attempt)) = (self.submits, &answer) {
            // The lease is made by the same commit.
            let attempt = *attempt;
            let submit = Input::Submit { attempt, token: Uuid::new_v4(), lease_held: true };
            (answer, _) = fold::step(&mut case, &submit, chance, &circumstances);
            if !matches!(answer, Answer::Send(_)) {
                case.jobs.retain(|order| *order != JobOrder::Dial(attempt));
            }
        }
        let answered = self.answered(&case, &item.input);
        self.answered.extend(answered);
        let mut send = None;
        // What is sent once more is what was kept, whatever the rules say by now.
        if let Answer::Send(number) = answer
            && !matches!(item.input, Input::Resend { .. })
        {
            match self.compose(&case, number) {
                Ok(composed) => {
                    let setting = self.settings.get(&case.run.workflow.campaign);
                    if setting.is_some_and(|setting| setting.resend_within().is_some()) {
                        case.bodies.insert(number, composed.body.clone());
                    }
                    send = Some(composed);
                }
                Err(cause) => {
                    // Nothing was sent, nor will be before somebody mends the rules or the lead.
                    let refusal = Refusal { kind: RefusalKind::Misconfigured, cause };
                    let input = Input::Replied { attempt: number, reply: DialReply::Refused(refusal) };
                    fold::step(&mut case, &input, chance, &circumstances);
                    case.jobs.retain(|order| *order != JobOrder::Dial(number));
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
            Input::Submit { attempt, token, .. } => {
                Input::Submit { attempt: *attempt, token: *token, lease_held: self.holds_lease(item) }
            }
            Input::Resend { attempt, .. } => {
                Input::Resend { attempt: *attempt, lease_held: self.holds_lease(item) }
            }
            Input::BeginTransfer { attempt, transfer, .. } => {
                let (attempt, transfer) = (*attempt, *transfer);
                let suppressed = self.suppressed.contains(&(item.lead, attempt));
                Input::BeginTransfer { attempt, transfer, lease_held: self.holds_lease(item), suppressed }
            }
            Input::Admit { .. } if lost.contains(&item.lead) => Input::NumberBusy,
            input => input.clone(),
        }
    }

    /// The campaign's carrier, by name.
    fn provider_of(&self, case: &Case) -> &'static str {
        let setting = self.settings.get(&case.run.workflow.campaign);
        let carrier = setting.and_then(|setting| setting.carrier.as_ref());
        carrier.map_or("unknown", |carrier| carrier.provider().name())
    }

    fn holds_lease(&self, item: &Item) -> bool {
        item.lease.is_some_and(|lease| self.leases.contains(&lease.token))
    }

    /// What a breaker may have to hear of an input.
    fn answered(&self, case: &Case, input: &Input) -> Option<Answered> {
        let Input::Replied { attempt, reply } = input else { return None };
        let heard = Heard::of(reply)?;
        let ailing = self.settings.get(&case.run.workflow.campaign)?.facts.ailing;
        if heard == Heard::Works && !ailing {
            return None;
        }
        let attempt = case.run.attempt(*attempt)?;
        let cause = match reply {
            DialReply::Refused(refusal) => refusal.cause.clone(),
            DialReply::Unknown { cause } => cause.clone(),
            DialReply::Bound { .. } => String::new(),
        };
        Some(Answered { account: attempt.account, number: attempt.caller_id.clone(), heard, cause })
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
        let picked = case.run.attempt(number).and_then(|attempt| attempt.caller_id.as_ref());
        // One that was reserved before attempts named their number has none.
        let caller_id = picked.or_else(|| rules.caller_ids.first());
        let account = setting.facts.account;
        let variables = self.variables(lead, phone, rules, setting)?;
        let variables = &variables;
        let flow = setting.flow.as_ref().and_then(|flow| flow.as_ref().ok());
        let order = DialOrder {
            key,
            phone,
            caller_id,
            rules,
            variables,
            public_url,
            account,
            secret: &secret,
            tells_mailboxes: flow.is_some_and(|flow| flow.voicemail.is_some()),
        };
        let body = carrier.compose(&order).map_err(|error| error.to_string())?;
        let submission = case.run.attempt(number).and_then(|attempt| attempt.submission);
        let token = submission.ok_or("it was not submitted")?.token;
        Ok(ToSend { attempt: key.0, token, body, carrier: carrier.clone() })
    }

    /// What the agent is told of the person. Our own is told by its playbook, and a flow by itself, which are to have all
    /// that they take.
    fn variables(
        &self,
        lead: LeadId,
        phone: &PhoneNumber,
        rules: &Rules,
        setting: &Setting,
    ) -> Result<BTreeMap<String, String>, String> {
        if !rules.tells_of_people() {
            return Ok(BTreeMap::new());
        }
        let briefing = self.readings.get(&lead).and_then(|reading| reading.briefing.as_ref());
        let briefing = briefing.ok_or("the person's data was not read")?;
        let attributes = briefing.attribute_texts();
        let values = briefing.values(phone, &attributes);
        if let Some(playbook) = &setting.playbook {
            let playbook = playbook.as_ref().map_err(ToString::to_string)?;
            playbook.can_fill(&values).map_err(|missing| format!("in the playbook, {missing}"))?;
        }
        if let Some(flow) = &setting.flow {
            let flow = flow.as_ref().map_err(ToString::to_string)?;
            flow.can_fill(&values).map_err(|missing| format!("in the flow, {missing}"))?;
        }
        let told = template::told(&rules.variables, rules.pass_attributes, &values);
        told.map_err(|missing| missing.to_string())
    }

    fn into_decided(self, answers: Answers, written: Written) -> Decided {
        let timed = |workflow: &Workflow| {
            use outdial_workflows::workflow::State;
            match workflow.state {
                State::Dialling | State::Calling | State::Settling => workflow.wake_at,
                State::Waiting | State::Held | State::Finished => None,
            }
        };
        let changed = self.cases.values().filter(|case| case.is_changed());
        let timers = changed.map(|case| (case.run.workflow.lead, timed(&case.run.workflow))).collect();
        let Written { signal, born } = written;
        let happened = self.engine.inner.observed.of_commit(self.cases.values());
        let mut tally = Tally::default();
        for case in self.cases.values() {
            tally.add(&Counted::of(case, self.provider_of(case)), self.now);
        }
        let came_to = match traces::are_wanted() {
            true => self
                .cases
                .iter()
                .flat_map(|(lead, case)| case.came_to().map(|(event, to)| (*lead, event, to)))
                .collect(),
            false => vec![],
        };
        let named = self.cases.values().flat_map(Case::named).cloned().collect();
        let resolved =
            self.cases.iter().flat_map(|(lead, case)| case.resolved().map(|number| (*lead, number)));
        let resolved = resolved.collect();
        Decided {
            answers,
            born,
            signal,
            timers,
            resolved,
            rests: self.rests,
            answered: self.answered,
            happened,
            tally,
            came_to,
            news: self.news,
            named,
        }
    }
}

/// Inputs after whose commit bytes may leave that ring a phone. Only whoever holds the job's lease may bring them.
fn rings(input: &Input) -> bool {
    matches!(input, Input::Submit { .. } | Input::Resend { .. } | Input::BeginTransfer { .. })
}

/// Inputs for which the gate or the dial request needs the person's data.
fn may_dial(input: &Input) -> bool {
    match input {
        Input::Admit { .. } | Input::Submit { .. } | Input::Resend { .. } => true,
        Input::Command { command, .. } => *command == Command::Retry,
        Input::NumberBusy
        | Input::NotSent { .. }
        | Input::Replied { .. }
        | Input::News { .. }
        | Input::Asked { .. }
        | Input::Priced { .. }
        | Input::Verdict { .. }
        | Input::BeginTransfer { .. }
        | Input::Transferred { .. }
        | Input::Timer
        | Input::JobQuarantined { .. }
        | Input::CampaignEnded { .. }
        | Input::ConsentRecorded { .. } => false,
    }
}

/// Inputs that tell something which must not be lost.
fn is_news(input: &Input) -> bool {
    match input {
        Input::Replied { .. } | Input::News { .. } | Input::Asked { .. } | Input::Verdict { .. } => true,
        Input::NotSent { .. }
        | Input::Priced { .. }
        | Input::Transferred { .. }
        | Input::CampaignEnded { .. } => true,
        Input::Admit { .. }
        | Input::NumberBusy
        | Input::Submit { .. }
        | Input::Resend { .. }
        | Input::BeginTransfer { .. }
        | Input::Timer
        | Input::JobQuarantined { .. }
        | Input::ConsentRecorded { .. }
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
        store::queue::finish(&mut tx, client, &[lease], now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Whether a lead got a slot.
fn got(answer: &Result<(Answer, Option<ToSend>), EngineError>) -> bool {
    matches!(answer, Ok((Answer::Reserved(_) | Answer::Send(_), _)))
}

impl Decided {
    /// How many leads were reserved.
    pub(super) fn reserved(&self) -> usize {
        self.answers.iter().filter(|answer| got(answer)).count()
    }
}
