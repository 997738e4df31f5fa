//! What a call that was not answered comes to: on the wire of SIP, in Twirp, and in the room
//! (protocol page, §4).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    error::{Code, Refusal},
    wire::{self, messages},
};

/// The final answer to an INVITE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SipStatus {
    /// SIP's code, from 300.
    pub code: u16,
    /// Its reason phrase.
    pub reason: String,
}

/// Why a participant left, as LiveKit names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisconnectReason {
    /// None is given: webhooks then leave it out.
    #[default]
    UnknownReason,
    /// It hung up, or a limit on its time did.
    ClientInitiated,
    /// Another came under its identity.
    DuplicateIdentity,
    /// The server went.
    ServerShutdown,
    /// `RemoveParticipant`.
    ParticipantRemoved,
    /// `DeleteRoom`.
    RoomDeleted,
    /// Client and server disagreed.
    StateMismatch,
    /// It could not join.
    JoinFailure,
    /// It went to another server.
    Migration,
    /// Its signal connection closed.
    SignalClose,
    /// The room closed behind the last participant.
    RoomClosed,
    /// Nobody answered, or there is nobody.
    UserUnavailable,
    /// Busy, or declined.
    UserRejected,
    /// The trunk failed; servers so far do not say so in webhooks.
    SipTrunkFailure,
    /// The connection went quiet.
    ConnectionTimeout,
    /// Media went quiet; servers so far do not say so in webhooks.
    MediaFailure,
    /// The agent crashed.
    AgentError,
}

impl SipStatus {
    /// Any.
    pub fn new(code: u16, reason: &str) -> Self {
        Self { code, reason: reason.into() }
    }

    /// What it does to the SIP participant.
    pub fn disconnect_reason(&self) -> DisconnectReason {
        match self.code {
            404 | 408 | 480 => DisconnectReason::UserUnavailable,
            400..500 | 600..700 => DisconnectReason::UserRejected,
            _ => DisconnectReason::UnknownReason,
        }
    }

    fn twirp(&self) -> Code {
        match self.code {
            401..=403 | 433 | 470 | 603 | 607 | 608 => Code::PermissionDenied,
            407 | 428 | 436..=438 | 494 => Code::Unauthenticated,
            416 => Code::OutOfRange,
            301 | 302 | 404 | 410 | 481 | 604 => Code::NotFound,
            408 | 504 => Code::DeadlineExceeded,
            409 | 412 | 480 | 482 | 483 | 486 | 500..=503 => Code::FailedPrecondition,
            487 | 491 => Code::Aborted,
            440 | 600 => Code::ResourceExhausted,
            300 | 305 | 380 | 400..500 | 505 | 513 | 606 => Code::InvalidArgument,
            _ => Code::Unknown,
        }
    }

    /// As the error of a request that waited for the answer.
    pub(super) fn refusal(&self) -> Refusal {
        self.refusal_of("INVITE")
    }

    /// The same for another SIP request.
    pub(super) fn refusal_of(&self, request: &str) -> Refusal {
        let code = self.twirp();
        let message = format!("{request} failed: sip status: {}: {}", self.code, self.reason);
        let details = self.details(code, &message);
        Refusal::new(code, message)
            .with("sip_status_code", self.code.to_string())
            .with("sip_status", self.reason.clone())
            .with("error_details", details)
    }

    /// A `google.rpc.Status` that holds a `livekit.SIPStatus`.
    fn details(&self, code: Code, message: &str) -> String {
        let status = json!({"code": self.code, "status": self.reason});
        let inside = wire::to_protobuf(messages::SIP_STATUS, &status);
        let detail = json!({
            "type_url": "type.googleapis.com/livekit.SIPStatus",
            "value": STANDARD.encode(inside),
        });
        let outside = json!({"code": code.grpc(), "message": message, "details": [detail]});
        STANDARD.encode(wire::to_protobuf(messages::RPC_STATUS, &outside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_phone_is_told_as_the_server_tells_it() {
        let refusal = SipStatus::new(486, "Busy Here").refusal();
        assert_eq!(refusal.code, Code::FailedPrecondition);
        assert_eq!(refusal.message, "INVITE failed: sip status: 486: Busy Here");
        assert_eq!(refusal.meta["sip_status_code"], "486");
        assert_eq!(refusal.meta["sip_status"], "Busy Here");
        assert_eq!(
            refusal.meta["error_details"],
            "CAkSKUlOVklURSBmYWlsZWQ6IHNpcCBzdGF0dXM6IDQ4NjogQnVzeSBIZXJl\
            GjcKJXR5cGUuZ29vZ2xlYXBpcy5jb20vbGl2ZWtpdC5TSVBTdGF0dXMSDgjmAxIJQnVzeSBIZXJl"
        );
    }

    #[test]
    fn the_details_of_480_are_those_of_the_server() {
        let refusal = SipStatus::new(480, "Temporarily Unavailable").refusal();
        assert_eq!(
            refusal.meta["error_details"],
            "CAkSN0lOVklURSBmYWlsZWQ6IHNpcCBzdGF0dXM6IDQ4MDogVGVtcG9yYXJpbHkg\
            VW5hdmFpbGFibGUaRQoldHlwZS5nb29nbGVhcGlzLmNvbS9saXZla2l0LlNJUFN0YXR1cxIcCOADEhdUZW1wb3JhcmlseSBVbmF2YWlsYWJsZQ=="
        );
    }

    #[test]
    fn sip_codes_become_the_documented_twirp_codes_and_reasons() {
        use DisconnectReason::{UnknownReason, UserRejected, UserUnavailable};
        for (sip, twirp, reason) in [
            (486, Code::FailedPrecondition, UserRejected),
            (603, Code::PermissionDenied, UserRejected),
            (403, Code::PermissionDenied, UserRejected),
            (404, Code::NotFound, UserUnavailable),
            (408, Code::DeadlineExceeded, UserUnavailable),
            (480, Code::FailedPrecondition, UserUnavailable),
            (407, Code::Unauthenticated, UserRejected),
            (484, Code::InvalidArgument, UserRejected),
            (487, Code::Aborted, UserRejected),
            (600, Code::ResourceExhausted, UserRejected),
            (503, Code::FailedPrecondition, UnknownReason),
            (504, Code::DeadlineExceeded, UnknownReason),
            (416, Code::OutOfRange, UserRejected),
            (513, Code::InvalidArgument, UnknownReason),
        ] {
            let status = SipStatus::new(sip, "x");
            assert_eq!((status.twirp(), status.disconnect_reason()), (twirp, reason), "{sip}");
        }
    }
}
