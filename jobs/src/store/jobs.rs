//! Jobs, live and put aside, looked through and seen to.

use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, LeadId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::paging::{Direction, Part, part};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It runs as soon as a worker is free.
    Waiting,
    /// It failed, and is tried again in a while.
    BackingOff,
    /// A worker is at it.
    Running,
    /// It was put aside after its last try, or what it is about could not be processed.
    Quarantined,
    /// It was carried out.
    Done,
    /// Nothing was left to do for it: its attempt had resolved otherwise.
    Dropped,
    /// Somebody gave it up.
    Discarded,
}

impl JobState {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::BackingOff => "backing_off",
            Self::Running => "running",
            Self::Quarantined => "quarantined",
            Self::Done => "done",
            Self::Dropped => "dropped",
            Self::Discarded => "discarded",
        }
    }

    /// Whether it is over, one way or another.
    pub fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::BackingOff | Self::Running | Self::Quarantined => false,
            Self::Done | Self::Dropped | Self::Discarded => true,
        }
    }

    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::BackingOff,
        Self::Running,
        Self::Quarantined,
        Self::Done,
        Self::Dropped,
        Self::Discarded,
    ];

    /// As the statements here tell live jobs apart.
    fn of(name: &str) -> Self {
        match name {
            "running" => Self::Running,
            "backing_off" => Self::BackingOff,
            _ => Self::Waiting,
        }
    }
}

impl std::str::FromStr for JobState {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let state = Self::ALL.into_iter().find(|state| state.name() == name);
        state
            .ok_or_else(|| format!("`{name}` is no state of a job: {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Which, counted from 1.
    pub number: i16,
    /// When it ended.
    pub at: Moment,
    /// Why.
    pub error: String,
}

/// What is stored of failed tries; what cannot be read is left out.
fn failed(errors: Option<Value>) -> Vec<Failed> {
    let Some(Value::Array(errors)) = errors else { return vec![] };
    errors.into_iter().filter_map(|error| serde_json::from_value(error).ok()).collect()
}

/// How a job ended, as the database has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "job_end", rename_all = "snake_case")]
pub(super) enum EndRow {
    Done,
    Dropped,
    Discarded,
}

impl From<EndRow> for JobState {
    fn from(end: EndRow) -> Self {
        match end {
            EndRow::Done => Self::Done,
            EndRow::Dropped => Self::Dropped,
            EndRow::Discarded => Self::Discarded,
        }
    }
}

/// A job as people see it; or a lead that was put aside by itself, which has no kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub client: ClientId,
    /// What is to be done.
    pub kind: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// The lead that it is about.
    pub lead: Option<LeadId>,
    /// The lead's attempt that it is about.
    pub attempt: Option<i16>,
    /// How often it was begun.
    pub tries: Option<i16>,
    /// From when on it may run; of what was put aside, or is over, none.
    pub run_at: Option<Moment>,
    /// Why it failed last, or was put aside.
    pub error: Option<String>,
    /// The tries that failed, the first one first.
    pub failed: Vec<Failed>,
    /// When it was queued, or put aside.
    pub created_at: Moment,
    /// When it was over.
    pub finished_at: Option<Moment>,
}

struct LiveRow {
    job_id: Uuid,
    client_id: Uuid,
    kind: String,
    lead_id: Option<Uuid>,
    number: Option<i16>,
    tries: i16,
    run_at: Moment,
    last_error: Option<String>,
    errors: Option<Value>,
    created_at: Moment,
    state: String,
}

impl From<LiveRow> for Listed {
    fn from(row: LiveRow) -> Self {
        Self {
            id: row.job_id,
            client: ClientId(row.client_id),
            kind: Some(row.kind),
            state: JobState::of(&row.state),
            lead: row.lead_id.map(LeadId),
            attempt: row.number,
            tries: Some(row.tries),
            run_at: Some(row.run_at),
            error: row.last_error,
            failed: failed(row.errors),
            created_at: row.created_at,
            finished_at: None,
        }
    }
}

struct AsideRow {
    quarantine_id: Uuid,
    client_id: Uuid,
    job_kind: Option<String>,
    lead_id: Option<Uuid>,
    number: Option<i16>,
    tries: Option<i16>,
    error: String,
    errors: Option<Value>,
    created_at: Moment,
}

impl From<AsideRow> for Listed {
    fn from(row: AsideRow) -> Self {
        Self {
            id: row.quarantine_id,
            client: ClientId(row.client_id),
            kind: row.job_kind,
            state: JobState::Quarantined,
            lead: row.lead_id.map(LeadId),
            attempt: row.number,
            tries: row.tries,
            run_at: None,
            error: Some(row.error),
            failed: failed(row.errors),
            created_at: row.created_at,
            finished_at: None,
        }
    }
}

struct FinishedRow {
    job_id: Uuid,
    client_id: Uuid,
    kind: String,
    lead_id: Option<Uuid>,
    number: Option<i16>,
    tries: i16,
    result: EndRow,
    errors: Option<Value>,
    created_at: Moment,
    finished_at: Moment,
}

impl From<FinishedRow> for Listed {
    fn from(row: FinishedRow) -> Self {
        let failed = failed(row.errors);
        Self {
            id: row.job_id,
            client: ClientId(row.client_id),
            kind: Some(row.kind),
            state: row.result.into(),
            lead: row.lead_id.map(LeadId),
            attempt: row.number,
            tries: Some(row.tries),
            run_at: None,
            error: failed.last().map(|failed| failed.error.clone()),
            failed,
            created_at: row.created_at,
            finished_at: Some(row.finished_at),
        }
    }
}

/// Which jobs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fits<'a> {
    /// Only those of this kind.
    pub kind: Option<&'a str>,
    /// Only those that stand so.
    pub state: Option<JobState>,
    /// Only those with this in an error, whatever the case of its letters.
    pub error: Option<&'a str>,
}

