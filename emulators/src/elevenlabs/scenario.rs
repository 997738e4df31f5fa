//! What goes wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    millis,
    service::{Reply, paced::Act},
};

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
    /// The end comes too early and in good order: a body ends, a socket closes with 1000 and never said
    /// `isFinal`. Means nothing where audio comes whole.
    EndEarly {
        /// Audio before.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// A socket closes like this, without having said `isFinal`.
    SocketClose {
        /// Audio before.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
        /// The close code.
        code: u16,
        /// The reason, of at most 123 bytes.
        reason: String,
    },
    /// A socket sends one message that is no JSON.
    Garbage {
        /// Audio before.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// Audio comes in pieces of so many bytes; an odd number splits samples of 16 bits. Not on sockets.
    Chunks {
        /// Bytes of a piece.
        size: usize,
    },
    /// A socket tells an error and closes with 1008: instead of generating, or in the middle of it.
    SocketError {
        /// Audio before.
        #[serde(rename = "after_ms", with = "millis", default)]
        after: Duration,
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
    /// The length of audio after which it strikes, if it waits for one.
    pub(super) fn after(&self) -> Option<Duration> {
        match self {
            Self::Stall { after }
            | Self::Cut { after }
            | Self::EndEarly { after }
            | Self::SocketClose { after, .. }
            | Self::Garbage { after }
            | Self::SocketError { after, .. } => Some(*after),
            Self::Reply(_)
            | Self::Hang
            | Self::SlowFirstByte { .. }
            | Self::Chunks { .. }
            | Self::NoAlignment
            | Self::NullAudio => None,
        }
    }

    /// How it ends a body, and after how much audio.
    pub(super) fn body_end(&self) -> Option<(Duration, Option<Act>)> {
        match self {
            Self::Stall { after } => Some((*after, Some(Act::Hang))),
            Self::Cut { after } => Some((*after, Some(Act::Cut))),
            Self::EndEarly { after } => Some((*after, None)),
            Self::Reply(_)
            | Self::Hang
            | Self::SlowFirstByte { .. }
            | Self::SocketClose { .. }
            | Self::Garbage { .. }
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
