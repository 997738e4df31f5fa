//! Asking over a socket: how a lost dial is told from other calls, and when it cannot be.

use chrono::TimeDelta;
use outdial_workflows::call::{CallId, Found};
use serde_json::{Value, json};

use super::stub::{Act, Stub, json};
use crate::providers::exotel::fixtures;
use crate::providers::{Carrier, Question, Requests};

/// A listed call, created at the submission in the account's own time.
fn call(sid: &str, status: &str) -> Value {
    json!({"Sid": sid, "Status": status, "DateCreated": "2026-01-15 14:25:11", "Direction": "outbound-api"})
}

fn list(calls: &[Value]) -> Act {
    json(200, &json!({"Metadata": {"Total": calls.len(), "NextPageUri": null}, "Calls": calls}))
}

fn details(sid: &str, custom_field: Option<&str>) -> Act {
    json(
        200,
        &json!({"request_id": "r", "http_code": 200, "response": {"code": 200, "status": "success",
            "call_details": {"sid": sid, "state": "active", "status": null, "custom_field": custom_field}}}),
    )
}

fn no_details() -> Act {
    json(404, &json!({"response": {"error_data": {"code": 1000, "message": "Not found"}}}))
}

fn ours() -> String {
    fixtures::key().to_string()
}

/// What came of asking, and which addresses were asked.
async fn ask(acts: Vec<Act>, sid: Option<&str>) -> (String, Vec<String>) {
    let stub = Stub::start(acts).await;
    let exotel = fixtures::exotel(&stub.url);
    let (attempt, rules, phone) = (fixtures::attempt(), fixtures::rules(), fixtures::phone());
    let now = fixtures::submitted_at() + TimeDelta::minutes(1);
    let (key, requests) = (fixtures::key(), &Requests::default());
    let question =
        Question { key, attempt: &attempt, rules: &rules, phone: &phone, now, requests, others: &[] };
    let call = sid.map(|sid| CallId(sid.into()));
    let found = match &call {
        Some(call) => exotel.status(call, &question).await,
        None => exotel.find(&question).await,
    };
    assert_eq!(usize::try_from(requests.count()), Ok(stub.requests().len()), "each request is counted");
    assert!(requests.count() <= exotel.most_reads(call.as_ref()));
    let told = match found {
        Found::Call(fact) => format!("{} {}", fact.call_id.expect("a call id"), fact.status.name()),
        Found::NotSeen { conclusive_after_ms } => format!("not seen {conclusive_after_ms}"),
        Found::CannotTell { cause } => format!("cannot tell: {cause}"),
    };
    (told, stub.targets())
}

async fn find(acts: Vec<Act>) -> String {
    ask(acts, None).await.0
}

async fn status(acts: Vec<Act>) -> String {
    ask(acts, Some("c1")).await.0
}

#[tokio::test]
async fn a_lost_dial_is_found_by_its_key() {
    let acts = vec![
        list(&[call("c1", "busy"), call("c2", "no-answer")]),
        details("c1", Some("another")),
        details("c2", Some(&ours())),
    ];
    let (told, targets) = ask(acts, None).await;
    assert_eq!(told, "c2 completed");
    assert_eq!(
        targets,
        [
            "/v1/Accounts/acct1/Calls.json?From=+919876543210\
             &DateCreated=gte:2026-01-14 14:25:10;lte:2026-01-16 14:25:10\
             &SortBy=DateCreated:asc&PageSize=50",
            "/v3/accounts/acct1/calls/c1",
            "/v3/accounts/acct1/calls/c2",
        ]
    );
}

#[tokio::test]
async fn an_empty_list_proves_nothing_until_the_longest_call_is_over() {
    // 30 s of ringing, 600 s of call, 5 min of delay.
    assert_eq!(find(vec![list(&[])]).await, "not seen 930000");
}

#[tokio::test]
async fn calls_that_are_certainly_not_ours_are_as_good_as_none() {
    let mut inbound = call("c1", "completed");
    inbound["Direction"] = "inbound".into();
    assert_eq!(find(vec![list(&[inbound])]).await, "not seen 930000");
    assert_eq!(find(vec![list(&[call("c1", "busy")]), details("c1", Some("x"))]).await, "not seen 930000");
    let mut earlier = call("c1", "busy");
    earlier["DateCreated"] = "2026-01-15 14:20:00".into();
    assert_eq!(find(vec![list(&[earlier]), no_details()]).await, "not seen 930000");
}

#[tokio::test]
async fn without_v3_details_the_only_call_of_the_right_time_is_ours() {
    assert_eq!(find(vec![list(&[call("c1", "busy")]), no_details()]).await, "c1 completed");
    assert_eq!(find(vec![list(&[call("c1", "busy")]), details("c1", None)]).await, "c1 completed");
    let two = vec![list(&[call("c1", "busy"), call("c2", "busy")]), no_details(), no_details()];
    assert!(find(two).await.starts_with("cannot tell: 2 calls to this number"));
}

