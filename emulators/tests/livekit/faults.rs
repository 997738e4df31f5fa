//! Requests that go wrong: what the client sees, and whether a phone rang.

use std::time::Duration;

use outdial_emulators::livekit::{Config, LiveKit, Quirk, Reply, ReplyBody, Scenario};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::{Api, CALLEE, ROOM, dialled, fast, token, within};

const DIAL: &str = "SIP/CreateSIPParticipant";

async fn scripted(quirk: Quirk) -> (LiveKit, Api) {
    let livekit = fast(Config::default()).await;
    livekit.script(CALLEE, [Scenario::busy().with(quirk), Scenario::failed()]);
    let api = Api::of(&livekit);
    (livekit, api)
}

/// What the next call of [`CALLEE`] comes to: its SIP status, if it has one.
fn last_status(livekit: &LiveKit) -> Option<u16> {
    livekit.calls().pop().and_then(|call| call.sip_status).map(|status| status.code)
}

async fn tried(api: &Api) -> reqwest::Result<reqwest::Response> {
    within(api.post(DIAL, &dialled(json!({}))).send()).await
}

/// Sends a dial request over a bare socket and returns what reading the answer came to.
async fn bare(livekit: &LiveKit) -> (usize, std::io::Result<usize>) {
    let address = livekit.base_url().trim_start_matches("http://");
    let mut tcp = TcpStream::connect(address).await.expect("it listens");
    let body = dialled(json!({})).to_string();
    let rights = token(&Api::of(livekit).key, json!({"sip": {"call": true}}));
    let request = format!(
        "POST /twirp/livekit.{DIAL} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {rights}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    tcp.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let read = within(tcp.read_to_end(&mut answer)).await;
    (answer.len(), read)
}

#[tokio::test]
async fn accept_then_drop_rings_the_phone_and_resets_the_connection_without_a_byte() {
    let (livekit, _) = scripted(Quirk::AcceptThenDrop).await;
    let (bytes, end) = bare(&livekit).await;
    assert_eq!(bytes, 0);
    assert_eq!(end.expect_err("no end of stream").kind(), std::io::ErrorKind::ConnectionReset);
    let totals = within(livekit.until(|totals| totals.finished == 1)).await;
    assert_eq!((totals.accepted, totals.dropped), (1, 1));
    assert_eq!(livekit.dials().accepted(ROOM), 1);
    assert_eq!(last_status(&livekit), Some(486));
}

#[tokio::test]
async fn drop_before_accepting_rings_nothing_and_the_next_try_goes_through() {
    let (livekit, api) = scripted(Quirk::DropBeforeAccepting { times: 2 }).await;
    for _ in 0..2 {
        let (bytes, end) = bare(&livekit).await;
        assert_eq!(bytes, 0);
        assert_eq!(end.expect_err("no end of stream").kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert_eq!(livekit.totals().accepted, 0);
    api.dial(json!({})).await;
    let dials = livekit.dials();
    assert_eq!((dials.keys[ROOM].requests, dials.keys[ROOM].accepted), (3, 1));
    within(livekit.until(|totals| totals.finished == 1)).await;
    assert_eq!(last_status(&livekit), Some(486), "the script has not moved on");
}

#[tokio::test]
async fn a_429_comes_with_and_without_retry_after_and_places_no_call() {
    for retry_after in [Some(7), None] {
        let quirk = Quirk::Reply(Reply::throttled(2, retry_after));
        let (livekit, api) = scripted(quirk).await;
        for _ in 0..2 {
            let response = tried(&api).await.expect("a response");
            assert_eq!(response.status(), 429);
            let given = response.headers().get("retry-after").map(|v| v.to_str().expect("ASCII"));
            assert_eq!(given, retry_after.map(|_| "7"));
            let body: Value = response.json().await.expect("JSON");
            assert_eq!(body["code"], "resource_exhausted");
        }
        assert_eq!(livekit.totals().accepted, 0);
        api.dial(json!({})).await;
        assert_eq!(livekit.totals().answered_by_quirk, 2);
    }
}

#[tokio::test]
async fn a_5xx_does_not_say_whether_the_phone_rang() {
    for accepted in [false, true] {
        let (livekit, api) = scripted(Quirk::Reply(Reply::server_error(502, accepted))).await;
        let response = tried(&api).await.expect("a response");
        assert_eq!(response.status(), 502);
        assert_eq!(livekit.totals().accepted, u64::from(accepted));
        api.dial(json!({})).await;
        let dialled = 1 + u64::from(accepted);
        within(livekit.until(|totals| totals.finished == dialled)).await;
        assert_eq!(last_status(&livekit), Some(if accepted { 503 } else { 486 }));
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
        let (livekit, api) = scripted(Quirk::Reply(reply)).await;
        let response = tried(&api).await.expect("a response");
        assert_eq!(response.status(), status);
        let body = response.text().await.expect("text");
        assert!(body.contains(expected) && serde_json::from_str::<Value>(&body).is_err(), "{body}");
        assert_eq!(livekit.totals().accepted, u64::from(accepted));
    }
}

#[tokio::test]
async fn other_refusals_can_be_scripted() {
    let broke = Reply::refusal(402, "permission_denied", "Insufficient balance", u32::MAX);
    let (livekit, api) = scripted(Quirk::Reply(broke)).await;
    for _ in 0..3 {
        let response = tried(&api).await.expect("a response");
        assert_eq!(response.status(), 402);
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body, json!({"code": "permission_denied", "msg": "Insufficient balance"}));
    }
    assert_eq!(livekit.totals().accepted, 0);
}

#[tokio::test]
async fn faults_play_in_the_order_listed() {
    let livekit = fast(Config::default()).await;
    let scenario = Scenario::busy()
        .with(Quirk::Reply(Reply::throttled(1, None)))
        .with(Quirk::Reply(Reply::server_error(503, false)))
        .with(Quirk::Reply(Reply::server_error(500, true)));
    livekit.script(CALLEE, [scenario, Scenario::busy()]);
    let api = Api::of(&livekit);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(tried(&api).await.expect("a response").status());
    }
    assert_eq!(statuses, [429, 503, 500, 200]);
    assert_eq!(livekit.totals().accepted, 2);
}

#[tokio::test]
async fn a_hanging_request_may_or_may_not_have_rung_the_phone() {
    for accepted in [false, true] {
        let (livekit, api) = scripted(Quirk::Hang { accepted, times: 1 }).await;
        let request = tokio::spawn(async move { tried(&api).await });
        let totals = within(livekit.until(|totals| totals.hung == 1)).await;
        assert_eq!(totals.accepted, u64::from(accepted));
        assert!(!request.is_finished());
        // A stop cuts it, rather than waiting for ever.
        within(livekit.stop()).await;
        assert!(within(request).await.expect("no panic").is_err());
    }
}

#[tokio::test]
async fn a_slow_response_is_still_the_right_one() {
    let by = Duration::from_secs(100);
    for accepted_last in [false, true] {
        let (livekit, api) = scripted(Quirk::SlowResponse { by, accepted_last }).await;
        let began = std::time::Instant::now();
        api.dial(json!({})).await;
        assert!(began.elapsed() >= by / 1000, "{:?}", began.elapsed());
        assert_eq!(livekit.totals().accepted, 1);
    }
}

#[tokio::test]
async fn a_slow_carrier_places_the_call_after_the_client_has_gone() {
    let slow = Quirk::SlowResponse { by: Duration::from_secs(1000), accepted_last: true };
    let (livekit, api) = scripted(slow).await;
    let impatient = api.post(DIAL, &dialled(json!({})));
    let gone = within(impatient.timeout(Duration::from_millis(50)).send()).await;
    assert!(gone.expect_err("too slow").is_timeout());
    within(livekit.until(|totals| totals.accepted == 1)).await;
}
