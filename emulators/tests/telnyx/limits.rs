//! Budgets: dials per second, requests, calls in flight.

use std::time::Duration;

use outdial_emulators::telnyx::{Config, Connection, Limits, Scenario};
use serde_json::json;

use crate::harness::{Api, CALLER, CONNECTION, CUSTOMER, fast};

/// At real speed, so that no window passes while a test runs.
async fn limited(limits: Limits) -> (outdial_emulators::telnyx::Telnyx, Api) {
    let config = Config { limits, speed: 0.01, ..Config::default() };
    let telnyx = outdial_emulators::telnyx::Telnyx::start(config).await.expect("a free port");
    let api = Api::of(&telnyx);
    (telnyx, api)
}

#[tokio::test]
async fn dials_over_the_rolling_limit_are_throttled_with_the_budget_in_headers() {
    let limits = Limits { dials_per_5_s: Some(2), retry_after: true, ..Limits::default() };
    let (telnyx, api) = limited(limits).await;
    let first = api.try_dial(&json!({"command_id": "c1"})).await;
    assert_eq!((first.status, &first.headers["x-ratelimit-remaining"]), (200, &"1".parse().expect("ASCII")));
    api.dial(&json!({})).await;
    let third = api.try_dial(&json!({})).await;
    assert_eq!(third.refusal(), (429, "90103"));
    assert_eq!(third.headers["x-ratelimit-limit"], "2");
    assert_eq!(third.headers["x-ratelimit-remaining"], "0");
    assert_eq!(third.headers["x-ratelimit-reset"], third.headers["retry-after"]);
    // What was placed before is still found.
    assert_eq!(api.try_dial(&json!({"command_id": "c1"})).await.status, 200);
    let path = format!("/v2/texml/calls/{CONNECTION}");
    let texml = api.post(&path, &json!({"From": CALLER, "To": CUSTOMER, "Texml": "<Response/>"})).await;
    assert_eq!(texml.refusal(), (429, "90103"));
    assert_eq!((telnyx.totals().accepted, telnyx.totals().throttled), (2, 2));
}

#[tokio::test]
async fn the_usual_limit_is_150_dials_in_five_seconds() {
    let (telnyx, api) = limited(Limits::default()).await;
    for n in 0..150 {
        api.dial(&json!({"to": format!("+1415555{n:04}")})).await;
    }
    let over = api.try_dial(&json!({})).await;
    assert_eq!(over.refusal(), (429, "90103"));
    assert!(!over.headers.contains_key("retry-after"));
    assert_eq!(telnyx.totals().accepted, 150);
}

#[tokio::test]
async fn requests_over_the_api_limit_are_throttled() {
    let limits = Limits { requests_per_second: Some(1), ..Limits::default() };
    let (telnyx, api) = limited(limits).await;
    api.dial(&json!({})).await;
    assert_eq!(api.get("/v2/call_events").await.refusal(), (429, "10011"));
    assert_eq!(telnyx.totals().reads_throttled, 1);
}

#[tokio::test]
async fn calls_in_flight_are_limited_by_account_and_by_connection() {
    let limits = Limits { max_concurrent: Some(1), ..Limits::default() };
    let (telnyx, api) = limited(limits).await;
    api.dial(&json!({})).await;
    assert_eq!(api.try_dial(&json!({})).await.refusal(), (403, "90041"));
    assert_eq!(telnyx.totals().over_concurrency, 1);

    let narrow = Connection { max_concurrent: Some(1), ..Connection::default() };
    let connections = [("1".to_owned(), narrow), ("2".to_owned(), Connection::default())].into();
    let telnyx = fast(Config { connections, ..Config::default() }).await;
    telnyx.script(CUSTOMER, [Scenario::answered(Duration::from_secs(100_000))]);
    let api = Api::of(&telnyx);
    api.dial(&json!({"connection_id": "1"})).await;
    assert_eq!(api.try_dial(&json!({"connection_id": "1"})).await.refusal(), (403, "90043"));
    api.dial(&json!({"connection_id": "2"})).await;
}
