//! A believable spread of outcomes for a demo, the same on every run.

use std::time::Duration;

use super::{phone, scenario::Scenario};
use crate::carrier::{
    Phone, Reply,
    mix::{Draw, misfortune},
};

/// What goes on in a hundred dials. The last five go wrong in one of the ways of [`misfortune`].
const ANSWERED: u64 = 45;
const NO_ANSWER: u64 = 30;
const BUSY: u64 = 15;
const FAILED: u64 = 5;

impl Scenario {
    /// What dialling `number` for the `dial`th time (from 0) leads to: 45 % answered, 30 % no
    /// answer, 15 % busy, 5 % failed, and 5 % answered or unanswered with a quirk. It depends on
    /// nothing but the arguments.
    pub fn by_number(number: &str, dial: u32) -> Self {
        scenario(phone::parse(number).unwrap_or_default(), dial)
    }
}

pub(super) fn scenario(phone: Phone, dial: u32) -> Scenario {
    let mut draw = Draw::of(phone, dial);
    let (ring, talk) = (draw.ring, draw.talk);
    if draw.falls_to(ANSWERED) {
        Scenario::answered(talk).ringing_for(ring)
    } else if draw.falls_to(NO_ANSWER) {
        Scenario::no_answer()
    } else if draw.falls_to(BUSY) {
        Scenario::busy().ringing_for(ring)
    } else if draw.falls_to(FAILED) {
        Scenario::failed().ringing_for(Duration::from_secs(1))
    } else {
        misfortune(&mut draw, Reply::throttled(1, Some(1)), Reply::server_error(503, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        carrier::mix::tests::{check_redials, check_spread},
        exotel::scenario::Outcome,
    };

    #[test]
    fn ten_thousand_numbers_spread_as_promised() {
        let kind = |number: &str| {
            let scenario = Scenario::by_number(number, 0);
            match (scenario.quirks.is_empty(), scenario.outcome) {
                (false, _) => "odd",
                (true, Outcome::Answered { .. }) => "answered",
                (true, Outcome::NoAnswer) => "no answer",
                (true, Outcome::Busy) => "busy",
                (true, Outcome::Failed) => "failed",
                (true, Outcome::Canceled | Outcome::Silent) => "not in the mix",
            }
        };
        let promised =
            [("answered", 4500), ("no answer", 3000), ("busy", 1500), ("failed", 500), ("odd", 500)];
        check_spread(|n| format!("+9198{n:08}"), kind, &promised);
    }

    #[test]
    fn a_redial_may_go_another_way_but_goes_it_every_time() {
        check_redials(Scenario::by_number, ["+919876543210", "09876543210"]);
    }
}
