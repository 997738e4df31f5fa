//! What runs again and again: rows of `schedules`, claimed by an update, so that one
//! node runs each. Every sweep looks at the state and acts on what it finds, and may
//! run twice.

mod accounts;
mod costs;
mod inbox;
mod orders;
mod partitions;
mod prune;
mod retention;
mod seats;
mod stale_calls;

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_workflows::Moment;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::operations::recurring;
use crate::store::schedules::Schedule;
use crate::store::{self, StoreError};

/// A run that is late by more than this was missed.
const MISSED_AFTER: TimeDelta = TimeDelta::minutes(1);
/// How often the schedules are looked at at least: an edit is heeded by then.
const LOOK: Duration = Duration::from_secs(30);
/// How often pending statistics are rolled up while there are any.
const ROLL_UP: Duration = Duration::from_secs(1);

/// Recurring work.
#[async_trait]
trait Sweep: Send + Sync {
    /// Its row in `schedules`.
    fn name(&self) -> &'static str;
    /// When it runs unless an operator says otherwise: six fields, from seconds.
    fn cron(&self) -> &'static str;
    /// Does the work; returns how much there was.
    async fn run(&self, engine: &Engine, now: Moment) -> Result<u64, StoreError>;
}

/// Every sweep.
fn all() -> [&'static dyn Sweep; 8] {
    [
        &stale_calls::StaleCalls,
        &orders::Orders,
        &inbox::Inbox,
        &costs::Costs,
        &accounts::Accounts,
        &prune::Prune,
        &retention::Retention,
        &partitions::Partitions,
    ]
}

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().into_iter().map(|sweep| sweep.name())
}

/// Runs until told to stop.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    let rolling = roll_up(engine.clone(), stop.clone());
    let sharing = seats::run(engine.clone(), stop.clone());
    let sweeping = async {
        let mut known = Known::default();
        while !stop.is_cancelled() {
            let wait = match turn(&engine, &mut known).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the schedules could not be looked at"
                    );
                    Duration::from_secs(5)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => {}
            }
        }
    };
    tokio::join!(rolling, sharing, sweeping);
}

/// Makes sure that every sweep has its row, and that the event partitions exist.
///
/// # Errors
/// If the database cannot be asked.
pub async fn prepare(engine: &Engine) -> Result<(), StoreError> {
    let now = engine.now().await?;
    let mut conn = engine.pool().acquire().await?;
    for sweep in all() {
        store::schedules::ensure(&mut conn, sweep.name(), sweep.cron(), now).await?;
    }
    partitions::ensure(&mut conn, now).await?;
    let moved = store::journal::after_restore(&mut conn).await?;
    if moved > 0 {
        tracing::info!(moved, "the database was restored: events go on where they were");
    }
    Ok(())
}

/// What is known of the schedules, so that they need not be read for every run.
#[derive(Default)]
struct Known {
    schedules: Vec<Schedule>,
    /// When they are read again.
    read_again: Option<Instant>,
    /// Those whose last run here found nothing and failed at nothing, and is noted.
    noted: HashSet<String>,
}

/// Runs what is due and claims it first; tells how long to wait before looking again.
async fn turn(engine: &Engine, known: &mut Known) -> Result<Duration, StoreError> {
    if known.read_again.is_none_or(|at| at <= Instant::now()) {
        known.schedules = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            store::schedules::all(&mut conn).await
        })
        .await?;
        known.read_again = Some(Instant::now() + LOOK);
    }
    let about = engine.about_now().await?;
    let is_due = |schedule: &Schedule, now: Moment| schedule.next_at <= now;
    if known.schedules.iter().any(|schedule| is_due(schedule, about)) {
        let now = engine.now().await?;
        for at in 0..known.schedules.len() {
            let Some(sweep) = all().into_iter().find(|sweep| sweep.name() == known.schedules[at].name) else {
                continue; // From a newer version.
            };
            if is_due(&known.schedules[at], now) {
                run_one(engine, sweep, known, at, now).await?;
            }
        }
    }
    let ours = known.schedules.iter().filter(|schedule| all().iter().any(|its| its.name() == schedule.name));
    let next = ours.map(|schedule| schedule.next_at).min();
    let about = engine.about_now().await?;
    let wait = next.map_or(LOOK, |next| (next - about).to_std().unwrap_or_default());
    // What is not due by the exact clock yet is so in a moment.
    Ok(wait.clamp(Duration::from_millis(20), LOOK))
}

