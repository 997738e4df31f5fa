//! Events outlive the processes that tell them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;

use super::cluster::TestDb;
use super::world::{World, anything};

/// What a subscriber took: leads, with the places of their events, in the order in which they came.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<(String, i64)>>>);

impl Taken {
    async fn take(State(taken): State<Self>, Json(event): Json<Value>) {
        let data = &event["data"];
        // What happens to the campaign has no place among what happens to leads.
        let Some(lead) = data["lead"]["id"].as_str().map(str::to_owned) else { return };
        let sequence = data["sequence"].as_i64().expect("a place");
        taken.0.lock().unwrap_or_else(PoisonError::into_inner).push((lead, sequence));
    }

    fn all(&self) -> Vec<(String, i64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[tokio::test]
async fn every_event_is_taken_in_order_though_those_who_tell_it_are_killed_again_and_again() {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 40).await;
    let taken = Taken::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let router = Router::new().route("/", post(Taken::take)).with_state(taken.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    world.subscribe(&url).await;
    world.add_leads(anything(200)).await;
    world.start().await;
    let reaching = ["--allow-events-to", "127.0.0.0/8"];
    let mut worker = world.worker(&reaching);
    for _ in 0..4 {
        world.finished_more_than(world.finished().await).await;
        let before = taken.all().len();
        worker.kill_9();
        worker = world.worker(&reaching);
        world.finished_more_than(world.finished().await).await;
        println!("{before} events taken before a kill");
    }
    world.all_finished(Duration::from_secs(120)).await;
    world.all_told(Duration::from_secs(60)).await;
    let all = taken.all();
    let each: BTreeSet<&(String, i64)> = all.iter().collect();
    let told = i64::try_from(each.len()).expect("in range");
    assert_eq!(told, world.events_to_be_told().await, "each at least once, and nothing else");
    println!("{} events, {} of them told again after a kill", told, all.len() - each.len());
    // Whoever was killed may tell again what was taken, and never skips.
    let mut latest: BTreeMap<&str, i64> = BTreeMap::new();
    let mut seen: BTreeSet<&(String, i64)> = BTreeSet::new();
    for event in &all {
        if seen.insert(event) {
            let before = latest.insert(&event.0, event.1);
            assert!(before.is_none_or(|before| before < event.1), "{} {}", event.0, event.1);
        }
    }
    world.assert_promises_kept().await;
    worker.stop().await;
}
