//! What the sweeps remove.

use outdial_workflows::Moment;
use sqlx::PgConnection;

use super::StoreError;

/// Removes inbox rows that were taken in before `before`, and those that came before it and whose call
/// nobody here has made since.
pub async fn prune_inbox(conn: &mut PgConnection, before: Moment, limit: i64) -> Result<u64, StoreError> {
    let pruned = sqlx::query!(
        "delete from webhook_inbox where (client_id, inbox_id) in (
            select client_id, inbox_id from webhook_inbox
            where applied_at < $1 or (applied_at is null and lead_id is null and received_at < $1) limit $2)",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(pruned.rows_affected())
}
