//! Waiting, while things happen.

use tokio::time::{self, Instant};

use super::{Due, Life};
use crate::telnyx::{
    call::{Call, Letter, Status},
    hangup::Hangup,
    texml::Source,
};

/// Why a wait ended.
#[derive(Debug)]
pub(in crate::telnyx) enum Interrupt {
    /// The time has passed.
    Elapsed,
    /// The test's author moved the call on.
    Nudged,
    /// The call is over.
    End(Hangup),
    /// The far end pressed a key that nobody gathers.
    Digit(char),
    /// Other TeXML is to be carried out.
    Redirect(Source),
    /// The media stream has ended by itself.
    StreamOver,
    /// The second leg is over.
    LegOver(Box<Call>),
}

impl Life {
    /// Lets time pass until `until` (or for good) or until something happens that ends the wait.
    pub(in crate::telnyx) async fn pass(&mut self, until: Option<Instant>) -> Interrupt {
        loop {
            while let Some(letter) = self.call.mailbox.take() {
                if let Some(interrupt) = self.open(letter) {
                    return interrupt;
                }
            }
            let now = Instant::now();
            if let Some(due) = self.agenda.take_due(now) {
                if let Some(interrupt) = self.fall_due(due) {
                    return interrupt;
                }
                continue;
            }
            if until.is_some_and(|until| until <= now) {
                return Interrupt::Elapsed;
            }
            let next = self.agenda.next().into_iter().chain(until).min();
            let wake = async {
                match next {
                    Some(at) => time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.call.base.nudge.notified() => return Interrupt::Nudged,
                () = self.call.mailbox.arrived.notified() => {}
                () = wake => {}
            }
        }
    }

    fn open(&mut self, letter: Letter) -> Option<Interrupt> {
        match letter {
            Letter::Act(action) => self.act(action),
            Letter::Redirect(source) => Some(Interrupt::Redirect(source)),
            Letter::Stream(news) => self.hear_of_stream(news),
            Letter::LegAnswered => None,
            Letter::LegOver(leg) => self.leg_over(leg),
        }
    }

    fn fall_due(&mut self, due: Due) -> Option<Interrupt> {
        match due {
            Due::Tell(_, event, extras) => {
                self.tell(event, &extras);
                None
            }
            Due::Press(digit) => self.press(digit),
            Due::Detected(result, took_ms) => {
                self.detected(result, took_ms);
                None
            }
            Due::GatherTimeout => {
                self.end_gathering("timeout");
                None
            }
            Due::GatherBegins => {
                self.begin_gathering();
                None
            }
            Due::CallerLeaves => Some(Interrupt::End(Hangup::by_callee())),
            Due::TimeLimit => Some(Interrupt::End(Hangup::time_limit())),
        }
    }

    /// Of a call that has ended, whether it was answered.
    fn leg_over(&mut self, leg: Box<Call>) -> Option<Interrupt> {
        self.second = None;
        if self.call.request.texml.is_some() {
            return Some(Interrupt::LegOver(leg));
        }
        // Who was transferred and spoke is done; who was not reached stays with us.
        (leg.status == Status::Completed).then(|| Interrupt::End(Hangup::by_callee()))
    }
}
