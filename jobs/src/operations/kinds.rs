//! Kinds of jobs, paused and let go on: for all clients, since workers are shared.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Connection as _;
use uuid::Uuid;

use super::audit::NOBODY;
use super::{By, OperationError};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::jobs::{Job as _, converse::Converse, dial::Dial, registry};
use crate::store;
use crate::store::audit::Entry;
use crate::store::kinds::Paused;
use outdial_workflows::Moment;

/// Wakes the workers of all processes: what had to wait may be claimed.
const GO_ON: Signal = Signal { jobs: true, admission: false };

/// A kind of job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// Its name, as `deliver.v1`.
    pub kind: String,
    /// How many of it one process runs at once.
    pub slots: usize,
    /// Why it cannot be paused; of one that can be, none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cannot_be_paused: Option<String>,
    /// Since when it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Moment>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<String>,
    /// And why, in their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// These begin with the commit that queues them, and are stopped in ways of their own.
fn cannot_be_paused(kind: &str) -> Option<&'static str> {
    match kind {
        Dial::KIND => {
            Some("a call begins with the commit that decides it; pause the client, account or campaign")
        }
        Converse::KIND => {
            Some("a conversation begins as the person answers; pause the client, account or campaign")
        }
        _ => None,
    }
}

/// All kinds of this version, and whether they are paused.
///
/// # Errors
/// The database.
pub async fn list(engine: &Engine) -> Result<Vec<Kind>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let paused = store::kinds::paused(&mut conn).await?;
    let of = |kind: &str| paused.iter().find(|paused| paused.kind == kind);
    let kinds = registry::SLOTS.iter().map(|(kind, slots)| Kind {
        kind: (*kind).to_owned(),
        slots: *slots,
        cannot_be_paused: cannot_be_paused(kind).map(str::to_owned),
        paused_at: of(kind).map(|paused| paused.paused_at),
        paused_by: of(kind).map(|paused| paused.actor.clone()),
        reason: of(kind).and_then(|paused| paused.reason.clone()),
    });
    Ok(kinds.collect())
}

/// Has no process begin jobs of a kind until it is resumed. Those that run go on; what was paused already stays as it
/// was paused.
///
/// # Errors
/// If there is no such kind, or it begins in another way than by being claimed.
pub async fn pause(engine: &Engine, kind: &str, by: By<'_>) -> Result<(), OperationError> {
    known(kind)?;
    if let Some(why) = cannot_be_paused(kind) {
        return Err(OperationError::NotPossible(why.into()));
    }
    store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let mut tx = conn.begin().await?;
        let now = engine.now_in(&mut tx).await?;
        let (actor, reason) = (by.actor.to_owned(), by.reason.map(str::to_owned));
        let paused = Paused { kind: kind.to_owned(), actor, reason, paused_at: now };
        if store::kinds::pause(&mut tx, &paused).await? {
            note(&mut tx, kind, "pause", by, now).await?;
        }
        tx.commit().await?;
        Ok::<_, OperationError>(())
    })
    .await
}

/// Has jobs of a kind begin again, at once.
///
/// # Errors
/// If there is no such kind.
pub async fn resume(engine: &Engine, kind: &str, by: By<'_>) -> Result<(), OperationError> {
    known(kind)?;
    store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let mut tx = conn.begin().await?;
        let now = engine.now_in(&mut tx).await?;
        if store::kinds::resume(&mut tx, kind).await?.is_some() {
            note(&mut tx, kind, "resume", by, now).await?;
            store::notify(&mut tx, &GO_ON.payload(NOBODY)).await?;
        }
        tx.commit().await?;
        Ok::<_, OperationError>(())
    })
    .await?;
    engine.hub().signal(NOBODY, GO_ON);
    Ok(())
}

fn known(kind: &str) -> Result<(), OperationError> {
    let not_found = || OperationError::NotFound { kind: "kind of job", given: kind.to_owned() };
    registry::tries(kind).map(drop).ok_or_else(not_found)
}

async fn note(
    conn: &mut sqlx::PgConnection,
    kind: &str,
    action: &str,
    By { actor, reason }: By<'_>,
    now: Moment,
) -> Result<(), store::StoreError> {
    let details = json!({ "kind": kind });
    let entry = Entry { actor, action, subject: "kind of job", id: Uuid::nil(), reason, details: &details };
    store::audit::note(conn, NOBODY, entry, now).await
}
