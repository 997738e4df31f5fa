//! What goes wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{millis, service::Reply};

/// What the next request meets, or the next socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speech {
    /// What goes wrong.
    pub quirks: Vec<Quirk>,
}

impl Speech {
    /// One thing that goes wrong.
    pub fn with(quirk: Quirk) -> Self {
        Self { quirks: vec![quirk] }
    }

    /// So many requests that are refused with this.
    pub fn refusing(times: usize, reply: &Reply) -> impl Iterator<Item = Self> {
        std::iter::repeat_n(Self::with(Quirk::Reply(reply.clone())), times)
    }
}

/// What goes wrong. An `after` is a length of audio sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quirk {
    /// This instead of audio, or of the upgrade.
    Reply(Reply),
    /// No byte ever comes; a socket opens and stays silent.
    Hang,
    /// The first byte comes later.
    SlowFirstByte {
        /// By this much nominal time.
        #[serde(rename = "by_ms", with = "millis")]
        by: Duration,
    },
    /// Nothing more comes, while the connection stays open.
    Stall {
        /// Audio before.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// The connection is reset.
    Cut {
        /// Audio before.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// Audio comes in pieces of so many bytes; an odd number splits samples of 16 bits. Not on sockets.
    Chunks {
        /// Bytes of a piece.
        size: usize,
    },
    /// A socket tells an error and closes with 1008 instead of generating.
    SocketError {
        /// The error's name, such as `quota_exceeded`.
        error: String,
        /// Its text.
        message: String,
    },
    /// What a socket or a stream with timestamps sends has no alignment.
    NoAlignment,
    /// A socket sends a message without audio before each that has some.
    NullAudio,
}

impl Quirk {
    /// The length of audio at which it ends what is sent, if it does.
    pub(super) fn after(&self) -> Option<Duration> {
        match self {
            Self::Stall { after } | Self::Cut { after } => Some(*after),
            Self::Reply(_)
            | Self::Hang
            | Self::SlowFirstByte { .. }
            | Self::Chunks { .. }
            | Self::SocketError { .. }
            | Self::NoAlignment
            | Self::NullAudio => None,
        }
    }
}

/// By how much the first byte comes later.
pub(super) fn delay(quirks: &[Quirk]) -> Duration {
    quirks
        .iter()
        .map(|quirk| if let Quirk::SlowFirstByte { by } = quirk { *by } else { Duration::ZERO })
        .sum()
}
