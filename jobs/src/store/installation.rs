//! What belongs to the database as a whole.

use outdial_workflows::Moment;
use sqlx::{PgConnection, PgPool};

use super::StoreError;

/// Brings the schema up to this version. Safe to run on many nodes at once.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    sqlx::migrate!("../migrations").run(pool).await
}

/// The newest migration that is applied, and the newest that this program knows.
pub async fn versions(conn: &mut PgConnection) -> Result<(Option<i64>, Option<i64>), StoreError> {
    let known = sqlx::migrate!("../migrations").iter().map(|migration| migration.version).max();
    let exists = sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "exists!""#)
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        return Ok((None, known));
    }
    let applied = sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(conn).await?;
    Ok((applied, known))
}

/// Claims the database for the key with this fingerprint, if no other has. Returns the one that it belongs to.
pub async fn key_fingerprint(
    conn: &mut PgConnection,
    fingerprint: &str,
    now: Moment,
) -> Result<String, StoreError> {
    sqlx::query!(
        "insert into installation (key_fingerprint, created_at) values ($1, $2) on conflict do nothing",
        fingerprint,
        now
    )
    .execute(&mut *conn)
    .await?;
    let theirs = sqlx::query_scalar!("select key_fingerprint from installation").fetch_one(conn).await?;
    Ok(theirs)
}
