//! Asking over a socket: how a lost dial is found, and when it cannot be told.

use chrono::TimeDelta;
use outdial_workflows::call::{CallId, Found};
use serde_json::{Value, json};

use super::stub::{Answer, Stub};
use crate::providers::retell::{Settings, fixtures};
use crate::providers::{Carrier, Question, Requests};

/// 55 minutes of repeating, 30 s of ringing, 600 s of call, 2 minutes of margin.
const NOT_SEEN: &str = "not seen 4050000";

fn call(id: &str, key: &str, more: &Value) -> Value {
    let mut call = json!({"call_id": id, "call_status": "registered", "metadata": {"attempt_id": key}});
    for (name, value) in more.as_object().into_iter().flatten() {
        call[name] = value.clone();
    }
    call
}

fn list(calls: &[Value]) -> Answer {
    (200, json!({"has_more": false, "items": calls}))
}

fn ours() -> String {
    fixtures::key().to_string()
}

/// What came of asking, and what was asked.
async fn ask_with(settings: Settings, answers: Vec<Answer>, call: Option<&str>) -> (String, Vec<String>) {
    let stub = Stub::start(answers).await;
    let retell = fixtures::retell_with(&stub.url, settings);
    let (attempt, rules, phone) = (fixtures::attempt(), fixtures::rules(), fixtures::phone());
    let now = fixtures::submitted_at() + TimeDelta::minutes(1);
    let (key, requests) = (fixtures::key(), &Requests::default());
    let question =
        Question { key, attempt: &attempt, rules: &rules, phone: &phone, now, requests, others: &[] };
    let call = call.map(|id| CallId(id.into()));
    let found = match &call {
        Some(call) => retell.status(call, &question).await,
        None => retell.find(&question).await,
    };
    assert_eq!(usize::try_from(requests.count()), Ok(stub.asked().len()), "each request is counted");
    assert!(requests.count() <= retell.most_reads(call.as_ref()));
    let told = match found {
        Found::Call(fact) => {
            let turns = fact.results.map_or(0, |results| results.transcript.len());
            format!("{} {} {turns}", fact.call_id.expect("a call id"), fact.status.name())
        }
        Found::NotSeen { conclusive_after_ms } => format!("not seen {conclusive_after_ms}"),
        Found::CannotTell { cause } => format!("cannot tell: {cause}"),
    };
    (told, stub.asked())
}

async fn find(answers: Vec<Answer>) -> String {
    ask_with(Settings::default(), answers, None).await.0
}

async fn status(answers: Vec<Answer>) -> String {
    ask_with(Settings::default(), answers, Some("c1")).await.0
}

#[tokio::test]
async fn a_lost_dial_is_listed_by_its_key_and_number_and_not_by_its_status() {
    let answers = vec![list(&[call("c1", &ours(), &json!({}))])];
    let (told, asked) = ask_with(Settings::default(), answers, None).await;
    assert_eq!(told, "c1 initiated 0");
    let filter = format!(
        r#"{{"filter_criteria":{{"metadata":[{{"type":"string","op":"eq","key":"attempt_id","value":"{}"}}],"to_number":{{"type":"string","op":"eq","value":"+14155550123"}}}},"limit":50,"sort_order":"descending"}}"#,
        ours()
    );
    assert_eq!(asked, [format!("POST /v3/list-calls {filter}")]);
}

#[tokio::test]
async fn a_listed_call_that_is_over_is_read_for_what_lists_leave_out() {
    let over = json!({"disconnection_reason": "user_hangup"});
    let whole = json!({"disconnection_reason": "user_hangup",
        "transcript_object": [{"role": "agent", "content": "Hello."}]});
    let listed = list(&[call("c1", &ours(), &over)]);
    let answers = vec![listed.clone(), (200, call("c1", &ours(), &whole))];
    let (told, asked) = ask_with(Settings::default(), answers, None).await;
    assert_eq!(told, "c1 completed 1");
    assert_eq!(asked[1], "GET /v2/get-call/c1");
    // What lists say of it is enough to go on.
    assert_eq!(find(vec![listed.clone(), (503, json!({}))]).await, "c1 completed 0");
    assert_eq!(find(vec![listed, (422, json!({}))]).await, "c1 completed 0");
}

#[tokio::test]
async fn an_empty_list_proves_nothing_until_the_last_repetition_and_the_longest_call_are_over() {
    assert_eq!(find(vec![list(&[])]).await, NOT_SEEN);
    let emulated = Settings { absent_after_ms: Some(2_000), ..Settings::default() };
    assert_eq!(ask_with(emulated, vec![list(&[])], None).await.0, "not seen 2000");
}

#[tokio::test]
async fn lists_are_read_on_if_the_filter_was_not_heeded() {
    let page = |key: &str| {
        (200, json!({"has_more": true, "pagination_key": key, "items": [call("x", "other", &json!({}))]}))
    };
    let answers = vec![page("p1"), list(&[call("c1", &ours(), &json!({}))])];
    let (told, asked) = ask_with(Settings::default(), answers, None).await;
    assert_eq!(told, "c1 initiated 0");
    assert!(asked[1].ends_with(r#""sort_order":"descending","pagination_key":"p1"}"#), "{}", asked[1]);
    assert_eq!(find(vec![page("p1"), list(&[])]).await, NOT_SEEN);
    assert!(
        find(vec![page("p1"), page("p2"), page("p3")]).await.starts_with("cannot tell: more than 150 calls")
    );
}

#[tokio::test]
async fn trouble_is_never_taken_for_absence() {
    let lost = json!({"has_more": true, "items": []});
    let nameless = list(&[json!({"call_id": "c1"})]);
    let without_id = list(&[json!({"metadata": {"attempt_id": ours()}})]);
    for (answers, says) in [
        (vec![], "was not reached"),
        (vec![(200, json!({"items": []}))], "not in the documented form"),
        (vec![(200, json!([]))], "not in the documented form"),
        (vec![(200, lost)], "goes on, but not where"),
        (vec![nameless], "does not say whose it is"),
        (vec![without_id], "does not say whose it is"),
        (vec![(401, json!({"message": "key_rest1 is bad"}))], "HTTP 401: *** is bad"),
        (vec![(404, json!({}))], "HTTP 404"),
        (vec![(422, json!({}))], "HTTP 422"),
        (vec![(429, json!({}))], "HTTP 429"),
        (vec![(500, Value::Null)], "HTTP 500"),
    ] {
        let told = find(answers).await;
        assert!(told.starts_with("cannot tell: ") && told.contains(says), "{told}");
    }
}

#[tokio::test]
async fn the_status_of_a_named_call_is_what_its_own_page_says() {
    for (answer, means) in [
        ((200, call("c1", &ours(), &json!({}))), "c1 initiated 0"),
        ((200, call("c1", &ours(), &json!({"call_status": "ongoing"}))), "c1 connected 0"),
        ((200, call("c1", &ours(), &json!({"call_status": "not_connected"}))), "c1 failed 0"),
        ((404, json!({})), NOT_SEEN),
        ((422, json!({})), NOT_SEEN),
        ((200, call("c2", &ours(), &json!({}))), "cannot tell: the call is not in the documented form"),
        ((200, json!([])), "cannot tell: the call is not in the documented form"),
        ((429, json!({"message": "Slow"})), "cannot tell: the call cannot be read: HTTP 429: Slow"),
        ((500, Value::Null), "cannot tell: the call cannot be read: HTTP 500"),
    ] {
        assert_eq!(status(vec![answer.clone()]).await, means, "{answer:?}");
    }
    assert!(status(vec![]).await.starts_with("cannot tell: Retell was not reached"));
}
