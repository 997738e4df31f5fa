//! Whose trouble it is when Telnyx turns a dial down.

use outdial_workflows::call::RefusalKind;

use super::wire::{Errors, Problem};
use crate::providers::answer::Answer;

/// Whose trouble a documented refusal is; `None` for an answer that refuses nothing for certain.
///
/// A conflict (409) may be about a copy of a request that was taken, and a timeout (408) about one that
/// arrived: neither says that no phone rings.
pub(super) fn kind(answer: &Answer) -> Option<RefusalKind> {
    let status = answer.status.as_u16();
    if !matches!(status, 400..=499) || matches!(status, 408 | 409 | 425) {
        return None;
    }
    let problems = answer.json::<Errors>().map(|body| body.errors).unwrap_or_default();
    let told = problems.iter().find_map(|problem| by_problem(problem, answer));
    Some(told.unwrap_or(match status {
        429 => RefusalKind::Throttled { retry_after_ms: answer.retry_after_ms },
        // Without a word about it, an unknown resource is a wrong address: nothing about the lead.
        401..=407 => RefusalKind::AccountUnusable,
        _ => RefusalKind::Rejected,
    }))
}

/// By the code first: which status goes with which is not documented throughout.
fn by_problem(problem: &Problem, answer: &Answer) -> Option<RefusalKind> {
    if names_destinations(problem) {
        return Some(RefusalKind::Misconfigured);
    }
    match problem.code.as_deref() {
        // How many calls there may be at once: the headers tell of another limit, so nobody says how long
        // to wait.
        Some("90041" | "90042" | "90043") => Some(RefusalKind::Throttled { retry_after_ms: None }),
        Some("10011" | "90103") => Some(RefusalKind::Throttled { retry_after_ms: answer.retry_after_ms }),
        Some("10009" | "10010" | "10038" | "10039" | "20001" | "20002" | "20012" | "20100") => {
            Some(RefusalKind::AccountUnusable)
        }
        // The application is not known, or a setting is out of bounds.
        Some("10005" | "10006" | "90017" | "90028" | "90029" | "90057") => Some(RefusalKind::Misconfigured),
        _ => by_field(problem),
    }
}

/// By the field that the problem points at, or names in quotes. All but `to` are of our side.
fn by_field(problem: &Problem) -> Option<RefusalKind> {
    let pointer = problem.source.pointer.as_deref().map(|pointer| pointer.trim_start_matches('/'));
    // TeXML writes `To`.
    let pointer = pointer.map(str::to_ascii_lowercase);
    if let Some(pointer) = pointer.filter(|pointer| !pointer.is_empty()) {
        let to = pointer == "to" || pointer.starts_with("to/");
        return Some(if to { RefusalKind::InvalidNumber } else { RefusalKind::Misconfigured });
    }
    let said = problem.words().to_ascii_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if names(&[
        "'from'",
        "origination number",
        "source number",
        "caller id",
        "connection_id",
        "connection id",
    ]) {
        return Some(RefusalKind::Misconfigured);
    }
    let number = ["'to'", "destination number", "invalid phone number", "dialed number"];
    names(&number).then_some(RefusalKind::InvalidNumber)
}

/// The account's outbound voice profile does not allow calls to that country: nothing is wrong with the
/// number, and somebody has to change the profile.
fn names_destinations(problem: &Problem) -> bool {
    problem.words().to_ascii_lowercase().contains("whitelisted")
}

#[cfg(test)]
mod tests {
    use outdial_workflows::call::{DialReply, Refusal};
    use reqwest::StatusCode;
    use serde_json::{Value, json};

    use super::*;
    use crate::providers::telnyx::fixtures;

