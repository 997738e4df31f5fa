//! Ending calls that are under way, with a carrier that cannot.

use outdial_emulators::exotel::{Quirk, Scenario};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::providers::exotel::Settings;
use outdial_workflows::attempt::Ledger;
use outdial_workflows::call::{CallEnd, CallFact, CallResult, CallStatus, Source, Talk};
use outdial_workflows::ids::{AttemptNumber, CampaignId, LeadId};
use outdial_workflows::input::Input;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::key;
use crate::support::world::{Setup, World, names, settings, told, until};

const ORDERS: &str = "select count(*) from jobs where kind = 'hang_up.v1'";

/// A world with a call that stands as `ledger` says, and that ends when somebody says so.
async fn with_a_call(scenario: Scenario, ledger: Ledger) -> (World, CampaignId, LeadId) {
    let settings = Settings {
        ask_first_ms: 600_000,
        poll_first_ms: 600_000,
        ask_cap_ms: 600_000,
        silence_ms: 600_000,
        ..settings()
    };
    let mut world = World::with(Setup { settings, ..Setup::default() }).await;
    world.work().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.scripted(campaign, "+919876500001", [scenario]).await;
    world.until(lead, |record| record.attempts.first().is_some_and(|made| made.ledger == ledger)).await;
    (world, campaign, lead)
}

async fn hear(world: &World, lead: LeadId, fact: CallFact) {
    let news = Input::News { attempt: AttemptNumber::FIRST, fact, source: Source::Webhook };
    world.engine.input(world.client, lead, news, None).await.expect("taken in");
}

async fn over(world: &World, lead: LeadId) {
    let talk = Some(Talk { ms: 5_000 });
    hear(world, lead, CallFact::ended(None, CallEnd { result: CallResult::Answered, talk, cause: None }))
        .await;
    assert_eq!(told(&world.finished(lead).await), ["bound: successful"]);
}

#[tokio::test]
async fn a_lead_without_a_call_has_none_to_hang_up() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876500001").await;
    let path = format!("/v1/leads/{lead}/orders");
    let declined = caller.post(&path, json!({ "order": "hang_up" })).await;
    assert_eq!(declined.status, StatusCode::CONFLICT, "{declined:?}");
    assert!(declined.body["detail"].as_str().is_some_and(|told| told.contains("no call is under way")));
    // Nor has one that is only about to be dialled.
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 1);
    assert_eq!(caller.post(&path, json!({ "order": "hang_up" })).await.status, StatusCode::CONFLICT);
    assert_eq!(world.count(ORDERS).await, 0);
    assert_eq!(caller.post(&path, json!({ "order": "cancel" })).await.status, StatusCode::OK);
    assert_eq!(caller.post(&path, json!({ "order": "hang_up" })).await.status, StatusCode::CONFLICT);
    world.end().await;
}

#[tokio::test]
async fn a_pause_that_hangs_up_tells_which_calls_go_on_because_their_carrier_cannot_end_them() {
    let (world, campaign, lead) = with_a_call(Scenario::silent(), Ledger::Bound).await;
    hear(&world, lead, CallFact::progress(None, CallStatus::Connected)).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let paused = format!("/v1/campaigns/{campaign}/pause");
    let account = format!("/v1/accounts/{}", world.account);
    let client = format!("/v1/clients/{}", world.client);
    for path in [paused, format!("{account}/pause"), format!("{client}/pause")] {
        let without = caller.post(&path, json!({})).await;
        assert!(without.body["hung_up"].is_null(), "{without:?}");
        let answer = caller.post(&path, json!({ "hang_up": true })).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.body["hung_up"], json!({ "ending": 0, "going_on": 1, "over": 0 }), "{path}");
        assert_eq!(answer.body["underway"].as_array().map(Vec::len), Some(1));
    }
    assert_eq!(world.count(ORDERS).await, 0, "nobody is asked for what cannot be");
    over(&world, lead).await;
    world.end().await;
}

#[tokio::test]
async fn an_order_to_hang_up_is_carried_out_as_far_as_the_carrier_can_and_leaves_nothing_behind() {
    let (world, _, lead) = with_a_call(Scenario::silent(), Ledger::Bound).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let path = format!("/v1/leads/{lead}/orders");
    let ordered = caller.post(&path, json!({ "order": "hang_up" })).await;
    assert_eq!((ordered.status, &ordered.body["deferred"]), (StatusCode::OK, &json!(false)), "{ordered:?}");
    until("the order to be carried out", async || world.count(ORDERS).await == 0).await;
    let record = world.record(lead).await;
    assert!(names(&record).contains(&"commanded") && record.attempts[0].ended.is_none(), "{record:#?}");
    over(&world, lead).await;
    let late = caller.ask(Method::POST, &path, Some(json!({ "order": "hang_up" }))).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{late:?}");
    world.end().await;
}

#[tokio::test]
async fn an_order_to_hang_up_waits_while_it_is_not_known_whether_there_is_a_call() {
    let vanishes = Scenario::silent().with(Quirk::AcceptThenDrop);
    let (world, _, lead) = with_a_call(vanishes, Ledger::Unknown).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let path = format!("/v1/leads/{lead}/orders");
    let ordered = caller.post(&path, json!({ "order": "hang_up" })).await;
    assert_eq!((ordered.status, &ordered.body["deferred"]), (StatusCode::OK, &json!(true)), "{ordered:?}");
    until("the order to have been tried", async || {
        world.count(&format!("{ORDERS} and run_at > created_at")).await == 1
    })
    .await;
    over(&world, lead).await;
    until("the order to be gone", async || world.count(ORDERS).await == 0).await;
    world.end().await;
}
