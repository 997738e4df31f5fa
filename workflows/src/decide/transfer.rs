//! Handing a call over, by order: at most once asked of the carrier, and told as it turns out.

use std::num::NonZeroU16;

use super::Deciding;
use super::command::Order;
use crate::attempt::{Attempt, Ledger};
use crate::history::Event;
use crate::ids::AttemptNumber;
use crate::input::{Answer, JobOrder};
use crate::transfer::{Briefing, CannotTransfer, Transfer, TransferState, TransferTo, TransferTold};

impl Deciding<'_> {
    /// Orders the job that asks the carrier, if there is a conversation to hand over.
    ///
    /// After a refusal the call goes on, and may be handed over anew. So may one of which it is not known
    /// whether it was: that nobody repeats by themselves what may have taken effect does not bind a person who
    /// hears that the call goes on.
    pub(super) fn transfer(&mut self, order: &Order, to: &TransferTo, briefing: Option<&Briefing>) -> Answer {
        let (number, last) = match self.transferable(to) {
            Ok(transferable) => transferable,
            Err(why) => return Answer::NoTransfer(why),
        };
        let next = last.map_or(NonZeroU16::MIN, |last| last.saturating_add(1));
        if let Some(attempt) = self.attempt(number) {
            let (to, briefing) = (to.clone(), briefing.cloned());
            attempt.transfer = Some(Transfer { number: next, to, briefing, state: TransferState::Ordered });
        }
        self.note(order.noted(false));
        self.jobs.push(JobOrder::Transfer(number, next));
        Answer::Done
    }

    /// The attempt whose call can be handed over, and the number of its last transfer.
    fn transferable(&self, to: &TransferTo) -> Result<(AttemptNumber, Option<NonZeroU16>), CannotTransfer> {
        let attempt = self.run.live().ok_or(CannotTransfer::NoCall)?;
        match attempt.transfer.as_ref().map(|transfer| transfer.state) {
            None | Some(TransferState::Refused | TransferState::Unknown) => {}
            Some(TransferState::Ordered | TransferState::Asked | TransferState::UnderWay) => {
                return Err(CannotTransfer::UnderWay);
            }
            Some(TransferState::Done) => return Err(CannotTransfer::Done),
        }
        if attempt.ledger == Ledger::Reserved {
            return Err(CannotTransfer::NoCall);
        }
        if !attempt.is_in_conversation() {
            return Err(CannotTransfer::NotAnswered);
        }
        if attempt.phone.is_some() && attempt.phone == to.number() {
            return Err(CannotTransfer::OwnNumber);
        }
        Ok((attempt.number, attempt.transfer.as_ref().map(|transfer| transfer.number)))
    }

    /// A job is about to ask the carrier, which rings somebody. Whoever finds that it was begun before does not
    /// know what came of that, and does not ask again.
    pub(super) fn begin_transfer(
        &mut self,
        number: AttemptNumber,
        which: NonZeroU16,
        (lease_held, suppressed): (bool, bool),
    ) -> Answer {
        if !lease_held {
            return Answer::LeaseLost;
        }
        let attempt = self.run.attempt(number);
        let in_conversation = attempt.is_some_and(Attempt::is_in_conversation);
        let Some(transfer) = attempt.and_then(|attempt| attempt.transfer.clone()) else {
            return Answer::Noted;
        };
        if transfer.number != which {
            return Answer::Noted;
        }
        match transfer.state {
            TransferState::Ordered if suppressed => {
                let cause = "the number it was to go to is on the suppression list by now".to_owned();
                self.transferred(number, which, &TransferTold::Refused { cause })
            }
            TransferState::Ordered if in_conversation => {
                let asked = Transfer { state: TransferState::Asked, ..transfer };
                if let Some(attempt) = self.attempt(number) {
                    attempt.transfer = Some(asked.clone());
                }
                self.note(Event::TransferAsked { attempt: number, transfer: which });
                Answer::Transfer(asked)
            }
            TransferState::Ordered => {
                let cause = "the call was over before the carrier was asked".to_owned();
                self.transferred(number, which, &TransferTold::Refused { cause })
            }
            TransferState::Asked => {
                let cause = "whoever asked the carrier was gone before the answer was noted".to_owned();
                self.transferred(number, which, &TransferTold::Unknown { cause })
            }
            TransferState::UnderWay
            | TransferState::Done
            | TransferState::Refused
            | TransferState::Unknown => Answer::Noted,
        }
    }

    /// What is learnt of a transfer: from the answer, or from the carrier's news, which may come first.
    pub(super) fn transferred(
        &mut self,
        number: AttemptNumber,
        which: NonZeroU16,
        told: &TransferTold,
    ) -> Answer {
        let transfer = self.attempt(number).and_then(|attempt| attempt.transfer.as_mut());
        let Some(transfer) = transfer.filter(|transfer| transfer.number == which) else {
            return Answer::Noted;
        };
        if told.is_news_to(transfer.state) {
            transfer.state = told.state();
            self.note(Event::Transferred { attempt: number, transfer: which, told: told.clone() });
        }
        Answer::Noted
    }
}
