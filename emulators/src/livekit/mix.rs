//! A believable spread of outcomes for a demo, the same on every run.

use std::time::Duration;

use super::{phone, scenario::Scenario};
use crate::carrier::{Dice, Phone, Quirk, Reply};

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
    let mut dice = Dice::of(phone, dial);
    let ring = dice.seconds(3, 15);
    let talk = dice.seconds(10, 150);
    let share = dice.below(100);
    if share < ANSWERED {
        Scenario::answered(talk).ringing_for(ring)
    } else if share < ANSWERED + NO_ANSWER {
        Scenario::no_answer()
    } else if share < ANSWERED + NO_ANSWER + BUSY {
        Scenario::busy().ringing_for(ring)
    } else if share < ANSWERED + NO_ANSWER + BUSY + FAILED {
        Scenario::failed().ringing_for(Duration::from_secs(1))
    } else {
        misfortune(&mut dice, talk).ringing_for(ring)
    }
}

fn misfortune(dice: &mut Dice, talk: Duration) -> Scenario {
    let answered = Scenario::answered(talk);
    match dice.below(8) {
        0 | 1 => answered.with(Quirk::AcceptThenDrop),
        2 => answered.with(Quirk::DuplicateCallbacks { extra: 2 }),
        3 => answered.with(Quirk::ReorderedCallbacks),
        4 => answered.with(Quirk::NoCallbacks),
        5 => answered.with(Quirk::Reply(Reply::throttled(1, Some(1)))),
        6 => Scenario::no_answer().with(Quirk::Reply(Reply::server_error(503, true))),
        _ => Scenario::no_answer().with(Quirk::DropBeforeAccepting { times: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::livekit::scenario::Outcome;

    #[test]
    fn ten_thousand_numbers_spread_as_promised() {
        let (mut answered, mut no_answer, mut busy, mut failed, mut odd) = (0_i32, 0, 0, 0, 0);
        for n in 0..10_000 {
            let scenario = Scenario::by_number(&format!("+9198{n:08}"), 0);
            match (scenario.quirks.is_empty(), scenario.outcome) {
                (false, _) => odd += 1,
                (true, Outcome::Answered { .. }) => answered += 1,
                (true, Outcome::NoAnswer) => no_answer += 1,
                (true, Outcome::Busy) => busy += 1,
                (true, Outcome::Failed) => failed += 1,
                (true, Outcome::Rejected | Outcome::InvalidNumber | Outcome::NoMedia | Outcome::Silent) => {
                    unreachable!("not in the mix")
                }
            }
        }
        for (count, share) in [(answered, 4500), (no_answer, 3000), (busy, 1500), (failed, 500), (odd, 500)] {
            assert!((count - share).abs() < 200, "{count} is far from {share}");
        }
    }

    #[test]
    fn the_same_number_and_dial_always_go_the_same_way() {
        let once = Scenario::by_number("+919876543210", 3);
        assert_eq!(once, Scenario::by_number("919876543210", 3));
    }

    #[test]
    fn a_redial_may_go_another_way() {
        let ways: Vec<_> = (0..20).map(|dial| Scenario::by_number("+919876543210", dial).outcome).collect();
        assert!(ways.iter().any(|way| *way != ways[0]));
    }
}
