//! What the sweeps remove.

use outdial_workflows::Moment;
use sqlx::PgConnection;

use super::StoreError;

/// Erases the bodies of dial requests submitted before `before` whose attempts are no longer live.
/// Returns how many.
pub async fn erase_bodies(conn: &mut PgConnection, before: Moment, limit: i64) -> Result<u64, StoreError> {
    let erased = sqlx::query!(
        "update attempts a set body = null from (
            select client_id, lead_id, number from attempts
            where body is not null and submitted_at < $1 and not live
            order by submitted_at limit $2 for no key update skip locked) old
        where a.client_id = old.client_id and a.lead_id = old.lead_id and a.number = old.number",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(erased.rows_affected())
}

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
