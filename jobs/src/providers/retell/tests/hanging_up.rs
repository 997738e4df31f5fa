//! Ending calls: what Retell turns down is looked at.

use outdial_workflows::attempt::Attempt;
use serde_json::{Value, json};

use super::stub::{Answer, Stub};
use crate::providers::retell::fixtures;
use crate::providers::{Carrier, HangUp, Question, Requests};

async fn hang_up(attempt: &Attempt, answers: Vec<Answer>) -> (String, Vec<String>) {
    let stub = Stub::start(answers).await;
    let (rules, phone, requests) = (fixtures::rules(), fixtures::phone(), Requests::default());
    let (key, now) = (fixtures::key(), fixtures::submitted_at());
    let question =
        Question { key, attempt, rules: &rules, phone: &phone, now, requests: &requests, others: &[] };
    let told = match fixtures::retell(&stub.url).hang_up(&question).await {
        HangUp::Asked => "asked".to_owned(),
        HangUp::Over => "over".to_owned(),
        HangUp::Impossible { cause } => format!("impossible: {cause}"),
        HangUp::Failed { cause } => format!("failed: {cause}"),
    };
    assert_eq!(usize::try_from(requests.count()), Ok(stub.asked().len()), "each request is counted");
    (told, stub.asked())
}

async fn told(answers: Vec<Answer>) -> String {
    hang_up(&fixtures::bound("c1"), answers).await.0
}

fn now(status: &str) -> Answer {
    (200, json!({"call_id": "c1", "call_status": status}))
}

fn not_ongoing() -> Answer {
    (400, json!({"status": "error", "message": "call is not ongoing"}))
}

#[tokio::test]
async fn a_call_is_ended_by_its_name() {
    let (told, asked) = hang_up(&fixtures::bound("c1"), vec![(204, Value::Null)]).await;
    assert_eq!((told.as_str(), asked), ("asked", vec!["POST /v2/stop-call/c1".to_owned()]));
}

#[tokio::test]
async fn a_call_that_cannot_be_ended_is_over_or_rings() {
    assert_eq!(told(vec![not_ongoing(), now("ended")]).await, "over");
    assert_eq!(told(vec![(422, json!({})), (422, json!({}))]).await, "over");
    assert_eq!(
        told(vec![not_ongoing(), now("registered")]).await,
        "failed: it still rings, and Retell ends calls once they are answered: HTTP 400: call is not ongoing"
    );
}

#[tokio::test]
async fn a_call_that_was_answered_meanwhile_is_ended_after_all() {
    assert_eq!(told(vec![not_ongoing(), now("ongoing"), (204, Value::Null)]).await, "asked");
    let refused = told(vec![not_ongoing(), now("ongoing"), not_ongoing()]).await;
    assert_eq!(refused, "failed: HTTP 400: call is not ongoing");
}

#[tokio::test]
async fn trouble_is_not_taken_for_an_end() {
    assert_eq!(told(vec![(500, Value::Null)]).await, "failed: HTTP 500");
    assert_eq!(told(vec![(401, json!({"message": "No"}))]).await, "failed: HTTP 401: No");
    assert_eq!(
        told(vec![not_ongoing(), (503, Value::Null)]).await,
        "failed: the call cannot be read: HTTP 503"
    );
    assert!(told(vec![]).await.starts_with("failed: Retell was not reached"));
    let (told, asked) = hang_up(&fixtures::attempt(), vec![]).await;
    assert_eq!((told.as_str(), asked.len()), ("failed: Retell has not named the call yet", 0));
}
