//! One phone, whatever a carrier's way to write its number.

use std::fmt;

/// A phone's identity: the digits of its number in E.164.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Phone(pub(crate) u64);

impl Phone {
    /// `None` unless `text` is a `+` and 6 to 15 digits of which the first is not 0.
    pub fn e164(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let plausible = (6..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if plausible { digits.parse().ok().map(Self) } else { None }
    }
}

/// E.164.
impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_e164_is_read_and_written_alike() {
        for text in ["+14155550100", "+4512345678", "+919876543210"] {
            assert_eq!(Phone::e164(text).expect("a number").to_string(), text);
        }
    }

    #[test]
    fn what_is_not_e164_is_no_phone() {
        for text in ["", "+", "14155550100", "+1 415", "+0145555010", "+12345", "+1234567890123456"] {
            assert_eq!(Phone::e164(text), None, "{text}");
        }
    }
}
