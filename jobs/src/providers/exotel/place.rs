//! Placing a call: one request, sent once, and what its answer means.

use outdial_workflows::call::{CallId, DialReply, Refusal, RefusalKind};

use super::Exotel;
use super::reads::{message, words};
use super::wire::CallEnvelope;
use crate::providers::answer::Answer;
use crate::providers::sending::send_once;
use crate::providers::{DialBody, Permit};

impl Exotel {
    pub(super) async fn place_once(&self, permit: Permit, body: &DialBody) -> DialReply {
        let request = self.authorised(self.http.post(self.v1(&["Calls", "connect.json"])));
        match send_once(request, permit, body, &self.credentials.secrets()).await {
            Ok(answer) => self.reply(&answer),
            Err(reply) => reply,
        }
    }

    /// What an answer means. Whatever does not certainly say yes or no is unknown.
    fn reply(&self, answer: &Answer) -> DialReply {
        if answer.status.is_success()
            && let Some(CallEnvelope { call }) = answer.json()
            && let Some(sid) = call.sid
        {
            return DialReply::Bound { call_id: CallId(sid) };
        }
        let cause = self.credentials.tidy(&words(answer));
        match refusal(answer) {
            Some(kind) => DialReply::Refused(Refusal { kind, cause }),
            None if answer.status.is_success() => {
                DialReply::Unknown { cause: format!("accepted, it seems, but no call id came: {cause}") }
            }
            None => DialReply::Unknown { cause },
        }
    }
}

/// Whose trouble a documented refusal is; `None` for an answer that refuses nothing for certain.
fn refusal(answer: &Answer) -> Option<RefusalKind> {
    let message = message(answer).unwrap_or_default();
    Some(match answer.status.as_u16() {
        429 => RefusalKind::Throttled { retry_after_ms: answer.retry_after_ms },
        // The account is fine, this person must not be called; else one such lead would keep the
        // account resting for good.
        400 | 403 if names_registry(&message) => RefusalKind::Barred,
        400 | 404 | 409 | 422 if names_number(&message) => RefusalKind::InvalidNumber,
        400 | 404 | 409 | 422 if names_ours(&message) => RefusalKind::Misconfigured,
        // An unknown resource is a wrong account SID or address: nothing about the lead.
        401..=405 => RefusalKind::AccountUnusable,
        400 | 409 | 422 => RefusalKind::Rejected,
        _ => return None,
    })
}

/// Exotel turns down numbers on India's do-not-disturb registry with a 403: "Call to … can not be
/// made because of TRAI NDNC regulations". In no document, but in many a log.
fn names_registry(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let mut words = message.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| matches!(word, "ndnc" | "ncpr" | "dnd")) || message.contains("do not disturb")
}

/// Whether it is the dialled number that a message complains about, and not ours or something else.
fn names_number(message: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    let others =
        ["callerid", "caller id", "exophone", "virtual number", "url", "flow", "timelimit", "timeout"];
    let number = ["phone number", "mobile number", "invalid number", "valid number"];
    let names_from = message.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "From");
    (names_from || number.iter().any(|word| lower.contains(word)))
        && !others.iter().any(|word| lower.contains(word))
}

/// Whether it is our side of the call that a message complains about: the number called from, or where the
/// call leads.
fn names_ours(message: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    ["callerid", "caller id", "exophone", "virtual number", "flow"].iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::providers::exotel::fixtures;

    fn told(status: u16, body: &str) -> String {
        let answer = Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after_ms: (status == 429).then_some(9_000),
            text: Some(body.to_owned()),
        };
        match fixtures::exotel("http://127.0.0.1:1").reply(&answer) {
            DialReply::Bound { call_id } => format!("bound {call_id}"),
            DialReply::Refused(Refusal { kind, cause }) => format!("{kind:?} | {cause}"),
            DialReply::Unknown { cause } => format!("unknown | {cause}"),
        }
    }

    fn exception(message: &str) -> String {
        serde_json::json!({"RestException": {"Status": 400, "Message": message, "Code": 7}}).to_string()
    }

    #[test]
    fn a_call_with_a_name_is_bound_and_its_status_is_not_believed() {
        let body = r#"{"Call": {"Sid": "c57", "Status": "in-progress", "ParentCallSid": null}}"#;
        assert_eq!(told(200, body), "bound c57");
        assert_eq!(told(202, body), "bound c57");
    }

    #[test]
    fn what_certainly_rang_no_phone_is_refused_by_whose_trouble_it_is() {
        for (status, body, means) in [
            (429, exception("Slow"), "Throttled { retry_after_ms: Some(9000) } | HTTP 429: Slow (7)"),
            (401, exception("key1 is bad"), "AccountUnusable | HTTP 401: *** is bad (7)"),
            (401, "<html>no</html>".into(), "AccountUnusable | HTTP 401"),
            (402, exception("No balance"), "AccountUnusable | HTTP 402: No balance (7)"),
            (403, exception("Suspended"), "AccountUnusable | HTTP 403: Suspended (7)"),
            (
                403,
                exception("Call to 09876543210 can not be made because of TRAI NDNC regulations"),
                "Barred | HTTP 403: Call to [number] can not be made because of TRAI NDNC regulations (7)",
            ),
            (404, exception("Account not found"), "AccountUnusable | HTTP 404: Account not found (7)"),
            (400, exception("From must be a number"), "InvalidNumber | HTTP 400: From must be a number (7)"),
            (404, exception("Invalid phone number"), "InvalidNumber | HTTP 404: Invalid phone number (7)"),
            (
                400,
                exception("CallerId is not a valid number"),
                "Misconfigured | HTTP 400: CallerId is not a valid number (7)",
            ),
            (
                400,
                exception("TimeLimit must be an integer from 1 to 14400"),
                "Rejected | HTTP 400: TimeLimit must be an integer from 1 to 14400 (7)",
            ),
            (409, String::new(), "Rejected | HTTP 409"),
            (422, String::new(), "Rejected | HTTP 422"),
            (
                400,
                "<TwilioResponse><RestException><Message>Bad</Message></RestException></TwilioResponse>"
                    .into(),
                "Rejected | HTTP 400: Bad",
            ),
        ] {
            assert_eq!(told(status, &body), means);
        }
    }

    #[test]
    fn everything_else_may_have_rung_a_phone() {
        for (status, body, means) in [
            (200, "{}", "unknown | accepted, it seems, but no call id came: HTTP 200"),
            (200, r#"{"Call": {"Sid": ""}}"#, "unknown | accepted, it seems, but no call id came: HTTP 200"),
            (200, "<TwilioResponse/>", "unknown | accepted, it seems, but no call id came: HTTP 200"),
            (204, "", "unknown | accepted, it seems, but no call id came: HTTP 204"),
            (302, "", "unknown | HTTP 302"),
            (408, "", "unknown | HTTP 408"),
            (418, "", "unknown | HTTP 418"),
            (500, r#"{"RestException": {"Message": "Oops"}}"#, "unknown | HTTP 500: Oops"),
            (502, "<html/>", "unknown | HTTP 502"),
            (503, "", "unknown | HTTP 503"),
        ] {
            assert_eq!(told(status, body), means);
        }
    }
}
