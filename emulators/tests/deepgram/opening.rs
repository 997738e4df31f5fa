//! Who is let in, with which query.

use outdial_emulators::deepgram::{Config, Reply, Session, SessionEnd, Unknown};
use serde_json::{Value, json};

use crate::harness::{ALL, Client, ended, started, try_open};

#[tokio::test]
async fn a_key_opens_a_stream_by_header_or_by_subprotocol() {
    let deepgram = started(Config::default()).await;
    for headers in [
        [("authorization", "Token dg_key")],
        [("authorization", "token dg_key")],
        [("sec-websocket-protocol", "token, dg_key")],
    ] {
        let client = try_open(&deepgram, ALL, &headers).await.unwrap_or_else(|refused| panic!("{refused:?}"));
        assert_eq!(client.headers["dg-request-id"].len(), 36);
        let named = client.headers.get("sec-websocket-protocol").map(|name| name.to_str().expect("ASCII"));
        assert_eq!(named, headers[0].0.starts_with("sec").then_some("token"));
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_in_header_and_body() {
    let deepgram = started(Config::default()).await;
    for headers in [
        &[("authorization", "Token wrong")][..],
        &[("authorization", "Bearer wrong")],
        &[("sec-websocket-protocol", "token, wrong")],
        &[],
    ] {
        let refused = try_open(&deepgram, ALL, headers).await.err().expect("a refusal");
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.headers()["dg-error"], "Invalid credentials.");
        let body: Value = serde_json::from_slice(refused.body().as_deref().expect("a body")).expect("JSON");
        let id = refused.headers()["dg-request-id"].to_str().expect("ASCII");
        assert_eq!(
            body,
            json!({"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials.", "request_id": id})
        );
    }
    assert_eq!(ended(&deepgram).await.ended, Some(SessionEnd::Refused { status: 401 }));
}

#[tokio::test]
async fn a_granted_token_opens_a_stream_too() {
    let deepgram = started(Config::default()).await;
    let http = http();
    let grant = format!("{}/v1/auth/grant", deepgram.base_url());
    let ask = http.post(&grant).header("authorization", "Token dg_key").json(&json!({"ttl_seconds": 60}));
    let granted: Value = ask.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(granted["expires_in"], 60);
    let bearer = format!("Bearer {}", granted["access_token"].as_str().expect("a token"));
    assert!(try_open(&deepgram, ALL, &[("authorization", &bearer)]).await.is_ok());
    let stranger = http.post(&grant).header("authorization", &bearer).send().await.expect("an answer");
    assert_eq!(stranger.status(), 401, "a token grants no tokens");
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused() {
    let deepgram = started(Config::default()).await;
    for (query, code, text) in [
        ("model=nova-3&encoding=mulaw", "INVALID_QUERY_PARAMETER", "sample_rate is required"),
        ("model=nova-3&utterance_end_ms=1000", "INVALID_QUERY_PARAMETER", "interim_results"),
        ("model=nova-3&interimresults=true", "INVALID_QUERY_PARAMETER", "interimresults"),
        ("model=nova-33", "Bad Request", "No such model/version combination found."),
    ] {
        let refused = try_open(&deepgram, query, &[("authorization", "Token dg_key")]).await.err();
        let refused = refused.unwrap_or_else(|| panic!("{query} was let in"));
        let body: Value = serde_json::from_slice(refused.body().as_deref().expect("a body")).expect("JSON");
        assert_eq!((refused.status().as_u16(), &body["err_code"]), (400, &json!(code)), "{query}");
        assert!(body["err_msg"].as_str().expect("a text").contains(text), "{body}");
    }
}

#[tokio::test]
async fn an_unknown_parameter_may_be_ignored_instead() {
    let deepgram = started(Config { unknown_parameters: Unknown::Ignored, ..Config::default() }).await;
    Client::open(&deepgram, &format!("{ALL}&interimresults=true")).await;
}

#[tokio::test]
async fn a_refusal_may_be_scripted_and_then_the_next_is_let_in() {
    let deepgram = started(Config::default()).await;
    let credit =
        "Project does not have enough credits for an ASR request and does not have an overage agreement.";
    deepgram.script([
        Session::refused(Reply::new(402, "ASR_PAYMENT_REQUIRED", credit)),
        Session::refused(Reply::new(429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later")),
    ]);
    for status in [402, 429] {
        let refused = try_open(&deepgram, ALL, &[("authorization", "Token dg_key")]).await.err();
        assert_eq!(refused.expect("a refusal").status(), status);
    }
    Client::open(&deepgram, ALL).await;
}

#[tokio::test]
async fn a_plain_request_is_no_upgrade() {
    let deepgram = started(Config::default()).await;
    let url = format!("{}/v1/listen?{ALL}", deepgram.base_url());
    let answer = http().get(url).header("authorization", "Token dg_key").send().await.expect("an answer");
    assert_eq!(answer.status(), 400);
}

fn http() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().expect("a plain client")
}