/// Of how many jobs the fitting ones are looked for, a page: a filter that fits hardly any must not read all of them.
pub const WALKED: i64 = 20_000;

/// Reads those live jobs of some that fit, beyond a part's beginning and in this order; of them as many as are looked at.
macro_rules! live {
    ($conn:expr, $part:expr, $beyond:tt, $order:tt, $among:tt, $client:expr, $fits:expr, $now:expr) => {
        sqlx::query_as!(
            LiveRow,
            r#"select job_id, client_id, kind, lead_id, number, tries, run_at, last_error, errors, created_at, state as "state!"
            from (
                select *, case when lease_until > $5 then 'running' when run_at > $5 then 'backing_off'
                    else 'waiting' end as state
                from ("# + $among + " and job_id " + $beyond + " $1 order by job_id " + $order + " limit $4) j) j
            where ($6::text is null or kind = $6) and ($7::text is null or state = $7)
                and ($8::text is null or position(lower($8) in lower(last_error)) > 0)
            order by job_id " + $order + " limit $2",
            $part.beyond(),
            $part.limit,
            $client.0,
            WALKED,
            $now,
            $fits.kind,
            $fits.state.map(JobState::name),
            $fits.error
        )
        .fetch_all($conn)
        .await
    };
    ($conn:expr, $part:expr, $among:tt, $client:expr, $fits:expr, $now:expr) => {
        match $part.direction {
            Direction::NewestFirst => live!($conn, $part, "<", "desc", $among, $client, $fits, $now),
            Direction::OldestFirst => live!($conn, $part, ">", "asc", $among, $client, $fits, $now),
        }
    };
}

/// A client's live jobs that fit, as they stand at `now`. They are looked for among [`WALKED`]: those that run by
/// themselves, since they are few, and those with an error among such.
pub async fn live(
    conn: &mut PgConnection,
    client: ClientId,
    fits: Fits<'_>,
    part: Part,
    now: Moment,
) -> Result<Vec<Listed>, StoreError> {
    let rows = match fits {
        Fits { state: Some(JobState::Running), .. } => live!(
            conn,
            part,
            "select * from (select * from jobs where lease_owner is not null and lease_until > $5 offset 0) j
            where client_id = $3",
            client,
            fits,
            now
        ),
        Fits { error: Some(_), .. } => live!(
            conn,
            part,
            "select * from jobs where client_id = $3 and last_error is not null",
            client,
            fits,
            now
        ),
        _ => live!(conn, part, "select * from jobs where client_id = $3", client, fits, now),
    };
    Ok(rows?.into_iter().map(Into::into).collect())
}

