//! Amounts of money, in whatever currency the account is billed in.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};

use serde::{Deserialize, Serialize};

/// An amount in minor units of the currency, such as paise or cents: what people set bounds in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minor(pub u32);

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// What a call cost, in millionths of the currency's unit: carriers bill in fractions of a minor unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cost {
    /// Millionths of a rupee, a dollar.
    pub micros: i64,
}

impl Cost {
    /// A carrier's decimal number, such as `1.500`; digits beyond the sixth are cut off. `None` if it is
    /// something else, or negative.
    pub fn parse(text: &str) -> Option<Self> {
        let (units, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if units.is_empty() || !digits(units) || !digits(fraction) {
            return None;
        }
        let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
        let micros = units.parse::<i64>().ok()?.checked_mul(1_000_000)?;
        Some(Self { micros: micros.checked_add(fraction.parse().ok()?)? })
    }
}

impl From<Minor> for Cost {
    fn from(Minor(minor): Minor) -> Self {
        Self { micros: i64::from(minor) * 10_000 }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { micros: self.micros.saturating_add(other.micros) }
    }
}

impl Mul<u32> for Cost {
    type Output = Self;

    fn mul(self, times: u32) -> Self {
        Self { micros: self.micros.saturating_mul(times.into()) }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, rest) = (self.micros / 1_000_000, self.micros % 1_000_000);
        match rest % 10_000 {
            0 => write!(f, "{units}.{:02}", rest / 10_000),
            _ => write!(f, "{units}.{rest:06}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_prices_are_read_to_the_millionth() {
        for (text, micros) in [
            ("1.500", Some(1_500_000)),
            ("0", Some(0)),
            ("12", Some(12_000_000)),
            ("0.0071234", Some(7_123)),
            (" 3.2 ", Some(3_200_000)),
            ("-1", None),
            ("1,5", None),
            ("", None),
            (".5", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(Cost::parse(text).map(|cost| cost.micros), micros, "{text}");
        }
    }

    #[test]
    fn amounts_are_written_as_people_write_them() {
        assert_eq!(Minor(123_405).to_string(), "1234.05");
        assert_eq!(Cost { micros: 1_500_000 }.to_string(), "1.50");
        assert_eq!(Cost { micros: 7_123 }.to_string(), "0.007123");
        assert_eq!(Cost::from(Minor(250)), Cost { micros: 2_500_000 });
    }
}
