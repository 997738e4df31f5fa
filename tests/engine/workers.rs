//! What a process takes on: no more than it can begin at once, and nothing while its clock is off.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::FutureExt;
use outdial_jobs::node::{self, Node};
use outdial_jobs::operations::bulk::{self, Filter};
use outdial_jobs::operations::{By, kinds};
use outdial_jobs::queue::Pace;
use outdial_jobs::store::bulk::BulkState;
use outdial_jobs::worker::{Kinds, Worker};
use outdial_workflows::history::Event;
use outdial_workflows::input::Command;
use outdial_workflows::workflow::Priority;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::queue::{by_signal, pace};
use crate::support::world::{self, World, until};

#[tokio::test]
async fn a_lead_is_admitted_once_the_process_has_a_free_slot_and_its_job_is_claimed_as_it_is_queued() {
    static GATE: Semaphore = Semaphore::const_new(0);
    let gated = Kinds {
        slots: vec![("dial.v1", 1), ("await_status.v1", 1)],
        tries: Kinds::registered().tries,
        run: |kind, args, ctx| {
            let wait = async move {
                let _open = GATE.acquire().await;
                (Kinds::registered().run)(kind, args, ctx).await
            };
            wait.boxed()
        },
    };
    let world = World::new().await;
    let campaign = world.campaign(json!({})).await;
    // A lease that is renewed makes its row younger.
    let pace = Pace { lease: TimeDelta::minutes(10), renew: Duration::from_secs(300), ..by_signal() };
    let worker = world::start(&world.db, world.another_engine().await, gated, pace).await;
    world.leads(campaign, &world::phones(1, 2)).await;
    until("one to be queued", async || world.count("select count(*) from jobs").await == 1).await;
    // A row that is claimed later is younger than its attempt's.
    let born_claimed = "select count(*) from jobs j join attempts a using (client_id, lead_id, number)
        where j.xmin = a.xmin and j.lease_owner is not null and j.tries = 1";
    assert_eq!(world.count(born_claimed).await, 1);
    assert_eq!(world.count("select count(*) from workflows where state = 'waiting'").await, 1);
    GATE.add_permits(100);
    world.all_finished().await;
    worker.drain().await;
    world.end().await;
}

#[tokio::test]
async fn a_node_whose_clock_is_off_dials_nobody_until_it_is_set() {
    static OFF_MS: AtomicI64 = AtomicI64::new(1_500);
    let world = World::new().await;
    let campaign = world.campaign(json!({})).await;
    let engine = world.another_engine().await;
    let wall = || node::wall() + TimeDelta::milliseconds(OFF_MS.load(Ordering::Relaxed));
    let here = Node { wall, ..world::node_of(&engine) };
    let pool = world::pool(&world.db, 3);
    let worker = Worker::start_with(engine.clone(), here, pool, Kinds::registered(), pace()).await;
    let worker = worker.expect("it starts");
    let lead = world.lead(campaign, "+919876543210").await;
    assert_eq!(engine.admit(world.client).await.expect("looked").reserved, 0);
    // What another node reserved is given back, not sent.
    assert_eq!(world.engine.admit(world.client).await.expect("looked").reserved, 1);
    let given_back = "select count(*) from jobs where last_error like 'to be run again%' and tries = 0";
    until("the job to be given back", async || world.count(given_back).await == 1).await;
    assert!(world.carrier.dials().timeline.is_empty());
    OFF_MS.store(0, Ordering::Relaxed);
    world.finished(lead).await;
    worker.drain().await;
    world.end().await;
}

#[tokio::test]
async fn what_a_stopping_process_submitted_and_did_not_send_is_said_so_and_dialled_by_another() {
    // Its workers begin their jobs, and never come to send anything.
    let stuck = Kinds {
        slots: vec![("dial.v1", 4)],
        tries: Kinds::registered().tries,
        run: |_, _, _| std::future::pending().boxed(),
    };
    let mut world = World::new().await;
    let campaign = world.campaign(json!({})).await;
    let soon_over = Pace { drain: Duration::from_millis(50), ..by_signal() };
    let worker = world::start(&world.db, world.another_engine().await, stuck, soon_over).await;
    let lead = world.lead(campaign, "+919876543210").await;
    let standing = |ledger: &str| format!("select count(*) from attempts where ledger = '{ledger}'");
    until("it to be submitted", async || world.count(&standing("submitted")).await == 1).await;
    worker.drain().await;
    assert_eq!(world.count(&standing("refused")).await, 1, "nobody has to ask the carrier");
    assert!(world.carrier.dials().timeline.is_empty());
    world.work().await;
    let record = world.finished(lead).await;
    let asked = |event: &Event| matches!(event, Event::BecameUnknown { .. });
    assert!(!record.events.iter().any(|recorded| asked(&recorded.event)), "{record:?}");
    assert_eq!(world.carrier.totals().accepted, 1);
    world.end().await;
}

#[tokio::test]
async fn jobs_of_a_paused_kind_wait_until_it_is_resumed_and_all_others_run() {
    let by = By { actor: "asha", reason: Some("the model is down") };
    let mut world = World::new().await;
    let engine = world.another_engine().await;
    // Nobody looks again without a signal.
    let worker = world::start(&world.db, engine.clone(), Kinds::registered(), by_signal()).await;
    kinds::pause(&engine, "bulk.v1", by).await.expect("paused");
    kinds::pause(&engine, "bulk.v1", By { actor: "bela", reason: None }).await.expect("it is so already");
    let campaign = world.campaign(json!({})).await;
    let leads = world.leads(campaign, &world::phones(1, 2)).await;
    let filter = Filter { campaign: Some(campaign), ..Filter::default() };
    let low = Command::Prioritise { priority: Priority::Low };
    let ordered = bulk::order(&engine, world.client, &filter, low, "asha", None).await.expect("ordered");
    for lead in leads {
        world.finished(lead).await;
    }
    let waiting = "select count(*) from jobs where kind = 'bulk.v1' and lease_owner is null and tries = 0";
    assert_eq!(world.count(waiting).await, 1);
    let listed = kinds::list(&engine).await.expect("listed");
    let paused: Vec<_> = listed.iter().filter(|kind| kind.paused_at.is_some()).collect();
    let told = paused.iter().map(|kind| (&*kind.kind, kind.paused_by.as_deref(), kind.reason.as_deref()));
    assert_eq!(told.collect::<Vec<_>>(), [("bulk.v1", Some("asha"), Some("the model is down"))]);
    kinds::resume(&engine, "bulk.v1", by).await.expect("resumed");
    until("the order to be carried out", async || {
        let operation = bulk::find(&world.engine, &ordered.id.to_string()).await.expect("there");
        operation.state == BulkState::Done
    })
    .await;
    let audited =
        "select count(*) from audit where subject = 'kind of job' and details ->> 'kind' = 'bulk.v1'";
    assert_eq!(world.count(audited).await, 2, "who found it so changed nothing");
    let refused = kinds::pause(&engine, "dial.v1", by).await.expect_err("it begins by itself");
    assert!(refused.to_string().contains("pause the client, account or campaign"), "{refused}");
    kinds::pause(&engine, "dail.v1", by).await.expect_err("there is no such kind");
    worker.drain().await;
    world.settle().await;
}