/// What of a client is put aside and fits: jobs of one kind, or everything.
pub async fn aside(
    conn: &mut PgConnection,
    client: ClientId,
    Fits { kind, error, .. }: Fits<'_>,
    part: Part,
) -> Result<Vec<Listed>, StoreError> {
    let rows = part!(
        AsideRow,
        conn,
        part,
        "quarantine_id",
        r#"select quarantine_id, client_id, job_kind, lead_id, (item->>'number')::smallint as number,
            (item->>'tries')::smallint as tries, error, item->'errors' as errors, created_at
        from quarantine
        where client_id = $3 and released_at is null and ($4::text is null or job_kind = $4)
            and ($5::text is null or position(lower($5) in lower(error)) > 0)"#,
        client.0,
        kind,
        error
    )?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Reads those of [`WALKED`] finished jobs beyond a part's beginning that fit, in this order.
macro_rules! walked {
    ($conn:expr, $part:expr, $beyond:tt, $order:tt, $client:expr, $fits:expr) => {
        sqlx::query_as!(
            FinishedRow,
            r#"select job_id, client_id, kind, lead_id, number, tries, result as "result: EndRow", errors, created_at,
                finished_at
            from (
                select * from finished_jobs where client_id = $3 and job_id "# + $beyond + " $1
                order by job_id " + $order + " limit $4) j
            where ($5::text is null or kind = $5) and ($6::text is null or result::text = $6)
                and ($7::text is null or position(lower($7) in lower(errors::text)) > 0)
            order by job_id " + $order + " limit $2",
            $part.beyond(),
            $part.limit,
            $client.0,
            WALKED,
            $fits.kind,
            $fits.state.map(JobState::name),
            $fits.error
        )
        .fetch_all($conn)
        .await
    };
}

/// A client's jobs that are over and fit, by when they were queued. They are looked for among [`WALKED`].
pub async fn finished(
    conn: &mut PgConnection,
    client: ClientId,
    fits: Fits<'_>,
    part: Part,
) -> Result<Vec<Listed>, StoreError> {
    let rows = match part.direction {
        Direction::NewestFirst => walked!(conn, part, "<", "desc", client, fits)?,
        Direction::OldestFirst => walked!(conn, part, ">", "asc", client, fits)?,
    };
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The job with this id that is over, whosever it is.
pub async fn find_finished(conn: &mut PgConnection, id: Uuid) -> Result<Option<Listed>, StoreError> {
    let row = sqlx::query_as!(
        FinishedRow,
        r#"select j.job_id, j.client_id, kind, lead_id, number, tries, result as "result: EndRow", errors,
            j.created_at, finished_at
        from (select client_id, $1::uuid as job_id from clients offset 0) x
        join finished_jobs j on j.client_id = x.client_id and j.job_id = x.job_id"#,
        id
    );
    Ok(row.fetch_optional(conn).await?.map(Into::into))
}

/// Removes jobs that were over before `before`.
pub async fn erase_finished(conn: &mut PgConnection, before: Moment, limit: i64) -> Result<u64, StoreError> {
    let erased = sqlx::query!(
        "delete from finished_jobs where (client_id, job_id) in (
            select client_id, job_id from finished_jobs where finished_at < $1 order by finished_at limit $2)",
        before,
        limit
    );
    Ok(erased.execute(conn).await?.rows_affected())
}

/// Reads the job with an id, whosever it is, live or put aside, by statements that end so.
macro_rules! one {
    ($conn:expr, $id:expr, $now:expr, $live:tt, $aside:tt) => {{
        let (conn, id): (&mut PgConnection, Uuid) = ($conn, $id);
        let live = sqlx::query_as!(
            LiveRow,
            r#"select j.job_id, j.client_id, kind, lead_id, number, tries, run_at, last_error, errors, j.created_at,
                case when lease_until > $2 then 'running' when run_at > $2 then 'backing_off' else 'waiting' end as "state!"
            from (select client_id, $1::uuid as job_id from clients offset 0) x
            join jobs j on j.client_id = x.client_id and j.job_id = x.job_id "# + $live,
            id,
            $now
        )
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(row) = live {
            return Ok(Some(row.into()));
        }
        let aside = sqlx::query_as!(
            AsideRow,
            r#"select q.quarantine_id, q.client_id, job_kind, lead_id, (item->>'number')::smallint as number,
                (item->>'tries')::smallint as tries, error, item->'errors' as errors, q.created_at
            from (select client_id, $1::uuid as quarantine_id from clients offset 0) x
            join quarantine q on q.client_id = x.client_id and q.quarantine_id = x.quarantine_id
            where released_at is null "# + $aside,
            id
        )
        .fetch_optional(conn)
        .await?;
        Ok(aside.map(Into::into))
    }};
}

/// The job with this id, whosever it is, live or put aside.
pub async fn find(conn: &mut PgConnection, id: Uuid, now: Moment) -> Result<Option<Listed>, StoreError> {
    one!(conn, id, now, "", "")
}

/// What a job is to do with: its arguments as they are stored; of a lead that was put aside, the input it
/// failed on.
pub async fn arguments(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
) -> Result<Option<Value>, StoreError> {
    let live =
        sqlx::query_scalar!("select args from jobs where client_id = $1 and job_id = $2", client.0, id);
    if let Some(args) = live.fetch_optional(&mut *conn).await? {
        return Ok(Some(args));
    }
    let aside = sqlx::query_scalar!(
        "select item from quarantine where client_id = $1 and quarantine_id = $2 and released_at is null",
        client.0,
        id
    );
    if let Some(item) = aside.fetch_optional(&mut *conn).await? {
        return Ok(Some(item));
    }
    let over = sqlx::query_scalar!(
        "select args from finished_jobs where client_id = $1 and job_id = $2",
        client.0,
        id
    );
    Ok(over.fetch_optional(conn).await?)
}

/// The same, locked until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: Uuid, now: Moment) -> Result<Option<Listed>, StoreError> {
    one!(conn, id, now, "for no key update of j", "for no key update of q")
}

