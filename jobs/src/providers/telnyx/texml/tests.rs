//! Callbacks as they are documented, and asking over a socket.

use chrono::TimeDelta;
use outdial_workflows::attempt::Attempt;
use outdial_workflows::call::{CallFact, CallId, CallResult, CallStatus, Found, Talk};
use serde_json::{Value, json};

use super::{callback, wire};
use crate::providers::telnyx::fixtures;
use crate::providers::telnyx::tests::stub::{Act, Stub};
use crate::providers::{Carrier, HangUp, Question, Requests, Webhook, WebhookError};

/// What every callback of a call's progress has.
const ALWAYS: &str = "AccountSid=f5586561-8ff0-4291-a51b-c7dfe4139ff9&CallSid=v3%3A9X2vxPDFY2RH-aiQ\
    &CallSidLegacy=v3%3A9X2vxPDFY2RH-aiQ&CallbackSource=call-progress-events\
    &CallInitiatedAt=2026-01-15T08%3A55%3A11.028Z&ConnectionId=2494404757140276705&From=%2B14155550100\
    &To=%2B14155550123";

fn read(rest: &str) -> Result<Webhook, WebhookError> {
    callback::read(format!("{ALWAYS}&{rest}").as_bytes(), Some(fixtures::key()))
}

fn news(rest: &str) -> CallFact {
    match read(rest) {
        Ok(Webhook::News { key, fact }) => {
            assert_eq!(key, Some(fixtures::key().to_string()));
            assert_eq!(fact.call_id, Some(CallId("v3:9X2vxPDFY2RH-aiQ".into())));
            fact
        }
        other => panic!("{rest}: {other:?}"),
    }
}

#[test]
fn a_call_under_way_is_told_in_its_four_words() {
    for (rest, status) in [
        ("CallStatus=initiated&SequenceNumber=0", CallStatus::Initiated),
        ("CallStatus=queued&SequenceNumber=0", CallStatus::Initiated),
        ("CallStatus=ringing&SequenceNumber=1", CallStatus::Ringing),
    ] {
        let fact = news(rest);
        assert_eq!((fact.status, fact.end, fact.answered_at), (status, None, None), "{rest}");
    }
    let answered = "CallStatus=in-progress&SequenceNumber=2&Timestamp=2026-01-15T08%3A55%3A20Z&Codec=PCMU\
        &SamplingRate=8000";
    let fact = news(answered);
    assert_eq!(
        (fact.status, fact.answered_at),
        (CallStatus::Connected, wire::moment("2026-01-15T08:55:20Z"))
    );
    // Where the document waits for detection, that comes with the status.
    let fact = news(&format!("{answered}&AnsweredBy=machine_start"));
    assert_eq!(fact.results.and_then(|results| results.voicemail), Some(true));
}

#[test]
fn the_end_of_an_answered_call_says_how_long_it_was_and_where_it_is_recorded() {
    let fact = news(
        "CallStatus=completed&SequenceNumber=3&CallDuration=11&HangupSource=callee&SipHangupCause=200\
         &HangupCause=normal_clearing&StartTime=2026-01-15T08%3A55%3A11Z&AnsweredTime=2026-01-15T08%3A55%3A20Z\
         &EndTime=2026-01-15T08%3A55%3A31Z&CallQualityStats=%7B%7D&RecordingUrl=https%3A%2F%2Fs3%2Fx.mp3\
         &RecordingDuration=11",
    );
    let end = fact.end.expect("an end");
    assert_eq!((end.result, end.talk), (CallResult::Answered, Some(Talk { ms: 11_000 })));
    assert_eq!(end.cause.as_deref(), Some("normal_clearing, SIP 200"));
    assert_eq!(fact.answered_at, wire::moment("2026-01-15T08:55:20Z"));
    assert_eq!(fact.recording_url.as_deref(), Some("https://s3/x.mp3"));
}

