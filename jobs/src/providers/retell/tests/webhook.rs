//! Webhooks as they come in: signed, of every event, and of none.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use outdial_workflows::Moment;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::providers::retell::fixtures;
use crate::providers::{Carrier, Webhook, WebhookRequest};

fn now() -> Moment {
    fixtures::submitted_at()
}

fn signed(key: &str, body: &[u8]) -> String {
    let at = now().timestamp_millis();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key");
    mac.update(body);
    mac.update(at.to_string().as_bytes());
    format!("v={at},d={}", hex::encode(mac.finalize().into_bytes()))
}

async fn read(signature: Option<String>, body: Bytes) -> Result<Webhook, String> {
    let mut headers = HeaderMap::new();
    if let Some(signature) = signature {
        headers.insert("x-retell-signature", signature.parse().expect("a header"));
    }
    let request = WebhookRequest { headers: &headers, body: &body, addressed: None, now: now() };
    fixtures::retell("http://127.0.0.1:1").webhook(request).await.map_err(|error| error.to_string())
}

async fn taken(body: impl Into<Bytes>) -> Result<Webhook, String> {
    let body = body.into();
    read(Some(signed("key_hook1", &body)), body).await
}

async fn told(event: &str, call: Value) -> String {
    match taken(json!({"event": event, "call": call}).to_string()).await {
        Ok(Webhook::News { key, fact }) => {
            let end = fact.end.map_or(String::new(), |end| {
                format!(
                    " {:?} {:?} `{}`",
                    end.result,
                    end.talk.map(|talk| talk.ms),
                    end.cause.unwrap_or_default()
                )
            });
            let at = fact.answered_at.map_or(String::new(), |at| format!(" from {}", at.format("%H:%M:%S")));
            let cost = fact.cost.map_or(String::new(), |cost| format!(" costs {cost}"));
            let results = fact.results.map_or(String::new(), |results| {
                let turns = results.transcript.len();
                format!(" {turns} turns, {}", results.summary.unwrap_or_else(|| "no summary".into()))
            });
            let id = fact.call_id.expect("a call id");
            format!("{id} {}{end}{at}{cost}{results} key {}", fact.status.name(), key.unwrap_or_default())
        }
        Ok(other) => format!("{other:?}"),
        Err(error) => error,
    }
}

