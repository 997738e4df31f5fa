//! Whose trouble it is when LiveKit turns a request down.
//!
//! Errors are Twirp's, by a code that each has one HTTP status. Beside the code, an error may bear the
//! called side's own answer: then a call went out, and it is for nobody to say here that no phone rang.

use outdial_workflows::call::RefusalKind;

use super::wire::TwirpError;
use crate::providers::answer::Answer;

/// Whose trouble a refused dial is; `None` for an answer that refuses nothing for certain.
pub(super) fn of_dial(answer: &Answer) -> Option<RefusalKind> {
    let Some(error) = answer.json::<TwirpError>() else { return of_status(answer) };
    if error.sip_status().is_some() {
        return None;
    }
    let message = error.msg.to_ascii_lowercase();
    Some(match error.code.as_str() {
        "resource_exhausted" => throttled(answer),
        // Of an exhausted SIP server, which had not begun to dial.
        "unavailable" if message.contains("exhausted") => throttled(answer),
        "unauthenticated" | "permission_denied" => RefusalKind::AccountUnusable,
        // No LiveKit server, or one without telephony.
        "bad_route" | "unimplemented" => RefusalKind::AccountUnusable,
        "internal" if message.contains("sip not connected") => RefusalKind::AccountUnusable,
        // The trunk; or what it lacks: numbers, a password.
        "not_found" | "failed_precondition" => RefusalKind::Misconfigured,
        "invalid_argument" | "malformed" | "out_of_range" => of_argument(&message),
        _ => return None,
    })
}

/// An answer that is not Twirp's comes from the door before it, or from something at a wrong address.
fn of_status(answer: &Answer) -> Option<RefusalKind> {
    match answer.status.as_u16() {
        429 => Some(throttled(answer)),
        401..=405 => Some(RefusalKind::AccountUnusable),
        _ => None,
    }
}

/// What an argument that is no good is about.
fn of_argument(message: &str) -> RefusalKind {
    let names = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if names(&[
        "trunk",
        "sip number",
        "sip_number",
        "from number",
        "room",
        "identity",
        "attributes",
        "metadata",
    ]) {
        RefusalKind::Misconfigured
    } else if names(&["callee", "sipcallto", "sip_call_to", "phone number"]) {
        RefusalKind::InvalidNumber
    } else {
        RefusalKind::Rejected
    }
}

/// Whose trouble it is that a room could not be made. Nothing was dialled, whatever the answer.
pub(super) fn of_room(answer: &Answer) -> RefusalKind {
    match answer.status.as_u16() {
        429 => throttled(answer),
        // Try the lead again: neither it nor the account is to blame.
        408 | 409 | 500..=599 => RefusalKind::NotSent,
        400 | 412 => RefusalKind::Misconfigured,
        // The key, or an address where there is no LiveKit: that would be so for every lead.
        _ => RefusalKind::AccountUnusable,
    }
}

fn throttled(answer: &Answer) -> RefusalKind {
    RefusalKind::Throttled { retry_after_ms: answer.retry_after_ms }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, text: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after_ms: (status == 429).then_some(9_000),
            text: Some(text.to_owned()),
        }
    }

    fn twirp(status: u16, code: &str, message: &str) -> Answer {
        answer(status, &json!({"code": code, "msg": message}).to_string())
    }

    #[test]
    fn what_certainly_rang_no_phone_is_refused_by_whose_trouble_it_is() {
        use RefusalKind::{AccountUnusable, InvalidNumber, Misconfigured, Rejected};
        let slow = RefusalKind::Throttled { retry_after_ms: Some(9_000) };
        let rest = RefusalKind::Throttled { retry_after_ms: None };
        for (status, code, message, kind) in [
            (429, "resource_exhausted", "rate limit exceeded", slow),
            (503, "unavailable", "cpu exhausted", rest),
            (401, "unauthenticated", "permissions denied", AccountUnusable),
            (403, "permission_denied", "permissions denied", AccountUnusable),
            (404, "bad_route", "no handler for path", AccountUnusable),
            (501, "unimplemented", "not implemented", AccountUnusable),
            (500, "internal", "sip not connected (redis required)", AccountUnusable),
            (404, "not_found", "requested sip trunk does not exist", Misconfigured),
            (412, "failed_precondition", "no numbers on outbound trunk", Misconfigured),
            (400, "invalid_argument", "missing sip trunk id and sip number", Misconfigured),
            (400, "invalid_argument", "missing room name", Misconfigured),
            (400, "invalid_argument", "participant identity exceeds size limits", Misconfigured),
            (400, "invalid_argument", "missing sip callee number", InvalidNumber),
            (
                400,
                "invalid_argument",
                "SipCallTo should be a phone number or SIP user, not a full SIP URI",
                InvalidNumber,
            ),
            (400, "invalid_argument", "DisplayName too long (max 128 characters)", Rejected),
            (400, "malformed", "the json request could not be decoded", Rejected),
        ] {
            assert_eq!(of_dial(&twirp(status, code, message)), Some(kind), "{message}");
        }
        for (status, text, kind) in [
            (401, "invalid API key", AccountUnusable),
            (401, "", AccountUnusable),
            (404, "404 page not found\n", AccountUnusable),
            (403, "<html/>", AccountUnusable),
            (429, "", slow),
        ] {
            assert_eq!(of_dial(&answer(status, text)), Some(kind), "{text}");
        }
    }

    #[test]
    fn everything_else_may_have_rung_a_phone() {
        for (status, code, message) in [
            (408, "canceled", "sip request timed out"),
            (408, "deadline_exceeded", "request timed out"),
            (409, "aborted", "aborted"),
            (409, "already_exists", "exists"),
            (500, "internal", "internal error"),
            (500, "unknown", "unknown"),
            (500, "dataloss", "lost"),
            (503, "unavailable", "Service unavailable"),
            (418, "brewing", "tea"),
        ] {
            assert_eq!(of_dial(&twirp(status, code, message)), None, "{code}");
        }
        for (status, text) in [(200, "{}"), (302, ""), (400, ""), (408, ""), (500, "<html/>"), (502, "")] {
            assert_eq!(of_dial(&answer(status, text)), None, "{status}");
        }
    }

    #[test]
    fn a_call_that_the_other_side_answered_with_an_error_went_out() {
        for (status, code, sip) in [
            (412, "failed_precondition", "486"),
            (404, "not_found", "404"),
            (403, "permission_denied", "603"),
            (429, "resource_exhausted", "600"),
            (401, "unauthenticated", "407"),
        ] {
            let meta = json!({"sip_status_code": sip, "sip_status": "X"});
            let text = json!({"code": code, "msg": "INVITE failed", "meta": meta}).to_string();
            assert_eq!(of_dial(&answer(status, &text)), None, "{sip}");
        }
    }

    #[test]
    fn a_room_that_cannot_be_made_is_a_refusal_in_any_case() {
        use RefusalKind::{AccountUnusable, Misconfigured, NotSent};
        for (status, kind) in [
            (429, RefusalKind::Throttled { retry_after_ms: Some(9_000) }),
            (408, NotSent),
            (500, NotSent),
            (503, NotSent),
            (400, Misconfigured),
            (200, AccountUnusable),
            (302, AccountUnusable),
            (401, AccountUnusable),
            (403, AccountUnusable),
            (404, AccountUnusable),
        ] {
            assert_eq!(of_room(&answer(status, "")), kind, "{status}");
        }
    }
}
