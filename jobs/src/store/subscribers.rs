//! Who is told of events.

use outdial_workflows::Moment;
use outdial_workflows::delivering::Health;
use outdial_workflows::ids::{CampaignId, ClientId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// A subscriber.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscriber {
    /// The tenant.
    pub client: ClientId,
    /// Its id.
    pub id: Uuid,
    /// Where events are sent to.
    pub url: String,
    /// What it is, for people.
    pub description: String,
    /// Of which types; empty for all.
    pub types: Vec<String>,
    /// Of which campaigns; empty for all.
    pub campaigns: Vec<CampaignId>,
    /// What events are signed with, sealed.
    pub secret: Vec<u8>,
    /// What they are signed with as well, and until when.
    pub old_secret: Option<(Vec<u8>, Moment)>,
    /// Why nothing is sent to it; `None` while it is enabled.
    pub disabled_for: Option<String>,
    /// How it has been answering.
    pub health: Health,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Moment,
    /// When it was last changed.
    pub changed_at: Moment,
}

/// Writes a new one down.
pub async fn insert(conn: &mut PgConnection, new: &Subscriber) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into subscribers (client_id, subscriber_id, url, description, types, campaigns, secret, created_by,
            created_at, changed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        new.client.0,
        new.id,
        new.url,
        new.description,
        &new.types,
        &new.campaigns.iter().map(|campaign| campaign.0).collect::<Vec<_>>(),
        new.secret,
        new.created_by,
        new.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what people may change.
pub async fn save(conn: &mut PgConnection, changed: &Subscriber) -> Result<(), StoreError> {
    let (old_secret, until) = changed.old_secret.clone().unzip();
    sqlx::query!(
        "update subscribers set url = $3, description = $4, types = $5, campaigns = $6, secret = $7, old_secret = $8,
            old_secret_until = $9, disabled_for = $10, failures = $11, failing_since = $12, resting_until = $13,
            changed_at = $14
        where client_id = $1 and subscriber_id = $2",
        changed.client.0,
        changed.id,
        changed.url,
        changed.description,
        &changed.types,
        &changed.campaigns.iter().map(|campaign| campaign.0).collect::<Vec<_>>(),
        changed.secret,
        old_secret,
        until,
        changed.disabled_for,
        i32::try_from(changed.health.failures).unwrap_or(i32::MAX),
        changed.health.failing_since,
        changed.health.resting_until,
        changed.changed_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes one: it is told of nothing any more, and its log goes with time.
pub async fn delete(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update subscribers set deleted_at = $3, changed_at = $3
        where client_id = $1 and subscriber_id = $2 and deleted_at is null",
        client.0,
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The one with this id, over all clients.
pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Subscriber>, StoreError> {
    let row = sqlx::query_as!(
        SubscriberRow,
        "select s.client_id, s.subscriber_id, url, description, types, campaigns, secret, old_secret,
            old_secret_until, disabled_for, failures, failing_since, resting_until, created_by, s.created_at, changed_at
        from (select client_id, $1::uuid as subscriber_id from clients offset 0) x
        join subscribers s on s.client_id = x.client_id and s.subscriber_id = x.subscriber_id
        where deleted_at is null",
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// A client's, locked, so that what waits for it does not change meanwhile.
pub async fn lock(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
) -> Result<Option<Subscriber>, StoreError> {
    let row = sqlx::query_as!(
        SubscriberRow,
        "select client_id, subscriber_id, url, description, types, campaigns, secret, old_secret, old_secret_until,
            disabled_for, failures, failing_since, resting_until, created_by, created_at, changed_at
        from subscribers where client_id = $1 and subscriber_id = $2 and deleted_at is null for no key update",
        client.0,
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// A client's, in the order of their ids.
pub async fn of_client(conn: &mut PgConnection, client: ClientId) -> Result<Vec<Subscriber>, StoreError> {
    let rows = sqlx::query_as!(
        SubscriberRow,
        "select client_id, subscriber_id, url, description, types, campaigns, secret, old_secret, old_secret_until,
            disabled_for, failures, failing_since, resting_until, created_by, created_at, changed_at
        from subscribers where client_id = $1 and deleted_at is null order by subscriber_id",
        client.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The same, locked: whoever takes events off their lists waits.
pub async fn lock_of_client(
    conn: &mut PgConnection,
    client: ClientId,
) -> Result<Vec<Subscriber>, StoreError> {
    let rows = sqlx::query_as!(
        SubscriberRow,
        "select client_id, subscriber_id, url, description, types, campaigns, secret, old_secret, old_secret_until,
            disabled_for, failures, failing_since, resting_until, created_by, created_at, changed_at
        from subscribers where client_id = $1 and deleted_at is null order by subscriber_id for no key update",
        client.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

struct SubscriberRow {
    client_id: Uuid,
    subscriber_id: Uuid,
    url: String,
    description: String,
    types: Vec<String>,
    campaigns: Vec<Uuid>,
    secret: Vec<u8>,
    old_secret: Option<Vec<u8>>,
    old_secret_until: Option<Moment>,
    disabled_for: Option<String>,
    failures: i32,
    failing_since: Option<Moment>,
    resting_until: Option<Moment>,
    created_by: String,
    created_at: Moment,
    changed_at: Moment,
}

impl From<SubscriberRow> for Subscriber {
    fn from(row: SubscriberRow) -> Self {
        Self {
            client: ClientId(row.client_id),
            id: row.subscriber_id,
            url: row.url,
            description: row.description,
            types: row.types,
            campaigns: row.campaigns.into_iter().map(CampaignId).collect(),
            secret: row.secret,
            old_secret: row.old_secret.zip(row.old_secret_until),
            disabled_for: row.disabled_for,
            health: Health {
                failures: u32::try_from(row.failures).unwrap_or_default(),
                failing_since: row.failing_since,
                resting_until: row.resting_until,
            },
            created_by: row.created_by,
            created_at: row.created_at,
            changed_at: row.changed_at,
        }
    }
}