fn call(more: &Value) -> Value {
    let mut call = json!({
        "call_id": "c1", "call_type": "phone_call", "direction": "outbound", "call_status": "registered",
        "from_number": "+14155550100", "to_number": "+14155550123", "metadata": {"attempt_id": "att_1"},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        call[name] = value.clone();
    }
    call
}

fn over() -> Value {
    call(&json!({
        "start_timestamp": 1_767_225_600_000_u64, "end_timestamp": 1_767_225_660_000_u64,
        "duration_ms": 60_000, "disconnection_reason": "user_hangup", "call_cost": {"combined_cost": 13.2},
        "transcript_object": [{"role": "agent", "content": "Hello."}, {"role": "user", "content": "Hi."}],
    }))
}

#[tokio::test]
async fn each_event_says_what_it_is_about() {
    let began = json!({"start_timestamp": 1_767_225_600_000_u64});
    assert_eq!(told("call_started", call(&began)).await, "c1 connected from 00:00:00 key att_1");
    assert_eq!(told("call_started", call(&json!({}))).await, "c1 connected key att_1");
    // The documents' own sample says `registered` of a call that has ended.
    let ended = "c1 completed Answered Some(60000) `user_hangup` from 00:00:00 costs 0.132000 2 turns";
    assert_eq!(told("call_ended", over()).await, format!("{ended}, no summary key att_1"));
    let mut analysed = over();
    analysed["call_analysis"] = json!({"call_summary": "A talk."});
    assert_eq!(told("call_analyzed", analysed).await, format!("{ended}, A talk. key att_1"));
    let busy = call(&json!({"disconnection_reason": "dial_busy"}));
    assert_eq!(told("call_ended", busy).await, "c1 completed Busy None `dial_busy` key att_1");
}

#[tokio::test]
async fn an_end_is_one_though_it_gives_no_reason_and_an_analysis_needs_no_end() {
    assert_eq!(told("call_ended", call(&json!({}))).await, "c1 failed Failed None `registered` key att_1");
    let analysed = call(&json!({"call_analysis": {"call_summary": "A talk."}}));
    assert_eq!(told("call_analyzed", analysed).await, "c1 initiated 0 turns, A talk. key att_1");
}

#[tokio::test]
async fn a_live_transcript_tells_what_was_said_and_nothing_else() {
    let mut live = over();
    live["call_analysis"] = json!({"call_summary": "A talk."});
    assert_eq!(told("transcript_updated", live).await, "c1 in_progress 2 turns, no summary key att_1");
    let silent = told("transcript_updated", call(&json!({"disconnection_reason": "dial_busy"}))).await;
    assert_eq!(silent, r#"Nothing { event: "transcript_updated" }"#);
}

#[tokio::test]
async fn without_our_key_the_call_is_all_that_is_named() {
    for metadata in [Value::Null, json!({"campaign": "x"}), json!({"attempt_id": 7}), json!("att_1")] {
        let other = call(&json!({"metadata": metadata, "disconnection_reason": "dial_busy"}));
        assert_eq!(told("call_ended", other).await, "c1 completed Busy None `dial_busy` key ");
    }
}

#[tokio::test]
async fn what_changes_nothing_is_told_from_what_is_not_known() {
    for event in ["transfer_started", "transfer_bridged", "transfer_cancelled", "transfer_ended"] {
        assert_eq!(told(event, over()).await, format!("Nothing {{ event: {event:?} }}"));
    }
    for other in [json!({"direction": "inbound"}), json!({"call_type": "web_call"})] {
        assert_eq!(told("call_ended", call(&other)).await, r#"Nothing { event: "call_ended" }"#);
    }
    assert_eq!(told("call_dreamt", json!({})).await, r#"Stranger { event: "call_dreamt" }"#);
    let long = told(&"x".repeat(1_000), Value::Null).await;
    assert_eq!(long, format!("Stranger {{ event: {:?} }}", "x".repeat(80)));
}

#[tokio::test]
async fn what_is_no_webhook_says_what_is_missing() {
    for (body, says) in [
        ("", "bad JSON"),
        ("{", "bad JSON"),
        ("[]", "event is missing"),
        ("null", "bad JSON"),
        ("{}", "event is missing"),
        (r#"{"event": 7, "call": {"call_id": "c1"}}"#, "event is missing"),
        (r#"{"event": "call_ended"}"#, "call is missing"),
        (r#"{"event": "call_ended", "call": "c1"}"#, "call is missing"),
        (r#"{"event": "call_ended", "call": {}}"#, "call.call_id is missing"),
        (r#"{"event": "transfer_ended", "call": {"call_id": ""}}"#, "call.call_id is missing"),
    ] {
        let error = taken(body).await.expect_err(body);
        assert!(error.starts_with("the webhook cannot be read: ") && error.contains(says), "{body}: {error}");
    }
    let error = taken(vec![b' '; 8 * 1024 * 1024 + 1]).await.expect_err("too long");
    assert!(error.contains("longer than 8388608 bytes"), "{error}");
}

#[tokio::test]
async fn what_is_not_signed_with_the_webhooks_key_is_not_looked_at() {
    for body in ["{", r#"{"event": "call_ended", "call": {"call_id": "c1"}}"#] {
        let body = Bytes::from(body);
        for signature in [None, Some("v=1,d=2".to_owned()), Some(signed("key_rest1", &body))] {
            let error = read(signature, body.clone()).await.expect_err("not authentic");
            assert!(error.starts_with("the webhook is not the carrier's: "), "{error}");
        }
    }
}
