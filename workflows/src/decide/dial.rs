//! From a free slot to the carrier's answer.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{Deciding, ever_longer, once_more};
use crate::Moment;
use crate::attempt::{Attempt, Ledger, Submission};
use crate::call::{CallId, CallStatus, CallerId, DialReply, Refusal, RefusalKind, Remedy, Source};
use crate::gate::{Kept, MayCall, may_dial};
use crate::history::Event;
use crate::ids::{AccountId, AttemptNumber};
use crate::input::{Answer, JobOrder, Rest};
use crate::outcome::Outcome;
use crate::retry::{LONGEST_PAUSE, RetryPolicy};
use crate::why::Why;
use crate::workflow::State;

/// A busy number is looked at again after this, doubling each time.
const COLLISION_FIRST: TimeDelta = TimeDelta::seconds(30);

impl Deciding<'_> {
    pub(super) fn admit(&mut self, account: AccountId, caller_id: Option<&CallerId>) -> Answer {
        let workflow = &self.run.workflow;
        let (true, Some(gate)) = (self.is_due(), self.ctx.gate) else {
            return Answer::NotAdmitted(workflow.why.clone());
        };
        match may_dial(gate, self.ctx.rules, workflow.tried(), self.now()) {
            MayCall::Now { kept, closes_at } => self.reserve((account, caller_id), kept, closes_at),
            otherwise => Answer::NotAdmitted(self.turn_away(otherwise)),
        }
    }

    fn is_due(&self) -> bool {
        let workflow = &self.run.workflow;
        workflow.state == State::Waiting && workflow.wake_at.is_some_and(|at| at <= self.now())
    }

    fn reserve(
        &mut self,
        (account, caller_id): (AccountId, Option<&CallerId>),
        kept: Option<Kept>,
        closes_at: Option<Moment>,
    ) -> Answer {
        let next = self.run.workflow.attempts.checked_add(1).and_then(AttemptNumber::new);
        let (number, phone) = match (next, self.ctx.phone) {
            (Some(number), Some(phone)) => (number, phone),
            (None, _) => return Answer::NotAdmitted(self.turn_away(MayCall::Held(Why::NumbersUsedUp))),
            (_, None) => return Answer::NotAdmitted(self.turn_away(MayCall::Held(Why::Erased))),
        };
        let now = self.now();
        let patience = now + TimeDelta::milliseconds(Attempt::RESERVED_FOR_MS);
        let dial_by = closes_at.map_or(patience, |closes_at| patience.min(closes_at));
        self.run.workflow.attempts = number.get();
        self.run.attempts.push(Attempt {
            number,
            revision: self.ctx.revision,
            account,
            caller_id: caller_id.cloned(),
            phone: Some(phone.clone()),
            ledger: Ledger::Reserved,
            counts: false,
            barrier: self.ctx.barrier,
            dial_by,
            reserved_at: now,
            submission: None,
            replied_at: None,
            call_id: None,
            second_call_id: None,
            status: CallStatus::Scheduled,
            answered_at: None,
            ended: None,
            verdict: None,
            outcome: None,
            recording_url: None,
            asked: 0,
            cost: None,
            results: None,
            transfer: None,
            abandoned: None,
        });
        let (revision, zone) = (self.ctx.revision, kept.as_ref().and_then(Kept::zone));
        self.note(Event::Reserved { attempt: number, revision, account, zone, kept, dial_by });
        self.jobs.push(JobOrder::Dial(number));
        self.become_state(State::Dialling, Some(dial_by), Why::Reserved { attempt: number });
        Answer::Reserved(number)
    }

    /// Moves a lead that the gate does not let through, and says why.
    pub(super) fn turn_away(&mut self, verdict: MayCall) -> Why {
        match verdict {
            MayCall::Now { .. } => Why::New,
            MayCall::NotBefore(at, why) => {
                self.note(Event::Postponed { until: at, reason: why.clone() });
                self.wait_until(at, why.clone());
                why
            }
            MayCall::Held(why) => {
                self.hold(why.clone());
                why
            }
            MayCall::Never(why) => {
                let outcome = match why {
                    Why::Suppressed { .. } => Some(Outcome::DoNotCall),
                    _ => self.run.last_outcome(),
                };
                self.finish(outcome, why.clone());
                why
            }
        }
    }

    /// Another attempt holds the number. Only the times change: a number that many
    /// leads share would otherwise fill their histories with nothing.
    pub(super) fn number_busy(&mut self) -> Answer {
        if !self.is_due() {
            return Answer::NotAdmitted(self.run.workflow.why.clone());
        }
        let pause = ever_longer(COLLISION_FIRST, self.run.workflow.collisions);
        self.run.workflow.collisions = once_more(self.run.workflow.collisions);
        self.wait_until(self.now() + pause, Why::NumberBusy);
        Answer::NotAdmitted(Why::NumberBusy)
    }

    /// The second look, at the instant of dialling.
    pub(super) fn submit(&mut self, number: AttemptNumber, token: Uuid, lease_held: bool) -> Answer {
        if !lease_held {
            return Answer::LeaseLost;
        }
        let Some(attempt) = self.run.attempt(number) else {
            return Answer::DoNotSend(self.run.workflow.why.clone());
        };
        match attempt.ledger {
            Ledger::Reserved => self.submit_reserved(number, token),
            Ledger::Submitted if attempt.submission.is_some_and(|submission| submission.token == token) => {
                self.submit_again(number, token)
            }
            Ledger::Submitted => {
                self.lose_track(number, "the process that was to send it is gone");
                Answer::DoNotSend(Why::Asking { attempt: number })
            }
            Ledger::Withdrawn
            | Ledger::Bound
            | Ledger::Refused
            | Ledger::Unknown
            | Ledger::Absent
            | Ledger::BoundLate => Answer::DoNotSend(self.run.workflow.why.clone()),
        }
    }

    fn submit_reserved(&mut self, number: AttemptNumber, token: Uuid) -> Answer {
        if let Err(why) = self.still_allowed(number) {
            self.withdraw_and_rest(number, why.clone());
            return Answer::DoNotSend(why);
        }
        let (now, barrier) = (self.now(), self.ctx.barrier);
        if let Some(attempt) = self.attempt(number) {
            attempt.ledger = Ledger::Submitted;
            attempt.submission = Some(Submission { at: now, token });
            attempt.counts = true;
            attempt.status = attempt.status.advance(CallStatus::Initiated);
        }
        self.run.workflow.counted += 1;
        self.run.workflow.collisions = 0;
        self.run.workflow.withdrawals = 0;
        self.note(Event::Submitted { attempt: number, barrier });
        let silence = now + self.ctx.times.silence;
        self.become_state(State::Dialling, Some(silence), Why::Submitted { attempt: number });
        Answer::Send(number)
    }

    /// The same request once more, which a carrier that tells copies apart takes for a question. It is a
    /// submission all the same: if the person may not be called now, only reads may ask.
    pub(super) fn resend(&mut self, number: AttemptNumber, lease_held: bool) -> Answer {
        if !lease_held {
            return Answer::LeaseLost;
        }
        let refused = |this: &Self| Answer::DoNotSend(this.run.workflow.why.clone());
        let Some(attempt) = self.run.attempt(number) else { return refused(self) };
        let within = attempt.submission.zip(self.ctx.resend_within);
        let in_time = within.is_some_and(|(submission, within)| self.now() < submission.at + within);
        let wanted = in_time && self.run.workflow.intent.is_none();
        let (Ledger::Unknown, true, Some(gate)) = (attempt.ledger, wanted, self.ctx.gate) else {
            return refused(self);
        };
        let tried = self.run.workflow.tried().saturating_sub(attempt.counts.into());
        match may_dial(gate, self.ctx.rules, tried, self.now()) {
            MayCall::Now { .. } => {
                let barrier = self.ctx.barrier;
                self.note(Event::Resent { attempt: number, barrier });
                Answer::Send(number)
            }
            MayCall::NotBefore(_, why) | MayCall::Held(why) | MayCall::Never(why) => Answer::DoNotSend(why),
        }
    }

    /// The commit of this very submission was cut off and turns out to have
    /// happened. The asker has not sent, so it still may, or may say that it will not.
    fn submit_again(&mut self, number: AttemptNumber, token: Uuid) -> Answer {
        let now = self.now();
        match self.still_allowed(number) {
            Ok(()) => {
                if let Some(attempt) = self.attempt(number) {
                    attempt.submission = Some(Submission { at: now, token });
                }
                self.run.workflow.wake_at = Some(now + self.ctx.times.silence);
                Answer::Send(number)
            }
            Err(why) => {
                let refusal = Refusal { kind: RefusalKind::TooLate, cause: why.to_string() };
                self.refuse(number, &refusal);
                Answer::DoNotSend(why)
            }
        }
    }

    /// Whether a reservation may be sent now. The gate is asked again if facts are given, as they
    /// are whenever the barrier's version has changed; else those it was made from still stand.
    fn still_allowed(&self, number: AttemptNumber) -> Result<(), Why> {
        let too_late = self.too_late(number);
        let Some(attempt) = self.run.attempt(number) else { return Err(too_late) };
        if self.now() >= attempt.dial_by {
            return Err(too_late);
        }
        let Some(gate) = self.ctx.gate else {
            let still_stands = attempt.barrier == self.ctx.barrier;
            return if still_stands { Ok(()) } else { Err(Why::CampaignNotRunning) };
        };
        // The attempt itself counts once it was submitted.
        let tried = self.run.workflow.tried().saturating_sub(attempt.counts.into());
        match may_dial(gate, self.ctx.rules, tried, self.now()) {
            MayCall::Now { .. } => Ok(()),
            MayCall::NotBefore(_, why) | MayCall::Held(why) | MayCall::Never(why) => Err(why),
        }
    }

    /// Only the process that holds the token can know that nothing was sent.
    pub(super) fn not_sent(&mut self, number: AttemptNumber, token: Uuid, cause: &str) -> Answer {
        let Some(attempt) = self.run.attempt(number) else { return Answer::Noted };
        let its_own = attempt.submission.is_some_and(|submission| submission.token == token);
        if its_own && matches!(attempt.ledger, Ledger::Submitted | Ledger::Unknown) {
            let refusal = Refusal { kind: RefusalKind::NotSent, cause: cause.to_owned() };
            self.refuse(number, &refusal);
        }
        Answer::Noted
    }

    pub(super) fn replied(&mut self, number: AttemptNumber, reply: &DialReply) -> Answer {
        let Some(ledger) = self.run.attempt(number).map(|attempt| attempt.ledger) else {
            return Answer::Noted;
        };
        let open = matches!(ledger, Ledger::Submitted | Ledger::Unknown);
        match reply {
            DialReply::Bound { call_id } => self.named(number, call_id, Source::Reply),
            DialReply::Refused(refusal) if open => self.refuse(number, refusal),
            DialReply::Unknown { cause } if ledger == Ledger::Submitted => self.lose_track(number, cause),
            // News of the call came first, or this very answer did: nothing is new.
            DialReply::Refused(_) | DialReply::Unknown { .. } => {}
        }
        Answer::Noted
    }

    /// The carrier has the call.
    pub(super) fn bind(&mut self, number: AttemptNumber, call_id: Option<CallId>, source: Source) {
        let now = self.now();
        if let Some(attempt) = self.attempt(number) {
            attempt.ledger = Ledger::Bound;
            attempt.replied_at.get_or_insert(now);
            attempt.call_id.clone_from(&call_id);
            attempt.asked = 0;
        }
        self.run.workflow.refusals = 0;
        self.note(Event::Bound { attempt: number, call_id, source });
        let poll = now + self.ctx.times.poll_first;
        self.become_state(State::Calling, Some(poll), Why::OnCall { attempt: number });
    }

    /// It may have taken effect: keep the slot and the number, and ask.
    pub(super) fn lose_track(&mut self, number: AttemptNumber, cause: &str) {
        let now = self.now();
        if let Some(attempt) = self.attempt(number) {
            attempt.ledger = Ledger::Unknown;
            // Whatever the carrier got, it got before now: the rate window runs from here.
            attempt.replied_at = Some(now);
            attempt.asked = 0;
        }
        self.note(Event::BecameUnknown { attempt: number, cause: cause.to_owned() });
        let ask = now + self.ctx.times.ask_first;
        self.become_state(State::Dialling, Some(ask), Why::Asking { attempt: number });
    }

    /// The carrier certainly rang no phone. The attempt does not count.
    fn refuse(&mut self, number: AttemptNumber, refusal: &Refusal) {
        let now = self.now();
        let Some(attempt) = self.attempt(number) else { return };
        let account = attempt.account;
        attempt.ledger = Ledger::Refused;
        if refusal.kind.was_seen() {
            attempt.replied_at.get_or_insert(now);
        }
        attempt.counts = false;
        attempt.status = attempt.status.advance(CallStatus::Failed);
        let workflow = &mut self.run.workflow;
        workflow.counted = workflow.counted.saturating_sub(1);
        workflow.refusals = once_more(workflow.refusals);
        let (kind, cause) = (refusal.kind, refusal.cause.clone());
        self.note(Event::Refused { attempt: number, kind, cause: cause.clone() });
        match kind.remedy() {
            Remedy::GiveUp(outcome) => self.give_up(number, outcome, cause),
            Remedy::Hold => {
                let outcome = self.run.last_outcome();
                self.resolve(outcome, |this| this.hold(Why::Refused { attempt: number, cause }));
            }
            Remedy::RetryLater => self.after_refusal(number, None, cause),
            Remedy::HoldAccount => {
                self.rest = Some(Rest { account, until: None, cause: cause.clone() });
                self.after_refusal(number, None, cause);
            }
            Remedy::RestAccount(pause) => {
                let pause = pause.min(LONGEST_PAUSE);
                self.rest = Some(Rest { account, until: Some(now + pause), cause: cause.clone() });
                self.after_refusal(number, Some(pause), cause);
            }
        }
    }

    fn give_up(&mut self, number: AttemptNumber, outcome: Outcome, cause: String) {
        self.record(number, outcome);
        self.note(Event::OutcomeRecorded { attempt: number, outcome });
        self.resolve(Some(outcome), |this| {
            this.finish(Some(outcome), Why::Refused { attempt: number, cause });
        });
    }

    fn after_refusal(&mut self, attempt: AttemptNumber, pause: Option<TimeDelta>, cause: String) {
        let usual = RetryPolicy::default();
        let policy = self.ctx.rules.map_or(&usual, |rules| &rules.retry);
        let at = policy.after_refusal(self.run.workflow.refusals, pause, self.ctx.chance, self.now());
        let why = Why::Refused { attempt, cause };
        let outcome = self.run.last_outcome();
        self.resolve(outcome, |this| {
            this.note(Event::RetryScheduled { at, reason: why.clone() });
            this.wait_until(at, why);
        });
    }
}
