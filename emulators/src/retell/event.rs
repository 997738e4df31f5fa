//! What webhooks tell of (protocol page, §7).

use serde::{Deserialize, Serialize};

/// A moment that a webhook can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Connected; never sent of a call that is not.
    CallStarted,
    /// Over, or failed to connect.
    CallEnded,
    /// The analysis is ready.
    CallAnalyzed,
    /// Somebody has spoken, and once more at the end.
    TranscriptUpdated,
    /// The agent begins to hand over.
    TransferStarted,
    /// Somebody took over.
    TransferBridged,
    /// Nobody did.
    TransferCancelled,
    /// The talk of the other two is over.
    TransferEnded,
}

impl Event {
    /// Those reported unless an agent says otherwise.
    pub(super) const USUAL: [Self; 3] = [Self::CallStarted, Self::CallEnded, Self::CallAnalyzed];

    /// Whether it brings `transfer_destination` and `transfer_option`.
    pub(super) fn names_transfer(self) -> bool {
        match self {
            Self::TransferStarted | Self::TransferBridged | Self::TransferCancelled => true,
            Self::CallStarted
            | Self::CallEnded
            | Self::CallAnalyzed
            | Self::TranscriptUpdated
            | Self::TransferEnded => false,
        }
    }
}
