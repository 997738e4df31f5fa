//! Chance that falls the same way on every run.

use std::time::Duration;

use super::Phone;

/// A stream of numbers from a seed (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of `phone`'s dial number `dial`, counted from 0.
    pub(crate) fn of(phone: Phone, dial: u32) -> Self {
        Self(scramble(phone.0 ^ (u64::from(dial) << 52)))
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0) % bound
    }

    /// So many seconds, or up to `span` more.
    pub(crate) fn seconds(&mut self, least: u64, span: u64) -> Duration {
        Duration::from_secs(least + self.below(span))
    }
}

fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