#[test]
fn one_event_tells_every_other_end_and_a_failure_says_why() {
    use CallResult::{Busy, Failed, InvalidNumber, NoAnswer};
    for (rest, result, cause) in [
        ("CallStatus=busy&SipHangupCause=486", Busy, "busy, SIP 486"),
        ("CallStatus=no-answer&SipHangupCause=unspecified", NoAnswer, "no-answer"),
        ("CallStatus=canceled&SipHangupCause=487", NoAnswer, "canceled, SIP 487"),
        ("CallStatus=failed&SipHangupCause=404", InvalidNumber, "failed, SIP 404"),
        ("CallStatus=failed&SipHangupCause=603", Busy, "failed, SIP 603"),
        ("CallStatus=failed&SipHangupCause=503", Failed, "failed, SIP 503"),
        ("CallStatus=failed&SipHangupCause=200", Failed, "failed, SIP 200"),
        ("CallStatus=failed&HangupCause=not_found", InvalidNumber, "not_found"),
        ("CallStatus=failed&HangupCause=normal_clearing", Failed, "normal_clearing"),
        ("CallStatus=failed", Failed, "failed"),
    ] {
        let fact = news(&format!("{rest}&CallDuration=0&SequenceNumber=2"));
        let end = fact.end.expect(rest);
        assert_eq!((end.result, end.cause.as_deref(), end.talk), (result, Some(cause), None), "{rest}");
        assert_eq!((fact.status, fact.answered_at), (result.status(), None));
    }
}

#[test]
fn detection_and_recordings_have_callbacks_without_a_status() {
    let fact = news("AnsweredBy=human&MachineDetectionDuration=1200");
    assert_eq!(
        (fact.status, fact.results.and_then(|results| results.voicemail)),
        (CallStatus::Initiated, Some(false))
    );
    let fact = news("RecordingSid=r1&RecordingStatus=completed&RecordingUrl=https%3A%2F%2Fs3%2Fx.mp3");
    assert_eq!(fact.recording_url.as_deref(), Some("https://s3/x.mp3"));
}

#[test]
fn what_changes_nothing_is_told_from_what_nobody_documents() {
    for rest in [
        "CallStatus=dtmf&Digit=1",
        "CallStatus=completed&ParentCallSid=v3%3Aparent",
        "AnsweredBy=unknown&MachineDetectionDuration=30000",
        "RecordingStatus=in-progress",
        "RecordingStatus=completed&RecordingUrl=file%3A%2F%2F%2Fx",
        "StreamEvent=stream-started&StreamUrl=wss%3A%2F%2Fexample.com",
    ] {
        assert!(matches!(read(rest), Ok(Webhook::Nothing { .. })), "{rest}: {:?}", read(rest));
    }
    for (rest, name) in [
        ("CallStatus=dreamt", "texml.dreamt"),
        ("RecordingStatus=dreamt", "texml.dreamt"),
        ("AnsweredBy=parrot", "texml.parrot"),
        ("SequenceNumber=7", "texml.call-progress-events"),
    ] {
        assert_eq!(read(rest), Ok(Webhook::Stranger { event: name.into() }), "{rest}");
    }
    for body in [&b""[..], b"CallStatus=completed", b"CallSid=&CallStatus=completed", b"\xff%ff=&&&="] {
        let read = callback::read(body, None);
        assert!(matches!(read, Err(WebhookError::Unreadable(_))), "{read:?}");
    }
}

const LIST: &str = "/v2/texml/Accounts/f5586561-8ff0-4291-a51b-c7dfe4139ff9/Calls";

/// Rows of the log.
fn log(rows: &[Value]) -> Act {
    (200, json!({"data": rows, "meta": {"page_number": 1, "total_pages": 1}}))
}

/// The request for a call, as the log repeats it.
fn request(leg: &str, key: &str) -> Value {
    let callback = format!("https://calls.example.com/webhooks/telnyx/c/a/{key}/s3cret");
    json!({"call_leg_id": leg, "name": "dial", "type": "command", "metadata": {"StatusCallback": callback}})
}

/// An event of a call, so many seconds after the submission.
fn event(leg: &str, second: u32, name: &str, payload: &Value) -> Value {
    let mut whole = json!({"call_control_id": format!("v3:{leg}")});
    for (name, value) in payload.as_object().into_iter().flatten() {
        whole[name] = value.clone();
    }
    let at = format!("2026-01-15T08:55:{:02}Z", 10 + second);
    let raw = json!({"event_type": name, "occurred_at": at, "payload": whole});
    json!({"call_leg_id": leg, "name": name, "type": "webhook", "event_timestamp": at, "metadata": {"data": raw}})
}

