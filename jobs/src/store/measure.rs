//! What the server itself knows of the work it did: for `outdial bench`.

use serde::Serialize;
use sqlx::PgConnection;

use super::StoreError;

/// The settings that a commit's safety hangs on, and the server's version.
#[derive(Clone, Debug, Serialize)]
pub struct Durability {
    /// As in `15.14`.
    pub version: String,
    /// `on`, or a crash of the machine may lose everything.
    pub fsync: String,
    /// `on`, or a crash may lose the last commits.
    pub synchronous_commit: String,
    /// `on`, or a crash may leave torn pages.
    pub full_page_writes: String,
}

/// How the server keeps what it has acknowledged.
pub async fn durability(conn: &mut PgConnection) -> Result<Durability, StoreError> {
    let found = sqlx::query_as!(
        Durability,
        r#"select current_setting('server_version') as "version!", current_setting('fsync') as "fsync!",
            current_setting('synchronous_commit') as "synchronous_commit!",
            current_setting('full_page_writes') as "full_page_writes!""#
    )
    .fetch_one(conn)
    .await?;
    Ok(found)
}

/// How many bytes of write-ahead log the server has written since it was made.
pub async fn wal_bytes(conn: &mut PgConnection) -> Result<i64, StoreError> {
    let bytes =
        sqlx::query_scalar!(r#"select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as "bytes!""#)
            .fetch_one(conn)
            .await?;
    Ok(bytes)
}

/// The process that serves this connection, by the server's own numbering.
pub async fn backend_pid(conn: &mut PgConnection) -> Result<i32, StoreError> {
    let pid = sqlx::query_scalar!(r#"select pg_backend_pid() as "pid!""#).fetch_one(conn).await?;
    Ok(pid)
}

/// Does at once what autovacuum would do within minutes after many leads came in.
pub async fn settle(conn: &mut PgConnection) -> Result<(), StoreError> {
    for statement in ["vacuum (analyze) leads, workflows, workflow_events", "checkpoint"] {
        sqlx::query(statement).execute(&mut *conn).await?;
    }
    Ok(())
}
