//! What the emulated account is like, and how fast its models are.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::rules::Rule;
use crate::{
    millis,
    service::{ConfigError, Settings},
};

/// Everything that can be set. The default repeats what the user said, at once.
///
/// ```
/// let read: outdial_emulators::openai::Config = serde_json::from_str(
///     r#"{"rules": [{"when": {"user": "hello"}, "answer": {"text": "Hi!"}}], "pacing": {"first_token_ms": 300}}"#,
/// ).expect("a config");
/// assert_eq!(read.rules.len(), 1);
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes any free one. Read at start only.
    pub port: u16,
    /// The project's API key.
    pub key: String,
    /// Models that exist. Empty takes any name for a model's.
    pub models: Vec<String>,
    /// What names of reasoning models begin with; those refuse `max_tokens`, `stop`, and sampling
    /// parameters that are not the default.
    pub reasoning_models: Vec<String>,
    /// How many nominal seconds pass in one real second. Pacing and the delays of quirks are nominal.
    pub speed: f64,
    /// What is answered, by the first that fits.
    pub rules: Vec<Rule>,
    /// How fast answers come.
    pub pacing: Pacing,
    /// What the rate-limit headers say.
    pub limits: Limits,
    /// Tokens that a conversation and its answer may have together.
    pub context_tokens: u32,
    /// Whether a field that is not documented is refused; documented is neither.
    pub refuse_unknown_fields: bool,
    /// Whether chunks bear an `obfuscation` of random length unless the request turns it off.
    pub obfuscation: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            key: "sk-emulated".into(),
            models: Vec::new(),
            reasoning_models: ["o1", "o3", "o4", "gpt-5"].map(String::from).to_vec(),
            speed: 1.0,
            rules: Vec::new(),
            pacing: Pacing::default(),
            limits: Limits::default(),
            context_tokens: 128_000,
            refuse_unknown_fields: true,
            obfuscation: false,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Settings for Config {
    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_speed(self.speed)?;
        if self.pacing.tokens_per_second == Some(0) {
            return Err(ConfigError("tokens_per_second must be at least 1; null means at once".into()));
        }
        Ok(())
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn speed(&self) -> f64 {
        self.speed
    }
}

/// How fast answers come, in nominal time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pacing {
    /// From the request to the first token; to the whole answer's first token if it is not streamed.
    #[serde(rename = "first_token_ms", with = "millis")]
    pub first_token: Duration,
    /// Tokens a second after the first; `null` gives all at once.
    pub tokens_per_second: Option<u32>,
}

impl Pacing {
    /// From one token to the next.
    pub(super) fn gap(&self) -> Duration {
        self.tokens_per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate)
    }
}

/// What the rate-limit headers say of every request, as if it were the only one in its minute. Limits
/// are not enforced; a script throttles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests a minute.
    pub requests: u32,
    /// Tokens a minute.
    pub tokens: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests: 10_000, tokens: 2_000_000 }
    }
}
