//! Accounts that their carriers turn down: nothing is dialled from them until they are taken again.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use outdial_emulators::exotel::{self as emulated, Quirk, Reply, Scenario};
use outdial_jobs::clock::SetClock;
use outdial_jobs::operations::keys::Role;
use outdial_workflows::ids::{CampaignId, LeadId};
use outdial_workflows::workflow::State;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Caller, key};
use crate::support::world::{Setup, World, told, until, until_some};

async fn account(caller: &Caller<'_>) -> Value {
    let shown = caller.get(&format!("/v1/accounts/{}", caller.world.account)).await;
    assert_eq!(shown.status, StatusCode::OK, "{shown:?}");
    shown.body
}

async fn until_held(caller: &Caller<'_>) -> Value {
    until_some("the account to be held", async || {
        let account = account(caller).await;
        if account["held_at"].is_string() { Ok(account) } else { Err(account.to_string()) }
    })
    .await
}

fn answered() -> Scenario {
    Scenario::answered(Duration::from_secs(5))
}

/// The clock moves on, and whoever waited for it is seen to.
async fn called_after(world: &World, clock: &SetClock, lead: LeadId, wait: TimeDelta) {
    clock.advance(wait);
    until("the lead to be called", async || {
        let _ = world.engine.admit(world.client).await;
        world.record(lead).await.workflow.state == State::Finished
    })
    .await;
}

/// A world by a clock, in which the first dial was turned down so.
async fn turned_down(setup: Setup, reply: Option<Reply>) -> (World, Arc<SetClock>, CampaignId, LeadId) {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..setup }).await;
    world.work().await;
    let campaign = world.campaign(json!({})).await;
    let refused = reply.map_or_else(answered, |reply| answered().with(Quirk::Reply(reply)));
    let lead = world.scripted(campaign, "+919876500001", [refused]).await;
    (world, clock, campaign, lead)
}

#[tokio::test]
async fn an_account_without_balance_is_held_with_its_carriers_reason_until_a_test_finds_it_taken() {
    let no_balance = Reply::refusal(402, "NO_BALANCE", "Top up first", 1);
    let (world, clock, campaign, lead) = turned_down(Setup::default(), Some(no_balance)).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let held = until_held(&caller).await;
    let cause = held["held_cause"].as_str().expect("a cause");
    assert!(cause.contains("402") && cause.contains("Top up first"), "{held}");
    assert_eq!(held["held_at"], "2026-01-14T06:30:00Z");
    assert_eq!((&held["enabled"], &held["resting_until"]), (&json!(true), &Value::Null));
    // The lead is as good as before, and nobody else is tried.
    let record = world.until(lead, |record| record.workflow.state == State::Waiting).await;
    assert_eq!((told(&record), record.workflow.counted), (vec!["refused, not counted".to_owned()], 0));
    let other = world.scripted(campaign, "+919876500002", [answered()]).await;
    clock.advance(TimeDelta::minutes(4));
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0);
    // A pause is another matter.
    let path = format!("/v1/accounts/{}", world.account);
    for order in ["pause", "resume"] {
        assert_eq!(caller.post(&format!("{path}/{order}"), json!({})).await.status, StatusCode::OK);
    }
    assert_eq!(account(&caller).await["held_cause"], held["held_cause"]);
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0);
    assert_eq!(world.carrier.totals().accepted, 0);
    let tested = caller.ask(Method::POST, &format!("{path}/test"), None).await;
    assert_eq!((tested.status, &tested.body["ok"]), (StatusCode::OK, &json!(true)), "{tested:?}");
    let released = account(&caller).await;
    assert!(released["held_at"].is_null() && released["held_cause"].is_null(), "{released}");
    assert_eq!(
        world.count("select count(*) from audit where subject = 'account' and action = 'release'").await,
        1
    );
    assert_eq!(told(&world.finished(other).await), ["bound: successful"]);
    called_after(&world, &clock, lead, TimeDelta::minutes(2)).await;
    assert_eq!(told(&world.record(lead).await), ["refused, not counted", "bound: successful"]);
    world.end().await;
}

