//! A believable spread of outcomes for a demo, the same on every run.

use std::time::Duration;

use super::{reason::Reason, scenario::Scenario};
use crate::carrier::{
    Dice, Phone, Reply,
    mix::{Draw, misfortune},
};

/// What goes on in a hundred dials. The last five go wrong in one of the ways of [`misfortune`].
const ANSWERED: u64 = 45;
const NO_ANSWER: u64 = 30;
const BUSY: u64 = 15;
const FAILED: u64 = 5;

impl Scenario {
    /// What dialling `number` for the `dial`th time (from 0) leads to: 45 % answered (every ninth by
    /// a voicemail), 30 % no answer, 15 % busy, 5 % failed, and 5 % answered or unanswered with a
    /// quirk. It depends on nothing but the arguments.
    pub fn by_number(number: &str, dial: u32) -> Self {
        scenario(Phone::e164(number).unwrap_or_default(), dial)
    }
}

pub(super) fn scenario(phone: Phone, dial: u32) -> Scenario {
    let mut draw = Draw::of(phone, dial);
    let (ring, talk) = (draw.ring, draw.talk);
    if draw.falls_to(ANSWERED) {
        answered(&mut draw.dice, talk).ringing_for(ring)
    } else if draw.falls_to(NO_ANSWER) {
        Scenario::no_answer()
    } else if draw.falls_to(BUSY) {
        Scenario::busy().ringing_for(ring)
    } else if draw.falls_to(FAILED) {
        failed(&mut draw.dice).ringing_for(Duration::from_secs(1))
    } else {
        misfortune(&mut draw, Reply::throttled(1, Some(1)), Reply::server_error(500, true))
    }
}

fn answered(dice: &mut Dice, talk: Duration) -> Scenario {
    match dice.below(9) {
        0 => Scenario::voicemail(),
        1..=4 => Scenario::answered(talk),
        _ => Scenario::answered_until(Reason::AgentHangup, talk),
    }
}

fn failed(dice: &mut Dice) -> Scenario {
    match dice.below(4) {
        0 => Scenario::unconnected(Reason::InvalidDestination),
        1 => Scenario::unconnected(Reason::MarkedAsSpam),
        _ => Scenario::failed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        carrier::mix::tests::{check_redials, check_spread},
        retell::scenario::Outcome,
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
                (true, Outcome::Failed | Outcome::Unconnected(_)) => "failed",
                (true, Outcome::Silent) => "not in the mix",
            }
        };
        let promised =
            [("answered", 4500), ("no answer", 3000), ("busy", 1500), ("failed", 500), ("odd", 500)];
        check_spread(|n| format!("+1415{n:07}"), kind, &promised);
    }

    #[test]
    fn a_redial_may_go_another_way_but_goes_it_every_time() {
        check_redials(Scenario::by_number, ["+14155550123"; 2]);
    }
}
