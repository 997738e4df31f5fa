//! Conversations of our own agent that are under way.

use std::path::PathBuf;

use outdial_workflows::ids::{AttemptRef, ClientId, LeadId};

use super::{OperationError, leads};
use crate::engine::Engine;
use crate::store;

pub use crate::store::conversations::UnderWay;

/// Where the latest recorded conversation with a lead lies.
///
/// # Errors
/// If the client has no such lead, none of its calls was recorded by us, or the recording is not there.
pub async fn recording(engine: &Engine, client: ClientId, lead: LeadId) -> Result<PathBuf, OperationError> {
    let of = leads::get(engine, lead).await?;
    let not_found = |kind| OperationError::NotFound { kind, given: lead.to_string() };
    if of.client != client {
        return Err(not_found("call"));
    }
    let recorded = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::conversations::recording(&mut conn, client, lead).await
    });
    let recorded = recorded.await?.ok_or_else(|| not_found("recording of call"))?;
    let path = engine.recordings().ok_or_else(|| not_found("recording of call"))?.join(recorded);
    match path.is_file() {
        true => Ok(path),
        false => Err(not_found("recording of call")),
    }
}

/// Where the recorded conversation of an attempt lies; `None` if it was not recorded by us, or is not there.
///
/// # Errors
/// The database.
pub async fn recording_of(engine: &Engine, attempt: AttemptRef) -> Result<Option<PathBuf>, OperationError> {
    let recorded = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::conversations::recording_of(&mut conn, attempt).await
    });
    let path = engine.recordings().zip(recorded.await?).map(|(directory, recorded)| directory.join(recorded));
    Ok(path.filter(|path| path.is_file()))
}

/// The conversations that are under way, of a client or of all, the latest first; at most 1,000.
///
/// # Errors
/// The database.
pub async fn under_way(engine: &Engine, client: Option<ClientId>) -> Result<Vec<UnderWay>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::conversations::under_way(&mut conn, client).await?)
}
