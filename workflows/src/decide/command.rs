//! What people order, for one lead or by ending its campaign.

use super::Deciding;
use crate::Moment;
use crate::attempt::Ledger;
use crate::gate::{MayCall, may_call};
use crate::history::Event;
use crate::ids::AttemptNumber;
use crate::input::{Answer, Command, JobOrder};
use crate::outcome::Outcome;
use crate::why::Why;
use crate::workflow::{Intent, State};

impl Deciding<'_> {
    pub(super) fn command(&mut self, command: &Command, actor: &str, reason: Option<&str>) -> Answer {
        if let Some(answer) = self.needless(command) {
            return answer;
        }
        let order =
            Order { command: command.clone(), actor: actor.to_owned(), reason: reason.map(str::to_owned) };
        match command {
            Command::Pause => {
                self.stop(&order, |actor, reason, call_back_at| Intent::Hold { actor, reason, call_back_at })
            }
            Command::Cancel => self.stop(&order, |actor, reason, _| {
                let why = Why::Cancelled { actor, reason };
                Intent::Finish { why, outcome: None }
            }),
            Command::Undo => self.stop(&order, |actor, reason, _| {
                let why = Why::Undone { actor, reason };
                Intent::Finish { why, outcome: None }
            }),
            Command::HangUp => self.hang_up(&order),
            Command::Resume => self.resume(order),
            Command::Retry => self.retry(order),
            Command::Reschedule { at } => self.reschedule(&order, *at),
            Command::Transfer { to, briefing } => self.transfer(&order, to, briefing.as_ref()),
            Command::Prioritise { priority } => {
                self.note(order.noted(false));
                self.run.workflow.priority = *priority;
                Answer::Done
            }
            Command::Correct { attempt, outcome } => {
                self.note(order.noted(false));
                self.correct(*attempt, *outcome);
                Answer::Done
            }
        }
    }

    /// Orders that are already carried out, or cannot be.
    fn needless(&self, command: &Command) -> Option<Answer> {
        let workflow = &self.run.workflow;
        match (command, workflow.state) {
            (Command::Cancel, State::Finished) if matches!(workflow.why, Why::Cancelled { .. }) => {
                Some(Answer::Done)
            }
            (Command::Undo, State::Finished) if matches!(workflow.why, Why::Undone { .. }) => {
                Some(Answer::Done)
            }
            (Command::Undo, _) if self.was_called() => {
                Some(Answer::Declined(format!("it was called: {}", workflow.why)))
            }
            // What is undone may have been imported anew by now, and nobody is called twice.
            (Command::Retry, State::Finished) if matches!(workflow.why, Why::Undone { .. }) => {
                Some(Answer::Declined(format!("{}; import it anew", workflow.why)))
            }
            (Command::Retry, State::Dialling | State::Calling)
            | (Command::Reschedule { .. }, State::Calling | State::Settling) => {
                Some(Answer::Declined(format!("a call is under way: {}", workflow.why)))
            }
            (Command::Reschedule { .. }, State::Dialling) if !self.is_only_reserved() => {
                Some(Answer::Declined(format!("a call is under way: {}", workflow.why)))
            }
            (Command::HangUp, _) if self.is_only_reserved() || self.run.live().is_none() => {
                Some(Answer::Declined(format!("no call is under way: {}", workflow.why)))
            }
            // Why it cannot be is told by what follows.
            (Command::Transfer { .. }, _) => None,
            (Command::Correct { attempt, outcome }, _) => self.correction_needless(*attempt, *outcome),
            (Command::Prioritise { priority }, _) if *priority == workflow.priority => Some(Answer::Done),
            (_, State::Finished) if *command != Command::Retry => {
                Some(Answer::Declined(format!("the lead is finished: {}", workflow.why)))
            }
            (Command::Pause, State::Held) if matches!(workflow.why, Why::HeldBy { .. }) => Some(Answer::Done),
            (Command::Retry, _) => match self.ctx.gate.map(|gate| may_call(gate, self.ctx.rules, self.now()))
            {
                Some(MayCall::Never(why)) => Some(Answer::Declined(why.to_string())),
                Some(MayCall::Now { .. } | MayCall::NotBefore(..) | MayCall::Held(_)) | None => None,
            },
            (Command::Resume, State::Held) => None,
            (Command::Resume, _) if matches!(workflow.intent, Some(Intent::Hold { .. })) => None,
            (Command::Resume, _) => Some(Answer::Declined("the lead is not held".into())),
            (
                Command::Pause
                | Command::Cancel
                | Command::Reschedule { .. }
                | Command::Prioritise { .. }
                | Command::HangUp
                | Command::Undo,
                _,
            ) => None,
        }
    }

    fn correction_needless(&self, number: AttemptNumber, outcome: Outcome) -> Option<Answer> {
        let Some(attempt) = self.run.attempt(number) else {
            return Some(Answer::Declined(format!("the lead has no attempt {number}")));
        };
        match attempt.outcome {
            None => Some(Answer::Declined(format!(
                "attempt {number} has no outcome yet: {}; correct it once there is one",
                self.run.workflow.why
            ))),
            Some(recorded) => (recorded == outcome).then_some(Answer::Done),
        }
    }

    /// Whether a call was ever made, or may have been.
    fn was_called(&self) -> bool {
        let latest = self.run.latest().map(|attempt| attempt.ledger);
        self.run.workflow.recorded > 0
            || latest.is_some_and(|ledger| match ledger {
                Ledger::Reserved | Ledger::Withdrawn | Ledger::Refused => false,
                Ledger::Submitted | Ledger::Bound | Ledger::Unknown | Ledger::Absent | Ledger::BoundLate => {
                    true
                }
            })
    }

    fn is_only_reserved(&self) -> bool {
        self.run.live().is_some_and(|attempt| attempt.ledger == Ledger::Reserved)
    }

    /// Holds or ends the lead, at once or when its live attempt has resolved.
    fn stop(
        &mut self,
        order: &Order,
        intent: fn(String, Option<String>, Option<Moment>) -> Intent,
    ) -> Answer {
        let latest = self.run.latest().map(|attempt| (attempt.number, attempt.ledger));
        let call_back_at = match self.run.workflow.intent {
            Some(Intent::CallBack { at, .. }) => Some(at),
            Some(Intent::Hold { call_back_at, .. }) => call_back_at,
            Some(Intent::Finish { .. }) | None => None,
        };
        let intent = intent(order.actor.clone(), order.reason.clone(), call_back_at);
        let deferred = match (self.run.workflow.state, latest) {
            (State::Waiting | State::Held | State::Finished, _) => false,
            (State::Dialling, Some((_, Ledger::Reserved))) => false,
            (State::Dialling | State::Calling | State::Settling, _) => true,
        };
        self.note(order.noted(deferred));
        // An order to end is not undone by a later order to hold.
        let ending = matches!(self.run.workflow.intent, Some(Intent::Finish { .. }));
        if !(ending && matches!(intent, Intent::Hold { .. })) {
            self.run.workflow.intent = Some(intent);
        }
        if deferred {
            return Answer::Deferred;
        }
        if let (State::Dialling, Some((number, _))) = (self.run.workflow.state, latest) {
            self.withdraw(number, order.why());
            self.wait_until(self.now(), Why::New);
        }
        let outcome = self.run.last_outcome();
        self.resolve(outcome, |_| ());
        Answer::Done
    }

    /// Has the carrier asked to end the call; deferred while it is not known whether there is one.
    fn hang_up(&mut self, order: &Order) -> Answer {
        let live = self.run.live().map(|attempt| (attempt.number, attempt.ledger));
        let Some((number, ledger)) = live else { return Answer::Noted };
        let deferred = ledger != Ledger::Bound;
        self.note(order.noted(deferred));
        self.jobs.push(JobOrder::HangUp(number));
        if deferred { Answer::Deferred } else { Answer::Done }
    }

    fn resume(&mut self, order: Order) -> Answer {
        self.note(order.noted(false));
        self.run.workflow.intent = None;
        if self.run.workflow.state == State::Held {
            let due = self.run.workflow.wake_at.unwrap_or(self.now());
            self.wait_until(due, Why::ResumedBy { actor: order.actor });
        }
        Answer::Done
    }

    /// Lets a lead go that is held for want of consent. The gate says whether it is enough.
    pub(super) fn consent_recorded(&mut self, actor: &str) -> Answer {
        let workflow = &self.run.workflow;
        let wanting = matches!(workflow.why, Why::NeedsConsent { .. } | Why::ConsentRevoked { .. });
        if workflow.state != State::Held || !wanting {
            return Answer::Noted;
        }
        let reason = Some("consent was recorded".to_owned());
        self.resume(Order { command: Command::Resume, actor: actor.to_owned(), reason })
    }

    /// A held lead stays held, and is due then once it is let go.
    fn reschedule(&mut self, order: &Order, at: Moment) -> Answer {
        self.note(order.noted(false));
        let why = order.why();
        self.note(Event::Postponed { until: at, reason: why.clone() });
        if self.run.workflow.state == State::Held {
            self.run.workflow.wake_at = Some(at);
            return Answer::Done;
        }
        if let Some(number) = self.run.live().map(|attempt| attempt.number) {
            self.withdraw(number, why.clone());
        }
        self.wait_until(at, why);
        Answer::Done
    }

    fn retry(&mut self, order: Order) -> Answer {
        // What came of the call is written down first: the order comes after it in the history.
        if self.run.workflow.state == State::Settling {
            self.settle();
        }
        self.note(order.noted(false));
        let workflow = &mut self.run.workflow;
        workflow.forgiven = workflow.counted;
        workflow.failures = 0;
        workflow.refusals = 0;
        workflow.withdrawals = 0;
        workflow.intent = None;
        workflow.outcome = None;
        self.wait_until(self.now(), Why::RetriedBy { actor: order.actor });
        Answer::Done
    }

    /// The campaign is over: so is the lead, once its live attempt has resolved.
    pub(super) fn campaign_ended(&mut self, actor: &str, reason: Option<&str>) -> Answer {
        let outcome = self.run.last_outcome();
        let latest = self.run.latest().map(|attempt| (attempt.number, attempt.ledger));
        match (self.run.workflow.state, latest) {
            (State::Finished, _) => {}
            (State::Waiting | State::Held, _) => self.finish(outcome, Why::CampaignEnded),
            (State::Dialling, Some((number, Ledger::Reserved))) => {
                self.withdraw(number, Why::CampaignEnded);
                self.finish(outcome, Why::CampaignEnded);
            }
            (State::Dialling | State::Calling | State::Settling, _) => {
                let ending = Some(Intent::Finish { why: Why::CampaignEnded, outcome: None });
                if self.run.workflow.intent == ending {
                    return Answer::Noted;
                }
                let order = Order {
                    command: Command::Cancel,
                    actor: actor.to_owned(),
                    reason: reason.map(str::to_owned),
                };
                self.note(order.noted(true));
                self.run.workflow.intent = ending;
            }
        }
        Answer::Noted
    }
}

/// A person's order on its way into the history.
pub(super) struct Order {
    command: Command,
    actor: String,
    reason: Option<String>,
}

impl Order {
    /// As the reason for what it undoes.
    fn why(&self) -> Why {
        let (actor, reason) = (self.actor.clone(), self.reason.clone());
        match self.command {
            Command::Cancel => Why::Cancelled { actor, reason },
            Command::Undo => Why::Undone { actor, reason },
            Command::Pause => Why::HeldBy { actor, reason },
            Command::Resume => Why::ResumedBy { actor },
            Command::Retry => Why::RetriedBy { actor },
            Command::Reschedule { at } => Why::RescheduledBy { actor, at },
            Command::Prioritise { .. }
            | Command::HangUp
            | Command::Transfer { .. }
            | Command::Correct { .. } => Why::New,
        }
    }

    pub(super) fn noted(&self, deferred: bool) -> Event {
        Event::Commanded {
            command: self.command.to_string(),
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            deferred,
        }
    }
}
