use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as Answer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// A server that answers with these, one after another, and the requests that it saw: method, address, key.
async fn server(answers: Vec<Answer>) -> (Client, Arc<Mutex<Vec<(Method, String, Option<String>)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let seen = Arc::new(Mutex::new(vec![]));
    let (asked, answers) = (Arc::clone(&seen), Arc::new(Mutex::new(answers.into_iter())));
    let answer = async move |request: Request| {
        let key = request.headers().get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok());
        let about = (request.method().clone(), request.uri().to_string(), key.map(str::to_owned));
        asked.lock().expect("seen").push(about);
        answers.lock().expect("answers").next().expect("no more is asked")
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    let server = Url::parse(&format!("http://{address}/outdial/")).expect("a URL");
    (Client::new(server, "outdial_EXAMPLE".into()).expect("a client"), seen)
}

fn problem(status: u16, kind: &str) -> Answer {
    let told = json!({ "type": format!("urn:outdial:problem:{kind}"), "status": status, "detail": kind });
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("content-type", "application/problem+json")], told.to_string()).into_response()
}

fn well(body: &Value) -> Answer {
    axum::Json(body).into_response()
}

#[tokio::test]
async fn a_request_is_sent_again_under_its_key_until_it_is_answered() {
    let busy = || problem(503, "busy");
    let (client, seen) = server(vec![busy(), problem(409, "under-way"), well(&json!({ "id": 1 }))]).await;
    let made: Value = client.read(&Call::post("/v1/clients").json(json!({}))).await.expect("made");
    assert_eq!(made["id"], 1);
    let seen = seen.lock().expect("seen").clone();
    assert!(seen.len() == 3 && seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    let (method, address, key) = &seen[0];
    assert_eq!((method, address.as_str()), (&Method::POST, "/outdial/v1/clients"));
    assert!(key.as_ref().is_some_and(|key| Uuid::try_parse(key).is_ok()), "{key:?}");
}

#[tokio::test]
async fn each_request_has_a_key_of_its_own_and_what_is_refused_is_not_sent_again() {
    let (client, seen) = server(vec![problem(409, "exists"), problem(422, "invalid")]).await;
    for kind in ["exists", "invalid"] {
        let error = client.read::<Value>(&Call::post("/v1/clients")).await.expect_err("it is refused");
        assert_eq!(error.to_string(), kind);
    }
    let seen = seen.lock().expect("seen").clone();
    assert!(seen.len() == 2 && seen[0].2 != seen[1].2, "{seen:?}");
}

#[tokio::test]
async fn a_list_is_read_page_after_page_and_no_further_than_is_wanted() {
    let pages = || {
        let first = well(&json!({ "items": [1, 2], "next": "a&b" }));
        vec![first, well(&json!({ "items": [3, 4], "next": 7 })), well(&json!({ "items": [5] }))]
    };
    let (client, seen) = server(pages()).await;
    let all: Vec<u8> = client.list("/v1/things", &[("name", "x")], usize::MAX).await.expect("a list");
    assert_eq!(all, [1, 2, 3, 4, 5]);
    let asked: Vec<String> =
        seen.lock().expect("seen").iter().map(|(_, address, _)| address.clone()).collect();
    let of = |cursor: &str| format!("/outdial/v1/things?name=x&limit=200{cursor}");
    assert_eq!(asked, [of(""), of("&cursor=a%26b"), of("&cursor=7")]);
    let (client, _) = server(pages()).await;
    let some: Vec<u8> = client.list("/v1/things", &[], 3).await.expect("a list");
    assert_eq!(some, [1, 2, 3]);
}

#[tokio::test]
async fn what_is_no_outdial_is_told_as_such() {
    let moved = (StatusCode::MOVED_PERMANENTLY, [("location", "https://elsewhere.example/")]).into_response();
    let (client, _) =
        server(vec![(StatusCode::NOT_FOUND, "Hello\n").into_response(), moved, well(&json!([]))]).await;
    let mut told = vec![];
    for _ in 0..3 {
        told.push(client.get::<Vec<u8>>("/v1/me").await.map_err(|error| error.to_string()));
    }
    let says = |text: &str| told.iter().any(|one| one.as_ref().is_err_and(|error| error.contains(text)));
    assert!(says("404, `Hello`") && says("301, to https://elsewhere.example/"), "{told:?}");
    assert!(told[2].is_ok());
}

#[test]
fn a_path_goes_behind_that_of_the_servers_address_and_a_query_is_escaped() {
    for (server, path, address) in [
        ("http://127.0.0.1:7700", "/v1/me", "http://127.0.0.1:7700/v1/me"),
        ("https://example.com/calls/", "/v1/me", "https://example.com/calls/v1/me"),
    ] {
        let client = Client::new(Url::parse(server).expect("a URL"), "outdial_EXAMPLE".into());
        let client = client.expect("a client");
        assert_eq!(client.address(&Call::new(Method::GET, path)).as_str(), address);
        let named = Call::new(Method::GET, path).query("name", "Spring & more");
        assert_eq!(client.address(&named).query(), Some("name=Spring+%26+more"));
    }
}

#[test]
fn a_key_that_no_header_takes_is_refused_before_anything_is_sent() {
    let server = Url::parse("http://127.0.0.1:1").expect("a URL");
    let error = Client::new(server, "outdial_EXAMPLE\n".into()).expect_err("it is of two lines");
    assert!(matches!(error, ClientError::Header(_)), "{error}");
}
