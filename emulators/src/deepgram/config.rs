//! What the emulated project is like, and which of the protocol's open questions are answered how.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::scenario::Session;
use crate::{
    millis,
    service::{ConfigError, Settings},
};

/// Everything that can be set. The default understands what the audio says, in real time.
///
/// ```
/// let read: outdial_emulators::deepgram::Config =
///     serde_json::from_str(r#"{"speed": 10.0, "session": {"quirks": ["no_speech_final"]}}"#).expect("a config");
/// assert_eq!(read.idle.as_secs(), 10);
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes any free one. Read at start only.
    pub port: u16,
    /// The project's API key.
    pub key: String,
    /// How many nominal seconds pass in one real second. It paces the limit for idle clients and the
    /// delays of quirks; results follow from the audio alone.
    pub speed: f64,
    /// What a socket meets that is not scripted.
    pub session: Session,
    /// What becomes of a query parameter that is not documented.
    pub unknown_parameters: Unknown,
    /// How long a client may send nothing before it is closed with `NET-0001`, in nominal time.
    #[serde(rename = "idle_ms", with = "millis")]
    pub idle: Duration,
    /// From one interim result to the next, in time of the audio ("roughly every second").
    #[serde(rename = "interim_every_ms", with = "millis")]
    pub interim_every: Duration,
    /// The longest stretch of audio that a final result covers. Documented is only that long speech
    /// gives several.
    #[serde(rename = "stretch_max_ms", with = "millis")]
    pub stretch_max: Duration,
    /// Whether the result of a `Finalize` is marked `speech_final`. Not documented.
    pub finalize_ends_speech: bool,
    /// Whether a bad message is answered with an `Error`, as newer documents have it, rather than with
    /// a close of 1008, as older ones do.
    pub bad_messages_are_errors: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            key: "dg_key".into(),
            speed: 1.0,
            session: Session::default(),
            unknown_parameters: Unknown::Refused,
            idle: Duration::from_secs(10),
            interim_every: Duration::from_secs(1),
            stretch_max: Duration::from_secs(5),
            finalize_ends_speech: false,
            bad_messages_are_errors: true,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("speed", &self.speed).finish_non_exhaustive()
    }
}

impl Settings for Config {
    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_speed(self.speed)?;
        if self.interim_every.is_zero() || self.stretch_max.is_zero() {
            return Err(ConfigError("interim_every_ms and stretch_max_ms must be positive".into()));
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

/// What becomes of a query parameter that is not documented; documented is neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// 400, so that a misspelling shows.
    #[default]
    Refused,
    /// Nothing.
    Ignored,
}
