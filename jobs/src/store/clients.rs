//! Tenants.

use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::paging::{Part, part};

/// Writes a new client.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    name: &str,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into clients (client_id, name, created_at) values ($1, $2, $3)",
        client.0,
        name,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The client whose id or name is `text`.
pub async fn find(conn: &mut PgConnection, text: &str) -> Result<Option<ClientId>, StoreError> {
    let client = sqlx::query_scalar!(
        "select client_id from clients where client_id = $1 or name = $2",
        Uuid::try_parse(text).ok(),
        text
    )
    .fetch_optional(conn)
    .await?;
    Ok(client.map(ClientId))
}

/// The client that has this name.
pub async fn named(conn: &mut PgConnection, name: &str) -> Result<Option<ClientId>, StoreError> {
    let client = sqlx::query_scalar!("select client_id from clients where name = $1", name)
        .fetch_optional(conn)
        .await?;
    Ok(client.map(ClientId))
}

/// Whether there is a client with this id.
pub async fn exists(conn: &mut PgConnection, client: ClientId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!("select 1 from clients where client_id = $1", client.0)
        .fetch_optional(conn)
        .await?;
    Ok(found.is_some())
}

/// All clients, by name.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<(ClientId, String)>, StoreError> {
    let rows = sqlx::query!("select client_id, name from clients order by name").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (ClientId(row.client_id), row.name)).collect())
}

/// A client's limits, as stored; `None` if it does not exist.
pub async fn limits(
    conn: &mut PgConnection,
    client: ClientId,
) -> Result<Option<serde_json::Value>, StoreError> {
    let limits = sqlx::query_scalar!("select limits from clients where client_id = $1", client.0)
        .fetch_optional(conn)
        .await?;
    Ok(limits)
}

/// Sets a client's limits, from `now` on. Tells whether it exists.
pub async fn limit(
    conn: &mut PgConnection,
    client: ClientId,
    limits: &serde_json::Value,
    now: Moment,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update clients set limits = $2, limits_since = $3 where client_id = $1",
        client.0,
        limits,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A client as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Moment,
    /// Who has all of its dialling paused.
    pub paused_by: Option<String>,
}

struct ClientRow {
    client_id: Uuid,
    name: String,
    created_at: Moment,
    paused_by: Option<String>,
}

/// Clients: only one, or all.
pub async fn page(
    conn: &mut PgConnection,
    only: Option<ClientId>,
    part: Part,
) -> Result<Vec<Client>, StoreError> {
    let rows = part!(
        ClientRow,
        conn,
        part,
        "client_id",
        "select client_id, name, created_at, paused_by from clients
        where ($3::uuid is null or client_id = $3)",
        only.map(|client| client.0)
    )?;
    Ok(rows
        .into_iter()
        .map(|row| Client {
            id: ClientId(row.client_id),
            name: row.name,
            created_at: row.created_at,
            paused_by: row.paused_by,
        })
        .collect())
}
