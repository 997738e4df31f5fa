//! Numbers that must not be called.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// A suppression that is in force or will be.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// The number.
    pub phone: String,
    /// The campaign that it is bounded to.
    pub campaign: Option<CampaignId>,
    /// When it ends.
    pub expires_at: Option<Moment>,
}

/// The suppressions of these numbers.
pub async fn of_phones(
    conn: &mut PgConnection,
    client: ClientId,
    phones: &[String],
) -> Result<Vec<Suppression>, StoreError> {
    let rows = sqlx::query!(
        "select phone, campaign_id, expires_at from suppressions
        where client_id = $1 and phone = any($2) and removed_at is null",
        client.0,
        phones
    )
    .fetch_all(conn)
    .await?;
    let bounded = |campaign: Option<Uuid>| campaign.map(CampaignId);
    Ok(rows
        .into_iter()
        .map(|row| Suppression {
            phone: row.phone,
            campaign: bounded(row.campaign_id),
            expires_at: row.expires_at,
        })
        .collect())
}

/// Puts the numbers of these leads on the client's list for good, because of what a call yielded.
/// The caller holds the barrier exclusively.
pub async fn from_results(
    conn: &mut PgConnection,
    client: ClientId,
    ids: &[Uuid],
    leads: &[LeadId],
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into suppressions (client_id, suppression_id, phone, source, actor, created_at)
        select $1, x.id, l.phone, 'call result', 'outdial', $4
        from unnest($2::uuid[], $3::uuid[]) as x(id, lead_id)
        join leads l on l.client_id = $1 and l.lead_id = x.lead_id
        where l.phone is not null
        on conflict (client_id, phone, campaign_id) where removed_at is null
            do update set expires_at = null",
        client.0,
        ids,
        &leads.iter().map(|lead| lead.0).collect::<Vec<_>>(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a number on the client's list. The caller holds the barrier exclusively.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    new: &Suppression,
    actor: &str,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into suppressions (client_id, suppression_id, phone, campaign_id, source, actor, created_at, expires_at)
        values ($1, $2, $3, $4, 'operator', $5, $6, $7)
        on conflict (client_id, phone, campaign_id) where removed_at is null
            do update set expires_at = excluded.expires_at",
        client.0,
        id,
        new.phone,
        new.campaign.map(|campaign| campaign.0),
        actor,
        now,
        new.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}
