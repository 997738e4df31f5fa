//! Budgets: requests per minute, calls per second, calls at once.

use outdial_emulators::retell::{Config, Limits, OverConcurrency, Reason, Retell, Scenario, Status};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, CUSTOMER, OURS, endless, fast, id, slow, within};

/// At real speed, so that no window closes meanwhile.
async fn limited(limits: Limits) -> (Retell, Api) {
    let retell = slow(Config { limits, ..Config::default() }).await;
    let api = Api::of(&retell);
    (retell, api)
}

fn wait(answer: &Answer) -> Option<u64> {
    let value = answer.headers.get("retry-after")?;
    Some(value.to_str().expect("ASCII").parse().expect("seconds"))
}

async fn concurrency(api: &Api) -> Value {
    api.call(Method::GET, "/get-concurrency", None).await.json()
}

#[tokio::test]
async fn requests_over_the_budget_of_a_minute_are_429_for_dials_and_reads() {
    let limits = Limits { requests_per_minute: Some(2), retry_after: true, ..Limits::default() };
    let (retell, api) = limited(limits).await;
    let call = api.dial(&json!({})).await;
    api.get(id(&call)).await;
    let refused = api.try_dial(&json!({"idempotency_key": "late"})).await;
    assert_eq!((refused.status, refused.json()["status"].clone()), (429, json!("error")));
    assert!(wait(&refused).is_some_and(|seconds| (1..=60).contains(&seconds)));
    let read = api.call(Method::GET, &format!("/v2/get-call/{}", id(&call)), None).await;
    assert_eq!(read.status, 429);
    let dials = retell.dials();
    assert_eq!((dials.totals.throttled, dials.totals.reads_throttled, dials.totals.reads), (1, 1, 1));
    assert_eq!((dials.keys["late"].requests, dials.keys["late"].accepted), (1, 0));
}

#[tokio::test]
async fn a_429_says_how_long_to_wait_only_where_the_config_says_so() {
    let limits = Limits { requests_per_minute: Some(1), ..Limits::default() };
    let (_retell, api) = limited(limits).await;
    api.dial(&json!({})).await;
    assert_eq!(wait(&api.try_dial(&json!({})).await), None);
}

#[tokio::test]
async fn a_new_window_brings_a_new_budget() {
    let limits = Limits { calls_per_second: Some(1), ..Limits::default() };
    let retell = fast(Config { limits, ..Config::default() }).await;
    retell.script(CUSTOMER, [Scenario::busy()]);
    let api = Api::of(&retell);
    // At this speed a second lasts 1 ms.
    within(async {
        while retell.totals().accepted < 3 {
            api.try_dial(&json!({})).await;
        }
    })
    .await;
}

#[tokio::test]
async fn each_number_may_make_so_many_calls_a_second() {
    let limits = Limits { calls_per_second: Some(1), ..Limits::default() };
    let retell = slow(Config { limits, speed: 1e-3, ..Config::default() }).await;
    let api = Api::of(&retell);
    api.dial(&json!({"from_number": OURS})).await;
    assert_eq!(api.try_dial(&json!({"from_number": OURS})).await.status, 429);
    api.dial(&json!({"from_number": "+14155550101"})).await;
    assert_eq!(retell.totals().throttled, 1);
}

#[tokio::test]
async fn concurrency_is_that_of_the_calls_under_way() {
    let limits = Limits { base_concurrency: 2, purchased_concurrency: 1, ..Limits::default() };
    let (retell, api) = limited(limits).await;
    retell.script(CUSTOMER, [endless()]);
    let call = api.dial(&json!({})).await;
    let now = concurrency(&api).await;
    assert_eq!((&now["current_concurrency"], &now["concurrency_limit"]), (&json!(1), &json!(3)));
    assert_eq!(
        (&now["concurrency_burst_enabled"], &now["concurrency_burst_limit"]),
        (&json!(false), &json!(0))
    );
    within(async {
        while retell.totals().live > 0 {
            assert!(retell.proceed(id(&call)));
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(concurrency(&api).await["current_concurrency"], 0);
}

#[tokio::test]
async fn a_call_over_the_limit_is_refused_until_one_ends() {
    let limits = Limits { base_concurrency: 2, reserved_inbound_concurrency: 1, ..Limits::default() };
    let (retell, api) = limited(limits).await;
    retell.script(CUSTOMER, [endless(), Scenario::busy()]);
    let call = api.dial(&json!({})).await;
    assert_eq!(api.try_dial(&json!({})).await.status, 429);
    within(async {
        while retell.totals().live > 0 {
            assert!(retell.proceed(id(&call)));
            tokio::task::yield_now().await;
        }
    })
    .await;
    api.dial(&json!({})).await;
    let totals = retell.totals();
    assert_eq!((totals.over_concurrency, totals.accepted, totals.live_max), (1, 2, 1));
}

#[tokio::test]
async fn a_call_over_the_limit_may_be_accepted_and_end_without_ringing() {
    let limits =
        Limits { base_concurrency: 0, over_concurrency: OverConcurrency::Accepted, ..Limits::default() };
    let retell = fast(Config { limits, ..Config::default() }).await;
    let call = Api::of(&retell).dial(&json!({})).await;
    within(retell.until(|totals| totals.finished == 1)).await;
    let ended = retell.call(id(&call)).expect("it is known");
    assert_eq!((ended.status, ended.reason), (Status::Error, Some(Reason::ConcurrencyLimitReached)));
    assert_eq!(ended.answered_at, None);
}

#[tokio::test]
async fn a_burst_raises_the_limit_threefold_or_by_three_hundred() {
    for (base, burst) in [(20, 60), (200, 500)] {
        let limits = Limits { base_concurrency: base, concurrency_burst: true, ..Limits::default() };
        let retell = fast(Config { limits, ..Config::default() }).await;
        let now = concurrency(&Api::of(&retell)).await;
        assert_eq!(now["concurrency_burst_limit"], burst);
    }
}
