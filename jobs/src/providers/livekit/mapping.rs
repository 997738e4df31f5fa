//! LiveKit's words for a call, in ours.
//!
//! A call is its SIP participant. That joins the room when it is dialled and not when somebody answers, so
//! only the attribute `sip.callStatus` shows an answer, and how a call ended is told by why the
//! participant left. Neither gives times: how long was talked is not known, since the time in the room
//! includes the ringing.

use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, CallStatus};

use super::wire::{Participant, Word};

/// What an unanswered call that ended so came to; `None` for a reason that ends no call. In the order of
/// LiveKit's numbers for them.
///
/// `USER_REJECTED` is an engaged line (486), a person who declines (603), and also a telephone company
/// that refuses the call (403, 407). `USER_UNAVAILABLE` is nobody answering (408, 480) and also no such
/// number (404). LiveKit tells them no further apart. Without a reason it is a failure of the telephone
/// company or the network. What somebody or something on this side ended before an answer is as good as
/// not answered, since the phone may have rung.
const UNANSWERED: [(&str, Option<CallResult>); 17] = [
    ("UNKNOWN_REASON", Some(CallResult::Failed)),
    ("CLIENT_INITIATED", Some(CallResult::NoAnswer)),
    ("DUPLICATE_IDENTITY", Some(CallResult::Failed)),
    ("SERVER_SHUTDOWN", Some(CallResult::Failed)),
    ("PARTICIPANT_REMOVED", Some(CallResult::NoAnswer)),
    ("ROOM_DELETED", Some(CallResult::NoAnswer)),
    ("STATE_MISMATCH", Some(CallResult::Failed)),
    ("JOIN_FAILURE", Some(CallResult::Failed)),
    // It goes on, at another server.
    ("MIGRATION", None),
    ("SIGNAL_CLOSE", Some(CallResult::Failed)),
    ("ROOM_CLOSED", Some(CallResult::NoAnswer)),
    ("USER_UNAVAILABLE", Some(CallResult::NoAnswer)),
    ("USER_REJECTED", Some(CallResult::Busy)),
    ("SIP_TRUNK_FAILURE", Some(CallResult::Failed)),
    ("CONNECTION_TIMEOUT", Some(CallResult::Failed)),
    ("MEDIA_FAILURE", Some(CallResult::Failed)),
    ("AGENT_ERROR", Some(CallResult::Failed)),
];

/// More of a reason that nobody knows is cut off.
const REASON_MAX: usize = 40;

/// How far the call of somebody in the room has come.
///
/// A call that nobody answered keeps the status that it had.
fn status(participant: &Participant) -> CallStatus {
    match call_status(participant) {
        "active" | "automation" | "hangup" => CallStatus::Connected,
        "ringing" => CallStatus::Ringing,
        _ => CallStatus::Initiated,
    }
}

fn call_status(participant: &Participant) -> &str {
    participant.attributes.get("sip.callStatus").map_or("", String::as_str)
}

fn call_id(participant: &Participant) -> Option<CallId> {
    let id = participant.attributes.get("sip.callID").filter(|id| !id.is_empty());
    id.map(|id| CallId(id.clone()))
}

/// What a participant that is listed, or has just joined, says of its call.
pub(super) fn present(participant: &Participant) -> CallFact {
    let over = call_status(participant) == "hangup" || participant.state.0 == "DISCONNECTED";
    let going = || CallFact::progress(call_id(participant), status(participant));
    if over { gone(participant).unwrap_or_else(going) } else { going() }
}

/// What a participant that has left says of its call; `None` if that goes on elsewhere.
pub(super) fn gone(participant: &Participant) -> Option<CallFact> {
    let (reason, unanswered) = reason(&participant.disconnect_reason);
    let result = match status(participant) {
        // Somebody picked up, whatever became of it then.
        CallStatus::Connected => unanswered.map(|_| CallResult::Answered),
        _ => unanswered,
    };
    let end = CallEnd { result: result?, talk: None, cause: Some(reason) };
    Some(CallFact::ended(call_id(participant), end))
}