#[tokio::test]
async fn trouble_is_never_taken_for_absence() {
    let garbage = json(200, &json!({"Metadata": {"Total": 0}}));
    let nameless = list(&[json!({"Status": "busy"})]);
    let strange = list(&[call("c1", "eaten")]);
    for (acts, says) in [
        (vec![], "was not reached"),
        (
            vec![Act::Say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<xml>".into())],
            "not in the documented form",
        ),
        (vec![garbage], "not in the documented form"),
        (vec![nameless], "without Sid"),
        (vec![json(429, &json!({}))], "HTTP 429"),
        (vec![json(404, &json!({}))], "HTTP 404"),
        (vec![list(&[call("c1", "busy")]), json(503, &json!({}))], "HTTP 503"),
        (vec![list(&[call("c1", "busy")]), json(429, &json!({}))], "HTTP 429"),
        (vec![list(&[call("c1", "busy")])], "was not reached"),
        (vec![strange, no_details()], "`eaten`"),
    ] {
        let told = find(acts).await;
        assert!(told.starts_with("cannot tell: ") && told.contains(says), "{told}");
    }
}

#[tokio::test]
async fn the_list_is_read_page_by_page_with_our_own_address() {
    let page = json(
        200,
        &json!({"Metadata": {"NextPageUri": "/v1/Accounts/acct1/Calls?After=CUR1"}, "Calls": [call("c1", "busy")]}),
    );
    let acts =
        vec![page, list(&[call("c2", "busy")]), details("c1", Some("x")), details("c2", Some(&ours()))];
    let (told, targets) = ask(acts, None).await;
    assert_eq!(told, "c2 completed");
    assert!(targets[1].starts_with("/v1/Accounts/acct1/Calls.json?From="), "{}", targets[1]);
    assert!(targets[1].ends_with("&PageSize=50&After=CUR1"), "{}", targets[1]);
}

#[tokio::test]
async fn a_number_called_too_often_is_left_to_somebody_else() {
    let calls: Vec<_> = (0..11).map(|at| call(&format!("c{at}"), "busy")).collect();
    let mut acts = vec![list(&calls)];
    acts.extend((0..10).map(|at| details(&format!("c{at}"), Some("x"))));
    assert!(find(acts).await.starts_with("cannot tell: more than 10 calls"));
    let page = json(200, &json!({"NextPageUri": "/x?After=1", "Calls": [call("c1", "busy")]}));
    assert!(find(vec![page; 4]).await.starts_with("cannot tell: more than 200 calls"));
}

#[tokio::test]
async fn the_status_of_a_known_call_is_read_from_v1() {
    let (told, targets) = ask(vec![json(200, &json!({"Call": call("c1", "no-answer")}))], Some("c1")).await;
    assert_eq!(
        (told.as_str(), targets),
        ("c1 completed", vec!["/v1/Accounts/acct1/Calls/c1.json?details=true".into()])
    );
    assert_eq!(status(vec![json(200, &json!({"Call": call("c1", "in-progress")}))]).await, "c1 initiated");
}

#[tokio::test]
async fn a_status_that_v1_does_not_tell_is_read_from_v3() {
    assert_eq!(status(vec![json(404, &json!({})), details("c1", None)]).await, "c1 initiated");
    assert_eq!(status(vec![json(404, &json!({})), no_details()]).await, "not seen 930000");
    let strange = json(200, &json!({"Call": call("c1", "eaten")}));
    assert_eq!(status(vec![strange.clone(), details("c1", None)]).await, "c1 initiated");
    assert!(status(vec![strange, no_details()]).await.contains("`eaten`"));
    assert!(status(vec![json(500, &json!({}))]).await.starts_with("cannot tell: "));
    assert!(status(vec![]).await.starts_with("cannot tell: "));
}

#[tokio::test]
async fn a_test_of_the_account_says_what_to_do() {
    for (status, ok, says) in [
        (200, true, "takes the credentials of acct1"),
        (401, false, "copy API key and API token"),
        (402, false, "top up"),
        (403, false, "whether the account is active"),
        (404, false, "account_sid"),
        (429, false, "again in a minute"),
        (302, false, "base_url"),
        (500, false, "try again"),
    ] {
        let stub = Stub::start([json(status, &json!({}))]).await;
        let check = fixtures::exotel(&stub.url).check().await;
        assert_eq!(check.ok, ok, "{status}");
        assert!(check.message.contains(says), "{status}: {}", check.message);
        assert_eq!(stub.targets(), ["/v1/Accounts/acct1/Calls.json?PageSize=1"]);
    }
    let check = fixtures::exotel("http://127.0.0.1:1").check().await;
    assert!(!check.ok && check.message.contains("was not reached"), "{}", check.message);
}

#[tokio::test]
async fn prices_are_read_of_many_calls_at_once_and_those_not_known_yet_are_left_out() {
    let priced = |sid: &str, price: Value| json!({"Sid": sid, "Status": "completed", "Price": price});
    let answer = list(&[
        priced("a", json!("1.500")),
        priced("b", Value::Null),
        priced("x", json!("9")),
        priced("c", json!(0)),
    ]);
    let stub = Stub::start(vec![answer, json(503, &json!({}))]).await;
    let exotel = fixtures::exotel(&stub.url);
    let calls = ["a", "b", "c"].map(|sid| CallId(sid.into()));
    let told = exotel.prices(&calls).await.expect("read");
    let told: Vec<_> = told.iter().map(|(call, cost)| (call.0.as_str(), cost.micros)).collect();
    assert_eq!(told, [("a", 1_500_000), ("c", 0)]);
    assert!(stub.targets()[0].contains("Sid=a,b,c"), "{:?}", stub.targets());
    assert!(exotel.prices(&calls).await.expect_err("unreadable").contains("503"));
}
