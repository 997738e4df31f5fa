//! How an operator wants a Retell workspace dealt with.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::providers::Permit;

/// How to deal with the workspace. Everything has a default; `{}` is good for most.
///
/// ```
/// use outdial_jobs::providers::retell::Settings;
/// let read: Settings = serde_json::from_str(r#"{"live_transcripts": true}"#).expect("settings");
/// assert_eq!(read, Settings { live_transcripts: true, ..Settings::default() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether calls turn down numbers that the workspace's own contacts mark as do-not-call. Default true:
    /// Retell sets the mark when a person asks an agent of the workspace not to be called again.
    pub honor_internal_dnc: bool,
    /// Whether what is said is told while it is said, at a webhook for each turn. Default false: the whole
    /// transcript comes with the end of the call.
    pub live_transcripts: bool,
    /// How long to wait for an answer, in milliseconds. At least 1; default 10,000.
    pub request_timeout_ms: u32,
    /// The first question about a dial without a result, after it became unknown, in milliseconds.
    /// Doubles up to `ask_cap_ms`. Default 5,000.
    pub ask_first_ms: u32,
    /// The first question about an accepted call, after it was accepted, in milliseconds. Doubles
    /// up to `ask_cap_ms`. Default 90,000: by then most calls have ended and said so themselves.
    pub poll_first_ms: u32,
    /// The longest pause between two questions about one call, in milliseconds. Default 120,000.
    pub ask_cap_ms: u32,
    /// How long after a call's longest possible end Retell's lists may still lack it, in milliseconds. At
    /// least and by default 120,000: Retell does not say how far its lists lag behind.
    pub absent_margin_ms: u32,
    /// For emulated carriers, whose phones are faster than life: when silence about a dial is
    /// conclusive, in milliseconds after its submission. Without it, the time in which the request may be
    /// repeated, the ring timeout, the call time limit and `absent_margin_ms` together.
    pub absent_after_ms: Option<u32>,
    /// When a submitted request without any result is given up as unknown, in milliseconds.
    /// Default 20,000; more than `request_timeout_ms` and the permit's 2,000 together.
    pub silence_ms: u32,
    /// How many reads a minute may be made of calls. 1 to 6,000; default 120. Retell limits requests and does
    /// not say to how many; this asks once in two minutes about each of 240 calls.
    pub reads_per_minute: u32,
}

/// The least of [`Settings::absent_margin_ms`].
const MARGIN_LEAST_MS: u32 = 120_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            honor_internal_dnc: true,
            live_transcripts: false,
            request_timeout_ms: 10_000,
            ask_first_ms: 5_000,
            poll_first_ms: 90_000,
            ask_cap_ms: 120_000,
            absent_margin_ms: MARGIN_LEAST_MS,
            absent_after_ms: None,
            silence_ms: 20_000,
            reads_per_minute: 120,
        }
    }
}

/// Credentials or settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An address that requests cannot be sent to.
    #[error("base_url must look like https://api.retellai.com, without a query or credentials")]
    Address,
    /// A key that can be none.
    #[error("{name} is no key; copy it whole from the API Keys page of Retell's dashboard")]
    Key {
        /// Which one.
        name: &'static str,
    },
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
        let silence_least = u64::from(self.request_timeout_ms) + permit_ms();
        let bounds = [
            (self.request_timeout_ms >= 1, "request_timeout_ms", "give at least 1"),
            (self.ask_first_ms >= 1, "ask_first_ms", "give at least 1"),
            (self.poll_first_ms >= 1, "poll_first_ms", "give at least 1"),
            (
                self.ask_cap_ms >= self.ask_first_ms.max(self.poll_first_ms),
                "ask_cap_ms",
                "give at least ask_first_ms and poll_first_ms",
            ),
            (
                self.absent_margin_ms >= MARGIN_LEAST_MS,
                "absent_margin_ms",
                "give at least 120000, since Retell's lists lag behind",
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

    /// When silence about a dial is conclusive, for a request that may be repeated for so long and a call that
    /// lasts no longer than this.
    ///
    /// The call of a request that was lost begins with whichever repetition arrives first.
    pub(super) fn absent_after(&self, repeated: TimeDelta, longest_call: TimeDelta) -> TimeDelta {
        let longest = repeated + longest_call + millis(self.absent_margin_ms);
        self.absent_after_ms.map_or(longest, millis)
    }
}

/// Requests can be sent below it, and it bears no credentials of its own.
pub(super) fn check_address(url: &Url) -> Result<(), SettingsError> {
    let sound = matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if sound { Ok(()) } else { Err(SettingsError::Address) }
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
        assert_eq!(Settings::default().check(), Ok(()));
        for (text, name) in [
            (r#"{"request_timeout_ms": 0}"#, "request_timeout_ms"),
            (r#"{"ask_first_ms": 0}"#, "ask_first_ms"),
            (r#"{"poll_first_ms": 0}"#, "poll_first_ms"),
            (r#"{"ask_cap_ms": 10}"#, "ask_cap_ms"),
            (r#"{"absent_margin_ms": 119999}"#, "absent_margin_ms"),
            (r#"{"silence_ms": 12000}"#, "silence_ms"),
            (r#"{"reads_per_minute": 0}"#, "reads_per_minute"),
        ] {
            let read: Settings = serde_json::from_str(text).expect(text);
            assert!(read.check().expect_err(text).to_string().contains(name), "{text}");
        }
        assert!(serde_json::from_str::<Settings>(r#"{"live_transcript": true}"#).is_err());
    }

    #[test]
    fn requests_go_to_a_plain_address() {
        for (url, sound) in [
            ("https://api.retellai.com", true),
            ("http://127.0.0.1:9000/proxy", true),
            ("https://key@api.retellai.com", false),
            ("https://api.retellai.com/?a=b", false),
            ("ftp://api.retellai.com", false),
        ] {
            assert_eq!(check_address(&url.parse().expect("a URL")).is_ok(), sound, "{url}");
        }
    }
}
