//! Accounts, their numbers, and what bounds and pauses them, over the API.

use std::time::Duration;

use outdial_emulators::exotel::{self as emulated, Scenario};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::providers::exotel::Settings;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::roles::account;
use super::{each, key, place};
use crate::support::world::{Setup, World, settings, told};

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

/// What of an account must not change unseen.
async fn stored(world: &World) -> (i32, Vec<u8>, Value) {
    let row = sqlx::query_as("select version, credentials, settings from accounts");
    row.fetch_one(world.db.pool()).await.expect("the account")
}

fn credentials(token: &str) -> Value {
    json!({ "account_sid": "acct1", "api_key": "key1", "api_token": token })
}

#[tokio::test]
async fn credentials_that_the_carrier_does_not_take_change_nothing() {
    let world = World::new().await;
    let caller = key(&world, Role::Admin, Some(world.client)).await;
    let path = format!("/v1/accounts/{}/credentials", world.account);
    let before = stored(&world).await;
    let refused = caller.put(&path, json!({ "credentials": credentials("EXAMPLE-token") }), None).await;
    assert_eq!(place(&refused), "credentials");
    let told = refused.body["detail"].as_str().expect("a detail");
    assert!(told.contains("401") && !told.contains("EXAMPLE"), "{told}");
    for (wrong, says) in [
        (json!({ "api_key": "key1", "api_token": "token1" }), "account_sid"),
        (json!({ "account_sid": " ", "api_key": "key1", "api_token": "token1" }), ""),
        (json!({ "account_sid": "acct1", "key": "key1", "api_token": "token1" }), "key"),
    ] {
        for untested in [false, true] {
            let refused =
                caller.put(&path, json!({ "credentials": wrong, "untested": untested }), None).await;
            assert_eq!(place(&refused), "credentials", "{refused:?}");
            assert!(refused.body["detail"].as_str().is_some_and(|told| told.contains(says)), "{refused:?}");
        }
    }
    assert!(stored(&world).await == before, "nothing was changed");
    assert_eq!(world.count("select count(*) from audit where action = 'rotate'").await, 0);
    world.end().await;
}

#[tokio::test]
async fn other_credentials_hold_from_the_next_dial_on_and_calls_under_way_go_on() {
    let settings =
        Settings { poll_first_ms: 600_000, ask_cap_ms: 600_000, silence_ms: 600_000, ..settings() };
    // Another key of the same account.
    let other = emulated::Account {
        api_key: "key2".into(),
        api_token: "EXAMPLE-2".into(),
        ..emulated::Account::default()
    };
    let carrier =
        emulated::Config { accounts: vec![emulated::Account::default(), other], ..Setup::default().carrier };
    let mut world = World::with(Setup { settings, carrier, ..Setup::default() }).await;
    world.work().await;
    let campaign = world.campaign(json!({})).await;
    let talks = Scenario::answered(Duration::from_secs(200));
    let under_way = world.scripted(campaign, "+919876500001", [talks]).await;
    world
        .until(under_way, |record| record.attempts.first().is_some_and(|made| made.answered_at.is_some()))
        .await;
    let caller = key(&world, Role::Admin, Some(world.client)).await;
    let path = format!("/v1/accounts/{}/credentials", world.account);
    let before = stored(&world).await;
    let rotated = caller
        .put(
            &path,
            json!({ "credentials": { "account_sid": "acct1", "api_key": "key2", "api_token": "EXAMPLE-2" } }),
            None,
        )
        .await;
    assert_eq!((rotated.status, &rotated.body["test"]["ok"]), (StatusCode::OK, &json!(true)), "{rotated:?}");
    assert!(!rotated.body.to_string().contains("EXAMPLE"), "{rotated:?}");
    let after = stored(&world).await;
    assert_eq!(after.0, before.0 + 1);
    assert!(after.1 != before.1 && after.2 == before.2);
    let readable = "select count(*) from accounts where position('EXAMPLE'::bytea in credentials) > 0";
    assert_eq!(world.count(readable).await, 0, "they are sealed");
    let noted = "select count(*) from audit where action = 'rotate' and subject = 'account'
        and actor like 'key %' and details::text not like '%EXAMPLE%'";
    assert_eq!(world.count(noted).await, 1);
    let next = world.scripted(campaign, "+919876500002", [Scenario::answered(Duration::from_secs(5))]).await;
    assert_eq!(told(&world.finished(next).await), ["bound: successful"]);
    assert_eq!(told(&world.finished(under_way).await), ["bound: successful"]);
    // What is taken without asking is what whoever sends it answers for.
    let untested = json!({ "credentials": credentials("EXAMPLE-token3"), "untested": true });
    let untested = caller.put(&path, untested, None).await;
    assert_eq!((untested.status, &untested.body["test"]), (StatusCode::OK, &Value::Null), "{untested:?}");
    assert_eq!(stored(&world).await.0, before.0 + 2);
    world.end().await;
}

