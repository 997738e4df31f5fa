//! The queue's table.

use std::collections::HashSet;

use outdial_workflows::Moment;
use outdial_workflows::ids::{AttemptNumber, ClientId, JobId, LeadId, NodeId};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::rows::small;

/// A job to be queued.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Its kind.
    pub kind: &'static str,
    /// The step's lead and attempt; `None` for jobs that are about no lead.
    pub step: Option<(LeadId, AttemptNumber)>,
    /// Its arguments. Where they only name a step's lead and attempt, they are not stored twice.
    pub args: Value,
    /// 0 to 3, 0 first.
    pub priority: i16,
    /// Whether it is claimed as it is queued: by whom, under which token, until when.
    pub born_claimed: Option<Claim>,
}

/// A claim on a job.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Who claims it.
    pub node: NodeId,
    /// Proves the right to it.
    pub token: Uuid,
    /// When it ends without a renewal.
    pub until: Moment,
}

/// The right to a claimed job, and the proof of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The tenant.
    pub client: ClientId,
    /// The job.
    pub job: JobId,
    /// Made anew with each claim.
    pub token: Uuid,
}

/// A job that this node has claimed.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The right to it.
    pub lease: Lease,
    /// Its kind.
    pub kind: String,
    /// Its arguments.
    pub args: Value,
    /// The lead it is about.
    pub lead: Option<LeadId>,
    /// How often it has been claimed, this time included.
    pub tries: i16,
    /// Whether the lease of whoever ran it before had run out.
    pub rescued: bool,
}

/// Queues jobs, and returns which. A step that is queued already is not queued again.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    jobs: &[NewJob],
    now: Moment,
) -> Result<HashSet<JobId>, StoreError> {
    let claim = |job: &NewJob| job.born_claimed;
    let args = |job: &NewJob| match job.step {
        Some((lead, attempt)) if job.args == step_args(client.0, lead.0, small(attempt.get())) => json!({}),
        _ => job.args.clone(),
    };
    let step = |job: &NewJob| job.step.map(|(lead, _)| lead.0);
    let number = |job: &NewJob| job.step.map(|(_, number)| small(number.get()));
    let queued = sqlx::query_scalar!(
        "insert into jobs (client_id, job_id, kind, lead_id, number, args, priority, lease_owner, lease_token,
            lease_until, tries, run_at, created_at)
        select $1, x.*, (x.lease_token is not null)::int::smallint, $2, $2
        from unnest($3::uuid[], $4::text[], $5::uuid[], $6::smallint[], $7::jsonb[], $8::smallint[],
            $9::uuid[], $10::uuid[], $11::timestamptz[])
            as x(job_id, kind, lead_id, number, args, priority, lease_owner, lease_token, lease_until)
        on conflict do nothing returning job_id",
        client.0,
        now,
        &jobs.iter().map(|job| job.id.0).collect::<Vec<_>>(),
        &jobs.iter().map(|job| job.kind.to_owned()).collect::<Vec<_>>(),
        &jobs.iter().map(step).collect::<Vec<_>>() as &[Option<Uuid>],
        &jobs.iter().map(number).collect::<Vec<_>>() as &[Option<i16>],
        &jobs.iter().map(args).collect::<Vec<_>>(),
        &jobs.iter().map(|job| job.priority).collect::<Vec<_>>(),
        &jobs.iter().map(|job| claim(job).map(|claim| claim.node.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &jobs.iter().map(|job| claim(job).map(|claim| claim.token)).collect::<Vec<_>>() as &[Option<Uuid>],
        &jobs.iter().map(|job| claim(job).map(|claim| claim.until)).collect::<Vec<_>>() as &[Option<Moment>]
    )
    .fetch_all(conn)
    .await?;
    Ok(queued.into_iter().map(JobId).collect())
}

/// Queues a job that there is one of, or has it run sooner if nobody runs it.
pub async fn wake(
    conn: &mut PgConnection,
    client: ClientId,
    job: JobId,
    kind: &str,
    args: Value,
    run_at: Moment,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into jobs (client_id, job_id, kind, args, run_at, created_at) values ($1, $2, $3, $4, $5, $6)
        on conflict (client_id, job_id) do update set run_at = least(jobs.run_at, excluded.run_at)
            where jobs.lease_owner is null and jobs.run_at > excluded.run_at",
        client.0,
        job.0,
        kind,
        args,
        run_at,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Claims jobs of all kinds at once: no more of each than it has free slots, and of a paused kind none. A lease that
/// has run out is claimed like a free job, and before any.
pub async fn claim(
    conn: &mut PgConnection,
    node: NodeId,
    kinds: &[String],
    free: &[i64],
    now: Moment,
    lease_until: Moment,
) -> Result<Vec<Claimed>, StoreError> {
    let rows = sqlx::query!(
        r#"with slots as (
            select * from unnest($2::text[], $3::bigint[]) as slots(kind, free)
            where not exists (select from paused_kinds p where p.kind = slots.kind)
        ), expired as (
            select slots.kind, j.client_id, j.job_id from slots cross join lateral (
                select client_id, job_id from jobs
                where lease_owner is not null and lease_until <= $4 and jobs.kind = slots.kind
                order by lease_until limit slots.free for no key update skip locked) j
        ), fresh as (
            select j.client_id, j.job_id from slots cross join lateral (
                select client_id, job_id from jobs
                where lease_owner is null and jobs.kind = slots.kind and run_at <= $4
                order by priority, run_at
                limit slots.free - (select count(*) from expired where expired.kind = slots.kind)
                for no key update skip locked) j
        ), picked as (
            select client_id, job_id, true as rescued from expired
            union all select client_id, job_id, false from fresh
        )
        update jobs set lease_owner = $1, lease_token = gen_random_uuid(), lease_until = $5, tries = tries + 1
        from picked where jobs.client_id = picked.client_id and jobs.job_id = picked.job_id
        returning jobs.client_id, jobs.job_id, kind, lead_id, number, args, tries, lease_token as "token!",
            picked.rescued as "rescued!""#,
        node.0,
        kinds,
        free,
        now,
        lease_until
    )
    .fetch_all(conn)
    .await?;
    let claimed = |client, job, token| Lease { client: ClientId(client), job: JobId(job), token };
    Ok(rows
        .into_iter()
        .map(|row| Claimed {
            lease: claimed(row.client_id, row.job_id, row.token),
            kind: row.kind,
            args: match (row.lead_id, row.number) {
                (Some(lead), Some(number)) if row.args == json!({}) => step_args(row.client_id, lead, number),
                _ => row.args,
            },
            lead: row.lead_id.map(LeadId),
            tries: row.tries,
            rescued: row.rescued,
        })
        .collect())
}

/// When the next job of these kinds is to run, or the next lease of one runs out; of a paused kind, none is. Of a kind of which more
/// than a thousand wait, not all are looked at.
pub async fn next_at(conn: &mut PgConnection, kinds: &[String]) -> Result<Option<Moment>, StoreError> {
    let next = sqlx::query_scalar!(
        "select min(next_at) from (
            select kind from unnest($1::text[]) as kinds(kind)
            where not exists (select from paused_kinds p where p.kind = kinds.kind)) kinds
        cross join lateral (
            (select run_at as next_at from jobs
            where lease_owner is null and jobs.kind = kinds.kind limit 1000)
            union all
            (select lease_until from jobs where lease_owner is not null and jobs.kind = kinds.kind
            order by lease_until limit 1)) next",
        kinds
    )
    .fetch_one(conn)
    .await?;
    Ok(next)
}

