//! Keys, over the API.

use outdial_jobs::operations::keys::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Caller, key};
use crate::support::world::World;

#[tokio::test]
async fn a_key_is_told_once_and_works_until_it_is_replaced_or_revoked() {
    let world = World::new().await;
    let admin = key(&world, Role::Admin, None).await;
    let made = admin.post("/v1/keys", json!({ "name": "dialler", "role": "operator" })).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let (id, token) = (made.body["id"].as_str().expect("an id"), made.body["token"].as_str().expect("a key"));
    assert!(token.ends_with(made.body["hint"].as_str().expect("a hint")));
    let stored =
        "select count(*) from api_keys k where position(convert_to('outdial_', 'UTF8') in k.hash) > 0
        or k::text like '%' || 'outdial_' || '%'";
    assert_eq!(world.count(stored).await, 0, "the key itself is not stored");
    let with = |token: &str| Caller { world: &world, token: Some(token.to_owned()) };
    assert_eq!(with(token).get("/v1/me").await.body["name"], "dialler");
    assert_eq!(world.count("select count(*) from api_keys where used_at is not null").await, 2);
    let rotated = admin.ask(Method::POST, &format!("/v1/keys/{id}/rotate"), None).await;
    assert_eq!(rotated.status, StatusCode::CREATED);
    let new = rotated.body["token"].as_str().expect("a key");
    for token in [token, new] {
        assert_eq!(with(token).get("/v1/me").await.status, StatusCode::OK, "both work for a day");
    }
    let at_once = format!("/v1/keys/{}/rotate", rotated.body["id"].as_str().expect("an id"));
    let newest = admin.post(&at_once, json!({ "overlap_s": 0 })).await;
    assert_eq!(with(new).get("/v1/me").await.status, StatusCode::UNAUTHORIZED);
    let revoke = format!("/v1/keys/{}/revoke", newest.body["id"].as_str().expect("an id"));
    assert_eq!(admin.ask(Method::POST, &revoke, None).await.status, StatusCode::OK);
    let newest = newest.body["token"].as_str().expect("a key");
    assert_eq!(with(newest).get("/v1/me").await.status, StatusCode::UNAUTHORIZED);
    let again = admin.ask(Method::POST, &at_once, None).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
    let audit = "select count(*) from audit where subject = 'key' and actor like 'key a key (…%'";
    assert_eq!(world.count(audit).await, 4);
    world.end().await;
}
