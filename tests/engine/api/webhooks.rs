//! Where carriers send webhooks: what is let in there.

use outdial_jobs::providers::{Provider, http_client};
use reqwest::StatusCode;
use uuid::Uuid;

use crate::support::world::World;

async fn send(world: &World, path: &str, bytes: usize) -> StatusCode {
    let request = http_client().expect("a client").post(world.address(path)).body("x".repeat(bytes));
    // One who is told that it is too much before having said all may not hear the answer.
    let answer = request.header("content-type", "application/json").send().await;
    answer.map_or(StatusCode::PAYLOAD_TOO_LARGE, |answer| answer.status())
}

#[tokio::test]
async fn a_webhook_without_a_signature_is_not_let_in_by_the_address_of_an_account() {
    let world = World::new().await;
    let (client, account) = (world.client, world.account);
    for provider in Provider::ALL {
        let name = provider.name();
        for path in [
            // Its carrier signs nothing: only the addresses of attempts prove anything.
            format!("/webhooks/{name}/{client}/{account}"),
            format!("/webhooks/{name}/{client}/{}", Uuid::new_v4()),
            format!("/webhooks/{name}/{}/{account}", Uuid::new_v4()),
        ] {
            assert_eq!(send(&world, &path, 2).await, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    assert_eq!(world.count("select count(*) from webhook_inbox").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_webhook_of_a_carrier_that_is_not_known_finds_nobody() {
    let world = World::new().await;
    let (client, account) = (world.client, world.account);
    for path in [format!("/webhooks/nobody/{client}/{account}"), "/webhooks/nobody/1/2".to_owned()] {
        assert_eq!(send(&world, &path, 2).await, StatusCode::NOT_FOUND, "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_giant_webhook_is_refused_before_it_is_read() {
    let world = World::new().await;
    let (client, account) = (world.client, world.account);
    for (provider, bytes) in [("exotel", 300 << 10), ("nobody", 9 << 20)] {
        let path = format!("/webhooks/{provider}/{client}/{account}");
        assert_eq!(send(&world, &path, bytes).await, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    world.end().await;
}
