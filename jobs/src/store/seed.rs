//! Many of everything, for measuring: leads that really ran, multiplied with all that is stored of them.
//!
//! What is multiplied is as the engine wrote it, so that every page and query reads the copies as it reads the rest;
//! ids, numbers and times are their own. Their calls never were: nobody judges such a database, and nobody works on
//! it. Only for a database that is thrown away, since its secondary indexes are dropped meanwhile.

use chrono::{Datelike as _, Days, Months, NaiveDate, NaiveTime};
use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, PgConnection, Postgres};
use uuid::Uuid;

use super::StoreError;

/// How far back the copies' calls lie at most, in days.
const BACK_DAYS: i32 = 180;

/// One copy in so many is of a given lead that is in a call, or in quarantine: they are few in life, too.
const RARE: i32 = 32_768;

/// Of the results of calls, which are bulky, one in so many is copied.
const RESULTS_EVERY: i64 = 4;

/// The tables that grow with what is called, and those that are as large beside them.
pub const LARGE: [&str; 11] = [
    "leads",
    "workflows",
    "attempts",
    "workflow_events",
    "call_results",
    "jobs",
    "finished_jobs",
    "deliveries",
    "suppressions",
    "consents",
    "audit",
];

/// How many of everything.
#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    /// Leads, each with its workflow, its history and its attempts.
    pub workflows: i64,
    /// Jobs in the queue.
    pub jobs: i64,
    /// Rows in each of what people are asked about: numbers not to be called, consents, orders, deliveries.
    pub others: i64,
}

/// A session that multiplies: the engine's own are forbidden the ways to join that serve whole tables.
pub async fn session(connection: PoolConnection<Postgres>) -> Result<PgConnection, StoreError> {
    let mut conn = connection.detach();
    for setting in [
        "enable_hashjoin = on",
        "enable_mergejoin = on",
        "enable_seqscan = on",
        "enable_nestloop = off",
        "synchronous_commit = off",
        "maintenance_work_mem = '1GB'",
        "work_mem = '64MB'",
        "statement_timeout = 0",
        "lock_timeout = 0",
        "idle_in_transaction_session_timeout = 0",
    ] {
        sqlx::query(AssertSqlSafe(format!("set {setting}"))).execute(&mut conn).await?;
    }
    Ok(conn)
}

/// Whether nobody of a client is in a call or about to be. Looks at all of its leads.
pub async fn stands_still(
    conn: &mut PgConnection,
    client: ClientId,
    soon: Moment,
) -> Result<bool, StoreError> {
    let moving: bool = sqlx::query_scalar(
        "select exists (select from workflows w join campaigns c using (client_id, campaign_id)
            where w.client_id = $1 and (w.state in ('dialling', 'calling', 'settling')
                or (w.state = 'waiting' and w.wake_at < $2 and c.state = 'running')))",
    )
    .bind(client.0)
    .bind(soon)
    .fetch_one(conn)
    .await?;
    Ok(!moving)
}

/// How many leads of a client are in each state in which there is a call.
pub async fn in_calls(conn: &mut PgConnection, client: ClientId) -> Result<[i64; 3], StoreError> {
    let (dialling, calling, settling): (i64, i64, i64) = sqlx::query_as(
        "select count(*) filter (where state = 'dialling'), count(*) filter (where state = 'calling'),
            count(*) filter (where state = 'settling') from workflows where client_id = $1",
    )
    .bind(client.0)
    .fetch_one(conn)
    .await?;
    Ok([dialling, calling, settling])
}

/// Queues a job that nobody can carry out, so that it is put into quarantine.
pub async fn queue_poison(conn: &mut PgConnection, client: ClientId, now: Moment) -> Result<(), StoreError> {
    let queued = sqlx::query(
        "insert into jobs (client_id, job_id, kind, args, run_at, tries, created_at)
        values ($1, $2, 'refresh_sheet.v1', '{\"sheet\": \"none\"}', $3, 30, $3)",
    );
    queued.bind(client.0).bind(Uuid::new_v4()).bind(now).execute(conn).await?;
    Ok(())
}

/// How many of a client's jobs are in quarantine.
pub async fn aside(conn: &mut PgConnection, client: ClientId) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar("select count(*) from quarantine where client_id = $1");
    Ok(count.bind(client.0).fetch_one(conn).await?)
}

