//! What stands in the database, for metrics: read again and again, so that nothing here reads a large table.
//! Each list has an end.

use chrono::NaiveDate;
use outdial_workflows::Moment;
use outdial_workflows::attempt::Ledger;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::State;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::rows::{CampaignStateRow, LedgerRow, OutcomeRow, ProviderRow, StateRow};
use crate::providers::Provider;

/// So many campaigns are shown, the latest changed of those under way.
const CAMPAIGNS: i64 = 500;
/// So many lanes are looked at for somebody who is due.
const LANES: i64 = 500;
/// Pending statistics are read up to here; at full load a second's are some thousand.
const PENDING: i64 = 20_000;

/// How many leads stand somewhere, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The tenant.
    pub client: ClientId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The state.
    pub state: State,
    /// Why they wait or are held.
    pub reason: Option<String>,
    /// The outcome of finished leads.
    pub outcome: Option<Outcome>,
    /// How many.
    pub count: i64,
}

/// How many leads stand where, of the campaigns under way: what is rolled up, and what is pending.
pub async fn standing(conn: &mut PgConnection) -> Result<Vec<Standing>, StoreError> {
    let rows = sqlx::query!(
        r#"with shown as materialized (
            select client_id, campaign_id from campaigns where state in ('running', 'paused')
            order by changed_at desc limit $1
        )
        select client_id as "client_id!", campaign_id as "campaign_id!", state as "state!: StateRow", reason,
            outcome as "outcome: OutcomeRow", sum(count)::bigint as "count!"
        from (
            select s.* from shown cross join lateral (
                select * from standings s
                where s.client_id = shown.client_id and s.campaign_id = shown.campaign_id) s
            union all
            select client_id, campaign_id, state, reason, outcome, count
            from (select * from statistics_deltas order by delta_id limit $2) d
            where (client_id, campaign_id) in (select client_id, campaign_id from shown)
        ) s group by 1, 2, 3, 4, 5 having sum(count) <> 0"#,
        CAMPAIGNS,
        PENDING
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Standing {
            client: ClientId(row.client_id),
            campaign: CampaignId(row.campaign_id),
            state: row.state.into(),
            reason: row.reason,
            outcome: row.outcome.map(Into::into),
            count: row.count,
        })
        .collect())
}

/// How many calls of a campaign a person answered, and how many of these persons were not spoken to in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandonment {
    /// The tenant.
    pub client: ClientId,
    /// Its name.
    pub client_name: String,
    /// The campaign.
    pub campaign: CampaignId,
    /// Its name.
    pub name: String,
    /// Answered by a person.
    pub answered: i64,
    /// Of these, without a word in time.
    pub abandoned: i64,
}

/// The same since a day, of the campaigns with the most such calls, whether they are under way or over: what is rolled
/// up, and what is pending.
pub async fn abandonment(conn: &mut PgConnection, since: NaiveDate) -> Result<Vec<Abandonment>, StoreError> {
    let rows = sqlx::query!(
        r#"select a.client_id as "client_id!", l.name as "client_name!", a.campaign_id as "campaign_id!", c.name as "name!",
            a.answered as "answered!", a.abandoned as "abandoned!"
        from (
            select client_id, campaign_id, sum(answered)::bigint as answered, sum(abandoned)::bigint as abandoned
            from (
                select client_id, campaign_id, answered, abandoned from abandonment where day >= $2
                union all
                select client_id, campaign_id, person_answered, abandoned
                from (select * from call_statistics_deltas order by delta_id limit $3) d
                where person_answered <> 0 or abandoned <> 0
            ) d group by client_id, campaign_id order by 3 desc limit $1
        ) a
        join campaigns c on c.client_id = a.client_id and c.campaign_id = a.campaign_id
        join clients l on l.client_id = a.client_id
        where a.answered > 0"#,
        CAMPAIGNS,
        since,
        PENDING
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Abandonment {
            client: ClientId(row.client_id),
            client_name: row.client_name,
            campaign: CampaignId(row.campaign_id),
            name: row.name,
            answered: row.answered,
            abandoned: row.abandoned,
        })
        .collect())
}

/// A campaign under way.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The tenant.
    pub client: ClientId,
    /// Its name.
    pub client_name: String,
    /// The campaign.
    pub campaign: CampaignId,
    /// Its name.
    pub name: String,
    /// Its account.
    pub account: AccountId,
    /// Where it stands.
    pub state: CampaignState,
    /// Its present rules' revision.
    pub revision: i32,
}

