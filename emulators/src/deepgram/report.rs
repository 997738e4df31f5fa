//! What came of a socket, for tests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::millis;

/// What came of a socket, or of an upgrade that was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReport {
    /// As in `dg-request-id`.
    pub request_id: String,
    /// The query, as it came.
    pub parameters: Vec<(String, String)>,
    /// Binary frames.
    pub frames: u32,
    /// Bytes of audio in them.
    pub bytes: u64,
    /// How long that is.
    #[serde(rename = "audio_ms", with = "millis")]
    pub audio: Duration,
    /// `KeepAlive` messages.
    pub keep_alives: u32,
    /// `Finalize` messages.
    pub finalizes: u32,
    /// Messages that are not in the protocol.
    pub nonsense: u32,
    /// Messages sent.
    pub sent: u32,
    /// What the final results said, with a space between two of them.
    pub transcript: String,
    /// How it ended; `None` while it goes on.
    pub ended: Option<SessionEnd>,
}

impl SessionReport {
    pub(super) fn add_final(&mut self, transcript: &str) {
        if !transcript.is_empty() && !self.transcript.is_empty() {
            self.transcript.push(' ');
        }
        self.transcript.push_str(transcript);
    }
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// It was never opened.
    Refused {
        /// The status.
        status: u16,
    },
    /// The client sent `CloseStream`, or an empty frame.
    Closed,
    /// The client closed the socket, or vanished, without saying `CloseStream`.
    Gone,
    /// The client sent nothing for too long.
    Idle,
    /// The client sent something that cannot be read.
    Undecodable,
    /// A quirk ended it.
    Quirk,
}
