//! What carriers tell us: early, late, twice, or in the wrong order.

use super::{Deciding, once_more};
use crate::Moment;
use crate::attempt::Ledger;
use crate::call::{CallEnd, CallFact, CallId, CallResult, CallStatus, Found, Source};
use crate::history::Event;
use crate::ids::AttemptNumber;
use crate::input::Answer;
use crate::money::Cost;
use crate::outcome::Outcome;
use crate::results::CallResults;
use crate::workflow::State;

impl Deciding<'_> {
    pub(super) fn news(&mut self, number: AttemptNumber, fact: &CallFact, source: Source) -> Answer {
        let Some(ledger) = self.run.attempt(number).map(|attempt| attempt.ledger) else {
            return Answer::Noted;
        };
        match ledger {
            // Nothing was sent for these, so this is nobody's call of ours.
            Ledger::Reserved | Ledger::Withdrawn => return Answer::Noted,
            Ledger::Submitted | Ledger::Unknown => self.bind(number, fact.call_id.clone(), source),
            Ledger::Refused | Ledger::Absent => self.bind_late(number, fact.call_id.clone()),
            Ledger::Bound | Ledger::BoundLate => {
                if let Some(call_id) = &fact.call_id {
                    self.named(number, call_id, source);
                }
            }
        }
        // What a second call reports is not about the call that we follow.
        if self.is_followed(number, fact.call_id.as_ref()) {
            self.progress(number, fact, source);
        }
        Answer::Noted
    }

    fn is_followed(&self, number: AttemptNumber, call_id: Option<&CallId>) -> bool {
        let ours = self.run.attempt(number).and_then(|attempt| attempt.call_id.as_ref());
        call_id.is_none() || ours == call_id
    }

    /// The carrier names the call: for the first time, again, or a second one.
    pub(super) fn named(&mut self, number: AttemptNumber, call_id: &CallId, source: Source) {
        let Some(attempt) = self.attempt(number) else { return };
        match (attempt.ledger, &attempt.call_id) {
            (Ledger::Submitted | Ledger::Unknown, _) => self.bind(number, Some(call_id.clone()), source),
            (Ledger::Refused | Ledger::Absent, _) => self.bind_late(number, Some(call_id.clone())),
            (Ledger::Reserved | Ledger::Withdrawn, _) => {}
            (Ledger::Bound | Ledger::BoundLate, None) => attempt.call_id = Some(call_id.clone()),
            (Ledger::Bound | Ledger::BoundLate, Some(known)) if known != call_id => {
                // One alert an attempt: what is told again is no news, and a third call is the same trouble.
                if attempt.second_call_id.is_none() {
                    attempt.second_call_id = Some(call_id.clone());
                    self.note(Event::SecondCall { attempt: number, call_id: call_id.clone() });
                }
            }
            (Ledger::Bound | Ledger::BoundLate, Some(_)) => {}
        }
    }

    /// Recorded and alerted. The lead has moved on, and stays where it is.
    fn bind_late(&mut self, number: AttemptNumber, call_id: Option<CallId>) {
        let Some(attempt) = self.attempt(number) else { return };
        attempt.ledger = Ledger::BoundLate;
        attempt.call_id.clone_from(&call_id);
        if !attempt.counts {
            attempt.counts = true;
            self.run.workflow.counted = self.run.workflow.counted.saturating_add(1);
        }
        self.note(Event::BoundLate { attempt: number, call_id });
    }

    /// Takes in how far the call has come. Status only moves forward, and the first end stands.
    fn progress(&mut self, number: AttemptNumber, fact: &CallFact, source: Source) {
        let now = self.now();
        let Some(attempt) = self.attempt(number) else { return };
        let before = attempt.status;
        // A final status comes with its end, which alone makes it final.
        let reached = match fact.end.is_some() || fact.status.is_final() {
            true => before,
            false => before.advance(fact.status),
        };
        if let Some(cost) = fact.cost {
            self.priced(number, cost);
        }
        if let Some(results) = fact.results.as_deref() {
            self.results(number, results, source);
        }
        let Some(attempt) = self.attempt(number) else { return };
        if let Some(url) = &fact.recording_url {
            attempt.recording_url = Some(url.clone());
        }
        let answered = reached.rank() >= CallStatus::Connected.rank() && !reached.is_final();
        if attempt.answered_at.is_none() && (answered || fact.answered_at.is_some()) {
            attempt.answered_at = fact.answered_at.or(Some(now));
        }
        if reached != before && attempt.ended.is_none() {
            attempt.status = reached;
            attempt.asked = 0;
            self.note(Event::Progressed { attempt: number, status: reached, source });
        }
        if let Some(end) = &fact.end {
            self.end(number, end, source);
        }
    }

    /// What the conversation yielded goes beside the ledger, and may say what came of it. What somebody
    /// reported before stands; only a wish not to be called again always counts.
    fn results(&mut self, number: AttemptNumber, results: &CallResults, source: Source) {
        let Some(attempt) = self.attempt(number) else { return };
        let digest = Some(results.digest());
        if results.is_empty() || attempt.results == digest {
            return;
        }
        attempt.results = digest;
        // What was told without the conversation's own course does not undo it.
        attempt.abandoned = results.course.as_ref().map_or(attempt.abandoned, |course| course.abandoned);
        let reported = attempt.verdict.is_some();
        self.results.push((number, results.clone()));
        self.note(Event::Results { attempt: number, source });
        if let Some(at) = results.call_back_at {
            self.call_back_asked(number, at);
        }
        if let Some(outcome) = results.outcome()
            && (!reported || outcome == Outcome::DoNotCall)
        {
            self.verdict(number, outcome, source);
        }
    }

    fn end(&mut self, number: AttemptNumber, end: &CallEnd, source: Source) {
        let now = self.now();
        let Some(attempt) = self.attempt(number) else { return };
        if let Some((_, known)) = &mut attempt.ended {
            // The first end stands; a later telling may fill in how long it lasted.
            known.talk = known.talk.or(end.talk.filter(|_| known.result == end.result));
            return;
        }
        let result = match end.result {
            // Who was handed over had answered, whatever the carrier makes of the way in which they left us.
            CallResult::NoAnswer
            | CallResult::Busy
            | CallResult::Failed
            | CallResult::InvalidNumber
            | CallResult::Lost
                if attempt.was_transferred() =>
            {
                CallResult::Answered
            }
            as_told => as_told,
        };
        attempt.status = attempt.status.advance(result.status());
        attempt.ended = Some((now, CallEnd { result, ..end.clone() }));
        let ledger = attempt.ledger;
        let outcome = attempt.judged();
        self.note(Event::Ended { attempt: number, result, talk: end.talk, source });
        if ledger == Ledger::BoundLate {
            // The lead has moved on; what it would not have been called again for ends it.
            self.amend(number, outcome);
        } else if self.run.workflow.attempts == number.get() {
            self.call_over(number);
        }
    }

    /// The carrier was asked what became of a call.
    pub(super) fn asked(&mut self, number: AttemptNumber, asked_at: Moment, answer: &Found) -> Answer {
        let Some(attempt) = self.run.attempt(number) else { return Answer::Noted };
        if !attempt.is_live() {
            return match answer {
                Found::Call(fact) => self.news(number, fact, Source::Poll),
                Found::NotSeen { .. } | Found::CannotTell { .. } => Answer::Noted,
            };
        }
        match answer {
            Found::Call(fact) => {
                self.news(number, fact, Source::Poll);
                self.ask_later(number, None);
            }
            Found::CannotTell { .. } => {
                self.note(Event::Asked { attempt: number, answer: answer.clone() });
                self.ask_later(number, None);
            }
            Found::NotSeen { conclusive_after_ms } => {
                let wait = chrono::TimeDelta::milliseconds(*conclusive_after_ms);
                self.not_seen(number, asked_at, wait, answer);
            }
        }
        Answer::Noted
    }

    /// The carrier does not list the call, which is conclusive only after the
    /// longest time that it allows for.
    fn not_seen(
        &mut self,
        number: AttemptNumber,
        asked_at: Moment,
        conclusive_after: chrono::TimeDelta,
        answer: &Found,
    ) {
        let Some(attempt) = self.run.attempt(number) else { return };
        let Some(submission) = attempt.submission else { return };
        let conclusive_at = submission.at + conclusive_after;
        let ledger = attempt.ledger;
        self.note(Event::Asked { attempt: number, answer: answer.clone() });
        if asked_at.min(self.now()) < conclusive_at {
            return self.ask_later(number, Some(conclusive_at));
        }
        match ledger {
            Ledger::Unknown => self.absent(number),
            Ledger::Bound => {
                let cause = Some("the carrier no longer lists the call".to_owned());
                let end = CallEnd { result: CallResult::Lost, talk: None, cause };
                self.end(number, &end, Source::Poll);
            }
            // Its sender is still at work; the timer looks after it.
            Ledger::Submitted | Ledger::Reserved => {}
            Ledger::Withdrawn | Ledger::Refused | Ledger::Absent | Ledger::BoundLate => {}
        }
    }

    /// What a call cost may become known, or be corrected, long after all else.
    pub(super) fn priced(&mut self, number: AttemptNumber, cost: Cost) -> Answer {
        let Some(attempt) = self.attempt(number) else { return Answer::Noted };
        let is_call = matches!(attempt.ledger, Ledger::Bound | Ledger::BoundLate);
        if is_call && attempt.cost != Some(cost) {
            attempt.cost = Some(cost);
            self.note(Event::Priced { attempt: number, cost });
        }
        Answer::Noted
    }

    fn absent(&mut self, number: AttemptNumber) {
        if let Some(attempt) = self.attempt(number) {
            attempt.ledger = Ledger::Absent;
            attempt.status = attempt.status.advance(CallStatus::Failed);
        }
        self.note(Event::Absent { attempt: number });
        self.record_outcome(number);
    }

    /// Sets the time of the next question, if the attempt still needs one.
    fn ask_later(&mut self, number: AttemptNumber, no_later_than: Option<Moment>) {
        let (now, times) = (self.now(), self.ctx.times);
        if !matches!(self.run.workflow.state, State::Dialling | State::Calling) {
            return;
        }
        let Some(attempt) = self.attempt(number) else { return };
        let first = match attempt.ledger {
            Ledger::Unknown => times.ask_first,
            Ledger::Bound => times.poll_first,
            Ledger::Reserved | Ledger::Submitted => return,
            Ledger::Withdrawn | Ledger::Refused | Ledger::Absent | Ledger::BoundLate => return,
        };
        let next = now + times.pause(first, attempt.asked);
        attempt.asked = once_more(attempt.asked);
        self.run.workflow.wake_at = Some(no_later_than.map_or(next, |at| next.min(at)));
    }
}
