//! Reading back: calls, active calls, events, deliveries.

use std::time::Duration;

use outdial_emulators::telnyx::{Config, Reads, Scenario};
use serde_json::{Value, json};

use crate::harness::{
    Api, CALLER, CONNECTION, CUSTOMER, MINUTE, Receiver, STATE, ended, fast, scripted, within,
};

#[tokio::test]
async fn a_call_is_alive_until_it_ends_and_can_be_read_for_a_while_after() {
    let (telnyx, api) = scripted(Scenario::answered(Duration::from_secs(42)).ringing_for(10 * MINUTE)).await;
    let id = api.dial(&json!({"client_state": STATE, "timeout_secs": 600})).await;
    let path = format!("/v2/calls/{}", id.replace(':', "%3A"));
    let data = api.get(&path).await.data().clone();
    assert_eq!((&data["call_control_id"], &data["client_state"]), (&json!(id), &json!(STATE)));
    assert!(telnyx.proceed(&id));
    ended(&telnyx).await;
    let data = api.get(&path).await.data().clone();
    assert_eq!((&data["is_alive"], &data["call_duration"]), (&json!(false), &json!(42)));
    assert!(data["end_time"].is_string());
    let reads = Reads { retention: Duration::ZERO, ..Reads::default() };
    telnyx.configure(Config { reads, ..telnyx.config() }).expect("settings");
    assert_eq!(api.get(&path).await.refusal(), (404, "10005"));
    assert_eq!(api.get("/v2/calls/v3:nobody").await.refusal(), (404, "10005"));
}

