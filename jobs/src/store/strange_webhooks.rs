//! Carriers' events of types that this version does not know.

use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, ClientId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// Keeps one.
pub async fn keep(
    conn: &mut PgConnection,
    (client, account): (ClientId, AccountId),
    id: Uuid,
    (event, body): (&str, &str),
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into strange_webhooks (client_id, account_id, webhook_id, event, body, received_at)
        values ($1, $2, $3, $4, $5, $6)",
        client.0,
        account.0,
        id,
        event,
        body,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes those that came before `before`, up to `limit`. Tells how many those were.
pub async fn prune(conn: &mut PgConnection, before: Moment, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from strange_webhooks where (client_id, account_id, webhook_id) in
            (select client_id, account_id, webhook_id from strange_webhooks where received_at < $1 limit $2)",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
