//! What an operator says about a LiveKit project.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::providers::Permit;

/// An API key of the project, which also signs its webhooks. Never printed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The key: whose tokens these are.
    pub api_key: String,
    /// The secret that signs them.
    pub api_secret: SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// How to deal with the project. Everything but the trunk has a default.
///
/// ```
/// use outdial_jobs::providers::livekit::Settings;
/// let read: Settings = serde_json::from_str(r#"{"sip_trunk_id": "ST_1"}"#).expect("settings");
/// assert_eq!(read, Settings { sip_trunk_id: "ST_1".into(), ..Settings::default() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The outbound trunk that calls go out through, `ST_…`. It must be given.
    pub sip_trunk_id: String,
    /// Whether LiveKit takes noise out of what the person says. Default false: only LiveKit Cloud can,
    /// and charges for it.
    pub krisp_enabled: bool,
    /// How long the room of a call may take to be made, in milliseconds. 1 to 1,500; default 800: what is
    /// left of the two seconds that a permit lasts is then enough for the dial request.
    pub room_timeout_ms: u32,
    /// How long a room waits for its first caller before it closes and sends the agent away, in seconds.
    /// At least 31; default 60: LiveKit may take 30 s over a dial request, and would make a new room,
    /// without an agent, in place of one that is gone.
    pub room_empty_s: u32,
    /// How long to wait for the answer to any other request, in milliseconds. At least 1; default 10,000,
    /// as in the official clients.
    pub request_timeout_ms: u32,
    /// The first question about a dial without a result, after it became unknown, in milliseconds.
    /// Doubles up to `ask_cap_ms`. Default 5,000.
    pub ask_first_ms: u32,
    /// The first question about an accepted call, after it was accepted, in milliseconds. Doubles
    /// up to `ask_cap_ms`. Default 15,000: no webhook tells of the answer, so that only a question
    /// shows a conversation under way.
    pub poll_first_ms: u32,
    /// The longest pause between two questions about one call, in milliseconds. Default 60,000.
    pub ask_cap_ms: u32,
    /// How long after a call's longest possible end nothing can be heard of it any more, in
    /// milliseconds. Default 120,000: LiveKit may take 30 s over a dial request before it dials, and gives
    /// up on a webhook after some 45 s.
    pub absent_margin_ms: u32,
    /// For emulated carriers, whose phones are faster than life: when silence about a dial is
    /// conclusive, in milliseconds after its submission. Without it, the ring timeout, the call time
    /// limit and `absent_margin_ms` together.
    pub absent_after_ms: Option<u32>,
    /// When a submitted request without any result is given up as unknown, in milliseconds.
    /// Default 20,000; more than `request_timeout_ms` and the permit's 2,000 together.
    pub silence_ms: u32,
    /// How many questions may be asked in a minute. At least 1; default 300: LiveKit documents no limit, and
    /// this asks about some hundred calls at once.
    pub reads_per_minute: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sip_trunk_id: String::new(),
            krisp_enabled: false,
            room_timeout_ms: 800,
            room_empty_s: 60,
            request_timeout_ms: 10_000,
            ask_first_ms: 5_000,
            poll_first_ms: 15_000,
            ask_cap_ms: 60_000,
            absent_margin_ms: 120_000,
            absent_after_ms: None,
            silence_ms: 20_000,
            reads_per_minute: 300,
        }
    }
}

/// The longest time that a room may take to be made.
const ROOM_TIMEOUT_MAX_MS: u32 = 1_500;

