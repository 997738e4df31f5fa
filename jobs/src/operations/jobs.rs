//! Jobs: what is to be done, what failed, and what people do about it.

use std::cmp::Reverse;

use chrono::TimeDelta;
use outdial_workflows::ids::ClientId;
use serde_json::json;
use uuid::Uuid;

use super::{By, Direction, OperationError, Part};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::jobs::{Job, bulk::Bulk, registry};
use crate::store;
use crate::store::audit::Entry;
pub use crate::store::jobs::{Counted, Failed, Fits, JobState, Listed};

/// The most jobs that are counted, and the most that are put aside.
const COUNTED: i64 = 25_000;

/// How long jobs that are over are kept.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(7);

/// A client's jobs: live and put aside, or, where a state is asked for in which they are over, of those the ones that
/// are kept.
///
/// # Errors
/// The database.
pub async fn list(
    engine: &Engine,
    client: ClientId,
    fits: Fits<'_>,
    part: Part,
) -> Result<Vec<Listed>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    if fits.state.is_some_and(JobState::is_over) {
        return Ok(store::jobs::finished(&mut conn, client, fits, part).await?);
    }
    let now = engine.now_in(&mut conn).await?;
    let mut found = match fits.state {
        Some(JobState::Quarantined) => vec![],
        _ => store::jobs::live(&mut conn, client, fits, part, now).await?,
    };
    if matches!(fits.state, None | Some(JobState::Quarantined)) {
        found.extend(store::jobs::aside(&mut conn, client, fits, part).await?);
    }
    match part.direction {
        Direction::NewestFirst => found.sort_by_key(|job| Reverse(job.id)),
        Direction::OldestFirst => found.sort_by_key(|job| job.id),
    }
    found.truncate(usize::try_from(part.limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// How many of a client's jobs stand where, by kind.
///
/// # Errors
/// The database.
pub async fn count(engine: &Engine, client: ClientId) -> Result<Vec<Counted>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    Ok(store::jobs::count(&mut conn, client, COUNTED, now).await?)
}

fn not_found(id: Uuid) -> OperationError {
    OperationError::NotFound { kind: "job", given: id.to_string() }
}

/// The job with this id: live, put aside, or over and kept.
///
/// # Errors
/// If there is none.
pub async fn get(engine: &Engine, id: Uuid) -> Result<Listed, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    let found = match store::jobs::find(&mut conn, id, now).await? {
        None => store::jobs::find_finished(&mut conn, id).await?,
        found => found,
    };
    found.ok_or_else(|| not_found(id))
}

/// What a job is to do with, as it is stored.
///
/// # Errors
/// The database.
pub async fn arguments(
    engine: &Engine,
    client: ClientId,
    id: Uuid,
) -> Result<Option<serde_json::Value>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::jobs::arguments(&mut conn, client, id).await?)
}

/// Lets a job run at once that backs off or was put aside; lets a lead go on that was.
///
/// # Errors
/// If the client has no such job, a worker is at it, this version knows no such kind, or its step is queued
/// already.
pub async fn retry(engine: &Engine, client: ClientId, id: Uuid, by: By<'_>) -> Result<(), OperationError> {
    const LET_GO: Signal = Signal { jobs: true, admission: true };
    let not_possible = |text: &str| Ok(Err(OperationError::NotPossible(text.into())));
    let retried = engine.allow(async |conn, now| {
        let found = store::jobs::lock(conn, id, now).await?.filter(|job| job.client == client);
        let Some(job) = found else { return Ok(Err(not_found(id))) };
        match (job.state, job.kind.as_deref(), job.lead) {
            (JobState::Running, ..) => return not_possible("a worker is at it"),
            (JobState::Waiting | JobState::BackingOff, ..) => {
                store::jobs::hurry(conn, client, id, now).await?;
            }
            (JobState::Quarantined, Some(kind), _) if registry::tries(kind).is_none() => {
                return not_possible("this version knows no such kind of job");
            }
            (JobState::Quarantined, Some(_), _) => {
                if !store::jobs::queue_anew(conn, client, id, now).await? {
                    return not_possible("its step is queued already; discard this one");
                }
                store::jobs::close(conn, client, id, now).await?;
            }
            (JobState::Quarantined, None, Some(lead)) => {
                store::quarantine::release(conn, client, lead, now).await?;
            }
            (JobState::Quarantined, None, None) => return not_possible("it names neither a job nor a lead"),
            (JobState::Done | JobState::Dropped | JobState::Discarded, ..) => {
                return not_possible("it is over");
            }
        }
        note(conn, &job, "retry", by, now).await?;
        store::notify(conn, &LET_GO.payload(client)).await?;
        Ok(Ok(()))
    });
    retried.await??;
    engine.hub().signal(client, LET_GO);
    Ok(())
}

