//! What one caller does, as a scenario says it.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::millis;

/// How long a bot must be quiet before it is answered, where nothing else is said: about the gap that
/// people leave when they take turns.
const TURN_GAP: Duration = Duration::from_millis(500);

/// What comes from the far end of an answered call.
///
/// ```
/// use outdial_emulators::media::{Caller, Line, Says};
/// let read: Caller = serde_json::from_str(
///     r#"{"says": {"lines": [
///            {"text": "Hello?", "when": {"at": {"after_ms": 400}}},
///            {"text": "Yes, tell me."},
///            {"text": "Stop!", "when": {"heard": "price"}}]},
///         "hangs_up": {"then": {"after_ms": 200}}}"#,
/// ).expect("a caller");
/// assert!(matches!(read.says, Says::Lines(lines) if lines[1] == Line::in_answer("Yes, tell me.")));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caller {
    /// Audio.
    pub says: Says,
    /// Keys pressed, in any order.
    pub presses: Vec<Keypress>,
    /// When they hang up once they have said all their lines; else they stay as long as the outcome says.
    pub hangs_up: Option<When>,
}

impl Caller {
    /// One who says these lines.
    pub fn saying(lines: impl IntoIterator<Item = Line>) -> Self {
        Self { says: Says::Lines(lines.into_iter().collect()), ..Self::default() }
    }

    /// The same, who hangs up then.
    #[must_use]
    pub fn hanging_up(self, when: When) -> Self {
        Self { hangs_up: Some(when), ..self }
    }
}

/// A key pressed during the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keypress {
    /// Time since the answer; where keys are known to the stream alone, since that began.
    #[serde(rename = "after_ms", with = "millis")]
    pub after: Duration,
    /// `0`–`9`, `*` or `#`.
    pub digit: char,
}

/// Audio from the far end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Nothing.
    #[default]
    Silence,
    /// A steady tone.
    Tone {
        /// Its frequency.
        hz: f64,
    },
    /// A hum as long as a greeting, a 1 kHz beep of half a second, then silence.
    Voicemail {
        /// Length of the greeting.
        #[serde(rename = "greeting_ms", with = "millis")]
        greeting: Duration,
    },
    /// The same with a greeting in words.
    Machine {
        /// What it says.
        greeting: String,
    },
    /// These samples once, then silence: PCM16 mono at the stream's rate before it is encoded (little
    /// endian, base64 in JSON).
    Pcm(#[serde(with = "base64_bytes")] Bytes),
    /// These lines one after the other, each when its time has come, and silence between them.
    Lines(Vec<Line>),
}

/// Something that a caller says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// In these words.
    pub text: String,
    /// Not before this, nor before the line before it has ended.
    #[serde(default)]
    pub when: When,
}

impl Line {
    /// Said when the stream has lasted so long.
    pub fn at(after: Duration, text: &str) -> Self {
        Self { text: text.into(), when: When::At { after } }
    }

    /// Said when the bot has spoken and then been quiet for half a second.
    pub fn in_answer(text: &str) -> Self {
        Self { text: text.into(), when: When::default() }
    }

    /// Said as soon as these words are heard, into those that follow.
    pub fn once_heard(words: &str, text: &str) -> Self {
        Self { text: text.into(), when: When::Heard(words.into()) }
    }

    /// Said so long after the line before.
    pub fn then(after: Duration, text: &str) -> Self {
        Self { text: text.into(), when: When::Then { after } }
    }
}

/// When something is done. Times are nominal, and kept to a frame of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// When the stream has lasted so long.
    At {
        /// Since it began.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// So long after the end of the caller's line before, or after the stream began.
    Then {
        /// The pause.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// When these words have been heard since the caller's line before began, in any case of letters.
    Heard(String),
    /// When the bot has begun to speak since the caller's line before, and now pauses: what it had begun
    /// to say before, and is cut off, is no answer.
    Quiet {
        /// For so long.
        #[serde(rename = "for_ms", with = "millis")]
        length: Duration,
    },
}

impl Default for When {
    fn default() -> Self {
        Self::Quiet { length: TURN_GAP }
    }
}

mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(value))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}
