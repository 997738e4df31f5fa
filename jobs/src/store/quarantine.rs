//! What could not be processed.

use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, LeadId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// Puts a workflow aside, with what it failed on. Nothing touches it until it is released.
pub async fn workflow(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    lead: LeadId,
    item: &Value,
    error: &str,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into quarantine (client_id, quarantine_id, lead_id, item, error, created_at)
        values ($1, $2, $3, $4, $5, $6)",
        client.0,
        id,
        lead.0,
        item,
        error,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update workflows set quarantined = true where client_id = $1 and lead_id = $2",
        client.0,
        lead.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a job aside that ran out of tries: out of the queue, into the quarantine.
pub async fn job(
    conn: &mut PgConnection,
    lease: crate::store::queue::Lease,
    id: Uuid,
    error: &str,
    now: Moment,
) -> Result<bool, StoreError> {
    let moved = sqlx::query!(
        "with gone as (
            delete from jobs where client_id = $1 and job_id = $2 and lease_token = $3
            returning lead_id, kind, number, args, tries, errors, created_at)
        insert into quarantine (client_id, quarantine_id, lead_id, job_kind, item, error, created_at)
        select $1, $4, lead_id, kind,
            jsonb_build_object('kind', kind, 'number', number, 'args', args, 'tries', tries, 'created_at', created_at,
                'errors', coalesce(errors, '[]') || jsonb_build_object('number', tries, 'at', $6::timestamptz, 'error', $5::text)),
            $5, $6 from gone",
        lease.client.0,
        lease.job.0,
        lease.token,
        id,
        error,
        now
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() > 0)
}

/// Lets a workflow go on. False if it was not put aside.
pub async fn release(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
    now: Moment,
) -> Result<bool, StoreError> {
    let released = sqlx::query!(
        "update workflows set quarantined = false where client_id = $1 and lead_id = $2 and quarantined",
        client.0,
        lead.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update quarantine set released_at = $3 where client_id = $1 and lead_id = $2 and released_at is null",
        client.0,
        lead.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(released.rows_affected() > 0)
}

/// What is put aside and not released, newest first.
pub async fn open(conn: &mut PgConnection, limit: i64) -> Result<Vec<Quarantined>, StoreError> {
    let rows = sqlx::query_as!(
        Quarantined,
        "select client_id, lead_id, job_kind, error, created_at from quarantine
        where released_at is null order by created_at desc limit $1",
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Something that is put aside.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Quarantined {
    /// The tenant.
    pub client_id: Uuid,
    /// The lead, if it is about one.
    pub lead_id: Option<Uuid>,
    /// The job's kind, if it is a job.
    pub job_kind: Option<String>,
    /// Why.
    pub error: String,
    /// Since when.
    pub created_at: Moment,
}
