//! What admission reads, alone with the client.

use outdial_workflows::Moment;
use outdial_workflows::attempt::Revision;
use outdial_workflows::breaker::Breaker;
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LaneId, LeadId};
use outdial_workflows::limits::Usage;
use outdial_workflows::pool;
use outdial_workflows::workflow::Priority;
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::StoreError;
use super::rows::PriorityRow;

/// Clients that have a running campaign.
pub async fn clients(conn: &mut PgConnection) -> Result<Vec<ClientId>, StoreError> {
    let clients = sqlx::query_scalar!(
        "select l.client_id from clients l where l.paused_by is null and exists (
            select from campaigns c where c.client_id = l.client_id and c.state = 'running')"
    )
    .fetch_all(conn)
    .await?;
    Ok(clients.into_iter().map(ClientId).collect())
}

/// Clients that have a lead due at `now` in a running campaign's lane that is open, or that has to be
/// computed again (see [`super::lanes::of_account`]).
pub async fn clients_due(
    conn: &mut PgConnection,
    edition: &str,
    now: Moment,
) -> Result<Vec<ClientId>, StoreError> {
    let clients = sqlx::query_scalar!(
        "select l.client_id from clients l where l.paused_by is null and exists (
            select from campaigns c
            join lanes n on n.client_id = c.client_id and n.campaign_id = c.campaign_id
            cross join unnest(enum_range(null::priority)) as p(priority)
            cross join lateral (
                select from workflows w
                where w.client_id = n.client_id and w.lane_id = n.lane_id and w.priority = p.priority
                    and w.due_at <= $2 limit 1) due
            where c.client_id = l.client_id and c.state = 'running'
                and (n.place = '' or n.opens_at <= $2 or n.revision is distinct from c.revision
                    or n.edition is distinct from $1))",
        edition,
        now
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
        where a.client_id = $1 and a.enabled and a.paused_by is null and a.held_at is null and l.paused_by is null
            and exists (
            select from campaigns c where c.client_id = $1 and c.account_id = a.account_id and c.state = 'running')
        order by a.account_id",
        client.0
    )
    .fetch_all(conn)
    .await?;
    Ok(accounts.into_iter().map(AccountId).collect())
}

/// Begins a round of admission: alone with the client, so that limits are exact on any number of nodes.
/// Waits no longer than a fifth of a second: another node is admitting then.
pub async fn begin(
    conn: &mut PgConnection,
    client: ClientId,
) -> Result<Transaction<'_, Postgres>, StoreError> {
    let mut tx = conn.begin_with("begin; set local lock_timeout = '200ms'").await?;
    alone(&mut tx, client).await?;
    Ok(tx)
}

/// Admission's own lock of a client, until the transaction ends: what is read by later statements stands
/// still as far as other rounds change it.
///
/// An advisory lock, and no lock of the client's row: a pause changes that row, and waits for no round. It
/// is named by two numbers, which share no names with the barrier's.
pub async fn alone(conn: &mut PgConnection, client: ClientId) -> Result<(), StoreError> {
    let (high, low) = client.0.as_u64_pair();
    let [a, b, c, d, e, f, g, h] = (high ^ low).to_be_bytes();
    let halves = [[a, b, c, d], [e, f, g, h]].map(i32::from_be_bytes);
    sqlx::query!("select pg_advisory_xact_lock($1, $2)", halves[0], halves[1]).execute(conn).await?;
    Ok(())
}

/// An account and its client as admission sees them.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account's limits, as stored.
    pub limits: serde_json::Value,
    /// The client's limits, as stored.
    pub client_limits: serde_json::Value,
    /// How many calls at once the carrier lets it have, where it tells.
    pub carrier_calls: Option<i32>,
    /// How its breaker stands.
    pub breaker: Breaker,
    /// Whether anything is known of its numbers.
    pub knows_numbers: bool,
}

/// Reads an account with its client; `None` if nothing may be dialled from it.
pub async fn read_account(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query!(
        r#"select a.limits, l.limits as client_limits, a.carrier_calls, a.failing, a.trips, a.resting_until,
            exists (select from numbers n where n.client_id = a.client_id and n.account_id = a.account_id)
                as "knows_numbers!"
        from accounts a join clients l on l.client_id = a.client_id
        where a.client_id = $1 and a.account_id = $2 and a.enabled and a.paused_by is null
            and a.held_at is null and l.paused_by is null"#,
        client.0,
        account.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Account {
        limits: row.limits,
        client_limits: row.client_limits,
        carrier_calls: row.carrier_calls,
        breaker: super::rows::breaker(row.failing, row.trips, row.resting_until),
        knows_numbers: row.knows_numbers,
    }))
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

