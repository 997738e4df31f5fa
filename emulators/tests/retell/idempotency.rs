//! `idempotency_key`: one call for one key, within the hour.

use std::time::Duration;

use outdial_emulators::retell::{Config, DifferentBody, Idempotency, Quirk, Reply, Retell, Scenario};
use serde_json::json;

use crate::harness::{Api, CUSTOMER, fast, id, within};

/// Keys are remembered for as long as a test takes, however fast time passes.
fn lasting() -> Idempotency {
    Idempotency { window: Duration::from_secs(3_600_000), ..Idempotency::default() }
}

async fn with(idempotency: Idempotency) -> (Retell, Api) {
    let retell = fast(Config { idempotency, ..Config::default() }).await;
    retell.script(CUSTOMER, [Scenario::busy()]);
    let api = Api::of(&retell);
    (retell, api)
}

#[tokio::test]
async fn the_same_request_is_answered_with_the_first_call_and_rings_once() {
    let (retell, api) = with(lasting()).await;
    let request = json!({"idempotency_key": "a", "metadata": {"n": 1}});
    let first = api.dial(&request).await;
    within(retell.until(|totals| totals.finished == 1)).await;
    assert_eq!(api.dial(&request).await, first);
    let totals = retell.totals();
    assert_eq!((totals.requests, totals.accepted, totals.replayed), (2, 1, 1));
    assert_eq!(retell.dials().keys["a"].requests, 2);
}

#[tokio::test]
async fn the_answer_may_show_the_call_as_it_is_now() {
    let (retell, api) = with(Idempotency { replay_shows_now: true, ..lasting() }).await;
    let first = api.dial(&json!({"idempotency_key": "a"})).await;
    within(retell.until(|totals| totals.finished == 1)).await;
    let again = api.dial(&json!({"idempotency_key": "a"})).await;
    assert_eq!((id(&again), &again["call_status"]), (id(&first), &json!("not_connected")));
}

#[tokio::test]
async fn a_key_is_forgotten_after_its_window() {
    let (retell, api) = with(Idempotency { window: Duration::ZERO, ..Idempotency::default() }).await;
    let first = api.dial(&json!({"idempotency_key": "a"})).await;
    let second = api.dial(&json!({"idempotency_key": "a"})).await;
    assert_ne!(id(&first), id(&second));
    assert_eq!(retell.dials().keys_rung_twice(), ["a"]);
    assert_eq!(Idempotency::default().window, Duration::from_secs(3600));
}

#[tokio::test]
async fn another_body_under_a_known_key_is_answered_as_the_config_says() {
    for (different_body, status, accepted) in [
        (DifferentBody::Refused { status: 400 }, 400, 1),
        (DifferentBody::Refused { status: 409 }, 409, 1),
        (DifferentBody::Refused { status: 422 }, 422, 1),
        (DifferentBody::FirstCall, 201, 1),
        (DifferentBody::NewCall, 201, 2),
    ] {
        let (retell, api) = with(Idempotency { different_body, ..lasting() }).await;
        let first = api.dial(&json!({"idempotency_key": "a", "metadata": {"n": 1}})).await;
        let second = api.try_dial(&json!({"idempotency_key": "a", "metadata": {"n": 2}})).await;
        assert_eq!((second.status, retell.totals().accepted), (status, accepted), "{different_body:?}");
        if different_body == DifferentBody::FirstCall {
            assert_eq!(id(&second.json()), id(&first));
        }
    }
}

#[tokio::test]
async fn a_refused_request_does_not_use_up_its_key() {
    let retell = fast(Config { idempotency: lasting(), ..Config::default() }).await;
    retell.script(CUSTOMER, [Scenario::busy().with(Quirk::Reply(Reply::throttled(1, None)))]);
    let api = Api::of(&retell);
    assert_eq!(api.try_dial(&json!({"idempotency_key": "a"})).await.status, 429);
    api.dial(&json!({"idempotency_key": "a"})).await;
    assert_eq!(retell.totals().replayed, 0);
}

#[tokio::test]
async fn a_request_repeated_after_a_lost_answer_finds_its_call() {
    for quirk in [Quirk::AcceptThenDrop, Quirk::Reply(Reply::server_error(500, true))] {
        let retell = fast(Config { idempotency: lasting(), ..Config::default() }).await;
        retell.script(CUSTOMER, [Scenario::busy().with(quirk)]);
        let api = Api::of(&retell);
        let lost = api.create(&crate::harness::body(&json!({"idempotency_key": "a"}))).await;
        assert!(lost.is_err() || lost.is_ok_and(|answer| answer.status == 500));
        let call = api.dial(&json!({"idempotency_key": "a"})).await;
        assert_eq!(id(&call), retell.dials().timeline[0].call_id);
        assert_eq!(retell.dials().accepted("a"), 1);
    }
}

#[tokio::test]
async fn of_two_requests_at_once_one_places_the_call() {
    let retell = fast(Config { idempotency: lasting(), ..Config::default() }).await;
    let slow = Quirk::SlowResponse { by: Duration::from_secs(50), accepted_last: true };
    retell.script(CUSTOMER, [Scenario::busy().with(slow)]);
    let api = Api::of(&retell);
    let request = json!({"idempotency_key": "a"});
    let (one, other) = tokio::join!(api.dial(&request), api.dial(&request));
    assert_eq!(id(&one), id(&other));
    assert_eq!(retell.totals().accepted, 1);
}

#[tokio::test]
async fn without_a_key_every_request_is_a_call() {
    let (retell, api) = with(lasting()).await;
    api.dial(&json!({})).await;
    api.dial(&json!({})).await;
    assert_eq!((retell.totals().accepted, retell.totals().replayed), (2, 0));
}
