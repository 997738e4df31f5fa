//! What the emulated server is like, and which of the protocol's open questions are answered how.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::scenario::Scenario;
use crate::{
    carrier::{ConfigError, Fallback, Settings},
    millis,
};

/// Everything that can be set. The default is one key, one trunk, honest behaviour and real time.
///
/// ```
/// let read: outdial_emulators::livekit::Config =
///     serde_json::from_str(r#"{"speed": 100.0, "fallback": "mix", "agents": ["caller"]}"#)
///         .expect("a config");
/// assert_eq!(read.trunks[0].sip_trunk_id, "ST_trunk1");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes any free one. Read at start only.
    pub port: u16,
    /// Who may call. They all see the same rooms.
    pub keys: Vec<Key>,
    /// Outbound trunks.
    pub trunks: Vec<Trunk>,
    /// Names under which an agent is registered. A dispatch to any other waits for ever.
    pub agents: Vec<String>,
    /// How many nominal seconds pass in one real second. Scenarios, timeouts of rooms and of ringing,
    /// the minute of the request limit and the gaps between webhook attempts are nominal; dates,
    /// tokens and the timeout of an attempt are real.
    pub speed: f64,
    /// What a number does that has no script.
    pub fallback: Fallback<Scenario>,
    /// Budgets.
    pub limits: Limits,
    /// How dialling behaves.
    pub sip: Sip,
    /// How rooms behave.
    pub rooms: RoomDefaults,
    /// Where webhooks go and how.
    pub webhooks: Webhooks,
    /// Real time after which a finished call is forgotten. Totals stay exact and per-key and
    /// per-number counts are kept, in a few dozen bytes each. `None` keeps all.
    #[serde(rename = "forget_finished_after_ms", with = "millis::optional")]
    pub forget_finished_after: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            keys: vec![Key::default()],
            trunks: vec![Trunk::default()],
            agents: Vec::new(),
            speed: 1.0,
            fallback: Fallback::Always(Scenario::answered(Duration::from_secs(60))),
            limits: Limits::default(),
            sip: Sip::default(),
            rooms: RoomDefaults::default(),
            webhooks: Webhooks::default(),
            forget_finished_after: None,
        }
    }
}

impl Settings for Config {
    type Scenario = Scenario;

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_speed(self.speed)?;
        let problem = if self.keys.is_empty() {
            "at least one key is needed".to_owned()
        } else if self.limits.requests_per_minute == Some(0) {
            "requests_per_minute must be at least 1; null turns the limit off".to_owned()
        } else if let Some(key) = self.webhooks.api_key.as_ref().filter(|key| self.key(key).is_none()) {
            format!("webhooks are to be signed with {key}, which is not among the keys")
        } else if let Some(url) = self.webhooks.urls.iter().find(|url| url::Url::parse(url).is_err()) {
            format!("'{url}' is no URL that webhooks could go to")
        } else {
            return Ok(());
        };
        Err(ConfigError(problem))
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn speed(&self) -> f64 {
        self.speed
    }

    fn fallback(&self) -> &Fallback<Scenario> {
        &self.fallback
    }

    fn forget_finished_after(&self) -> Option<Duration> {
        self.forget_finished_after
    }
}

impl Config {
    fn key(&self, api_key: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.api_key == api_key)
    }

    /// What webhooks are signed with.
    pub(super) fn webhook_key(&self) -> &Key {
        let named = self.webhooks.api_key.as_ref().and_then(|key| self.key(key));
        named.or(self.keys.first()).expect("a checked config has a key")
    }

    pub(super) fn trunk(&self, id: &str) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.sip_trunk_id == id)
    }
}

/// An API key and its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The issuer of tokens.
    pub api_key: String,
    /// What they are signed with.
    pub api_secret: String,
}

impl Default for Key {
    fn default() -> Self {
        Self { api_key: "APIkey1".into(), api_secret: "secret1-of-at-least-32-characters".into() }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("api_key", &self.api_key).finish_non_exhaustive()
    }
}

/// A way out to the telephone network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trunk {
    /// `ST_…`.
    pub sip_trunk_id: String,
    /// For people.
    pub name: String,
    /// Host of the telephone company.
    pub address: String,
    /// Numbers that calls may come from; the first few in turn where a request names none.
    pub numbers: Vec<String>,
    /// User at the telephone company.
    pub auth_username: String,
    /// Whether the telephone company asks for a user and a password. Without them a dial is refused.
    pub demands_auth: bool,
    /// Whether the telephone company answers 403 to calls from a number that is not the trunk's.
    /// LiveKit itself does not check.
    pub checks_numbers: bool,
    /// Whether the telephone company answers 402 to every call, as it does without balance.
    pub out_of_balance: bool,
}

