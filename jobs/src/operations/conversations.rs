//! Conversations of our own agent that are under way.

use outdial_workflows::ids::ClientId;

use super::OperationError;
use crate::engine::Engine;
use crate::store;

pub use crate::store::conversations::UnderWay;

/// The conversations that are under way, of a client or of all, the latest first; at most 1,000.
///
/// # Errors
/// The database.
pub async fn under_way(engine: &Engine, client: Option<ClientId>) -> Result<Vec<UnderWay>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::conversations::under_way(&mut conn, client).await?)
}
