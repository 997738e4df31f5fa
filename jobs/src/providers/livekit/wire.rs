//! LiveKit's messages, as far as they matter here.
//!
//! Requests are sent in JSON, with the names of the protobuf files. Answers bear the same names and
//! webhooks those of JavaScript; both are read. Whatever is not known is passed over.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// `CreateRoomRequest`.
#[derive(Debug, Serialize)]
pub(super) struct CreateRoom<'a> {
    pub(super) name: &'a str,
    pub(super) empty_timeout: u32,
    pub(super) agents: [AgentDispatch<'a>; 1],
}

/// `RoomAgentDispatch`: who is sent for as soon as the room is there.
#[derive(Debug, Serialize)]
pub(super) struct AgentDispatch<'a> {
    pub(super) agent_name: &'a str,
    pub(super) metadata: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment: Option<&'a str>,
}

/// What an agent is told: ours, and in no document of LiveKit's.
#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) call: &'a str,
    pub(super) report: Report<'a>,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) record: bool,
}

/// Where an agent reports what is said and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub(super) url: &'a str,
    pub(super) token: &'a str,
}

/// `CreateSIPParticipantRequest`.
#[derive(Debug, Serialize)]
pub(super) struct CreateSipParticipant<'a> {
    pub(super) sip_trunk_id: &'a str,
    pub(super) sip_call_to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sip_number: Option<&'a str>,
    pub(super) room_name: &'a str,
    pub(super) participant_identity: &'a str,
    pub(super) participant_attributes: BTreeMap<&'a str, &'a str>,
    pub(super) ringing_timeout: String,
    pub(super) max_call_duration: String,
    pub(super) krisp_enabled: bool,
    pub(super) wait_until_answered: bool,
}

/// `SIPParticipantInfo`.
#[derive(Debug, Deserialize)]
pub(super) struct SipParticipantInfo {
    #[serde(alias = "sipCallId")]
    pub(super) sip_call_id: String,
}

/// `TransferSIPParticipantRequest`.
#[derive(Debug, Serialize)]
pub(super) struct TransferSipParticipant<'a> {
    pub(super) participant_identity: &'a str,
    pub(super) room_name: &'a str,
    pub(super) transfer_to: &'a str,
    pub(super) play_dialtone: bool,
    pub(super) ringing_timeout: String,
}

/// `TransferSIPParticipantResponse`; empty from older servers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Transferred {
    pub(super) transfer_id: String,
    pub(super) status: Word,
    pub(super) reason: Word,
}

/// `ListParticipantsRequest`, `RoomParticipantIdentity`.
#[derive(Debug, Serialize)]
pub(super) struct InRoom<'a> {
    pub(super) room: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<&'a str>,
}

/// `ListParticipantsResponse`.
#[derive(Debug, Deserialize)]
pub(super) struct Participants {
    pub(super) participants: Vec<Participant>,
}

/// `ListSIPOutboundTrunkRequest`.
#[derive(Debug, Serialize)]
pub(super) struct ListTrunks<'a> {
    pub(super) trunk_ids: [&'a str; 1],
}

/// `ListSIPOutboundTrunkResponse`.
#[derive(Debug, Deserialize)]
pub(super) struct Trunks {
    pub(super) items: Vec<Trunk>,
}

/// `SIPOutboundTrunkInfo`. One that does not exist is listed without an id.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Trunk {
    #[serde(alias = "sipTrunkId")]
    pub(super) sip_trunk_id: String,
    pub(super) numbers: Vec<String>,
}

/// `ParticipantInfo`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Participant {
    pub(super) identity: String,
    pub(super) kind: Word,
    pub(super) state: Word,
    pub(super) attributes: BTreeMap<String, String>,
    #[serde(alias = "disconnectReason")]
    pub(super) disconnect_reason: Word,
}

/// A webhook.
#[derive(Debug, Deserialize)]
pub(super) struct WebhookEvent {
    pub(super) event: String,
    #[serde(default)]
    pub(super) room: Room,
    #[serde(default)]
    pub(super) participant: Participant,
}

/// `Room`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Room {
    pub(super) name: String,
}

/// An error of Twirp.
#[derive(Debug, Deserialize)]
pub(super) struct TwirpError {
    pub(super) code: String,
    #[serde(default)]
    pub(super) msg: String,
    #[serde(default)]
    pub(super) meta: BTreeMap<String, String>,
}

impl TwirpError {
    /// The answer of the called side, if that is what turned the call down.
    pub(super) fn sip_status(&self) -> Option<&str> {
        self.meta.get("sip_status_code").map(String::as_str)
    }
}

/// A value of an enumeration: its name, or its number where the sender's table lacks the name. Empty if
/// it was left out, as the first value of each enumeration is in webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word(pub(super) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a number")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Word, E> {
                Ok(Word(name.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Word, E> {
                Ok(Word::default())
            }
        }

        from.deserialize_any(Either)
    }
}

/// The claims of a token, in the order in which the official clients write them.
#[derive(Debug, Serialize)]
pub(super) struct Claims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(flatten)]
    pub(super) grants: Grants<'a>,
    pub(super) sub: &'a str,
    pub(super) iss: &'a str,
    pub(super) nbf: i64,
    pub(super) exp: i64,
}

/// What a token allows, for one request.
#[derive(Debug, Default, Serialize)]
pub(super) struct Grants<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) video: Option<VideoGrant<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sip: Option<SipGrant>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VideoGrant<'a> {
    #[serde(skip_serializing_if = "is_false")]
    pub(super) room_create: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) room_admin: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) room_join: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room: Option<&'a str>,
    /// What is absent is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) can_publish: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) can_subscribe: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) can_publish_data: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) hidden: bool,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct SipGrant {
    pub(super) admin: bool,
    pub(super) call: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(set: &bool) -> bool {
    !set
}

/// The claims of a webhook's token, as far as they prove anything.
#[derive(Debug, Deserialize)]
pub(super) struct WebhookClaims {
    pub(super) iss: String,
    pub(super) exp: i64,
    pub(super) nbf: Option<i64>,
    pub(super) sha256: String,
}

/// The head of a token.
#[derive(Debug, Deserialize)]
pub(super) struct TokenHead {
    pub(super) alg: String,
}
