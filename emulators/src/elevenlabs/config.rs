//! What the emulated account is like, and which of the protocol's open questions are answered how.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    millis,
    service::{ConfigError, Settings},
};

/// Everything that can be set. The default speaks at once whatever any voice is asked to.
///
/// ```
/// let read: outdial_emulators::elevenlabs::Config = serde_json::from_str(
///     r#"{"voices": ["voice1"], "pacing": {"first_byte_ms": 75, "audio_per_second_ms": 8000}}"#,
/// ).expect("a config");
/// assert_eq!(read.voices, ["voice1"]);
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes any free one. Read at start only.
    pub port: u16,
    /// The API key.
    pub key: String,
    /// Voices that exist. Empty takes any id for a voice's.
    pub voices: Vec<String>,
    /// How many nominal seconds pass in one real second. Pacing, timeouts and the delays of quirks are
    /// nominal.
    pub speed: f64,
    /// How fast audio comes.
    pub pacing: Pacing,
    /// Silence before each stretch that is generated.
    #[serde(rename = "leading_silence_ms", with = "millis")]
    pub leading_silence: Duration,
    /// Bytes of a piece of a streamed body.
    pub chunk_bytes: usize,
    /// Characters that must wait on a socket before `try_trigger_generation` has an effect. Documented
    /// is only that there is such a number; this is the least that a schedule may have.
    pub trigger_min: usize,
    /// Whether errors have the shape of before 2025, a status and a message.
    pub older_errors: bool,
    /// Whether the upgrade of a socket is refused when the key is wrong or the voice unknown, rather
    /// than accepted and then closed. Both are seen.
    pub refuses_upgrades: bool,
    /// Concurrent requests that the headers say the account may have.
    pub concurrency: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            key: "xi_key".into(),
            voices: Vec::new(),
            speed: 1.0,
            pacing: Pacing::default(),
            leading_silence: Duration::ZERO,
            chunk_bytes: 4096,
            trigger_min: 50,
            older_errors: false,
            refuses_upgrades: false,
            concurrency: 10,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("voices", &self.voices).finish_non_exhaustive()
    }
}

impl Settings for Config {
    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_speed(self.speed)?;
        if self.chunk_bytes == 0 || self.pacing.audio_per_second == Some(Duration::ZERO) {
            return Err(ConfigError("chunk_bytes and audio_per_second_ms must be positive".into()));
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

/// How fast audio comes, in nominal time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pacing {
    /// From the request, or what triggers generation on a socket, to the first byte.
    #[serde(rename = "first_byte_ms", with = "millis")]
    pub first_byte: Duration,
    /// How much audio is made in a second; `null` makes all at once.
    #[serde(rename = "audio_per_second_ms", with = "millis::optional")]
    pub audio_per_second: Option<Duration>,
}

impl Pacing {
    /// How long it takes to make so much audio.
    pub(super) fn making(&self, audio: Duration) -> Duration {
        self.audio_per_second.map_or(Duration::ZERO, |rate| audio.div_f64(rate.as_secs_f64()))
    }
}
