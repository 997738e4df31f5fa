//! Accounts, their numbers, and what bounds and pauses them, over the API.

use outdial_jobs::operations::keys::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::roles::account;
use super::{each, key, place};
use crate::support::world::World;

#[tokio::test]
async fn an_account_is_made_with_credentials_that_are_never_answered_and_tested() {
    let world = World::new().await;
    let caller = key(&world, Role::Admin, None).await;
    let list = format!("/v1/clients/{}/accounts", world.client);
    let mut input = account("Main");
    input["limits"] =
        json!([{ "limit": "concurrent", "max": 7 }, { "limit": "rate", "max": 3, "per_ms": 1000 }]);
    let made = caller.post(&list, input.clone()).await;
    assert_eq!((made.status, &made.body["provider"]), (StatusCode::CREATED, &json!("exotel")), "{made:?}");
    assert_eq!(made.body["limits"].as_array().map(Vec::len), Some(3), "the carrier's own among them");
    let again = caller.post(&list, input).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "the name is taken");
    let path = format!("/v1/accounts/{}", made.body["id"].as_str().expect("an id"));
    for answer in [&made, &again, &caller.get(&path).await, &caller.get(&list).await] {
        assert!(!answer.body.to_string().contains("EXAMPLE"), "{answer:?}");
    }
    let stored = "select count(*) from accounts a where a::text like '%EXAMPLE%'
        or position('EXAMPLE'::bytea in credentials) > 0";
    assert_eq!(world.count(stored).await, 0, "they are sealed");
    let audit = "select count(*) from audit where action = 'create' and subject = 'account'
        and actor like 'key %' and details::text not like '%EXAMPLE%'";
    assert_eq!(world.count(audit).await, 1);
    let tested = caller.ask(Method::POST, &format!("/v1/accounts/{}/test", world.account), None).await;
    assert_eq!((tested.status, &tested.body["ok"]), (StatusCode::OK, &json!(true)), "{tested:?}");
    world.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_said() {
    let world = World::new().await;
    let caller = key(&world, Role::Admin, Some(world.client)).await;
    let list = format!("/v1/clients/{}/accounts", world.client);
    let with = async |part: &str, value: Value| {
        let mut input = account("Main");
        input[part] = value;
        caller.post(&list, input).await
    };
    assert_eq!(place(&with("base_url", json!("http://carrier.example")).await), "address");
    let reads_elsewhere = json!({ "ccm_base_url": "http://127.0.0.1:9" });
    assert_eq!(place(&with("settings", reads_elsewhere).await), "address");
    assert_eq!(place(&with("settings", json!({ "silence": 1 })).await), "settings");
    assert_eq!(place(&with("limits", json!([{ "limit": "concurrent", "max": 0 }])).await), "limit");
    assert_eq!(place(&with("name", json!(" ")).await), "account name");
    // What runs on the server's own machine is nothing to a key for one client.
    let emulated = with("base_url", json!("http://127.0.0.1:9")).await;
    assert_eq!(emulated.status, StatusCode::FORBIDDEN, "{emulated:?}");
    assert_eq!(world.count("select count(*) from accounts").await, 1);
    world.end().await;
}

#[tokio::test]
async fn limits_are_changed_on_what_was_read_and_hold_for_clients_accounts_and_numbers() {
    let world = World::new().await;
    let caller = key(&world, Role::Admin, Some(world.client)).await;
    let account = format!("/v1/accounts/{}", world.account);
    let numbers = format!("{account}/numbers/%2B918040000000");
    for of in [format!("/v1/clients/{}", world.client), account.clone(), numbers] {
        let path = format!("{of}/limits");
        let read = caller.get(&path).await;
        assert_eq!((read.status, &read.body), (StatusCode::OK, &json!({ "limits": [] })), "{path}");
        let limits = json!({ "limits": [{ "limit": "concurrent", "max": 2 }], "reason": "a slow day" });
        let none = caller.put(&path, limits.clone(), None).await;
        assert_eq!(none.status, StatusCode::PRECONDITION_REQUIRED, "{path}");
        let set = caller.put(&path, limits.clone(), read.etag.as_deref()).await;
        assert_eq!((set.status, &set.body["limits"]), (StatusCode::OK, &limits["limits"]), "{set:?}");
        let late = caller.put(&path, json!({ "limits": [] }), read.etag.as_deref()).await;
        assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{late:?}");
        assert_eq!(caller.get(&path).await.etag, set.etag, "{path}");
        let never = json!({ "limits": [{ "limit": "rate", "max": 0, "per_ms": 1000 }] });
        assert_eq!(place(&caller.put(&path, never, set.etag.as_deref()).await), "limit");
    }
    let listed = caller.get(&format!("{account}/numbers")).await;
    assert_eq!(each(&listed, "number"), ["+918040000000"]);
    assert_eq!(each(&listed, "limits"), [json!([{ "limit": "concurrent", "max": 2 }])]);
    assert_eq!(world.count("select count(*) from audit where reason = 'a slow day'").await, 3);
    world.end().await;
}

#[tokio::test]
async fn a_client_or_an_account_is_paused_and_resumed() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    for of in [format!("/v1/clients/{}", world.client), format!("/v1/accounts/{}", world.account)] {
        let paused = caller.post(&format!("{of}/pause"), json!({ "reason": "an outage" })).await;
        assert_eq!(paused.body, json!({ "changed": true, "underway": [] }), "{paused:?}");
        assert!(caller.get(&of).await.body["paused_by"].as_str().is_some_and(|by| by.starts_with("key ")));
        let until = json!({ "resume_at": "2036-01-01T00:00:00Z" });
        let longer = caller.post(&format!("{of}/pause"), until).await;
        let until = json!({ "changed": false, "underway": [], "resume_at": "2036-01-01T00:00:00Z" });
        assert_eq!(longer.body, until);
        for changed in [true, false] {
            let resumed = caller.ask(Method::POST, &format!("{of}/resume"), None).await;
            assert_eq!(resumed.body, json!({ "changed": changed }), "{resumed:?}");
        }
        assert!(caller.get(&of).await.body["paused_by"].is_null());
    }
    world.end().await;
}