/// Takes all leads of a client, as they stand at this moment, as models for the copies; in one snapshot.
pub async fn take_models(conn: &mut PgConnection, client: ClientId) -> Result<(), StoreError> {
    sqlx::query("begin isolation level repeatable read").execute(&mut *conn).await?;
    for statement in ["drop schema if exists models cascade", "create schema models"] {
        sqlx::query(statement).execute(&mut *conn).await?;
    }
    for table in ["leads", "workflows", "attempts", "workflow_events", "call_results", "jobs"] {
        // What a table is called and whose rows are taken cannot be parameters of this statement.
        let take = format!(
            "create unlogged table models.{table} as select * from {table} where client_id = '{client}'"
        );
        sqlx::query(AssertSqlSafe(take)).execute(&mut *conn).await?;
    }
    let places = format!(
        "create unlogged table models.wheel as
        with ranked as (
            select lead_id, is_rare, row_number() over (partition by is_rare order by md5(lead_id::text)) - 1 as rank
            from (select lead_id, state in ('dialling', 'calling', 'settling') or quarantined as is_rare
                from models.workflows) w
        ), counted as (
            select count(*) filter (where is_rare) as rare, count(*) filter (where not is_rare) as usual from ranked
        )
        select place, lead_id, is_rare
        from (select place, place < rare as is_rare, case when place < rare then place else (place - rare) % usual end as rank
            from counted, generate_series(0, {RARE} - 1) place) p
        join ranked using (is_rare, rank)"
    );
    for statement in [places, "analyze models.wheel".to_owned(), "commit".to_owned()] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Makes the months of the history that the copies lie in.
pub async fn make_months(conn: &mut PgConnection, now: Moment) -> Result<(), StoreError> {
    let today = now.date_naive();
    let earliest = today.checked_sub_days(Days::new(BACK_DAYS.unsigned_abs().into())).unwrap_or(today);
    let mut month = earliest.with_day(1).unwrap_or(earliest);
    while month < today.with_day(1).unwrap_or(today) {
        let next = month.checked_add_months(Months::new(1)).unwrap_or(today);
        let at = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let name = format!("workflow_events_{}", month.format("%Y_%m"));
        super::events::ensure_partition(conn, &name, at(month), at(next)).await?;
        month = next;
    }
    Ok(())
}

/// An index that is made again once the rows are there, which takes a tenth of keeping it meanwhile.
#[derive(Clone, Debug)]
pub struct Dropped(String);

impl Dropped {
    /// How it is made again.
    #[must_use]
    pub fn statement(&self) -> &str {
        &self.0
    }
}

/// Drops the secondary indexes of the tables that are filled. Primary keys stay: their rows come in order.
pub async fn drop_indexes(conn: &mut PgConnection) -> Result<Vec<Dropped>, StoreError> {
    let found: Vec<(String, String, Option<String>, Option<String>)> = sqlx::query_as(
        "select c.relname::text, i.indrelid::regclass::text,
            coalesce('alter table ' || i.indrelid::regclass || ' add constraint ' || quote_ident(k.conname) || ' '
                || pg_get_constraintdef(k.oid), pg_get_indexdef(i.indexrelid)), k.conname::text
        from pg_index i join pg_class c on c.oid = i.indexrelid
        left join pg_constraint k on k.conindid = i.indexrelid and k.contype = 'u'
        where i.indrelid::regclass::text = any($1) and not i.indisprimary",
    )
    .bind(&LARGE[..])
    .fetch_all(&mut *conn)
    .await?;
    let mut dropped = vec![];
    for (index, table, definition, constraint) in found {
        let drop = match constraint {
            Some(name) => format!("alter table {table} drop constraint {name}"),
            None => format!("drop index {index}"),
        };
        sqlx::query(AssertSqlSafe(drop)).execute(&mut *conn).await?;
        dropped.extend(definition.map(Dropped));
    }
    Ok(dropped)
}

/// Makes an index again.
pub async fn make_index(conn: &mut PgConnection, index: &Dropped) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(index.0.clone())).execute(conn).await?;
    Ok(())
}

