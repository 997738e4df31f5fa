//! What is too old goes, what the promises stand on stays, and what is gone is told as gone.

use std::sync::Arc;

use chrono::TimeDelta;
use outdial_jobs::clock::SetClock;
use outdial_jobs::operations::exports::{Export, What};
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_jobs::operations::retention;
use outdial_jobs::store;
use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, id_floor};
use outdial_workflows::retention::{Kept, Kind, Retention};
use serde_json::json;

use crate::support::world::{Setup, World, phones, until};

const MONTHS: &str = "select count(*) from pg_inherits where inhparent = 'workflow_events'::regclass";
const EVENTS: &str = "select count(*) from workflow_events";

fn to(clock: &SetClock, time: &str) {
    let time: Moment = time.parse().expect("a time");
    clock.advance(time - clock.read());
}

/// A world at this time, which sweeps when it is told to, and in which everything but the audit is kept for 31 days.
async fn at(time: &str) -> (World, Arc<SetClock>) {
    let clock = Setup::clock_at(time);
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    store::installation::key_fingerprint(&mut conn, "a key", clock.read()).await.expect("installed");
    drop(conn);
    world.run("update schedules set next_at = '2100-01-01' where name = 'retention'").await;
    world.work().await;
    let short = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Audit);
    let month = |kept: Retention, kind| kept.with(kind, Kept::days(kind, 31).expect("long enough"));
    world.engine.keep_for(short.fold(Retention::default(), month));
    (world, clock)
}

/// How many things of a kind were removed.
async fn sweep(world: &World, now: Moment, kind: Kind) -> u64 {
    retention::sweep(&world.engine, now).await.expect("swept")[&kind]
}

/// Three people who were called.
async fn called(world: &World) -> CampaignId {
    let campaign = world.campaign(json!({})).await;
    world.leads(campaign, &phones(1, 3)).await;
    world.all_finished().await;
    campaign
}

#[tokio::test]
async fn a_month_of_the_history_is_dropped_once_all_of_it_is_too_old_and_told_as_gone() {
    let (mut world, clock) = at("2026-01-14T06:30:00Z").await;
    let campaign = called(&world).await;
    let old = world.lead(campaign, "+919876543210").await;
    world.finished(old).await;
    world.stop_workers().await;
    let (months, events) = (world.count(MONTHS).await, world.count(EVENTS).await);
    // January ends, and is too old 31 days later, and not a moment sooner.
    to(&clock, "2026-03-03T23:59:59Z");
    assert_eq!(sweep(&world, clock.read(), Kind::History).await, 0);
    assert_eq!((world.count(MONTHS).await, world.count(EVENTS).await), (months, events));
    clock.advance(TimeDelta::seconds(1));
    let planned = retention::standing(&world.engine, world.engine.retention()).await.expect("told");
    let history = planned.iter().find(|standing| standing.kind == Kind::History).expect("there");
    assert_eq!(history.partitions, ["workflow_events_2026_01"]);
    assert_eq!(world.count(MONTHS).await, months, "looking removes nothing");
    assert!(planned.iter().all(|standing| standing.bytes > 0), "a table is larger than nothing: {planned:?}");
    assert_eq!(sweep(&world, clock.read(), Kind::History).await, 1);
    assert_eq!((world.count(MONTHS).await, world.count(EVENTS).await), (months - 1, 0));
    // Nobody is accused of what cannot be known any more, and the ledger has everything.
    let verdict = judging::judge(&world.engine, &Evidence::default(), |_| {}).await.expect("judged");
    assert!(verdict.kept(), "{verdict}");
    assert_eq!((verdict.past, verdict.leads), (4, 0));
    let told = judging::explain_lead(&world.engine, world.client, old).await.expect("told");
    assert_eq!(told.history_since, Some("2026-02-01T00:00:00Z".parse().expect("a time")));
    assert_eq!((told.history.len(), told.attempts.len()), (0, 1));
    assert!(told.to_string().contains("no longer kept: what happened before Sun 01 Feb 2026"), "{told}");
    assert_eq!(world.count("select count(*) from attempts").await, 4);
    world.end().await;
}

#[tokio::test]
async fn who_was_accepted_later_is_judged_as_ever() {
    let (mut world, clock) = at("2026-01-14T06:30:00Z").await;
    called(&world).await;
    to(&clock, "2026-03-10T06:30:00Z");
    assert_eq!(sweep(&world, clock.read(), Kind::History).await, 1);
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876543210").await;
    world.finished(lead).await;
    let judged = async || judging::judge(&world.engine, &Evidence::default(), |_| {}).await.expect("judged");
    let verdict = judged().await;
    assert_eq!((verdict.past, verdict.leads, verdict.kept()), (3, 1, true), "{verdict}");
    // A history that was lost otherwise is not taken for one that was removed.
    world.run(&format!("delete from workflow_events where lead_id = '{lead}'")).await;
    assert!(!judged().await.kept());
    world.settle().await;
}