fn ours() -> String {
    fixtures::key().to_string()
}

/// A call as reads show it, begun so many seconds after the submission.
fn call(id: &str, status: &str, begun_s: i64) -> Value {
    let begun = fixtures::submitted_at() + TimeDelta::seconds(begun_s);
    json!({
        "sid": format!("v3:{id}"), "account_sid": "f5586561-8ff0-4291-a51b-c7dfe4139ff9", "status": status,
        "from": "+14155550100", "to": "+14155550123", "direction": "outbound",
        "date_created": begun.to_rfc2822(),
    })
}

fn with(mut call: Value, name: &str, value: &str) -> Value {
    call[name] = value.into();
    call
}

fn with_null(mut row: Value, name: &str) -> Value {
    row[name] = Value::Null;
    row
}

fn list(calls: &[Value]) -> Act {
    (200, json!({"calls": calls, "page": 0, "page_size": 250, "next_page_uri": null}))
}

fn nothing() -> Act {
    (404, json!({"errors": [{"detail": "Resource not found"}]}))
}

async fn asked(attempt: Attempt, after: TimeDelta, acts: Vec<Act>) -> (String, Vec<String>) {
    asked_beside(&[], attempt, after, acts).await
}

/// The same where these are other attempts' calls.
async fn asked_beside(
    others: &[CallId],
    attempt: Attempt,
    after: TimeDelta,
    acts: Vec<Act>,
) -> (String, Vec<String>) {
    let stub = Stub::start(acts).await;
    let telnyx = fixtures::telnyx_with(&stub.url, fixtures::flow_settings());
    let (rules, phone) = (fixtures::flow_rules(), fixtures::phone());
    let (now, requests) = (fixtures::submitted_at() + after, &Requests::default());
    let key = fixtures::key();
    let question = Question { key, attempt: &attempt, rules: &rules, phone: &phone, now, requests, others };
    let found = match &attempt.call_id {
        Some(call) => telnyx.status(call, &question).await,
        None => telnyx.find(&question).await,
    };
    assert_eq!(usize::try_from(requests.count()), Ok(stub.requests().len()), "each request is counted");
    assert!(requests.count() <= telnyx.most_reads(attempt.call_id.as_ref()));
    let told = match found {
        Found::Call(fact) => {
            let end = fact.end.map(|end| format!(" {:?} `{}`", end.result, end.cause.unwrap_or_default()));
            format!("{} {}{}", fact.call_id.expect("a call id"), fact.status.name(), end.unwrap_or_default())
        }
        Found::NotSeen { conclusive_after_ms } => format!("not seen {conclusive_after_ms}"),
        Found::CannotTell { cause } => format!("cannot tell: {cause}"),
    };
    (told, stub.targets())
}

async fn find(acts: Vec<Act>) -> String {
    asked(fixtures::attempt(), TimeDelta::minutes(1), acts).await.0
}

/// Once the longest call would be over, and five minutes more.
async fn find_late(acts: Vec<Act>) -> String {
    asked(fixtures::attempt(), TimeDelta::seconds(930), acts).await.0
}

fn bound() -> Attempt {
    Attempt { call_id: Some(CallId("v3:a".into())), ..fixtures::attempt() }
}

async fn status(acts: Vec<Act>) -> String {
    asked(bound(), TimeDelta::minutes(1), acts).await.0
}

#[tokio::test]
async fn a_lost_dial_is_found_by_the_address_that_was_made_for_it() {
    let rows = [event("a", 1, "call.initiated", &json!({})), request("a", &ours())];
    let acts = vec![log(&rows), (200, call("a", "busy", 1))];
    let (told, targets) = asked(fixtures::attempt(), TimeDelta::minutes(1), acts).await;
    assert_eq!(told, "v3:a completed Busy `busy`");
    let log_target = "GET /v2/call_events?filter[product]=texml&filter[to]=+14155550123\
                      &filter[occurred_at][gte]=2026-01-15T08:50:10Z&page[number]=1&page[size]=250";
    assert_eq!(targets, [log_target.to_owned(), format!("GET {LIST}/v3:a")]);
    // Reads lag: what is not shown yet has begun all the same.
    assert_eq!(find(vec![log(&rows), nothing(), log(&rows[1..])]).await, "v3:a initiated");
}