impl Default for Trunk {
    fn default() -> Self {
        Self {
            sip_trunk_id: "ST_trunk1".into(),
            name: "Main".into(),
            address: "sip.telephone.example".into(),
            numbers: vec!["+15550100".into()],
            auth_username: "outdial".into(),
            demands_auth: false,
            checks_numbers: false,
            out_of_balance: false,
        }
    }
}

/// Budgets. A self-hosted server has none; what LiveKit Cloud's are and how they are told is not
/// documented.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests per nominal minute and key, in fixed windows, then `resource_exhausted`, a 429.
    pub requests_per_minute: Option<u32>,
    /// Whether that 429 carries `Retry-After` (whole real seconds, at least 1).
    pub retry_after: bool,
    /// Calls in flight, then `unavailable` with "cpu exhausted".
    pub max_concurrent: Option<u32>,
    /// Whether what was paid for is used up: every dial is then `resource_exhausted`. How LiveKit
    /// Cloud says so is not documented.
    pub quota_used_up: bool,
}

/// How dialling behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    /// Nominal time until the SIP participant is active in its room. A call that fails before that
    /// is told as `participant_connection_aborted`.
    #[serde(rename = "connect_ms", with = "millis")]
    pub connect: Duration,
    /// How long a phone rings where the request does not say.
    #[serde(rename = "ringing_timeout_ms", with = "millis")]
    pub ringing_timeout: Duration,
    /// How long a call lasts at most, whatever the request says.
    #[serde(rename = "max_call_duration_ms", with = "millis")]
    pub max_call_duration: Duration,
    /// How long a request with `wait_until_answered` is held at most; then `deadline_exceeded`, and
    /// the call goes on.
    #[serde(rename = "request_timeout_ms", with = "millis")]
    pub request_timeout: Duration,
    /// Whether a second dial request with the same `X-Livekit-Request-Id` is answered with the first
    /// one's call, as long as that is in its room. The open-source server does not; LiveKit Cloud may.
    pub honour_request_id: bool,
    /// Whether a transfer is answered with its id and result, as new servers do, rather than with an
    /// empty message.
    pub describe_transfers: bool,
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            connect: Duration::ZERO,
            ringing_timeout: Duration::from_secs(180),
            max_call_duration: Duration::from_secs(24 * 3600),
            request_timeout: Duration::from_secs(80),
            honour_request_id: false,
            describe_transfers: true,
        }
    }
}

/// How rooms behave whose creator does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomDefaults {
    /// Nominal time after which a room closes that nobody has come to.
    #[serde(rename = "empty_timeout_ms", with = "millis")]
    pub empty_timeout: Duration,
    /// Nominal time after which a room closes that everybody has left, agents aside.
    #[serde(rename = "departure_timeout_ms", with = "millis")]
    pub departure_timeout: Duration,
}

impl Default for RoomDefaults {
    fn default() -> Self {
        Self { empty_timeout: Duration::from_secs(300), departure_timeout: Duration::from_secs(20) }
    }
}

/// How webhooks behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Where they go.
    pub urls: Vec<String>,
    /// Which key signs them; the first one unless set.
    pub api_key: Option<String>,
    /// Only these events, if any are named.
    pub include_events: Vec<String>,
    /// Not these.
    pub exclude_events: Vec<String>,
    /// Nominal times from a failed attempt to the next.
    pub retry_gaps_ms: Vec<u64>,
    /// Real time an attempt may take. Not sped up: the receiver's work does not get faster either.
    #[serde(rename = "timeout_ms", with = "millis")]
    pub timeout: Duration,
    /// Real time that an event may wait for those before it in its room; one that is older when its
    /// turn comes is dropped. Not sped up, for the same reason.
    #[serde(rename = "drop_older_than_ms", with = "millis")]
    pub drop_older_than: Duration,
    /// Events of one room that may wait; one more is dropped.
    pub queue_depth: usize,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            api_key: None,
            include_events: Vec::new(),
            exclude_events: Vec::new(),
            retry_gaps_ms: vec![1000, 2000, 4000, 8000],
            timeout: Duration::from_secs(10),
            drop_older_than: Duration::from_secs(30),
            queue_depth: 200,
        }
    }
}

impl Webhooks {
    pub(super) fn wants(&self, event: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == event);
        (self.include_events.is_empty() || named(&self.include_events)) && !named(&self.exclude_events)
    }
}
