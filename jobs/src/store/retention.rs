//! What is old enough to go: found by ids, which begin with the time that they were made at, so that no table needs an
//! index for it and nothing younger is read but what was changed late.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, id_floor};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::StoreError;

/// A table as it lies on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// About how many rows it has, by the statistics of Postgres.
    pub rows: u64,
    /// What it takes with its indexes, in bytes.
    pub bytes: u64,
}

/// These tables; a partitioned one with all that it is made of.
pub async fn tables(conn: &mut PgConnection, names: &[&str]) -> Result<Vec<Table>, StoreError> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let rows = sqlx::query!(
        r#"select x.name as "name!", coalesce(sum(greatest(c.reltuples, 0)) filter (where c.relkind <> 'p'), 0)::bigint as "rows!",
            coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint as "bytes!"
        from unnest($1::text[]) with ordinality as x(name, nth)
        -- The tree of a table without partitions is empty.
        join pg_class c on c.oid = x.name::regclass
            or c.oid in (select relid from pg_partition_tree(x.name::regclass))
        group by x.name, nth order by nth"#,
        &names
    )
    .fetch_all(conn)
    .await?;
    let table =
        |name, rows: i64, bytes: i64| Table { name, rows: rows.unsigned_abs(), bytes: bytes.unsigned_abs() };
    Ok(rows.into_iter().map(|row| table(row.name, row.rows, row.bytes)).collect())
}

/// The partitions of the history.
pub async fn partitions(conn: &mut PgConnection) -> Result<Vec<Table>, StoreError> {
    let rows = sqlx::query!(
        r#"select c.relname::text as "name!", greatest(c.reltuples, 0)::bigint as "rows!",
            pg_total_relation_size(c.oid) as "bytes!"
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'workflow_events'::regclass order by c.relname"#
    )
    .fetch_all(conn)
    .await?;
    let table =
        |name, rows: i64, bytes: i64| Table { name, rows: rows.unsigned_abs(), bytes: bytes.unsigned_abs() };
    Ok(rows.into_iter().map(|row| table(row.name, row.rows, row.bytes)).collect())
}

/// Drops a partition of the history that ended at `end`, and notes that nothing from before is kept any more. It waits for
/// whoever reads the history for a moment only, since everything that is written waits behind it meanwhile; an error of
/// the kind that goes by is one that is to be tried again.
pub async fn drop_partition(conn: &mut PgConnection, name: &str, end: Moment) -> Result<(), StoreError> {
    let mut tx = conn.begin_with("begin; set local lock_timeout = '200ms'").await?;
    // Its name cannot be a parameter; it is one that our own code has made of a date.
    sqlx::query(sqlx::AssertSqlSafe(format!("drop table {name}"))).execute(&mut *tx).await?;
    note_history(&mut tx, end).await?;
    tx.commit().await?;
    Ok(())
}

async fn note_history(conn: &mut PgConnection, since: Moment) -> Result<(), StoreError> {
    sqlx::query!("update installation set history_since = greatest(history_since, $1)", since)
        .execute(conn)
        .await?;
    Ok(())
}

/// From when on histories and what calls yielded are kept; `None` for what nothing was ever removed of.
pub async fn since(conn: &mut PgConnection) -> Result<(Option<Moment>, Option<Moment>), StoreError> {
    let row =
        sqlx::query!("select history_since, results_since from installation").fetch_optional(conn).await?;
    Ok(row.map_or((None, None), |row| (row.history_since, row.results_since)))
}

/// Notes that what calls yielded before is no longer kept.
pub async fn note_results(conn: &mut PgConnection, since: Moment) -> Result<(), StoreError> {
    sqlx::query!("update installation set results_since = greatest(results_since, $1)", since)
        .execute(conn)
        .await?;
    Ok(())
}

