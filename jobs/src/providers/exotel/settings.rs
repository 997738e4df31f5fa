//! What an operator says about an Exotel account.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use chrono_tz::Tz;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::providers::Permit;

/// What Exotel's dashboard shows under "API settings". Never printed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The account SID, a part of every address.
    pub account_sid: String,
    /// The API key: the user of Basic authentication.
    pub api_key: String,
    /// The API token: its password.
    pub api_token: SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("account_sid", &self.account_sid).finish_non_exhaustive()
    }
}

/// How to deal with the account. Everything has a default; `{}` is good for an account in India.
///
/// ```
/// use outdial_jobs::providers::exotel::Settings;
/// let read: Settings = serde_json::from_str(r#"{"absent_margin_ms": 2000}"#).expect("settings");
/// assert_eq!(read, Settings { absent_margin_ms: 2_000, ..Settings::default() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the v3 call details are read, the only read that returns our key. By default the
    /// partner of the base URL: `api.exotel.com` has `ccm-api.exotel.com`, `api.in.exotel.com` has
    /// `ccm-api.in.exotel.com`; any other host answers for both.
    pub ccm_base_url: Option<Url>,
    /// The zone of the dates that Exotel writes without one. Default Asia/Kolkata.
    ///
    /// It decides something in one place: a lost dial is looked for by its time only where the v3
    /// details do not say whose call it is.
    pub zone: Tz,
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
    /// How long after a call's end Exotel is first asked what it cost. Default 300,000: prices are filled in
    /// within two to five minutes.
    pub price_after_ms: u32,
    /// How long after a call's longest possible end Exotel's lists may still lack it, in
    /// milliseconds. Default 300,000: Exotel fills in details 2 to 5 minutes late.
    pub absent_margin_ms: u32,
    /// For emulated carriers, whose phones are faster than life: when silence about a dial is
    /// conclusive, in milliseconds after its submission. Without it, the ring timeout, the call time
    /// limit and `absent_margin_ms` together.
    pub absent_after_ms: Option<u32>,
    /// When a submitted request without any result is given up as unknown, in milliseconds.
    /// Default 20,000; more than `request_timeout_ms` and the permit's 2,000 together.
    pub silence_ms: u32,
    /// How many of Exotel's 200 requests a minute may be reads. 1 to 199; default 50, which leaves
    /// the 150 of [`DIALS_PER_MINUTE`].
    pub reads_per_minute: u32,
}

/// Exotel takes 200 requests a minute and account, reads included; what the default
/// [`Settings::reads_per_minute`] leaves of them.
pub const DIALS_PER_MINUTE: u32 = 150;

impl Default for Settings {
    fn default() -> Self {
        Self {
            ccm_base_url: None,
            zone: Tz::Asia__Kolkata,
            request_timeout_ms: 10_000,
            ask_first_ms: 5_000,
            poll_first_ms: 90_000,
            ask_cap_ms: 120_000,
            price_after_ms: 300_000,
            absent_margin_ms: 300_000,
            absent_after_ms: None,
            silence_ms: 20_000,
            reads_per_minute: 50,
        }
    }
}

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An address that requests cannot be sent to.
    #[error("{name} must look like https://api.in.exotel.com, without a query or credentials")]
    Address {
        /// Which one.
        name: &'static str,
    },
    /// The account's name is a part of every address.
    #[error("account_sid is empty; copy it from the API settings of Exotel's dashboard")]
    NoAccount,
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
                u64::from(self.silence_ms) > silence_least,
                "silence_ms",
                "give more than request_timeout_ms and 2000 together, so that a live sender has had its say",
            ),
            ((1..200).contains(&self.reads_per_minute), "reads_per_minute", "give 1 to 199"),
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

    /// Where v3 is read, given where v1 is.
    pub(super) fn ccm_base(&self, base: &Url) -> Url {
        if let Some(given) = &self.ccm_base_url {
            return given.clone();
        }
        let mut ccm = base.clone();
        if let Some(host @ ("api.exotel.com" | "api.in.exotel.com")) = base.host_str() {
            let partner = format!("ccm-{host}");
            ccm.set_host(Some(&partner)).expect("a host of plain letters and dots can be set");
        }
        ccm
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

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn each_region_reads_from_its_own_second_host() {
        let ccm = |base: &str| Settings::default().ccm_base(&url(base)).to_string();
        assert_eq!(ccm("https://api.in.exotel.com"), "https://ccm-api.in.exotel.com/");
        assert_eq!(ccm("https://api.exotel.com"), "https://ccm-api.exotel.com/");
        assert_eq!(ccm("http://127.0.0.1:9000"), "http://127.0.0.1:9000/");
        let own = Settings { ccm_base_url: Some(url("http://other/")), ..Settings::default() };
        assert_eq!(own.ccm_base(&url("https://api.exotel.com")).as_str(), "http://other/");
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        assert_eq!(Settings::default().check(), Ok(()));
        for (text, name) in [
            (r#"{"request_timeout_ms": 0}"#, "request_timeout_ms"),
            (r#"{"silence_ms": 12000}"#, "silence_ms"),
            (r#"{"ask_cap_ms": 10}"#, "ask_cap_ms"),
            (r#"{"reads_per_minute": 200}"#, "reads_per_minute"),
        ] {
            let read: Settings = serde_json::from_str(text).expect(text);
            assert!(read.check().expect_err(text).to_string().contains(name), "{text}");
        }
        assert!(serde_json::from_str::<Settings>(r#"{"zone": "IST?"}"#).is_err());
        assert!(serde_json::from_str::<Settings>(r#"{"zonee": "UTC"}"#).is_err());
    }

    #[test]
    fn credentials_are_never_printed() {
        let text = r#"{"account_sid": "acct1", "api_key": "key1", "api_token": "token1"}"#;
        let read: Credentials = serde_json::from_str(text).expect("credentials");
        let shown = format!("{read:?}");
        assert!(shown.contains("acct1") && !shown.contains("key1") && !shown.contains("token1"), "{shown}");
    }
}