#[tokio::test]
async fn the_list_is_read_by_the_number_and_compared_here() {
    let acts = vec![log(&[]), list(&[])];
    let (told, targets) = asked(fixtures::attempt(), TimeDelta::minutes(1), acts).await;
    assert_eq!(told, "not seen 930000");
    assert_eq!(targets[1], format!("GET {LIST}?To=+14155550123&PageSize=250"));
    for other in [
        call("b", "completed", -301),
        call("b", "completed", 301),
        with(call("b", "completed", 1), "from", "+14155550199"),
        with(call("b", "completed", 1), "direction", "inbound"),
    ] {
        assert_eq!(
            find(vec![log(&[]), list(std::slice::from_ref(&other))]).await,
            "not seen 930000",
            "{other}"
        );
    }
}

#[tokio::test]
async fn a_call_that_may_be_ours_keeps_the_attempt_unknown_and_is_ours_at_last_if_it_is_alone() {
    let (first, second) = (call("a", "no-answer", 1), call("b", "busy", 3));
    let one = || vec![log(&[]), list(std::slice::from_ref(&first))];
    let two = || vec![log(&[]), list(&[first.clone(), second.clone()])];
    assert!(find(one()).await.starts_with("cannot tell: Telnyx shows a call to this number"));
    assert_eq!(find_late(one()).await, "v3:a completed NoAnswer `no-answer`");
    for told in [find(two()).await, find_late(two()).await] {
        assert!(told.starts_with("cannot tell: Telnyx shows 2 calls"), "{told}");
    }
    // The clocks of both sides may differ by as much as makes a signature stale.
    for begun_s in [-300, 300] {
        let told = find(vec![log(&[]), list(&[call("a", "no-answer", begun_s)])]).await;
        assert!(told.starts_with("cannot tell: Telnyx shows a call"), "{begun_s}: {told}");
    }
    // A date that cannot be read is no reason against it.
    let dateless = with(first.clone(), "date_created", "soon");
    assert!(find(vec![log(&[]), list(&[dateless])]).await.starts_with("cannot tell: "));
}

#[tokio::test]
async fn a_call_that_somebody_else_asked_for_is_not_ours_however_it_fits() {
    // The thirty-first attempt's key begins like ours.
    let longer = format!("{}1", ours());
    for other in ["att_7", longer.as_str()] {
        let rows = [request("a", other), event("a", 1, "call.initiated", &json!({}))];
        let acts = || vec![log(&rows), list(&[call("a", "no-answer", 1)])];
        assert_eq!(find(acts()).await, "not seen 930000", "{other}");
    }
}

#[tokio::test]
async fn a_call_that_another_attempt_of_ours_made_is_not_this_ones() {
    let (earlier, this) = (call("a", "busy", -20), call("b", "no-answer", 1));
    let others = [CallId("v3:a".into())];
    let late = TimeDelta::seconds(930);
    let beside = async |after, calls: &[Value], rest: Vec<Act>| {
        let acts = [vec![log(&[]), list(calls)], rest].concat();
        asked_beside(&others, fixtures::attempt(), after, acts).await.0
    };
    let first = std::slice::from_ref(&earlier);
    assert_eq!(beside(TimeDelta::minutes(1), first, vec![]).await, "not seen 930000");
    assert_eq!(beside(late, first, vec![log(&[]), log(&[]), log(&[])]).await, "not seen 930000");
    let both = [earlier.clone(), this];
    assert_eq!(beside(late, &both, vec![]).await, "v3:b completed NoAnswer `no-answer`");
}