/// A reason's name, and what it makes of an unanswered call. One that is not known is a failure.
fn reason(word: &Word) -> (String, Option<CallResult>) {
    let by_number = || UNANSWERED.get(word.0.parse::<usize>().ok()?);
    let known = match word.0.as_str() {
        "" => UNANSWERED.first(),
        name => UNANSWERED.iter().find(|(known, _)| *known == name).or_else(by_number),
    };
    match known {
        Some((name, result)) => ((*name).to_owned(), *result),
        None => (word.0.chars().take(REASON_MAX).collect(), Some(CallResult::Failed)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn participant(status: &str, reason: impl Into<Value>) -> Participant {
        let attributes = json!({"sip.callID": "SCL_1", "sip.callStatus": status});
        let whole = json!({"kind": "SIP", "attributes": attributes, "disconnectReason": reason.into()});
        serde_json::from_value(whole).expect("a participant")
    }

    fn told(status: &str, reason: impl Into<Value>) -> String {
        let Some(fact) = gone(&participant(status, reason)) else { return "goes on".into() };
        assert_eq!(fact.call_id, Some(CallId("SCL_1".into())));
        assert_eq!(fact.answered_at, None);
        let end = fact.end.expect("an end");
        assert_eq!((end.talk, fact.status), (None, end.result.status()));
        format!("{:?} {}", end.result, end.cause.unwrap_or_default())
    }

    #[test]
    fn why_it_left_says_how_an_unanswered_call_ended() {
        for (number, reason, means) in [
            (0, "UNKNOWN_REASON", "Failed"),
            (1, "CLIENT_INITIATED", "NoAnswer"),
            (2, "DUPLICATE_IDENTITY", "Failed"),
            (3, "SERVER_SHUTDOWN", "Failed"),
            (4, "PARTICIPANT_REMOVED", "NoAnswer"),
            (5, "ROOM_DELETED", "NoAnswer"),
            (6, "STATE_MISMATCH", "Failed"),
            (7, "JOIN_FAILURE", "Failed"),
            (9, "SIGNAL_CLOSE", "Failed"),
            (10, "ROOM_CLOSED", "NoAnswer"),
            (11, "USER_UNAVAILABLE", "NoAnswer"),
            (12, "USER_REJECTED", "Busy"),
            (13, "SIP_TRUNK_FAILURE", "Failed"),
            (14, "CONNECTION_TIMEOUT", "Failed"),
            (15, "MEDIA_FAILURE", "Failed"),
            (16, "AGENT_ERROR", "Failed"),
        ] {
            for status in ["dialing", "ringing", "", "unheard-of"] {
                assert_eq!(told(status, reason), format!("{means} {reason}"), "{status}");
                assert_eq!(told(status, number), format!("{means} {reason}"), "{status}");
            }
        }
        assert_eq!(told("dialing", Value::Null), "Failed UNKNOWN_REASON");
        assert_eq!(told("ringing", "SOMETHING_NEW"), "Failed SOMETHING_NEW");
        assert_eq!(told("ringing", 99), "Failed 99");
    }

    #[test]
    fn a_call_that_was_picked_up_was_answered_whatever_ended_it() {
        for status in ["active", "automation", "hangup"] {
            for reason in UNANSWERED.iter().filter(|(_, result)| result.is_some()).map(|(name, _)| *name) {
                assert_eq!(told(status, reason), format!("Answered {reason}"));
            }
            assert_eq!(told(status, Value::Null), "Answered UNKNOWN_REASON");
        }
    }

    #[test]
    fn a_call_that_moves_to_another_server_is_not_over() {
        assert_eq!(told("active", "MIGRATION"), "goes on");
        assert_eq!(told("ringing", 8), "goes on");
    }

    #[test]
    fn being_in_the_room_is_not_having_answered() {
        for (status, means) in [
            ("dialing", CallStatus::Initiated),
            ("", CallStatus::Initiated),
            ("unheard-of", CallStatus::Initiated),
            ("ringing", CallStatus::Ringing),
            ("automation", CallStatus::Connected),
            ("active", CallStatus::Connected),
        ] {
            let fact = present(&participant(status, "UNKNOWN_REASON"));
            assert_eq!((fact.status, fact.end), (means, None), "{status}");
        }
        let over = present(&participant("hangup", "UNKNOWN_REASON"));
        assert_eq!(over.end.map(|end| end.result), Some(CallResult::Answered));
        let mut lingering = participant("ringing", "USER_REJECTED");
        lingering.state = Word("DISCONNECTED".into());
        assert_eq!(present(&lingering).end.map(|end| end.result), Some(CallResult::Busy));
    }
}
