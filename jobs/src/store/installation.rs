//! What belongs to the database as a whole.

use outdial_workflows::Moment;
use sqlx::{PgConnection, PgPool};

use super::StoreError;

/// Brings the schema up to this version. Safe to run on many nodes at once. A schema that is newer stays as it is: while an
/// installation is brought to the next version, processes of this one go on, and may have to start anew.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    let mut migrations = sqlx::migrate!("../migrations");
    migrations.set_ignore_missing(true).run(pool).await
}

/// Where this database is: its server, which it is there, and the line of its history. A copy that was restored differs in
/// one of the first two, and a replica that took over in the last.
///
/// # Errors
/// Also where it only follows another server.
pub async fn place(conn: &mut PgConnection) -> Result<String, sqlx::Error> {
    // Not a checked query: the same is asked of connections before anything else is.
    sqlx::query_scalar(
        "select concat_ws('/', (pg_control_system()).system_identifier, d.oid, left(pg_walfile_name(pg_current_wal_lsn()), 8))
        from pg_database d where d.datname = current_database()",
    )
    .fetch_one(conn)
    .await
}

/// Where it was last used; `None` if nobody has looked yet.
pub async fn last_place(conn: &mut PgConnection) -> Result<Option<String>, StoreError> {
    let place = sqlx::query_scalar!("select place from installation").fetch_optional(conn).await?;
    Ok(place.flatten())
}

/// Notes where it is used.
pub async fn set_place(conn: &mut PgConnection, place: &str) -> Result<(), StoreError> {
    sqlx::query!("update installation set place = $1", place).execute(conn).await?;
    Ok(())
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
