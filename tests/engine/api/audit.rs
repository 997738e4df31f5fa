//! The record of orders, over the API.

use chrono::TimeDelta;
use outdial_jobs::operations::keys::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{each, key};
use crate::support::world::{Setup, World};

#[tokio::test]
async fn what_was_ordered_is_told_by_thing_and_by_person_the_newest_first() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let (one, other) = (world.draft(json!({})).await, world.draft(json!({})).await);
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let hint = caller.get("/v1/me").await.body["hint"].as_str().expect("a hint").to_owned();
    for (campaign, order) in [(one, "start"), (other, "start"), (one, "pause"), (one, "cancel")] {
        let path = format!("/v1/campaigns/{campaign}/{order}");
        let ordered = caller.post(&path, json!({ "reason": format!("to {order}") })).await;
        assert_eq!(ordered.status, StatusCode::OK, "{ordered:?}");
        clock.advance(TimeDelta::seconds(1));
    }
    let list = format!("/v1/clients/{}/audit", world.client);
    let about = caller.get(&format!("{list}?subject={one}&order=asc")).await;
    assert_eq!(each(&about, "action"), ["start", "pause", "cancel"]);
    assert_eq!(each(&about, "reason"), ["to start", "to pause", "to cancel"]);
    assert_eq!(about.body["items"][1]["details"]["from"], "running", "{about:?}");
    let actor = format!("key a key (…{hint})").replace(' ', "%20").replace('…', "%E2%80%A6");
    let theirs = caller.get(&format!("{list}?actor={actor}&limit=3")).await;
    assert_eq!(each(&theirs, "action")[0], "cancel", "the newest first");
    let cursor = theirs.body["next"].as_str().expect("more follow");
    let rest = caller.get(&format!("{list}?actor={actor}&limit=3&cursor={cursor}")).await;
    assert_eq!((each(&rest, "action"), rest.body["next"].is_null()), (vec![json!("start")], true));
    let both = caller.get(&format!("{list}?actor={actor}&subject={other}")).await;
    assert_eq!(each(&both, "subject_id"), [other.to_string()]);
    assert_eq!(each(&caller.get(&format!("{list}?actor=nobody")).await, "id").len(), 0);
    world.settle().await;
}

#[tokio::test]
async fn what_concerns_all_clients_is_told_to_those_who_see_all() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let admin = key(&world, Role::Admin, None).await;
    let made = admin.post("/v1/keys", json!({ "name": "dialler", "role": "viewer" })).await;
    let id = made.body["id"].as_str().expect("an id");
    clock.advance(TimeDelta::seconds(1));
    admin.ask(Method::POST, &format!("/v1/keys/{id}/revoke"), None).await;
    let told = admin.get(&format!("/v1/audit?subject={id}&order=asc")).await;
    assert_eq!(each(&told, "action"), ["create", "revoke"]);
    assert_eq!(admin.get("/v1/audit?limit=1").await.body["items"][0]["subject"], "key");
    let bounded = key(&world, Role::Admin, Some(world.client)).await;
    assert_eq!(bounded.get("/v1/audit").await.status, StatusCode::FORBIDDEN);
    world.end().await;
}
