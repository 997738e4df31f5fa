//! Webhooks: which, when, to whom, how signed, and how often.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use outdial_emulators::retell::{
    Agent, Config, Event, Forgery, Quirk, Results, Scenario, Transfer, Webhooks,
};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{
    Api, CUSTOMER, HANG, Received, Receiver, WEBHOOK_KEY, fast, id, told, told_with, within,
};

const ALL: [&str; 8] = [
    "call_started",
    "call_ended",
    "call_analyzed",
    "transcript_updated",
    "transfer_started",
    "transfer_bridged",
    "transfer_cancelled",
    "transfer_ended",
];

fn answered() -> Scenario {
    Scenario::answered(Duration::from_secs(42))
}

/// Asks for these events, for one call.
fn wanting(events: &[&str]) -> Value {
    json!({"agent_override": {"agent": {"webhook_events": events}}})
}

/// The time and the digest of a signature, if it is of the documented form.
fn signature(received: &Received) -> Option<(i64, String)> {
    let (at, digest) = received.signature.as_deref()?.strip_prefix("v=")?.split_once(",d=")?;
    let plain = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| Some((at.parse().ok()?, digest.to_owned()))).flatten()
}

fn digest(key: &str, body: &[u8], at: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key");
    mac.update(body);
    mac.update(at.to_string().as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// How old a signature is, and whether it is by the webhook key.
fn verified(received: &Received) -> (Duration, bool) {
    let (at, given) = signature(received).expect("a signature");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let age = now.saturating_sub(Duration::from_millis(u64::try_from(at).expect("after 1970")));
    (age, given == digest(WEBHOOK_KEY, &received.body, at))
}

#[tokio::test]
async fn an_answered_call_is_told_in_three_signed_webhooks() {
    let (_retell, api, mut receiver) = told(answered()).await;
    let more = json!({"metadata": {"attempt_id": "att_1", "name": "José ☎"}});
    let call = api.dial(&more).await;
    for event in ["call_started", "call_ended", "call_analyzed"] {
        let received = receiver.next().await;
        let (age, signed) = verified(&received);
        assert!(signed && age < Duration::from_secs(300), "{event}");
        let body = received.json();
        assert_eq!(body["event"], event);
        assert_eq!(
            (&body["call"]["call_id"], &body["call"]["metadata"]),
            (&call["call_id"], &more["metadata"])
        );
    }
}

#[tokio::test]
async fn the_end_brings_all_but_the_analysis_and_the_beginning_brings_the_basics() {
    let (_retell, api, mut receiver) = told(answered()).await;
    api.dial(&json!({})).await;
    let started = receiver.next().await.json()["call"].clone();
    assert_eq!(started["call_status"], "ongoing");
    for name in ["end_timestamp", "transcript", "disconnection_reason", "metadata", "call_cost"] {
        assert!(started.get(name).is_none(), "{name}");
    }
    let ended = receiver.next().await.json()["call"].clone();
    assert_eq!(
        (&ended["call_status"], &ended["disconnection_reason"]),
        (&json!("ended"), &json!("user_hangup"))
    );
    assert_eq!(ended["duration_ms"], 42_000);
    for name in
        ["transcript", "transcript_object", "recording_url", "call_cost", "latency", "start_timestamp"]
    {
        assert!(ended.get(name).is_some(), "{name}");
    }
    assert!(ended.get("call_analysis").is_none());
    let analysed = receiver.next().await.json()["call"].clone();
    assert_eq!(analysed["call_analysis"]["call_successful"], true);
}

#[tokio::test]
async fn an_unconnected_call_has_no_beginning() {
    for scenario in [Scenario::no_answer(), Scenario::busy(), Scenario::failed(), Scenario::declined()] {
        let (_retell, api, mut receiver) = told(scenario).await;
        api.dial(&json!({})).await;
        let ended = receiver.next().await.json();
        assert_eq!(
            (&ended["event"], &ended["call"]["call_status"]),
            (&json!("call_ended"), &json!("not_connected"))
        );
        assert_eq!(receiver.next().await.event(), "call_analyzed");
    }
}

#[tokio::test]
async fn a_call_or_an_agent_may_have_an_address_of_its_own() {
    let mut receiver = Receiver::start().await;
    let at = |path: &str| Some(format!("{}/{path}", receiver.url));
    let webhooks = Webhooks { url: at("workspace"), ..Webhooks::default() };
    let own = Agent { webhook_url: at("agent"), ..Agent::default() };
    let agents = [("plain".to_owned(), Agent::default()), ("own".to_owned(), own)].into();
    let retell = fast(Config { webhooks, agents, bound_agent: "plain".into(), ..Config::default() }).await;
    retell.script(CUSTOMER, [Scenario::busy()]);
    let api = Api::of(&retell);
    let call = json!({"agent": {"webhook_url": at("call")}});
    for (more, path) in [
        (json!({}), "/retell/workspace"),
        (json!({"override_agent_id": "own"}), "/retell/agent"),
        (json!({"override_agent_id": "own", "agent_override": call}), "/retell/call"),
        (
            json!({"override_agent_id": "own", "agent_override": {"agent": {"webhook_url": null}}}),
            "/retell/workspace",
        ),
    ] {
        api.dial(&more).await;
        for _ in 0..2 {
            assert_eq!(receiver.next().await.path, path);
        }
    }
}

#[tokio::test]
async fn overrides_of_one_call_may_go_unheeded() {
    let webhooks = Webhooks { per_call: false, ..Webhooks::default() };
    let (_retell, api, mut receiver) = told_with(Scenario::busy(), webhooks).await;
    let agent = json!({"webhook_url": "http://127.0.0.1:9/", "webhook_events": []});
    api.dial(&json!({"agent_override": {"agent": agent}})).await;
    assert_eq!(receiver.events(2).await, ["call_ended", "call_analyzed"]);
}

#[tokio::test]
async fn only_the_events_asked_for_are_told() {
    let (retell, api, mut receiver) = told(answered()).await;
    api.dial(&wanting(&["call_ended"])).await;
    within(retell.until(|totals| totals.callbacks_delivered == 1)).await;
    api.dial(&wanting(&["call_analyzed"])).await;
    assert_eq!(receiver.events(2).await, ["call_ended", "call_analyzed"]);
    assert_eq!(retell.totals().callback_requests, 2);
}

#[tokio::test]
async fn the_transcript_grows_turn_by_turn_for_those_who_ask() {
    let (_retell, api, mut receiver) = told(answered()).await;
    api.dial(&wanting(&["transcript_updated", "call_ended"])).await;
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let body = receiver.next().await.json();
        assert_eq!(body["event"], "transcript_updated");
        lengths.push(body["call"]["transcript_with_tool_calls"].as_array().expect("turns").len());
    }
    assert_eq!(lengths, [1, 2, 3]);
    assert_eq!(receiver.next().await.event(), "call_ended");
}

#[tokio::test]
async fn a_transfer_is_told_from_its_beginning_to_the_end_of_the_other_leg() {
    let scenario = Scenario::transferred(Duration::from_secs(40), "+14155550177");
    let (_retell, api, mut receiver) = told(scenario).await;
    api.dial(&wanting(&ALL.map(|event| if event == "transcript_updated" { "call_ended" } else { event })))
        .await;
    let mut events = Vec::new();
    for _ in 0..6 {
        let body = receiver.next().await.json();
        let event = body["event"].as_str().expect("an event").to_owned();
        match event.as_str() {
            "transfer_started" | "transfer_bridged" => {
                assert_eq!(body["transfer_destination"], "+14155550177");
                assert!(body["transfer_option"].is_object());
            }
            "call_ended" => {
                assert_eq!(body["call"]["disconnection_reason"], "call_transfer");
                assert_eq!(body["call"]["transfer_destination"], "+14155550177");
            }
            "transfer_ended" => assert!(body["call"]["transfer_end_timestamp"].is_i64()),
            _ => {}
        }
        events.push(event);
    }
    let expected = [
        "call_started",
        "transfer_started",
        "transfer_bridged",
        "call_ended",
        "call_analyzed",
        "transfer_ended",
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_transfer_that_nobody_takes_is_cancelled_and_the_call_goes_on() {
    let nobody = Transfer { to: "sip:desk@example".into(), bridged: false, lasts: Duration::ZERO };
    let webhooks = Webhooks { transfer_in_call: true, ..Webhooks::default() };
    let (_retell, api, mut receiver) = told_with(answered().transferring(nobody), webhooks).await;
    api.dial(&wanting(&["transfer_cancelled", "transfer_bridged", "transfer_ended", "call_ended"])).await;
    let cancelled = receiver.next().await.json();
    assert_eq!(cancelled["event"], "transfer_cancelled");
    assert_eq!(cancelled["call"]["transfer_destination"], "sip:desk@example");
    assert_eq!(receiver.next().await.json()["call"]["disconnection_reason"], "user_hangup");
}

#[tokio::test]
async fn copies_say_the_same() {
    let (retell, api, mut receiver) =
        told(Scenario::busy().with(Quirk::DuplicateCallbacks { extra: 2 })).await;
    api.dial(&wanting(&["call_ended"])).await;
    let first = receiver.next().await;
    for _ in 0..2 {
        assert_eq!(receiver.next().await.body, first.body);
    }
    within(retell.until(|totals| totals.callbacks_delivered == 3)).await;
}

#[tokio::test]
async fn reordered_webhooks_begin_with_the_analysis() {
    let (_retell, api, mut receiver) = told(answered().with(Quirk::ReorderedCallbacks)).await;
    api.dial(&json!({})).await;
    assert_eq!(receiver.events(3).await, ["call_analyzed", "call_ended", "call_started"]);
}

#[tokio::test]
async fn late_webhooks_come_long_after_the_end() {
    let late = Quirk::LateCallbacks { by: Duration::from_secs(200) };
    let (retell, api, mut receiver) = told(Scenario::busy().with(late)).await;
    api.dial(&json!({})).await;
    within(retell.until(|totals| totals.finished == 1)).await;
    receiver.next().await;
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    let late = now - retell.calls()[0].ended_at.expect("it has ended");
    assert!(late.num_milliseconds() >= 200, "{late}");
}

#[tokio::test]
async fn without_webhooks_the_call_can_still_be_read() {
    let (retell, api, receiver) = told(Scenario::busy().with(Quirk::NoCallbacks)).await;
    let call = api.dial(&json!({})).await;
    assert_eq!(api.analysed(id(&call)).await["disconnection_reason"], "dial_busy");
    assert!(receiver.is_empty());
    assert_eq!(retell.totals().callback_requests, 0);
}

#[tokio::test]
async fn a_failing_webhook_is_tried_four_times_and_does_not_hold_up_the_next() {
    let (retell, api, mut receiver) = told(answered()).await;
    receiver.answer([500]);
    api.dial(&wanting(&["call_started", "call_ended"])).await;
    let mut events = receiver.events(3).await;
    assert_eq!(events.remove(0), "call_started");
    events.sort();
    assert_eq!(events, ["call_ended", "call_started"]);
    within(retell.until(|totals| totals.callbacks_delivered == 2)).await;
    receiver.answer([500, 302, 404, 503]);
    api.dial(&wanting(&["call_ended"])).await;
    let totals = within(retell.until(|totals| totals.callbacks_lost == 1)).await;
    assert_eq!(totals.callback_requests, 7);
}

#[tokio::test]
async fn retries_come_after_what_happened_meanwhile() {
    let webhooks = Webhooks { retry_gap: Duration::from_secs(1_000_000), ..Webhooks::default() };
    let (_retell, api, mut receiver) = told_with(answered(), webhooks).await;
    receiver.answer([500]);
    api.dial(&json!({})).await;
    assert_eq!(receiver.events(3).await, ["call_started", "call_ended", "call_analyzed"]);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_in_time_is_tried_again() {
    let (_retell, api, mut receiver) = told(Scenario::busy()).await;
    receiver.answer([HANG]);
    let agent = json!({"webhook_timeout_ms": 50, "webhook_events": ["call_ended"]});
    api.dial(&json!({"agent_override": {"agent": agent}})).await;
    let first = receiver.next().await;
    assert_eq!(receiver.next().await.body, first.body);
    assert_eq!(Webhooks::default().timeout, Duration::from_secs(10));
}

#[tokio::test]
async fn a_signature_may_be_wrong_missing_or_stale() {
    for forgery in [Forgery::WrongKey, Forgery::Missing, Forgery::Stale] {
        let (_retell, api, mut receiver) = told(Scenario::busy().with(Quirk::Forged(forgery))).await;
        api.dial(&json!({})).await;
        let received = receiver.next().await;
        match forgery {
            Forgery::Missing => assert_eq!(received.signature, None),
            Forgery::WrongKey => assert!(!verified(&received).1),
            Forgery::Stale => {
                let (age, signed) = verified(&received);
                assert!(signed && age > Duration::from_secs(300), "{age:?}");
            }
            Forgery::Replayed => unreachable!("not in the list above"),
        }
    }
}

#[tokio::test]
async fn a_replay_is_the_same_request_byte_for_byte() {
    let (_retell, api, mut receiver) = told(Scenario::busy().with(Quirk::Forged(Forgery::Replayed))).await;
    api.dial(&json!({})).await;
    let first = receiver.next().await;
    assert!(verified(&first).1);
    assert_eq!(receiver.next().await, first);
    assert_eq!(receiver.events(2).await, ["call_analyzed", "call_analyzed"]);
}

#[tokio::test]
async fn the_end_may_still_say_registered_as_in_the_documents() {
    let webhooks = Webhooks { stale_status: true, ..Webhooks::default() };
    let (_retell, api, mut receiver) = told_with(Scenario::busy(), webhooks).await;
    api.dial(&json!({})).await;
    let ended = receiver.next().await.json()["call"].clone();
    assert_eq!(
        (&ended["call_status"], &ended["disconnection_reason"]),
        (&json!("registered"), &json!("dial_busy"))
    );
}

#[tokio::test]
async fn the_analysis_takes_as_long_as_the_scenario_says() {
    let hours = Results { analyzed_after: Duration::from_secs(1_000_000), ..Results::default() };
    let (retell, api, mut receiver) = told(Scenario::busy().resulting(hours)).await;
    let call = api.dial(&json!({})).await;
    assert_eq!(receiver.next().await.event(), "call_ended");
    assert!(api.get(id(&call)).await.get("call_analysis").is_none());
    assert!(retell.proceed(id(&call)));
    assert_eq!(receiver.next().await.event(), "call_analyzed");
    assert_eq!(serde_json::to_value(Event::CallAnalyzed).expect("JSON"), "call_analyzed");
}
