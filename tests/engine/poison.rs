//! A row that cannot be processed is put aside with its error, and holds up nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::future::join_all;
use outdial_emulators::exotel::Scenario;
use outdial_jobs::clock::{Clock, DatabaseClock};
use outdial_jobs::engine::{Engine, EngineError};
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::{leads, setup};
use outdial_jobs::store::{self, StoreError};
use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, LeadId};
use outdial_workflows::input::{Command, Input};
use outdial_workflows::outcome::Outcome;
use serde_json::json;
use sqlx::PgConnection;

use crate::support::world::{Setup, World, phones, soon, told, until};

/// From now on, no commit may bring these leads into this state: to the engine, a data error.
async fn forbid(world: &World, leads: &[LeadId], state: &str) {
    let leads: Vec<String> = leads.iter().map(|lead| format!("'{lead}'")).collect();
    let check = format!("state <> '{state}' or lead_id not in ({})", leads.join(", "));
    world.run(&format!("alter table workflows add constraint poisoned check ({check})")).await;
}

/// Mends what [`forbid`] broke, and lets the leads go on.
async fn mend(world: &World, leads: &[LeadId]) {
    world.run("alter table workflows drop constraint poisoned").await;
    release(world, leads).await;
}

async fn release(world: &World, leads: &[LeadId]) {
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let now = world.database_time().await;
    for lead in leads {
        store::quarantine::release(&mut conn, world.client, *lead, now).await.expect("released");
    }
}

/// Runs the sweeps now: a worker that starts runs those that are due.
async fn sweep(world: &mut World) {
    world.run("update schedules set next_at = now() - interval '1 second'").await;
    world.work_elsewhere().await;
}

async fn until_aside(world: &World, leads: usize) {
    until("leads to be put aside", async || {
        let aside = world.count("select count(*) from workflows where quarantined").await;
        usize::try_from(aside).expect("a count") == leads
    })
    .await;
}

async fn until_others_finished(world: &World) {
    until("the others to finish", async || {
        let query = "select count(*) from workflows where state <> 'finished' and not quarantined";
        world.count(query).await == 0
    })
    .await;
}

#[tokio::test]
async fn a_lead_from_a_newer_version_is_put_aside_and_all_others_are_called() {
    let mut world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let leads = world.leads(campaign, &phones(1, 30)).await;
    let newer = r#"update workflows set why = '{"why": "from_a_newer_version"}' where lead_id = "#;
    world.run(&format!("{newer} '{}'", leads[17])).await;
    world.order(campaign, Order::Start).await;
    until_aside(&world, 1).await;
    until_others_finished(&world).await;
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let aside = store::quarantine::open(&mut conn, 10).await.expect("listed");
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].lead_id, Some(leads[17].0));
    assert!(aside[0].error.contains("from_a_newer_version"), "{}", aside[0].error);
    // The newer version comes back and knows what to do with it.
    world.run(r#"update workflows set why = '{"why": "new"}' where quarantined"#).await;
    let now = world.database_time().await;
    store::quarantine::release(&mut conn, world.client, leads[17], now).await.expect("released");
    drop(conn);
    world.finished(leads[17]).await;
    sweep(&mut world).await;
    world.end().await;
}

#[tokio::test]
async fn a_lead_that_cannot_be_written_is_put_aside_at_whatever_step_and_goes_on_once_mended() {
    for state in ["dialling", "calling", "finished"] {
        let mut world = World::working().await;
        let campaign = world.draft(json!({})).await;
        let leads = world.leads(campaign, &phones(1, 30)).await;
        forbid(&world, &leads[7..9], state).await;
        world.order(campaign, Order::Start).await;
        until_aside(&world, 2).await;
        until_others_finished(&world).await;
        assert_eq!(world.carrier.totals().callbacks_lost, 0, "{state}: news is taken in and kept");
        mend(&world, &leads[7..9]).await;
        sweep(&mut world).await;
        for lead in &leads[7..9] {
            let record = world.finished(*lead).await;
            assert_eq!(record.workflow.outcome, Some(Outcome::Successful), "{state}: {:?}", told(&record));
            assert_eq!(record.workflow.counted, 1, "{state}: {:?}", told(&record));
        }
        assert_eq!(world.carrier.totals().accepted, 30, "{state}");
        world.end().await;
    }
}

