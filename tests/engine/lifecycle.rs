//! What a process says of itself to whoever starts, stops and spreads load over it.

use outdial::http::{self, Access, Api};
use outdial_jobs::providers::http_client;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use url::Url;

use crate::support::world::World;

async fn asked(address: Url) -> (StatusCode, String) {
    let answer = http_client().expect("a client").get(address).send().await.expect("it answers");
    (answer.status(), answer.text().await.expect("text"))
}

#[tokio::test]
async fn a_process_is_ready_until_it_is_told_to_stop_and_lives_on_while_it_drains() {
    let mut world = World::working().await;
    assert_eq!(asked(world.address("ready")).await.0, StatusCode::OK);
    world.stop_workers().await;
    let (status, body) = asked(world.address("ready")).await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, body["because"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("it is stopping")));
    assert_eq!(asked(world.address("health")).await, (StatusCode::OK, "ok".to_owned()));
    world.end().await;
}

#[tokio::test]
async fn a_process_without_its_database_is_not_ready_and_lives() {
    let world = World::new().await;
    let cut_off = world.another_engine().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}/", listener.local_addr().expect("an address"));
    let base = Url::parse(&base).expect("a URL");
    let api = Api::with(cut_off.clone(), Access::default()).expect("an API");
    let served = tokio::spawn(http::serve(listener, api, std::future::pending()));
    cut_off.pool().close().await;
    let (status, body) = asked(base.join("ready").expect("an address")).await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let because = Some("the database does not answer");
    assert_eq!((status, body["because"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, because));
    assert_eq!(asked(base.join("health").expect("an address")).await.0, StatusCode::OK);
    served.abort();
    world.end().await;
}
