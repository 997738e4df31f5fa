//! The history of leads.

use outdial_workflows::Moment;
use outdial_workflows::history::{Event, Recorded};
use outdial_workflows::ids::{ClientId, LeadId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;

/// Appends events, each lead's together, all of one moment; their places were assigned under the lock of their workflows.
pub async fn append(
    conn: &mut PgConnection,
    client: ClientId,
    rows: &[(LeadId, Recorded)],
) -> Result<(), StoreError> {
    let together: Vec<&[(LeadId, Recorded)]> = rows.chunk_by(|(a, _), (b, _)| a == b).collect();
    let mut events = Vec::with_capacity(together.len());
    for rows in &together {
        let each: Result<Vec<Value>, _> =
            rows.iter().map(|(_, row)| serde_json::to_value(&row.event)).collect();
        let each = each.map_err(|problem| unreadable("workflow_events", rows[0].0.0, problem))?;
        events.push(Value::Array(each));
    }
    let Some((_, Recorded { at, .. })) = rows.first() else { return Ok(()) };
    let first = || together.iter().map(|rows| &rows[0]);
    sqlx::query!(
        "with history as (
            insert into workflow_events (client_id, lead_id, seq, at, events)
            select $1, x.lead_id, x.seq, $4, x.events from unnest($2::uuid[], $3::bigint[], $5::jsonb[])
                as x(lead_id, seq, events))
        insert into journal (client_id, at, leads, seqs) values ($1, $4, $2, $3)",
        client.0,
        &first().map(|(lead, _)| lead.0).collect::<Vec<Uuid>>(),
        &first().map(|(_, row)| row.seq).collect::<Vec<_>>(),
        at,
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
        "select e.lead_id, seq, at, events
        from (select distinct $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join workflow_events e on e.client_id = x.client_id and e.lead_id = x.lead_id
        order by e.lead_id, seq",
        client.0,
        leads
    )
    .fetch_all(conn)
    .await?;
    let mut recorded = Vec::with_capacity(rows.len());
    for row in rows {
        let lead = LeadId(row.lead_id);
        let unreadable = |seq: i64, problem: serde_json::Error| {
            (lead, unreadable("workflow_events", row.lead_id, format!("event {seq}: {problem}")))
        };
        let events = match serde_json::from_value::<Vec<Value>>(row.events) {
            Ok(events) => events,
            Err(problem) => {
                recorded.push(Err(unreadable(row.seq, problem)));
                continue;
            }
        };
        recorded.extend((row.seq..).zip(events).map(|(seq, event)| {
            let event = serde_json::from_value::<Event>(event).map_err(|problem| unreadable(seq, problem))?;
            Ok((lead, Recorded { seq, at: row.at, event }))
        }));
    }
    Ok(recorded)
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
