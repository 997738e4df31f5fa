//! Asking over a socket: how a lost dial is found, how an end is learnt, and when neither can be.

use chrono::TimeDelta;
use outdial_workflows::attempt::Attempt;
use outdial_workflows::call::{CallId, Found};
use serde_json::{Value, json};

use super::stub::{Act, Stub};
use crate::providers::telnyx::compose::client_state;
use crate::providers::telnyx::fixtures;
use crate::providers::{Carrier, HangUp, Question, Requests};

fn ours() -> String {
    client_state(fixtures::key())
}

fn list(items: &[Value]) -> Act {
    (200, json!({"data": items, "meta": {"page_number": 1, "total_pages": 1}}))
}

fn none() -> Act {
    list(&[])
}

fn active(id: &str, state: &str) -> Value {
    json!({"record_type": "call", "call_control_id": id, "client_state": state, "call_duration": 0})
}

/// An event of ours, so many seconds after the submission.
fn event(second: u32, kind: &str, payload: &Value) -> Value {
    let mut whole = json!({"call_control_id": "v3:a", "client_state": ours(), "direction": "outgoing"});
    for (name, value) in payload.as_object().into_iter().flatten() {
        whole[name] = value.clone();
    }
    json!({"event_type": kind, "occurred_at": format!("2026-01-15T08:55:{:02}Z", 10 + second), "payload": whole})
}

fn hangup(cause: &str) -> Value {
    event(30, "call.hangup", &json!({"hangup_cause": cause, "sip_hangup_cause": "unspecified"}))
}

fn delivered(events: &[Value]) -> Act {
    let row = |event| json!({"id": "d", "status": "failed", "attempts": [], "webhook": event});
    list(&events.iter().map(row).collect::<Vec<_>>())
}

fn logged(events: &[Value]) -> Act {
    let row = |event: &Value| json!({"name": event["event_type"], "type": "webhook", "metadata": event});
    list(&events.iter().map(row).collect::<Vec<_>>())
}

fn alive(is_alive: bool, end_time: Option<&str>) -> Act {
    (200, json!({"data": {"call_control_id": "v3:a", "is_alive": is_alive, "end_time": end_time}}))
}

fn error(status: u16, code: &str) -> Act {
    (status, json!({"errors": [{"code": code, "title": "So it is"}]}))
}

/// A minute after the submission, or later.
struct Asked {
    attempt: Attempt,
    after: TimeDelta,
    told: String,
    targets: Vec<String>,
}

impl Asked {
    async fn about(attempt: Attempt, after: TimeDelta, acts: Vec<Act>) -> Self {
        let mut asked = Self { attempt, after, told: String::new(), targets: vec![] };
        let stub = Stub::start(acts).await;
        let telnyx = fixtures::telnyx(&stub.url);
        let (rules, phone) = (fixtures::rules(), fixtures::phone());
        let now = fixtures::submitted_at() + asked.after;
        let (key, requests) = (fixtures::key(), &Requests::default());
        let question = Question {
            key,
            attempt: &asked.attempt,
            rules: &rules,
            phone: &phone,
            now,
            requests,
            others: &[],
        };
        let found = match &asked.attempt.call_id {
            Some(call) => telnyx.status(call, &question).await,
            None => telnyx.find(&question).await,
        };
        assert_eq!(usize::try_from(requests.count()), Ok(stub.requests().len()), "each request is counted");
        assert!(requests.count() <= telnyx.most_reads(asked.attempt.call_id.as_ref()));
        asked.told = match found {
            Found::Call(fact) => {
                let end =
                    fact.end.map(|end| format!(" {:?} `{}`", end.result, end.cause.unwrap_or_default()));
                let call = fact.call_id.expect("a call id");
                format!("{call} {}{}", fact.status.name(), end.unwrap_or_default())
            }
            Found::NotSeen { conclusive_after_ms } => format!("not seen {conclusive_after_ms}"),
            Found::CannotTell { cause } => format!("cannot tell: {cause}"),
        };
        asked.targets = stub.targets();
        asked
    }
}

async fn find(acts: Vec<Act>) -> String {
    Asked::about(fixtures::attempt(), TimeDelta::minutes(1), acts).await.told
}

fn bound() -> Attempt {
    Attempt { call_id: Some(CallId("v3:a".into())), ..fixtures::attempt() }
}

async fn status(acts: Vec<Act>) -> String {
    Asked::about(bound(), TimeDelta::minutes(1), acts).await.told
}