/// Two functions from one condition, in which `$2` is the least id that is young and `$3` the moment: one removes the
/// oldest rows of a client for which it holds, the other counts them. No more than so many.
macro_rules! aged {
    ($($(#[$doc:meta])* $remove:ident, $count:ident: $table:tt by $key:tt where $old:tt;)+) => {$(
        $(#[$doc])*
        pub async fn $remove(
            conn: &mut PgConnection,
            client: ClientId,
            before: Moment,
            limit: i64,
        ) -> Result<u64, StoreError> {
            let gone = sqlx::query!(
                "delete from " + $table + " where (client_id, " + $key + ") in (select client_id, " + $key + " from "
                    + $table + " where client_id = $1 and " + $old + " order by client_id, " + $key + " limit $4)",
                client.0,
                id_floor(before),
                before,
                limit
            );
            Ok(gone.execute(conn).await?.rows_affected())
        }

        /// How many that would be.
        pub async fn $count(
            conn: &mut PgConnection,
            client: ClientId,
            before: Moment,
            limit: i64,
        ) -> Result<u64, StoreError> {
            let count = sqlx::query_scalar!(
                "select count(*) as \"count!\" from (select from " + $table + " where client_id = $1 and " + $old
                    + " limit $4) x",
                client.0,
                id_floor(before),
                before,
                limit
            );
            Ok(count.fetch_one(conn).await?.unsigned_abs())
        }
    )+};
}

aged! {
    /// Removes what was ordered.
    remove_audit, count_audit: "audit" by "audit_id" where "audit_id < $2 and at < $3";
    /// Removes orders for many leads that are over.
    remove_orders, count_orders: "bulk_operations" by "operation_id"
        where "operation_id < $2 and changed_at < $3 and state <> 'running'";
    /// Removes what was put aside, once it was put back to work or discarded.
    remove_quarantine, count_quarantine: "quarantine" by "quarantine_id"
        where "quarantine_id < $2 and released_at < $3";
    /// Removes what was wrong with rows of files.
    remove_notes, count_notes: "import_notes" by "import_id, line"
        where "import_id < $2 and $3::timestamptz is not null";
    /// Removes events of the default partition, to which they went while their month had none.
    remove_strays, count_strays: "workflow_events_default" by "lead_id, seq, at" where "lead_id < $2 and at < $3";
}

/// How many old rows there are of those that are found by an index on their age; no more than so many each.
pub async fn count_by_age(
    conn: &mut PgConnection,
    (deliveries, webhooks): (Option<Moment>, Option<Moment>),
    limit: i64,
) -> Result<(u64, u64), StoreError> {
    let counts = sqlx::query!(
        r#"select
            (select count(*) from (select from deliveries where state <> 'waiting' and changed_at < $1 limit $3) x)
                as "deliveries!",
            (select count(*) from (select from strange_webhooks where received_at < $2 limit $3) x) as "webhooks!""#,
        deliveries,
        webhooks,
        limit
    )
    .fetch_one(conn)
    .await?;
    Ok((counts.deliveries.unsigned_abs(), counts.webhooks.unsigned_abs()))
}

/// Where a walk over a client's calls stands, and what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Behind which call it goes on; `None` at its end.
    pub after: Option<(Uuid, i16)>,
    /// How many rows it removed, or would.
    pub old: u64,
}

/// The beginning of a walk.
pub const BEGINNING: (Uuid, i16) = (Uuid::nil(), 0);

/// Looks at what the next calls of old leads yielded, and removes it (unless it only `counts`) where nothing was added since
/// `before`. Leads that are old and called lately are passed.
pub async fn results(
    conn: &mut PgConnection,
    client: ClientId,
    before: Moment,
    after: (Uuid, i16),
    counts: bool,
    limit: i64,
) -> Result<Walked, StoreError> {
    let row = sqlx::query!(
        r#"with page as materialized (
            select lead_id, number, updated_at < $3 as old from call_results
            where client_id = $1 and (lead_id, number) > ($4, $5) and lead_id < $2
            order by client_id, lead_id, number limit $6),
        gone as (
            delete from call_results r using page
            where not $7 and page.old and r.client_id = $1 and r.lead_id = page.lead_id and r.number = page.number),
        emptied as (
            update conversations c set known = '{}' from page
            where not $7 and page.old and c.client_id = $1 and c.lead_id = page.lead_id and c.number = page.number
                and c.known <> '{}')
        select count(*) as "seen!", count(*) filter (where old) as "old!",
            (array_agg(lead_id order by lead_id desc, number desc))[1] as lead_id,
            (array_agg(number order by lead_id desc, number desc))[1] as number
        from page"#,
        client.0,
        id_floor(before),
        before,
        after.0,
        after.1,
        limit,
        counts
    )
    .fetch_one(conn)
    .await?;
    let after = row.lead_id.zip(row.number).filter(|_| row.seen >= limit);
    Ok(Walked { after, old: row.old.unsigned_abs() })
}

