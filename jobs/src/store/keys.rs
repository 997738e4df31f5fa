//! API keys.

use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::paging::{Part, part};

/// What somebody with a key may do; each may do all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "api_role", rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Run campaigns: leads, orders, suppressions, consent.
    Operator,
    /// Everything else: accounts, limits, keys.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A key, without what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: Uuid,
    /// The one client that it is good for; `None` for all.
    pub client: Option<ClientId>,
    /// Whose it is, for people.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// Its last characters.
    pub hint: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Moment,
    /// From when on it is good for nothing.
    pub expires_at: Option<Moment>,
    /// When it was revoked.
    pub revoked_at: Option<Moment>,
    /// When it was last used, to the minute.
    pub used_at: Option<Moment>,
}

struct Row {
    key_id: Uuid,
    client_id: Option<Uuid>,
    name: String,
    role: Role,
    hint: String,
    created_by: String,
    created_at: Moment,
    expires_at: Option<Moment>,
    revoked_at: Option<Moment>,
    used_at: Option<Moment>,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.key_id,
            client: row.client_id.map(ClientId),
            name: row.name,
            role: row.role,
            hint: row.hint,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            used_at: row.used_at,
        }
    }
}

/// Writes a new key.
pub async fn insert(conn: &mut PgConnection, key: &ApiKey, hash: &[u8]) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into api_keys (key_id, client_id, name, role, hash, hint, created_by, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key.id,
        key.client.map(|client| client.0),
        key.name,
        key.role as Role,
        hash,
        key.hint,
        key.created_by,
        key.created_at,
        key.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The key with this hash, valid or not. Notes that it was used, once a minute.
pub async fn by_hash(
    conn: &mut PgConnection,
    hash: &[u8],
    now: Moment,
) -> Result<Option<ApiKey>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"select key_id, client_id, name, role as "role: Role", hint, created_by, created_at, expires_at,
            revoked_at, used_at
        from api_keys where hash = $1"#,
        hash
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(key) = row.map(ApiKey::from) else { return Ok(None) };
    if key.used_at.is_none_or(|at| now - at > chrono::TimeDelta::minutes(1)) {
        sqlx::query!("update api_keys set used_at = $2 where key_id = $1", key.id, now).execute(conn).await?;
    }
    Ok(Some(key))
}

/// Keys: of one client, or all.
pub async fn list(
    conn: &mut PgConnection,
    client: Option<ClientId>,
    part: Part,
) -> Result<Vec<ApiKey>, StoreError> {
    let rows = part!(
        Row,
        conn,
        part,
        "key_id",
        r#"select key_id, client_id, name, role as "role: Role", hint, created_by, created_at, expires_at,
            revoked_at, used_at
        from api_keys where ($3::uuid is null or client_id = $3)"#,
        client.map(|client| client.0)
    )?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Locks a key's row.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<ApiKey>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"select key_id, client_id, name, role as "role: Role", hint, created_by, created_at, expires_at,
            revoked_at, used_at
        from api_keys where key_id = $1 for no key update"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Has a locked key be good for nothing from now on.
pub async fn revoke(conn: &mut PgConnection, id: Uuid, now: Moment) -> Result<(), StoreError> {
    sqlx::query!("update api_keys set revoked_at = $2 where key_id = $1", id, now).execute(conn).await?;
    Ok(())
}

/// Has a locked key be good for nothing from `at` on.
pub async fn expire(conn: &mut PgConnection, id: Uuid, at: Moment) -> Result<(), StoreError> {
    sqlx::query!("update api_keys set expires_at = $2 where key_id = $1", id, at).execute(conn).await?;
    Ok(())
}
