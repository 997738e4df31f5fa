//! A believable spread of outcomes for a demo, the same on every run.

use std::time::Duration;

use super::scenario::{Answerer, Scenario};
use crate::carrier::{
    Phone, Reply,
    mix::{Draw, misfortune},
};

/// What goes on in a hundred dials. The last five go wrong in one of the ways of [`misfortune`].
const ANSWERED: u64 = 40;
const VOICEMAIL: u64 = 10;
const NO_ANSWER: u64 = 25;
const BUSY: u64 = 12;
const REJECTED: u64 = 4;
const FAILED: u64 = 4;

impl Scenario {
    /// What dialling `number` for the `dial`th time (from 0) leads to: 40 % answered, 10 % a
    /// voicemail, 25 % no answer, 12 % busy, 4 % rejected, 4 % failed, and 5 % answered or unanswered
    /// with a quirk. It depends on nothing but the arguments.
    pub fn by_number(number: &str, dial: u32) -> Self {
        scenario(Phone::e164(number).unwrap_or_default(), dial)
    }
}

pub(super) fn scenario(phone: Phone, dial: u32) -> Scenario {
    let mut draw = Draw::of(phone, dial);
    let (ring, talk) = (draw.ring, draw.talk);
    if draw.falls_to(ANSWERED) {
        Scenario::answered(talk).ringing_for(ring)
    } else if draw.falls_to(VOICEMAIL) {
        Scenario::answered(Duration::from_secs(30)).by(Answerer::MachineWithBeep).ringing_for(ring)
    } else if draw.falls_to(NO_ANSWER) {
        Scenario::no_answer()
    } else if draw.falls_to(BUSY) {
        Scenario::busy().ringing_for(ring)
    } else if draw.falls_to(REJECTED) {
        Scenario::rejected().ringing_for(ring)
    } else if draw.falls_to(FAILED) {
        Scenario::failed().ringing_for(Duration::from_secs(1))
    } else {
        misfortune(&mut draw, throttled(), Reply::server_error(503, true))
    }
}

fn throttled() -> Reply {
    Reply::refusal(429, "90103", "Dials per second limit exceeded", 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        carrier::mix::tests::{check_redials, check_spread},
        telnyx::scenario::Outcome,
    };

    #[test]
    fn ten_thousand_numbers_spread_as_promised() {
        let kind = |number: &str| {
            let scenario = Scenario::by_number(number, 0);
            match (scenario.quirks.is_empty(), scenario.outcome, scenario.answerer) {
                (false, _, _) => "odd",
                (true, Outcome::Answered { .. }, Answerer::Human) => "answered",
                (true, Outcome::Answered { .. }, _) => "machine",
                (true, Outcome::NoAnswer, _) => "no answer",
                (true, Outcome::Busy, _) => "busy",
                (true, Outcome::Rejected, _) => "rejected",
                (true, Outcome::Failed, _) => "failed",
                (true, Outcome::Silent, _) => "not in the mix",
            }
        };
        let promised = [
            ("answered", 4000),
            ("machine", 1000),
            ("no answer", 2500),
            ("busy", 1200),
            ("rejected", 400),
            ("failed", 400),
            ("odd", 500),
        ];
        check_spread(|n| format!("+1415{n:07}"), kind, &promised);
    }

    #[test]
    fn a_redial_may_go_another_way_but_goes_it_every_time() {
        check_redials(Scenario::by_number, ["+14155550100"; 2]);
    }
}
