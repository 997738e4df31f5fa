//! Who ordered what: the record, read.

use outdial_workflows::ids::ClientId;
use uuid::Uuid;

use super::{OperationError, Part};
use crate::engine::Engine;
use crate::store;
pub use crate::store::audit::Written;

/// Under which what concerns all clients is on record.
pub(super) const NOBODY: ClientId = ClientId(Uuid::nil());

/// What is on record of a client, or of what concerns all of them: about one thing, or all; by one person, or all.
///
/// # Errors
/// The database.
pub async fn list(
    engine: &Engine,
    client: Option<ClientId>,
    subject: Option<Uuid>,
    actor: Option<&str>,
    part: Part,
) -> Result<Vec<Written>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::audit::list(&mut conn, client.unwrap_or(NOBODY), subject, actor, part).await?)
}
