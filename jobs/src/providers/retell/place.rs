//! Placing a call: one request, sent once, and what its answer means.

use outdial_workflows::call::{CallId, DialReply, Refusal, RefusalKind};

use super::Retell;
use super::reads::{message, words};
use super::wire::Call;
use crate::providers::answer::{Answer, below};
use crate::providers::sending::send_once;
use crate::providers::{DialBody, Permit};

impl Retell {
    pub(super) async fn place_once(&self, permit: Permit, body: &DialBody) -> DialReply {
        let request = self.authorised(self.http.post(below(&self.base_url, ["v2", "create-phone-call"])));
        match send_once(request, permit, body, &self.credentials.secrets()).await {
            Ok(answer) => self.reply(&answer),
            Err(reply) => reply,
        }
    }

    /// What an answer means. Whatever does not certainly say yes or no is unknown.
    fn reply(&self, answer: &Answer) -> DialReply {
        if answer.status.is_success()
            && let Some(call) = answer.json::<Call>()
            && let Some(call_id) = call.call_id
        {
            return DialReply::Bound { call_id: CallId(call_id) };
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
///
/// Retell has no codes beside the status. What a 400 is about must be read in its text, and a text that says
/// nothing of it is about the request as a whole.
fn refusal(answer: &Answer) -> Option<RefusalKind> {
    let message = message(answer).unwrap_or_default().to_ascii_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| message.contains(word));
    Some(match answer.status.as_u16() {
        429 => RefusalKind::Throttled { retry_after_ms: answer.retry_after_ms },
        401..=403 => RefusalKind::AccountUnusable,
        // Something was placed under this key before, or is being placed.
        400 | 404 | 422 if names(&["idempoten"]) => return None,
        400 if names(&["do not call", "do_not_call", "do-not-call", "dnc"]) => RefusalKind::Barred,
        400 | 404 | 422 if names(&PERSONS) && !names(&OURS) => RefusalKind::InvalidNumber,
        // "Asset not found under this key": an agent, a version, or a number of ours.
        404 | 422 => RefusalKind::Misconfigured,
        400 if names(&OURS) => RefusalKind::Misconfigured,
        400 => RefusalKind::Rejected,
        _ => return None,
    })
}

/// What is about the person's number.
const PERSONS: [&str; 5] = ["to_number", "to number", "destination", "callee", "recipient"];

/// What is about our side of the request.
const OURS: [&str; 9] =
    ["from_number", "from number", "agent", "version", "variable", "metadata", "webhook", "duration", "sip"];

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::providers::retell::fixtures;

    fn told(status: u16, body: &str) -> String {
        let answer = Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after_ms: (status == 429).then_some(9_000),
            text: Some(body.to_owned()),
        };
        match fixtures::retell("http://127.0.0.1:1").reply(&answer) {
            DialReply::Bound { call_id } => format!("bound {call_id}"),
            DialReply::Refused(Refusal { kind, cause }) => format!("{kind:?} | {cause}"),
            DialReply::Unknown { cause } => format!("unknown | {cause}"),
        }
    }

    #[test]
    fn a_call_with_a_name_is_bound_whatever_its_status() {
        assert_eq!(told(201, r#"{"call_id": "call_1", "call_status": "registered"}"#), "bound call_1");
        assert_eq!(told(200, r#"{"call_id": "call_1", "call_status": "error"}"#), "bound call_1");
    }

    #[test]
    fn what_certainly_rang_no_phone_is_refused_by_whose_trouble_it_is() {
        for (status, message, kind) in [
            (429, "Account rate limited", "Throttled { retry_after_ms: Some(9000) }"),
            (401, "API key is missing or invalid.", "AccountUnusable"),
            (402, "Trial has ended, please add payment method.", "AccountUnusable"),
            (403, "Forbidden", "AccountUnusable"),
            (400, "The contact is marked do_not_call", "Barred"),
            (400, "Number is on the internal DNC list", "Barred"),
            (400, "to_number is not E.164", "InvalidNumber"),
            (400, "Destination country is not allowed", "InvalidNumber"),
            (422, "to_number is not valid", "InvalidNumber"),
            (400, "from_number is not E.164", "Misconfigured"),
            (400, "from_number cannot reach to_number", "Misconfigured"),
            (400, "agent_override.agent.ring_duration_ms is out of range", "Misconfigured"),
            (400, "override_agent_version is not a number", "Misconfigured"),
            (404, "Not found", "Misconfigured"),
            (422, "Cannot find requested asset under given api key.", "Misconfigured"),
            (400, "Invalid request format", "Rejected"),
        ] {
            let body = json!({"status": "error", "message": message}).to_string();
            assert_eq!(told(status, &body), format!("{kind} | HTTP {status}: {message}"));
        }
        assert_eq!(told(401, "<html>no</html>"), "AccountUnusable | HTTP 401");
        assert_eq!(told(400, ""), "Rejected | HTTP 400");
    }

    #[test]
    fn a_refusal_shows_neither_key_nor_number() {
        let body = r#"{"message": "key_rest1 may not call to_number +14155550123"}"#;
        assert_eq!(told(400, body), "InvalidNumber | HTTP 400: *** may not call to_number +[number]");
    }

    #[test]
    fn everything_else_may_have_rung_a_phone() {
        for (status, body, means) in [
            (201, "{}", "unknown | accepted, it seems, but no call id came: HTTP 201"),
            (200, r#"{"call_id": ""}"#, "unknown | accepted, it seems, but no call id came: HTTP 200"),
            (200, "<html/>", "unknown | accepted, it seems, but no call id came: HTTP 200"),
            (302, "", "unknown | HTTP 302"),
            (408, "", "unknown | HTTP 408"),
            (409, r#"{"message": "in progress"}"#, "unknown | HTTP 409: in progress"),
            (
                400,
                r#"{"message": "idempotency_key was used with another request"}"#,
                "unknown | HTTP 400: idempotency_key was used with another request",
            ),
            (422, r#"{"message": "Idempotency conflict"}"#, "unknown | HTTP 422: Idempotency conflict"),
            (
                500,
                r#"{"message": "An unexpected server error occurred."}"#,
                "unknown | HTTP 500: An unexpected server error occurred.",
            ),
            (502, "<html/>", "unknown | HTTP 502"),
            (503, "", "unknown | HTTP 503"),
        ] {
            assert_eq!(told(status, body), means);
        }
    }
}