#[tokio::test]
async fn a_request_that_telnyx_took_is_never_taken_for_absent() {
    let begun = || request("a", &ours());
    // A request may be logged before there is a leg.
    let legless = || with_null(begun(), "call_leg_id");
    for row in [begun(), legless()] {
        let rows = || log(std::slice::from_ref(&row));
        for told in [find(vec![rows(), list(&[])]).await, find_late(vec![rows(), list(&[])]).await] {
            assert!(told.starts_with("cannot tell: Telnyx took the request"), "{told}");
        }
    }
    // Which call came of it stands in a later row.
    let mut later = begun();
    later["metadata"]["CallSid"] = "v3:a".into();
    let acts = vec![log(&[legless(), later]), (200, call("a", "busy", 1))];
    assert_eq!(find(acts).await, "v3:a completed Busy `busy`");
    let rows = || log(&[begun()]);
    let acts = || vec![rows(), list(&[call("a", "no-answer", 1)])];
    assert!(find(acts()).await.starts_with("cannot tell: Telnyx took the request"));
    assert_eq!(find_late(acts()).await, "v3:a completed NoAnswer `no-answer`");
}

#[tokio::test]
async fn before_absence_is_believed_the_other_product_is_asked() {
    let none = || log(&[]);
    assert_eq!(find_late(vec![none(), list(&[]), none(), none(), none()]).await, "not seen 930000");
    let state = crate::providers::telnyx::compose::client_state(fixtures::key());
    let active = json!({"call_control_id": "v3:c", "client_state": state});
    assert_eq!(find_late(vec![none(), list(&[]), log(&[active])]).await, "v3:c initiated");
    assert!(find_late(vec![none(), list(&[])]).await.starts_with("cannot tell: "));
}

#[tokio::test]
async fn a_call_with_a_name_that_texml_does_not_know_is_looked_for_by_call_control_before_it_counts_as_lost()
{
    let late = async |rest: Vec<Act>| {
        let acts = [vec![nothing(), log(&[])], rest].concat();
        asked(bound(), TimeDelta::seconds(930), acts).await.0
    };
    let alive = json!({"data": {"call_control_id": "v3:a", "is_alive": true}});
    assert_eq!(late(vec![(200, alive)]).await, "v3:a initiated");
    assert_eq!(late(vec![nothing(), log(&[]), log(&[])]).await, "not seen 930000");
    assert!(late(vec![]).await.starts_with("cannot tell: "));
}

#[tokio::test]
async fn the_list_is_read_to_its_end_without_following_where_it_leads() {
    let page = |next: &str| (200, json!({"calls": [call("b", "busy", -4_000)], "next_page_uri": next}));
    let acts = vec![log(&[]), page("https://evil.example/x?Page=1&To=%2B14155550123"), list(&[])];
    let (told, targets) = asked(fixtures::attempt(), TimeDelta::minutes(1), acts).await;
    assert_eq!(
        (told.as_str(), targets[2].clone()),
        ("not seen 930000", format!("GET {LIST}?Page=1&To=+14155550123"))
    );
    let endless = vec![log(&[]), page("?Page=1"), page("?Page=2")];
    assert_eq!(find(endless).await, "cannot tell: more than 500 calls to this number");
}

#[tokio::test]
async fn trouble_is_never_taken_for_absence() {
    for (acts, says) in [
        (vec![], "was not reached"),
        (vec![(500, json!({}))], "call_events cannot be read: HTTP 500"),
        (vec![log(&[])], "was not reached"),
        (vec![log(&[]), nothing()], "list of calls cannot be read: HTTP 404"),
        (vec![log(&[]), (200, json!({}))], "not in the documented form"),
        (vec![log(&[]), (429, json!({}))], "HTTP 429"),
    ] {
        let told = find(acts).await;
        assert!(told.starts_with("cannot tell: ") && told.contains(says), "{told}");
    }
    let unsent = Attempt { submission: None, ..fixtures::attempt() };
    let (told, _) = asked(unsent, TimeDelta::minutes(1), vec![]).await;
    assert_eq!(told, "cannot tell: the attempt was never submitted");
}