/// The campaigns under way, and these.
pub async fn campaigns(conn: &mut PgConnection, also: &[Uuid]) -> Result<Vec<Shown>, StoreError> {
    let rows = sqlx::query!(
        r#"select c.client_id as "client_id!", l.name as "client_name!", c.campaign_id as "campaign_id!",
            c.name as "name!", c.account_id as "account_id!", c.state as "state!: CampaignStateRow",
            c.revision as "revision!"
        from (
            (select * from campaigns where state in ('running', 'paused') order by changed_at desc limit $1)
            union
            select * from campaigns where campaign_id = any($2)
        ) c join clients l on l.client_id = c.client_id"#,
        CAMPAIGNS,
        also
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Shown {
            client: ClientId(row.client_id),
            client_name: row.client_name,
            campaign: CampaignId(row.campaign_id),
            name: row.name,
            account: AccountId(row.account_id),
            state: row.state.into(),
            revision: row.revision,
        })
        .collect())
}

/// An account with what bounds it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The tenant.
    pub client: ClientId,
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Its carrier.
    pub provider: Provider,
    /// Its limits, as stored.
    pub limits: Value,
    /// How many calls at once the carrier lets it have, where it tells.
    pub carrier_calls: Option<i32>,
    /// Its client's limits, as stored.
    pub client_limits: Value,
    /// Whether it may dial at all.
    pub enabled: bool,
    /// Whether a person paused it or its client.
    pub paused: bool,
    /// Whether its carrier turns it down.
    pub held: bool,
    /// Until when it rests.
    pub resting_until: Option<Moment>,
}

/// The accounts, a thousand at most.
pub async fn accounts(conn: &mut PgConnection) -> Result<Vec<Account>, StoreError> {
    let rows = sqlx::query!(
        r#"select a.client_id, a.account_id, a.name, a.provider as "provider: ProviderRow", a.limits, a.carrier_calls,
            l.limits as client_limits, a.enabled, (a.paused_by is not null or l.paused_by is not null) as "paused!",
            (a.held_at is not null) as "held!", a.resting_until
        from accounts a join clients l on l.client_id = a.client_id order by a.client_id, a.account_id limit 1000"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Account {
            client: ClientId(row.client_id),
            account: AccountId(row.account_id),
            name: row.name,
            provider: row.provider.into(),
            limits: row.limits,
            carrier_calls: row.carrier_calls,
            client_limits: row.client_limits,
            enabled: row.enabled,
            paused: row.paused,
            held: row.held,
            resting_until: row.resting_until,
        })
        .collect())
}

/// Live attempts that stand alike.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// The tenant.
    pub client: ClientId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The account.
    pub account: AccountId,
    /// Where they stand.
    pub ledger: Ledger,
    /// How many.
    pub count: i64,
}

/// Live attempts: as many as there are calls.
pub async fn live(conn: &mut PgConnection) -> Result<Vec<Live>, StoreError> {
    let rows = sqlx::query!(
        r#"select client_id, campaign_id, account_id, ledger as "ledger: LedgerRow", count(*) as "count!"
        from attempts where live group by 1, 2, 3, 4"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Live {
            client: ClientId(row.client_id),
            campaign: CampaignId(row.campaign_id),
            account: AccountId(row.account_id),
            ledger: row.ledger.into(),
            count: row.count,
        })
        .collect())
}

/// Since when somebody is due in the open lanes of running campaigns whose accounts may dial.
pub async fn due_since(
    conn: &mut PgConnection,
    now: Moment,
) -> Result<Vec<(ClientId, CampaignId, Moment)>, StoreError> {
    let rows = sqlx::query!(
        r#"with open as materialized (
            select n.client_id, n.campaign_id, n.lane_id
            from (select * from campaigns where state = 'running' order by changed_at desc limit $2) c
            join accounts a on a.client_id = c.client_id and a.account_id = c.account_id
            join clients l on l.client_id = c.client_id
            join lanes n on n.client_id = c.client_id and n.campaign_id = c.campaign_id
            where a.enabled and a.paused_by is null and l.paused_by is null
                and (n.place = '' or (n.why is null and n.opens_at <= $1 and (n.closes_at is null or n.closes_at > $1)))
            limit $3
        )
        select client_id as "client_id!", campaign_id as "campaign_id!", min(w.due_at) as "since!"
        from open cross join unnest(enum_range(null::priority)) as p(priority)
        cross join lateral (
            select due_at from workflows w
            where w.client_id = open.client_id and w.lane_id = open.lane_id and w.priority = p.priority
                and w.due_at <= $1
            order by due_at limit 1) w
        group by client_id, campaign_id"#,
        now,
        CAMPAIGNS,
        LANES
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (ClientId(row.client_id), CampaignId(row.campaign_id), row.since))
        .collect())
}

