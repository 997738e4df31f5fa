//! What the emulated account is like, and which of the protocol's open questions are answered how.

mod account;
mod behaviour;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{
    account::{Account, Connection, Standing},
    behaviour::{DuplicateReply, Limits, Reads, Replies, Streams, Texml, TexmlKey, Webhooks},
};
use super::{scenario::Scenario, sign::SigningSeed};
use crate::{
    carrier::{ConfigError, Fallback, Settings},
    millis,
};

/// Everything that can be set. The default is one account, honest behaviour and real time.
///
/// ```
/// let read: outdial_emulators::telnyx::Config =
///     serde_json::from_str(r#"{"speed": 100.0, "fallback": "mix"}"#).expect("a config");
/// assert_eq!(read.limits.dials_per_5_s, Some(150));
/// assert_eq!(read.public_key(), "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes any free one. Read at start only.
    pub port: u16,
    /// Who may call. The first one is what [`Account::default`] gives unless set.
    pub accounts: Vec<Account>,
    /// Call Control and TeXML applications by id; empty accepts any id, with
    /// [`Connection::default`].
    pub connections: BTreeMap<String, Connection>,
    /// Numbers accepted as `from`, in E.164; empty accepts any.
    pub numbers: Vec<String>,
    /// What webhooks are signed with. The default is the seed of the documented test vector.
    pub signing_seed: SigningSeed,
    /// How many nominal seconds pass in one real second. Scenarios, webhook retries, the window of
    /// the dial limit and the lag of lists are nominal. Timeouts are real, and so are the windows
    /// that a client measures by its own clock (`command_id`, how long a call can be read).
    pub speed: f64,
    /// What a number does that has no script.
    pub fallback: Fallback<Scenario>,
    /// Budgets.
    pub limits: Limits,
    /// How responses look.
    pub replies: Replies,
    /// How calls, events and deliveries are read back.
    pub reads: Reads,
    /// How webhooks behave, TeXML callbacks included.
    pub webhooks: Webhooks,
    /// How the media stream behaves.
    pub streams: Streams,
    /// How TeXML behaves.
    pub texml: Texml,
    /// Real time after which a finished call is forgotten, its events and deliveries with it.
    /// Totals stay exact and per-key and per-number counts are kept. `None` keeps all.
    #[serde(rename = "forget_finished_after_ms", with = "millis::optional")]
    pub forget_finished_after: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            accounts: vec![Account::default()],
            connections: BTreeMap::new(),
            numbers: Vec::new(),
            signing_seed: SigningSeed::default(),
            speed: 1.0,
            fallback: Fallback::Always(Scenario::answered(Duration::from_secs(60))),
            limits: Limits::default(),
            replies: Replies::default(),
            reads: Reads::default(),
            webhooks: Webhooks::default(),
            streams: Streams::default(),
            texml: Texml::default(),
            forget_finished_after: None,
        }
    }
}

impl Settings for Config {
    type Scenario = Scenario;

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_speed(self.speed)?;
        let problem = if self.accounts.is_empty() {
            "at least one account is needed"
        } else if self.limits.dials_per_5_s == Some(0) {
            "dials_per_5_s must be at least 1; null turns the limit off"
        } else if self.limits.requests_per_second == Some(0) {
            "requests_per_second must be at least 1; null turns the limit off"
        } else if !matches!(self.replies.no_funds_status, 402 | 403) {
            "no_funds_status must be 402 or 403"
        } else {
            return Ok(());
        };
        Err(ConfigError(problem.to_owned()))
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
    /// What webhooks are verified with: base64 of 32 bytes, as the portal shows it.
    pub fn public_key(&self) -> String {
        self.signing_seed.public_key()
    }

    /// The application of this id, if the account has it.
    pub(super) fn connection(&self, id: &str) -> Option<Connection> {
        match self.connections.get(id) {
            Some(known) => Some(known.clone()),
            None => self.connections.is_empty().then(Connection::default),
        }
    }

    /// Whether calls may come from this number.
    pub(super) fn owns(&self, number: &str) -> bool {
        self.numbers.is_empty() || self.numbers.iter().any(|owned| owned == number)
    }
}
