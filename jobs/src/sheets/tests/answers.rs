//! What an answer is, in the order of the protocol page's classifier.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::super::classify::{self, Head};
use super::super::hosts::Hosts;
use super::super::{Settings, SheetError};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    pairs.iter().map(pair).collect()
}

fn head(status: u16, pairs: &[(&'static str, &'static str)]) -> String {
    let hosts = Hosts::of(&Settings::default()).expect("good settings");
    let from: Url = "https://docs.google.com/spreadsheets/d/x/export".parse().expect("an address");
    let status = StatusCode::from_u16(status).expect("a status");
    match classify::head(status, &headers(pairs), &from, &hosts) {
        Ok(Head::Moved(to)) => format!("go on to {to}"),
        Ok(Head::File) => "a file".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn body(content_type: &'static str, body: &str) -> String {
    match classify::body(&headers(&[("content-type", content_type)]), body.as_bytes()) {
        Ok(()) => "a file".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn the_status_comes_first_whatever_the_page_says() {
    let html = [("content-type", "text/html; charset=UTF-8")];
    for (status, expected) in [
        (404, "NotFound"),
        (401, "NotShared"),
        (403, "NotShared"),
        (429, "Busy { status: 429 }"),
        (500, "Busy { status: 500 }"),
        (503, "Busy { status: 503 }"),
        (400, "Refused { status: 400 }"),
        (410, "Refused { status: 410 }"),
        (204, "Refused { status: 204 }"),
        (304, "Refused { status: 304 }"),
        (200, "NotShared"),
    ] {
        assert_eq!(head(status, &html), expected, "{status}");
    }
    assert_eq!(head(200, &[("content-type", "text/csv; charset=utf-8")]), "a file");
    assert_eq!(head(200, &[]), "a file");
}

#[test]
fn a_redirect_goes_on_to_googles_hosts_ends_at_the_sign_in_and_is_refused_elsewhere() {
    let content = "https://doc-14-2g-sheets.googleusercontent.com/export/t1/t2?format=csv";
    for (status, location, expected) in [
        (307, content, format!("go on to {content}")),
        (302, content, format!("go on to {content}")),
        (308, "/spreadsheets/x", "go on to https://docs.google.com/spreadsheets/x".to_owned()),
        (302, "https://accounts.google.com/ServiceLogin?service=wise", "NotShared".to_owned()),
        (307, "https://accounts.google.com/v3/signin/identifier", "NotShared".to_owned()),
        (307, "https://example.com:81/x?y", r#"Redirected { origin: "https://example.com:81" }"#.to_owned()),
        (307, "http://docs.google.com/x", r#"Redirected { origin: "http://docs.google.com" }"#.to_owned()),
        (307, "data:text/csv,phone", r#"Redirected { origin: "data" }"#.to_owned()),
        (307, "https://", "Refused { status: 307 }".to_owned()),
    ] {
        assert_eq!(head(status, &[("location", location)]), expected, "{status} {location}");
    }
}

#[test]
fn a_page_is_known_by_its_type_or_by_its_first_character() {
    let page = "  \r\n<!DOCTYPE html><html>";
    for kind in ["text/csv", "text/plain", "", "application/json"] {
        assert_eq!(body(kind, page), "NotShared", "{kind}");
    }
    assert_eq!(body("text/csv", "\u{feff}<html>"), "NotShared");
}

#[test]
fn a_script_is_read_for_its_reason_and_only_a_script_is() {
    let script = |errors: &str| {
        format!(
            "/*O_o*/\ngoogle.visualization.Query.setResponse({{\"status\":\"error\",\"errors\":{errors}}});"
        )
    };
    let reason = |reason: &str| script(&format!(r#"[{{"reason":"{reason}","message":"X"}}]"#));
    for (text, expected) in [
        (reason("invalid_query"), r#"Query { reason: "invalid_query" }"#),
        (reason("access_denied"), "NotShared"),
        (reason("user_not_authenticated"), "NotShared"),
        (reason("Not a word\\u001b[2J"), r#"Query { reason: "unknown" }"#),
        (script("[]"), r#"Query { reason: "unknown" }"#),
        ("/* cut off".to_owned(), r#"Query { reason: "unknown" }"#),
        ("myHandler = google.visualization.Query.setResponse(".to_owned(), r#"Query { reason: "unknown" }"#),
    ] {
        for kind in ["text/csv", "text/javascript; charset=utf-8"] {
            assert_eq!(body(kind, &text), expected, "{kind}: {text}");
        }
    }
    let speaks_of_it = format!("phone,note\r\n{}google.visualization.Query.setResponse", ",\r\n".repeat(400));
    assert_eq!(body("text/csv", &speaks_of_it), "a file");
}

#[test]
fn other_types_are_no_csv_and_nothing_is_empty() {
    for (kind, text, expected) in [
        ("application/pdf", "%PDF-1.7", r#"NotCsv { content_type: "application/pdf" }"#),
        ("text/plain", "", r#"NotCsv { content_type: "text/plain" }"#),
        ("text/csv", "", "Empty"),
        ("text/csv", "\u{feff}\r\n", "Empty"),
        ("TEXT/CSV; charset=utf-8", "phone", "a file"),
        ("", "phone", "a file"),
    ] {
        assert_eq!(body(kind, text), expected, "{kind}: {text}");
    }
}

#[test]
fn what_may_pass_is_told_from_what_somebody_must_mend() {
    let query = |reason: &str| SheetError::Query { reason: reason.to_owned() };
    for (error, may_pass) in [
        (SheetError::NotFound, false),
        (SheetError::NotShared, false),
        (SheetError::Busy { status: 429 }, true),
        (SheetError::Refused { status: 400 }, false),
        (SheetError::Redirected { origin: "https://example.com".to_owned() }, false),
        (SheetError::Circles, true),
        (query("internal_error"), true),
        (query("invalid_query"), false),
        (SheetError::NotCsv { content_type: "application/pdf".to_owned() }, false),
        (SheetError::Empty, false),
        (SheetError::TooLarge { max_bytes: 20_000_000 }, false),
        (SheetError::TooSlow { within: Duration::from_secs(30) }, true),
    ] {
        assert_eq!(error.may_pass(), may_pass, "{error:?}");
        assert!(!may_pass || error.to_string().contains("try again"), "{error}");
    }
}