#[tokio::test]
async fn a_call_with_a_name_is_read_by_it_and_why_it_failed_in_the_log() {
    let failed = || (200, with(call("a", "failed", 1), "end_time", "Thu, 15 Jan 2026 08:55:40 +0000"));
    let hangup = json!({"hangup_cause": "not_found", "sip_hangup_cause": "404"});
    let told = || log(&[event("b", 3, "call.hangup", &json!({})), event("a", 2, "call.hangup", &hangup)]);
    assert_eq!(status(vec![(200, call("a", "in-progress", 1))]).await, "v3:a connected");
    assert_eq!(status(vec![(200, call("a", "completed", 1))]).await, "v3:a completed Answered `completed`");
    assert_eq!(status(vec![failed(), told()]).await, "v3:a failed InvalidNumber `not_found, SIP 404`");
    let legless = || log(&[with_null(event("a", 2, "call.hangup", &hangup), "call_leg_id")]);
    assert_eq!(status(vec![failed(), legless()]).await, "v3:a failed InvalidNumber `not_found, SIP 404`");
    // The log is given two minutes.
    let at = |seconds| asked(bound(), TimeDelta::seconds(seconds), vec![failed(), log(&[])]);
    assert_eq!(at(149).await.0, "v3:a initiated");
    assert_eq!(at(150).await.0, "v3:a failed Failed `failed`");
    assert_eq!(status(vec![nothing(), told()]).await, "v3:a failed InvalidNumber `not_found, SIP 404`");
    assert_eq!(status(vec![nothing(), log(&[])]).await, "not seen 930000");
    for acts in [vec![], vec![(500, json!({}))], vec![(200, json!({}))], vec![(200, call("a", "eaten", 1))]] {
        assert!(status(acts).await.starts_with("cannot tell: "));
    }
}

async fn hang_up(attempt: Attempt, acts: Vec<Act>) -> (HangUp, Vec<String>) {
    let stub = Stub::start(acts).await;
    let (rules, phone, requests) = (fixtures::flow_rules(), fixtures::phone(), &Requests::default());
    let (key, now) = (fixtures::key(), fixtures::submitted_at());
    let question =
        Question { key, attempt: &attempt, rules: &rules, phone: &phone, now, requests, others: &[] };
    let done = fixtures::telnyx_with(&stub.url, fixtures::flow_settings()).hang_up(&question).await;
    let sent = stub.requests().last().is_none_or(|last| last.ends_with("\r\n\r\nStatus=completed"));
    assert!(sent || !matches!(done, HangUp::Asked | HangUp::Over), "{:?}", stub.requests());
    (done, stub.targets())
}

#[tokio::test]
async fn a_call_is_ended_by_saying_that_it_is_over() {
    let over = |code: &str| (422, json!({"errors": [{"code": code, "title": "So it is"}]}));
    let command = format!("POST {LIST}/v3:a");
    let ended = || (200, call("a", "completed", 1));
    assert_eq!(hang_up(bound(), vec![ended()]).await, (HangUp::Asked, vec![command.clone()]));
    assert_eq!(hang_up(bound(), vec![over("90018")]).await.0, HangUp::Over);
    let rows = log(&[request("a", &ours()), event("a", 1, "call.initiated", &json!({}))]);
    let acts = vec![rows, (200, call("a", "ringing", 1)), ended()];
    let (done, targets) = hang_up(fixtures::attempt(), acts).await;
    assert_eq!((done, targets[2].clone()), (HangUp::Asked, command));
    for (attempt, acts, says) in [
        (fixtures::attempt(), vec![log(&[]), list(&[])], "may not have begun"),
        (bound(), vec![nothing()], "check account_sid"),
        (bound(), vec![over("10032")], "HTTP 422"),
        (bound(), vec![], "was not reached"),
    ] {
        let (done, _) = hang_up(attempt, acts).await;
        assert!(matches!(&done, HangUp::Failed { cause } if cause.contains(says)), "{done:?}");
    }
}

#[tokio::test]
async fn a_test_of_the_account_tries_whether_flows_can_be_read() {
    let key = || (200, json!({"data": {"public": fixtures::PUBLIC_KEY}}));
    for (acts, ok, says) in [
        (vec![log(&[]), key(), list(&[])], true, "takes the API key"),
        (vec![log(&[]), key(), nothing()], false, "account_sid"),
        (vec![log(&[]), key(), (500, json!({}))], false, "HTTP 500"),
        (vec![log(&[]), key()], false, "was not reached"),
    ] {
        let stub = Stub::start(acts).await;
        let check = fixtures::telnyx_with(&stub.url, fixtures::flow_settings()).check().await;
        assert!(check.ok == ok && check.message.contains(says), "{}", check.message);
        assert_eq!(stub.targets()[2], format!("GET {LIST}?PageSize=1"));
    }
}
