//! What an operator says about a Telnyx account.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::providers::Permit;

/// What Telnyx's portal shows under "Keys & Credentials". Never printed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The API key (v2): the bearer token of every request.
    pub api_key: SecretString,
    /// The account's public key, base64 of 32 bytes: what webhooks are verified with.
    pub public_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

/// How answering machines are told from people, in Telnyx's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detection {
    /// Not at all.
    #[default]
    Disabled,
    /// Whether it is a person or a machine.
    Detect,
    /// The same, and when a machine beeps.
    DetectBeep,
    /// The same, by the length of the greeting in words, and when it ends.
    DetectWords,
    /// The same, and when a machine's greeting ends.
    GreetingEnd,
    /// By better means, faxes and silence told apart. Billed apart.
    Premium,
    /// The same, with phones that ask who is calling told apart too.
    PremiumIosCallScreeningDetection,
}

/// How the two sides of a recording are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Mixed.
    Single,
    /// One channel each, so that who speaks can be told.
    #[default]
    Dual,
}

/// How to deal with the account. Everything but `connection_id` has a default; flows need `account_sid` too.
///
/// ```
/// use outdial_jobs::providers::telnyx::Settings;
/// let read: Settings = serde_json::from_str(r#"{"connection_id": "1494404757140276705"}"#).expect("settings");
/// assert_eq!(read, Settings { connection_id: "1494404757140276705".into(), ..Settings::default() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The id of the Call Control application that calls are placed through. Required; where flows alone are
    /// dialled, the id of a TeXML application serves, since Telnyx lists the active calls of either.
    pub connection_id: String,
    /// The account that TeXML calls are read and ended under: the `AccountSid` of every TeXML callback and
    /// request for instructions. Calls that a TeXML application answers need it; it has no default.
    pub account_sid: Option<String>,
    /// The id of the TeXML application that runs flows of ours; the address that it has is not asked then. Without it,
    /// `connection_id`, which serves if that is one.
    pub texml_application_id: Option<String>,
    /// The address of the TeXML that calls of flows run. Telnyx asks it by POST. Without it, the address that
    /// the TeXML application has.
    pub texml_url: Option<Url>,
    /// Whether and how machines are detected. Default `disabled`: it costs extra, and takes up to 30 s.
    /// A machine makes the call's outcome *voicemail*; the call itself goes on.
    pub answering_machine_detection: Detection,
    /// How calls that the campaign's rules have recorded are kept. Default `dual`. Telnyx's addresses of
    /// recordings are good for ten minutes, unless the account stores them publicly.
    pub record_channels: Channels,
    /// How long to wait before each new delivery of a webhook that we did not take, in milliseconds. At
    /// most 5, 60,000 in all (Telnyx's bounds); default 1,000, 4,000, 10,000, 15,000, 30,000, so that a
    /// restart of ours loses nothing. With none, Telnyx's own schedule, which it does not document.
    pub webhook_retries_ms: Vec<u32>,
    /// How long to wait for an answer, in milliseconds. At least 1; default 10,000.
    pub request_timeout_ms: u32,
    /// The first question about a dial without a result, after it became unknown, in milliseconds.
    /// Doubles up to `ask_cap_ms`. Default 5,000, so that a request can be sent again within the minute in
    /// which Telnyx tells copies apart.
    pub ask_first_ms: u32,
    /// The first question about an accepted call, after it was accepted, in milliseconds. Doubles
    /// up to `ask_cap_ms`. Default 90,000: by then most calls have ended and said so themselves.
    pub poll_first_ms: u32,
    /// The longest pause between two questions about one call, in milliseconds. At most 300,000: an ended
    /// call can be read for ten minutes only. Default 120,000.
    pub ask_cap_ms: u32,
    /// How long after a call's end Telnyx's logs may still lack why it ended, in milliseconds; later, its
    /// end is taken without. Default 120,000: the lag is not documented, and webhooks are retried for 60,000.
    pub cause_after_ms: u32,
    /// How long after a call's longest possible end Telnyx's logs may still lack it, in milliseconds.
    /// Default 300,000, since the lag is not documented.
    pub absent_margin_ms: u32,
    /// For emulated carriers, whose phones are faster than life: when silence about a dial is
    /// conclusive, in milliseconds after its submission. Without it, the ring timeout, the call time
    /// limit and `absent_margin_ms` together.
    pub absent_after_ms: Option<u32>,
    /// When a submitted request without any result is given up as unknown, in milliseconds.
    /// Default 20,000; more than `request_timeout_ms` and the permit's 2,000 together.
    pub silence_ms: u32,
    /// How many requests a minute may be reads. 1 to 6,000; default 300. Telnyx's limit on requests is not
    /// documented, and apart from that on dials.
    pub reads_per_minute: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connection_id: String::new(),
            account_sid: None,
            texml_application_id: None,
            texml_url: None,
            answering_machine_detection: Detection::default(),
            record_channels: Channels::default(),
            webhook_retries_ms: vec![1_000, 4_000, 10_000, 15_000, 30_000],
            request_timeout_ms: 10_000,
            ask_first_ms: 5_000,
            poll_first_ms: 90_000,
            ask_cap_ms: 120_000,
            cause_after_ms: 120_000,
            absent_margin_ms: 300_000,
            absent_after_ms: None,
            silence_ms: 20_000,
            reads_per_minute: 300,
        }
    }
}