#[tokio::test]
async fn a_month_that_somebody_reads_is_left_for_the_next_time() {
    let (world, clock) = at("2026-01-14T06:30:00Z").await;
    called(&world).await;
    to(&clock, "2026-03-10T06:30:00Z");
    let mut backup = world.db.pool().begin().await.expect("begun");
    sqlx::query("select count(*) from workflow_events_2026_01").execute(&mut *backup).await.expect("read");
    let months = world.count(MONTHS).await;
    assert_eq!(sweep(&world, clock.read(), Kind::History).await, 0);
    assert_eq!(world.count(MONTHS).await, months);
    assert_eq!(world.count("select count(*) from installation where history_since is null").await, 1);
    backup.rollback().await.expect("ended");
    assert_eq!(sweep(&world, clock.read(), Kind::History).await, 1);
    world.end().await;
}

#[tokio::test]
async fn what_went_to_the_default_partition_goes_by_its_age_too() {
    let (world, clock) = at("2026-01-14T06:30:00Z").await;
    let now = clock.read();
    for (days, seq) in [(40, 1), (30, 2)] {
        let time = now - TimeDelta::days(days);
        let lead = id_floor(time);
        world
            .run(&format!(
                "insert into workflow_events values ('{}', '{lead}', {seq}, '{time}', '[]')",
                world.client
            ))
            .await;
    }
    assert_eq!(world.count("select count(*) from workflow_events_default").await, 2);
    assert_eq!(sweep(&world, now, Kind::History).await, 1);
    assert_eq!(world.count("select min(seq) from workflow_events_default").await, 2);
    world.end().await;
}

#[tokio::test]
async fn what_calls_yielded_goes_with_its_age_and_the_export_says_so() {
    let (world, clock) = at("2026-01-14T06:30:00Z").await;
    let campaign = called(&world).await;
    world
        .run(
            r#"insert into call_results (client_id, lead_id, number, results, updated_at)
            select client_id, lead_id, number, '{"transcript": [{"text": "Hello"}]}',
                ended_at + row_number() over (order by lead_id) * interval '1 day' from attempts"#,
        )
        .await;
    let rows = async || {
        let mut export = Export::new(world.client, campaign, What::Transcripts);
        let mut rows = vec![];
        while let Some(page) = export.next(&world.engine).await.expect("read") {
            rows.extend(page);
        }
        rows
    };
    assert!(rows().await.iter().all(|row| row["kept_since"].is_null() && row["transcript"].is_array()));
    // The third was added to last.
    clock.advance(TimeDelta::days(33) + TimeDelta::hours(12));
    assert_eq!(sweep(&world, clock.read(), Kind::Results).await, 2);
    let left = rows().await;
    let kept: Vec<bool> = left.iter().map(|row| row["transcript"].is_array()).collect();
    assert_eq!(kept, [false, false, true]);
    assert!(left[0]["kept_since"].is_string() && left[2]["kept_since"].is_null());
    clock.advance(TimeDelta::days(1));
    assert_eq!(sweep(&world, clock.read(), Kind::Results).await, 1);
    assert_eq!(rows().await.len(), 3);
    world.end().await;
}

#[tokio::test]
async fn recordings_go_with_their_files_and_one_that_cannot_be_removed_is_tried_again() {
    let (world, clock) = at("2026-01-14T06:30:00Z").await;
    called(&world).await;
    world
        .run(
            "insert into conversations (client_id, lead_id, number, node_id, playbook, version, began_at, ended_at, recording)
            select client_id, lead_id, number, gen_random_uuid(), 'minimal', 0, reserved_at, reserved_at,
                row_number() over (order by lead_id) || '.wav' from attempts",
        )
        .await;
    let named = "select count(*) from conversations where recording is not null";
    clock.advance(TimeDelta::days(32));
    assert_eq!(sweep(&world, clock.read(), Kind::Recordings).await, 0, "it has no directory of recordings");
    assert_eq!(world.count(named).await, 3);
    let directory = tempfile::tempdir().expect("a directory");
    world.engine.keep_recordings_at(directory.path().to_owned());
    std::fs::write(directory.path().join("1.wav"), "RIFF").expect("written");
    std::fs::create_dir(directory.path().join("2.wav")).expect("made");
    std::fs::write(directory.path().join("another.wav"), "RIFF").expect("written");
    // The third is gone already, as after a crash between the file and its row.
    assert_eq!(sweep(&world, clock.read(), Kind::Recordings).await, 2);
    assert!(!directory.path().join("1.wav").exists() && directory.path().join("another.wav").exists());
    assert_eq!(world.count(named).await, 1);
    std::fs::remove_dir(directory.path().join("2.wav")).expect("removed");
    assert_eq!(sweep(&world, clock.read(), Kind::Recordings).await, 1);
    assert_eq!(world.count("select count(*) from conversations").await, 3, "that they were held stays");
    world.end().await;
}