#[tokio::test]
async fn a_test_that_is_turned_down_leaves_an_account_held() {
    let (mut world, _, _, _) = turned_down(Setup { token: "wrong", ..Setup::default() }, None).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let held = until_held(&caller).await;
    assert!(held["held_cause"].as_str().is_some_and(|cause| cause.contains("401")), "{held}");
    let tested = caller.ask(Method::POST, &format!("/v1/accounts/{}/test", world.account), None).await;
    assert_eq!((tested.status, &tested.body["ok"]), (StatusCode::OK, &json!(false)), "{tested:?}");
    assert!(!tested.body["message"].as_str().expect("a message").contains("wrong"), "{tested:?}");
    assert_eq!(account(&caller).await["held_at"], held["held_at"]);
    world.settle().await;
}

/// Has a worker run what is due by the clock, and waits until it has looked after accounts.
async fn swept(world: &mut World, clock: &SetClock) {
    let now = clock.read();
    world.run(&format!("update schedules set next_at = '{}', last_ms = null", now.to_rfc3339())).await;
    world.work_elsewhere().await;
    until("the sweep", async || {
        let ran = "select count(*) from schedules where name = 'accounts' and last_ms is not null";
        world.count(ran).await == 1
    })
    .await;
}

#[tokio::test]
async fn a_held_account_is_asked_after_every_five_minutes_and_let_go_once_its_carrier_takes_it() {
    let no_balance = Reply::refusal(402, "NO_BALANCE", "Top up first", 1);
    let (mut world, clock, _, lead) = turned_down(Setup::default(), Some(no_balance)).await;
    {
        let caller = key(&world, Role::Operator, Some(world.client)).await;
        until_held(&caller).await;
    }
    world.until(lead, |record| record.workflow.state == State::Waiting).await;
    let held = "select count(*) from accounts where held_at is not null";
    clock.advance(TimeDelta::minutes(5));
    swept(&mut world, &clock).await;
    assert_eq!(world.count(held).await, 1, "not before five minutes have passed");
    clock.advance(TimeDelta::seconds(1));
    swept(&mut world, &clock).await;
    assert_eq!(world.count(held).await, 0);
    let by = "select count(*) from audit where action = 'release' and actor = 'outdial'";
    assert_eq!(world.count(by).await, 1);
    called_after(&world, &clock, lead, TimeDelta::zero()).await;
    assert_eq!(told(&world.record(lead).await), ["refused, not counted", "bound: successful"]);
    world.end().await;
}

#[tokio::test]
async fn a_held_account_that_its_carrier_still_turns_down_is_asked_after_again_later() {
    let (mut world, clock, _, _) = turned_down(Setup { token: "wrong", ..Setup::default() }, None).await;
    {
        let caller = key(&world, Role::Operator, Some(world.client)).await;
        until_held(&caller).await;
    }
    clock.advance(TimeDelta::seconds(301));
    swept(&mut world, &clock).await;
    let since = clock.read().timestamp();
    let checked =
        "select extract(epoch from held_checked_at)::bigint from accounts where held_at is not null";
    assert_eq!(world.count(checked).await, since, "it was asked after, and stays held");
    clock.advance(TimeDelta::seconds(299));
    swept(&mut world, &clock).await;
    assert_eq!(world.count(checked).await, since);
    world.settle().await;
}

#[tokio::test]
async fn credentials_that_its_carrier_takes_let_a_held_account_go() {
    let (world, clock, _, lead) = turned_down(Setup { token: "wrong", ..Setup::default() }, None).await;
    let caller = key(&world, Role::Admin, Some(world.client)).await;
    until_held(&caller).await;
    world.until(lead, |record| record.workflow.state == State::Waiting).await;
    let who = emulated::Account::default();
    let path = format!("/v1/accounts/{}/credentials", world.account);
    let credentials = |token: &str| json!({ "credentials": { "account_sid": who.sid, "api_key": who.api_key, "api_token": token } });
    let refused = caller.put(&path, credentials("wrong too"), None).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    assert!(account(&caller).await["held_at"].is_string());
    let rotated = caller.put(&path, credentials(&who.api_token), None).await;
    assert_eq!((rotated.status, &rotated.body["test"]["ok"]), (StatusCode::OK, &json!(true)), "{rotated:?}");
    assert!(rotated.body["account"]["held_at"].is_null(), "{rotated:?}");
    called_after(&world, &clock, lead, TimeDelta::minutes(2)).await;
    let told = told(&world.record(lead).await);
    assert_eq!(told.last().map(String::as_str), Some("bound: successful"), "{told:?}");
    world.end().await;
}
