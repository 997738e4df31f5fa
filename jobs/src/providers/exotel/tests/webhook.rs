//! One callback, in every encoding.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};

use crate::providers::exotel::fixtures;
use crate::providers::{Carrier, Webhook, WebhookRequest};

const FORM: &str = "application/x-www-form-urlencoded";

async fn read(content_type: &str, body: impl Into<Bytes>) -> Result<Webhook, String> {
    let exotel = fixtures::exotel("http://127.0.0.1:1");
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert(CONTENT_TYPE, content_type.parse().expect("a header"));
    }
    let request = WebhookRequest {
        headers: &headers,
        body: &body.into(),
        addressed: None,
        now: fixtures::submitted_at(),
    };
    exotel.webhook(request).await.map_err(|error| error.to_string())
}

async fn told(content_type: &str, body: impl Into<Bytes>) -> String {
    match read(content_type, body).await {
        Ok(Webhook::News { key, fact }) => {
            let end = fact.end.map_or(String::new(), |end| {
                format!(
                    " {:?} talk {:?} `{}`",
                    end.result,
                    end.talk.map(|talk| talk.ms),
                    end.cause.unwrap_or_default()
                )
            });
            let at = fact.answered_at.map_or(String::new(), |at| format!(" from {}", at.format("%H:%M:%S")));
            let sid = fact.call_id.expect("a call id");
            format!("{sid} {}{end}{at} key {}", fact.status.name(), key.unwrap_or_default())
        }
        Ok(other) => format!("{other:?}"),
        Err(error) => error,
    }
}

async fn told_json(body: Value) -> String {
    told("application/json", body.to_string()).await
}

/// The terminal callback of the protocol page.
fn documented() -> Value {
    json!({
        "CallSid": "c5797dcb", "EventType": "terminal",
        "DateCreated": "2026-01-15 14:25:10", "DateUpdated": "2026-01-15 14:30:45",
        "To": "08040000000", "From": "09876543210", "PhoneNumberSid": "08040000000",
        "StartTime": "2026-01-15 14:25:12", "EndTime": "2026-01-15 14:30:45",
        "Status": "completed", "ConversationDuration": 320, "Direction": "outbound-api",
        "CustomField": "att_1", "RecordingUrl": "https://rec.example/x.mp3",
        "Legs": [{"OnCallDuration": 335, "Status": "completed", "AnsweredBy": "NA"}],
    })
}

const DOCUMENTED: &str = "c5797dcb completed Answered talk Some(320000) `completed` from 08:55:25 key att_1";

fn pairs() -> Vec<(&'static str, &'static str)> {
    vec![
        ("CallSid", "c5797dcb"),
        ("EventType", "terminal"),
        ("EndTime", "2026-01-15 14:30:45"),
        ("Status", "completed"),
        ("ConversationDuration", "320"),
        ("CustomField", "att_1"),
        ("RecordingUrl", "https://rec.example/x.mp3"),
        ("Legs[0][Status]", "completed"),
        ("Legs[0][OnCallDuration]", "335"),
    ]
}

