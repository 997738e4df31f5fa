//! From the end of a call to its outcome, and to what follows from that.

use super::{Deciding, once_more};
use crate::Moment;
use crate::attempt::Ledger;
use crate::call::{CallResult, Source};
use crate::history::Event;
use crate::ids::AttemptNumber;
use crate::input::Answer;
use crate::outcome::Outcome;
use crate::retry::{Retry, RetryInput};
use crate::rules::Rules;
use crate::why::Why;
use crate::workflow::{Intent, State};

impl Deciding<'_> {
    /// The call is over: record what came of it, or wait for results that the campaign awaits.
    pub(super) fn call_over(&mut self, number: AttemptNumber) {
        let Some(attempt) = self.run.attempt(number) else { return };
        let answered = attempt.ended.as_ref().is_some_and(|(_, end)| end.result == CallResult::Answered);
        let settle = self.ctx.rules.map_or(chrono::TimeDelta::zero(), Rules::settle);
        if answered && attempt.verdict.is_none() && !settle.is_zero() {
            let until = self.now() + settle;
            let why = Why::AwaitingResults { attempt: number, until };
            return self.become_state(State::Settling, Some(until), why);
        }
        self.record_outcome(number);
    }

    /// The time for results has passed.
    pub(super) fn settle(&mut self) {
        if let Some(number) = self.run.latest().map(|attempt| attempt.number) {
            self.record_outcome(number);
        }
    }

    /// Writes down what came of an attempt, and decides what follows.
    pub(super) fn record_outcome(&mut self, number: AttemptNumber) {
        let Some(attempt) = self.run.attempt(number) else { return };
        let outcome = match attempt.ledger {
            Ledger::Absent => Outcome::Unknown,
            Ledger::Reserved
            | Ledger::Withdrawn
            | Ledger::Submitted
            | Ledger::Bound
            | Ledger::Refused
            | Ledger::Unknown
            | Ledger::BoundLate => attempt.judged(),
        };
        self.record(number, outcome);
        self.note(Event::OutcomeRecorded { attempt: number, outcome });
        let workflow = &mut self.run.workflow;
        workflow.refusals = 0;
        workflow.failures = match outcome {
            Outcome::Failed => once_more(workflow.failures),
            _ => 0,
        };
        self.resolve(Some(outcome), |this| this.what_next(number, outcome));
    }

    fn what_next(&mut self, attempt: AttemptNumber, outcome: Outcome) {
        match self.retry_of(outcome) {
            None => self.hold(Why::UnreadableRules),
            Some(Retry::At(at)) => {
                let why = Why::RetryAfter { attempt, outcome };
                self.note(Event::RetryScheduled { at, reason: why.clone() });
                self.wait_until(at, why);
            }
            Some(Retry::UsedUp) => {
                let attempts = self.run.workflow.tried();
                self.finish(Some(outcome), Why::AttemptsUsedUp { attempts, outcome });
            }
            Some(Retry::NotRetried) => self.finish(Some(outcome), Why::Settled { outcome }),
        }
    }

    /// The person asked to be called again: that is granted whatever the retry policy says, and its attempts anew. An
    /// outcome after which they are never to be called wins.
    pub(super) fn call_back(
        &mut self,
        outcome: Option<Outcome>,
        attempt: AttemptNumber,
        at: Moment,
        next: impl FnOnce(&mut Self),
    ) {
        if matches!(outcome, Some(Outcome::DoNotCall | Outcome::WrongNumber | Outcome::InvalidNumber)) {
            return next(self);
        }
        self.run.workflow.forgiven = self.run.workflow.counted;
        let why = Why::CallBackAsked { attempt };
        self.note(Event::RetryScheduled { at, reason: why.clone() });
        self.wait_until(at, why);
    }

    /// The person asks to be called again. It is carried out once the call is over; what is told later causes no call,
    /// and a time that has passed was misheard.
    pub(super) fn call_back_asked(&mut self, number: AttemptNumber, at: Moment) {
        if at <= self.now() {
            return;
        }
        let open = self.run.attempt(number).is_some_and(|attempt| attempt.outcome.is_none());
        let workflow = &mut self.run.workflow;
        let under_way = matches!(workflow.state, State::Dialling | State::Calling | State::Settling);
        if !(open && under_way && workflow.attempts == number.get()) {
            return;
        }
        match &mut workflow.intent {
            None | Some(Intent::CallBack { .. }) => {
                workflow.intent = Some(Intent::CallBack { attempt: number, at });
            }
            Some(Intent::Hold { call_back_at, .. }) => *call_back_at = Some(at),
            // Ended by order: nobody is called any more.
            Some(Intent::Finish { .. }) => {}
        }
    }

    fn retry_of(&self, outcome: Outcome) -> Option<Retry> {
        let workflow = &self.run.workflow;
        let input = RetryInput {
            attempts: workflow.tried(),
            failures: workflow.failures,
            chance: self.ctx.chance,
            now: self.now(),
        };
        self.ctx.rules.map(|rules| rules.retry.next_after(outcome, input))
    }

    /// Somebody picked up, and our own agent was not there, or failed. If it was there, its conversation's course says next
    /// whether the person was spoken to. What other agents report of theirs comes as results, and is not counted here.
    pub(super) fn nobody_spoke(&mut self, number: AttemptNumber) {
        if let Some(attempt) = self.attempt(number) {
            attempt.abandoned.get_or_insert(true);
        }
    }

    /// Somebody reports what came of the conversation: during the call, while it
    /// settles, or late.
    pub(super) fn verdict(&mut self, number: AttemptNumber, outcome: Outcome, source: Source) -> Answer {
        let Some(attempt) = self.attempt(number) else {
            return Answer::Declined(format!("the lead has no attempt {number}"));
        };
        if attempt.verdict == Some(outcome) {
            return Answer::Noted;
        }
        attempt.verdict = Some(outcome);
        let recorded = attempt.outcome.is_some();
        self.note(Event::Reported { attempt: number, outcome, source });
        if outcome == Outcome::DoNotCall {
            self.suppress = Some(number);
            self.note(Event::Suppressed { attempt: number });
        }
        if recorded {
            self.amend(number, outcome);
        } else if self.run.workflow.state == State::Settling && self.run.workflow.attempts == number.get() {
            self.record_outcome(number);
        }
        Answer::Noted
    }

    /// Somebody says what came of an attempt, against what is recorded of it. What is reported later does not undo it
    /// unless it says something new.
    pub(super) fn correct(&mut self, number: AttemptNumber, outcome: Outcome) {
        let Some(attempt) = self.attempt(number) else { return };
        attempt.verdict = Some(outcome);
        if outcome == Outcome::DoNotCall {
            self.suppress = Some(number);
            self.note(Event::Suppressed { attempt: number });
        }
        self.amend(number, outcome);
    }

    /// A late result amends the record. One after which nobody would have been
    /// called again also ends the lead; none ever causes a dial.
    pub(super) fn amend(&mut self, number: AttemptNumber, outcome: Outcome) {
        self.record(number, outcome);
        self.note(Event::OutcomeAmended { attempt: number, outcome });
        let ends = self.retry_of(outcome) == Some(Retry::NotRetried);
        match self.run.workflow.state {
            State::Finished if self.run.workflow.recorded == number.get() => {
                self.run.workflow.outcome = Some(outcome);
                // What a person or the campaign's end decided stays the reason.
                if matches!(self.run.workflow.why, Why::Settled { .. } | Why::AttemptsUsedUp { .. }) {
                    self.run.workflow.why = Why::Settled { outcome };
                }
            }
            State::Finished => {}
            State::Waiting | State::Held if ends => self.finish(Some(outcome), Why::Settled { outcome }),
            State::Dialling | State::Calling | State::Settling if ends => self.end_after_live(outcome),
            State::Waiting | State::Held | State::Dialling | State::Calling | State::Settling => {}
        }
    }

    fn end_after_live(&mut self, outcome: Outcome) {
        let latest = self.run.latest().map(|attempt| (attempt.number, attempt.ledger));
        if let Some((number, Ledger::Reserved)) = latest {
            let why = Why::Settled { outcome };
            self.withdraw(number, why.clone());
            return self.finish(Some(outcome), why);
        }
        self.run.workflow.intent =
            Some(Intent::Finish { why: Why::Settled { outcome }, outcome: Some(outcome) });
    }
}
