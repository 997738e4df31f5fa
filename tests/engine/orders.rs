//! What people order, for a lead or for a whole campaign.

use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::leads;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::input::{Answer, Command};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;
use serde_json::json;

use crate::support::world::{World, phones, told, until};

fn answered() -> Scenario {
    Scenario::answered(Duration::from_secs(20))
}

/// Long enough to give orders meanwhile.
fn long() -> Scenario {
    Scenario::answered(Duration::from_secs(60))
}

#[tokio::test]
async fn cancelling_a_campaign_finishes_every_lead_and_those_on_a_call_after_it() {
    let world = World::working().await;
    let campaign = world.draft(json!({ "limits": [{ "limit": "concurrent", "max": 3 }] })).await;
    let phones = phones(1, 2_300);
    for phone in &phones {
        world.carrier.script(phone, [long()]);
    }
    for page in phones.chunks(1_000) {
        world.leads(campaign, page).await;
    }
    world.order(campaign, Order::Start).await;
    world.carrier.until(|totals| totals.live == 3).await;
    let cancel = world.order(campaign, Order::Cancel).await;
    assert_eq!((cancel.state, cancel.underway.len()), (CampaignState::Ended, 3));
    world.all_finished().await;
    let by_outcome = async |outcome: &str| {
        world.count(&format!("select count(*) from workflows where outcome is {outcome}")).await
    };
    let called = i64::try_from(world.carrier.totals().accepted).expect("a count");
    assert_eq!(called, 3);
    assert_eq!((by_outcome("null").await, by_outcome("not null").await), (2_297, 3));
    until("the bulk job to be done", async || world.count("select count(*) from jobs").await == 0).await;
    world.end().await;
}

#[tokio::test]
async fn a_paused_lead_is_not_called_until_it_is_resumed() {
    let world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let paused = world.scripted(campaign, "+919876543210", [answered()]).await;
    let other = world.scripted(campaign, "+919876543211", [answered()]).await;
    assert_eq!(world.command(paused, Command::Pause).await, Answer::Done);
    world.order(campaign, Order::Start).await;
    world.finished(other).await;
    let record = world.record(paused).await;
    assert_eq!(record.workflow.state, State::Held);
    assert!(record.attempts.is_empty());
    assert_eq!(world.command(paused, Command::Resume).await, Answer::Done);
    assert_eq!(told(&world.finished(paused).await), ["bound: successful"]);
    world.end().await;
}

#[tokio::test]
async fn a_lead_paused_during_its_call_is_held_afterwards_and_goes_on_when_resumed() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let script = [Scenario::no_answer().ringing_for(Duration::from_secs(30)), answered()];
    let lead = world.scripted(campaign, "+919876543210", script).await;
    world.until(lead, |record| record.workflow.state == State::Calling).await;
    assert_eq!(world.command(lead, Command::Pause).await, Answer::Deferred);
    let held = world.until(lead, |record| record.workflow.state == State::Held).await;
    assert!(matches!(held.workflow.why, Why::HeldBy { .. }), "{:?}", held.workflow.why);
    assert_eq!(told(&held), ["bound: no answer"]);
    assert_eq!(world.command(lead, Command::Resume).await, Answer::Done);
    assert_eq!(told(&world.finished(lead).await), ["bound: no answer", "bound: successful"]);
    world.end().await;
}

#[tokio::test]
async fn a_lead_cancelled_during_its_call_ends_with_it() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.scripted(campaign, "+919876543210", [Scenario::no_answer()]).await;
    world.until(lead, |record| record.workflow.state == State::Calling).await;
    assert_eq!(world.command(lead, Command::Cancel).await, Answer::Deferred);
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: no answer"]);
    assert!(matches!(record.workflow.why, Why::Cancelled { .. }), "{:?}", record.workflow.why);
    assert_eq!(record.workflow.outcome, Some(Outcome::NoAnswer));
    world.end().await;
}

#[tokio::test]
async fn a_finished_lead_that_is_retried_has_its_attempts_anew() {
    let world = World::working().await;
    let campaign = world.campaign(json!({ "retry": { "max_attempts": 1 } })).await;
    let script = [Scenario::no_answer(), Scenario::busy(), long()];
    let lead = world.scripted(campaign, "+919876543210", script).await;
    world.finished(lead).await;
    assert_eq!(world.command(lead, Command::Retry).await, Answer::Done);
    world.until(lead, |record| record.attempts.len() == 2 && record.workflow.state == State::Finished).await;
    assert_eq!(world.command(lead, Command::Retry).await, Answer::Done);
    world.until(lead, |record| record.attempts.len() == 3 && record.workflow.state == State::Calling).await;
    let retry = leads::order(&world.engine, world.client, lead, Command::Retry, "a test", None).await;
    assert!(
        matches!(&retry, Err(OperationError::NotPossible(why)) if why.contains("under way")),
        "{retry:?}"
    );
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: no answer", "bound: busy", "bound: successful"]);
    assert_eq!((record.workflow.counted, record.workflow.tried()), (3, 1));
    world.end().await;
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused_and_changes_nothing() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.scripted(campaign, "+919876543210", [answered()]).await;
    let before = world.finished(lead).await;
    for command in [Command::Pause, Command::Cancel, Command::Resume] {
        let answer = leads::order(&world.engine, world.client, lead, command.clone(), "a test", None).await;
        assert!(matches!(answer, Err(OperationError::NotPossible(_))), "{command:?}: {answer:?}");
    }
    assert_eq!(world.record(lead).await.events, before.events);
    world.end().await;
}

#[tokio::test]
async fn a_lead_that_had_as_many_attempts_as_its_new_rules_allow_is_finished_and_not_called() {
    let world = World::working().await;
    let campaign = world.campaign(json!({ "retry": { "rules": { "no_answer": "2h" } } })).await;
    let lead = world.scripted(campaign, "+919876543210", [Scenario::no_answer(), answered()]).await;
    world.until(lead, |record| record.workflow.counted == 1 && record.workflow.state == State::Waiting).await;
    world.run("insert into campaign_revisions select client_id, campaign_id, 2, jsonb_set(rules, '{retry,max_attempts}', '1'), actor, created_at from campaign_revisions").await;
    world.run("update campaigns set revision = 2").await;
    world.run("update workflows set wake_at = now()").await;
    world.engine.admit(world.client).await.expect("a round");
    let record = world.finished(lead).await;
    assert_eq!(
        (told(&record), record.workflow.outcome),
        (vec!["bound: no answer".into()], Some(Outcome::NoAnswer))
    );
    assert_eq!(record.workflow.why, Why::NoAttemptsLeft { tried: 1, allowed: 1 });
    world.end().await;
}
