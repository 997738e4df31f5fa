//! News that cannot be taken in yet.

use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, LeadId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::rows::ProviderRow;
use crate::providers::Provider;

/// A piece of news to be kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its id.
    pub id: Uuid,
    /// The lead it is about.
    pub lead: LeadId,
    /// The attempt it is about.
    pub number: Option<i16>,
    /// The input as it was.
    pub input: Value,
}

/// Keeps news of leads that cannot be worked on now.
pub async fn keep(
    conn: &mut PgConnection,
    client: ClientId,
    provider: Provider,
    kept: &[Kept],
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into webhook_inbox (client_id, provider, received_at, inbox_id, lead_id, number, input)
        select $1, $2, $3, x.* from unnest($4::uuid[], $5::uuid[], $6::smallint[], $7::jsonb[])
            as x(inbox_id, lead_id, number, input)",
        client.0,
        ProviderRow::from(provider) as ProviderRow,
        now,
        &kept.iter().map(|row| row.id).collect::<Vec<_>>(),
        &kept.iter().map(|row| row.lead.0).collect::<Vec<_>>(),
        &kept.iter().map(|row| row.number).collect::<Vec<_>>() as &[Option<i16>],
        &kept.iter().map(|row| row.input.clone()).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// News kept for leads that can be worked on again, oldest first.
pub async fn workable(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(ClientId, Uuid, LeadId, Value)>, StoreError> {
    let rows = sqlx::query!(
        r#"select i.client_id, i.inbox_id, i.lead_id as "lead_id!", i.input from webhook_inbox i
        join workflows w on w.client_id = i.client_id and w.lead_id = i.lead_id and not w.quarantined
        where i.applied_at is null order by i.received_at limit $1"#,
        limit
    )
    .fetch_all(conn)
    .await?;
    let lead = |id| LeadId(id);
    Ok(rows
        .into_iter()
        .map(|row| (ClientId(row.client_id), row.inbox_id, lead(row.lead_id), row.input))
        .collect())
}

/// Notes that kept news was taken in.
pub async fn applied(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update webhook_inbox set applied_at = $3 where client_id = $1 and inbox_id = $2",
        client.0,
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