async fn run_one(
    engine: &Engine,
    sweep: &dyn Sweep,
    known: &mut Known,
    at: usize,
    now: Moment,
) -> Result<(), StoreError> {
    let schedule = known.schedules[at].clone();
    let next = next_run(&schedule, now).unwrap_or_else(|problem| {
        tracing::error!(
            schedule = schedule.name,
            problem,
            "a schedule cannot be read; it runs hourly until it is mended"
        );
        now + TimeDelta::hours(1)
    });
    let claimed = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::schedules::claim(&mut conn, &schedule.name, schedule.next_at, next, now).await
    });
    let claimed = claimed.await?;
    // Whoever claimed it reckoned the same; should an operator have changed it, it is read soon.
    known.schedules[at].next_at = next;
    let skipped = schedule.missed == "skip" && now - schedule.next_at > MISSED_AFTER;
    if !claimed || skipped {
        return Ok(());
    }
    let began = Instant::now();
    let result = sweep.run(engine, now).await;
    engine.metrics().swept(sweep.name(), result.as_ref().ok().copied());
    let took_ms = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
    let error = result.as_ref().err().map(ToString::to_string);
    let nothing = matches!(result, Ok(0));
    if nothing && known.noted.contains(&schedule.name) {
        return Ok(());
    }
    match nothing {
        true => drop(known.noted.insert(schedule.name.clone())),
        false => drop(known.noted.remove(&schedule.name)),
    }
    match &result {
        Ok(0) => {}
        Ok(found) => tracing::info!(sweep = schedule.name, found, took_ms, "a sweep found work"),
        Err(error) => {
            tracing::warn!(sweep = schedule.name, error = error as &dyn std::error::Error, "a sweep failed");
        }
    }
    store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::schedules::ran(&mut conn, &schedule.name, took_ms, error.as_deref()).await
    })
    .await
}

/// The first run after `now`, by the clock of the schedule's zone.
fn next_run(schedule: &Schedule, now: Moment) -> Result<Moment, String> {
    let next = recurring::next_time(&schedule.cron, &schedule.zone, now)?;
    next.ok_or_else(|| "it never runs".to_owned())
}

/// Rolls pending statistics and spending up, once a second while there are any, and rarely otherwise.
async fn roll_up(engine: Engine, stop: CancellationToken) {
    const PAGE: i64 = 10_000;
    let mut idle = 0_u32;
    loop {
        // Readers add what is pending: nothing is late while it is not rolled up.
        let wait = ROLL_UP * 2_u32.pow(idle.min(6));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
        let rolled = async {
            let mut conn = engine.pool().acquire().await?;
            let counts = store::statistics::roll_up(&mut conn, PAGE).await?;
            let calls = store::call_statistics::roll_up(&mut conn, PAGE).await?;
            Ok::<_, StoreError>(counts + calls + store::spending::roll_up(&mut conn, PAGE).await?)
        };
        match store::in_time(rolled).await {
            Ok(0) => idle += 1,
            Ok(_) => idle = 0,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "statistics could not be rolled up");
                idle += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &str, zone: &str) -> Schedule {
        let next_at = Moment::UNIX_EPOCH;
        let (name, missed) = ("x".to_owned(), "once".to_owned());
        Schedule { name, cron: cron.to_owned(), zone: zone.to_owned(), missed, next_at }
    }

    fn next(cron: &str, zone: &str, now: &str) -> Result<String, String> {
        let now = now.parse().expect("a time");
        next_run(&schedule(cron, zone), now).map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    #[test]
    fn a_schedule_runs_by_the_clock_of_its_zone() {
        assert_eq!(next("0 */2 * * * *", "UTC", "2026-01-14T06:31:00Z"), Ok("2026-01-14T06:32:00Z".into()));
        assert_eq!(
            next("0 30 3 * * *", "Asia/Kolkata", "2026-01-14T00:00:00Z"),
            Ok("2026-01-14T22:00:00Z".into())
        );
    }

    #[test]
    fn a_schedule_that_cannot_be_read_says_so() {
        assert!(next("every day", "UTC", "2026-01-14T00:00:00Z").is_err());
        assert!(next("0 0 0 * * *", "Mars/Olympus", "2026-01-14T00:00:00Z").is_err());
    }

    #[test]
    fn every_sweep_has_a_schedule_that_can_be_read() {
        for sweep in all() {
            assert!(next(sweep.cron(), "UTC", "2026-01-14T00:00:00Z").is_ok(), "{}", sweep.name());
        }
    }
}
