//! Placing a TeXML call, and what its answer means.

use outdial_workflows::call::{CallId, DialReply, Refusal, RefusalKind};

use super::compose::parts;
use super::wire::Accepted;
use crate::providers::answer::Answer;
use crate::providers::sending::send_once;
use crate::providers::telnyx::reads::words;
use crate::providers::telnyx::wire::Errors;
use crate::providers::telnyx::{Telnyx, refusal};
use crate::providers::{DialBody, Permit};

/// Where a request goes, and its form; `None` if it is none for a TeXML call.
pub(in crate::providers::telnyx) fn destination(body: &DialBody) -> Option<(&str, DialBody)> {
    parts(body)
}

impl Telnyx {
    /// Sends once: whoever sends again calls again.
    pub(in crate::providers::telnyx) async fn place_texml(
        &self,
        permit: Permit,
        (application, form): (&str, DialBody),
    ) -> DialReply {
        let request = self.authorised(self.http.post(self.v2(&["texml", "calls", application])));
        match send_once(request, permit, &form, &self.secrets()).await {
            Ok(answer) => self.texml_reply(&answer),
            Err(reply) => reply,
        }
    }

    /// What an answer means. Whatever does not certainly say yes or no is unknown.
    pub(super) fn texml_reply(&self, answer: &Answer) -> DialReply {
        let cause = self.tidy(&words(answer));
        if answer.status.is_success() {
            return match answer.json::<Accepted>().and_then(|accepted| accepted.call_sid) {
                Some(sid) => DialReply::Bound { call_id: CallId(sid) },
                // Older descriptions of the answer have none; the callbacks do.
                None => {
                    DialReply::Unknown { cause: format!("accepted, it seems, but no call id came: {cause}") }
                }
            };
        }
        match kind(answer) {
            Some(kind) => DialReply::Refused(Refusal { kind, cause }),
            None => DialReply::Unknown { cause },
        }
    }
}

/// An application that is not known is the campaign's trouble. TeXML says so without a code; a page that
/// is not Telnyx's is of a wrong address, and says nothing of applications.
fn kind(answer: &Answer) -> Option<RefusalKind> {
    let unknown = answer.status.as_u16() == 404 && answer.json::<Errors>().is_some();
    if unknown { Some(RefusalKind::Misconfigured) } else { refusal::kind(answer) }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::providers::telnyx::fixtures;

    fn told(status: u16, body: &str) -> String {
        let answer = Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after_ms: Some(9_000),
            text: Some(body.to_owned()),
        };
        match fixtures::telnyx("http://127.0.0.1:1").texml_reply(&answer) {
            DialReply::Bound { call_id } => format!("bound {call_id}"),
            DialReply::Refused(Refusal { kind, cause }) => format!("{kind:?} | {cause}"),
            DialReply::Unknown { cause } => format!("unknown | {cause}"),
        }
    }

    #[test]
    fn a_call_with_a_name_is_bound_and_one_without_is_not_known() {
        let body = r#"{"call_sid":"v3:a-b_c","from":"+14155550100","to":"+14155550123","status":"queued"}"#;
        assert_eq!(told(200, body), "bound v3:a-b_c");
        let nameless = r#"{"from":"+14155550100","to":"+14155550123","status":"queued"}"#;
        let unknown = "unknown | accepted, it seems, but no call id came: HTTP 200";
        assert_eq!(told(200, nameless), unknown);
        assert_eq!(told(200, "<html/>"), unknown);
        assert_eq!(told(502, "<html/>"), "unknown | HTTP 502");
    }

    #[test]
    fn a_refusal_is_the_persons_the_campaigns_or_the_accounts() {
        let of = |code: &str, pointer: &str| {
            format!(
                r#"{{"errors": [{{"code": "{code}", "title": "So", "source": {{"pointer": "{pointer}"}}}}]}}"#
            )
        };
        for (status, body, means) in [
            (422, of("10016", "/To"), "InvalidNumber | HTTP 422: So (10016)"),
            (422, of("10016", "/From"), "Misconfigured | HTTP 422: So (10016)"),
            (422, of("10033", "/Timeout"), "Misconfigured | HTTP 422: So (10033)"),
            (
                404,
                r#"{"errors": [{"detail": "Resource not found"}]}"#.to_owned(),
                "Misconfigured | HTTP 404: Resource not found",
            ),
            (404, "<html/>".to_owned(), "AccountUnusable | HTTP 404"),
            (401, of("10009", ""), "AccountUnusable | HTTP 401: So (10009)"),
            (429, of("90103", ""), "Throttled { retry_after_ms: Some(9000) } | HTTP 429: So (90103)"),
        ] {
            assert_eq!(told(status, &body), means);
        }
    }
}
