//! What one socket meets: what is heard, and what goes wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{millis, service::Reply};

/// One socket, from its upgrade to its close.
///
/// ```
/// use outdial_emulators::deepgram::{Hears, Session};
/// let read: Session = serde_json::from_str(
///     r#"{"hears": {"script": [{"at_ms": 400, "text": "Hello."}]}, "quirks": [{"cut": {"after_ms": 900}}]}"#,
/// ).expect("a session");
/// assert!(matches!(read.hears, Hears::Script(spoken) if spoken[0].text == "Hello."));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// What is heard in the audio.
    pub hears: Hears,
    /// What goes wrong.
    pub quirks: Vec<Quirk>,
}

impl Session {
    /// One that hears this, whatever the audio holds.
    pub fn hearing(spoken: impl IntoIterator<Item = Spoken>) -> Self {
        Self { hears: Hears::Script(spoken.into_iter().collect()), quirks: Vec::new() }
    }

    /// With something that goes wrong besides.
    #[must_use]
    pub fn with(mut self, quirk: Quirk) -> Self {
        self.quirks.push(quirk);
        self
    }

    /// One that is refused with this.
    pub fn refused(reply: Reply) -> Self {
        Self::default().with(Quirk::Refuse(reply))
    }
}

/// What is heard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Hears {
    /// What the audio carries.
    #[default]
    Audio,
    /// This, once so much audio has come; what it holds does not matter.
    Script(Vec<Spoken>),
}

/// Something that is said at a time of the audio, as long as a [`Voice`](crate::speech::Voice) takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spoken {
    /// When it begins, from the first sample.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// What.
    pub text: String,
    /// On which channel, from 0.
    #[serde(default)]
    pub channel: u16,
}

impl Spoken {
    /// Said on the first channel.
    pub fn new(at: Duration, text: &str) -> Self {
        Self { at, text: text.into(), channel: 0 }
    }
}

/// What goes wrong. An `after` is a length of audio received: the quirk strikes with the frame that
/// reaches it, when that has been transcribed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quirk {
    /// The upgrade is refused.
    Refuse(Reply),
    /// Every message comes late.
    Slow {
        /// By this much nominal time.
        #[serde(rename = "by_ms", with = "millis")]
        by: Duration,
    },
    /// Nothing more is said, while the socket stays open.
    Stall {
        /// From here on.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// The socket is closed, as with 1011 and `NET-0000` when Deepgram's own service fails.
    Close {
        /// Here.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
        /// The close code.
        code: u16,
        /// The reason, of at most 123 bytes.
        reason: String,
    },
    /// The connection is reset without a close frame.
    Cut {
        /// Here.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// A text frame comes that is no JSON.
    Garbage {
        /// Here.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// A message comes whose type is in no document.
    UnknownType {
        /// Here.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// No result is ever marked `speech_final`, as in a room full of noise: `UtteranceEnd` alone tells.
    NoSpeechFinal,
    /// `SpeechStarted` comes twice each time.
    RepeatedSpeechStarted,
}

impl Quirk {
    /// The length of audio at which it strikes, if it waits for one.
    pub(super) fn after(&self) -> Option<Duration> {
        match self {
            Self::Stall { after }
            | Self::Close { after, .. }
            | Self::Cut { after }
            | Self::Garbage { after }
            | Self::UnknownType { after } => Some(*after),
            Self::Refuse(_) | Self::Slow { .. } | Self::NoSpeechFinal | Self::RepeatedSpeechStarted => None,
        }
    }
}