/// The lead that is copy `k`: an id of version 7, as if one lead a millisecond had come in since the year 2001.
fn id(k: &str) -> String {
    format!(
        "(lpad(to_hex(1000000000000 + {k}), 12, '0') || '7' || substr(md5({k}::text), 1, 3) || '8'
            || substr(md5({k}::text), 4, 15))::uuid"
    )
}

/// The number of copy `k`: it rings nowhere, since no area and no mobile series begins
/// with +91 10.
const PHONE: &str = "'+9110' || lpad((1000000 + x.k)::text, 8, '0')";

/// The copies of a slice, as `x`: which, of whom, and how long before its model each lived. The later the copy, the
/// less long ago; whoever is in a call is in it now.
fn copies(slice: Slice) -> String {
    let Slice { first, count, of } = slice;
    let id = id("k");
    format!(
        "(select k, {id} as id, lead_id as model,
            case when is_rare then interval '0'
                else date_trunc('hour', ({of} - k) * interval '{BACK_DAYS} days' / {of}) end as ago
        from generate_series({first}::bigint, {first} + {count} - 1) k join models.wheel on place = k % {RARE}) x"
    )
}

/// Some of the copies.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// The first.
    pub first: i64,
    /// How many.
    pub count: i64,
    /// Of how many in all.
    pub of: i64,
}

