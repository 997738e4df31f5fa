//! Limits hold exactly, with any number of processes admitting at once; and they are used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_emulators::exotel::{Quirk, Scenario};
use outdial_jobs::clock::{Clock, DatabaseClock, SetClock};
use outdial_jobs::engine::wake::Signal;
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::judging;
use outdial_jobs::providers::exotel::Settings;
use outdial_jobs::store::StoreError;
use outdial_workflows::Moment;
use outdial_workflows::ids::CampaignId;
use outdial_workflows::input::Command;
use outdial_workflows::judge::LeadRecord;
use outdial_workflows::limits::Limit;
use outdial_workflows::money::Minor;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;
use serde_json::json;
use sqlx::PgConnection;
use tokio::sync::Notify;

use crate::support::world::{Setup, World, phones, settings, soon, told, until};

pub(crate) async fn three_workers(limits: Vec<Limit>) -> World {
    let mut world = World::with(Setup { limits, ..Setup::default() }).await;
    world.work().await;
    world.work_elsewhere().await;
    world.work_elsewhere().await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_calls_are_under_way_at_once_than_account_and_campaign_allow() {
    let world = three_workers(vec![Limit::Concurrent { max: 5 }]).await;
    let narrow = json!({ "limits": [{ "limit": "concurrent", "max": 2 }] });
    let narrow = (world.draft(narrow).await, phones(100, 20));
    let wide = (world.draft(json!({})).await, phones(200, 30));
    for phone in narrow.1.iter().chain(&wide.1) {
        world.carrier.script(phone, [Scenario::answered(Duration::from_secs(10))]);
    }
    world.leads(narrow.0, &narrow.1).await;
    world.leads(wide.0, &wide.1).await;
    world.order(narrow.0, Order::Start).await;
    world.order(wide.0, Order::Start).await;
    world.all_finished().await;
    // The judge looks at each campaign's limit by itself.
    let totals = world.carrier.totals();
    assert_eq!((totals.live_max, totals.accepted), (5, 50));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_calls_are_placed_in_any_second_than_allowed_and_no_fewer() {
    let world = three_workers(vec![Limit::Rate { max: 4, per_ms: 300 }]).await;
    let campaign = world.draft(json!({})).await;
    let phones = phones(1, 32);
    // None ends before all are placed: it is not an end that makes room.
    for phone in &phones {
        world.carrier.script(phone, [Scenario::answered(Duration::from_secs(1_000))]);
    }
    world.leads(campaign, &phones).await;
    world.order(campaign, Order::Start).await;
    soon("all to be placed", world.carrier.until(|totals| totals.accepted == 32)).await;
    let times: Vec<_> = world.carrier.dials().timeline.iter().map(|dial| dial.at).collect();
    for five in times.windows(5) {
        assert!(five[4] - five[0] >= TimeDelta::milliseconds(300), "{five:?}");
    }
    // Eight windows, of which the first begins with the first dial.
    let took = times[31] - times[0];
    assert!(took < TimeDelta::milliseconds(2 * 8 * 300), "the rate is used up: {took}");
    cancel_and_end(world, campaign).await;
}

/// Ends calls that go on and on, and the campaign with them.
async fn cancel_and_end(world: World, campaign: CampaignId) {
    world.order(campaign, Order::Cancel).await;
    for call in world.carrier.calls() {
        world.carrier.proceed(&call.sid);
    }
    world.all_finished().await;
    until_no_jobs(&world).await;
    world.end().await;
}

async fn until_no_jobs(world: &World) {
    until("the queue to be empty", async || world.count("select count(*) from jobs").await == 0).await;
}

#[tokio::test]
async fn more_leads_than_may_be_reserved_at_once_do_not_wait_for_the_next_sweep() {
    // Nobody asks: reads have a budget of their own.
    let settings = Settings { poll_first_ms: 20_000, ask_cap_ms: 20_000, ..settings() };
    let mut world = World::with(Setup { settings, ..Setup::default() }).await;
    world.work().await;
    let campaign = world.draft(json!({})).await;
    let phones = phones(1, 200);
    for phone in &phones {
        world.carrier.script(phone, [Scenario::answered(Duration::from_secs(1_000))]);
    }
    world.leads(campaign, &phones).await;
    let began = tokio::time::Instant::now();
    world.order(campaign, Order::Start).await;
    soon("all to be placed", world.carrier.until(|totals| totals.accepted == 200)).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    for call in world.carrier.calls() {
        world.carrier.proceed(&call.sid);
    }
    world.all_finished().await;
    until_no_jobs(&world).await;
    world.end().await;
}

#[tokio::test]
async fn a_lead_that_is_due_soon_after_a_node_came_up_does_not_wait_for_a_sweep() {
    let mut world = World::new().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876543210").await;
    let due = world.database_time().await + TimeDelta::milliseconds(2_500);
    world.command(lead, Command::Reschedule { at: due }).await;
    // Its signals were heard by nobody who is still there.
    world.engine.hub().take_dirty();
    world.work_elsewhere().await;
    let record = world.finished(lead).await;
    let reserved = record.attempts[0].reserved_at;
    assert!(reserved >= due && reserved - due < TimeDelta::seconds(2), "due {due}, reserved {reserved}");
    world.end().await;
}

#[tokio::test]
async fn leads_that_share_a_number_are_never_on_a_call_at_once() {
    let mut world = World::new().await;
    world.work().await;
    world.work_elsewhere().await;
    let campaigns = [world.draft(json!({})).await, world.draft(json!({})).await];
    let phone = "+919876543210";
    world.carrier.script(
        phone,
        [Scenario::no_answer(), Scenario::busy(), Scenario::answered(Duration::from_secs(60))],
    );
    let mut leads = vec![];
    for campaign in campaigns {
        leads.extend(world.leads(campaign, &[phone.to_owned(), phone.to_owned(), phone.to_owned()]).await);
        world.order(campaign, Order::Start).await;
    }
    // Half a minute is long for a test: who waits for the number looks again at once, over and over.
    let hurry =
        "update workflows set wake_at = now() where state = 'waiting' and why->>'why' = 'number_busy'";
    until("all to finish", async || {
        world.run(hurry).await;
        let unfinished = "select count(*) from workflows where state <> 'finished'";
        world.count(unfinished).await == 0
    })
    .await;
    let counts = &world.carrier.dials().numbers[phone];
    assert_eq!(
        (counts.overlapping_max, counts.accepted),
        (1, 8),
        "six leads; one had no answer, one was busy"
    );
    world.end().await;
}

/// The database's clock, whose first reading is held back until somebody lets it go.
struct Slow {
    read: Notify,
    go: Notify,
    first: AtomicBool,
}

#[async_trait]
impl Clock for Slow {
    async fn now(&self, conn: &mut PgConnection) -> Result<Moment, StoreError> {
        let now = DatabaseClock.now(conn).await?;
        if self.first.swap(false, Ordering::SeqCst) {
            self.read.notify_one();
            self.go.notified().await;
        }
        Ok(now)
    }
}

#[tokio::test]
async fn a_slot_that_is_freed_while_admission_looks_is_not_taken_before_it_was_free() {
    let mut world =
        World::with(Setup { limits: vec![Limit::Concurrent { max: 1 }], ..Setup::default() }).await;
    world.work().await;
    let campaign = world.campaign(json!({})).await;
    let phone = "+919876543210";
    world.carrier.script(phone, [Scenario::answered(Duration::from_secs(1_000))]);
    let first = world.lead(campaign, phone).await;
    let talks =
        |record: &LeadRecord| record.attempts.first().is_some_and(|attempt| attempt.answered_at.is_some());
    world.until(first, talks).await;
    let second = world.lead(campaign, phone).await;
    let clock = Arc::new(Slow { read: Notify::new(), go: Notify::new(), first: AtomicBool::new(true) });
    let elsewhere = world.engine_by(clock.clone()).await;
    let looking = tokio::spawn({
        let (elsewhere, client) = (elsewhere.clone(), world.client);
        async move { elsewhere.admit(client).await.expect("a round") }
    });
    soon("admission to look", clock.read.notified()).await;
    world.carrier.proceed(&world.carrier.calls()[0].sid);
    world.finished(first).await;
    clock.go.notify_one();
    soon("the round", looking).await.expect("it ends");
    world.until(second, talks).await;
    world.carrier.proceed(&world.carrier.calls()[1].sid);
    world.finished(second).await;
    elsewhere.stop().await;
    until_no_jobs(&world).await;
    world.end().await;
}

#[tokio::test]
async fn a_lead_whose_number_is_busy_waits_twice_as_long_each_time() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let campaign = world.campaign(json!({})).await;
    let leads = world.leads(campaign, &[phones(1, 1), phones(1, 1)].concat()).await;
    let round = world.engine.admit(world.client).await.expect("a round");
    assert_eq!((round.looked_at, round.reserved), (2, 1));
    let mut loser = None;
    for lead in leads {
        if world.record(lead).await.workflow.state == State::Waiting {
            loser = Some(lead);
        }
    }
    let loser = loser.expect("one of them lost");
    for minutes in [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0] {
        let workflow = world.record(loser).await.workflow;
        assert_eq!(workflow.why, Why::NumberBusy);
        let wait = workflow.wake_at.map(|at: Moment| (at - clock.read()).as_seconds_f64() / 60.0);
        assert_eq!(wait, Some(minutes));
        clock.advance(workflow.wake_at.expect("a time") - clock.read());
        world.engine.admit(world.client).await.expect("a round");
    }
    let record = world.record(loser).await;
    assert_eq!((told(&record), record.events.len()), (vec![], 1), "a busy number leaves no trace");
    // The other's reservation was never dialled, and is given up; then it is the loser's turn.
    assert_eq!(world.engine.fire_due_timers().await.expect("fired"), 1);
    clock.advance(TimeDelta::minutes(11));
    world.engine.admit(world.client).await.expect("a round");
    world.order(campaign, Order::Cancel).await;
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(world.engine.fire_due_timers().await.expect("fired"), 1);
    world.run("delete from jobs where kind = 'end_campaign.v1'").await;
    world.end().await;
}

#[tokio::test]
async fn every_read_draws_on_the_accounts_share_and_none_that_was_not_made() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let silent = Scenario::answered(Duration::from_secs(20)).with(Quirk::NoCallbacks);
    let lost = silent.clone().with(Quirk::AcceptThenDrop);
    let leads = [
        world.scripted(campaign, "+919876543210", [silent]).await,
        world.scripted(campaign, "+919876543211", [lost]).await,
    ];
    for lead in leads {
        assert_eq!(told(&world.finished(lead).await), ["bound: successful"]);
    }
    until("all jobs to be done", async || world.count("select count(*) from jobs").await == 0).await;
    let reads = i64::try_from(world.carrier.totals().reads).expect("a count");
    assert!(reads > 2, "a lost dial takes two reads, and a call without webhooks more");
    assert_eq!(world.count("select reads::bigint from accounts").await, reads);
    assert_eq!(world.count("select reads_held::bigint from accounts").await, 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_delay_between_calls_is_kept_by_all_processes_together() {
    let world = three_workers(vec![]).await;
    let campaign = world.draft(json!({})).await;
    let (edited, code) = world
        .says(&[
            "campaign",
            "edit",
            &campaign.to_string(),
            "--delay-between-calls",
            "150ms",
            "--calls-per-second",
            "50",
        ])
        .await;
    assert_eq!(code, Some(0), "{edited}");
    world.leads(campaign, &phones(1, 12)).await;
    world.order(campaign, Order::Start).await;
    world.all_finished().await;
    let times: Vec<_> = world.carrier.dials().timeline.iter().map(|dial| dial.at).collect();
    assert!(times.len() >= 12);
    for two in times.windows(2) {
        assert!(two[1] - two[0] >= TimeDelta::milliseconds(150), "{two:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_lead_that_a_limit_holds_back_says_whose() {
    let mut world = World::new().await;
    world.work().await;
    let campaign = world.draft(json!({ "limits": [{ "limit": "concurrent", "max": 1 }] })).await;
    let phones = phones(1, 2);
    for phone in &phones {
        world.carrier.script(phone, [Scenario::answered(Duration::from_secs(1_000))]);
    }
    let leads = world.leads(campaign, &phones).await;
    world.order(campaign, Order::Start).await;
    soon("one to be placed", world.carrier.until(|totals| totals.accepted == 1)).await;
    let mut told = vec![];
    for lead in &leads {
        told.push(world.says(&["lead", "explain", &lead.to_string()]).await.0.to_string());
    }
    let held_back = |text: &&String| text.contains("the limits of its campaign are used up");
    assert_eq!(told.iter().filter(held_back).count(), 1, "{told:?}");
    cancel_and_end(world, campaign).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_calls_are_placed_in_a_day_than_its_money_pays_for() {
    // The emulator's calls cost 0.60 a minute.
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let (per_day, per_call) = (Minor(300), Minor(100));
    let limits = vec![Limit::Spend { per_day, per_call, zone: chrono_tz::Asia::Kolkata }];
    let settings = Settings { price_after_ms: 60_000, ..settings() };
    let setup = Setup { limits, settings, clock: Some(clock.clone()), ..Setup::default() };
    let mut world = World::with(setup).await;
    world.work().await;
    world.work_elsewhere().await;
    let campaign = world.campaign(json!({})).await;
    let phones = phones(1, 9);
    for phone in &phones {
        world.carrier.script(phone, [Scenario::answered(Duration::from_secs(30))]);
    }
    let leads = world.leads(campaign, &phones).await;
    soon("three calls", world.carrier.until(|totals| totals.accepted == 3)).await;
    let finished = "select count(*) from workflows where state = 'finished'";
    until("their ends", async || world.count(finished).await == 3).await;
    let mut waiting = vec![];
    for lead in &leads {
        waiting.extend(
            judging::explain_lead(&world.engine, world.client, *lead)
                .await
                .expect("told")
                .next
                .map(|next| next.what),
        );
    }
    assert_eq!(waiting.len(), 6);
    assert!(
        waiting.iter().all(|says| says.contains("what its account may spend in a day is spent")),
        "{waiting:?}"
    );
    // They cost 1.80 and not 3.00, so one more is paid for; it costs 0.60 too, and 0.60 pay for none.
    priced(&mut world, &clock, 3).await;
    soon("a fourth call", world.carrier.until(|totals| totals.accepted == 4)).await;
    until("its end", async || world.count(finished).await == 4).await;
    priced(&mut world, &clock, 4).await;
    assert_eq!(world.count("select sum(cost_micros)::bigint from attempts").await, 2_400_000);
    assert_eq!(world.carrier.totals().accepted, 4);
    // Another day by the clock of Kolkata.
    clock.advance(TimeDelta::hours(13));
    world.engine.hub().signal(world.client, Signal { jobs: false, admission: true });
    soon("three more", world.carrier.until(|totals| totals.accepted == 7)).await;
    until("their ends", async || world.count(finished).await == 7).await;
    clock.advance(TimeDelta::hours(24));
    world.engine.hub().signal(world.client, Signal { jobs: false, admission: true });
    world.all_finished().await;
    world.end().await;
}

/// Waits until the sweep has found out what so many calls cost.
async fn priced(world: &mut World, clock: &SetClock, calls: i64) {
    clock.advance(TimeDelta::minutes(2));
    world.work_elsewhere().await;
    let known = "select count(*) from attempts where cost_micros is not null";
    until("the prices", async || world.count(known).await == calls).await;
}