    fn told(status: u16, body: &str) -> String {
        let answer = Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after_ms: Some(9_000),
            text: Some(body.to_owned()),
        };
        match fixtures::telnyx("http://127.0.0.1:1").reply(&answer) {
            DialReply::Bound { call_id } => format!("bound {call_id}"),
            DialReply::Refused(Refusal { kind, cause }) => format!("{kind:?} | {cause}"),
            DialReply::Unknown { cause } => format!("unknown | {cause}"),
        }
    }

    fn error(code: &str, title: &str, pointer: Option<&str>) -> String {
        let source = pointer.map_or(Value::Null, |pointer| json!({ "pointer": pointer }));
        json!({"errors": [{"code": code, "title": title, "source": source}]}).to_string()
    }

    #[test]
    fn a_call_with_a_name_is_bound() {
        let body = r#"{"data": {"call_control_id": "v3:a-b_c", "is_alive": false, "call_leg_id": "l"}}"#;
        assert_eq!(told(200, body), "bound v3:a-b_c");
        assert_eq!(told(201, body), "bound v3:a-b_c");
    }

    #[test]
    fn each_code_is_somebodys_trouble() {
        let slow = "Throttled { retry_after_ms: Some(9000) }";
        let full = "Throttled { retry_after_ms: None }";
        for (status, code, whose) in [
            (429, "10011", slow),
            (429, "90103", slow),
            (403, "90041", full),
            (403, "90042", full),
            (422, "90043", full),
            (401, "10009", "AccountUnusable"),
            (401, "20001", "AccountUnusable"),
            (401, "20002", "AccountUnusable"),
            (402, "20100", "AccountUnusable"),
            (403, "20100", "AccountUnusable"),
            (403, "20012", "AccountUnusable"),
            (403, "10010", "AccountUnusable"),
            (403, "10038", "AccountUnusable"),
            (403, "10039", "AccountUnusable"),
            (404, "10005", "Misconfigured"),
            (404, "10006", "Misconfigured"),
            (422, "90017", "Misconfigured"),
            (422, "90028", "Misconfigured"),
            (422, "90029", "Misconfigured"),
            (422, "90057", "Misconfigured"),
            (422, "99999", "Rejected"),
            (400, "10015", "Rejected"),
        ] {
            let told = told(status, &error(code, "So it is", None));
            assert_eq!(told, format!("{whose} | HTTP {status}: So it is ({code})"), "{code}");
        }
    }

    #[test]
    fn a_field_that_is_wrong_is_the_persons_or_ours() {
        for (code, title, pointer, whose) in [
            ("10016", "Phone number must be in +E164 format", Some("/to"), "InvalidNumber"),
            ("10016", "Phone number must be in +E164 format", Some("/to/0"), "InvalidNumber"),
            ("10016", "Phone number must be in +E164 format", Some("/from"), "Misconfigured"),
            ("10027", "Unverified origination number", Some("/from"), "Misconfigured"),
            ("10027", "Unverified origination number", None, "Misconfigured"),
            ("10015", "Invalid value for connection_id", Some("/connection_id"), "Misconfigured"),
            ("10015", "Invalid value for connection_id (Call Control App ID)", None, "Misconfigured"),
            ("10033", "Value out of range", Some("/timeout_secs"), "Misconfigured"),
            ("10016", "The 'to' parameter must be in +E.164 format", None, "InvalidNumber"),
            ("10016", "The 'from' parameter must be in +E.164 format", None, "Misconfigured"),
            ("10010", "Dialed number is not included in whitelisted countries", None, "Misconfigured"),
            ("10016", "No pointer", None, "Rejected"),
        ] {
            let told = told(422, &error(code, title, pointer));
            assert_eq!(told.split(" | ").next(), Some(whose), "{code} {title} {pointer:?}");
        }
    }

    #[test]
    fn a_refusal_without_a_code_goes_by_its_status() {
        for (status, body, means) in [
            (429, "", "Throttled { retry_after_ms: Some(9000) } | HTTP 429"),
            (401, "<html>no</html>", "AccountUnusable | HTTP 401"),
            (402, "", "AccountUnusable | HTTP 402"),
            (403, "<html/>", "AccountUnusable | HTTP 403"),
            (404, "<html/>", "AccountUnusable | HTTP 404"),
            (400, "", "Rejected | HTTP 400"),
            (422, r#"{"errors": []}"#, "Rejected | HTTP 422"),
            (
                401,
                r#"{"errors": [{"detail": "KEY1secret is bad"}]}"#,
                "AccountUnusable | HTTP 401: *** is bad",
            ),
        ] {
            assert_eq!(told(status, body), means);
        }
    }

    #[test]
    fn everything_else_may_have_rung_a_phone() {
        let accepted = "unknown | accepted, it seems, but no call id came: HTTP 200";
        for (status, body, means) in [
            (200, r#"{"data": {"result": "ok"}}"#, accepted),
            (200, r#"{"data": {"call_control_id": ""}}"#, accepted),
            (200, "<html/>", accepted),
            (200, "", accepted),
            (302, "", "unknown | HTTP 302"),
            (408, "", "unknown | HTTP 408"),
            (409, "", "unknown | HTTP 409"),
            (500, r#"{"errors": [{"code": "10007", "title": "Oops"}]}"#, "unknown | HTTP 500: Oops (10007)"),
            (502, "<html/>", "unknown | HTTP 502"),
            (503, "", "unknown | HTTP 503"),
        ] {
            assert_eq!(told(status, body), means);
        }
    }
}