/// Gives a job up. What it was to do is not done by it: of a lead's step, the lead's timers see to that.
///
/// # Errors
/// If the client has no such job, a worker is at it, or it is given up in another way.
pub async fn discard(engine: &Engine, client: ClientId, id: Uuid, by: By<'_>) -> Result<(), OperationError> {
    let not_possible = |text: &str| Ok(Err(OperationError::NotPossible(text.into())));
    let discarded = engine.allow(async |conn, now| {
        let found = store::jobs::lock(conn, id, now).await?.filter(|job| job.client == client);
        let Some(job) = found else { return Ok(Err(not_found(id))) };
        match (job.state, job.kind.as_deref()) {
            (JobState::Running, _) => return not_possible("a worker is at it"),
            (JobState::Waiting | JobState::BackingOff, Some(Bulk::KIND)) => {
                return not_possible("an order for many leads is stopped by cancelling its operation");
            }
            (JobState::Waiting | JobState::BackingOff, _) => {
                store::jobs::discard(conn, client, id, now).await?;
            }
            (JobState::Quarantined, Some(_)) => store::jobs::discard_aside(conn, client, id, now).await?,
            (JobState::Done | JobState::Dropped | JobState::Discarded, _) => {
                return not_possible("it is over");
            }
            (JobState::Quarantined, None) => {
                return not_possible("a lead is not discarded: mend what is wrong with it, and retry");
            }
        }
        note(conn, &job, "discard", by, now).await?;
        Ok(Ok(()))
    });
    discarded.await?
}

/// What is to be done with all that was put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForAside {
    /// It is tried again.
    Retry,
    /// It is given up.
    Discard,
}

/// What came of an order for all that was put aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllAside {
    /// How many it was carried out for.
    pub changed: usize,
    /// How many it makes no sense for.
    pub declined: usize,
    /// Why, of one of them.
    pub declined_for: Option<String>,
    /// Whether there are more than are dealt with at once.
    pub more: bool,
}

/// The most that one order deals with: each is a transaction of its own, a few milliseconds long.
pub const AT_ONCE: usize = 500;

/// Does this with whatever fits of what was put aside: the oldest first, each by itself.
///
/// # Errors
/// The database.
pub async fn all_aside(
    engine: &Engine,
    client: ClientId,
    Fits { kind, error, .. }: Fits<'_>,
    what: ForAside,
    by: By<'_>,
) -> Result<AllAside, OperationError> {
    let fits = Fits { kind, error, state: Some(JobState::Quarantined) };
    let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX) + 1;
    let mut found =
        list(engine, client, fits, Part { direction: Direction::OldestFirst, after: None, limit }).await?;
    let mut done = AllAside { more: found.len() > AT_ONCE, ..AllAside::default() };
    found.truncate(AT_ONCE);
    for job in found {
        let came = match what {
            ForAside::Retry => retry(engine, client, job.id, by).await,
            ForAside::Discard => discard(engine, client, job.id, by).await,
        };
        match came {
            Ok(()) => done.changed += 1,
            // Somebody else saw to it meanwhile.
            Err(OperationError::NotFound { .. }) => {}
            Err(error @ OperationError::NotPossible(_)) => {
                done.declined += 1;
                done.declined_for = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

async fn note(
    conn: &mut sqlx::PgConnection,
    job: &Listed,
    action: &str,
    By { actor, reason }: By<'_>,
    now: outdial_workflows::Moment,
) -> Result<(), store::StoreError> {
    let details =
        json!({ "kind": job.kind, "lead": job.lead, "attempt": job.attempt, "state": job.state.name() });
    let entry = Entry { actor, action, subject: "job", id: job.id, reason, details: &details };
    store::audit::note(conn, job.client, entry, now).await
}
