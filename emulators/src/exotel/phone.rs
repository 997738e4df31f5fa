//! One phone, however its number is written.

use std::fmt;

/// A phone's identity: `+919876543210`, `09876543210` and `9876543210` are the same one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Phone(pub(crate) u64);

impl Phone {
    /// `None` unless `text` is an optional `+` and 6 to 15 digits, not all of them 0.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let plausible = (6..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plausible {
            return None;
        }
        let national = digits.trim_start_matches('0');
        let national = match national.strip_prefix("91") {
            Some(rest) if rest.len() == 10 => rest,
            _ => national,
        };
        national.parse().ok().map(Self)
    }

    /// Exotel's own way to write it in v1 answers: `0` and ten digits for India, else `+`.
    pub(crate) fn domestic(self) -> String {
        if self.is_indian() { format!("0{}", self.0) } else { format!("+{}", self.0) }
    }

    fn is_indian(self) -> bool {
        (1_000_000_000..10_000_000_000).contains(&self.0)
    }
}

/// E.164.
impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_indian() { write!(f, "+91{}", self.0) } else { write!(f, "+{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_to_write_an_indian_number_are_one_phone() {
        let e164 = Phone::parse("+919876543210").expect("a number");
        assert_eq!(Phone::parse("09876543210"), Some(e164));
        assert_eq!(Phone::parse("9876543210"), Some(e164));
        assert_eq!((e164.domestic(), e164.to_string()), ("09876543210".into(), "+919876543210".into()));
    }

    #[test]
    fn what_cannot_be_dialled_is_no_phone() {
        for text in ["", "+", "12345", "+91 98765", "abcdefgh", "000000", "1234567890123456"] {
            assert_eq!(Phone::parse(text), None, "{text}");
        }
    }
}