#[tokio::test]
async fn active_calls_are_those_of_the_connection_that_have_not_ended() {
    let telnyx = fast(Config::default()).await;
    telnyx.script(CUSTOMER, [Scenario::answered(200 * MINUTE)]);
    let api = Api::of(&telnyx);
    for state in ["YQ==", "Yg==", "Yw=="] {
        api.dial(&json!({"client_state": state})).await;
    }
    api.dial(&json!({"connection_id": "other"})).await;
    let path = format!("/v2/connections/{CONNECTION}/active_calls");
    let page = api.get(&format!("{path}?page[size]=2&page[number]=2")).await;
    let states: Vec<_> =
        page.data().as_array().expect("a list").iter().map(|item| &item["client_state"]).collect();
    assert_eq!(states, ["Yw=="]);
    assert_eq!(
        (&page.body["meta"]["page_number"], &page.body["meta"]["total_pages"]),
        (&json!(2), &json!(2))
    );
    let id = page.data()[0]["call_control_id"].as_str().expect("an id").to_owned();
    api.act(&id, "hangup", &json!({})).await;
    within(telnyx.until(|totals| totals.finished == 1)).await;
    assert_eq!(api.get(&path).await.data().as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn events_are_found_by_what_they_are_about() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    api.dial(&json!({"client_state": STATE})).await;
    let call = ended(&telnyx).await;
    let count = async |query: &str| {
        let found = api.get(&format!("/v2/call_events?{query}")).await;
        found.data().as_array().map_or(0, Vec::len)
    };
    within(telnyx.until(|totals| totals.live == 0)).await;
    // Every event is written before the call counts as finished, but for what tells of its end.
    loop {
        if count("filter[name]=call.hangup").await == 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(count("").await, 3);
    assert_eq!(count("filter[type]=command").await, 1);
    assert_eq!(count(&format!("filter[leg_id]={}", call.leg_id)).await, 3);
    assert_eq!(count(&format!("filter[application_session_id]={}", call.session_id)).await, 3);
    assert_eq!(count("filter[connection_id]=1").await, 0);
    assert_eq!(count("filter[to]=%2B14155550123&filter[from]=%2B14155550100").await, 3);
    assert_eq!(count("filter[to]=%2B14155550100").await, 0);
    assert_eq!(count("filter[product]=texml").await, 0);
    assert_eq!(count("filter[failed]=true").await, 0);
    let at = call.accepted_at.to_rfc3339().replace('+', "%2B");
    assert_eq!(count(&format!("filter[occurred_at][gte]={at}")).await, 3);
    assert_eq!(count(&format!("filter[occurred_at][lt]={at}")).await, 0);
    assert_eq!(api.get("/v2/call_events?filter[occurred_at][gte]=now").await.refusal(), (422, "10027"));
    let initiated = api.get("/v2/call_events?filter[name]=call.initiated").await.data()[0].clone();
    assert_eq!((&initiated["record_type"], &initiated["type"]), (&json!("call_event"), &json!("webhook")));
    assert_eq!(initiated["metadata"]["payload"]["client_state"], STATE);
}

#[tokio::test]
async fn deliveries_show_every_attempt_and_are_found_by_the_client_state() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    let mut hooks = Receiver::start().await.answering([500, 200, 404]);
    api.dial(&json!({"webhook_url": hooks.url, "client_state": STATE})).await;
    let sent = hooks.next().await.json();
    within(telnyx.until(|totals| totals.callbacks_delivered == 1 && totals.callbacks_lost == 1)).await;
    let find = async |query: &str| -> Vec<Value> {
        loop {
            let all = api.get("/v2/webhook_deliveries").await;
            if all.data().as_array().is_some_and(|all| all.len() == 2) {
                let found = api.get(&format!("/v2/webhook_deliveries?{query}")).await;
                return found.data().as_array().expect("a list").clone();
            }
        }
    };
    let found =
        find("filter[webhook][contains]=YXR0XzE%3D&filter[event_type]=call.initiated,call.answered").await;
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["status"], &found[0]["webhook"]), (&json!("delivered"), &sent["data"]));
    let statuses: Vec<_> = found[0]["attempts"].as_array().expect("a list").iter().collect();
    let codes: Vec<_> = statuses.iter().map(|attempt| &attempt["http"]["response"]["status"]).collect();
    assert_eq!(codes, [500, 200]);
    let failed = find("filter[status][eq]=failed").await;
    assert_eq!((failed.len(), &failed[0]["webhook"]["event_type"]), (1, &json!("call.hangup")));
    assert_eq!(find("filter[webhook][contains]=nobody").await.len(), 0);
    assert_eq!(find("filter[started_at][gte]=2999-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(find("filter[attempts][contains]=404").await.len(), 1);
    let id = failed[0]["id"].as_str().expect("an id");
    assert_eq!(api.get(&format!("/v2/webhook_deliveries/{id}")).await.data()["id"], id);
}

#[tokio::test]
async fn what_is_not_yet_indexed_is_not_found() {
    let reads = Reads { index_lag: 100_000 * MINUTE, ..Reads::default() };
    let telnyx = fast(Config { reads, ..Config::default() }).await;
    telnyx.script(CUSTOMER, [Scenario::busy()]);
    let api = Api::of(&telnyx);
    let hooks = Receiver::start().await;
    api.dial(&json!({"webhook_url": hooks.url})).await;
    within(telnyx.until(|totals| totals.callbacks_delivered == 2)).await;
    for path in ["/v2/call_events", "/v2/webhook_deliveries"] {
        assert_eq!(*api.get(path).await.data(), json!([]));
    }
    telnyx.configure(Config { reads: Reads::default(), ..telnyx.config() }).expect("settings");
    assert_eq!(api.get("/v2/call_events").await.data().as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_finished_call_is_forgotten_with_its_events() {
    let config = Config { forget_finished_after: Some(Duration::ZERO), ..Config::default() };
    let telnyx = fast(config).await;
    telnyx.script(CUSTOMER, [Scenario::busy()]);
    let api = Api::of(&telnyx);
    let id = api.dial(&json!({"client_state": STATE})).await;
    within(telnyx.until(|totals| totals.finished == 1)).await;
    assert!(telnyx.call(&id).is_none());
    assert_eq!(*api.get("/v2/call_events").await.data(), json!([]));
    assert_eq!(telnyx.totals().accepted, 1);
}

#[tokio::test]
async fn the_public_key_can_be_read_and_other_paths_do_not_exist() {
    let telnyx = fast(Config::default()).await;
    let api = Api::of(&telnyx);
    assert_eq!(api.get("/v2/public_key").await.data()["public"], telnyx.public_key());
    assert_eq!(api.get("/v2/calls/x/y/z").await.refusal(), (404, "10005"));
    let health = api.get("/_emulator/health").await;
    assert_eq!(health.body["emulates"], "telnyx");
    assert_eq!(CALLER, "+14155550100");
}
