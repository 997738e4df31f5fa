//! What the server itself knows of the work it did: for `outdial bench`.

use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
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

/// How many of a client's attempts were submitted after this moment.
pub async fn submitted_after(
    conn: &mut PgConnection,
    client: ClientId,
    moment: Moment,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (
            select from attempts where client_id = $1 and live and submitted_at > $2
            union all
            select from attempts a where account_id in (select account_id from accounts where client_id = $1)
                and replied_at > $2 and submitted_at > $2 and not live) submitted"#,
        client.0,
        moment
    )
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// A statement, and how often it was run.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// How often.
    pub calls: i64,
    /// With placeholders for values.
    pub query: String,
}

/// Has the server count statements. It must have been started with `pg_stat_statements`.
pub async fn count_statements(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("create extension if not exists pg_stat_statements").execute(conn).await?;
    Ok(())
}

/// Begins the count anew.
pub async fn forget_statements(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("select pg_stat_statements_reset()").execute(conn).await?;
    Ok(())
}

/// What was counted in this database, the most frequent first, without the counting itself.
pub async fn statements(conn: &mut PgConnection) -> Result<Vec<Statement>, StoreError> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "select calls, query from pg_stat_statements
        where dbid = (select oid from pg_database where datname = current_database())
            and query not like '%pg_stat_statements%'
        order by calls desc",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(calls, query)| Statement { calls, query }).collect())
}

/// Takes a snapshot that stands until the transaction ends; it must have begun just before.
pub async fn hold_snapshot(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *conn).await?;
    sqlx::query("select count(*) from clients").execute(conn).await?;
    Ok(())
}
