//! Idempotency keys.

use futures_util::future::join_all;
use outdial_jobs::operations::keys::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::key;
use crate::support::world::World;

#[tokio::test]
async fn a_request_under_an_idempotency_key_is_carried_out_once_and_answered_alike_each_time() {
    let world = World::new().await;
    let admin = key(&world, Role::Admin, None).await;
    let make = |once: &'static str, name: &'static str| {
        let body = json!({ "name": name, "role": "viewer" });
        admin.ask_once(Method::POST, "/v1/keys", Some(body), Some(once))
    };
    let first = make("order 1", "dialler").await;
    assert_eq!((first.status, first.replayed), (StatusCode::CREATED, false));
    let again = make("order 1", "dialler").await;
    assert_eq!((again.status, again.replayed, &again.body), (StatusCode::CREATED, true, &first.body));
    assert_eq!(again.content_type, first.content_type);
    let another = make("order 1", "other").await;
    assert_eq!(another.body["errors"][0]["place"], "Idempotency-Key", "{another:?}");
    assert_ne!(make("order 2", "dialler").await.body["id"], first.body["id"]);
    // What was refused is refused again, and what another key asked is another matter.
    let nobody = make("order 3", " ").await;
    assert_eq!((nobody.status, nobody.replayed), (StatusCode::UNPROCESSABLE_ENTITY, false));
    let nobody = make("order 3", " ").await;
    assert_eq!((nobody.status, nobody.replayed), (StatusCode::UNPROCESSABLE_ENTITY, true));
    let other = key(&world, Role::Admin, None).await;
    let body = json!({ "name": "dialler", "role": "viewer" });
    let theirs = other.ask_once(Method::POST, "/v1/keys", Some(body), Some("order 1")).await;
    assert!(!theirs.replayed && theirs.body["id"] != first.body["id"]);
    // Kept, but not to be read by who reads the database.
    let readable = "select count(*) from idempotency_keys where position('outdial_'::bytea in answer) > 0";
    assert_eq!(world.count(readable).await, 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_under_one_idempotency_key_that_come_at_once_are_carried_out_once() {
    let world = World::new().await;
    let admin = key(&world, Role::Admin, None).await;
    let make = || {
        let body = json!({ "name": "A client of many askers" });
        admin.ask_once(Method::POST, "/v1/clients", Some(body), Some("one"))
    };
    let answers = join_all((0..16).map(|_| make())).await;
    for answer in &answers {
        let waits =
            answer.status == StatusCode::CONFLICT && answer.body["type"] == "urn:outdial:problem:under-way";
        assert!(waits || answer.status == StatusCode::CREATED, "{answer:?}");
    }
    assert_eq!(
        answers.iter().filter(|answer| answer.status == StatusCode::CREATED && !answer.replayed).count(),
        1
    );
    assert_eq!(make().await.status, StatusCode::CREATED);
    assert_eq!(world.count("select count(*) from clients where name like 'A client of%'").await, 1);
    world.end().await;
}

#[tokio::test]
async fn what_was_cut_off_while_it_was_carried_out_is_carried_out_after_a_minute() {
    let world = World::new().await;
    let admin = key(&world, Role::Admin, None).await;
    let make = || {
        let body = json!({ "name": "Late" });
        admin.ask_once(Method::POST, "/v1/clients", Some(body), Some("one"))
    };
    assert_eq!(make().await.status, StatusCode::CREATED);
    // As a process leaves it that is killed before it has written anything.
    world.run("delete from clients where name = 'Late'").await;
    world.run("update idempotency_keys set status = null, answer = null").await;
    assert_eq!(make().await.status, StatusCode::CONFLICT, "somebody may be at it");
    world.run("update idempotency_keys set began_at = began_at - interval '61 seconds'").await;
    let made = make().await;
    assert_eq!((made.status, made.replayed), (StatusCode::CREATED, false));
    world.end().await;
}