#[tokio::test]
async fn news_of_a_lead_that_was_put_aside_waits_in_the_inbox() {
    let mut world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let lead = world
        .scripted(campaign, "+919876543210", [Scenario::busy(), Scenario::answered(Duration::from_secs(5))])
        .await;
    forbid(&world, &[lead], "calling").await;
    world.order(campaign, Order::Start).await;
    until_aside(&world, 1).await;
    let open = "select count(*) from webhook_inbox where applied_at is null";
    // The reply on which it failed, and the callbacks.
    until("the news to be kept", async || world.count(open).await >= 2).await;
    until("the call to end", async || world.carrier.totals().finished == 1).await;
    let held = "select count(*) from attempts where live";
    assert_eq!(world.count(held).await, 1, "its attempt keeps its slot and its number");
    mend(&world, &[lead]).await;
    sweep(&mut world).await;
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: busy", "bound: successful"]);
    until("all news to be applied", async || world.count(open).await == 0).await;
    world.end().await;
}

async fn pause(engine: &Engine, client: ClientId, lead: LeadId) -> Result<(), OperationError> {
    leads::order(engine, client, lead, Command::Pause, "a test", None).await.map(drop)
}

/// Whether a client's commits go on: an input for nobody is turned down at once.
async fn commits(engine: &Engine, client: ClientId) -> bool {
    let nobody = LeadId(uuid::Uuid::from_u128(7));
    let input = engine.input(client, nobody, Input::Timer, None);
    // Long for a commit, and short against the minute that a client rests.
    match tokio::time::timeout(Duration::from_secs(1), input).await {
        Ok(answer) => matches!(answer, Err(EngineError::NoSuchLead(_))),
        Err(_) => false,
    }
}

#[tokio::test]
async fn past_twenty_leads_put_aside_within_a_minute_a_clients_commits_rest() {
    for at_once in [true, false] {
        let world = World::new().await;
        let campaign = world.draft(json!({})).await;
        let leads = world.leads(campaign, &phones(1, 21)).await;
        forbid(&world, &leads, "held").await;
        let other = setup::create_client(&world.engine, "Another").await.expect("a client");
        assert!(commits(&world.engine, world.client).await);
        let orders = leads.iter().map(|lead| pause(&world.engine, world.client, *lead));
        let answers = if at_once {
            join_all(orders).await
        } else {
            let mut answers = vec![];
            for order in orders {
                answers.push(order.await);
            }
            answers
        };
        for answer in answers {
            let put_aside = matches!(answer, Err(OperationError::Engine(EngineError::Quarantined(ref error))) if error.contains("poisoned"));
            assert!(put_aside, "{answer:?}");
        }
        assert!(!commits(&world.engine, world.client).await, "at once: {at_once}");
        assert!(commits(&world.engine, other).await, "another client is not held up");
        let elsewhere = world.another_engine().await;
        assert!(commits(&elsewhere, world.client).await, "another process judges for itself");
        // A process that stops does not wait for the minute.
        world.engine.stop().await;
        mend(&world, &leads).await;
        world.end().await;
    }
}

#[tokio::test]
async fn an_order_for_a_lead_that_was_put_aside_is_refused_and_not_swallowed() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, "+919876543210").await;
    forbid(&world, &[lead], "held").await;
    pause(&world.engine, world.client, lead).await.expect_err("put aside");
    let again = pause(&world.engine, world.client, lead).await;
    assert!(
        matches!(&again, Err(OperationError::NotPossible(why)) if why.contains("quarantine")),
        "{again:?}"
    );
    mend(&world, &[lead]).await;
    pause(&world.engine, world.client, lead).await.expect("held");
    world.end().await;
}

