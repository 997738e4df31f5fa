//! The playbooks of clients: versions that are added, and never changed or deleted.

use std::collections::BTreeMap;

use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use outdial_workflows::playbook::Source;
use sqlx::PgConnection;

use super::StoreError;
use super::error::unreadable;

/// A version of a playbook, without what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The playbook's name.
    pub name: String,
    /// Which; counts from 1.
    pub version: i32,
    /// Whether it is a flow.
    pub is_flow: bool,
    /// When it was added.
    pub created_at: Moment,
    /// By whom.
    pub created_by: String,
}

/// Adds a version, if nobody else has added one of this number meanwhile. Returns whether it did.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    new: &Version,
    source: &Source,
) -> Result<bool, StoreError> {
    let files = serde_json::to_value(&source.files);
    let files = files.map_err(|problem| unreadable("playbooks", client.0, problem))?;
    let done = sqlx::query!(
        "insert into playbooks (client_id, name, version, text, files, created_at, created_by, is_flow)
        values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        client.0,
        new.name,
        new.version,
        source.text,
        files,
        new.created_at,
        new.created_by,
        new.is_flow
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The number of the latest version of a playbook; `None` if the client keeps none of this name.
pub async fn latest(
    conn: &mut PgConnection,
    client: ClientId,
    name: &str,
) -> Result<Option<i32>, StoreError> {
    let version = sqlx::query_scalar!(
        "select version from playbooks where client_id = $1 and name = $2 order by version desc limit 1",
        client.0,
        name
    )
    .fetch_optional(conn)
    .await?;
    Ok(version)
}

/// A version with what it says.
pub async fn read(
    conn: &mut PgConnection,
    client: ClientId,
    name: &str,
    version: i32,
) -> Result<Option<(Version, Source)>, StoreError> {
    let row = sqlx::query!(
        "select name, version, is_flow, text, files, created_at, created_by from playbooks
        where client_id = $1 and name = $2 and version = $3",
        client.0,
        name,
        version
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let files = serde_json::from_value::<BTreeMap<String, String>>(row.files);
    let files = files.map_err(|problem| unreadable("playbooks", client.0, problem))?;
    let (created_at, created_by) = (row.created_at, row.created_by);
    let (name, version, is_flow) = (row.name, row.version, row.is_flow);
    let version = Version { name, version, is_flow, created_at, created_by };
    Ok(Some((version, Source { text: row.text, files })))
}

/// The latest version of each of a client's playbooks, by name, from the one after `after` on. One look-up a name:
/// versions that are not the latest are not read.
pub async fn page(
    conn: &mut PgConnection,
    client: ClientId,
    after: &str,
    limit: i64,
) -> Result<Vec<Version>, StoreError> {
    let rows = sqlx::query_as!(
        Version,
        r#"with recursive names as (
            (select name from playbooks where client_id = $1 and name > $2 order by name limit 1)
            union all
            select (select p.name from playbooks p where p.client_id = $1 and p.name > n.name order by p.name limit 1)
            from names n where n.name is not null
        )
        select p.name as "name!", p.version as "version!", p.is_flow as "is_flow!", p.created_at as "created_at!",
            p.created_by as "created_by!"
        from (select name from names where name is not null limit $3) n
        cross join lateral (
            select * from playbooks p where p.client_id = $1 and p.name = n.name order by p.version desc limit 1
        ) p order by p.name"#,
        client.0,
        after,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The versions of a playbook, the newest first, from the one before `before` on.
pub async fn versions(
    conn: &mut PgConnection,
    client: ClientId,
    name: &str,
    before: i32,
    limit: i64,
) -> Result<Vec<Version>, StoreError> {
    let rows = sqlx::query_as!(
        Version,
        "select name, version, is_flow, created_at, created_by from playbooks
        where client_id = $1 and name = $2 and version < $3 order by version desc limit $4",
        client.0,
        name,
        before,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
