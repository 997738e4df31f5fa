//! Many calls at once: the counts stay exact and memory bounded.

use std::{sync::Arc, time::Duration};

use outdial_emulators::exotel::{Config, Exotel, Fallback, Scenario};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::harness::{Api, Receiver, fast, flow, within};

/// Dials `count` numbers, 64 at a time, each under a key of its own.
async fn dial_many(api: &Api, count: u32, callback: &str) {
    let turns = Arc::new(Semaphore::new(64));
    let mut dials = JoinSet::new();
    for n in 0..count {
        let (api, turns, callback) = (api.clone(), turns.clone(), callback.to_owned());
        dials.spawn(async move {
            let _turn = turns.acquire().await.expect("never closed");
            let (number, key) = (format!("+9198{n:08}"), format!("att_{n}"));
            let more = [("CustomField", key.as_str()), ("StatusCallback", callback.as_str())];
            // In the mix some are dropped on purpose.
            let _ = api.connect(&flow(&number, &more)).await;
        });
    }
    while dials.join_next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_calls_at_once_each_ring_once_and_call_back_once() {
    let fallback = Fallback::Always(Scenario::answered(Duration::from_secs(100)));
    let limits = crate::limits::none();
    let exotel = fast(Config { fallback, limits, ..Config::default() }).await;
    let callbacks = Receiver::start().await;
    dial_many(&Api::of(&exotel), 2000, &callbacks.url).await;
    let totals = within(exotel.until(|totals| totals.callbacks_delivered == 2000)).await;
    assert_eq!((totals.accepted, totals.finished, totals.live), (2000, 2000, 0));
    assert_eq!((totals.callback_requests, totals.callbacks_lost), (2000, 0));
    let dials = exotel.dials();
    assert!(dials.keys_rung_twice().is_empty() && dials.overlapping_numbers().is_empty());
    assert_eq!((dials.keys.len(), dials.timeline.len()), (2000, 2000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mix_rings_every_phone_at_most_once_per_request() {
    let limits = crate::limits::none();
    let exotel = fast(Config { fallback: Fallback::Mix, limits, ..Config::default() }).await;
    let callbacks = Receiver::start().await;
    dial_many(&Api::of(&exotel), 500, &callbacks.url).await;
    let totals = within(exotel.until(|totals| totals.live == 0)).await;
    assert_eq!(totals.requests, 500);
    assert!((480..500).contains(&totals.accepted) && totals.dropped > 0, "{totals:?}");
    let answered = exotel.calls().iter().filter(|call| call.answered_at.is_some()).count();
    assert!((180..300).contains(&answered), "{answered}");
}

#[tokio::test]
async fn finished_calls_can_be_forgotten_but_a_redial_is_still_seen() {
    let exotel = Exotel::start(Config {
        speed: 1000.0,
        limits: crate::limits::none(),
        fallback: Fallback::Always(Scenario::busy()),
        forget_finished_after: Some(Duration::ZERO),
        ..Config::default()
    })
    .await
    .expect("a free port");
    let api = Api::of(&exotel);
    dial_many(&api, 100, "http://127.0.0.1:9/").await;
    within(exotel.until(|totals| totals.finished == 100)).await;
    let dials = exotel.dials();
    assert_eq!((dials.totals.accepted, dials.keys.len(), dials.timeline.len()), (100, 0, 0));
    assert!(exotel.calls().is_empty());
    dial_many(&api, 1, "http://127.0.0.1:9/").await;
    within(exotel.until(|totals| totals.finished == 101)).await;
    assert_eq!(exotel.dials().keys_rung_twice(), ["att_0"]);
}