#[tokio::test]
async fn a_lost_dial_is_found_by_its_key_wherever_it_shows_first() {
    let others = [active("v3:x", "b3RoZXI="), active("v3:a", &ours())];
    assert_eq!(find(vec![list(&others)]).await, "v3:a initiated");
    let events = [event(1, "call.initiated", &json!({})), hangup("user_busy")];
    assert_eq!(find(vec![none(), delivered(&events)]).await, "v3:a completed Busy `user_busy`");
    assert_eq!(find(vec![none(), none(), logged(&events[..1])]).await, "v3:a initiated");
}

#[tokio::test]
async fn the_logs_are_searched_from_a_little_before_the_submission() {
    let asked = Asked::about(fixtures::attempt(), TimeDelta::minutes(1), vec![none(), none(), none()]).await;
    let pages = "page[number]=1&page[size]=250";
    assert_eq!(
        asked.targets,
        [
            format!("GET /v2/connections/1494404757140276705/active_calls?{pages}"),
            format!(
                "GET /v2/webhook_deliveries?filter[webhook][contains]={}\
                 &filter[started_at][gte]=2026-01-15T08:50:10Z&{pages}",
                ours()
            ),
            format!(
                "GET /v2/call_events?filter[to]=+14155550123&filter[type]=webhook\
                 &filter[occurred_at][gte]=2026-01-15T08:50:10Z&{pages}"
            ),
        ]
    );
}

#[tokio::test]
async fn silence_proves_nothing_until_the_longest_call_is_over() {
    // 30 s of ringing, 600 s of call, 5 min of lag.
    assert_eq!(find(vec![none(), none(), none()]).await, "not seen 930000");
    let mut other = event(1, "call.initiated", &json!({}));
    other["payload"]["client_state"] = "b3RoZXI=".into();
    let others = [other];
    let acts = vec![list(&[active("v3:x", "b3RoZXI=")]), delivered(&others), logged(&others)];
    assert_eq!(find(acts).await, "not seen 930000");
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let page = |items: &[Value], total: u32| (200, json!({"data": items, "meta": {"total_pages": total}}));
    let acts = vec![page(&[active("v3:x", "b3RoZXI=")], 2), page(&[active("v3:a", &ours())], 2)];
    let asked = Asked::about(fixtures::attempt(), TimeDelta::minutes(1), acts).await;
    assert_eq!(asked.told, "v3:a initiated");
    assert!(asked.targets[1].contains("page[number]=2"), "{:?}", asked.targets);
    let endless = vec![page(&[active("v3:x", "b3RoZXI=")], 9); 4];
    assert_eq!(find(endless).await, "cannot tell: active_calls is longer than 4 pages");
}

#[tokio::test]
async fn trouble_is_never_taken_for_absence() {
    for (acts, says) in [
        (vec![], "was not reached"),
        (vec![(200, json!({"meta": {}}))], "not in the documented form"),
        (vec![error(404, "10005")], "HTTP 404: So it is (10005)"),
        (vec![error(429, "10011")], "HTTP 429"),
        (vec![none(), error(500, "10007")], "webhook_deliveries cannot be read: HTTP 500"),
        (vec![none(), none(), error(503, "10007")], "call_events cannot be read: HTTP 503"),
        (vec![none(), none()], "was not reached"),
    ] {
        let told = find(acts).await;
        assert!(told.starts_with("cannot tell: ") && told.contains(says), "{told}");
    }
    let unsent = Attempt { submission: None, ..fixtures::attempt() };
    let asked = Asked::about(unsent, TimeDelta::minutes(1), vec![]).await;
    assert_eq!(asked.told, "cannot tell: the attempt was never submitted");
}

#[tokio::test]
async fn a_call_with_a_name_is_asked_after_by_it() {
    let asked = Asked::about(bound(), TimeDelta::minutes(1), vec![alive(true, None)]).await;
    assert_eq!((asked.told.as_str(), asked.targets), ("v3:a initiated", vec!["GET /v2/calls/v3:a".into()]));
    assert_eq!(status(vec![alive(false, None), none(), none()]).await, "v3:a initiated");
}

#[tokio::test]
async fn why_a_call_ended_is_read_from_the_logs() {
    let ended = || alive(false, Some("2026-01-15T08:55:40Z"));
    let events = [hangup("user_busy")];
    assert_eq!(status(vec![ended(), delivered(&events)]).await, "v3:a completed Busy `user_busy`");
    assert_eq!(status(vec![ended(), none(), logged(&events)]).await, "v3:a completed Busy `user_busy`");
    let gone = || error(404, "10005");
    assert_eq!(status(vec![gone(), delivered(&events)]).await, "v3:a completed Busy `user_busy`");
    assert_eq!(
        status(vec![error(422, "90015"), none(), logged(&events)]).await,
        "v3:a completed Busy `user_busy`"
    );
    let answered = [event(5, "call.answered", &json!({})), hangup("unspecified")];
    assert_eq!(status(vec![ended(), delivered(&answered)]).await, "v3:a completed Answered `unspecified`");
}

