//! Placing a call: one request, sent once, and what its answer means.

use outdial_workflows::call::{CallId, DialReply, Refusal};

use super::reads::words;
use super::wire::{Call, Envelope};
use super::{Telnyx, refusal, texml};
use crate::providers::answer::Answer;
use crate::providers::sending::send_once;
use crate::providers::{DialBody, Permit};

impl Telnyx {
    pub(super) async fn place_once(&self, permit: Permit, body: &DialBody) -> DialReply {
        if let Some(texml) = texml::destination(body) {
            return self.place_texml(permit, texml).await;
        }
        let request = self.authorised(self.http.post(self.v2(&["calls"])));
        match send_once(request, permit, body, &self.secrets()).await {
            Ok(answer) => self.reply(&answer),
            Err(reply) => reply,
        }
    }

    /// What an answer means. Whatever does not certainly say yes or no is unknown.
    pub(super) fn reply(&self, answer: &Answer) -> DialReply {
        let cause = self.tidy(&words(answer));
        if answer.status.is_success() {
            let call = answer.json::<Envelope<Call>>().and_then(|envelope| envelope.data.call_control_id);
            return match call {
                Some(call_id) => DialReply::Bound { call_id: CallId(call_id) },
                // A copy may be answered `ok` without saying of which call.
                None => {
                    DialReply::Unknown { cause: format!("accepted, it seems, but no call id came: {cause}") }
                }
            };
        }
        match refusal::kind(answer) {
            Some(kind) => DialReply::Refused(Refusal { kind, cause }),
            None => DialReply::Unknown { cause },
        }
    }
}
