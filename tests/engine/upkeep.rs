//! What happens by itself: timers, sweeps, counts.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use outdial_emulators::exotel::{Config, Fallback, Scenario};
use outdial_jobs::operations::campaigns::{self, Order};
use outdial_jobs::store;
use outdial_workflows::Moment;
use outdial_workflows::call::Source;
use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::Input;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;
use serde_json::json;

use crate::support::world::{SPEED, Setup, World, phones, told, until};

#[tokio::test]
async fn a_reservation_that_nobody_dials_is_withdrawn_with_its_job() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876543210").await;
    // Each time the lead rests twice as long.
    for (round, rest) in [(1, 1), (2, 2), (3, 4)] {
        assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 1);
        assert_eq!(world.count("select count(*) from jobs where kind = 'dial.v1'").await, 1);
        clock.advance(TimeDelta::milliseconds(4_999));
        assert_eq!(world.engine.fire_due_timers().await.expect("fired"), 0);
        clock.advance(TimeDelta::milliseconds(1));
        assert_eq!(world.engine.fire_due_timers().await.expect("fired"), 1);
        assert_eq!(world.count("select count(*) from jobs").await, 0);
        let record = world.record(lead).await;
        assert_eq!(told(&record), vec!["withdrawn, not counted"; round]);
        assert!(matches!(record.workflow.why, Why::TooLate { .. }), "{:?}", record.workflow.why);
        assert_eq!(record.workflow.wake_at, Some(clock.read() + TimeDelta::seconds(rest)));
        assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0);
        clock.advance(TimeDelta::seconds(rest));
    }
    assert_eq!(world.carrier.totals().requests, 0);
    world.end().await;
}

#[tokio::test]
async fn a_result_that_comes_while_the_call_settles_is_its_outcome() {
    let world = World::working().await;
    let campaign = world.campaign(json!({ "settle_ms": 1_000 })).await;
    let answered = || [Scenario::answered(Duration::from_secs(5))];
    let silent = world.scripted(campaign, "+919876543210", answered()).await;
    let told_off = world.scripted(campaign, "+919876543211", answered()).await;
    let settling = world.until(told_off, |record| record.workflow.state == State::Settling).await;
    assert_eq!(settling.attempts[0].outcome, None);
    let outcome = Outcome::DoNotCall;
    let verdict = Input::Verdict { attempt: AttemptNumber::FIRST, outcome, source: Source::Webhook };
    world.engine.input(world.client, told_off, verdict, None).await.expect("taken in");
    assert_eq!(told(&world.finished(told_off).await), ["bound: do not call"]);
    assert_eq!(told(&world.finished(silent).await), ["bound: successful"]);
    // Their number is on the client's list from then on.
    let again = world.lead(campaign, "+919876543211").await;
    let again = world.finished(again).await;
    assert_eq!((told(&again), again.workflow.outcome), (vec![], Some(Outcome::DoNotCall)));
    world.end().await;
}

#[tokio::test]
async fn events_go_into_the_partition_of_their_month() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876543210").await;
    world.finished(lead).await;
    let partitions = "select count(*) from pg_inherits where inhparent = 'workflow_events'::regclass";
    assert_eq!(world.count(partitions).await, 5, "this month, three ahead, and the default");
    assert_eq!(world.count("select count(*) from workflow_events_default").await, 0);
    world.end().await;
}

#[tokio::test]
async fn the_request_of_a_resolved_attempt_is_erased_after_a_day_and_not_sooner() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    world.work().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876543210").await;
    world.finished(lead).await;
    // Kept are those of carriers that tell copies apart, which Exotel does not.
    assert_eq!(world.count("select count(*) from dial_requests").await, 0);
    world
        .run(
            "insert into dial_requests (client_id, lead_id, number, submitted_at, body)
            select client_id, lead_id, number, submitted_at, 'From=' from attempts",
        )
        .await;
    let bodies = "select count(*) from dial_requests";
    let runs = "select extract(epoch from last_at)::bigint from schedules where name = 'prune'";
    for (by, left) in [(TimeDelta::hours(24), 1), (TimeDelta::seconds(301), 0)] {
        clock.advance(by);
        world.work_elsewhere().await;
        until("the sweep", async || world.count(runs).await == clock.read().timestamp()).await;
        until("it to end", async || {
            world.count("select count(*) from schedules where name = 'prune' and last_ms is not null").await
                == 1
        })
        .await;
        until("bodies to be as they should", async || world.count(bodies).await == left).await;
    }
    world.end().await;
}

