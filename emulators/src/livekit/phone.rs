//! `sip_call_to`: a number, or the name of a SIP user.

use crate::carrier::Phone;

/// `None` unless `text` is an optional `+` and 6 to 15 digits of which the first is not 0.
pub(super) fn parse(text: &str) -> Option<Phone> {
    if text.starts_with('+') { Phone::e164(text) } else { Phone::e164(&format!("+{text}")) }
}

/// The line that `sip_call_to` rings. All users whose name is not a number share one, `+0`.
pub(super) fn line(sip_call_to: &str) -> Phone {
    parse(sip_call_to).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_phone_with_and_without_its_plus() {
        assert_eq!(parse("15550100"), parse("+15550100"));
        assert_eq!(line("+15550100").to_string(), "+15550100");
    }

    #[test]
    fn users_that_are_no_numbers_share_a_line() {
        assert_eq!(line("alice"), line("bob"));
        assert_eq!(parse("alice"), None);
    }
}