/// LiveKit may take so long over a dial request.
const DIAL_TIMEOUT_S: u32 = 30;

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An address that requests cannot be sent to.
    #[error("the address must look like https://example.livekit.cloud, without a query or credentials")]
    Address,
    /// Nothing can be signed.
    #[error("{0} is empty; copy it from the API keys of the project")]
    NoKey(&'static str),
    /// Nothing can be dialled.
    #[error("sip_trunk_id is not a trunk's; give the id of an outbound trunk of the project, like ST_abc123")]
    NoTrunk,
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
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let trunk = &self.sip_trunk_id;
        if trunk.is_empty() || trunk.chars().any(char::is_whitespace) {
            return Err(SettingsError::NoTrunk);
        }
        let silence_least = u64::from(self.request_timeout_ms) + permit_ms();
        let bounds = [
            (
                (1..=ROOM_TIMEOUT_MAX_MS).contains(&self.room_timeout_ms),
                "room_timeout_ms",
                "give 1 to 1500, so that time is left to dial",
            ),
            (
                self.room_empty_s > DIAL_TIMEOUT_S,
                "room_empty_s",
                "give at least 31: LiveKit may take 30 s to dial",
            ),
            (self.request_timeout_ms >= 1, "request_timeout_ms", "give at least 1"),
            (self.ask_first_ms >= 1, "ask_first_ms", "give at least 1"),
            (self.poll_first_ms >= 1, "poll_first_ms", "give at least 1"),
            (
                self.ask_cap_ms >= self.ask_first_ms.max(self.poll_first_ms),
                "ask_cap_ms",
                "give at least ask_first_ms and poll_first_ms",
            ),
            (
                u64::from(self.silence_ms) > silence_least,
                "silence_ms",
                "give more than request_timeout_ms and 2000 together, so that a live sender has had its say",
            ),
            (self.reads_per_minute >= 1, "reads_per_minute", "give at least 1"),
        ];
        match bounds.into_iter().find(|(sound, ..)| !sound) {
            Some((_, name, remedy)) => Err(SettingsError::Bounds { name, remedy }),
            None => Ok(()),
        }
    }

    pub(super) fn room_timeout(&self) -> Duration {
        Duration::from_millis(self.room_timeout_ms.into())
    }

    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.into())
    }

    /// When silence about a dial is conclusive, for a call that lasts no longer than this.
    pub(super) fn absent_after(&self, longest_call: TimeDelta) -> TimeDelta {
        self.absent_after_ms.map_or(longest_call + millis(self.absent_margin_ms), millis)
    }
}

pub(super) fn millis(ms: u32) -> TimeDelta {
    TimeDelta::milliseconds(ms.into())
}

fn permit_ms() -> u64 {
    u64::try_from(Permit::VALID_FOR.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let good: Settings = serde_json::from_str(r#"{"sip_trunk_id": "ST_1"}"#).expect("settings");
        assert_eq!(good.check(), Ok(()));
        for (text, name) in [
            (r#"{}"#, "sip_trunk_id"),
            (r#"{"sip_trunk_id": " "}"#, "sip_trunk_id"),
            (r#"{"sip_trunk_id": "ST_1", "room_timeout_ms": 1501}"#, "room_timeout_ms"),
            (r#"{"sip_trunk_id": "ST_1", "room_empty_s": 30}"#, "room_empty_s"),
            (r#"{"sip_trunk_id": "ST_1", "request_timeout_ms": 0}"#, "request_timeout_ms"),
            (r#"{"sip_trunk_id": "ST_1", "silence_ms": 12000}"#, "silence_ms"),
            (r#"{"sip_trunk_id": "ST_1", "ask_cap_ms": 10}"#, "ask_cap_ms"),
            (r#"{"sip_trunk_id": "ST_1", "reads_per_minute": 0}"#, "reads_per_minute"),
        ] {
            let read: Settings = serde_json::from_str(text).expect(text);
            assert!(read.check().expect_err(text).to_string().contains(name), "{text}");
        }
        assert!(serde_json::from_str::<Settings>(r#"{"trunk": "ST_1"}"#).is_err());
    }

    #[test]
    fn silence_is_conclusive_once_no_call_could_last_and_no_webhook_be_on_its_way() {
        let longest = TimeDelta::seconds(630);
        assert_eq!(Settings::default().absent_after(longest), TimeDelta::seconds(750));
        let emulated = Settings { absent_after_ms: Some(900), ..Settings::default() };
        assert_eq!(emulated.absent_after(longest), TimeDelta::milliseconds(900));
    }

    #[test]
    fn credentials_are_never_printed() {
        let text = r#"{"api_key": "APIkey1", "api_secret": "secret1"}"#;
        let read: Credentials = serde_json::from_str(text).expect("credentials");
        let shown = format!("{read:?}");
        assert!(!shown.contains("APIkey1") && !shown.contains("secret1"), "{shown}");
        assert!(serde_json::from_str::<Credentials>(r#"{"api_key": "APIkey1"}"#).is_err());
    }
}