/// Makes the copies of a slice, with all that is stored of them. A slice is made once.
pub async fn copy(conn: &mut PgConnection, slice: Slice) -> Result<(), StoreError> {
    let x = copies(slice);
    let statements = [
        format!(
            "insert into leads (client_id, lead_id, campaign_id, phone, name, zone, external_id, attributes, dedupe_key,
                created_at, region, terms)
            select l.client_id, x.id, l.campaign_id, {PHONE}, l.name || ' ' || x.k, l.zone, 'crm-' || x.k, l.attributes,
                'crm-' || x.k, l.created_at - x.ago, l.region, l.terms
            from {x} join models.leads l on l.lead_id = x.model"
        ),
        format!(
            "insert into workflows (client_id, lead_id, campaign_id, lane_id, state, priority, wake_at, why, attempts,
                counted, forgiven, refusals, failures, collisions, outcome, events, quarantined, recorded, withdrawals)
            select w.client_id, x.id, w.campaign_id, w.lane_id, w.state, w.priority,
                w.wake_at + x.k % 10000000 * interval '10 ms', w.why, w.attempts, w.counted, w.forgiven, w.refusals,
                w.failures, w.collisions, w.outcome, w.events, w.quarantined, w.recorded, w.withdrawals
            from {x} join models.workflows w on w.lead_id = x.model"
        ),
        format!(
            "insert into attempts (client_id, lead_id, number, campaign_id, revision, account_id, phone, ledger, counts,
                barrier_version, dial_by, reserved_at, submitted_at, submit_token, replied_at, call_id, status, answered_at,
                ended_at, result, talk_ms, cause, verdict, outcome, recording_url, asked, caller_id, cost_micros)
            select a.client_id, x.id, a.number, a.campaign_id, a.revision, a.account_id, {PHONE}, a.ledger, a.counts,
                a.barrier_version, a.dial_by - x.ago, a.reserved_at - x.ago, a.submitted_at - x.ago, a.submit_token,
                a.replied_at - x.ago, a.call_id || '-' || x.k, a.status, a.answered_at - x.ago, a.ended_at - x.ago,
                a.result, a.talk_ms, a.cause, a.verdict, a.outcome, a.recording_url, a.asked, a.caller_id, a.cost_micros
            from {x} join models.attempts a on a.lead_id = x.model"
        ),
        format!(
            "insert into workflow_events (client_id, lead_id, seq, at, events)
            select e.client_id, x.id, e.seq, e.at - x.ago, e.events
            from {x} join models.workflow_events e on e.lead_id = x.model"
        ),
        format!(
            "insert into call_results (client_id, lead_id, number, results, updated_at)
            select r.client_id, x.id, r.number, r.results, r.updated_at - x.ago
            from {x} join models.call_results r on r.lead_id = x.model where x.k % {RESULTS_EVERY} = 0"
        ),
        format!(
            "insert into jobs (client_id, job_id, kind, lead_id, number, args, priority, run_at, tries, created_at)
            select j.client_id, md5(x.id || j.kind || j.number)::uuid, j.kind, x.id, j.number, j.args, j.priority,
                j.run_at, j.tries, j.created_at
            from {x} join models.jobs j on j.lead_id = x.model"
        ),
        format!(
            "insert into statistics_deltas (client_id, campaign_id, lane_id, state, outcome, reason, hour, count)
            select w.client_id, w.campaign_id, w.lane_id, w.state, w.outcome,
                case when w.state in ('waiting', 'held') then w.why ->> 'why' end,
                date_trunc('hour', l.created_at - x.ago), count(*)
            from {x} join models.workflows w on w.lead_id = x.model join models.leads l on l.lead_id = x.model
            group by 1, 2, 3, 4, 5, 6, 7"
        ),
        format!(
            "insert into call_statistics_deltas (client_id, campaign_id, span, outcome, number, attempts, answered,
                talk_ms, priced, cost_micros)
            select a.client_id, a.campaign_id,
                date_bin('15 minutes', a.reserved_at - x.ago, timestamptz '2000-01-01 00:00:00+00'), a.outcome,
                least(a.number, 10), count(*), count(a.answered_at), coalesce(sum(a.talk_ms), 0), count(a.cost_micros),
                coalesce(sum(a.cost_micros), 0)
            from {x} join models.attempts a on a.lead_id = x.model where a.outcome is not null and not a.live
            group by 1, 2, 3, 4, 5"
        ),
    ];
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Fills what does not grow with the leads alone: the queue and its quarantine, numbers not to be called, consents,
/// what was ordered, and what a subscriber was sent.
pub async fn fill_others(
    conn: &mut PgConnection,
    client: ClientId,
    subscriber: Uuid,
    amounts: Amounts,
) -> Result<(), StoreError> {
    let Amounts { jobs, others, .. } = amounts;
    let phone = "'+9110' || lpad((1000000 + k)::text, 8, '0')";
    let (jobs_id, others_id) = (id("(k + 200000000000)"), id("(k + 300000000000)"));
    let statements = [
        // A third may run, a third backs off after an error, the rest is to run later; one in a hundred runs.
        format!(
            "insert into jobs (client_id, job_id, kind, args, priority, run_at, tries, last_error, created_at, lease_owner,
                lease_token, lease_until)
            select '{client}', {jobs_id},
                (array['deliver.v1', 'analyse.v1', 'await_status.v1', 'hang_up.v1', 'import.v1', 'bulk.v1'])[1 + k % 6],
                jsonb_build_object('subscriber', '{subscriber}', 'n', k), k % 4,
                now() + case when k % 3 = 0 then interval '-1 minute' else interval '1 day' end + k * interval '1 ms',
                case when k % 3 = 1 then 1 + k % 5 else 0 end,
                case when k % 3 = 1 then 'HTTP 503: Service unavailable' end, now() - k * interval '1 ms',
                case when k % 100 = 7 then '{subscriber}'::uuid end, case when k % 100 = 7 then '{subscriber}'::uuid end,
                case when k % 100 = 7 then now() + interval '1 day' end
            from generate_series(1::bigint, {jobs}) k"
        ),
        // A week of what failed before it was done.
        format!(
            "insert into finished_jobs (client_id, job_id, kind, args, tries, result, errors, created_at, finished_at)
            select '{client}', {others_id}, (array['deliver.v1', 'analyse.v1', 'await_status.v1', 'hang_up.v1'])[1 + k % 4],
                jsonb_build_object('subscriber', '{subscriber}', 'n', k), 2,
                (array['done', 'done', 'dropped', 'discarded'])[1 + k % 4]::job_end,
                jsonb_build_array(jsonb_build_object('number', 1, 'at', now(), 'error', 'HTTP 503: Service unavailable')),
                now() - k * interval '1 second', now() - k * interval '1 second'
            from generate_series(1::bigint, {others}) k"
        ),
        format!(
            "insert into quarantine (client_id, quarantine_id, lead_id, job_kind, item, error, created_at)
            select q.client_id, {others_id}, null, (array[q.job_kind, 'deliver.v1', 'hang_up.v1'])[1 + k % 3], q.item,
                q.error, q.created_at - k * interval '1 second'
            from (select * from quarantine where client_id = '{client}' and job_kind is not null limit 1) q,
                generate_series(1::bigint, least({jobs} / 20, 20000)) k"
        ),
        format!(
            "insert into suppressions (client_id, suppression_id, phone, campaign_id, source, actor, created_at, removed_at)
            select '{client}', {others_id}, {phone}, null, 'a list of last year', 'the bench',
                now() - ({others} - k) * interval '1 second', case when k % 10 = 0 then now() end
            from generate_series(1::bigint, {others}) k"
        ),
        format!(
            "insert into consents (client_id, consent_id, phone, level, purpose, source, given_at, actor, created_at)
            select '{client}', {others_id}, {phone}, 'express', 'marketing', 'form 7', now() - interval '1 year', 'the bench',
                now() from generate_series(1::bigint, {others}) k"
        ),
        format!(
            "insert into audit (client_id, audit_id, at, actor, action, subject, subject_id, reason, details)
            select '{client}', {others_id}, now() - ({others} - k) * interval '10 seconds', 'key ' || k % 20,
                (array['pause', 'start', 'edit', 'retry'])[1 + k % 4],
                (array['campaign', 'account', 'job'])[1 + k % 3], md5((k % 5000)::text)::uuid, 'a reason', '{{\"n\": 1}}'
            from generate_series(1::bigint, {others}) k"
        ),
        format!(
            "insert into deliveries (subscriber_id, client_id, event_id, kind, at, lead_id, seq, told, state, tries,
                next_at, last_status, last_error, changed_at)
            select '{subscriber}', '{client}', 'evt_' || k, 'lead.finished', now() - ({others} - k) * interval '10 seconds',
                {}, 1, '{{}}', case when k % 50 = 0 then 'waiting' when k % 20 = 0 then 'failed'
                    else 'delivered' end::delivery_state, 1,
                case when k % 50 = 0 then now() + interval '1 hour' end, case when k % 20 = 0 then 503 else 200 end,
                case when k % 20 = 0 then 'HTTP 503' end, now() - ({others} - k) * interval '10 seconds'
            from generate_series(1::bigint, {others}) k",
            id("k")
        ),
    ];
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Has the server learn what it holds, as autovacuum would within minutes, and takes the models away.
pub async fn settle(conn: &mut PgConnection) -> Result<(), StoreError> {
    let tables = [&LARGE[..], &["statistics", "standings", "call_statistics", "quarantine", "lanes"]]
        .concat()
        .join(", ");
    for statement in [
        "drop schema models cascade".to_owned(),
        format!("vacuum (analyze) {tables}"),
        "vacuum (analyze) statistics_deltas, call_statistics_deltas".to_owned(),
        "checkpoint".to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *conn).await?;
    }
    Ok(())
}

