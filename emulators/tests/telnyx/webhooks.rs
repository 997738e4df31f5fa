//! Webhooks: which, when, how signed, and how often.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use outdial_emulators::telnyx::{Answerer, Config, Connection, Forgery, Quirk, Scenario, Telnyx, Webhooks};
use serde_json::{Value, json};

use crate::harness::{
    Api, CALLER, CONNECTION, CUSTOMER, HANG, MINUTE, Received, Receiver, STATE, ended, fast, scripted, within,
};

/// Whether the public key says that a webhook is the carrier's.
fn is_signed(telnyx: &Telnyx, received: &Received) -> bool {
    let key: [u8; 32] = STANDARD.decode(telnyx.public_key()).expect("base64").try_into().expect("32 bytes");
    let Ok(signature) = STANDARD.decode(received.header("telnyx-signature-ed25519")) else { return false };
    let Ok(signature) = Signature::from_slice(&signature) else { return false };
    let mut message = format!("{}|", received.header("telnyx-timestamp")).into_bytes();
    message.extend_from_slice(&received.body);
    VerifyingKey::from_bytes(&key).expect("a key").verify(&message, &signature).is_ok()
}

async fn dialled(scenario: Scenario, more: Value) -> (Telnyx, Receiver, String) {
    let (telnyx, api) = scripted(scenario).await;
    let receiver = Receiver::start().await;
    let mut body = json!({"webhook_url": receiver.url, "client_state": STATE});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let id = api.dial(&body).await;
    (telnyx, receiver, id)
}

#[tokio::test]
async fn an_answered_call_tells_its_story_signed_and_in_full() {
    let (telnyx, mut hooks, id) = dialled(Scenario::answered(Duration::from_secs(42)), json!({})).await;
    let first = hooks.next().await;
    assert!(is_signed(&telnyx, &first));
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("user-agent"), "telnyx-webhooks");
    let body = first.json();
    assert_eq!(body["meta"], json!({"attempt": 1, "delivered_to": hooks.url}));
    assert_eq!(
        (&body["data"]["record_type"], &body["data"]["event_type"]),
        (&json!("event"), &json!("call.initiated"))
    );
    let payload = &body["data"]["payload"];
    assert_eq!((&payload["call_control_id"], &payload["client_state"]), (&json!(id), &json!(STATE)));
    assert_eq!((&payload["from"], &payload["to"]), (&json!(CALLER), &json!(CUSTOMER)));
    assert_eq!((&payload["direction"], &payload["state"]), (&json!("outgoing"), &json!("parked")));
    assert_eq!(payload["connection_id"], CONNECTION);
    assert_eq!(hooks.next().await.event(), "call.answered");
    let hangup = hooks.next().await.payload();
    assert_eq!(
        (&hangup["hangup_cause"], &hangup["hangup_source"]),
        (&json!("normal_clearing"), &json!("callee"))
    );
    assert_eq!((&hangup["sip_hangup_cause"], &hangup["state"]), (&json!("200"), &json!("hangup")));
    assert_eq!(hangup["call_quality_stats"]["inbound"]["packet_count"], "2100");
    within(telnyx.until(|totals| totals.callbacks_delivered == 3)).await;
    assert!(hooks.is_empty());
}

#[tokio::test]
async fn detection_recording_and_cost_are_told_if_asked_for() {
    let cost = Connection { call_cost: true, ..Connection::default() };
    let telnyx =
        fast(Config { connections: [(CONNECTION.to_owned(), cost)].into(), ..Config::default() }).await;
    telnyx.script(CUSTOMER, [Scenario::answered(MINUTE).by(Answerer::MachineWithBeep)]);
    let mut hooks = Receiver::start().await;
    let more = json!({
        "webhook_url": hooks.url, "answering_machine_detection": "premium", "record": "record-from-answer",
    });
    Api::of(&telnyx).dial(&more).await;
    let mut told = Vec::new();
    while told.len() < 7 {
        told.push(hooks.next().await);
    }
    let names: Vec<_> = told.iter().map(Received::event).collect();
    assert_eq!(
        names,
        [
            "call.initiated",
            "call.answered",
            "call.machine.premium.detection.ended",
            "call.machine.premium.greeting.ended",
            "call.hangup",
            "call.recording.saved",
            "call.cost"
        ]
    );
    assert_eq!(told[2].payload()["result"], "machine");
    assert_eq!(told[3].payload()["result"], "beep_detected");
    let saved = told[5].payload();
    assert_eq!((&saved["channels"], &saved["call_control_id"]), (&json!("dual"), &Value::Null));
    assert!(saved["recording_urls"]["mp3"].is_string());
    let cost = told[6].payload();
    assert_eq!((&cost["total_cost"], &cost["billed_duration_secs"]), (&json!("0.0070"), &json!(60)));
}

#[tokio::test]
async fn a_webhook_that_is_not_taken_comes_again_and_counts_its_attempts() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    let mut hooks = Receiver::start().await.answering([500, 429, 200, 422]);
    api.dial(&json!({"webhook_url": hooks.url})).await;
    let mut attempts = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..4 {
        let body = hooks.next().await.json();
        attempts.push(body["meta"]["attempt"].clone());
        ids.push(body["data"]["id"].clone());
    }
    assert_eq!(attempts, [1, 2, 3, 1]);
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3]);
    // The refusal of the second event is final.
    let totals = within(telnyx.until(|totals| totals.callbacks_lost == 1)).await;
    assert_eq!((totals.callbacks_delivered, totals.callback_requests), (1, 4));
}

