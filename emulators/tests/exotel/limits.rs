//! Budgets: calls per minute, calls at once.

use std::time::Duration;

use outdial_emulators::exotel::{Account, Config, Limits, Scenario};
use serde_json::Value;

use crate::harness::{Api, CUSTOMER, fast, flow, within};

/// No limits.
pub(crate) fn none() -> Limits {
    Limits { calls_per_minute: None, ..Limits::default() }
}

fn forever() -> Scenario {
    Scenario::answered(Duration::from_secs(1_000_000))
}

#[tokio::test]
async fn the_201st_request_of_a_minute_is_throttled() {
    let config = Config { speed: 1.0, ..Config::default() };
    let exotel = outdial_emulators::exotel::Exotel::start(config).await.expect("a free port");
    let api = Api::of(&exotel);
    for n in 0..200 {
        let response = api.connect(&flow(CUSTOMER, &[])).await.expect("a response");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-ratelimit-limit"], "200");
        assert_eq!(response.headers()["x-ratelimit-remaining"], (199 - n).to_string());
    }
    let response = api.connect(&flow(CUSTOMER, &[("CustomField", "late")])).await;
    let response = response.expect("a response");
    assert_eq!(response.status(), 429);
    let wait: u64 = response.headers()["retry-after"].to_str().expect("ASCII").parse().expect("s");
    assert!((1..=60).contains(&wait), "{wait}");
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["RestException"]["Code"], "RATE_LIMIT_EXCEEDED");
    let dials = exotel.dials();
    assert_eq!((dials.totals.accepted, dials.totals.throttled), (200, 1));
    assert_eq!((dials.keys["late"].requests, dials.keys["late"].accepted), (1, 0));
}

#[tokio::test]
async fn a_new_minute_brings_a_new_budget() {
    let limits = Limits { calls_per_minute: Some(1), ..Limits::default() };
    let exotel = fast(Config { limits, ..Config::default() }).await;
    let api = Api::of(&exotel);
    // At this speed a minute lasts 60 ms.
    within(async {
        while exotel.totals().accepted < 3 {
            api.connect(&flow(CUSTOMER, &[])).await.expect("a response");
        }
    })
    .await;
}

#[tokio::test]
async fn reads_draw_on_the_same_budget_unless_told_not_to() {
    for (reads_count, status) in [(true, 429), (false, 200)] {
        let limits = Limits { calls_per_minute: Some(1), reads_count, ..Limits::default() };
        let config = Config { limits, speed: 1.0, ..Config::default() };
        let exotel = outdial_emulators::exotel::Exotel::start(config).await.expect("a free port");
        let api = Api::of(&exotel);
        api.dial(&[]).await;
        assert_eq!(api.get("Calls.json").await.status(), status);
    }
}

#[tokio::test]
async fn budgets_are_per_account_and_their_headers_can_be_left_out() {
    let limits =
        Limits { calls_per_minute: Some(1), headers: false, retry_after: false, ..Limits::default() };
    let second = Account { sid: "acct2".into(), api_key: "k".into(), api_token: "t".into() };
    let accounts = vec![Account::default(), second.clone()];
    let config = Config { limits, accounts, speed: 1.0, ..Config::default() };
    let exotel = outdial_emulators::exotel::Exotel::start(config).await.expect("a free port");
    let api = Api::of(&exotel);
    api.dial(&[]).await;
    let refused = api.connect(&flow(CUSTOMER, &[])).await.expect("a response");
    assert_eq!(refused.status(), 429);
    assert!(!refused.headers().contains_key("retry-after"));
    assert!(!refused.headers().contains_key("x-ratelimit-limit"));
    let url = ("Url", "http://my.exotel.com/acct2/exoml/start_voice/1");
    let other = Api::with(&exotel, second);
    let response = other.connect(&flow(CUSTOMER, &[url])).await.expect("a response");
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn calls_beyond_the_concurrency_limit_are_refused_until_one_ends() {
    let limits = Limits { max_concurrent: Some(1), ..none() };
    let exotel = fast(Config { limits, ..Config::default() }).await;
    exotel.script(CUSTOMER, [forever(), Scenario::busy()]);
    let api = Api::of(&exotel);
    let sid = api.dial(&[]).await;
    let refused = api.connect(&flow(CUSTOMER, &[])).await.expect("a response");
    assert_eq!(refused.status(), 429);
    within(async {
        while exotel.totals().live > 0 {
            assert!(exotel.proceed(&sid));
            tokio::task::yield_now().await;
        }
    })
    .await;
    api.dial(&[]).await;
    let totals = exotel.totals();
    assert_eq!((totals.over_concurrency, totals.accepted, totals.live_max), (1, 2, 1));
}

#[tokio::test]
async fn two_calls_on_one_phone_at_once_are_seen() {
    let exotel = fast(Config::default()).await;
    exotel.script(CUSTOMER, [forever()]);
    let api = Api::of(&exotel);
    api.dial(&[("CustomField", "a")]).await;
    assert!(exotel.dials().overlapping_numbers().is_empty());
    api.dial(&[("CustomField", "b")]).await;
    let dials = exotel.dials();
    assert_eq!(dials.overlapping_numbers(), [CUSTOMER]);
    assert_eq!(dials.numbers[CUSTOMER].overlapping_max, 2);
    assert!(dials.keys_rung_twice().is_empty());
    let keys: Vec<_> = dials.timeline.iter().map(|dial| dial.key.as_deref()).collect();
    assert_eq!(keys, [Some("a"), Some("b")]);
}
