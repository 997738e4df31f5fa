//! Requests that go wrong: what the client sees, and whether a phone rang.

use std::time::Duration;

use outdial_emulators::retell::{AccountFault, Config, Quirk, Reply, ReplyBody, Retell, Scenario};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, CUSTOMER, body, fast, id, told_slowly, within};

async fn scripted(quirk: Quirk) -> (Retell, Api) {
    let retell = fast(Config::default()).await;
    retell.script(CUSTOMER, [Scenario::busy().with(quirk), Scenario::failed()]);
    let api = Api::of(&retell);
    (retell, api)
}

#[tokio::test]
async fn accept_then_drop_rings_the_phone_and_resets_the_connection() {
    let (retell, api) = scripted(Quirk::AcceptThenDrop).await;
    let lost = api.create(&body(&json!({"metadata": {"attempt_id": "att_1"}}))).await;
    assert!(lost.expect_err("no answer").is_request());
    let totals = within(retell.until(|totals| totals.finished == 1)).await;
    assert_eq!((totals.accepted, totals.dropped), (1, 1));
    assert_eq!(retell.dials().accepted("att_1"), 1);
}

#[tokio::test]
async fn drop_before_accepting_rings_nothing_and_the_next_try_goes_through() {
    let (retell, api) = scripted(Quirk::DropBeforeAccepting { times: 1 }).await;
    assert!(api.create(&body(&json!({}))).await.is_err());
    assert_eq!((retell.totals().accepted, retell.totals().dropped), (0, 1));
    api.dial(&json!({})).await;
}

#[tokio::test]
async fn refusals_have_the_one_envelope_and_maybe_a_time_to_wait() {
    for reply in [
        Reply::throttled(1, Some(7)),
        Reply::refusal(402, "", "Trial has ended", 1),
        Reply::refusal(403, "", "Forbidden", 1),
        Reply::refusal(422, "", "Not found", 1),
        Reply::server_error(500, false),
    ] {
        let (status, message) = (reply.status, reply.message.clone());
        let given = reply.retry_after_s.map(|seconds| seconds.to_string());
        let (retell, api) = scripted(Quirk::Reply(reply)).await;
        let answer = api.try_dial(&json!({})).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json(), json!({"status": "error", "message": message}));
        let retry_after = answer.headers.get("retry-after").map(|value| value.to_str().expect("ASCII"));
        assert_eq!(retry_after, given.as_deref());
        assert_eq!((retell.totals().accepted, retell.totals().answered_by_quirk), (0, 1));
        api.dial(&json!({})).await;
    }
}

#[tokio::test]
async fn a_5xx_does_not_say_whether_the_phone_rang() {
    for accepted in [false, true] {
        let (retell, api) = scripted(Quirk::Reply(Reply::server_error(502, accepted))).await;
        assert_eq!(api.try_dial(&json!({})).await.status, 502);
        assert_eq!(retell.totals().accepted, u64::from(accepted));
    }
}

#[tokio::test]
async fn a_body_may_be_html_or_nothing_even_on_success() {
    let success = Reply { status: 201, accepted: true, ..Reply::default() };
    for reply in [success.clone().with_body(ReplyBody::Html), success.with_body(ReplyBody::Empty)] {
        let (retell, api) = scripted(Quirk::Reply(reply)).await;
        let answer = api.try_dial(&json!({})).await;
        assert_eq!((answer.status, answer.json()), (201, Value::Null));
        assert_eq!(retell.totals().accepted, 1);
    }
}

#[tokio::test]
async fn a_hanging_request_may_or_may_not_have_rung_the_phone() {
    for accepted in [false, true] {
        let (retell, api) = scripted(Quirk::Hang { accepted, times: 1 }).await;
        let request = tokio::spawn(async move { api.create(&body(&json!({}))).await });
        let totals = within(retell.until(|totals| totals.hung == 1)).await;
        assert_eq!(totals.accepted, u64::from(accepted));
        assert!(!request.is_finished());
        within(retell.stop()).await;
        assert!(within(request).await.expect("no panic").is_err());
    }
}

#[tokio::test]
async fn a_slow_carrier_places_the_call_after_the_client_has_gone() {
    let (retell, api) =
        scripted(Quirk::SlowResponse { by: Duration::from_secs(1000), accepted_last: true }).await;
    let impatient = api.request(Method::POST, "/v2/create-phone-call").json(&body(&json!({})));
    let gone = api.send(impatient.timeout(Duration::from_millis(50))).await;
    assert!(gone.expect_err("too slow").is_timeout());
    within(retell.until(|totals| totals.accepted == 1)).await;
}

#[tokio::test]
async fn the_whole_account_may_be_at_fault() {
    for (fault, dial, read) in [
        (AccountFault::KeyRevoked, 401, 401),
        (AccountFault::PaymentNeeded, 402, 200),
        (AccountFault::Forbidden, 403, 403),
        (AccountFault::Throttled, 429, 429),
        (AccountFault::Broken, 500, 500),
    ] {
        let retell = fast(Config { account_fault: Some(fault), ..Config::default() }).await;
        let api = Api::of(&retell);
        assert_eq!(api.try_dial(&json!({})).await.status, dial, "{fault:?}");
        assert_eq!(api.call(Method::GET, "/get-concurrency", None).await.status, read, "{fault:?}");
        assert_eq!(retell.totals().accepted, 0);
        retell.configure(Config::default()).expect("a sound config");
        api.dial(&json!({})).await;
    }
}

#[tokio::test]
async fn a_silent_call_stays_registered_and_is_never_told_of() {
    let (retell, api, receiver) = told_slowly(Scenario::silent()).await;
    let call = api.dial(&json!({})).await;
    assert_eq!(api.get(id(&call)).await["call_status"], "registered");
    // Its end, after the longest ring and the longest call, is as quiet.
    assert!(retell.proceed(id(&call)));
    within(retell.until(|totals| totals.finished == 1)).await;
    let ended = api.get(id(&call)).await;
    assert_eq!(
        (&ended["call_status"], &ended["disconnection_reason"]),
        (&json!("error"), &json!("registered_call_timeout"))
    );
    assert!(receiver.is_empty());
    assert_eq!(retell.totals().callback_requests, 0);
}