/// Jobs of one kind.
#[derive(Clone, Debug)]
pub struct Queued {
    /// The kind.
    pub kind: String,
    /// How many wait, those included that are to run later.
    pub waiting: i64,
    /// How many run.
    pub running: i64,
    /// Since when the longest waiting could have run.
    pub since: Option<Moment>,
}

/// So many jobs of a kind are counted.
const COUNTED: i64 = 2_000;

/// The queue, by kind; of more than two thousand jobs of a kind that wait, or of all that run, so many are counted.
pub async fn queue(conn: &mut PgConnection, now: Moment) -> Result<Vec<Queued>, StoreError> {
    let rows = sqlx::query_as!(
        Queued,
        r#"with recursive kinds as (
            (select kind from jobs where lease_owner is null order by kind limit 1)
            union all
            select (select kind from jobs j where lease_owner is null and j.kind > kinds.kind order by kind limit 1)
            from kinds where kinds.kind is not null
        ), free as (
            select kind, waiting, since from kinds cross join lateral (
                select count(*) as waiting from (
                    select from jobs j where lease_owner is null and j.kind = kinds.kind limit $2) j) counted
            cross join lateral (
                select min(run_at) as since from generate_series(0, 3) p(priority) cross join lateral (
                    select run_at from jobs j
                    where lease_owner is null and j.kind = kinds.kind and j.priority = p.priority and run_at <= $1
                    order by run_at limit 1) j) oldest
            where kind is not null
        ), leased as (
            select kind, count(*) as running
            from (select kind from jobs where lease_owner is not null order by lease_until desc limit $2) j group by kind
        )
        select coalesce(free.kind, leased.kind) as "kind!", coalesce(waiting, 0) as "waiting!",
            coalesce(running, 0) as "running!", since
        from free full join leased on free.kind = leased.kind order by 1"#,
        now,
        COUNTED
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// What is counted as one number.
#[derive(Clone, Copy, Debug)]
pub struct Odds {
    /// Workflows in quarantine, two thousand at most.
    pub workflows_aside: i64,
    /// Jobs in quarantine, likewise.
    pub jobs_aside: i64,
    /// News that waits for its attempt, likewise.
    pub news_waiting: i64,
    /// Attempts with a second call.
    pub second_calls: i64,
    /// Attempts that it is not known of whether they rang, by when the longest was submitted.
    pub unknown_since: Option<Moment>,
}

/// What is counted as one number.
pub async fn odds(conn: &mut PgConnection) -> Result<Odds, StoreError> {
    let odds = sqlx::query_as!(
        Odds,
        r#"select
            (select count(*) from (select from quarantine where released_at is null and job_kind is null limit 2000) q)
                as "workflows_aside!",
            (select count(*) from (select from quarantine where released_at is null and job_kind is not null limit 2000) q)
                as "jobs_aside!",
            (select count(*) from (select from webhook_inbox where applied_at is null limit 2000) w)
                as "news_waiting!",
            (select count(*) from attempts where second_call_id is not null) as "second_calls!",
            (select min(submitted_at) from attempts where live and ledger = 'unknown') as unknown_since"#
    )
    .fetch_one(conn)
    .await?;
    Ok(odds)
}

/// What waits for the subscribers of a client.
#[derive(Clone, Debug)]
pub struct Events {
    /// The tenant.
    pub client: Uuid,
    /// Subscribers that take what they are sent.
    pub well: i64,
    /// Subscribers that did not take the last.
    pub failing: i64,
    /// Subscribers that were disabled.
    pub disabled: i64,
    /// Deliveries that wait, a thousand a subscriber at most.
    pub waiting: i64,
    /// Since when the longest of them could have been sent.
    pub since: Option<Moment>,
}

/// What waits for subscribers, of five hundred of them at most.
pub async fn events(conn: &mut PgConnection) -> Result<Vec<Events>, StoreError> {
    let rows = sqlx::query_as!(
        Events,
        r#"select s.client_id as "client!", count(*) filter (where disabled_for is null and failures = 0) as "well!",
            count(*) filter (where disabled_for is null and failures > 0) as "failing!",
            count(*) filter (where disabled_for is not null) as "disabled!",
            sum(d.waiting)::bigint as "waiting!", min(d.since) as since
        from (select * from subscribers where deleted_at is null limit 500) s
        cross join lateral (
            select count(*) as waiting, min(next_at) as since from (
                select next_at from deliveries d
                where d.subscriber_id = s.subscriber_id and d.state = 'waiting' order by next_at limit 1000) d) d
        group by s.client_id"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// A process that works.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Its machine.
    pub host: String,
    /// What it does.
    pub roles: Vec<String>,
    /// When it last said that it is there.
    pub seen_at: Moment,
    /// How far its machine's clock is off.
    pub clock_off_ms: i32,
}

/// The processes that work or lately did.
pub async fn nodes(conn: &mut PgConnection) -> Result<Vec<Seen>, StoreError> {
    let rows = sqlx::query_as!(
        Seen,
        "select name, host, roles, seen_at, clock_off_ms from nodes order by seen_at desc limit 200"
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The sweeps, by when each is to run next.
pub async fn sweeps(conn: &mut PgConnection) -> Result<Vec<(String, Moment)>, StoreError> {
    let rows = sqlx::query!("select name, next_at from schedules order by name").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.next_at)).collect())
}

/// What the server says of itself.
#[derive(Clone, Debug)]
pub struct Server {
    /// Transactions that committed.
    pub commits: i64,
    /// Transactions that were rolled back.
    pub rollbacks: i64,
    /// Deadlocks that it ended.
    pub deadlocks: i64,
    /// Pages that were read from the disk, or the system's cache.
    pub pages_read: i64,
    /// Pages that it had.
    pub pages_hit: i64,
    /// The database's size in bytes.
    pub bytes: i64,
    /// Bytes of write-ahead log since it was made.
    pub wal_bytes: i64,
    /// Sessions that do something.
    pub active: i64,
    /// Sessions that wait for their client.
    pub idle: i64,
    /// Sessions that wait for a lock.
    pub locked: i64,
    /// How many there may be.
    pub most: i32,
    /// How long the longest transaction has been open, in seconds.
    pub oldest_s: f64,
    /// How many replicas there are.
    pub replicas: i64,
    /// How far the furthest behind of them is, in seconds; 0 without any.
    pub behind_s: f64,
}

/// What the server says of itself. What it does not let us see counts as nothing.
pub async fn server(conn: &mut PgConnection) -> Result<Server, StoreError> {
    let server = sqlx::query_as!(
        Server,
        r#"select d.xact_commit as "commits!", d.xact_rollback as "rollbacks!", d.deadlocks as "deadlocks!",
            d.blks_read as "pages_read!", d.blks_hit as "pages_hit!", pg_database_size(d.datid) as "bytes!",
            (case when pg_is_in_recovery() then 0 else pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') end)::bigint
                as "wal_bytes!",
            s.active as "active!", s.idle as "idle!", s.locked as "locked!",
            current_setting('max_connections')::int as "most!", s.oldest_s as "oldest_s!",
            r.replicas as "replicas!", r.behind_s as "behind_s!"
        from pg_stat_database d
        cross join lateral (
            select count(*) filter (where state = 'active' and wait_event_type is distinct from 'Lock') as active,
                count(*) filter (where state <> 'active') as idle,
                count(*) filter (where wait_event_type = 'Lock') as locked,
                coalesce(extract(epoch from max(clock_timestamp() - xact_start)), 0)::float8 as oldest_s
            from pg_stat_activity a where a.datid = d.datid and a.pid <> pg_backend_pid()) s
        cross join lateral (
            select count(*) as replicas, coalesce(extract(epoch from max(replay_lag)), 0)::float8 as behind_s
            from pg_stat_replication) r
        where d.datname = current_database()"#
    )
    .fetch_one(conn)
    .await?;
    Ok(server)
}

/// A table as the server knows it.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Rows that vacuum has not removed yet.
    pub dead: i64,
    /// Bytes with indexes, as vacuum last found them.
    pub bytes: i64,
}

/// The twenty largest tables; partitions count with what they are of.
pub async fn tables(conn: &mut PgConnection) -> Result<Vec<Table>, StoreError> {
    let rows = sqlx::query_as!(
        Table,
        r#"select coalesce(parent.relname, c.relname)::text as "name!", sum(s.n_dead_tup)::bigint as "dead!",
            sum((c.relpages + i.pages) * current_setting('block_size')::bigint)::bigint as "bytes!"
        from pg_stat_user_tables s
        join pg_class c on c.oid = s.relid
        left join pg_inherits h on h.inhrelid = c.oid
        left join pg_class parent on parent.oid = h.inhparent
        cross join lateral (
            select coalesce(sum(x.relpages), 0)::bigint as pages from pg_index n
            join pg_class x on x.oid = n.indexrelid where n.indrelid = c.oid) i
        group by 1 order by 3 desc limit 20"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
