//! What is ordered for campaigns again and again, and pauses that end by themselves.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::rows::ActionRow;

/// What is ordered again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Dial (again).
    Start,
    /// Stop until started.
    Pause,
    /// Start, and try every finished lead anew that may be called.
    Again,
}

/// A campaign's recurring order.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Recurring {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub client: ClientId,
    /// The campaign.
    pub campaign: CampaignId,
    /// When, as six fields.
    pub cron: String,
    /// By whose clock.
    pub zone: String,
    /// What.
    pub action: Action,
    /// Who set it up.
    pub actor: String,
    /// The next time; `None` if there is none.
    pub next_at: Option<Moment>,
    /// The last time.
    pub last_at: Option<Moment>,
    /// What went wrong then.
    pub last_error: Option<String>,
}

/// Writes one.
pub async fn insert(conn: &mut PgConnection, new: &Recurring, now: Moment) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into campaign_schedules
            (client_id, schedule_id, campaign_id, cron, zone, action, actor, next_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.client.0,
        new.id,
        new.campaign.0,
        new.cron,
        new.zone,
        ActionRow::from(new.action) as ActionRow,
        new.actor,
        new.next_at,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of a campaign, or those that are due.
pub async fn list(
    conn: &mut PgConnection,
    campaign: Option<CampaignId>,
    due: Option<Moment>,
) -> Result<Vec<Recurring>, StoreError> {
    let rows = sqlx::query!(
        r#"select client_id, schedule_id, campaign_id, cron, zone, action as "action: ActionRow", actor, next_at,
            last_at, last_error
        from campaign_schedules
        where ($1::uuid is null or campaign_id = $1) and ($2::timestamptz is null or next_at <= $2)
        order by next_at, schedule_id limit 1000"#,
        campaign.map(|campaign| campaign.0),
        due
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Recurring {
            id: row.schedule_id,
            client: ClientId(row.client_id),
            campaign: CampaignId(row.campaign_id),
            cron: row.cron,
            zone: row.zone,
            action: row.action.into(),
            actor: row.actor,
            next_at: row.next_at,
            last_at: row.last_at,
            last_error: row.last_error,
        })
        .collect())
}

/// Whose the one with this id is.
pub async fn campaign_of(
    conn: &mut PgConnection,
    id: Uuid,
) -> Result<Option<(ClientId, CampaignId)>, StoreError> {
    let found =
        sqlx::query!("select client_id, campaign_id from campaign_schedules where schedule_id = $1", id)
            .fetch_optional(conn)
            .await?;
    Ok(found.map(|row| (ClientId(row.client_id), CampaignId(row.campaign_id))))
}

/// Claims a due run by moving its time on. Tells whether it was still there to be claimed.
pub async fn claim(
    conn: &mut PgConnection,
    of: &Recurring,
    next_at: Option<Moment>,
    now: Moment,
) -> Result<bool, StoreError> {
    let claimed = sqlx::query!(
        "update campaign_schedules set next_at = $3, last_at = $4, last_error = null
        where client_id = $1 and schedule_id = $2 and next_at = $5",
        of.client.0,
        of.id,
        next_at,
        now,
        of.next_at
    )
    .execute(conn)
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// Notes what went wrong with a run.
pub async fn failed(conn: &mut PgConnection, of: &Recurring, error: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "update campaign_schedules set last_error = $3 where client_id = $1 and schedule_id = $2",
        of.client.0,
        of.id,
        error
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes one; of this campaign, if one is given. Tells whose it was, if it was there.
pub async fn remove(
    conn: &mut PgConnection,
    campaign: Option<CampaignId>,
    id: Uuid,
) -> Result<Option<(ClientId, CampaignId)>, StoreError> {
    let removed = sqlx::query!(
        "delete from campaign_schedules where schedule_id = $1 and ($2::uuid is null or campaign_id = $2)
        returning client_id, campaign_id",
        id,
        campaign.map(|campaign| campaign.0)
    )
    .fetch_optional(conn)
    .await?;
    Ok(removed.map(|row| (ClientId(row.client_id), CampaignId(row.campaign_id))))
}

/// Why a campaign is resumed whose pause was bounded.
pub const PAUSED_UNTIL_NOW: &str = "its pause was until now";

/// Lets every pause end whose time has come. Tells whose clients have work again, and once for each campaign that
/// was paused itself, which it is.
pub async fn resume_due(
    conn: &mut PgConnection,
    now: Moment,
) -> Result<Vec<(ClientId, Option<CampaignId>)>, StoreError> {
    let rows = sqlx::query!(
        r#"with campaigns_resumed as (
            update campaigns set state = 'running', resume_at = null, changed_by = 'outdial',
                reason = $2, changed_at = $1
            where resume_at <= $1 returning client_id, campaign_id
        ), accounts_resumed as (
            update accounts set paused_by = null, paused_for = null, resume_at = null
            where resume_at <= $1 returning client_id
        ), clients_resumed as (
            update clients set paused_by = null, paused_for = null, resume_at = null
            where resume_at <= $1 returning client_id
        )
        select client_id as "client_id!", campaign_id as "campaign_id?" from campaigns_resumed
        union select client_id, null from accounts_resumed union select client_id, null from clients_resumed"#,
        now,
        PAUSED_UNTIL_NOW
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (ClientId(row.client_id), row.campaign_id.map(CampaignId))).collect())
}
