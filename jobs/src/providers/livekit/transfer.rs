//! Handing a call to somebody else: LiveKit has the telephone company refer it there, and the person leaves
//! the room.

use std::time::Duration;

use outdial_workflows::call::DialReply;
use outdial_workflows::transfer::{TransferTo, TransferTold};
use reqwest::StatusCode;

use super::requests::words;
use super::token::Need;
use super::wire::{TransferSipParticipant, Transferred, TwirpError};
use super::{CALLEE, LiveKit};
use crate::providers::answer::Answer;
use crate::providers::sending::send_once;
use crate::providers::{DialBody, Permit, TransferOrder};

/// How long whom the call goes to is rung. LiveKit's server gives a transfer 30 s where nothing is said.
const RING: Duration = Duration::from_secs(30);

impl LiveKit {
    /// Asks for it, once: LiveKit does not tell a copy from another transfer. It answers when it knows what came
    /// of it.
    pub(super) async fn refer(&self, permit: Permit, order: &TransferOrder<'_>) -> TransferTold {
        let room = order.question.key.to_string();
        let uri = match order.to {
            TransferTo::Phone(phone) => format!("tel:{}", phone.as_str()),
            TransferTo::Sip(address) => address.clone(),
        };
        let message = TransferSipParticipant {
            participant_identity: CALLEE,
            room_name: &room,
            transfer_to: &uri,
            play_dialtone: true,
            ringing_timeout: format!("{}s", RING.as_secs()),
        };
        let text = match serde_json::to_string(&message) {
            Ok(text) => text,
            Err(problem) => return TransferTold::Refused { cause: problem.to_string() },
        };
        order.question.requests.another();
        let patience = RING + self.settings.request_timeout();
        let request = self.request(("SIP", "TransferSIPParticipant"), Need::Transfer(&room), patience);
        let body = DialBody { content_type: "application/json".into(), text };
        match send_once(request, permit, &body, &self.credentials.secrets()).await {
            Ok(answer) => self.referred(&answer),
            Err(DialReply::Refused(refusal)) => TransferTold::Refused { cause: refusal.cause },
            Err(DialReply::Unknown { cause }) => TransferTold::Unknown { cause },
            // Only an answer can say so.
            Err(DialReply::Bound { .. }) => TransferTold::UnderWay,
        }
    }

    fn referred(&self, answer: &Answer) -> TransferTold {
        let cause = self.credentials.tidy(&words(answer));
        if answer.status.is_success() {
            return match answer.json::<Transferred>() {
                Some(Transferred { transfer_id, status, reason }) => match status.0.as_str() {
                    // Older servers answer with nothing, once it is done.
                    "" if transfer_id.is_empty() => TransferTold::Done,
                    "STS_TRANSFER_SUCCESSFUL" | "2" => TransferTold::Done,
                    // A status of 0 may be left out.
                    "" | "STS_TRANSFER_ONGOING" | "0" => TransferTold::UnderWay,
                    "STS_TRANSFER_FAILED" | "1" => TransferTold::Refused {
                        cause: self.credentials.tidy(&format!("it failed: {}", reason.0)),
                    },
                    _ => TransferTold::Unknown { cause },
                },
                None => TransferTold::Unknown { cause },
            };
        }
        if is_certain(answer) {
            return TransferTold::Refused { cause };
        }
        TransferTold::Unknown { cause }
    }
}

/// Whether an error says that the call was not handed over: the other side turned it down, or LiveKit did. A
/// timeout that tells nothing of the other side is LiveKit's own.
fn is_certain(answer: &Answer) -> bool {
    let error = answer.json::<TwirpError>();
    let by_the_other_side = error
        .as_ref()
        .is_some_and(|error| error.sip_status().is_some() || error.meta.contains_key("sip_transfer_reason"));
    by_the_other_side || (answer.status.is_client_error() && answer.status != StatusCode::REQUEST_TIMEOUT)
}
