//! The history of leads.

use outdial_workflows::Moment;
use outdial_workflows::history::{Event, Recorded};
use outdial_workflows::ids::{ClientId, LeadId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;

/// Appends events; their places were assigned under the lock of their workflows.
pub async fn append(
    conn: &mut PgConnection,
    client: ClientId,
    rows: &[(LeadId, Recorded)],
) -> Result<(), StoreError> {
    let mut events = Vec::with_capacity(rows.len());
    for (lead, row) in rows {
        let event = serde_json::to_value(&row.event);
        events.push(event.map_err(|problem| unreadable("workflow_events", lead.0, problem))?);
    }
    sqlx::query!(
        "insert into workflow_events (client_id, lead_id, seq, at, event)
        select $1, x.* from unnest($2::uuid[], $3::bigint[], $4::timestamptz[], $5::jsonb[])
            as x(lead_id, seq, at, event)",
        client.0,
        &rows.iter().map(|(lead, _)| lead.0).collect::<Vec<Uuid>>(),
        &rows.iter().map(|(_, row)| row.seq).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.at).collect::<Vec<_>>(),
        &events
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An event that was read, or the lead whose row cannot be read.
pub type Loaded = Result<(LeadId, Recorded), (LeadId, StoreError)>;

/// The histories of these leads, by lead and in order.
pub async fn of_leads(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<Vec<Loaded>, StoreError> {
    let rows = sqlx::query!(
        "select lead_id, seq, at, event from workflow_events
        where client_id = $1 and lead_id = any($2) order by lead_id, seq",
        client.0,
        leads
    )
    .fetch_all(conn)
    .await?;
    let read = |row: (Uuid, i64, Moment, serde_json::Value)| {
        let (id, seq, at, event) = row;
        match serde_json::from_value::<Event>(event) {
            Ok(event) => Ok((LeadId(id), Recorded { seq, at, event })),
            Err(problem) => {
                let problem = format!("event {seq}: {problem}");
                Err((LeadId(id), unreadable("workflow_events", id, problem)))
            }
        }
    };
    Ok(rows.into_iter().map(|row| read((row.lead_id, row.seq, row.at, row.event))).collect())
}

/// Makes sure that there is a partition for each month from `from` to `to`, both included as their first days.
pub async fn ensure_partition(
    conn: &mut PgConnection,
    name: &str,
    from: Moment,
    to: Moment,
) -> Result<(), StoreError> {
    // Names and bounds of partitions cannot be parameters; these are made by our own code from dates.
    let statement = format!(
        "create table if not exists {name} partition of workflow_events for values from ('{}') to ('{}')",
        from.format("%Y-%m-%d"),
        to.format("%Y-%m-%d")
    );
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(conn).await?;
    Ok(())
}
