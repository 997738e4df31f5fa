//! The state machine of a lead: one input, one decision, one reason.
//!
//! [`decide`] is the only place where a workflow or an attempt changes, but for the lane of one whose person was edited
//! ([`person_edited`]). It is a function of its arguments, so a batch may be folded, thrown away and folded again, and a test
//! may tell a whole story without a database.
//!
//! Three laws hold in every branch:
//! - a request may be sent only after [`Answer::Send`], which is given at most to one token;
//! - an attempt that might have rung a phone stays live until the carrier, or the
//!   longest time it allows, has said otherwise;
//! - a workflow is finished only when none of its attempts is live.

mod command;
mod dial;
mod edit;
mod news;
mod outcome;
mod transfer;

pub use edit::person_edited;

use chrono::TimeDelta;

use crate::Moment;
use crate::attempt::{Attempt, Ledger};
use crate::call::{CallStatus, Source};
use crate::history::Event;
use crate::ids::AttemptNumber;
use crate::input::{Answer, Context, Decision, Input, JobOrder, Rest, Run};
use crate::outcome::Outcome;
use crate::results::CallResults;
use crate::why::Why;
use crate::workflow::{Intent, State};

/// A withdrawn lead waits this long before admission sees it again, doubling with each withdrawal
/// in a row up to [`REST_CAP`]. A dial queue that stands still for days would otherwise use up the
/// lead's attempt numbers.
const WITHDRAWN_REST: TimeDelta = TimeDelta::seconds(1);
/// The longest pause of a lead whose reservations come to nothing, or whose number is busy.
const REST_CAP: TimeDelta = TimeDelta::minutes(10);

/// Counts of what happens in a row stop here: every backoff has reached its cap long
/// before, and their columns hold little more.
const MOST_IN_A_ROW: u16 = 1_000;

fn once_more(in_a_row: u16) -> u16 {
    in_a_row.saturating_add(1).min(MOST_IN_A_ROW)
}

/// `first`, doubled for each time before this one, up to [`REST_CAP`].
fn ever_longer(first: TimeDelta, before: u16) -> TimeDelta {
    first.checked_mul(1 << before.min(16)).unwrap_or(REST_CAP).min(REST_CAP)
}

/// What follows from `input`, given `run` and what else is known.
pub fn decide(run: Run, input: &Input, ctx: &Context<'_>) -> Decision {
    let mut deciding = Deciding::new(run, ctx);
    let answer = match input {
        Input::Admit { account, caller_id } => deciding.admit(*account, caller_id.as_ref()),
        Input::NumberBusy => deciding.number_busy(),
        Input::Submit { attempt, token, lease_held } => deciding.submit(*attempt, *token, *lease_held),
        Input::Resend { attempt, lease_held } => deciding.resend(*attempt, *lease_held),
        Input::NotSent { attempt, token, cause } => deciding.not_sent(*attempt, *token, cause),
        Input::Replied { attempt, reply } => deciding.replied(*attempt, reply),
        Input::News { attempt, fact, source } => deciding.news(*attempt, fact, *source),
        Input::Asked { attempt, asked_at, answer } => deciding.asked(*attempt, *asked_at, answer),
        Input::Verdict { attempt, outcome, source } => {
            if (*outcome, *source) == (Outcome::Failed, Source::Agent) {
                deciding.nobody_spoke(*attempt);
            }
            deciding.verdict(*attempt, *outcome, *source)
        }
        Input::Priced { attempt, cost } => deciding.priced(*attempt, *cost),
        Input::BeginTransfer { attempt, transfer, lease_held, suppressed } => {
            deciding.begin_transfer(*attempt, *transfer, (*lease_held, *suppressed))
        }
        Input::Transferred { attempt, transfer, told } => deciding.transferred(*attempt, *transfer, told),
        Input::Timer => deciding.timer(),
        Input::JobQuarantined { kind, error } => deciding.job_quarantined(kind, error),
        Input::CampaignEnded { actor, reason } => deciding.campaign_ended(actor, reason.as_deref()),
        Input::ConsentRecorded { actor } => deciding.consent_recorded(actor),
        Input::Command { command, actor, reason, alone: _ } => {
            deciding.command(command, actor, reason.as_deref())
        }
    };
    deciding.into_decision(answer)
}

/// A decision in the making.
struct Deciding<'a> {
    run: Run,
    ctx: &'a Context<'a>,
    events: Vec<Event>,
    jobs: Vec<JobOrder>,
    results: Vec<(AttemptNumber, CallResults)>,
    suppress: Option<AttemptNumber>,
    rest: Option<Rest>,
}

impl<'a> Deciding<'a> {
    fn new(run: Run, ctx: &'a Context<'a>) -> Self {
        Self {
            run,
            ctx,
            events: Vec::new(),
            jobs: Vec::new(),
            results: Vec::new(),
            suppress: None,
            rest: None,
        }
    }

    fn into_decision(mut self, answer: Answer) -> Decision {
        let added = i64::try_from(self.events.len()).unwrap_or(i64::MAX);
        self.run.workflow.events += added;
        let Self { run, events, jobs, results, suppress, rest, .. } = self;
        Decision { run, events, jobs, results, suppress, rest, answer }
    }

    fn now(&self) -> Moment {
        self.ctx.now
    }

