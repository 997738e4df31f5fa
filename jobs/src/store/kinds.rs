//! Kinds of jobs that nobody begins for now.

use outdial_workflows::Moment;
use sqlx::PgConnection;

use super::StoreError;

/// A kind that is paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    /// The kind.
    pub kind: String,
    /// Who paused it.
    pub actor: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Since when.
    pub paused_at: Moment,
}

/// The kinds that are paused.
pub async fn paused(conn: &mut PgConnection) -> Result<Vec<Paused>, StoreError> {
    let rows =
        sqlx::query_as!(Paused, "select kind, actor, reason, paused_at from paused_kinds order by kind");
    Ok(rows.fetch_all(conn).await?)
}

/// Pauses a kind. False if it was paused already.
pub async fn pause(conn: &mut PgConnection, paused: &Paused) -> Result<bool, StoreError> {
    let made = sqlx::query!(
        "insert into paused_kinds (kind, actor, reason, paused_at) values ($1, $2, $3, $4) on conflict do nothing",
        paused.kind,
        paused.actor,
        paused.reason,
        paused.paused_at
    )
    .execute(conn)
    .await?;
    Ok(made.rows_affected() > 0)
}

/// Lets a kind go on. Returns how it was paused, if it was.
pub async fn resume(conn: &mut PgConnection, kind: &str) -> Result<Option<Paused>, StoreError> {
    let was = sqlx::query_as!(
        Paused,
        "delete from paused_kinds where kind = $1 returning kind, actor, reason, paused_at",
        kind
    );
    Ok(was.fetch_optional(conn).await?)
}
