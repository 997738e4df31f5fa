//! Makes what a carrier says fit to be stored and shown.

/// More of a message than this is cut off.
const LENGTH_MAX: usize = 300;

/// A secret shorter than this is none, and would mask half the words.
const SECRET_MIN: usize = 4;

/// A run of at least this many digits may be a phone number.
const NUMBER_DIGITS: usize = 7;

/// `text` in one line of at most 300 characters, without these secrets and without what could be a
/// phone number.
pub(super) fn tidy(text: &str, secrets: &[&str]) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for secret in secrets.iter().filter(|secret| secret.len() >= SECRET_MIN) {
        text = text.replace(secret, "***");
    }
    let mut masked = mask_numbers(&text);
    if let Some((cut, _)) = masked.char_indices().nth(LENGTH_MAX) {
        masked.truncate(cut);
        masked.push('…');
    }
    masked
}

/// An error with its causes, without the address it happened at; not yet tidy.
pub(super) fn words_of(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Replaces each run of digits that is long enough, single spaces and dashes within included.
fn mask_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let (run, digits) = number_run(from);
        out.push_str(if digits >= NUMBER_DIGITS { "[number]" } else { run });
        rest = &from[run.len()..];
    }
    out.push_str(rest);
    out
}

/// The leading run of digits, with single separators between them, and how many digits it has.
fn number_run(text: &str) -> (&str, usize) {
    let (mut end, mut digits) = (0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '0'..='9' => (end, digits) = (at + 1, digits + 1),
            ' ' | '-' | '.' if at == end => {}
            _ => break,
        }
    }
    (&text[..end], digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_credentials_are_masked_and_the_rest_is_kept() {
        let secrets = ["token1", "key1", "", "a"];
        for (said, kept) in [
            ("Call to 09876543210 can not be made", "Call to [number] can not be made"),
            ("+91 98765-43210 is no good", "+[number] is no good"),
            ("wait 60 s, code 1002", "wait 60 s, code 1002"),
            ("key1:token1 is\n  wrong", "***:*** is wrong"),
            ("नमस्ते 1234567", "नमस्ते [number]"),
        ] {
            assert_eq!(tidy(said, &secrets), kept);
        }
        assert_eq!(tidy(&"ä".repeat(1_000), &secrets).chars().count(), 301);
    }
}
