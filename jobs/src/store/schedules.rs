//! Recurring work.

use outdial_workflows::Moment;
use sqlx::PgConnection;

use super::StoreError;

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// Six fields, from seconds to days of the week.
    pub cron: String,
    /// The zone by whose clock it runs.
    pub zone: String,
    /// `once` or `skip`.
    pub missed: String,
    /// When it runs next.
    pub next_at: Moment,
}

/// Makes sure that a schedule exists. An operator's edit of an existing one stays.
pub async fn ensure(
    conn: &mut PgConnection,
    name: &str,
    cron: &str,
    next_at: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into schedules (name, cron, next_at) values ($1, $2, $3) on conflict do nothing",
        name,
        cron,
        next_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// All schedules.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Schedule>, StoreError> {
    let rows =
        sqlx::query_as!(Schedule, "select name, cron, zone, missed, next_at from schedules order by next_at")
            .fetch_all(conn)
            .await?;
    Ok(rows)
}

/// Claims the run that was due at `due_at` by moving the schedule on. One node wins.
pub async fn claim(
    conn: &mut PgConnection,
    name: &str,
    due_at: Moment,
    next_at: Moment,
    now: Moment,
) -> Result<bool, StoreError> {
    let claimed = sqlx::query!(
        "update schedules set next_at = $3, last_at = $4 where name = $1 and next_at = $2",
        name,
        due_at,
        next_at,
        now
    )
    .execute(conn)
    .await?;
    Ok(claimed.rows_affected() > 0)
}

/// Notes how a run went.
pub async fn ran(
    conn: &mut PgConnection,
    name: &str,
    took_ms: i32,
    error: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!("update schedules set last_ms = $2, last_error = $3 where name = $1", name, took_ms, error)
        .execute(conn)
        .await?;
    Ok(())
}