#[tokio::test]
async fn a_dial_may_bring_its_own_schedule() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    let mut hooks = Receiver::start().await.answering([500, 500]);
    let policies = json!({"call.initiated": {"retries_ms": []}});
    api.dial(&json!({"webhook_url": hooks.url, "webhook_retries_policies": policies})).await;
    assert_eq!(hooks.until("call.hangup").await, ["call.initiated", "call.hangup"]);
    within(telnyx.until(|totals| totals.callbacks_lost == 1 && totals.callbacks_delivered == 1)).await;
}

#[tokio::test]
async fn a_receiver_that_hangs_is_tried_again_and_then_the_failover_address() {
    let mut failover = Receiver::start().await;
    let mut first = Receiver::start().await.answering([HANG, HANG]);
    let connection = Connection {
        webhook_url: Some(first.url.clone()),
        webhook_failover_url: Some(failover.url.clone()),
        webhook_timeout: Duration::from_millis(50),
        ..Connection::default()
    };
    let webhooks = Webhooks { retry_gaps_ms: vec![1], ..Webhooks::default() };
    let connections = [(CONNECTION.to_owned(), connection)].into();
    let telnyx = fast(Config { connections, webhooks, ..Config::default() }).await;
    telnyx.script(CUSTOMER, [Scenario::silent()]);
    Api::of(&telnyx).dial(&json!({})).await;
    for attempt in 1..=2 {
        assert_eq!(first.next().await.json()["meta"]["attempt"], attempt);
    }
    let told = failover.next().await.json();
    assert_eq!(told["meta"], json!({"attempt": 3, "delivered_to": failover.url}));
}

#[tokio::test]
async fn by_get_a_webhook_is_its_query() {
    let (_telnyx, mut hooks, id) = dialled(Scenario::busy(), json!({"webhook_url_method": "GET"})).await;
    let received = hooks.next().await;
    assert_eq!((received.method.as_str(), received.body.len()), ("GET", 0));
    let query = received.uri.query().expect("a query");
    assert!(query.contains("event_type=call.initiated"), "{query}");
    assert!(query.contains(&id.replace(':', "%3A")), "{query}");
}

#[tokio::test]
async fn duplicates_count_as_attempts_and_keep_their_id() {
    let scenario = Scenario::busy().with(Quirk::DuplicateCallbacks { extra: 1 });
    let (_telnyx, mut hooks, _) = dialled(scenario, json!({})).await;
    let (one, two) = (hooks.next().await.json(), hooks.next().await.json());
    assert_eq!(one["data"], two["data"]);
    assert_eq!((&one["meta"]["attempt"], &two["meta"]["attempt"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn reordered_webhooks_come_in_reverse_at_the_end() {
    let scenario = Scenario::answered(MINUTE).with(Quirk::ReorderedCallbacks);
    let (_telnyx, mut hooks, _) = dialled(scenario, json!({})).await;
    let names = hooks.until("call.initiated").await;
    assert_eq!(names, ["call.hangup", "call.answered", "call.initiated"]);
}

#[tokio::test]
async fn without_webhooks_the_call_can_still_be_read() {
    let (telnyx, hooks, _) = dialled(Scenario::busy().with(Quirk::NoCallbacks), json!({})).await;
    ended(&telnyx).await;
    let api = Api::of(&telnyx);
    let events = api.get("/v2/call_events?filter[name]=call.hangup").await;
    assert_eq!(events.data()[0]["metadata"]["payload"]["hangup_cause"], "user_busy");
    assert!(hooks.is_empty());
}

#[tokio::test]
async fn forged_webhooks_fail_the_check() {
    for (forgery, signed) in [(Forgery::WrongKey, false), (Forgery::Missing, false), (Forgery::Stale, true)] {
        let (telnyx, mut hooks, _) = dialled(Scenario::busy().with(Quirk::Forged(forgery)), json!({})).await;
        let received = hooks.next().await;
        assert_eq!(is_signed(&telnyx, &received), signed, "{forgery:?}");
        assert_eq!(received.header("telnyx-timestamp").is_empty(), forgery == Forgery::Missing);
        if forgery == Forgery::Stale {
            let stamp: i64 = received.header("telnyx-timestamp").parse().expect("seconds");
            let occurred = received.json()["data"]["occurred_at"].as_str().map(str::to_owned);
            let occurred: chrono::DateTime<chrono::Utc> = occurred.expect("one").parse().expect("a date");
            assert!(occurred.timestamp() - stamp > 300);
        }
    }
}

#[tokio::test]
async fn a_replay_brings_the_first_webhook_again_byte_for_byte() {
    let replayed = Scenario::answered(MINUTE).with(Quirk::Forged(Forgery::Replayed));
    let (telnyx, mut hooks, _) = dialled(replayed, json!({})).await;
    let mut received = Vec::new();
    for _ in 0..5 {
        received.push(hooks.next().await);
    }
    let names: Vec<_> = received.iter().map(Received::event).collect();
    assert_eq!(names[..3], ["call.initiated", "call.answered", "call.initiated"]);
    assert_eq!(received[2].body, received[0].body);
    assert_eq!(received[2].header("telnyx-timestamp"), received[0].header("telnyx-timestamp"));
    assert!(is_signed(&telnyx, &received[4]) && received[4].body == received[0].body);
}

#[tokio::test]
async fn a_silent_call_is_heard_of_once() {
    let (telnyx, mut hooks, id) = dialled(Scenario::silent(), json!({})).await;
    assert_eq!(hooks.next().await.event(), "call.initiated");
    assert!(telnyx.proceed(&id));
    let call = ended(&telnyx).await;
    assert_eq!((call.status.name(), call.talk), ("failed", Duration::ZERO));
    within(telnyx.until(|totals| totals.callbacks_delivered == 1)).await;
    assert!(hooks.is_empty());
}