/// Lets a locked live job run at once.
pub async fn hurry(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!("update jobs set run_at = $3 where client_id = $1 and job_id = $2", client.0, id, now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Gives a locked live job up.
pub async fn discard(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "with gone as (delete from jobs where client_id = $1 and job_id = $2 returning *)
        insert into finished_jobs (client_id, job_id, kind, lead_id, number, args, tries, result, errors, created_at,
            finished_at)
        select client_id, job_id, kind, lead_id, number, args, tries, 'discarded', errors, created_at, $3 from gone
        on conflict (client_id, job_id) do update set tries = excluded.tries, result = excluded.result,
            errors = excluded.errors, created_at = excluded.created_at, finished_at = excluded.finished_at",
        client.0,
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a locked job up that was put aside.
pub async fn discard_aside(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "with gone as (
            update quarantine set released_at = $3
            where client_id = $1 and quarantine_id = $2 and job_kind is not null returning *)
        insert into finished_jobs (client_id, job_id, kind, lead_id, number, args, tries, result, errors, created_at,
            finished_at)
        select client_id, quarantine_id, job_kind, lead_id, (item->>'number')::smallint, coalesce(item->'args', '{}'),
            coalesce((item->>'tries')::smallint, 0), 'discarded', item->'errors', created_at, $3 from gone
        on conflict (client_id, job_id) do nothing",
        client.0,
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Queues a locked job anew that was put aside, under its id there. False if its step is queued already.
pub async fn queue_anew(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    now: Moment,
) -> Result<bool, StoreError> {
    let queued = sqlx::query!(
        "insert into jobs (client_id, job_id, kind, lead_id, number, args, run_at, created_at, errors)
        select client_id, quarantine_id, job_kind, lead_id, (item->>'number')::smallint, item->'args', $3, $3,
            item->'errors'
        from quarantine where client_id = $1 and quarantine_id = $2 and job_kind is not null
        on conflict do nothing",
        client.0,
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(queued.rows_affected() == 1)
}

/// Has a locked one be put aside no more.
pub async fn close(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update quarantine set released_at = $3 where client_id = $1 and quarantine_id = $2",
        client.0,
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// So many jobs of a kind that stand so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The kind; `None`: leads that were put aside by themselves.
    pub kind: Option<String>,
    /// Where they stand.
    pub state: JobState,
    /// How many.
    pub jobs: i64,
}

/// A client's jobs by kind and state at `now`: at most `most` live ones and as many put aside are counted.
pub async fn count(
    conn: &mut PgConnection,
    client: ClientId,
    most: i64,
    now: Moment,
) -> Result<Vec<Counted>, StoreError> {
    let live = sqlx::query!(
        r#"select kind, state as "state!", count(*) as "jobs!"
        from (
            select kind, case when lease_until > $2 then 'running' when run_at > $2 then 'backing_off'
                else 'waiting' end as state
            from jobs where client_id = $1 limit $3) j
        group by kind, state order by kind, state"#,
        client.0,
        now,
        most
    )
    .fetch_all(&mut *conn)
    .await?;
    let aside = sqlx::query!(
        r#"select job_kind, count(*) as "jobs!"
        from (select job_kind from quarantine where client_id = $1 and released_at is null limit $2) q
        group by job_kind order by job_kind"#,
        client.0,
        most
    )
    .fetch_all(conn)
    .await?;
    let live = live.into_iter().map(|row| Counted {
        kind: Some(row.kind),
        state: JobState::of(&row.state),
        jobs: row.jobs,
    });
    let aside = aside.into_iter().map(|row| Counted {
        kind: row.job_kind,
        state: JobState::Quarantined,
        jobs: row.jobs,
    });
    Ok(live.chain(aside).collect())
}