/// A recording whose conversation is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The lead.
    pub lead: Uuid,
    /// The attempt.
    pub number: i16,
    /// Where the file lies, below the directory of recordings.
    pub file: String,
}

/// The next recordings of conversations that ended before `before`, by the lead.
pub async fn recordings(
    conn: &mut PgConnection,
    client: ClientId,
    before: Moment,
    after: (Uuid, i16),
    limit: i64,
) -> Result<Vec<Recording>, StoreError> {
    let rows = sqlx::query_as!(
        Recording,
        r#"select lead_id as "lead", number, recording as "file!" from conversations
        where client_id = $1 and (lead_id, number) > ($4, $5) and lead_id < $2
            and ended_at < $3 and recording is not null
        order by client_id, lead_id, number limit $6"#,
        client.0,
        id_floor(before),
        before,
        after.0,
        after.1,
        limit
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Notes that these files are no more.
pub async fn forget_recordings(
    conn: &mut PgConnection,
    client: ClientId,
    gone: &[Recording],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations c set recording = null
        from (select $1::uuid as client_id, * from unnest($2::uuid[], $3::smallint[]) as x(lead_id, number) offset 0) x
        where c.client_id = x.client_id and c.lead_id = x.lead_id and c.number = x.number",
        client.0,
        &gone.iter().map(|recording| recording.lead).collect::<Vec<_>>(),
        &gone.iter().map(|recording| recording.number).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes how a campaign's calls went before `before`, no more than so many rows.
pub async fn remove_statistics(
    conn: &mut PgConnection,
    (client, campaign): (ClientId, CampaignId),
    before: Moment,
    limit: i64,
) -> Result<u64, StoreError> {
    // By the day, of which there are a few.
    let days = sqlx::query!(
        "delete from abandonment where client_id = $1 and campaign_id = $2 and day < ($3::timestamptz at time zone 'UTC')::date",
        client.0,
        campaign.0,
        before
    );
    days.execute(&mut *conn).await?;
    let gone = sqlx::query!(
        "delete from call_statistics where (client_id, campaign_id, span, outcome, number) in (
            select client_id, campaign_id, span, outcome, number from call_statistics
            where client_id = $1 and campaign_id = $2 and span < $3
            order by client_id, campaign_id, span limit $4)",
        client.0,
        campaign.0,
        before,
        limit
    );
    Ok(gone.execute(&mut *conn).await?.rows_affected())
}

/// How many rows that would be.
pub async fn count_statistics(
    conn: &mut PgConnection,
    (client, campaign): (ClientId, CampaignId),
    before: Moment,
    limit: i64,
) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (
            select from call_statistics where client_id = $1 and campaign_id = $2 and span < $3 limit $4) x"#,
        client.0,
        campaign.0,
        before,
        limit
    );
    Ok(count.fetch_one(conn).await?.unsigned_abs())
}

/// Removes what was spent before `before`: limits look back a day.
pub async fn remove_spending(
    conn: &mut PgConnection,
    client: ClientId,
    before: Moment,
    limit: i64,
) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "delete from spending where (client_id, span, account_id, campaign_id) in (
            select client_id, span, account_id, campaign_id from spending
            where client_id = $1 and span < $2 order by client_id, span limit $3)",
        client.0,
        before,
        limit
    );
    Ok(gone.execute(conn).await?.rows_affected())
}

/// The campaigns of a client.
pub async fn campaigns(conn: &mut PgConnection, client: ClientId) -> Result<Vec<CampaignId>, StoreError> {
    let ids = sqlx::query_scalar!("select campaign_id from campaigns where client_id = $1", client.0);
    Ok(ids.fetch_all(conn).await?.into_iter().map(CampaignId).collect())
}
