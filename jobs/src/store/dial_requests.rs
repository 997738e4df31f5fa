//! Dial requests as they were sent, of carriers that tell copies apart: beside the ledger, and erased a
//! day later.

use outdial_workflows::Moment;
use outdial_workflows::ids::{AttemptNumber, ClientId, LeadId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::rows::small;

/// A request that is committed to.
#[derive(Clone, Debug)]
pub struct Request {
    /// The lead.
    pub lead: LeadId,
    /// The attempt.
    pub number: AttemptNumber,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// Keeps requests. One that is committed to again replaces what was kept of it.
pub async fn keep(
    conn: &mut PgConnection,
    client: ClientId,
    requests: Vec<Request>,
    now: Moment,
) -> Result<(), StoreError> {
    let leads: Vec<Uuid> = requests.iter().map(|request| request.lead.0).collect();
    let numbers: Vec<i16> = requests.iter().map(|request| small(request.number.get())).collect();
    let bodies: Vec<Vec<u8>> = requests.into_iter().map(|request| request.body).collect();
    sqlx::query!(
        "insert into dial_requests (client_id, submitted_at, lead_id, number, body)
        select $1, $2, x.* from unnest($3::uuid[], $4::smallint[], $5::bytea[]) as x(lead_id, number, body)
        on conflict (client_id, lead_id, number) do update
            set submitted_at = excluded.submitted_at, body = excluded.body",
        client.0,
        now,
        &leads,
        &numbers,
        &bodies
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was sent; `None` if it was not kept, or is erased.
pub async fn read(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
) -> Result<Option<Vec<u8>>, StoreError> {
    let body = sqlx::query_scalar!(
        "select body from dial_requests where client_id = $1 and lead_id = $2 and number = $3",
        client.0,
        lead.0,
        small(number.get())
    )
    .fetch_optional(conn)
    .await?;
    Ok(body)
}

/// Erases requests that were submitted before `before` and whose attempts are no longer live.
/// Returns how many.
pub async fn erase(conn: &mut PgConnection, before: Moment, limit: i64) -> Result<u64, StoreError> {
    let erased = sqlx::query!(
        "delete from dial_requests r using (
            select r.client_id, r.lead_id, r.number from dial_requests r
            join attempts a using (client_id, lead_id, number)
            where r.submitted_at < $1 and not a.live
            order by r.submitted_at limit $2 for no key update of r skip locked) old
        where r.client_id = old.client_id and r.lead_id = old.lead_id and r.number = old.number",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(erased.rows_affected())
}
