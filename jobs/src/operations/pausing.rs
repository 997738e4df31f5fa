//! Pausing a whole account or client, and letting it go again.

use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, ClientId};
use serde_json::json;

use super::hanging_up::HungUp;
use super::{By, OperationError};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::store;
use crate::store::attempts::Underway;
use crate::store::audit::Entry;
use crate::store::pausing::Pausable;

/// How a pause went.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Paused {
    /// Whether it was not paused before.
    pub changed: bool,
    /// When it resumes by itself.
    pub resume_at: Option<Moment>,
    /// Attempts that were committed to before: their calls go on. No other is submitted.
    pub underway: Vec<Underway>,
    /// What becomes of those calls, if they were ordered to end; see [`hang_up`](super::hanging_up::hang_up).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hung_up: Option<HungUp>,
}

/// Pauses every campaign of an account, or of a client: once this returns, none of their attempts
/// becomes submitted. The campaigns themselves keep their states.
///
/// # Errors
/// If it does not exist.
pub async fn pause(
    engine: &Engine,
    client: ClientId,
    account: Option<AccountId>,
    by: By<'_>,
    resume_at: Option<Moment>,
) -> Result<Paused, OperationError> {
    let what = Pausable::of(client, account);
    let paused = engine.forbid(client, async |conn, now| {
        let Some(before) = store::pausing::lock(conn, what).await? else { return Ok(None) };
        store::pausing::set(conn, what, Some(by.actor), by.reason, resume_at).await?;
        let details = json!({ "resume_at": resume_at });
        note(conn, what, "pause", by, &details, now).await?;
        let underway = store::attempts::underway(conn, client, None, account).await?;
        Ok(Some(Paused { changed: before.is_none(), resume_at, underway, hung_up: None }))
    });
    paused.await?.ok_or_else(|| not_found(client, account))
}

/// Lets it go again. Tells whether it was paused.
///
/// # Errors
/// If it does not exist.
pub async fn resume(
    engine: &Engine,
    client: ClientId,
    account: Option<AccountId>,
    by: By<'_>,
) -> Result<bool, OperationError> {
    let what = Pausable::of(client, account);
    let resumed = engine.allow(async |conn, now| {
        let Some(before) = store::pausing::lock(conn, what).await? else { return Ok(None) };
        store::pausing::set(conn, what, None, None, None).await?;
        note(conn, what, "resume", by, &json!({}), now).await?;
        store::notify(conn, &FREED.payload(client)).await?;
        Ok(Some(before.is_some()))
    });
    let resumed = resumed.await?.ok_or_else(|| not_found(client, account))?;
    engine.hub().signal(client, FREED);
    Ok(resumed)
}

const FREED: Signal = Signal { jobs: false, admission: true };

async fn note(
    conn: &mut sqlx::PgConnection,
    what: Pausable,
    action: &str,
    by: By<'_>,
    details: &serde_json::Value,
    now: Moment,
) -> Result<(), store::StoreError> {
    let (client, subject, id) = match what {
        Pausable::Client(client) => (client, "client", client.0),
        Pausable::Account(client, account) => (client, "account", account.0),
    };
    let entry = Entry { actor: by.actor, action, subject, id, reason: by.reason, details };
    store::audit::note(conn, client, entry, now).await
}

fn not_found(client: ClientId, account: Option<AccountId>) -> OperationError {
    match account {
        Some(account) => OperationError::NotFound { kind: "account", given: account.to_string() },
        None => OperationError::NotFound { kind: "client", given: client.to_string() },
    }
}
