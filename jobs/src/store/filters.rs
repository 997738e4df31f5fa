//! Filters that people saved.

use outdial_workflows::Moment;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// A list whose filters can be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "filtered_page", rename_all = "snake_case")]
pub enum FilteredPage {
    /// The leads of a campaign.
    Leads,
    /// The calls of a campaign.
    Calls,
    /// The jobs of a client.
    Jobs,
}

impl FilteredPage {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Calls => "calls",
            Self::Jobs => "jobs",
        }
    }
}

/// A saved filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its id.
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// What the list is asked for, as it stands in its address.
    pub query: String,
}

/// The filters that a key has of a list, by their names; at most `limit`.
pub async fn list(
    conn: &mut PgConnection,
    key: Uuid,
    page: FilteredPage,
    limit: i64,
) -> Result<Vec<Saved>, StoreError> {
    let found = sqlx::query_as!(
        Saved,
        "select filter_id as id, name, query from saved_filters where key_id = $1 and page = $2 order by name limit $3",
        key,
        page as FilteredPage,
        limit
    );
    Ok(found.fetch_all(conn).await?)
}

/// Saves one; the same name again means the new one.
pub async fn save(
    conn: &mut PgConnection,
    key: Uuid,
    page: FilteredPage,
    filter: &Saved,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into saved_filters (filter_id, key_id, page, name, query, created_at) values ($1, $2, $3, $4, $5, $6)
        on conflict on constraint saved_filters_name_is_unique do update set query = excluded.query",
        filter.id,
        key,
        page as FilteredPage,
        filter.name,
        filter.query,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Calls one of a key's otherwise. False if the key has no such filter.
pub async fn rename(conn: &mut PgConnection, key: Uuid, id: Uuid, name: &str) -> Result<bool, StoreError> {
    let renamed = sqlx::query!(
        "update saved_filters set name = $3 where filter_id = $2 and key_id = $1",
        key,
        id,
        name
    );
    Ok(renamed.execute(conn).await?.rows_affected() > 0)
}

/// Forgets one of a key's. Returns what it was, or `None` if the key has no such filter.
pub async fn forget(
    conn: &mut PgConnection,
    key: Uuid,
    id: Uuid,
) -> Result<Option<(FilteredPage, Saved)>, StoreError> {
    let forgotten = sqlx::query!(
        r#"delete from saved_filters where filter_id = $2 and key_id = $1
        returning page as "page: FilteredPage", name, query"#,
        key,
        id
    );
    let row = forgotten.fetch_optional(conn).await?;
    Ok(row.map(|row| (row.page, Saved { id, name: row.name, query: row.query })))
}