/// A step's arguments, from the columns that name it.
fn step_args(client: Uuid, lead: Uuid, number: i16) -> Value {
    json!({ "client": client, "lead": lead, "number": number })
}

/// Renews these leases of a node, those included that ran out and that nobody took. Returns the renewed.
///
/// A job that somebody has locked is passed over: it is being finished or given back, in an order of its
/// own, and the renewal waits for none of them. Should that come to nothing, the next renewal is in time.
pub async fn renew(
    conn: &mut PgConnection,
    node: NodeId,
    tokens: &[Uuid],
    lease_until: Moment,
) -> Result<Vec<Uuid>, StoreError> {
    let tokens = sqlx::query_scalar!(
        r#"update jobs set lease_until = $3 from (
            select client_id, job_id from jobs where lease_owner = $1 and lease_token = any($2)
            for no key update skip locked) held
        where jobs.client_id = held.client_id and jobs.job_id = held.job_id
        returning lease_token as "token!""#,
        node.0,
        tokens,
        lease_until
    )
    .fetch_all(conn)
    .await?;
    Ok(tokens)
}

/// Of these leases, the tokens of those that hold at `now`.
pub async fn held(
    conn: &mut PgConnection,
    client: ClientId,
    leases: &[Lease],
    now: Moment,
) -> Result<Vec<Uuid>, StoreError> {
    let tokens = sqlx::query_scalar!(
        r#"select lease_token as "token!"
        from (select $1::uuid as client_id, * from unnest($2::uuid[], $3::uuid[]) as x(job_id, token) offset 0) x
        join jobs on jobs.client_id = x.client_id and jobs.job_id = x.job_id and jobs.lease_token = x.token
        where lease_until > $4"#,
        client.0,
        &leases.iter().map(|lease| lease.job.0).collect::<Vec<_>>(),
        &leases.iter().map(|lease| lease.token).collect::<Vec<_>>(),
        now
    )
    .fetch_all(conn)
    .await?;
    Ok(tokens)
}

