//! Many calls at once: the counts stay exact and memory bounded.

use std::{sync::Arc, time::Duration};

use outdial_emulators::livekit::{Config, Fallback, LiveKit, Scenario, Webhooks};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::harness::{Api, Receiver, dialled, fast, within};

/// Dials `count` numbers, 64 at a time, each in a room of its own.
async fn dial_many(api: &Api, count: u32) {
    let turns = Arc::new(Semaphore::new(64));
    let mut dials = JoinSet::new();
    for n in 0..count {
        let (api, turns) = (api.clone(), turns.clone());
        dials.spawn(async move {
            let _turn = turns.acquire().await.expect("never closed");
            let body = json!({"sip_call_to": format!("+9198{n:08}"), "room_name": format!("att_{n}")});
            // In the mix some are dropped on purpose.
            let _ = within(api.post("SIP/CreateSIPParticipant", &dialled(body)).send()).await;
        });
    }
    while dials.join_next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_calls_at_once_each_ring_once_and_are_told_once() {
    let fallback = Fallback::Always(Scenario::answered(Duration::from_secs(100)));
    let webhooks = Receiver::start().await;
    let told = Webhooks {
        urls: vec![webhooks.url.clone()],
        include_events: vec!["participant_left".into()],
        ..Webhooks::default()
    };
    let livekit = fast(Config { fallback, webhooks: told, ..Config::default() }).await;
    dial_many(&Api::of(&livekit), 2000).await;
    let totals = within(livekit.until(|totals| totals.callbacks_delivered == 2000)).await;
    assert_eq!((totals.accepted, totals.finished, totals.live), (2000, 2000, 0));
    assert_eq!((totals.callback_requests, totals.callbacks_lost), (2000, 0));
    let dials = livekit.dials();
    assert!(dials.keys_rung_twice().is_empty() && dials.overlapping_numbers().is_empty());
    assert_eq!((dials.keys.len(), dials.timeline.len()), (2000, 2000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mix_rings_every_phone_at_most_once_per_request() {
    let livekit = fast(Config { fallback: Fallback::Mix, ..Config::default() }).await;
    dial_many(&Api::of(&livekit), 500).await;
    let totals = within(livekit.until(|totals| totals.live == 0)).await;
    assert_eq!(totals.requests, 500);
    assert!((480..500).contains(&totals.accepted) && totals.dropped > 0, "{totals:?}");
    let answered = livekit.calls().iter().filter(|call| call.answered_at.is_some()).count();
    assert!((180..300).contains(&answered), "{answered}");
}

#[tokio::test]
async fn finished_calls_can_be_forgotten_but_a_redial_is_still_seen() {
    let config = Config {
        fallback: Fallback::Always(Scenario::busy()),
        forget_finished_after: Some(Duration::ZERO),
        ..Config::default()
    };
    let livekit: LiveKit = fast(config).await;
    let api = Api::of(&livekit);
    dial_many(&api, 100).await;
    within(livekit.until(|totals| totals.finished == 100)).await;
    let dials = livekit.dials();
    assert_eq!((dials.totals.accepted, dials.keys.len(), dials.timeline.len()), (100, 0, 0));
    assert!(livekit.calls().is_empty());
    dial_many(&api, 1).await;
    within(livekit.until(|totals| totals.finished == 101)).await;
    assert_eq!(livekit.dials().keys_rung_twice(), ["att_0"]);
}
