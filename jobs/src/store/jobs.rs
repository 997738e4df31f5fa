//! Jobs, live and put aside, looked through and seen to.

use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, LeadId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::paging::{Part, part};

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
}

impl JobState {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::BackingOff => "backing_off",
            Self::Running => "running",
            Self::Quarantined => "quarantined",
        }
    }

    /// As the statements here tell live jobs apart.
    fn of(name: &str) -> Self {
        match name {
            "running" => Self::Running,
            "backing_off" => Self::BackingOff,
            _ => Self::Waiting,
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
    /// From when on it may run; of what was put aside, none.
    pub run_at: Option<Moment>,
    /// Why it failed last, or was put aside.
    pub error: Option<String>,
    /// When it was queued, or put aside.
    pub created_at: Moment,
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
            created_at: row.created_at,
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
            created_at: row.created_at,
        }
    }
}

/// A client's live jobs: of one kind, or all; in one state at `now`, or any.
pub async fn live(
    conn: &mut PgConnection,
    client: ClientId,
    kind: Option<&str>,
    state: Option<JobState>,
    part: Part,
    now: Moment,
) -> Result<Vec<Listed>, StoreError> {
    let rows = part!(
        LiveRow,
        conn,
        part,
        "job_id",
        r#"select job_id, client_id, kind, lead_id, number, tries, run_at, last_error, created_at, state as "state!"
        from (
            select *, case when lease_until > $5 then 'running' when run_at > $5 then 'backing_off'
                else 'waiting' end as state
            from jobs where client_id = $3) j
        where ($4::text is null or kind = $4) and ($6::text is null or state = $6)"#,
        client.0,
        kind,
        now,
        state.map(JobState::name)
    )?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// What of a client is put aside: jobs of one kind, or everything.
pub async fn aside(
    conn: &mut PgConnection,
    client: ClientId,
    kind: Option<&str>,
    part: Part,
) -> Result<Vec<Listed>, StoreError> {
    let rows = part!(
        AsideRow,
        conn,
        part,
        "quarantine_id",
        r#"select quarantine_id, client_id, job_kind, lead_id, (item->>'number')::smallint as number,
            (item->>'tries')::smallint as tries, error, created_at
        from quarantine
        where client_id = $3 and released_at is null and ($4::text is null or job_kind = $4)"#,
        client.0,
        kind
    )?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Reads the job with an id, whosever it is, live or put aside, by statements that end so.
macro_rules! one {
    ($conn:expr, $id:expr, $now:expr, $live:tt, $aside:tt) => {{
        let (conn, id): (&mut PgConnection, Uuid) = ($conn, $id);
        let live = sqlx::query_as!(
            LiveRow,
            r#"select j.job_id, j.client_id, kind, lead_id, number, tries, run_at, last_error, j.created_at,
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
                (item->>'tries')::smallint as tries, error, q.created_at
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
) -> Result<Option<serde_json::Value>, StoreError> {
    let live =
        sqlx::query_scalar!("select args from jobs where client_id = $1 and job_id = $2", client.0, id);
    if let Some(args) = live.fetch_optional(&mut *conn).await? {
        return Ok(Some(args));
    }
    let aside = sqlx::query_scalar!(
        "select item from quarantine where client_id = $1 and quarantine_id = $2",
        client.0,
        id
    );
    Ok(aside.fetch_optional(conn).await?)
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

/// Removes a locked live job.
pub async fn remove(conn: &mut PgConnection, client: ClientId, id: Uuid) -> Result<(), StoreError> {
    sqlx::query!("delete from jobs where client_id = $1 and job_id = $2", client.0, id).execute(conn).await?;
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
        "insert into jobs (client_id, job_id, kind, lead_id, number, args, run_at, created_at)
        select client_id, quarantine_id, job_kind, lead_id, (item->>'number')::smallint, item->'args', $3, $3
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
