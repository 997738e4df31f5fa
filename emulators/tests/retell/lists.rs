//! Lists: filters, order, pages, and what they leave out.

use std::time::Duration;

use outdial_emulators::retell::{Analysis, Config, Reads, Reason, Results, Retell, Scenario};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, CUSTOMER, OURS, fast, id, slow, within};

const OTHER: &str = "+14155550188";

async fn list(api: &Api, version: &str, body: &Value) -> Answer {
    api.call(Method::POST, &format!("/{version}/list-calls"), Some(body)).await
}

async fn v3(api: &Api, body: &Value) -> Value {
    let answer = list(api, "v3", body).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.text);
    answer.json()
}

/// The `metadata.n` of the calls found by these criteria, oldest first.
async fn found(api: &Api, criteria: &Value) -> Vec<u64> {
    let body = json!({"filter_criteria": criteria, "sort_order": "ascending"});
    numbers(&v3(api, &body).await["items"])
}

fn numbers(calls: &Value) -> Vec<u64> {
    let calls = calls.as_array().expect("a list");
    calls.iter().map(|call| call["metadata"]["n"].as_u64().expect("n")).collect()
}

/// Three calls that have been analysed: 0 was answered, 1 busy, 2 a voicemail at another number.
async fn three() -> (Retell, Api) {
    let retell = fast(Config { custom_attributes: vec!["tier".into()], ..Config::default() }).await;
    let custom_analysis_data = json!({"interest": 8}).as_object().expect("fields").clone();
    let analysis =
        Analysis { user_sentiment: Some("Positive".into()), custom_analysis_data, ..Analysis::default() };
    let talk = Scenario::answered_until(Reason::AgentHangup, Duration::from_secs(30));
    let talk = talk.resulting(Results { analysis, ..Results::default() });
    retell.script(CUSTOMER, [talk, Scenario::busy()]);
    retell.script(OTHER, [Scenario::voicemail()]);
    let api = Api::of(&retell);
    for (n, more) in [
        json!({"metadata": {"n": 0, "attempt_id": "att_0", "vip": true},
            "retell_llm_dynamic_variables": {"name": "José"}, "override_agent_version": 3}),
        json!({"metadata": {"n": 1, "attempt_id": "att_1"}, "override_agent_version": "staging"}),
        json!({"metadata": {"n": 2}, "to_number": OTHER, "override_agent_id": "agent_b"}),
    ]
    .iter()
    .enumerate()
    {
        let call = api.dial(more).await;
        api.analysed(id(&call)).await;
        if n == 0 {
            let body = json!({"custom_attributes": {"tier": "gold", "unknown": 1}});
            let path = format!("/v2/update-call/{}", id(&call));
            assert_eq!(api.call(Method::PATCH, &path, Some(&body)).await.status, 200);
        }
    }
    (retell, api)
}

