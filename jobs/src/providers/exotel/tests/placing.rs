//! Placing a call over a socket: exactly one request, and what each kind of failure means.

use std::time::{Duration, Instant};

use outdial_workflows::call::{DialReply, Refusal, RefusalKind};
use serde_json::json;

use super::stub::{Act, Stub, answer, json};
use crate::providers::exotel::{Exotel, Settings, fixtures};
use crate::providers::{Carrier, DialBody, Permit};

fn body() -> DialBody {
    DialBody {
        content_type: "application/x-www-form-urlencoded".into(),
        text: "From=%2B91&CustomField=k".into(),
    }
}

fn impatient(url: &str) -> Exotel {
    fixtures::exotel_with(url, Settings { request_timeout_ms: 300, ..Settings::default() })
}

async fn place(exotel: &Exotel) -> String {
    told(exotel.place(Permit::from_commit(Instant::now()), &body()).await)
}

fn told(reply: DialReply) -> String {
    match reply {
        DialReply::Bound { call_id } => format!("bound {call_id}"),
        DialReply::Refused(Refusal { kind: RefusalKind::NotSent | RefusalKind::TooLate, cause }) => cause,
        DialReply::Refused(Refusal { kind, .. }) => format!("{kind:?}"),
        DialReply::Unknown { cause } => format!("unknown: {cause}"),
    }
}

fn accepted(sid: &str) -> Act {
    json(200, &json!({"Call": {"Sid": sid, "Status": "queued"}}))
}

#[tokio::test]
async fn the_stored_bytes_are_sent_as_they_are() {
    let stub = Stub::start([accepted("c1")]).await;
    assert_eq!(place(&fixtures::exotel(&stub.url)).await, "bound c1");
    let requests = stub.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    let (head, sent) = request.split_once("\r\n\r\n").expect("a head");
    let head = head.to_ascii_lowercase();
    assert_eq!(sent, body().text);
    for line in [
        "post /v1/accounts/acct1/calls/connect.json http/1.1",
        "content-type: application/x-www-form-urlencoded",
        "content-length: 24",
        "authorization: basic a2v5mtp0b2tlbje=",
        "accept: application/json",
        concat!("user-agent: outdial/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|have| have == line), "no `{line}` in {head}");
    }
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn a_connection_lost_after_the_request_leaves_the_call_unknown_and_nothing_is_sent_again() {
    for act in [Act::Reset, Act::SayAndClose("HTTP/1.1 200 OK\r\n".into()), Act::SayAndClose(String::new())] {
        let stub = Stub::start([act.clone(), accepted("again")]).await;
        let told = place(&fixtures::exotel(&stub.url)).await;
        assert!(told.starts_with("unknown: sent, but no answer came: "), "{act:?}: {told}");
        assert_eq!(stub.requests().len(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn silence_leaves_the_call_unknown() {
    let stub = Stub::start([Act::Hang]).await;
    let told = place(&impatient(&stub.url)).await;
    assert!(told.starts_with("unknown: sent, but no answer came: ") && told.contains("timed out"), "{told}");
}

#[tokio::test]
async fn what_never_reached_the_carrier_was_not_sent() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address")
    };
    let plain = Stub::start([Act::Reset]).await;
    let tls_to_plain = plain.url.replace("http://", "https://");
    for (url, says) in [
        (format!("http://{closed}"), "refused"),
        (format!("https://{closed}"), "refused"),
        ("http://no-such-host.invalid".into(), "not sent: "),
        (tls_to_plain, "not sent: "),
    ] {
        let started = Instant::now();
        let told = place(&fixtures::exotel(&url)).await;
        assert!(told.starts_with("not sent: ") && told.contains(says), "{url}: {told}");
        assert!(started.elapsed() < Duration::from_millis(1_900), "{url}: {:?}", started.elapsed());
    }
    assert_eq!(plain.requests().len(), 0);
}

#[tokio::test]
async fn a_connection_that_is_never_made_gives_up_in_time_and_was_not_sent() {
    // Connections wait in the backlog: TCP connects, TLS never does.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", silent.local_addr().expect("an address"));
    // The connect timeout of 1 s settles it. Where the request times out before, the permit could
    // still be spent, so nothing is said until it has run out.
    let second = Duration::from_secs(1);
    for (exotel, least) in [(fixtures::exotel(&url), second), (impatient(&url), Permit::VALID_FOR)] {
        let started = Instant::now();
        let told = place(&exotel).await;
        let took = started.elapsed();
        assert!(told.starts_with("not sent: ") && told.contains("timed out"), "{told}");
        assert!((least..least + second).contains(&took), "{took:?}");
    }
}

#[tokio::test]
async fn a_permit_that_ran_out_sends_nothing() {
    let stub = Stub::start([accepted("c1")]).await;
    let old = Instant::now().checked_sub(Permit::VALID_FOR).expect("the machine is up longer");
    let started = Instant::now();
    let told = told(fixtures::exotel(&stub.url).place(Permit::from_commit(old), &body()).await);
    assert!(told.contains("the permit to send had run out"), "{told}");
    assert!(started.elapsed() < Duration::from_secs(1), "no need to wait for it");
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [302, 303, 307] {
        let elsewhere = Stub::start([accepted("c1")]).await;
        let there = &elsewhere.url;
        let redirect = format!("HTTP/1.1 {status} X\r\nlocation: {there}/\r\ncontent-length: 0\r\n\r\n");
        let stub = Stub::start([Act::Say(redirect)]).await;
        assert_eq!(place(&fixtures::exotel(&stub.url)).await, format!("unknown: HTTP {status}"));
        assert_eq!((stub.requests().len(), elsewhere.requests().len()), (1, 0));
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_never_ends_still_counts_by_its_status() {
    let cut =
        |status| Act::SayAndClose(format!("HTTP/1.1 {status} X\r\ncontent-length: 90\r\n\r\n{{\"Call\""));
    let endless = json!({"Call": {"Sid": "c1", "Filler": "x".repeat(9_000_000)}});
    let unknown = "unknown: accepted, it seems, but no call id came: HTTP 200";
    for (act, means) in [(cut(200), unknown), (cut(401), "AccountUnusable"), (json(200, &endless), unknown)] {
        let stub = Stub::start([act]).await;
        assert_eq!(place(&fixtures::exotel(&stub.url)).await, means);
    }
}

#[tokio::test]
async fn an_early_server_error_does_not_prove_that_nothing_was_done() {
    let stub = Stub::start([Act::SayEarly(answer(503, ""))]).await;
    let told = place(&fixtures::exotel(&stub.url)).await;
    assert!(told.starts_with("unknown: "), "{told}");
}

#[tokio::test]
async fn a_connection_is_used_again_until_the_carrier_closes_it() {
    let last =
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 21\r\n\r\n{\"Call\":{\"Sid\":\"c2\"}}";
    let stub = Stub::start([accepted("c1"), Act::SayAndClose(last.into()), accepted("c3")]).await;
    let exotel = fixtures::exotel(&stub.url);
    for (sid, connections) in [("c1", 1), ("c2", 1), ("c3", 2)] {
        assert_eq!((place(&exotel).await, stub.connections()), (format!("bound {sid}"), connections));
    }
    assert_eq!(stub.requests().len(), 3);
}

#[tokio::test]
async fn a_throttled_account_is_told_how_long_to_rest() {
    let slow = "HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let stub = Stub::start([Act::Say(slow.into())]).await;
    let told = place(&fixtures::exotel(&stub.url)).await;
    assert_eq!(told, "Throttled { retry_after_ms: Some(7000) }");
}
