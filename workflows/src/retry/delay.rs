//! Delays as people write them, and delays that grow.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;
use thiserror::Error;

/// Units of a written delay, with their length in seconds, the longest first.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// A time to wait: whole seconds, from 1 second to [`Delay::MAX`].
///
/// Written as numbers with units, the longest first: `90s`, `15m` (minutes), `2h`, `1h30m`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delay {
    seconds: u32,
}

/// A part of a hundred, from 0 to [`Percent::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u8);

/// A delay that doubles with each failure in a row: `first`, twice `first`, and so on up to
/// `cap`; each then shortened by chance, by at most `jitter`.
///
/// Jitter only shortens, so that `cap` is the longest wait there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Delay,
    cap: Delay,
    jitter: Percent,
}

/// Why a delay or a backoff cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DelayError {
    /// Not a delay as we write them.
    #[error("{0:?} is not a delay; write numbers with units, such as 90s, 15m, 2h, 1h30m or 7d")]
    Unreadable(String),
    /// No time at all.
    #[error("a delay of 0 would try again at once and without end; give at least 1s")]
    Zero,
    /// More than [`Delay::MAX`].
    #[error("{0} is too long; give at most {max}", max = Delay::MAX)]
    TooLong(String),
    /// The cap lies under the first delay.
    #[error("`cap` ({cap}) is shorter than `first` ({first}); make it as long or longer")]
    CapBelowFirst {
        /// The first delay.
        first: Delay,
        /// The cap.
        cap: Delay,
    },
    /// Not a percentage in bounds.
    #[error("`jitter_percent` is {0}; give a whole number from 0 to {most}", most = Percent::MOST)]
    Jitter(String),
}

impl Delay {
    /// The longest delay, 90 days. More is taken for a slip: consent seldom lasts so long.
    pub const MAX: Self = Self { seconds: 90 * 86_400 };

    /// So many minutes; for constants, which must lie within bounds.
    pub(super) const fn minutes(minutes: u32) -> Self {
        assert!(minutes > 0 && minutes <= Self::MAX.seconds / 60, "a delay out of bounds");
        Self { seconds: minutes * 60 }
    }

    /// The time to wait.
    pub fn length(self) -> TimeDelta {
        TimeDelta::seconds(self.seconds.into())
    }
}

impl FromStr for Delay {
    type Err = DelayError;

    fn from_str(text: &str) -> Result<Self, DelayError> {
        let seconds = read_seconds(text).ok_or_else(|| DelayError::Unreadable(text.to_owned()))?;
        match u32::try_from(seconds) {
            Ok(0) => Err(DelayError::Zero),
            Ok(seconds) if seconds <= Self::MAX.seconds => Ok(Self { seconds }),
            _ => Err(DelayError::TooLong(text.to_owned())),
        }
    }
}

/// The seconds of a written delay, saturating; `None` if it is none.
fn read_seconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut units = UNITS.iter();
    let mut seconds = None;
    while !rest.is_empty() {
        let (number, unit_on) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let unit = unit_on.chars().next()?;
        // Each unit comes at most once, and none after a shorter one.
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        let count = if number.is_empty() { return None } else { number.parse().unwrap_or(u64::MAX) };
        seconds = Some(count.saturating_mul((*length).into()).saturating_add(seconds.unwrap_or(0)));
        rest = &unit_on[unit.len_utf8()..];
    }
    seconds
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.seconds;
        for (name, length) in UNITS {
            if rest >= length {
                write!(f, "{}{name}", rest / length)?;
            }
            rest %= length;
        }
        Ok(())
    }
}

impl Percent {
    /// The most jitter, in percent: a wait keeps at least half of its length.
    pub const MOST: u8 = 50;

    /// `percent` out of a hundred.
    pub fn new(percent: u8) -> Result<Self, DelayError> {
        if percent > Self::MOST { Err(DelayError::Jitter(percent.to_string())) } else { Ok(Self(percent)) }
    }

    /// The number, from 0 to 50.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Backoff {
    /// From 1 minute to 1 hour, shortened by up to a fifth: long enough for a provider to
    /// recover, short enough to lose no afternoon.
    pub const DEFAULT: Self = Self { first: Delay::minutes(1), cap: Delay::minutes(60), jitter: Percent(20) };

    /// Puts a backoff together.
    pub fn new(first: Delay, cap: Delay, jitter: Percent) -> Result<Self, DelayError> {
        if cap < first {
            return Err(DelayError::CapBelowFirst { first, cap });
        }
        Ok(Self { first, cap, jitter })
    }

    /// The wait after the first failure, before jitter.
    pub fn first(self) -> Delay {
        self.first
    }

    /// The longest wait.
    pub fn cap(self) -> Delay {
        self.cap
    }

    /// By how much chance may shorten a wait.
    pub fn jitter(self) -> Percent {
        self.jitter
    }

    /// The wait after so many failures in a row (0 is taken as 1), in whole milliseconds.
    ///
    /// `chance` is evenly spread over `u64`: 0 leaves the wait whole, the largest number
    /// shortens it by all of the jitter.
    pub fn wait(self, failures: u16, chance: u64) -> TimeDelta {
        // 2^31 seconds are past every cap, so more doublings change nothing.
        let doublings = u32::from(failures.saturating_sub(1)).min(31);
        let whole_s = (u64::from(self.first.seconds) << doublings).min(self.cap.seconds.into());
        let most_cut_ms = u128::from(whole_s * 10 * u64::from(self.jitter.0));
        let cut_ms = (most_cut_ms * u128::from(chance)) >> 64;
        let cut_ms = i64::try_from(cut_ms).expect("a part of 90 days in milliseconds fits");
        let whole = TimeDelta::seconds(i64::try_from(whole_s).expect("at most 90 days"));
        whole - TimeDelta::milliseconds(cut_ms)
    }
}
