//! Names in the environment that other systems gave to what we have.

/// Settings that are known under further names, beside their own.
pub(super) const ALIASES: [(&str, &[&str]); 1] =
    [("serve.public_url", &["OUR_BASE_URL", "WEBHOOK_BASE_URL"])];

/// The further names of a setting.
pub(super) fn aliases(key: &str) -> &'static [&'static str] {
    ALIASES.iter().find(|(of, _)| *of == key).map_or(&[], |(_, names)| names)
}

/// Names that are known and that nothing reads yet, with what each is for. `config show` lists those that are
/// set, so that nobody believes them to be at work.
pub(super) const PLANNED: [(&str, &str); 3] = [
    ("TELNYX_PHONE_NUMBER", "The number that calls through Telnyx come from."),
    ("SINCH_API_KEY", "Messages through Sinch."),
    ("CROSS_PLATFORM_SESSION_SECRET", "Sessions across channels."),
];
