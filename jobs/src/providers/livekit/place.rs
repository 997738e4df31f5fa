//! Placing a call: the room, then one request that rings, sent once, and what its answer means.

use std::time::Duration;

use outdial_workflows::call::{CallId, DialReply, Refusal, RefusalKind};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use uuid::Builder;

use super::compose::parts;
use super::requests::words;
use super::token::Need;
use super::wire::{Room, SipParticipantInfo};
use super::{LiveKit, refusal};
use crate::providers::answer::Answer;
use crate::providers::permit::PermitOver;
use crate::providers::sending::send_once;
use crate::providers::{DialBody, Permit};

/// Names a request. LiveKit takes a second one of the same name for a repetition of the first, where it
/// heeds the name; we repeat none, but something between us might.
const REQUEST_ID: &str = "x-livekit-request-id";

impl LiveKit {
    /// Makes the room, which rings nobody, and then dials.
    ///
    /// The room comes first because a person who answers must not wait for the agent. Making it twice is as
    /// good as once. Whatever goes wrong with it, nothing was dialled.
    pub(super) async fn place_once(&self, permit: Permit, body: &DialBody) -> DialReply {
        let Some((room, dial)) = parts(body) else {
            return refused(
                RefusalKind::NotSent,
                "not sent: the request was not composed for LiveKit".into(),
            );
        };
        let left = permit.left();
        if left.is_zero() {
            return refused(RefusalKind::TooLate, format!("not sent: {PermitOver}"));
        }
        if let Err((kind, cause)) = self.make_room(room, left).await {
            return refused(kind, self.credentials.tidy(&cause));
        }
        let request = self
            .request(("SIP", "CreateSIPParticipant"), Need::Dial, self.settings.request_timeout())
            .header(REQUEST_ID, request_id(&dial));
        match send_once(request, permit, &dial, &self.credentials.secrets()).await {
            Ok(answer) => self.reply(&answer),
            Err(reply) => reply,
        }
    }

    /// The room is there, with the agent on its way; or why not, and whose trouble that is.
    async fn make_room(&self, room: &str, left: Duration) -> Result<(), (RefusalKind, String)> {
        let timeout = self.settings.room_timeout().min(left);
        let request = self.request(("RoomService", "CreateRoom"), Need::CreateRoom, timeout);
        let about = |cause| format!("nothing was dialled, for the room cannot be made: {cause}");
        let answer = self.send(request, room.to_owned()).await;
        let answer = answer.map_err(|cause| (RefusalKind::NotSent, about(cause)))?;
        if answer.status.is_success() && is_room(&answer, room) {
            return Ok(());
        }
        Err((refusal::of_room(&answer), about(words(&answer))))
    }

    /// What an answer means. Whatever does not certainly say yes or no is unknown.
    fn reply(&self, answer: &Answer) -> DialReply {
        if answer.status.is_success()
            && let Some(SipParticipantInfo { sip_call_id }) = answer.json()
            && !sip_call_id.is_empty()
        {
            return DialReply::Bound { call_id: CallId(sip_call_id) };
        }
        let cause = self.credentials.tidy(&words(answer));
        match refusal::of_dial(answer) {
            Some(kind) => refused(kind, cause),
            None if answer.status.is_success() => {
                DialReply::Unknown { cause: format!("accepted, it seems, but no call id came: {cause}") }
            }
            None => DialReply::Unknown { cause },
        }
    }
}

fn refused(kind: RefusalKind, cause: String) -> DialReply {
    DialReply::Refused(Refusal { kind, cause })
}

/// Whether it is a LiveKit server that answers, and not some page at a wrong address.
fn is_room(answer: &Answer, asked: &str) -> bool {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }

    let asked = serde_json::from_str::<Named>(asked).ok();
    asked.zip(answer.json::<Room>()).is_some_and(|(asked, room)| room.name == asked.name)
}

/// In the form of the official clients', a random UUID; the same bytes have the same.
fn request_id(dial: &DialBody) -> String {
    let hash: [u8; 32] = Sha256::digest(&dial.text).into();
    let mut random = [0; 16];
    random.copy_from_slice(&hash[..16]);
    Builder::from_random_bytes(random).into_uuid().to_string()
}