#[tokio::test]
async fn statistics_say_what_a_recount_says() {
    let carrier = Config { fallback: Fallback::Mix, speed: 3.0 * SPEED, ..Setup::default().carrier };
    let mut world = World::with(Setup { carrier, ..Setup::default() }).await;
    world.work().await;
    world.work_elsewhere().await;
    let campaign = world.campaign(json!({ "call_time_limit_s": 200 })).await;
    world.leads(campaign, &phones(1, 100)).await;
    world.carrier.until(|totals| totals.finished > 30).await;
    world.order(campaign, Order::Cancel).await;
    world.all_finished().await;
    let status = campaigns::status(&world.engine, world.client, campaign).await.expect("a status");
    assert_eq!((status.leads, status.finished), (100, 100));
    let recount: Vec<(String, i64)> = sqlx::query_as(
        "select coalesce(outcome::text, 'cancelled'), count(*) from workflows group by 1 order by 1",
    )
    .fetch_all(world.db.pool())
    .await
    .expect("counted");
    let told: BTreeMap<String, i64> = status.by_outcome.into_iter().collect();
    assert_eq!(told, recount.into_iter().collect());
    assert_eq!(status.by_state, BTreeMap::from([("finished".to_owned(), 100)]));
    // Rolled up, they still say the same.
    until("the roll-up", async || world.count("select count(*) from statistics_deltas").await == 0).await;
    let rolled = campaigns::status(&world.engine, world.client, campaign).await.expect("a status");
    assert_eq!((rolled.leads, rolled.finished), (100, 100));
    until("the bulk job to be done", async || world.count("select count(*) from jobs").await == 0).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_a_schedule_is_claimed_by_one_process_only() {
    let world = World::new().await;
    let due: Moment = sqlx::query_scalar("select next_at from schedules where name = 'prune'")
        .fetch_one(world.db.pool())
        .await
        .expect("it is there");
    let claims = (0..20).map(|n| {
        let pool = world.db.pool().clone();
        tokio::spawn(async move {
            let mut conn = pool.acquire().await.expect("a connection");
            let next = due + TimeDelta::seconds(60 + n);
            store::schedules::claim(&mut conn, "prune", due, next, due).await.expect("asked")
        })
    });
    let claims = join_all(claims).await;
    assert_eq!(claims.into_iter().filter(|claimed| matches!(claimed, Ok(true))).count(), 1);
    world.end().await;
}

/// Notes each claim of a schedule's run, and each run.
async fn watch_schedules(world: &World) {
    for statement in [
        "create table claims (name text, due timestamptz)",
        "create table runs (name text)",
        "create function claimed() returns trigger language plpgsql as
            $$ begin insert into claims values (old.name, old.next_at); return new; end $$",
        "create function ran() returns trigger language plpgsql as
            $$ begin insert into runs values (new.name); return new; end $$",
        "create trigger claimed after update of next_at on schedules for each row execute function claimed()",
        "create trigger ran after update of last_ms on schedules for each row execute function ran()",
    ] {
        world.run(statement).await;
    }
}

#[tokio::test]
async fn of_two_processes_that_find_a_run_due_one_runs_it() {
    let mut world = World::new().await;
    // Every second, to both at the same moment; the others stay out of it.
    world.run("update schedules set next_at = now() + interval '1 day' where name <> 'inbox'").await;
    world.run("update schedules set cron = '* * * * * *' where name = 'inbox'").await;
    watch_schedules(&world).await;
    world.work().await;
    world.work_elsewhere().await;
    until("some runs", async || world.count("select count(*) from claims").await >= 5).await;
    world.settle().await;
    let claims = world.count("select count(*) from claims").await;
    assert_eq!(world.count("select count(distinct due) from claims").await, claims, "each by one of them");
    // A run that finds nothing is noted once by each process, and not again and again.
    assert!((1..=2).contains(&world.count("select count(*) from runs").await));
}

#[tokio::test]
async fn a_missed_run_is_made_up_for_once_or_skipped_as_its_schedule_says() {
    let mut world = World::new().await;
    // No further run comes in the middle of the test.
    world.run("update schedules set cron = '0 0 0 1 1 *', next_at = now() + interval '1 day'").await;
    for (name, missed, late) in
        [("prune", "once", "3 days"), ("inbox", "skip", "3 days"), ("stale_calls", "skip", "20 seconds")]
    {
        let set = format!("missed = '{missed}', next_at = now() - interval '{late}'");
        world.run(&format!("update schedules set {set} where name = '{name}'")).await;
    }
    watch_schedules(&world).await;
    world.work().await;
    until("all three to be claimed", async || world.count("select count(*) from claims").await == 3).await;
    world.settle().await;
    let runs: Vec<String> = sqlx::query_scalar("select name from runs order by name")
        .fetch_all(world.db.pool())
        .await
        .expect("listed");
    assert_eq!(runs, ["prune", "stale_calls"], "what was missed by less than a minute is merely late");
    assert_eq!(world.count("select count(*) from schedules where next_at < now()").await, 0);
    assert_eq!(world.count("select count(*) from claims").await, 3);
}
