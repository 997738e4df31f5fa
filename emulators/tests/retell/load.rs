//! Many calls at once: the counts stay exact and memory bounded.

use std::{sync::Arc, time::Duration};

use outdial_emulators::retell::{Config, Fallback, Limits, Scenario, Webhooks};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::harness::{Api, Receiver, body, fast, within};

fn unlimited() -> Limits {
    Limits { base_concurrency: 1_000_000, ..Limits::default() }
}

/// Dials `count` numbers, 64 at a time, each under a key of its own.
async fn dial_many(api: &Api, count: u32) {
    let turns = Arc::new(Semaphore::new(64));
    let mut dials = JoinSet::new();
    for n in 0..count {
        let (api, turns) = (api.clone(), turns.clone());
        dials.spawn(async move {
            let _turn = turns.acquire().await.expect("never closed");
            let to = format!("+1415{n:07}");
            // In the mix some are dropped on purpose.
            let _ = api.create(&body(&json!({"to_number": to, "idempotency_key": format!("att_{n}")}))).await;
        });
    }
    while dials.join_next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_each_ring_once_and_are_told_of_three_times() {
    let receiver = Receiver::start().await;
    let retell = fast(Config {
        fallback: Fallback::Always(Scenario::answered(Duration::from_secs(100))),
        limits: unlimited(),
        webhooks: Webhooks { url: Some(receiver.url.clone()), ..Webhooks::default() },
        ..Config::default()
    })
    .await;
    dial_many(&Api::of(&retell), 1000).await;
    let totals = within(retell.until(|totals| totals.callbacks_delivered == 3000)).await;
    assert_eq!((totals.accepted, totals.finished, totals.live), (1000, 1000, 0));
    assert_eq!((totals.callback_requests, totals.callbacks_lost), (3000, 0));
    let dials = retell.dials();
    assert!(dials.keys_rung_twice().is_empty() && dials.overlapping_numbers().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mix_rings_every_phone_at_most_once_per_request() {
    let config = Config { fallback: Fallback::Mix, limits: unlimited(), ..Config::default() };
    let retell = fast(config).await;
    dial_many(&Api::of(&retell), 500).await;
    let totals = within(retell.until(|totals| totals.live == 0)).await;
    assert_eq!(totals.requests, 500);
    assert!((480..500).contains(&totals.accepted) && totals.dropped > 0, "{totals:?}");
}

#[tokio::test]
async fn a_finished_call_that_is_forgotten_is_still_told_of_and_its_key_still_known() {
    let mut receiver = Receiver::start().await;
    let retell = fast(Config {
        fallback: Fallback::Always(Scenario::busy()),
        webhooks: Webhooks { url: Some(receiver.url.clone()), ..Webhooks::default() },
        forget_finished_after: Some(Duration::ZERO),
        idempotency: outdial_emulators::retell::Idempotency {
            window: Duration::from_secs(3_600_000),
            ..Default::default()
        },
        ..Config::default()
    })
    .await;
    let api = Api::of(&retell);
    let first = api.dial(&json!({"idempotency_key": "a"})).await;
    assert_eq!(receiver.events(2).await, ["call_ended", "call_analyzed"]);
    assert!(retell.calls().is_empty());
    assert_eq!(api.dial(&json!({"idempotency_key": "a"})).await, first);
    assert_eq!(retell.totals().accepted, 1);
}