#[tokio::test]
async fn after_twenty_years_what_the_promises_stand_on_is_all_that_is_left() {
    let (mut world, clock) = at("2026-01-14T06:30:00Z").await;
    called(&world).await;
    world.stop_workers().await;
    let client = world.client;
    world
        .run(&format!(
            "insert into quarantine (client_id, quarantine_id, item, error, created_at, released_at) values
            ('{client}', '{}', '{{}}', 'released', now(), '2026-01-15'), ('{client}', '{}', '{{}}', 'open', now(), null)",
            id_floor(clock.read()),
            id_floor(clock.read() + TimeDelta::milliseconds(1)),
        ))
        .await;
    world
        .run(&format!(
            "insert into import_notes (client_id, import_id, line, note, problem) values ('{client}', '{}', 2, 'problem', 'no number')",
            id_floor(clock.read())
        ))
        .await;
    let stay = "select (select count(*) from leads) * 1000000 + (select count(*) from workflows) * 1000
        + (select count(*) from attempts)";
    let go = "select (select count(*) from audit) + (select count(*) from call_statistics) + (select count(*) from import_notes)
        + (select count(*) from spending) + (select count(*) from workflow_events) + (select count(*) from quarantine where released_at is not null)";
    let audit = world.count("select count(*) from audit").await;
    assert!(audit > 0);
    let swept = async || {
        sweep(&world, clock.read(), Kind::Audit).await;
        retention::sweep_spending(&world.engine, clock.read()).await.expect("swept");
    };
    clock.advance(TimeDelta::days(9 * 365));
    swept().await;
    assert_eq!(world.count(go).await, audit, "who ordered what is kept for ten years");
    let standing = retention::standing(&world.engine, world.engine.retention()).await.expect("told");
    assert!(standing.iter().all(|standing| standing.old == 0), "{standing:?}");
    clock.advance(TimeDelta::days(11 * 365));
    let standing = retention::standing(&world.engine, world.engine.retention()).await.expect("told");
    let old: u64 =
        standing.iter().filter(|standing| standing.kind == Kind::Audit).map(|standing| standing.old).sum();
    assert_eq!(old, audit.unsigned_abs(), "as many as then go");
    swept().await;
    assert_eq!(world.count(go).await, 0);
    assert_eq!(world.count(stay).await, 3_003_003);
    assert_eq!(world.count("select count(*) from quarantine").await, 1, "what is open waits for somebody");
    world.judge().await;
    world.settle().await;
}

#[tokio::test]
async fn it_runs_by_itself() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    clock.advance(TimeDelta::hours(2));
    let elsewhere = world.work_elsewhere().await;
    // By default, all of it is kept for five years, and any process may run it.
    until("the sweep", async || {
        world.count("select count(*) from schedules where name = 'retention' and last_ms is not null").await
            == 1
    })
    .await;
    let kept = elsewhere.retention().of(Kind::History);
    assert_eq!(kept.to_string(), "5 years");
    world.end().await;
}

#[tokio::test]
async fn slices_are_found_by_the_ids_that_begin_with_the_time() {
    let world = World::new().await;
    let client = world.client;
    for statement in [
        format!("insert into audit (client_id, audit_id, at, actor, action, subject, subject_id, details)
            select '{client}', ('0' || lpad(to_hex(n), 31, '0'))::uuid, '2016-01-01', 'x', 'x', 'x', gen_random_uuid(), '{{}}'
            from generate_series(1, 20000) n"),
        format!("insert into quarantine (client_id, quarantine_id, item, error, created_at, released_at)
            select '{client}', ('0' || lpad(to_hex(n), 31, '0'))::uuid, '{{}}', 'x', '2016-01-01', '2016-01-01'
            from generate_series(1, 20000) n"),
        "analyze".to_owned(),
    ] {
        world.run(&statement).await;
    }
    let now = world.database_time().await;
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let scans = "select coalesce(sum(seq_scan), 0)::bigint from pg_stat_user_tables
        where relname in ('audit', 'quarantine', 'call_results', 'conversations', 'call_statistics', 'import_notes')";
    let flush = "select pg_stat_force_next_flush()";
    sqlx::query(flush).execute(&mut *conn).await.expect("asked");
    let before: i64 = sqlx::query_scalar(scans).fetch_one(&mut *conn).await.expect("counted");
    assert_eq!(store::retention::remove_audit(&mut conn, client, now, 500).await.expect("removed"), 500);
    assert_eq!(store::retention::remove_quarantine(&mut conn, client, now, 500).await.expect("removed"), 500);
    sqlx::query(flush).execute(&mut *conn).await.expect("asked");
    let after: i64 = sqlx::query_scalar(scans).fetch_one(&mut *conn).await.expect("counted");
    assert_eq!(after, before, "a table is read whole");
    world.end().await;
}