/// How many rows there are, as the server estimates: by table, of the large ones.
pub async fn counted(conn: &mut PgConnection) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = sqlx::query_as(
        "select coalesce(p.relname, c.relname)::text, sum(c.reltuples)::bigint from pg_class c
        left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
        where c.relkind = 'r' and c.reltuples > 0 and coalesce(p.relname, c.relname) = any($1) group by 1 order by 1",
    );
    Ok(rows.bind(&LARGE[..]).fetch_all(conn).await?)
}

/// Bytes of the database.
pub async fn bytes(conn: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("select pg_database_size(current_database())").fetch_one(conn).await?)
}

/// Somebody of a campaign: whose story is a long one.
pub async fn somebody(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    number: &str,
) -> Result<Option<(LeadId, i16)>, StoreError> {
    let found: Option<(Uuid, i16)> = sqlx::query_as(
        "select a.lead_id, a.number from leads l join attempts a using (client_id, lead_id)
        where l.client_id = $1 and l.campaign_id = $2 and l.phone >= $3 and a.outcome is not null
        order by l.phone, a.number desc limit 1",
    )
    .bind(client.0)
    .bind(campaign.0)
    .bind(number)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|(lead, number)| (LeadId(lead), number)))
}

/// Has the server write the plan of each statement into its log from now on. It must have been started with
/// `auto_explain` preloaded.
pub async fn explain_from_now_on(conn: &mut PgConnection) -> Result<(), StoreError> {
    for statement in ["alter system set auto_explain.log_min_duration = 0", "select pg_reload_conf()"] {
        sqlx::query(statement).execute(&mut *conn).await?;
    }
    Ok(())
}
