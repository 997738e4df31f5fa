//! What admission reads, under the locks of the client and the account.

use outdial_workflows::Moment;
use outdial_workflows::attempt::Revision;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LaneId, LeadId};
use outdial_workflows::limits::Usage;
use outdial_workflows::workflow::Priority;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::rows::PriorityRow;

/// Clients that have a running campaign.
pub async fn clients(conn: &mut PgConnection) -> Result<Vec<ClientId>, StoreError> {
    let clients = sqlx::query_scalar!(
        "select distinct c.client_id from campaigns c join clients l on l.client_id = c.client_id
            where c.state = 'running' and l.paused_by is null"
    )
    .fetch_all(conn)
    .await?;
    Ok(clients.into_iter().map(ClientId).collect())
}

/// Accounts of a client that have a running campaign and are not disabled.
pub async fn accounts(conn: &mut PgConnection, client: ClientId) -> Result<Vec<AccountId>, StoreError> {
    let accounts = sqlx::query_scalar!(
        "select a.account_id from accounts a
        join clients l on l.client_id = a.client_id
        where a.client_id = $1 and a.enabled and a.paused_by is null and l.paused_by is null and exists (
            select from campaigns c where c.client_id = $1 and c.account_id = a.account_id and c.state = 'running')
        order by a.account_id",
        client.0
    )
    .fetch_all(conn)
    .await?;
    Ok(accounts.into_iter().map(AccountId).collect())
}

/// Admission's own lock of a client, so that limits are exact on any number of nodes.
/// Waits no longer than a fifth of a second: another node is admitting then.
pub async fn lock_client(conn: &mut PgConnection, client: ClientId) -> Result<(), StoreError> {
    sqlx::query!("set local lock_timeout = '200ms'").execute(&mut *conn).await?;
    sqlx::query!("select from clients where client_id = $1 for no key update", client.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// An account as admission sees it.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its limits, as stored.
    pub limits: serde_json::Value,
    /// Until when it rests.
    pub resting_until: Option<Moment>,
    /// Its edit count.
    pub version: i32,
}

/// Locks the account, and reads what a later statement than the client's lock sees.
pub async fn lock_account(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
) -> Result<Option<Account>, StoreError> {
    sqlx::query!(
        "select from accounts where client_id = $1 and account_id = $2 for no key update",
        client.0,
        account.0
    )
    .execute(&mut *conn)
    .await?;
    let account = sqlx::query_as!(
        Account,
        "select limits, resting_until, version from accounts a
        where client_id = $1 and account_id = $2 and enabled and paused_by is null
            and not exists (select from clients l where l.client_id = a.client_id and l.paused_by is not null)",
        client.0,
        account.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(account)
}

/// A lane of a running campaign; `store::lanes` tells which are open.
#[derive(Clone, Copy, Debug)]
pub struct OpenLane {
    /// The lane.
    pub lane: LaneId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The campaign's present revision.
    pub revision: Revision,
}

/// What is used, by campaign, of an account. `since`: how far back the widest rate looks.
pub async fn usage(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    since: Option<Moment>,
) -> Result<Vec<(CampaignId, Usage)>, StoreError> {
    let live = sqlx::query!(
        r#"select campaign_id, count(*) as "live!",
            count(*) filter (where ledger in ('reserved', 'submitted')) as "pending!"
        from attempts where client_id = $1 and account_id = $2 and live group by campaign_id"#,
        client.0,
        account.0
    )
    .fetch_all(&mut *conn)
    .await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let mut found: Vec<(CampaignId, Usage)> = live
        .into_iter()
        .map(|row| {
            let usage = Usage { live: count(row.live), pending: count(row.pending), seen: vec![] };
            (CampaignId(row.campaign_id), usage)
        })
        .collect();
    let Some(since) = since else { return Ok(found) };
    let seen = sqlx::query!(
        r#"select campaign_id, replied_at as "replied_at!" from attempts
        where client_id = $1 and account_id = $2 and replied_at > $3 order by replied_at desc"#,
        client.0,
        account.0,
        since
    )
    .fetch_all(conn)
    .await?;
    for row in seen {
        let campaign = CampaignId(row.campaign_id);
        match found.iter_mut().find(|(known, _)| *known == campaign) {
            Some((_, usage)) => usage.seen.push(row.replied_at),
            None => found.push((campaign, Usage { seen: vec![row.replied_at], ..Usage::default() })),
        }
    }
    Ok(found)
}

/// A lead that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The lead.
    pub lead: LeadId,
    /// Its lane.
    pub lane: LaneId,
    /// Its priority.
    pub priority: Priority,
    /// Since when it has been due.
    pub due_at: Moment,
}

/// The leads of these lanes that have been due longest, up to `limit` for each lane and priority.
pub async fn due(
    conn: &mut PgConnection,
    client: ClientId,
    lanes: &[Uuid],
    now: Moment,
    limit: i64,
) -> Result<Vec<Candidate>, StoreError> {
    let rows = sqlx::query!(
        r#"select lanes.lane_id as "lane_id!", p.priority as "priority!: PriorityRow", w.lead_id, w.due_at as "due_at!"
        from unnest($2::uuid[]) as lanes(lane_id)
        cross join unnest(enum_range(null::priority)) as p(priority)
        cross join lateral (
            select lead_id, due_at from workflows
            where client_id = $1 and lane_id = lanes.lane_id and priority = p.priority and due_at <= $3
            order by due_at limit $4) w"#,
        client.0,
        lanes,
        now,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Candidate {
            lead: LeadId(row.lead_id),
            lane: LaneId(row.lane_id),
            priority: row.priority.into(),
            due_at: row.due_at,
        })
        .collect())
}

/// When the next lead of these lanes becomes due.
pub async fn next_due(
    conn: &mut PgConnection,
    client: ClientId,
    lanes: &[Uuid],
) -> Result<Option<Moment>, StoreError> {
    let next = sqlx::query_scalar!(
        "select min(w.due_at) from unnest($2::uuid[]) as lanes(lane_id)
        cross join unnest(enum_range(null::priority)) as p(priority)
        cross join lateral (
            select due_at from workflows
            where client_id = $1 and lane_id = lanes.lane_id and priority = p.priority and due_at is not null
            order by due_at limit 1) w",
        client.0,
        lanes
    )
    .fetch_one(conn)
    .await?;
    Ok(next)
}

/// Notes which lanes were served, so that others come first next time.
pub async fn served(
    conn: &mut PgConnection,
    client: ClientId,
    lanes: &[Uuid],
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update lanes set served_at = $3 from (
            select lane_id from lanes where client_id = $1 and lane_id = any($2) order by lane_id for no key update
        ) served where client_id = $1 and lanes.lane_id = served.lane_id",
        client.0,
        lanes,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many attempts a client submitted since `since`.
pub async fn submitted_since(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    since: Moment,
) -> Result<u32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from attempts where client_id = $1 and account_id = $2 and replied_at > $3"#,
        client.0,
        account.0,
        since
    )
    .fetch_one(conn)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
