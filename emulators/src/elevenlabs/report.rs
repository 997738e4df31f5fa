//! What came of a request or a socket, for tests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{millis, service::Conclude};

/// What came of a request or a socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechReport {
    /// As in `request-id`.
    pub request_id: String,
    /// The voice asked for.
    pub voice_id: String,
    /// The model asked for, or the default.
    pub model_id: String,
    /// The format asked for, or the default.
    pub output_format: String,
    /// Text received, on a socket all of it joined.
    pub text: String,
    /// Whether it came on a socket.
    pub socket: bool,
    /// The text whose audio has been sent so far.
    pub spoken: String,
    /// Bytes of audio sent so far.
    pub bytes: u64,
    /// How long that is.
    #[serde(rename = "audio_ms", with = "millis")]
    pub audio: Duration,
    /// How it ended; `None` while it goes on.
    pub ended: Option<SpeechEnd>,
}

impl Conclude for SpeechReport {
    type End = SpeechEnd;
    const CANCELLED: SpeechEnd = SpeechEnd::Cancelled;

    fn conclude(&mut self, end: SpeechEnd) {
        self.ended = Some(end);
    }
}

/// How a request or a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeechEnd {
    /// With an error; on a socket that had opened, the status is the close code.
    Refused {
        /// The status.
        status: u16,
    },
    /// All was sent.
    Spoken,
    /// The client of a socket said nothing for too long.
    Idle,
    /// A quirk ended it before all was sent.
    Cut,
    /// The client went before the end, as it does to interrupt.
    Cancelled,
}
