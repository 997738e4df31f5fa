//! Exotel's own ways to write a number: besides E.164, `09876543210` and `9876543210` are Indian ones.

use crate::carrier::Phone;

/// India's country code, before ten digits.
const INDIA: u64 = 91 * TEN_DIGITS;
const TEN_DIGITS: u64 = 10_000_000_000;

/// `None` unless `text` is an optional `+` and 6 to 15 digits, not all of them 0.
pub(super) fn parse(text: &str) -> Option<Phone> {
    if text.starts_with('+') {
        return Phone::e164(text);
    }
    let plausible = (6..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = text.parse().ok().filter(|number| plausible && *number > 0)?;
    let ten_digits = (TEN_DIGITS / 10..TEN_DIGITS).contains(&number);
    Some(Phone(if ten_digits { INDIA + number } else { number }))
}

/// How v1 answers write it: `0` and ten digits for India, else E.164.
pub(super) fn domestic(phone: Phone) -> String {
    match phone.0.checked_sub(INDIA) {
        Some(national @ 0..TEN_DIGITS) => format!("0{national}"),
        _ => phone.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_to_write_an_indian_number_are_one_phone() {
        let e164 = parse("+919876543210").expect("a number");
        assert_eq!(parse("09876543210"), Some(e164));
        assert_eq!(parse("9876543210"), Some(e164));
        assert_eq!((domestic(e164), e164.to_string()), ("09876543210".into(), "+919876543210".into()));
    }

    #[test]
    fn what_cannot_be_dialled_is_no_phone() {
        for text in ["", "+", "12345", "+91 98765", "abcdefgh", "000000", "1234567890123456"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
