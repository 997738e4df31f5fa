//! A believable spread of outcomes for a demo, the same on every run.

use std::time::Duration;

use super::scenario::{Answerer, Scenario};
use crate::carrier::{Dice, Phone, Quirk, Reply};

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
    let mut dice = Dice::of(phone, dial);
    let ring = dice.seconds(3, 15);
    let talk = dice.seconds(10, 150);
    let mut share = dice.below(100);
    let mut falls_to = |part: u64| {
        let hit = share < part;
        share = share.wrapping_sub(part);
        hit
    };
    if falls_to(ANSWERED) {
        Scenario::answered(talk).ringing_for(ring)
    } else if falls_to(VOICEMAIL) {
        Scenario::answered(Duration::from_secs(30)).by(Answerer::MachineWithBeep).ringing_for(ring)
    } else if falls_to(NO_ANSWER) {
        Scenario::no_answer()
    } else if falls_to(BUSY) {
        Scenario::busy().ringing_for(ring)
    } else if falls_to(REJECTED) {
        Scenario::rejected().ringing_for(ring)
    } else if falls_to(FAILED) {
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
        5 => answered.with(Quirk::Reply(throttled())),
        6 => Scenario::no_answer().with(Quirk::Reply(Reply::server_error(503, true))),
        _ => Scenario::no_answer().with(Quirk::DropBeforeAccepting { times: 1 }),
    }
}

fn throttled() -> Reply {
    Reply::refusal(429, "90103", "Dials per second limit exceeded", 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telnyx::scenario::Outcome;

    #[test]
    fn ten_thousand_numbers_spread_as_promised() {
        let (mut answered, mut machine, mut no_answer, mut busy, mut rejected, mut failed, mut odd) =
            (0_i32, 0, 0, 0, 0, 0, 0);
        for n in 0..10_000 {
            let scenario = Scenario::by_number(&format!("+1415{n:07}"), 0);
            match (scenario.quirks.is_empty(), scenario.outcome, scenario.answerer) {
                (false, _, _) => odd += 1,
                (true, Outcome::Answered { .. }, Answerer::Human) => answered += 1,
                (true, Outcome::Answered { .. }, _) => machine += 1,
                (true, Outcome::NoAnswer, _) => no_answer += 1,
                (true, Outcome::Busy, _) => busy += 1,
                (true, Outcome::Rejected, _) => rejected += 1,
                (true, Outcome::Failed, _) => failed += 1,
                (true, Outcome::Silent, _) => unreachable!("not in the mix"),
            }
        }
        let counts = [answered, machine, no_answer, busy, rejected, failed, odd];
        for (count, share) in counts.into_iter().zip([4000, 1000, 2500, 1200, 400, 400, 500]) {
            assert!((count - share).abs() < 200, "{count} is far from {share}");
        }
    }

    #[test]
    fn a_redial_may_go_another_way_but_goes_it_every_time() {
        let way = |dial| Scenario::by_number("+14155550100", dial).outcome;
        assert!((0..20).any(|dial| way(dial) != way(0)));
        assert!((0..20).all(|dial| way(dial) == way(dial)));
    }
}
