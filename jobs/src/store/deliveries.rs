//! Which subscriber was told of which event: the delivery log, and what waits to be sent.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "delivery_state", rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent, or sent again.
    Waiting,
    /// The subscriber took it.
    Delivered,
    /// The subscriber never took it.
    Failed,
}

impl DeliveryState {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// An event that a subscriber is to be told of.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    /// The subscriber.
    pub subscriber: Uuid,
    /// The same for every subscriber and every sending of the event.
    pub event: String,
    /// Its type.
    pub kind: String,
    /// When it happened.
    pub at: Moment,
    /// The lead, and the event's place in its history.
    pub lead: Option<(LeadId, i64)>,
    /// What is particular to its type.
    pub told: Value,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its place among its subscriber's.
    pub id: i64,
    /// What is sent.
    pub new: NewDelivery,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was sent.
    pub tries: i16,
    /// When it is sent next, while it waits.
    pub next_at: Option<Moment>,
    /// The HTTP status of the last answer.
    pub last_status: Option<i16>,
    /// What was wrong with the last sending.
    pub last_error: Option<String>,
    /// When it last changed.
    pub changed_at: Moment,
}

/// Writes deliveries down, each event once a subscriber. Returns how many were new.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    new: &[NewDelivery],
    now: Moment,
) -> Result<u64, StoreError> {
    let inserted = sqlx::query!(
        "insert into deliveries (client_id, next_at, changed_at, subscriber_id, event_id, kind, at, lead_id, seq, told)
        select $1, $2, $2, x.* from unnest($3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::uuid[],
            $8::bigint[], $9::jsonb[]) as x(subscriber_id, event_id, kind, at, lead_id, seq, told)
        on conflict (subscriber_id, event_id) do nothing",
        client.0,
        now,
        &new.iter().map(|new| new.subscriber).collect::<Vec<_>>(),
        &new.iter().map(|new| new.event.clone()).collect::<Vec<_>>(),
        &new.iter().map(|new| new.kind.clone()).collect::<Vec<_>>(),
        &new.iter().map(|new| new.at).collect::<Vec<_>>(),
        &new.iter().map(|new| new.lead.map(|(lead, _)| lead.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &new.iter().map(|new| new.lead.map(|(_, seq)| seq)).collect::<Vec<_>>() as &[Option<i64>],
        &new.iter().map(|new| new.told.clone()).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected())
}

/// Those that may be sent now, the longest due first: of each lead only the earliest that waits.
pub async fn due(
    conn: &mut PgConnection,
    subscriber: Uuid,
    now: Moment,
    limit: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let rows = sqlx::query_as!(
        DeliveryRow,
        r#"select subscriber_id, delivery_id, event_id, kind, at, lead_id, seq, told, state as "state: DeliveryState",
            tries, next_at, last_status, last_error, changed_at
        from deliveries d
        where subscriber_id = $1 and state = 'waiting' and next_at <= $2 and not exists (
            select from deliveries e where e.subscriber_id = $1 and e.lead_id = d.lead_id
                and e.delivery_id < d.delivery_id and e.state = 'waiting')
        order by next_at, delivery_id limit $3"#,
        subscriber,
        now,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// When the next one is to be sent that no earlier one of its lead stands before.
pub async fn next_at(conn: &mut PgConnection, subscriber: Uuid) -> Result<Option<Moment>, StoreError> {
    let next = sqlx::query_scalar!(
        r#"select next_at as "next_at!" from deliveries d
        where subscriber_id = $1 and state = 'waiting' and not exists (
            select from deliveries e where e.subscriber_id = $1 and e.lead_id = d.lead_id
                and e.delivery_id < d.delivery_id and e.state = 'waiting')
        order by next_at, delivery_id limit 1"#,
        subscriber
    )
    .fetch_optional(conn)
    .await?;
    Ok(next)
}

/// Writes down what came of sending some.
pub async fn save(conn: &mut PgConnection, sent: &[Delivery]) -> Result<(), StoreError> {
    sqlx::query!(
        "update deliveries d set state = x.state, tries = x.tries, next_at = x.next_at, last_status = x.last_status,
            last_error = x.last_error, changed_at = x.changed_at
        from (select * from unnest($1::uuid[], $2::bigint[], $3::delivery_state[], $4::smallint[],
                $5::timestamptz[], $6::smallint[], $7::text[], $8::timestamptz[])
            as x(subscriber_id, delivery_id, state, tries, next_at, last_status, last_error, changed_at) offset 0) x
        where d.subscriber_id = x.subscriber_id and d.delivery_id = x.delivery_id",
        &sent.iter().map(|sent| sent.new.subscriber).collect::<Vec<_>>(),
        &sent.iter().map(|sent| sent.id).collect::<Vec<_>>(),
        &sent.iter().map(|sent| sent.state).collect::<Vec<_>>() as &[DeliveryState],
        &sent.iter().map(|sent| sent.tries).collect::<Vec<_>>(),
        &sent.iter().map(|sent| sent.next_at).collect::<Vec<_>>() as &[Option<Moment>],
        &sent.iter().map(|sent| sent.last_status).collect::<Vec<_>>() as &[Option<i16>],
        &sent.iter().map(|sent| sent.last_error.clone()).collect::<Vec<_>>() as &[Option<String>],
        &sent.iter().map(|sent| sent.changed_at).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A subscriber's deliveries before `before`, the latest first.
pub async fn list(
    conn: &mut PgConnection,
    subscriber: Uuid,
    state: Option<DeliveryState>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let rows = sqlx::query_as!(
        DeliveryRow,
        r#"select subscriber_id, delivery_id, event_id, kind, at, lead_id, seq, told, state as "state: DeliveryState",
            tries, next_at, last_status, last_error, changed_at
        from deliveries
        where subscriber_id = $1 and ($2::delivery_state is null or state = $2)
            and ($3::bigint is null or delivery_id < $3)
        order by delivery_id desc limit $4"#,
        subscriber,
        state as Option<DeliveryState>,
        before,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Has deliveries sent anew: the one with this id, or all in this state that happened since. Returns how many.
pub async fn again(
    conn: &mut PgConnection,
    subscriber: Uuid,
    which: (Option<i64>, Option<DeliveryState>, Option<Moment>),
    now: Moment,
) -> Result<u64, StoreError> {
    let (id, state, since) = which;
    let again = sqlx::query!(
        "update deliveries set state = 'waiting', tries = 0, next_at = $5, changed_at = $5
        where subscriber_id = $1 and ($2::bigint is null or delivery_id = $2)
            and ($3::delivery_state is null or state = $3) and ($4::timestamptz is null or at >= $4)",
        subscriber,
        id,
        state as Option<DeliveryState>,
        since,
        now
    )
    .execute(conn)
    .await?;
    Ok(again.rows_affected())
}

/// Erases what was settled before `before`, a page.
pub async fn erase(conn: &mut PgConnection, before: Moment, limit: i64) -> Result<u64, StoreError> {
    let erased = sqlx::query!(
        "delete from deliveries d using (
            select subscriber_id, delivery_id from deliveries where state <> 'waiting' and changed_at < $1
            order by changed_at limit $2) x
        where d.subscriber_id = x.subscriber_id and d.delivery_id = x.delivery_id",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(erased.rows_affected())
}

/// Gives up on what has waited since before `before`, and on what waits for subscribers that are gone.
pub async fn give_up(
    conn: &mut PgConnection,
    client: ClientId,
    before: Moment,
    now: Moment,
) -> Result<u64, StoreError> {
    let given_up = sqlx::query!(
        "update deliveries d set state = 'failed', next_at = null, changed_at = $3,
            last_error = coalesce(last_error, 'nobody took it in time')
        from subscribers s
        where s.client_id = $1 and d.subscriber_id = s.subscriber_id and d.state = 'waiting'
            and (s.deleted_at is not null or d.at < $2)",
        client.0,
        before,
        now
    )
    .execute(conn)
    .await?;
    Ok(given_up.rows_affected())
}

/// What subscribers are told of leads besides the events: who they are and whose.
pub struct About {
    /// The lead.
    pub lead: LeadId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// What its sender calls it.
    pub external_id: Option<String>,
    /// The number; `None` once the person was erased.
    pub phone: Option<String>,
    /// The name.
    pub name: Option<String>,
}

/// Reads that of these leads.
pub async fn about(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<Vec<About>, StoreError> {
    let rows = sqlx::query!(
        "select l.lead_id, l.campaign_id, l.external_id, l.phone, l.name
        from (select distinct $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join leads l on l.client_id = x.client_id and l.lead_id = x.lead_id",
        client.0,
        leads
    )
    .fetch_all(conn)
    .await?;
    let about = rows.into_iter().map(|row| About {
        lead: LeadId(row.lead_id),
        campaign: CampaignId(row.campaign_id),
        external_id: row.external_id,
        phone: row.phone,
        name: row.name,
    });
    Ok(about.collect())
}

struct DeliveryRow {
    subscriber_id: Uuid,
    delivery_id: i64,
    event_id: String,
    kind: String,
    at: Moment,
    lead_id: Option<Uuid>,
    seq: Option<i64>,
    told: Value,
    state: DeliveryState,
    tries: i16,
    next_at: Option<Moment>,
    last_status: Option<i16>,
    last_error: Option<String>,
    changed_at: Moment,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            id: row.delivery_id,
            new: NewDelivery {
                subscriber: row.subscriber_id,
                event: row.event_id,
                kind: row.kind,
                at: row.at,
                lead: row.lead_id.map(LeadId).zip(row.seq),
                told: row.told,
            },
            state: row.state,
            tries: row.tries,
            next_at: row.next_at,
            last_status: row.last_status,
            last_error: row.last_error,
            changed_at: row.changed_at,
        }
    }
}