#[tokio::test]
async fn each_filter_finds_what_it_names() {
    let (retell, api) = three().await;
    let calls = retell.calls();
    let entry = |kind: &str, op: &str, key: &str, value: Value| json!([{"type": kind, "op": op, "key": key, "value": value}]);
    let text = |op: &str, value: &str| json!({"type": "string", "op": op, "value": value});
    let one_of = |words: &[&str]| json!({"type": "enum", "op": "in", "value": words});
    let number = |op: &str, value: f64| json!({"type": "number", "op": op, "value": value});
    let range = |least: i64, most: i64| json!({"type": "range", "op": "bt", "value": [least, most]});
    let flag = |value: bool| json!({"type": "boolean", "op": "eq", "value": value});
    let started = calls[0].answered_at.expect("answered").timestamp_millis();
    let ended = calls[0].ended_at.expect("over").timestamp_millis();
    for (criteria, expected) in [
        (json!({}), vec![0, 1, 2]),
        (json!({"metadata": entry("string", "eq", "attempt_id", json!("att_1"))}), vec![1]),
        (json!({"metadata": entry("string", "sw", "attempt_id", json!("att_"))}), vec![0, 1]),
        (json!({"metadata": entry("number", "ge", "n", json!(1))}), vec![1, 2]),
        (json!({"metadata": entry("range", "bt", "n", json!([0, 1]))}), vec![0, 1]),
        (json!({"metadata": entry("boolean", "eq", "vip", json!(true))}), vec![0]),
        (json!({"metadata": entry("enum", "in", "attempt_id", json!(["att_0", "x"]))}), vec![0]),
        (json!({"metadata": entry("present", "np", "attempt_id", json!(null))}), vec![2]),
        (json!({"dynamic_variables": entry("string", "eq", "name", json!("José"))}), vec![0]),
        (json!({"custom_attributes": entry("string", "eq", "tier", json!("gold"))}), vec![0]),
        (json!({"custom_attributes": entry("present", "pr", "unknown", json!(null))}), vec![]),
        (json!({"custom_analysis_data": entry("number", "gt", "interest", json!(7))}), vec![0]),
        (json!({"call_id": text("eq", &calls[1].call_id)}), vec![1]),
        (json!({"call_id": one_of(&[&calls[0].call_id, &calls[2].call_id])}), vec![0, 2]),
        (json!({"to_number": text("eq", OTHER)}), vec![2]),
        (json!({"to_number": text("ne", OTHER)}), vec![0, 1]),
        (json!({"to_number": text("ew", "88")}), vec![2]),
        (json!({"from_number": text("co", "555")}), vec![0, 1, 2]),
        (json!({"batch_call_id": text("eq", "batch_1")}), vec![]),
        (json!({"call_status": one_of(&["not_connected", "error"])}), vec![1]),
        (json!({"disconnection_reason": one_of(&["agent_hangup", "dial_busy"])}), vec![0, 1]),
        (json!({"direction": one_of(&["inbound"])}), vec![]),
        (json!({"call_type": one_of(&["phone_call"])}), vec![0, 1, 2]),
        (json!({"user_sentiment": one_of(&["Positive"])}), vec![0]),
        (json!({"data_storage_setting": one_of(&["everything"])}), vec![0, 1, 2]),
        (json!({"agent_tag": one_of(&["staging"])}), vec![1]),
        (json!({"start_timestamp": range(started, started)}), vec![0]),
        (json!({"end_timestamp": number("le", f64::from(i32::MAX))}), vec![]),
        (json!({"end_timestamp": range(ended, ended)}), vec![0]),
        (json!({"duration_ms": number("gt", 8000.0)}), vec![0]),
        (json!({"combined_cost": number("eq", 0.0)}), vec![1]),
        (json!({"e2e_latency_p50": number("lt", 1000.0)}), vec![0, 2]),
        (json!({"in_voicemail": flag(true)}), vec![2]),
        (json!({"call_successful": flag(true)}), vec![0]),
        (json!({"agent": [{"agent_id": "agent_b"}]}), vec![2]),
        (
            json!({"agent": [{"agent_id": "agent_default", "version": [3]}, {"agent_id": "agent_b"}]}),
            vec![0, 2],
        ),
        (json!({"tool_calls": [{"name": "book", "success": flag(true)}]}), vec![]),
        (
            json!({"to_number": text("eq", CUSTOMER), "direction": one_of(&["outbound"]),
            "metadata": entry("string", "eq", "attempt_id", json!("att_0"))}),
            vec![0],
        ),
    ] {
        assert_eq!(found(&api, &criteria).await, expected, "{criteria}");
    }
}

