//! Stopping, changing and deleting calls.

use std::time::Duration;

use outdial_emulators::retell::{Config, Replies, Retell, Scenario, StopRinging};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, CUSTOMER, endless, fast, id, slow, told_slowly, within};

async fn stop(api: &Api, call: &Value) -> Answer {
    api.call(Method::POST, &format!("/v2/stop-call/{}", id(call)), None).await
}

async fn patch(api: &Api, call: &Value, what: &str, body: &Value) -> Answer {
    api.call(Method::PATCH, &format!("/v2/{what}/{}", id(call)), Some(body)).await
}

/// A call that rings for as long as the test lasts.
async fn ringing(stop_ringing: StopRinging) -> (Retell, Api, Value) {
    let replies = Replies { stop_ringing, ..Replies::default() };
    let retell = slow(Config { replies, ..Config::default() }).await;
    retell.script(CUSTOMER, [endless().ringing_for(Duration::from_secs(3600))]);
    let api = Api::of(&retell);
    let call = api.dial(&json!({})).await;
    (retell, api, call)
}

#[tokio::test]
async fn an_ongoing_call_can_be_stopped() {
    let (_retell, api, mut receiver) = told_slowly(endless()).await;
    let call = api.dial(&json!({})).await;
    assert_eq!(receiver.next().await.event(), "call_started");
    assert_eq!(stop(&api, &call).await.status, 204);
    let ended = receiver.next().await.json();
    assert_eq!((&ended["event"], &ended["call"]["call_status"]), (&json!("call_ended"), &json!("ended")));
    assert_eq!(ended["call"]["disconnection_reason"], "manual_stopped");
    assert_eq!(stop(&api, &call).await.status, 400);
    assert_eq!(stop(&api, &json!({"call_id": "call_nobody"})).await.status, 422);
}

#[tokio::test]
async fn stopping_a_call_that_rings_is_refused_heeded_or_ignored() {
    let (retell, api, call) = ringing(StopRinging::Refused).await;
    assert_eq!(stop(&api, &call).await.status, 400);
    assert_eq!(retell.totals().finished, 0);
    let (retell, api, call) = ringing(StopRinging::Ignored).await;
    assert_eq!(stop(&api, &call).await.status, 204);
    assert_eq!(api.get(id(&call)).await["call_status"], "registered");
    assert_eq!(retell.totals().finished, 0);
    let (retell, api, call) = ringing(StopRinging::Ends).await;
    assert_eq!(stop(&api, &call).await.status, 204);
    within(retell.until(|totals| totals.finished == 1)).await;
    let ended = api.get(id(&call)).await;
    assert_eq!(
        (&ended["call_status"], &ended["disconnection_reason"]),
        (&json!("not_connected"), &json!("manual_stopped"))
    );
}

#[tokio::test]
async fn metadata_can_be_replaced_at_any_time() {
    let retell = fast(Config::default()).await;
    let api = Api::of(&retell);
    let call = api.dial(&json!({"metadata": {"a": 1}})).await;
    let updated = patch(&api, &call, "update-call", &json!({"metadata": {"b": 2}})).await;
    assert_eq!((updated.status, updated.json()["metadata"].clone()), (200, json!({"b": 2})));
    assert_eq!(api.get(id(&call)).await["metadata"], json!({"b": 2}));
    for wrong in [json!({"metadata": "b"}), json!({"metadata": {"b": "x".repeat(51_200)}})] {
        assert_eq!(patch(&api, &call, "update-call", &wrong).await.status, 400);
    }
}

#[tokio::test]
async fn storage_only_becomes_more_restrictive_and_then_content_is_gone() {
    let retell = fast(Config::default()).await;
    retell.script(CUSTOMER, [Scenario::answered(Duration::from_secs(9))]);
    let api = Api::of(&retell);
    let call = api.dial(&json!({})).await;
    assert!(api.analysed(id(&call)).await["transcript"].is_string());
    let setting = |to: &str| json!({ "data_storage_setting": to });
    let restricted = patch(&api, &call, "update-call", &setting("basic_attributes_only")).await.json();
    assert_eq!(restricted["data_storage_setting"], "basic_attributes_only");
    assert!(restricted.get("transcript").is_none() && restricted.get("recording_url").is_none());
    for wrong in ["everything", "nothing"] {
        assert_eq!(patch(&api, &call, "update-call", &setting(wrong)).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_live_call_can_be_updated_and_one_that_has_ended_cannot() {
    let (retell, api, mut receiver) = told_slowly(endless()).await;
    let call = api.dial(&json!({})).await;
    assert_eq!(receiver.next().await.event(), "call_started");
    let body = json!({"fields_to_override": {"metadata": {"live": true},
        "override_dynamic_variables": {"name": "Jo"}}, "call_control": {"trigger_response": true}});
    let live = patch(&api, &call, "update-live-call", &body).await;
    assert_eq!((live.status, live.json()), (200, json!({"success": true})));
    assert_eq!(api.get(id(&call)).await["metadata"], json!({"live": true}));
    assert!(retell.proceed(id(&call)));
    assert_eq!(receiver.next().await.event(), "call_ended");
    assert_eq!(patch(&api, &call, "update-live-call", &body).await.status, 400);
}

#[tokio::test]
async fn deleting_forgets_the_record_and_does_not_hang_up() {
    let (retell, api, mut receiver) = told_slowly(endless()).await;
    let call = api.dial(&json!({})).await;
    assert_eq!(receiver.next().await.event(), "call_started");
    let path = format!("/v2/delete-call/{}", id(&call));
    assert_eq!(api.call(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(api.call(Method::GET, &format!("/v2/get-call/{}", id(&call)), None).await.status, 422);
    assert_eq!(api.call(Method::DELETE, &path, None).await.status, 422);
    assert_eq!((retell.totals().live, retell.calls()[0].deleted), (1, true));
    assert!(retell.proceed(id(&call)));
    assert_eq!(receiver.next().await.event(), "call_ended");
}

#[tokio::test]
async fn an_unknown_call_may_be_404_as_the_documents_have_it_elsewhere() {
    let replies = Replies { unknown_call_status: 404, ..Replies::default() };
    let retell = fast(Config { replies, ..Config::default() }).await;
    let answer = Api::of(&retell).call(Method::GET, "/v2/get-call/call_nobody", None).await;
    assert_eq!((answer.status, answer.json()["status"].clone()), (404, json!("error")));
}
