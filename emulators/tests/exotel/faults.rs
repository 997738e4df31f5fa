//! Requests that go wrong: what the client sees, and whether a phone rang.

use std::time::Duration;

use outdial_emulators::exotel::{Config, Exotel, Quirk, Reply, ReplyBody, Scenario, Status};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::{Api, CUSTOMER, fast, flow, within};

async fn scripted(quirk: Quirk) -> (Exotel, Api) {
    let exotel = fast(Config::default()).await;
    exotel.script(CUSTOMER, [Scenario::busy().with(quirk), Scenario::failed()]);
    let api = Api::of(&exotel);
    (exotel, api)
}

/// Sends a connect request over a bare socket and returns what reading the answer came to.
async fn bare(exotel: &Exotel) -> (usize, std::io::Result<usize>) {
    let address = exotel.base_url().trim_start_matches("http://");
    let mut tcp = TcpStream::connect(address).await.expect("it listens");
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(flow(CUSTOMER, &[("CustomField", "att_1")]))
        .finish();
    // key1:token1
    let request = format!(
        "POST /v1/Accounts/acct1/Calls/connect.json HTTP/1.1\r\nHost: {address}\r\n\
         Authorization: Basic a2V5MTp0b2tlbjE=\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    tcp.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let read = within(tcp.read_to_end(&mut answer)).await;
    (answer.len(), read)
}

#[tokio::test]
async fn accept_then_drop_rings_the_phone_and_resets_the_connection_without_a_byte() {
    let (exotel, _) = scripted(Quirk::AcceptThenDrop).await;
    let (bytes, end) = bare(&exotel).await;
    assert_eq!(bytes, 0);
    assert_eq!(end.expect_err("no end of stream").kind(), std::io::ErrorKind::ConnectionReset);
    let totals = within(exotel.until(|totals| totals.finished == 1)).await;
    assert_eq!((totals.accepted, totals.dropped), (1, 1));
    assert_eq!(exotel.dials().accepted("att_1"), 1);
    assert_eq!(exotel.calls()[0].status, Status::Busy);
}

#[tokio::test]
async fn drop_before_accepting_rings_nothing_and_the_next_try_goes_through() {
    let (exotel, api) = scripted(Quirk::DropBeforeAccepting { times: 2 }).await;
    for _ in 0..2 {
        let (bytes, end) = bare(&exotel).await;
        assert_eq!(bytes, 0);
        assert_eq!(end.expect_err("no end of stream").kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert_eq!(exotel.totals().accepted, 0);
    api.dial(&[("CustomField", "att_1")]).await;
    let dials = exotel.dials();
    assert_eq!((dials.keys["att_1"].requests, dials.keys["att_1"].accepted), (3, 1));
    within(exotel.until(|totals| totals.finished == 1)).await;
    assert_eq!(exotel.calls()[0].status, Status::Busy, "the script has not moved on");
}

#[tokio::test]
async fn a_429_comes_with_and_without_retry_after_and_places_no_call() {
    for retry_after in [Some(7), None] {
        let quirk = Quirk::Reply(Reply::throttled(2, retry_after));
        let (exotel, api) = scripted(quirk).await;
        for _ in 0..2 {
            let response = api.connect(&flow(CUSTOMER, &[])).await.expect("a response");
            assert_eq!(response.status(), 429);
            let given = response.headers().get("retry-after").map(|v| v.to_str().expect("ASCII"));
            assert_eq!(given, retry_after.map(|_| "7"));
            let body: Value = response.json().await.expect("JSON");
            assert_eq!(body["RestException"]["Code"], "RATE_LIMIT_EXCEEDED");
        }
        assert_eq!(exotel.totals().accepted, 0);
        api.dial(&[]).await;
        assert_eq!(exotel.totals().answered_by_quirk, 2);
    }
}

#[tokio::test]
async fn a_5xx_does_not_say_whether_the_phone_rang() {
    for accepted in [false, true] {
        let (exotel, api) = scripted(Quirk::Reply(Reply::server_error(502, accepted))).await;
        let response = api.connect(&flow(CUSTOMER, &[])).await.expect("a response");
        assert_eq!(response.status(), 502);
        assert_eq!(exotel.totals().accepted, u64::from(accepted));
        api.dial(&[]).await;
        let dialled = 1 + u64::from(accepted);
        within(exotel.until(|totals| totals.finished == dialled)).await;
        let last = exotel.calls().last().map(|call| call.status);
        assert_eq!(last, Some(if accepted { Status::Failed } else { Status::Busy }));
    }
}

#[tokio::test]
async fn a_body_may_be_html_or_nothing_even_on_success() {
    let html = Reply { status: 200, accepted: true, ..Reply::default() };
    for (reply, expected) in [
        (html.clone().with_body(ReplyBody::Html), "<h1>Service unavailable</h1>"),
        (html.with_body(ReplyBody::Empty), ""),
        (Reply::server_error(504, false).with_body(ReplyBody::Html), "<html>"),
    ] {
        let (status, accepted) = (reply.status, reply.accepted);
        let (exotel, api) = scripted(Quirk::Reply(reply)).await;
        let response = api.connect(&flow(CUSTOMER, &[])).await.expect("a response");
        assert_eq!(response.status(), status);
        let body = response.text().await.expect("text");
        assert!(body.contains(expected) && serde_json::from_str::<Value>(&body).is_err(), "{body}");
        assert_eq!(exotel.totals().accepted, u64::from(accepted));
    }
}

#[tokio::test]
async fn other_refusals_can_be_scripted() {
    let broke = Reply::refusal(402, "PAYMENT_REQUIRED", "Insufficient balance", u32::MAX);
    let (exotel, api) = scripted(Quirk::Reply(broke)).await;
    for _ in 0..3 {
        let response = api.connect(&flow(CUSTOMER, &[])).await.expect("a response");
        assert_eq!(response.status(), 402);
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body["RestException"]["Message"], "Insufficient balance");
    }
    assert_eq!(exotel.totals().accepted, 0);
}

#[tokio::test]
async fn faults_play_in_the_order_listed() {
    let exotel = fast(Config::default()).await;
    let scenario = Scenario::busy()
        .with(Quirk::Reply(Reply::throttled(1, None)))
        .with(Quirk::Reply(Reply::server_error(503, false)))
        .with(Quirk::Reply(Reply::server_error(500, true)));
    exotel.script(CUSTOMER, [scenario, Scenario::busy()]);
    let api = Api::of(&exotel);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(api.connect(&flow(CUSTOMER, &[])).await.expect("a response").status());
    }
    assert_eq!(statuses, [429, 503, 500, 200]);
    assert_eq!(exotel.totals().accepted, 2);
}

#[tokio::test]
async fn a_hanging_request_may_or_may_not_have_rung_the_phone() {
    for accepted in [false, true] {
        let (exotel, api) = scripted(Quirk::Hang { accepted, times: 1 }).await;
        let request = tokio::spawn(async move { api.connect(&flow(CUSTOMER, &[])).await });
        let totals = within(exotel.until(|totals| totals.hung == 1)).await;
        assert_eq!(totals.accepted, u64::from(accepted));
        assert!(!request.is_finished());
        // A stop cuts it, rather than waiting for ever.
        within(exotel.stop()).await;
        assert!(within(request).await.expect("no panic").is_err());
    }
}

#[tokio::test]
async fn a_slow_response_is_still_the_right_one() {
    let by = Duration::from_secs(100);
    for accepted_last in [false, true] {
        let (exotel, api) = scripted(Quirk::SlowResponse { by, accepted_last }).await;
        let began = std::time::Instant::now();
        api.dial(&[]).await;
        assert!(began.elapsed() >= by / 1000, "{:?}", began.elapsed());
        assert_eq!(exotel.totals().accepted, 1);
    }
}

#[tokio::test]
async fn a_slow_carrier_places_the_call_after_the_client_has_gone() {
    let slow = Quirk::SlowResponse { by: Duration::from_secs(1000), accepted_last: true };
    let (exotel, api) = scripted(slow).await;
    let impatient = api.post("Calls/connect.json").form(&flow(CUSTOMER, &[]));
    let gone = within(impatient.timeout(Duration::from_millis(50)).send()).await;
    assert!(gone.expect_err("too slow").is_timeout());
    within(exotel.until(|totals| totals.accepted == 1)).await;
}

#[tokio::test]
async fn a_silent_call_stays_in_progress_and_never_calls_back() {
    let exotel = fast(Config::default()).await;
    exotel.script(CUSTOMER, [Scenario::silent()]);
    let api = Api::of(&exotel);
    let mut callbacks = crate::harness::Receiver::start().await;
    let url = callbacks.url.clone();
    let long = [("StatusCallback", url.as_str()), ("TimeLimit", "14400")];
    let sid = api.dial(&long).await;
    within(async {
        while exotel.call(&sid).is_none_or(|call| call.status == Status::Queued) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let shown = api.json(&format!("Calls/{sid}.json")).await;
    assert_eq!((&shown["Call"]["Status"], &shown["Call"]["EndTime"]), (&"in-progress".into(), &Value::Null));
    // Its end, after ring timeout and time limit, is as quiet.
    assert!(exotel.proceed(&sid));
    within(exotel.until(|totals| totals.finished == 1)).await;
    exotel.script(CUSTOMER, [Scenario::busy()]);
    let heard = api.dial(&long).await;
    assert_eq!(callbacks.next().await.get("CallSid"), Some(heard));
    assert_eq!(exotel.totals().callback_requests, 1);
}