#[tokio::test]
async fn an_end_without_a_cause_is_taken_once_the_logs_have_had_their_time() {
    let acts = || vec![alive(false, Some("2026-01-15T08:55:40Z")), none(), none()];
    let answered = || Attempt { answered_at: Some(fixtures::submitted_at()), ..bound() };
    let at = |minutes| TimeDelta::seconds(30) + TimeDelta::minutes(minutes);
    for (attempt, after, told) in [
        (bound(), at(1), "v3:a initiated"),
        (bound(), at(2), "v3:a failed Lost `ended; Telnyx does not say why`"),
        (answered(), at(2), "v3:a completed Answered `ended; Telnyx does not say why`"),
    ] {
        assert_eq!(Asked::about(attempt, after, acts()).await.told, told);
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_read_any_more_is_over_only_once_it_must_be() {
    let acts = || vec![error(404, "10005"), none(), none()];
    let answered = || Attempt { answered_at: Some(fixtures::submitted_at()), ..bound() };
    for (attempt, after_s, told) in [
        (bound(), 929, "not seen 930000"),
        (bound(), 930, "not seen 930000"),
        (answered(), 929, "not seen 930000"),
        (answered(), 930, "v3:a completed Answered `ended; Telnyx does not say why`"),
    ] {
        assert_eq!(Asked::about(attempt, TimeDelta::seconds(after_s), acts()).await.told, told);
    }
    for acts in
        [vec![], vec![error(500, "10007")], vec![(200, json!({"data": {}}))], vec![error(422, "10027")]]
    {
        assert!(status(acts).await.starts_with("cannot tell: "));
    }
}

async fn hang_up(attempt: Attempt, acts: Vec<Act>) -> (HangUp, Vec<String>) {
    let stub = Stub::start(acts).await;
    let (rules, phone, requests) = (fixtures::rules(), fixtures::phone(), &Requests::default());
    let (key, now) = (fixtures::key(), fixtures::submitted_at());
    let question =
        Question { key, attempt: &attempt, rules: &rules, phone: &phone, now, requests, others: &[] };
    let done = fixtures::telnyx(&stub.url).hang_up(&question).await;
    (done, stub.targets())
}

#[tokio::test]
async fn a_call_is_ended_by_its_name_or_by_its_key() {
    let ok = || (200, json!({"data": {"result": "ok"}}));
    let command = "POST /v2/calls/v3:a/actions/hangup";
    assert_eq!(hang_up(bound(), vec![ok()]).await, (HangUp::Asked, vec![command.into()]));
    for over in [error(422, "90018"), error(422, "90015"), error(404, "10005")] {
        assert_eq!(hang_up(bound(), vec![over]).await.0, HangUp::Over);
    }
    let (done, targets) = hang_up(fixtures::attempt(), vec![list(&[active("v3:a", &ours())]), ok()]).await;
    assert_eq!((done, targets[1].as_str()), (HangUp::Asked, command));
    for (attempt, acts, says) in [
        (fixtures::attempt(), vec![none()], "may not have begun"),
        (bound(), vec![error(500, "10007")], "HTTP 500"),
        (bound(), vec![error(422, "10027")], "HTTP 422"),
        (bound(), vec![], "was not reached"),
    ] {
        let (done, _) = hang_up(attempt, acts).await;
        assert!(matches!(&done, HangUp::Failed { cause } if cause.contains(says)), "{done:?}");
    }
}

#[tokio::test]
async fn a_test_of_the_account_says_what_to_do() {
    let key = |public: &str| (200, json!({"data": {"record_type": "public_key", "public": public}}));
    let other = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    for (acts, ok, says) in [
        (vec![none(), key(fixtures::PUBLIC_KEY)], true, "takes the API key"),
        (vec![none(), key(other)], false, "public_key is not the account's"),
        (vec![none(), error(404, "10005")], true, "could not be read"),
        (vec![error(401, "10009")], false, "copy the API key"),
        (vec![error(402, "20100")], false, "add funds"),
        (vec![error(403, "20012")], false, "whether the account is active"),
        (vec![error(404, "10005")], false, "connection_id"),
        (vec![error(429, "10011")], false, "again in a minute"),
        (vec![(302, json!({}))], false, "base_url"),
        (vec![error(500, "10007")], false, "try again"),
        (vec![], false, "was not reached"),
    ] {
        let stub = Stub::start(acts).await;
        let check = fixtures::telnyx(&stub.url).check().await;
        assert_eq!(check.ok, ok, "{}", check.message);
        assert!(check.message.contains(says), "{}", check.message);
    }
}