#[tokio::test]
async fn settings_are_replaced_as_a_whole_and_those_that_cannot_work_change_nothing() {
    let world = World::new().await;
    let caller = key(&world, Role::Admin, Some(world.client)).await;
    let path = format!("/v1/accounts/{}/settings", world.account);
    let before = stored(&world).await;
    for wrong in
        [json!({ "silence": 1 }), json!({ "silence_ms": "long" }), json!({ "request_timeout_ms": 0 })]
    {
        let refused = caller.put(&path, wrong, None).await;
        assert_eq!(place(&refused), "settings", "{refused:?}");
    }
    assert_eq!(
        place(&caller.put(&path, json!({ "ccm_base_url": "http://carrier.example" }), None).await),
        "address"
    );
    assert!(stored(&world).await == before, "nothing was changed");
    let changed = caller.put(&path, json!({ "reads_per_minute": 7 }), None).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    let after = stored(&world).await;
    assert_eq!((after.0, after.1 == before.1), (before.0 + 1, true));
    assert_eq!(after.2, json!({ "reads_per_minute": 7 }), "what is left out goes back to its default");
    let noted = "select count(*) from audit where action = 'change_settings' and actor like 'key %'";
    assert_eq!(world.count(noted).await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_disabled_account_dials_nobody_whatever_is_resumed_until_it_is_enabled() {
    let mut world = World::new().await;
    let caller = key(&world, Role::Admin, Some(world.client)).await;
    let account = format!("/v1/accounts/{}", world.account);
    let campaign = world.campaign(json!({})).await;
    world.lead(campaign, "+919876500001").await;
    for changed in [true, false] {
        let disabled = caller.post(&format!("{account}/disable"), json!({ "reason": "it moves" })).await;
        assert_eq!(
            (&disabled.body["changed"], &disabled.body["account"]["enabled"]),
            (&json!(changed), &json!(false))
        );
    }
    let client = format!("/v1/clients/{}", world.client);
    for of in [&account, &client, &format!("/v1/campaigns/{campaign}")] {
        for order in ["pause", "resume"] {
            let done = caller.post(&format!("{of}/{order}"), json!({})).await;
            assert_eq!(done.status, StatusCode::OK, "{done:?}");
        }
        assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0, "{of}");
    }
    // To enable it does not resume it, either.
    caller.post(&format!("{account}/pause"), json!({})).await;
    for changed in [true, false] {
        let enabled = caller.ask(Method::POST, &format!("{account}/enable"), None).await;
        assert_eq!(
            (&enabled.body["changed"], &enabled.body["account"]["enabled"]),
            (&json!(changed), &json!(true))
        );
    }
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0);
    caller.post(&format!("{account}/resume"), json!({})).await;
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 1);
    let noted = "select count(*) from audit where actor like 'key %'
        and (action = 'enable' or (action = 'disable' and reason = 'it moves'))";
    assert_eq!(world.count(noted).await, 2);
    world.settle().await;
}