/// Removes jobs by a statement that returns them, at `$2`, and keeps those that are worth a look: those of no lead, and
/// those that failed before. A step that went well at once is told by its lead's history: a row for each would be
/// one more insert for every job of every call.
macro_rules! ended {
    ($gone:tt, $end:tt $(, $argument:expr)+ $(,)?) => {
        sqlx::query!(
            $gone + " insert into finished_jobs (client_id, job_id, kind, lead_id, number, args, tries, result, errors,
                created_at, finished_at)
            select client_id, job_id, kind, lead_id, number, args, tries, " + $end + ", errors, created_at, $2 from gone
            where lead_id is null or errors is not null or tries > 1
            on conflict (client_id, job_id) do update set tries = excluded.tries, result = excluded.result,
                errors = excluded.errors, created_at = excluded.created_at, finished_at = excluded.finished_at"
            $(, $argument)+
        )
    };
}
/// Removes finished jobs, and keeps what is worth a look of them. A job whose lease was lost stays: it is somebody
/// else's now.
pub async fn finish(
    conn: &mut PgConnection,
    client: ClientId,
    leases: &[Lease],
    now: Moment,
) -> Result<(), StoreError> {
    ended!(
        "with gone as (delete from jobs using (
            select j.client_id, j.job_id
            from (select $1::uuid as client_id, * from unnest($3::uuid[], $4::uuid[]) as x(job_id, token) offset 0) x
            join jobs j on j.client_id = x.client_id and j.job_id = x.job_id and j.lease_token = x.token
            order by j.job_id for update of j) as done
        where jobs.client_id = done.client_id and jobs.job_id = done.job_id returning jobs.*)",
        "'done'",
        client.0,
        now,
        &leases.iter().map(|lease| lease.job.0).collect::<Vec<_>>(),
        &leases.iter().map(|lease| lease.token).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the queued steps of resolved attempts, claimed or not: there is nothing left to do for them.
pub async fn drop_steps(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
    numbers: &[i16],
    now: Moment,
) -> Result<(), StoreError> {
    ended!(
        "with gone as (delete from jobs using (
            select j.client_id, j.job_id
            from (select $1::uuid as client_id, * from unnest($3::uuid[], $4::smallint[]) as x(lead_id, number)
                offset 0) x
            join jobs j on j.client_id = x.client_id and j.lead_id = x.lead_id and j.number = x.number
            order by j.job_id for update of j) as done
        where jobs.client_id = done.client_id and jobs.job_id = done.job_id returning jobs.*)",
        "'dropped'",
        client.0,
        now,
        leads,
        numbers
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a job back. `unharmed`: the claim does not count as a try, and its error is none to be kept.
pub async fn hand_back(
    conn: &mut PgConnection,
    lease: Lease,
    run_at: Moment,
    unharmed: bool,
    error: Option<&str>,
    now: Moment,
) -> Result<bool, StoreError> {
    let given = sqlx::query!(
        "update jobs set lease_owner = null, lease_token = null, lease_until = null, run_at = $4,
            tries = tries - $5::int::smallint, last_error = coalesce($6, last_error),
            errors = case when $5 = 1 or $6 is null then errors
                else coalesce(errors, '[]') || jsonb_build_object('number', tries, 'at', $7::timestamptz, 'error', $6) end
        where client_id = $1 and job_id = $2 and lease_token = $3",
        lease.client.0,
        lease.job.0,
        lease.token,
        run_at,
        i32::from(unharmed),
        error,
        now
    )
    .execute(conn)
    .await?;
    Ok(given.rows_affected() > 0)
}

/// Gives back whatever a node that runs nothing any more still holds: claims that were never begun.
/// Returns whose they are.
pub async fn hand_back_all(conn: &mut PgConnection, node: NodeId) -> Result<HashSet<ClientId>, StoreError> {
    let clients = sqlx::query_scalar!(
        "update jobs set lease_owner = null, lease_token = null, lease_until = null, tries = greatest(tries - 1, 0)
        where lease_owner = $1 returning client_id",
        node.0
    )
    .fetch_all(conn)
    .await?;
    Ok(clients.into_iter().map(ClientId).collect())
}

/// Frees all leases of nodes that are known dead, to run first. Their claims count as tries.
pub async fn free_leases_of(conn: &mut PgConnection, nodes: &[Uuid], now: Moment) -> Result<u64, StoreError> {
    let freed = sqlx::query!(
        "update jobs set lease_until = $2 where lease_owner = any($1) and lease_until > $2",
        nodes,
        now
    )
    .execute(conn)
    .await?;
    Ok(freed.rows_affected())
}
