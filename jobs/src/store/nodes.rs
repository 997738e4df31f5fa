//! Running processes.

use outdial_workflows::Moment;
use outdial_workflows::ids::NodeId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::node::{Node, Process};

/// Announces a process.
pub async fn announce(conn: &mut PgConnection, node: &Node, now: Moment) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into nodes (node_id, name, host, pid, pid_started, roles, started_at, seen_at, seats, address)
        values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)",
        node.id.0,
        node.name,
        node.process.host,
        node.process.pid,
        node.process.started,
        &node.roles,
        now,
        i32::from(node.seats),
        node.address.as_ref().map(url::Url::as_str)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a process learns as it shows that it is there.
#[derive(Clone, Copy, Debug)]
pub struct Others {
    /// Whether other processes hold conversations.
    pub talk: bool,
}

/// Notes that a process is there. `None` if its row is gone: somebody took it for dead.
pub async fn seen(
    conn: &mut PgConnection,
    node: NodeId,
    now: Moment,
    clock_off_ms: i32,
) -> Result<Option<Others>, StoreError> {
    let seen = sqlx::query!(
        r#"update nodes set seen_at = $2, clock_off_ms = $3 where node_id = $1
        returning exists (select from nodes o where o.seats > 0 and o.node_id <> $1) as "others_talk!""#,
        node.0,
        now,
        clock_off_ms
    )
    .fetch_optional(conn)
    .await?;
    Ok(seen.map(|row| Others { talk: row.others_talk }))
}

/// From now on a process takes no more conversations. Those that it holds go on, and sockets that belong to them still find it.
pub async fn give_up_seats(conn: &mut PgConnection, node: NodeId) -> Result<(), StoreError> {
    sqlx::query!("update nodes set seats = 0 where node_id = $1", node.0).execute(conn).await?;
    Ok(())
}

/// The processes of a host, this one left out.
pub async fn on_host(
    conn: &mut PgConnection,
    host: &str,
    but: NodeId,
) -> Result<Vec<(Uuid, Process)>, StoreError> {
    let rows = sqlx::query!(
        "select node_id, host, pid, pid_started from nodes where host = $1 and node_id <> $2",
        host,
        but.0
    )
    .fetch_all(conn)
    .await?;
    let process = |host, pid, started| Process { host, pid, started };
    Ok(rows.into_iter().map(|row| (row.node_id, process(row.host, row.pid, row.pid_started))).collect())
}

/// Removes processes that have stopped or are known dead.
pub async fn remove(conn: &mut PgConnection, nodes: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query!("delete from nodes where node_id = any($1)", nodes).execute(conn).await?;
    Ok(())
}

/// Removes processes that nobody has seen since `before`.
pub async fn remove_unseen(conn: &mut PgConnection, before: Moment) -> Result<u64, StoreError> {
    let gone = sqlx::query!("delete from nodes where seen_at < $1", before).execute(conn).await?;
    Ok(gone.rows_affected())
}

/// A running process, as it last told of itself.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Its process id, on its host.
    pub pid: i32,
    /// What it does.
    pub roles: Vec<String>,
    /// When it began.
    pub started_at: Moment,
    /// When it was last there.
    pub seen_at: Moment,
    /// How far its clock is from the database's, in milliseconds.
    pub clock_off_ms: i32,
    /// How many conversations it holds at once; 0 of a process that holds none, and while it drains.
    pub seats: i32,
    /// How many it holds.
    pub conversations: i64,
}

/// The processes that are known to run.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Seen>, StoreError> {
    let rows = sqlx::query!(
        r#"select n.node_id, n.name, n.pid, n.roles, n.started_at, n.seen_at, n.clock_off_ms, n.seats,
            coalesce(held.conversations, 0) as "conversations!"
        from nodes n
        left join (
            select node_id, count(*) as conversations from conversations where ended_at is null group by node_id) held
            using (node_id)
        order by n.started_at"#
    );
    let rows = rows.fetch_all(conn).await?;
    let each = rows.into_iter().map(|row| Seen {
        id: NodeId(row.node_id),
        name: row.name,
        pid: row.pid,
        roles: row.roles,
        started_at: row.started_at,
        seen_at: row.seen_at,
        clock_off_ms: row.clock_off_ms,
        seats: row.seats,
        conversations: row.conversations,
    });
    Ok(each.collect())
}
