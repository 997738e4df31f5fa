//! Creating a call: what is accepted, what is refused, and how the answer looks.

use outdial_emulators::retell::{Agent, Config, Replies, Scenario};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, CUSTOMER, OURS, body, fast, id, within};

#[tokio::test]
async fn an_accepted_call_is_answered_with_201_and_the_call_object() {
    let retell = fast(Config::default()).await;
    let api = Api::of(&retell);
    let call = api
        .dial(&json!({
            "metadata": {"attempt_id": "att_1", "deep": {"er": [1]}},
            "retell_llm_dynamic_variables": {"name": "José ☎"},
            "custom_sip_headers": {"X-Lead": "7"},
        }))
        .await;
    assert!(id(&call).starts_with("call_"));
    assert_eq!(
        call,
        json!({
            "call_id": call["call_id"], "call_type": "phone_call", "call_status": "registered",
            "agent_id": "agent_default", "agent_version": 1, "direction": "outbound",
            "from_number": OURS, "to_number": CUSTOMER, "data_storage_setting": "everything",
            "metadata": {"attempt_id": "att_1", "deep": {"er": [1]}},
            "retell_llm_dynamic_variables": {"name": "José ☎"},
            "custom_sip_headers": {"X-Lead": "7"},
        })
    );
}

#[tokio::test]
async fn what_was_not_supplied_is_left_out() {
    let retell = fast(Config::default()).await;
    let call = Api::of(&retell).dial(&json!({})).await;
    for name in ["metadata", "retell_llm_dynamic_variables", "custom_sip_headers", "agent_name"] {
        assert!(call.get(name).is_none(), "{name}");
    }
}

#[tokio::test]
async fn one_call_may_have_another_agent_and_version() {
    let sales = Agent { name: "Sales".into(), version: 4, ..Agent::default() };
    let agents = [("agent_default".to_owned(), Agent::default()), ("agent_sales".to_owned(), sales)];
    let retell = fast(Config { agents: agents.into(), ..Config::default() }).await;
    let api = Api::of(&retell);
    let call = api.dial(&json!({"override_agent_id": "agent_sales"})).await;
    assert_eq!((&call["agent_name"], &call["agent_version"]), (&json!("Sales"), &json!(4)));
    let call = api.dial(&json!({"override_agent_id": "agent_sales", "override_agent_version": 2})).await;
    assert_eq!((&call["agent_id"], &call["agent_version"]), (&json!("agent_sales"), &json!(2)));
    let unknown = api.try_dial(&json!({"override_agent_id": "agent_nobody"})).await;
    assert_eq!(unknown.status, 422, "{}", unknown.text);
    assert_eq!(retell.totals().accepted, 2);
}

#[tokio::test]
async fn a_wrong_request_is_refused_with_its_reason_and_rings_nobody() {
    let config =
        Config { from_numbers: vec![OURS.into()], do_not_call: vec![CUSTOMER.into()], ..Config::default() };
    let retell = fast(config).await;
    let api = Api::of(&retell);
    for (more, status, reason) in [
        (json!({"to_number": null}), 400, "to_number"),
        (json!({"to_number": "4155550123"}), 400, "E.164"),
        (json!({"from_number": "+14155550199"}), 422, "not found"),
        (json!({"honor_internal_dnc": true}), 400, "do_not_call"),
        (json!({"retell_llm_dynamic_variables": {"age": 7}}), 400, "age must be a string"),
        (json!({"agent_override": {"agent": {"ring_duration_ms": 300_001}}}), 400, "ring_duration_ms"),
    ] {
        let answer = api.try_dial(&more).await;
        assert_eq!(answer.status, status, "{more}");
        let error = answer.json();
        assert_eq!(error["status"], "error");
        assert!(error["message"].as_str().is_some_and(|said| said.contains(reason)), "{error}");
    }
    let request = api.request(Method::POST, "/v2/create-phone-call").body("not JSON");
    assert_eq!(api.send(request).await.expect("a response").status, 400);
    let totals = retell.totals();
    assert_eq!((totals.requests, totals.invalid, totals.accepted), (7, 7, 0));
}

#[tokio::test]
async fn dynamic_variables_of_any_type_pass_where_the_config_says_so() {
    let replies = Replies { any_dynamic_variables: true, ..Replies::default() };
    let retell = fast(Config { replies, ..Config::default() }).await;
    let call = Api::of(&retell).dial(&json!({"retell_llm_dynamic_variables": {"age": 7}})).await;
    assert_eq!(call["retell_llm_dynamic_variables"]["age"], 7);
}

#[tokio::test]
async fn fields_of_the_wrong_name_are_ignored_and_counted() {
    let retell = fast(Config::default()).await;
    Api::of(&retell).dial(&json!({"idempotencyKey": "a", "callback_url": "http://x/"})).await;
    assert_eq!(retell.totals().unknown_parameters, 2);
}

#[tokio::test]
async fn dials_are_counted_by_idempotency_key_or_else_by_attempt() {
    let retell = fast(Config::default()).await;
    retell.script(CUSTOMER, [Scenario::busy()]);
    let api = Api::of(&retell);
    api.dial(&json!({"idempotency_key": "key_1", "metadata": {"attempt_id": "att_1"}})).await;
    api.dial(&json!({"metadata": {"attempt_id": "att_2"}})).await;
    api.dial(&json!({"metadata": {"attempt_id": "att_2"}})).await;
    api.dial(&json!({})).await;
    let dials = retell.dials();
    assert_eq!((dials.accepted("key_1"), dials.accepted("att_1"), dials.accepted("")), (1, 0, 1));
    assert_eq!(dials.keys_rung_twice(), ["att_2"]);
    assert_eq!(dials.timeline[0].caller_id, OURS);
    within(retell.until(|totals| totals.finished == 4)).await;
}

#[tokio::test]
async fn a_key_must_be_borne_and_known() {
    let retell = fast(Config::default()).await;
    let api = Api::of(&retell);
    let wrong = Api { key: "key_wrong".into(), ..api.clone() };
    let answer = wrong.try_dial(&json!({"idempotency_key": "a"})).await;
    assert_eq!((answer.status, answer.json()["status"].clone()), (401, json!("error")));
    assert_eq!(wrong.call(Method::GET, "/get-concurrency", None).await.status, 401);
    let bare = api.http.post(format!("{}/v2/create-phone-call", api.base)).json(&body(&json!({})));
    assert_eq!(api.send(bare).await.expect("a response").status, 401);
    let totals = retell.totals();
    assert_eq!((totals.unauthorized, totals.accepted, totals.reads), (3, 0, 0));
    assert_eq!(retell.dials().keys["a"].requests, 1);
}

#[tokio::test]
async fn what_does_not_exist_is_404_in_the_same_envelope() {
    let retell = fast(Config::default()).await;
    let api = Api::of(&retell);
    for (method, path) in [(Method::GET, "/v1/get-call/x"), (Method::GET, "/v2/create-phone-call")] {
        let answer = api.call(method, path, None).await;
        assert_eq!((answer.status, answer.json()["status"].clone()), (404, json!("error")), "{path}");
    }
    let unknown = api.call(Method::GET, "/v2/get-call/call_nobody", None).await;
    assert_eq!(unknown.status, 422);
    assert_eq!(unknown.json().as_object().map(serde_json::Map::len), Some(2), "{}", unknown.text);
    assert_ne!(unknown.json(), Value::Null);
}