#[tokio::test]
async fn what_cannot_be_filtered_by_is_refused() {
    let (_retell, api) = three().await;
    for body in [
        json!({"filter_criteria": {"call_status": {"type": "enum", "op": "in", "value": ["registered"]}}}),
        json!({"filter_criteria": {"call_status": ["ended"]}}),
        json!({"filter_criteria": {"phone": {"type": "string", "op": "eq", "value": "1"}}}),
        json!({"filter_criteria": {"to_number": {"type": "number", "op": "eq", "value": 1}}}),
        json!({"filter_criteria": {"metadata": [{"type": "string", "op": "eq", "value": "a"}]}}),
        json!({"filter_criteria": {"metadata": {"attempt_id": "a"}}}),
        json!({"filter_criteria": {"metadata.attempt_id": ["a"]}}),
        json!({"filter_criteria": {"disconnection_reason": {"type": "enum", "op": "in", "value": ["bored"]}}}),
        json!({"filter_criteria": []}),
        json!({"limit": 0}),
        json!({"limit": 1001}),
        json!({"skip": -1}),
        json!({"sort_order": "newest"}),
        json!({"pagination_key": "call_1"}),
        json!({"page": 2}),
    ] {
        let refused = list(&api, "v3", &body).await;
        assert_eq!((refused.status, refused.json()["status"].clone()), (400, json!("error")), "{body}");
    }
    for body in [
        json!({"filter_criteria": {"to_number": CUSTOMER}}),
        json!({"filter_criteria": {"metadata": {"n": 1}}}),
        json!({"filter_criteria": {"duration_ms": {"lower_threshold": "1"}}}),
        json!({"limit": 1001}),
        json!({"include_total": true}),
    ] {
        assert_eq!(list(&api, "v2", &body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn the_newer_list_shows_all_but_transcripts() {
    let (_retell, api) = three().await;
    let list = v3(&api, &json!({"sort_order": "ascending", "limit": 1})).await;
    let listed = list["items"][0].clone();
    let mut whole = api.get(listed["call_id"].as_str().expect("an id")).await;
    for name in ["transcript", "transcript_object", "transcript_with_tool_calls"] {
        assert!(whole.as_object_mut().expect("fields").remove(name).is_some(), "{name}");
    }
    assert_eq!(listed, whole);
}

#[tokio::test]
async fn pages_follow_one_another_in_either_order() {
    let (_retell, api) = three().await;
    for (order, expected) in [("ascending", [0, 1, 2]), ("descending", [2, 1, 0])] {
        let mut query = json!({"limit": 2, "sort_order": order, "include_total": true});
        let first = v3(&api, &query).await;
        assert_eq!((&first["has_more"], &first["total"]), (&json!(true), &json!(3)));
        query["pagination_key"] = first["pagination_key"].clone();
        let second = v3(&api, &query).await;
        assert_eq!((&second["has_more"], second.get("pagination_key")), (&json!(false), None));
        let both = [numbers(&first["items"]), numbers(&second["items"])].concat();
        assert_eq!(both, expected, "{order}");
    }
    let skipped = v3(&api, &json!({"skip": 2})).await;
    assert_eq!((numbers(&skipped["items"]), skipped.get("total")), (vec![0], None));
}

#[tokio::test]
async fn the_older_list_is_a_bare_array_with_filters_of_its_own() {
    let (retell, api) = three().await;
    let calls = retell.calls();
    for (criteria, expected) in [
        (json!({}), vec![2, 1, 0]),
        (json!({"metadata.attempt_id": ["att_1"]}), vec![1]),
        (json!({"dynamic_variables.name": ["José"]}), vec![0]),
        (json!({"to_number": [OTHER], "from_number": [OURS]}), vec![2]),
        (json!({"call_status": ["ended"], "in_voicemail": [false]}), vec![0]),
        (json!({"agent_id": ["agent_default"], "version": [3]}), vec![0]),
        (json!({"duration_ms": {"lower_threshold": 8000, "upper_threshold": 8000}}), vec![2]),
        (json!({"duration_ms": {"lower_threshold": 8001}}), vec![0]),
        (json!({"disconnection_reason": ["dial_busy", "dial_failed"]}), vec![1]),
    ] {
        let answer = list(&api, "v2", &json!({ "filter_criteria": criteria })).await;
        assert_eq!(numbers(&answer.json()), expected, "{criteria}");
    }
    let page = json!({"pagination_key": calls[2].call_id, "limit": 1});
    let page = list(&api, "v2", &page).await.json();
    assert_eq!(numbers(&page), [1]);
    let first = list(&api, "v2", &json!({"sort_order": "ascending"})).await.json()[0].clone();
    assert_eq!(first, api.get(id(&first)).await);
    assert_eq!(list(&api, "v2", &json!({"pagination_key": "call_nobody"})).await.status, 422);
}

#[tokio::test]
async fn a_call_that_still_rings_is_listed_unless_lists_hide_or_lag() {
    let week = Duration::from_secs(7 * 24 * 3600);
    for (reads, shown) in [
        (Reads::default(), 1),
        (Reads { lists_hide_registered: true, ..Reads::default() }, 0),
        (Reads { list_lag: week, ..Reads::default() }, 0),
    ] {
        let retell = slow(Config { reads, ..Config::default() }).await;
        retell.script(CUSTOMER, [Scenario::silent()]);
        let api = Api::of(&retell);
        let call = api.dial(&json!({"metadata": {"attempt_id": "a"}})).await;
        let criteria =
            json!({"metadata": [{"type": "string", "op": "eq", "key": "attempt_id", "value": "a"}]});
        let listed = v3(&api, &json!({ "filter_criteria": criteria })).await;
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(shown));
        assert_eq!(api.get(id(&call)).await["call_status"], "registered");
    }
}

#[tokio::test]
async fn a_deleted_call_is_in_no_list() {
    let (retell, api) = three().await;
    let path = format!("/v2/delete-call/{}", retell.calls()[1].call_id);
    assert_eq!(api.call(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(found(&api, &json!({})).await, [0, 2]);
    within(retell.until(|totals| totals.live == 0)).await;
}
