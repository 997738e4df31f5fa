//! What a process says of itself to whoever starts, stops and spreads load over it.

use outdial_jobs::providers::http_client;
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::world::World;

async fn asked(world: &World, path: &str) -> (StatusCode, String) {
    let answer = http_client().expect("a client").get(world.address(path)).send().await.expect("it answers");
    (answer.status(), answer.text().await.expect("text"))
}

#[tokio::test]
async fn a_process_is_ready_until_it_is_told_to_stop_and_lives_on_while_it_drains() {
    let mut world = World::working().await;
    assert_eq!(asked(&world, "ready").await.0, StatusCode::OK);
    world.stop_workers().await;
    let (status, body) = asked(&world, "ready").await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, body["because"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("it is stopping")));
    assert_eq!(asked(&world, "health").await, (StatusCode::OK, "ok".to_owned()));
    world.end().await;
}

#[tokio::test]
async fn a_process_without_its_database_is_not_ready_and_lives() {
    let mut world = World::new().await;
    world.engine.pool().close().await;
    let (status, body) = asked(&world, "ready").await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let because = Some("the database does not answer");
    assert_eq!((status, body["because"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, because));
    assert_eq!(asked(&world, "health").await.0, StatusCode::OK);
    world.settle().await;
}