    fn attempt(&mut self, number: AttemptNumber) -> Option<&mut Attempt> {
        self.run.attempts.iter_mut().find(|attempt| attempt.number == number)
    }

    fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Moves the workflow; the reason and the timer always move with it.
    fn become_state(&mut self, state: State, wake_at: Option<Moment>, why: Why) {
        let workflow = &mut self.run.workflow;
        workflow.state = state;
        workflow.wake_at = wake_at;
        workflow.why = why;
    }

    fn wait_until(&mut self, at: Moment, why: Why) {
        self.become_state(State::Waiting, Some(at), why);
    }

    /// Puts the lead aside. `wake_at` stays, so that a resumed lead is not due
    /// sooner than it would have been.
    fn hold(&mut self, why: Why) {
        let due = match self.run.workflow.state {
            State::Waiting | State::Held => self.run.workflow.wake_at,
            State::Dialling | State::Calling | State::Settling | State::Finished => None,
        };
        self.note(Event::Held { reason: why.clone() });
        self.become_state(State::Held, due, why);
    }

    fn finish(&mut self, outcome: Option<Outcome>, why: Why) {
        self.run.workflow.intent = None;
        self.run.workflow.outcome = outcome;
        self.note(Event::Finished { outcome, reason: why.clone() });
        self.become_state(State::Finished, None, why);
    }

    /// Writes down what came of an attempt: for the first time, or amended.
    fn record(&mut self, number: AttemptNumber, outcome: Outcome) {
        if let Some(attempt) = self.attempt(number) {
            attempt.outcome = Some(outcome);
            self.run.workflow.recorded = self.run.workflow.recorded.max(number.get());
        }
    }

    /// The live attempt has resolved: what a person asked for meanwhile comes
    /// first, and `next` says what would follow otherwise. A hold keeps the time
    /// that `next` set, so that resuming does not call anyone sooner.
    fn resolve(&mut self, outcome: Option<Outcome>, next: impl FnOnce(&mut Self)) {
        match self.run.workflow.intent.take() {
            Some(Intent::Finish { why, outcome: decided }) => self.finish(decided.or(outcome), why),
            Some(Intent::CallBack { attempt, at }) => self.call_back(outcome, attempt, at, next),
            Some(Intent::Hold { actor, reason, call_back_at }) => {
                match (call_back_at, self.run.latest().map(|attempt| attempt.number)) {
                    (Some(at), Some(attempt)) => self.call_back(outcome, attempt, at, next),
                    (_, _) => next(self),
                }
                // One that is held for another reason is now held for this one.
                if matches!(self.run.workflow.state, State::Waiting | State::Held) {
                    self.hold(Why::HeldBy { actor, reason });
                }
            }
            None => next(self),
        }
    }

    /// Gives up an attempt that was only reserved, and lets the lead rest in its lane. Admission
    /// asks the gate again, which holds or ends it if it must.
    fn withdraw_and_rest(&mut self, number: AttemptNumber, why: Why) {
        self.withdraw(number, why.clone());
        let pause = ever_longer(WITHDRAWN_REST, self.run.workflow.withdrawals);
        self.run.workflow.withdrawals = once_more(self.run.workflow.withdrawals);
        self.wait_until(self.now() + pause, why);
    }

    fn too_late(&self, number: AttemptNumber) -> Why {
        Why::TooLate { attempt: number, in_a_row: once_more(self.run.workflow.withdrawals) }
    }

    /// Gives up an attempt that was only reserved.
    fn withdraw(&mut self, number: AttemptNumber, reason: Why) {
        if let Some(attempt) = self.attempt(number) {
            attempt.ledger = Ledger::Withdrawn;
            attempt.status = CallStatus::Cancelled;
            self.note(Event::Withdrawn { attempt: number, reason });
        }
    }

    /// `wake_at` has come. A timer that fires early or twice changes nothing.
    fn timer(&mut self) -> Answer {
        let due = self.run.workflow.wake_at.is_some_and(|at| at <= self.now());
        if !due {
            return Answer::Noted;
        }
        match self.run.workflow.state {
            State::Waiting | State::Held | State::Finished => {}
            State::Settling => self.settle(),
            State::Dialling | State::Calling => self.live_timer(),
        }
        Answer::Noted
    }

    fn live_timer(&mut self) {
        let Some((number, ledger)) = self.run.latest().map(|attempt| (attempt.number, attempt.ledger)) else {
            return;
        };
        match ledger {
            Ledger::Reserved => self.withdraw_and_rest(number, self.too_late(number)),
            Ledger::Submitted => self.lose_track(number, "no answer came, and its sender is gone"),
            Ledger::Unknown | Ledger::Bound => self.ask(number),
            Ledger::Withdrawn | Ledger::Refused | Ledger::Absent | Ledger::BoundLate => {}
        }
    }

    /// Queues a question to the carrier. Should the job be lost, the timer asks again.
    fn ask(&mut self, number: AttemptNumber) {
        self.jobs.push(JobOrder::AwaitStatus(number));
        self.run.workflow.wake_at = Some(self.now() + self.ctx.times.ask_cap);
    }

    fn job_quarantined(&mut self, kind: &str, error: &str) -> Answer {
        self.note(Event::JobQuarantined { kind: kind.to_owned(), error: error.to_owned() });
        Answer::Noted
    }
}
