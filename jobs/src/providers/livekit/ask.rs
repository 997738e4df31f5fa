//! Asking what became of a call, and ending it.
//!
//! What can be known: who is in the room now. A call that is dialled, rings or is talked on has its
//! participant there, under a name that we gave it. A call that is over has none, whatever came of it, and
//! LiveKit keeps no record that could be read. So a room without the participant, or no room at all,
//! means either that nothing was dialled or that all is over; the room itself proves nothing, since it is
//! made before the dial. Only a webhook can tell the two apart, and until the longest call would have
//! ended, and every webhook given up, the question stays open. After that, a dial without a name is taken
//! for never made, and a call with one for lost: it is never said that somebody answered.

use outdial_workflows::call::Found;
use reqwest::StatusCode;

use super::requests::words;
use super::token::Need;
use super::wire::{InRoom, ListTrunks, Participant, Participants, Trunk, Trunks, TwirpError};
use super::{CALLEE, LiveKit, mapping};
use crate::providers::answer::Answer;
use crate::providers::{HangUp, Question};

/// The most requests that finding a call takes, with a name or without.
pub(super) const LOOKS_MAX: u32 = 1;

impl LiveKit {
    /// Looks for the call's participant in the attempt's own room.
    pub(super) async fn look(&self, question: &Question<'_>) -> Found {
        if question.attempt.submission.is_none() {
            return Found::CannotTell { cause: "the attempt was never submitted".into() };
        }
        match self.callee(question).await {
            Ok(Some(participant)) => Found::Call(mapping::present(&participant)),
            Ok(None) => {
                let after = self.settings.absent_after(question.rules.longest_call());
                Found::NotSeen { conclusive_after_ms: after.num_milliseconds() }
            }
            Err(cause) => Found::CannotTell { cause: self.credentials.tidy(&cause) },
        }
    }

    async fn callee(&self, question: &Question<'_>) -> Result<Option<Participant>, String> {
        let room = question.key.to_string();
        question.requests.another();
        let message = InRoom { room: &room, identity: None };
        let answer = self.ask(("RoomService", "ListParticipants"), Need::Room(&room), &message).await?;
        let listed: Participants = match answer.status {
            StatusCode::OK => {
                answer.json().ok_or("the list of participants is not in the documented form")?
            }
            // Some servers say so of a room that is gone, others list nobody.
            _ if is_not_found(&answer) => return Ok(None),
            _ => return Err(format!("the room cannot be read: {}", words(&answer))),
        };
        Ok(listed.participants.into_iter().find(is_callee))
    }

    /// Takes the participant out of the room, which ends the call.
    pub(super) async fn remove(&self, question: &Question<'_>) -> HangUp {
        let room = question.key.to_string();
        question.requests.another();
        let message = InRoom { room: &room, identity: Some(CALLEE) };
        let asked = self.ask(("RoomService", "RemoveParticipant"), Need::Room(&room), &message).await;
        let cause = match asked {
            Ok(answer) if answer.status.is_success() => return HangUp::Asked,
            Ok(answer) if is_not_found(&answer) => return HangUp::Over,
            Ok(answer) => words(&answer),
            Err(cause) => cause,
        };
        HangUp::Failed { cause: self.credentials.tidy(&cause) }
    }

    /// What LiveKit says of the trunk, and so of the key.
    pub(super) async fn try_trunk(&self) -> Result<String, String> {
        let id = self.settings.sip_trunk_id.as_str();
        let message = ListTrunks { trunk_ids: [id] };
        let answer = self.ask(("SIP", "ListSIPOutboundTrunk"), Need::Trunks, &message).await?;
        if answer.status == StatusCode::OK {
            let no_list = "what answers there is no LiveKit server; check the address";
            let Trunks { items } = answer.json().ok_or(no_list)?;
            return judge(id, items.iter().find(|trunk| trunk.sip_trunk_id == id));
        }
        Err(format!("LiveKit says {}: {}", words(&answer), remedy(&answer)))
    }
}

fn judge(id: &str, trunk: Option<&Trunk>) -> Result<String, String> {
    match trunk {
        None => Err(format!(
            "LiveKit takes the key, but has no outbound trunk {id}; give the id of one as sip_trunk_id"
        )),
        Some(trunk) if trunk.numbers.is_empty() => Ok(format!(
            "LiveKit takes the key and has the trunk {id}, which has no numbers: set caller_ids in each \
             campaign's rules, or give the trunk some"
        )),
        Some(_) => Ok(format!("LiveKit takes the key and has the trunk {id}")),
    }
}

fn remedy(answer: &Answer) -> &'static str {
    let error = answer.json::<TwirpError>();
    let says = |words: &str| error.as_ref().is_some_and(|error| error.msg.contains(words));
    match answer.status.as_u16() {
        401 | 403 => {
            "copy API key and API secret from the project's settings, and check that the address is its own"
        }
        404 | 405 => "check the address: it is none of a LiveKit server",
        429 => "the project is busy; try again in a minute",
        300..=399 => "check the address: it sends us elsewhere",
        _ if says("sip not connected") => "the server has no telephony; set up its SIP service",
        _ => "try again; if it stays so, check the address",
    }
}

/// Whether a participant is the person called: not the agent, not a listener, and nobody whom an agent
/// called in besides.
pub(super) fn is_callee(participant: &Participant) -> bool {
    participant.identity == CALLEE && matches!(participant.kind.0.as_str(), "SIP" | "3")
}

/// Whether it is LiveKit that knows no such room or participant, and not an address that leads nowhere.
fn is_not_found(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND
        && answer.json::<TwirpError>().is_some_and(|error| error.code == "not_found")
}
