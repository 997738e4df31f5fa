//! What the mixes of all carriers have in common: believable outcomes, the same on every run.

use std::time::Duration;

use super::{Dice, Phone, Quirk, Reply};

/// One dial's draw: how long it rings, how long it is talked, and what it falls to.
pub(crate) struct Draw {
    pub(crate) dice: Dice,
    pub(crate) ring: Duration,
    pub(crate) talk: Duration,
    /// Of a hundred, less the parts it has not fallen to.
    share: u64,
}

impl Draw {
    /// The draw of `phone`'s dial number `dial`, counted from 0.
    pub(crate) fn of(phone: Phone, dial: u32) -> Self {
        let mut dice = Dice::of(phone, dial);
        let ring = dice.seconds(3, 15);
        let talk = dice.seconds(10, 150);
        let share = dice.below(100);
        Self { dice, ring, talk, share }
    }

    /// Whether it falls to the next `part` of a hundred dials.
    pub(crate) fn falls_to(&mut self, part: u64) -> bool {
        let hit = self.share < part;
        self.share = self.share.wrapping_sub(part);
        hit
    }
}

/// A scenario as far as a mix makes it.
pub(crate) trait Outcomes: Sized {
    fn answered(talk: Duration) -> Self;
    fn no_answer() -> Self;
    fn with(self, quirk: Quirk) -> Self;
    fn ringing_for(self, ring: Duration) -> Self;
}

/// One of the ways in which a dial goes wrong.
pub(crate) fn misfortune<S: Outcomes>(draw: &mut Draw, throttled: Reply, broken: Reply) -> S {
    let answered = S::answered(draw.talk);
    let wrong = match draw.dice.below(8) {
        0 | 1 => answered.with(Quirk::AcceptThenDrop),
        2 => answered.with(Quirk::DuplicateCallbacks { extra: 2 }),
        3 => answered.with(Quirk::ReorderedCallbacks),
        4 => answered.with(Quirk::NoCallbacks),
        5 => answered.with(Quirk::Reply(throttled)),
        6 => S::no_answer().with(Quirk::Reply(broken)),
        _ => S::no_answer().with(Quirk::DropBeforeAccepting { times: 1 }),
    };
    wrong.ringing_for(draw.ring)
}

#[cfg(test)]
pub(crate) mod tests {
    /// Ten thousand dials spread over kinds as promised, in parts of ten thousand.
    pub(crate) fn check_spread<K: PartialEq + std::fmt::Debug>(
        number: impl Fn(u32) -> String,
        kind: impl Fn(&str) -> K,
        promised: &[(K, usize)],
    ) {
        let kinds: Vec<K> = (0..10_000).map(|n| kind(&number(n))).collect();
        for (wanted, share) in promised {
            let count = kinds.iter().filter(|kind| *kind == wanted).count();
            assert!(count.abs_diff(*share) < 200, "{count} of {wanted:?} is far from {share}");
        }
        assert!(kinds.iter().all(|kind| promised.iter().any(|(wanted, _)| kind == wanted)));
    }

    /// A number goes the same way at the same dial however it is written, and may go another way when
    /// it is dialled again.
    pub(crate) fn check_redials<S: PartialEq>(way: impl Fn(&str, u32) -> S, written: [&str; 2]) {
        assert!((0..20).all(|dial| way(written[0], dial) == way(written[1], dial)));
        assert!((0..20).any(|dial| way(written[0], dial) != way(written[0], 0)));
    }
}
