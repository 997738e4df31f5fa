//! What the emulated workspace is like, and which of the protocol's open questions are answered how.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    agent::{self, Agent},
    limits::{Idempotency, Limits},
    scenario::Scenario,
};
use crate::{
    carrier::{ConfigError, Fallback, Phone, Settings},
    millis,
};

/// Everything that can be set. The default is one agent, honest behaviour and real time.
///
/// ```
/// let read: outdial_emulators::retell::Config =
///     serde_json::from_str(r#"{"speed": 100.0, "fallback": "mix"}"#).expect("a config");
/// assert_eq!(read.limits.base_concurrency, 20);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes any free one. Read at start only.
    pub port: u16,
    /// The keys.
    pub keys: Keys,
    /// What the workspace answers to every request, whatever it asks.
    pub account_fault: Option<AccountFault>,
    /// Numbers accepted as `from_number`; empty accepts any.
    pub from_numbers: Vec<String>,
    /// Numbers marked do-not-call, for requests that say `honor_internal_dnc`.
    pub do_not_call: Vec<String>,
    /// Agents by id. Empty accepts any id; such an agent has no settings of its own.
    pub agents: BTreeMap<String, Agent>,
    /// The agent of a request that overrides none, as if bound to every `from_number`.
    pub bound_agent: String,
    /// Ids of the workspace's custom attributes; updates ignore others.
    pub custom_attributes: Vec<String>,
    /// How many nominal seconds pass in one real second. Scenarios, the idempotency window, budgets'
    /// windows, list lag and the gap between webhook attempts are nominal, and so is `duration_ms`;
    /// timestamps and timeouts are real.
    pub speed: f64,
    /// What a number does that has no script.
    pub fallback: Fallback<Scenario>,
    /// Budgets.
    pub limits: Limits,
    /// What `idempotency_key` does.
    pub idempotency: Idempotency,
    /// How requests and answers are where the documents leave it open.
    pub replies: Replies,
    /// How lists behave.
    pub reads: Reads,
    /// How webhooks behave.
    pub webhooks: Webhooks,
    /// Real time after which a finished call is forgotten (reading it is then 422). Totals stay
    /// exact and per-key and per-number counts are kept, in a few dozen bytes each. `None` keeps all.
    #[serde(rename = "forget_finished_after_ms", with = "millis::optional")]
    pub forget_finished_after: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            keys: Keys::default(),
            account_fault: None,
            from_numbers: Vec::new(),
            do_not_call: Vec::new(),
            agents: BTreeMap::new(),
            bound_agent: "agent_default".into(),
            custom_attributes: Vec::new(),
            speed: 1.0,
            fallback: Fallback::Always(Scenario::answered(Duration::from_secs(60))),
            limits: Limits::default(),
            idempotency: Idempotency::default(),
            replies: Replies::default(),
            reads: Reads::default(),
            webhooks: Webhooks::default(),
            forget_finished_after: None,
        }
    }
}

impl Settings for Config {
    type Scenario = Scenario;

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_speed(self.speed)?;
        let budgets = [self.limits.requests_per_minute, self.limits.calls_per_second];
        if budgets.contains(&Some(0)) {
            return Err(ConfigError("a budget must be at least 1; null turns it off".into()));
        }
        if let Some(number) = self.do_not_call.iter().find(|number| Phone::e164(number).is_none()) {
            return Err(ConfigError(format!("{number} is not a number in E.164")));
        }
        let urls = self.agents.values().map(|agent| &agent.webhook_url).chain([&self.webhooks.url]);
        for url in urls.flatten() {
            agent::webhook_url(url).map_err(ConfigError)?;
        }
        Ok(())
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

/// The workspace's API keys. Webhooks are signed with the one that has the webhook badge.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// The bearer token of requests.
    pub rest: String,
    /// Signs webhooks. It is an API key too, so requests may bear it as well.
    pub webhook: String,
}

impl Default for Keys {
    fn default() -> Self {
        Self { rest: "key_rest".into(), webhook: "key_webhook".into() }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Something is wrong with the workspace as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountFault {
    /// Its keys are revoked: 401.
    KeyRevoked,
    /// The trial is over or the balance used up: creating a call is 402, all else goes on.
    PaymentNeeded,
    /// 403.
    Forbidden,
    /// 429.
    Throttled,
    /// 500.
    Broken,
}

/// How requests and answers are where the documents leave it open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Replies {
    /// Whether dynamic variables may be other than strings, as the OpenAPI file has it.
    pub any_dynamic_variables: bool,
    /// Status of an unknown call: 422 in the OpenAPI file, though 404 is documented too.
    pub unknown_call_status: u16,
    /// What stopping a call does that still rings.
    pub stop_ringing: StopRinging,
}

impl Default for Replies {
    fn default() -> Self {
        Self { any_dynamic_variables: false, unknown_call_status: 422, stop_ringing: StopRinging::Refused }
    }
}

/// What `stop-call` does to a `registered` call; documented is only "an ongoing call".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopRinging {
    /// 400; it rings on.
    #[default]
    Refused,
    /// It ends, not connected, with `manual_stopped`.
    Ends,
    /// 204, but it rings on.
    Ignored,
}

/// How lists behave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reads {
    /// Whether lists leave out calls that are still `registered`.
    pub lists_hide_registered: bool,
    /// Nominal time from the acceptance of a call to its showing in lists.
    #[serde(rename = "list_lag_ms", with = "millis")]
    pub list_lag: Duration,
    /// Whether a call that was never connected has `start_timestamp` and `duration_ms`.
    pub unconnected_calls_start: bool,
}

/// How webhooks behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Where the workspace's webhooks go; an agent's own address replaces it.
    pub url: Option<String>,
    /// Whether `agent_override.agent` may set address, events and timeout for one call. The client's
    /// types have them; that they are heeded is not documented.
    pub per_call: bool,
    /// Attempts after the first.
    pub retries: u32,
    /// Nominal time from a failed attempt to the next. Not documented.
    #[serde(rename = "retry_gap_ms", with = "millis")]
    pub retry_gap: Duration,
    /// Real time an attempt may take unless the agent says. Not sped up: the receiver's work does
    /// not get faster either.
    #[serde(rename = "timeout_ms", with = "millis")]
    pub timeout: Duration,
    /// Whether `call_status` still says `registered` when a call has ended, as in the documents' sample.
    pub stale_status: bool,
    /// Whether `transfer_destination` and `transfer_option` are in `call` rather than beside it.
    pub transfer_in_call: bool,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            url: None,
            per_call: true,
            retries: 3,
            retry_gap: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            stale_status: false,
            transfer_in_call: false,
        }
    }
}
