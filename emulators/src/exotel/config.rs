//! What the emulated account is like, and which of the protocol's open questions are answered how.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{call::Zone, scenario::Scenario};
use crate::{
    carrier::{ConfigError, Fallback, Settings},
    millis,
};

/// Everything that can be set. The default is one account, honest behaviour and real time.
///
/// ```
/// let read: outdial_emulators::exotel::Config =
///     serde_json::from_str(r#"{"speed": 100.0, "fallback": "mix"}"#).expect("a config");
/// assert_eq!(read.limits.calls_per_minute, Some(200));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes any free one. Read at start only.
    pub port: u16,
    /// Who may call. The first one is what [`Account::default`] gives unless set.
    pub accounts: Vec<Account>,
    /// Numbers accepted as `CallerId`; empty accepts any.
    pub exophones: Vec<String>,
    /// App-Bazaar flows by id. Empty accepts any flow id; such a flow only listens.
    pub flows: BTreeMap<String, Flow>,
    /// How many nominal seconds pass in one real second. Scenarios, details lag, the minute of the
    /// call limit and the gap between callback attempts are nominal; dates and timeouts are real.
    pub speed: f64,
    /// What a number does that has no script.
    pub fallback: Fallback<Scenario>,
    /// Budgets.
    pub limits: Limits,
    /// How responses look.
    pub replies: Replies,
    /// How call details and lists behave.
    pub reads: Reads,
    /// How status callbacks behave.
    pub callbacks: Callbacks,
    /// How the bot's WebSocket behaves.
    pub streams: Streams,
    /// Real time after which a finished call is forgotten (its details are then 404). Totals stay
    /// exact and per-key and per-number counts are kept, in a few dozen bytes each. `None` keeps all.
    #[serde(rename = "forget_finished_after_ms", with = "millis::optional")]
    pub forget_finished_after: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            accounts: vec![Account::default()],
            exophones: Vec::new(),
            flows: BTreeMap::new(),
            speed: 1.0,
            fallback: Fallback::Always(Scenario::answered(Duration::from_secs(60))),
            limits: Limits::default(),
            replies: Replies::default(),
            reads: Reads::default(),
            callbacks: Callbacks::default(),
            streams: Streams::default(),
            forget_finished_after: None,
        }
    }
}

impl Settings for Config {
    type Scenario = Scenario;

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_speed(self.speed)?;
        let problem = if self.accounts.is_empty() {
            "at least one account is needed".to_owned()
        } else if self.limits.calls_per_minute == Some(0) {
            "calls_per_minute must be at least 1; null turns the limit off".to_owned()
        } else if self.reads.zone_minutes.abs() >= 24 * 60 {
            format!("zone_minutes must lie within a day, not {}", self.reads.zone_minutes)
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
    pub(super) fn zone(&self) -> Zone {
        Zone::new(self.reads.zone_minutes)
    }
}

/// An Exotel account and its API credentials.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Account SID, a path segment of every URL.
    pub sid: String,
    /// API key: the user of Basic auth.
    pub api_key: String,
    /// API token: the password of Basic auth.
    pub api_token: String,
}

impl Default for Account {
    fn default() -> Self {
        Self { sid: "acct1".into(), api_key: "key1".into(), api_token: "token1".into() }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("sid", &self.sid).finish_non_exhaustive()
    }
}

/// An App-Bazaar flow, reached by mode B.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flow {
    /// Where its Voicebot applet connects; without one the flow only listens until the caller goes.
    pub stream_url: Option<String>,
}

/// Budgets of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests per fixed window of a minute and account, then 429. `None`: no limit.
    pub calls_per_minute: Option<u32>,
    /// Whether reads draw on the same budget, as the older documents say.
    pub reads_count: bool,
    /// Whether `X-RateLimit-Limit`, `-Remaining` and `-Reset` are sent.
    pub headers: bool,
    /// Whether a 429 carries `Retry-After` (whole real seconds, at least 1).
    pub retry_after: bool,
    /// Calls in flight per account, then refusal. `None`: no limit.
    pub max_concurrent: Option<u32>,
    /// Status of that refusal. Exotel documents none; 429 is a guess.
    pub max_concurrent_status: u16,
    /// Bot sockets open at once per account; beyond it the answered call is dropped.
    pub max_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_minute: Some(200),
            reads_count: true,
            headers: true,
            retry_after: true,
            max_concurrent: None,
            max_concurrent_status: 429,
            max_streams: 100,
        }
    }
}