/// Telnyx's bounds on deliveries of one webhook.
const WEBHOOK_RETRIES_MAX: usize = 5;
const WEBHOOK_RETRIES_SUM_MS_MAX: u64 = 60_000;

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An address that requests cannot be sent to.
    #[error("base_url must look like https://api.telnyx.com, without /v2, a query or credentials")]
    Address,
    /// Nothing proves that the account is ours.
    #[error("api_key is empty; copy one from Keys & Credentials in Telnyx's portal")]
    NoKey,
    /// No webhook could be verified.
    #[error("public_key is not base64 of an Ed25519 key; copy it from Keys & Credentials in Telnyx's portal")]
    PublicKey,
    /// Calls are placed through an application.
    #[error("connection_id must be the id of a Call Control application; copy it from Telnyx's portal")]
    Connection,
    /// TeXML calls could not be asked about.
    #[error("account_sid must be the AccountSid that Telnyx names in the account's TeXML callbacks")]
    AccountSid,
    /// No flow of ours could be run.
    #[error("texml_application_id must be the id of a TeXML application; copy it from Telnyx's portal")]
    TexmlApplication,
    /// Telnyx could not ask for instructions, or the settings would hold a password.
    #[error("texml_url must be an http or https address, without credentials")]
    TexmlUrl,
    /// A number that cannot work.
    #[error("{name} is out of bounds; {remedy}")]
    Bounds {
        /// Which one.
        name: &'static str,
        /// What would be right.
        remedy: &'static str,
    },
}

impl Settings {
    /// The application that runs flows of ours.
    pub(super) fn texml_application(&self) -> &str {
        self.texml_application_id.as_deref().unwrap_or(&self.connection_id)
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if !is_id(&self.connection_id) {
            return Err(SettingsError::Connection);
        }
        if self.account_sid.as_deref().is_some_and(|sid| !is_id(sid)) {
            return Err(SettingsError::AccountSid);
        }
        if self.texml_application_id.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(SettingsError::TexmlApplication);
        }
        if self.texml_url.as_ref().is_some_and(|url| !is_public_address(url)) {
            return Err(SettingsError::TexmlUrl);
        }
        let retries_ms: u64 = self.webhook_retries_ms.iter().copied().map(u64::from).sum();
        let silence_least = u64::from(self.request_timeout_ms) + permit_ms();
        let bounds = [
            (
                self.webhook_retries_ms.len() <= WEBHOOK_RETRIES_MAX
                    && retries_ms <= WEBHOOK_RETRIES_SUM_MS_MAX,
                "webhook_retries_ms",
                "give at most 5, and 60000 in all",
            ),
            (self.request_timeout_ms >= 1, "request_timeout_ms", "give at least 1"),
            (self.ask_first_ms >= 1, "ask_first_ms", "give at least 1"),
            (self.poll_first_ms >= 1, "poll_first_ms", "give at least 1"),
            (
                (self.ask_first_ms.max(self.poll_first_ms)..=300_000).contains(&self.ask_cap_ms),
                "ask_cap_ms",
                "give at least ask_first_ms and poll_first_ms, and at most 300000",
            ),
            (
                u64::from(self.silence_ms) > silence_least,
                "silence_ms",
                "give more than request_timeout_ms and 2000 together, so that a live sender has had its say",
            ),
            ((1..=6_000).contains(&self.reads_per_minute), "reads_per_minute", "give 1 to 6000"),
        ];
        match bounds.into_iter().find(|(sound, ..)| !sound) {
            Some((_, name, remedy)) => Err(SettingsError::Bounds { name, remedy }),
            None => Ok(()),
        }
    }

    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.into())
    }

    /// When silence about a dial is conclusive, for a call that lasts no longer than this.
    pub(super) fn absent_after(&self, longest_call: TimeDelta) -> TimeDelta {
        self.absent_after_ms.map_or(longest_call + millis(self.absent_margin_ms), millis)
    }
}

/// Telnyx's ids are digits, or UUIDs.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Settings are shown, so that what is secret must not be in them.
fn is_public_address(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
}

pub(super) fn millis(ms: u32) -> TimeDelta {
    TimeDelta::milliseconds(ms.into())
}

fn permit_ms() -> u64 {
    u64::try_from(Permit::VALID_FOR.as_millis()).unwrap_or(u64::MAX)
}