#[tokio::test]
async fn a_lead_that_is_released_after_its_campaign_ended_is_finished_too() {
    let mut world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let leads = world.leads(campaign, &phones(1, 5)).await;
    forbid(&world, &leads[2..3], "finished").await;
    world.order(campaign, Order::Cancel).await;
    until_aside(&world, 1).await;
    until_others_finished(&world).await;
    until("the bulk job to be done", async || world.count("select count(*) from jobs").await == 0).await;
    mend(&world, &leads[2..3]).await;
    sweep(&mut world).await;
    world.finished(leads[2]).await;
    world.end().await;
}

/// The database's clock, which panics once when told to.
#[derive(Default)]
struct Faulty(AtomicBool);

#[async_trait]
impl Clock for Faulty {
    async fn now(&self, conn: &mut PgConnection) -> Result<Moment, StoreError> {
        assert!(!self.0.swap(false, Ordering::SeqCst), "the clock stops, as it was told to");
        DatabaseClock.now(conn).await
    }
}

#[tokio::test]
async fn a_lead_whose_processing_panics_is_put_aside_like_any_other() {
    let clock = Arc::new(Faulty::default());
    let world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, "+919876543210").await;
    clock.0.store(true, Ordering::SeqCst);
    let panicked = soon("an answer", pause(&world.engine, world.client, lead)).await;
    let error = panicked.expect_err("put aside").to_string();
    assert!(error.contains("as it was told to"), "{error}");
    release(&world, &[lead]).await;
    soon("an answer", pause(&world.engine, world.client, lead)).await.expect("held");
    world.end().await;
}

/// Timers of all clients are fired by one loop, and a resting client's are not waited for.
#[tokio::test]
async fn a_client_whose_commits_rest_does_not_hold_up_the_timers_of_others() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let campaign = world.campaign(json!({})).await;
    let leads = world.leads(campaign, &phones(1, 21)).await;
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 21);
    forbid(&world, &leads, "waiting").await;
    clock.advance(TimeDelta::seconds(6));
    assert_eq!(soon("the timers", world.engine.fire_due_timers()).await.expect("fired"), 21);
    until_aside(&world, 21).await;
    assert!(!commits(&world.engine, world.client).await);
    // Two more leads, and their timers find the client resting.
    let elsewhere = world.another_engine().await;
    world.leads(campaign, &phones(100, 2)).await;
    assert_eq!(elsewhere.admit(world.client).await.expect("a round").reserved, 2);
    clock.advance(TimeDelta::seconds(6));
    let fired = tokio::time::timeout(Duration::from_secs(5), world.engine.fire_due_timers()).await;
    assert!(fired.is_ok(), "what is due of a resting client waits, and nobody waits for it");
    world.engine.stop().await;
    mend(&world, &leads).await;
    elsewhere.fire_due_timers().await.expect("fired");
    elsewhere.stop().await;
    world.end().await;
}

/// A batch of timers that makes a client rest is not waited for either.
#[tokio::test]
async fn a_sweep_does_not_wait_for_a_client_whose_commits_begin_to_rest_meanwhile() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let campaign = world.campaign(json!({})).await;
    let leads = world.leads(campaign, &phones(1, 30)).await;
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 30);
    forbid(&world, &leads, "waiting").await;
    clock.advance(TimeDelta::seconds(6));
    let fired = tokio::time::timeout(Duration::from_secs(20), world.engine.fire_due_timers()).await;
    assert_eq!(fired.expect("less than the minute that the client rests").expect("fired"), 30);
    until_aside(&world, 21).await;
    // What is due of it is not even looked at, so that it cannot hide what is due of others.
    assert_eq!(world.engine.fire_due_timers().await.expect("fired"), 0);
    world.engine.stop().await;
    mend(&world, &leads).await;
    let elsewhere = world.another_engine().await;
    elsewhere.fire_due_timers().await.expect("fired");
    elsewhere.stop().await;
    world.end().await;
}