/// How responses look where the documents disagree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Replies {
    /// What `RestException.Code` is.
    pub error_code: ErrorCode,
    /// `Status` of a freshly accepted call.
    pub accepted_status: AcceptedStatus,
}

/// The type of `RestException.Code`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// `"UNAUTHORIZED"`, as on the developer portal.
    #[default]
    Text,
    /// An integer, as in the OpenAPI file. Its values are not documented; here the HTTP status.
    Number,
    /// No `Code` at all.
    Absent,
}

/// What the connect response calls a call that nobody has answered yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceptedStatus {
    /// `in-progress`, as in the samples, although nobody has answered.
    #[default]
    InProgress,
    /// `queued`.
    Queued,
}

/// How reading calls back behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reads {
    /// Whether the list leaves out calls that have not ended.
    pub list_hides_live_calls: bool,
    /// Nominal time after the end during which `EndTime`, `Duration` and `Price` are still null.
    /// Exotel takes 2 to 5 minutes; zero by default.
    #[serde(rename = "details_lag_ms", with = "millis")]
    pub details_lag: Duration,
    /// Whether the v3 call details, the only read with `custom_field`, exist.
    pub v3_details: bool,
    /// Whether page URIs sit in `Metadata` (else at top level, as one page of the documents shows).
    pub paging_in_metadata: bool,
    /// Offset from UTC of dates in v1 and v3; India by default.
    pub zone_minutes: i32,
}

impl Default for Reads {
    fn default() -> Self {
        Self {
            list_hides_live_calls: false,
            details_lag: Duration::ZERO,
            v3_details: true,
            paging_in_metadata: true,
            zone_minutes: 330,
        }
    }
}

/// How status callbacks behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callbacks {
    /// What is sent unless `StatusCallbackContentType` asks for JSON.
    pub encoding: FormEncoding,
    /// Whether events work without a second number. If not, modes A and B get the four-field form.
    pub events_in_bot_modes: bool,
    /// Attempts per callback, the first included.
    pub attempts: u32,
    /// Real time an attempt may take. Not sped up: the receiver's work does not get faster either.
    #[serde(rename = "timeout_ms", with = "millis")]
    pub timeout: Duration,
    /// Nominal time from a failed attempt to the next.
    #[serde(rename = "retry_gap_ms", with = "millis")]
    pub retry_gap: Duration,
}

impl Default for Callbacks {
    fn default() -> Self {
        Self {
            encoding: FormEncoding::Multipart,
            events_in_bot_modes: true,
            attempts: 3,
            timeout: Duration::from_secs(15),
            retry_gap: Duration::from_secs(5),
        }
    }
}

/// The form encoding of callbacks; Exotel documents only the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormEncoding {
    /// `multipart/form-data`.
    #[default]
    Multipart,
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
}

/// How the bot's WebSocket behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    /// Whether `sequence_number`, `chunk`, `timestamp`, `duration` are JSON numbers, not strings.
    pub numbers_as_numbers: bool,
    /// Whether custom parameters also stay in the URL that is requested.
    pub custom_parameters_in_url: bool,
    /// Whether `start.from` is the ExoPhone and `start.to` the customer, which no sample shows.
    pub swap_numbers: bool,
    /// Whether `clear` also echoes the marks behind the audio it drops.
    pub clear_echoes_marks: bool,
    /// Whether `TimeOut` bounds ringing in mode A too, where it is not documented.
    pub ring_timeout: bool,
    /// Real time for a handshake; one retry follows.
    #[serde(rename = "handshake_timeout_ms", with = "millis")]
    pub handshake_timeout: Duration,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            numbers_as_numbers: false,
            custom_parameters_in_url: false,
            swap_numbers: false,
            clear_echoes_marks: false,
            ring_timeout: false,
            handshake_timeout: Duration::from_secs(10),
        }
    }
}