fn multipart(pairs: &[(&str, &str)]) -> String {
    let parts = pairs.iter().map(|(name, value)| {
        format!("--B0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    });
    parts.chain(["--B0--\r\n".to_owned()]).collect()
}

fn url_encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[tokio::test]
async fn the_documented_callback_says_the_same_in_every_encoding() {
    assert_eq!(told_json(documented()).await, DOCUMENTED);
    let json = documented().to_string();
    assert_eq!(told("Application/JSON; charset=utf-8", json.clone()).await, DOCUMENTED);
    assert_eq!(told("", json.clone()).await, DOCUMENTED);
    assert_eq!(told("text/plain", json).await, DOCUMENTED);
    assert_eq!(told(FORM, url_encoded(&pairs())).await, DOCUMENTED);
    assert_eq!(told("", url_encoded(&pairs())).await, DOCUMENTED);
    assert_eq!(told("multipart/form-data; boundary=B0", multipart(&pairs())).await, DOCUMENTED);
    assert_eq!(told("multipart/form-data; boundary=\"B0\"", multipart(&pairs())).await, DOCUMENTED);
    let callback = read("application/json", documented().to_string()).await;
    let Ok(Webhook::News { fact, .. }) = callback else { panic!("{callback:?}") };
    assert_eq!(fact.recording_url.as_deref(), Some("https://rec.example/x.mp3"));
}

#[tokio::test]
async fn the_default_form_has_four_fields_and_no_key() {
    let fields = [
        ("CallSid", "c1"),
        ("DateUpdated", "2026-01-15 14:30:45"),
        ("Status", "no-answer"),
        ("RecordingUrl", ""),
    ];
    let means = "c1 completed NoAnswer talk None `no-answer` key ";
    assert_eq!(told("multipart/form-data; boundary=B0", multipart(&fields)).await, means);
    assert_eq!(told(FORM, url_encoded(&fields)).await, means);
}

#[tokio::test]
async fn events_before_the_end_move_the_call_forward() {
    for (fields, means) in [
        (json!({"EventType": "ringing", "Status": "ringing"}), "c1 ringing key "),
        (json!({"EventType": "ringing", "Status": "in-progress"}), "c1 ringing key "),
        (
            json!({"EventType": "answered", "Status": "in-progress", "DateUpdated": "2026-01-15 14:25:20", "EndTime": ""}),
            "c1 connected from 08:55:20 key ",
        ),
        (json!({"EventType": "Answered"}), "c1 connected key "),
        (json!({"Status": "in-progress"}), "c1 initiated key "),
        (json!({"EventType": "moved", "Status": "queued"}), "c1 initiated key "),
    ] {
        let mut body = fields.clone();
        body["CallSid"] = "c1".into();
        assert_eq!(told_json(body).await, means, "{fields}");
    }
}

#[tokio::test]
async fn a_status_that_is_an_end_is_one_whatever_the_event_is_called() {
    for (fields, means) in [
        (
            json!({"EventType": "answered", "Status": "completed"}),
            "c1 completed Answered talk None `completed` key ",
        ),
        (
            json!({"EventType": "terminal", "Status": "busy", "ConversationDuration": 0}),
            "c1 completed Busy talk None `busy` key ",
        ),
        (json!({"EventType": "terminal", "Status": "failed"}), "c1 failed Failed talk None `failed` key "),
        (
            json!({"EventType": "terminal", "Status": "canceled"}),
            "c1 completed NoAnswer talk None `canceled` key ",
        ),
        (
            json!({"EventType": "terminal", "Legs": [{"Status": "busy"}, {"Status": null}]}),
            "c1 completed Busy talk None `busy` key ",
        ),
    ] {
        let mut body = fields.clone();
        body["CallSid"] = "c1".into();
        assert_eq!(told_json(body).await, means, "{fields}");
    }
}

#[tokio::test]
async fn names_in_lower_case_and_lists_inside_a_form_are_understood() {
    let fields = [("callsid", "c1"), ("Legs", r#"[{"Status":"no-answer"}]"#), ("customfield", "k")];
    assert_eq!(told(FORM, url_encoded(&fields)).await, "c1 completed NoAnswer talk None `no-answer` key k");
}

#[tokio::test]
async fn what_is_no_callback_says_what_is_missing() {
    for (content_type, body, says) in [
        ("application/json", r#"{"Status": "busy"}"#, "CallSid is missing"),
        ("application/json", r#"{"CallSid": "c1"}"#, "Status is missing"),
        ("application/json", r#"{"CallSid": "c1", "Status": "eaten"}"#, "Status is `eaten`"),
        (
            "application/json",
            r#"{"CallSid": "c1", "EventType": "terminal", "Status": "in-progress"}"#,
            "EventType is terminal, but Status is `in-progress`",
        ),
        ("application/json", r#"{"CallSid": "c1", "EventType": "terminal"}"#, "but Status is missing"),
        ("application/json", "{", "bad JSON"),
        ("application/json", "[]", "not an object"),
        ("multipart/form-data", "x", "bad multipart form"),
        ("multipart/form-data; boundary=B0", "--B0\r\n", "bad multipart form"),
        ("image/png", "x", "Content-Type is image/png"),
        (FORM, "", "CallSid is missing"),
    ] {
        let told = told(content_type, body).await;
        assert!(told.starts_with("the webhook cannot be read: ") && told.contains(says), "{body}: {told}");
    }
    assert!(told(FORM, "x".repeat(70_000)).await.contains("longer than"));
}