/// What one campaign uses of one account through one of its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The account.
    pub account: AccountId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The number.
    pub caller_id: Option<CallerId>,
    /// How much.
    pub usage: Usage,
}

/// All accounts of a client.
pub async fn all_accounts(conn: &mut PgConnection, client: ClientId) -> Result<Vec<Uuid>, StoreError> {
    let accounts = sqlx::query_scalar!("select account_id from accounts where client_id = $1", client.0)
        .fetch_all(conn)
        .await?;
    Ok(accounts)
}

/// What is used of these accounts. `since`: how far back the widest rate looks. `spent_since`: from when on
/// spending is counted, if it is.
pub async fn usage(
    conn: &mut PgConnection,
    client: ClientId,
    accounts: &[Uuid],
    since: Option<Moment>,
    spent_since: Option<Moment>,
) -> Result<Vec<Used>, StoreError> {
    let live = sqlx::query!(
        r#"select account_id, campaign_id, caller_id, count(*) as "live!",
            count(*) filter (where ledger in ('reserved', 'submitted')) as "pending!"
        from attempts where client_id = $1 and account_id = any($2) and live
        group by account_id, campaign_id, caller_id"#,
        client.0,
        accounts
    )
    .fetch_all(&mut *conn)
    .await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let mut found: Vec<Used> = live
        .into_iter()
        .map(|row| Used {
            account: AccountId(row.account_id),
            campaign: CampaignId(row.campaign_id),
            caller_id: row.caller_id.map(CallerId),
            usage: Usage { live: count(row.live), pending: count(row.pending), ..Usage::default() },
        })
        .collect();
    if let Some(since) = spent_since {
        for (account, campaign, spent) in super::spending::since(conn, client, accounts, since).await? {
            // Spending is not told apart by number: no limit of a number bounds it.
            let known = |used: &&mut Used| (used.account, used.campaign) == (account, campaign);
            match found.iter_mut().find(known) {
                Some(used) => used.usage.spent.push(spent),
                None => {
                    let usage = Usage { spent: vec![spent], ..Usage::default() };
                    found.push(Used { account, campaign, caller_id: None, usage });
                }
            }
        }
    }
    let Some(since) = since else { return Ok(found) };
    let seen = sqlx::query!(
        r#"select account_id, campaign_id, caller_id, replied_at as "replied_at!" from attempts
        where client_id = $1 and account_id = any($2) and replied_at > $3 order by replied_at desc"#,
        client.0,
        accounts,
        since
    )
    .fetch_all(conn)
    .await?;
    for row in seen {
        let of = (AccountId(row.account_id), CampaignId(row.campaign_id), row.caller_id.map(CallerId));
        let known =
            |used: &&mut Used| (used.account, used.campaign) == (of.0, of.1) && used.caller_id == of.2;
        match found.iter_mut().find(known) {
            Some(used) => used.usage.seen.push(row.replied_at),
            None => {
                let usage = Usage { seen: vec![row.replied_at], ..Usage::default() };
                found.push(Used { account: of.0, campaign: of.1, caller_id: of.2, usage });
            }
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

/// What the choice of a number looks at, for these leads.
pub async fn seen_before(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<Vec<(LeadId, pool::Lead)>, StoreError> {
    let rows = sqlx::query!(
        r#"select l.lead_id, l.phone, a.caller_id as "caller_id?"
        from (select $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join leads l on l.client_id = x.client_id and l.lead_id = x.lead_id
        join workflows w on w.client_id = x.client_id and w.lead_id = x.lead_id
        left join attempts a on a.client_id = x.client_id and a.lead_id = x.lead_id and a.number = w.attempts"#,
        client.0,
        leads
    )
    .fetch_all(conn)
    .await?;
    let seen = |phone: Option<String>, last: Option<String>| pool::Lead {
        last: last.map(CallerId),
        phone: phone.and_then(|phone| phone.parse().ok()),
    };
    Ok(rows.into_iter().map(|row| (LeadId(row.lead_id), seen(row.phone, row.caller_id))).collect())
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
