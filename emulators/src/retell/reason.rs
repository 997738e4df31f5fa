//! Why a call ended, and the status that goes with it (protocol page, §3).

use serde::{Deserialize, Serialize};

/// `call_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted; the phone rings, or will.
    Registered,
    /// Connected.
    Ongoing,
    /// Was connected, is over.
    Ended,
    /// Was never connected.
    NotConnected,
    /// Went wrong on the provider's side or the account's.
    Error,
}

impl Status {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Ongoing => "ongoing",
            Self::Ended => "ended",
            Self::NotConnected => "not_connected",
            Self::Error => "error",
        }
    }

    /// Whether the call is over.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Registered | Self::Ongoing => false,
            Self::Ended | Self::NotConnected | Self::Error => true,
        }
    }
}

/// `disconnection_reason`: the 39 values of the official client, and any other, as the set is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "Retell's own words; what they mean is in its documents")]
pub enum Reason {
    #[default]
    UserHangup,
    AgentHangup,
    UserRequestedDnc,
    UserRequestedCallback,
    CallTransfer,
    VoicemailReached,
    IvrReached,
    Inactivity,
    MaxDurationReached,
    ConcurrencyLimitReached,
    NoConcurrencyFallback,
    NoValidPayment,
    CreditExhausted,
    BudgetReached,
    ScamDetected,
    DialBusy,
    DialFailed,
    DialNoAnswer,
    InvalidDestination,
    TelephonyProviderPermissionDenied,
    TelephonyProviderUnavailable,
    SipRoutingError,
    MarkedAsSpam,
    NetworkBlocked,
    UserDeclined,
    ErrorLlmWebsocketOpen,
    ErrorLlmWebsocketLostConnection,
    ErrorLlmWebsocketRuntime,
    ErrorLlmWebsocketCorruptPayload,
    ErrorNoAudioReceived,
    ErrorAsr,
    ErrorRetell,
    ErrorUnknown,
    ErrorUserNotJoined,
    RegisteredCallTimeout,
    TransferBridged,
    TransferCancelled,
    ManualStopped,
    CallTakeOver,
    /// One that the client does not know yet.
    #[serde(untagged)]
    Other(String),
}

impl Reason {
    /// The status of a call that ends so.
    pub(super) fn status(&self, connected: bool) -> Status {
        match self {
            Self::UserHangup
            | Self::AgentHangup
            | Self::UserRequestedDnc
            | Self::UserRequestedCallback
            | Self::CallTransfer
            | Self::VoicemailReached
            | Self::IvrReached
            | Self::Inactivity
            | Self::MaxDurationReached
            | Self::TransferBridged
            | Self::TransferCancelled
            | Self::ManualStopped
            | Self::CallTakeOver
            | Self::Other(_) => {
                if connected {
                    Status::Ended
                } else {
                    Status::NotConnected
                }
            }
            Self::DialBusy
            | Self::DialFailed
            | Self::DialNoAnswer
            | Self::InvalidDestination
            | Self::TelephonyProviderPermissionDenied
            | Self::TelephonyProviderUnavailable
            | Self::SipRoutingError
            | Self::MarkedAsSpam
            | Self::NetworkBlocked
            | Self::UserDeclined => Status::NotConnected,
            Self::ConcurrencyLimitReached
            | Self::NoConcurrencyFallback
            | Self::NoValidPayment
            | Self::CreditExhausted
            | Self::BudgetReached
            | Self::ScamDetected
            | Self::ErrorLlmWebsocketOpen
            | Self::ErrorLlmWebsocketLostConnection
            | Self::ErrorLlmWebsocketRuntime
            | Self::ErrorLlmWebsocketCorruptPayload
            | Self::ErrorNoAudioReceived
            | Self::ErrorAsr
            | Self::ErrorRetell
            | Self::ErrorUnknown
            | Self::ErrorUserNotJoined
            | Self::RegisteredCallTimeout => Status::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn a_reason_is_its_word_and_an_unknown_one_stays_as_it_is() {
        for (word, reason) in [
            ("dial_no_answer", Reason::DialNoAnswer),
            ("error_llm_websocket_open", Reason::ErrorLlmWebsocketOpen),
            ("struck_by_lightning", Reason::Other("struck_by_lightning".into())),
        ] {
            assert_eq!(from_value::<Reason>(json!(word)).expect("a reason"), reason);
            assert_eq!(to_value(&reason).expect("JSON"), word);
        }
    }

    #[test]
    fn the_status_follows_from_the_reason_and_from_whether_anybody_answered() {
        assert_eq!(Reason::UserHangup.status(true), Status::Ended);
        assert_eq!(Reason::ManualStopped.status(false), Status::NotConnected);
        assert_eq!(Reason::UserDeclined.status(false), Status::NotConnected);
        assert_eq!(Reason::CreditExhausted.status(true), Status::Error);
    }
}
