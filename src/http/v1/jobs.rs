//! Jobs: what is done in the background, and what of it failed.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::jobs::{self, Counted, Failed, Fits, Listed};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::kinds::{self, Kind};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::input::{sought, wrong};
use super::names::JobStateName;
use super::paging::listing;
use super::{Asked, Caller, Named, Page};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// A try that failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedTry {
    /// Which, counted from 1.
    number: i16,
    /// When it ended.
    at: DateTime<Utc>,
    /// Why it failed.
    error: String,
}

impl From<Failed> for FailedTry {
    fn from(Failed { number, at, error }: Failed) -> Self {
        Self { number, at, error }
    }
}

/// A job, or a lead that could not be processed and was put aside.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Its id.
    id: Uuid,
    /// Its client.
    client: Uuid,
    /// What is to be done, as `dial.v1`; absent for a lead that was put aside by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Where it stands.
    state: JobStateName,
    /// The lead that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<Uuid>,
    /// The lead's attempt that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<i16>,
    /// How often it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    tries: Option<i16>,
    /// From when on it may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<DateTime<Utc>>,
    /// Why it failed last, or was put aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The tries that failed, the first one first.
    failed: Vec<FailedTry>,
    /// When it was queued, or put aside.
    created_at: DateTime<Utc>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
}

impl From<Listed> for Job {
    fn from(job: Listed) -> Self {
        Self {
            id: job.id,
            client: job.client.0,
            kind: job.kind,
            state: job.state.into(),
            lead: job.lead.map(|lead| lead.0),
            attempt: job.attempt,
            tries: job.tries,
            run_at: job.run_at,
            error: job.error,
            failed: job.failed.into_iter().map(Into::into).collect(),
            created_at: job.created_at,
            finished_at: job.finished_at,
        }
    }
}

listing! {
    /// Which jobs, and which page of them.
    JobsQuery {
        /// Only those of this kind, as `dial.v1`.
        kind: Option<String>,
        /// Only those that stand so.
        #[param(inline)]
        state: Option<JobStateName>,
        /// Only those with this in an error, whatever the case of its letters.
        #[param(min_length = 1, max_length = 200)]
        error: Option<String>,
    }
}

/// List jobs
///
/// Those of a client, live and put aside, the newest first unless told otherwise. Jobs that are over are listed where the
/// state asks for them, `done`, `dropped` or `discarded`, for a week: those that failed before, that somebody gave up,
/// or that are of no lead. A step that went well at once is told by its lead's history. What fits is looked for among
/// 20,000 a page: those that run are looked for by themselves, and an error among those that have one.
#[utoipa::path(get, path = "/v1/clients/{client}/jobs", tag = "jobs",
    params(("client" = Uuid, Path, description = "The client's id"), JobsQuery), responses(
    (status = 200, description = "A page of jobs", body = Page<Job>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<JobsQuery>,
) -> Result<Json<Page<Job>>, Problem> {
    let client = caller.client(&api, client).await?;
    let error = match query.error.as_deref() {
        None => None,
        Some(error) if (1..=200).contains(&error.chars().count()) => Some(sought("error", error)?),
        Some(_) => return Err(wrong("error", "give 1 to 200 characters of an error")),
    };
    let fits = Fits { kind: query.kind.as_deref(), state: query.state.map(Into::into), error };
    let found = async |part| jobs::list(&api.engine, client, fits, part).await;
    query.page().of(found, |job: &Job| job.id).await
}

/// So many jobs of a kind that stand so.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobCount {
    /// The kind; absent: leads that were put aside by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Where they stand.
    state: JobStateName,
    /// How many.
    jobs: i64,
}

impl From<Counted> for JobCount {
    fn from(Counted { kind, state, jobs }: Counted) -> Self {
        Self { kind, state: state.into(), jobs }
    }
}

/// Count jobs
///
/// Those of a client, by kind and state. No more than 25,000 that are live, and as many that are put aside, are
/// counted.
#[utoipa::path(get, path = "/v1/clients/{client}/jobs/counts", tag = "jobs", params(("client" = Uuid, Path, description = "The client's id")), responses(
    (status = 200, description = "The counts", body = Page<JobCount>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn count(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
) -> Result<Json<Page<JobCount>>, Problem> {
    let client = caller.client(&api, client).await?;
    Ok(Json(Page::whole(jobs::count(&api.engine, client).await?)))
}

/// The job, if the caller may see it.
pub(in crate::http) async fn visible(api: &Api, caller: &Caller, job: Uuid) -> Result<Listed, Problem> {
    let found = jobs::get(&api.engine, job).await?;
    let not_found = || OperationError::NotFound { kind: "job", given: job.to_string() };
    caller.sees(found.client).map_err(|_| Problem::from(not_found()))?;
    Ok(found)
}

/// Get a job
#[utoipa::path(get, path = "/v1/jobs/{job}", tag = "jobs", params(("job" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The job", body = Job),
    (status = 404, description = "No such job: it may be done", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(job): Named<Uuid>,
) -> Result<Json<Job>, Problem> {
    Ok(Json(visible(&api, &caller, job).await?.into()))
}

/// Retry a job
///
/// One that backs off runs at once; one that was put aside is queued anew, under the same id; a lead that was goes
/// on.
#[utoipa::path(post, path = "/v1/jobs/{job}/retry", tag = "jobs", params(("job" = Uuid, Path, description = "Its id")), responses(
    (status = 204, description = "It runs as soon as a worker is free"),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such job: it may be done", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "A worker is at it, or its step is queued already", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn retry(
    State(api): State<Api>,
    caller: Caller,
    Named(job): Named<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.is(Role::Operator)?;
    let found = visible(&api, &caller, job).await?;
    jobs::retry(&api.engine, found.client, found.id, caller.by()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Discard a job
///
/// It is given up. Of a lead's step, the lead's timers see to what follows. An order for many leads is stopped by
/// cancelling its operation, and a lead that was put aside is not discarded.
#[utoipa::path(post, path = "/v1/jobs/{job}/discard", tag = "jobs", params(("job" = Uuid, Path, description = "Its id")), responses(
    (status = 204, description = "It is not carried out"),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such job: it may be done", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "A worker is at it, or it is given up in another way", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn discard(
    State(api): State<Api>,
    caller: Caller,
    Named(job): Named<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.is(Role::Admin)?;
    let found = visible(&api, &caller, job).await?;
    jobs::discard(&api.engine, found.client, found.id, caller.by()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A kind of job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobKind {
    /// Its name, as `deliver.v1`.
    kind: String,
    /// How many of it one process runs at once.
    slots: usize,
    /// Why it cannot be paused; absent of one that can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    cannot_be_paused: Option<String>,
    /// Since when it is paused; absent while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_at: Option<DateTime<Utc>>,
    /// Who paused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<String>,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Kind> for JobKind {
    fn from(kind: Kind) -> Self {
        let Kind { kind, slots, cannot_be_paused, paused_at, paused_by, reason } = kind;
        Self { kind, slots, cannot_be_paused, paused_at, paused_by, reason }
    }
}

/// All kinds of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobKinds {
    /// They, with whether they are paused.
    items: Vec<JobKind>,
}

async fn all_kinds(api: &Api) -> Result<Json<JobKinds>, Problem> {
    let kinds = kinds::list(&api.engine).await?;
    Ok(Json(JobKinds { items: kinds.into_iter().map(Into::into).collect() }))
}

/// List the kinds of jobs
///
/// With whether they are paused.
#[utoipa::path(get, path = "/v1/job-kinds", tag = "jobs", responses(
    (status = 200, description = "All of this version", body = JobKinds),
))]
pub(crate) async fn kinds(State(api): State<Api>, _: Caller) -> Result<Json<JobKinds>, Problem> {
    all_kinds(&api).await
}

/// Pause a kind of job
///
/// No process begins one until it is resumed, whichever client it is for; those that run go on.
#[utoipa::path(post, path = "/v1/job-kinds/{kind}/pause", tag = "jobs", params(("kind" = String, Path, description = "Its name, as `deliver.v1`")), responses(
    (status = 200, description = "It is paused", body = JobKinds),
    (status = 403, description = "Takes the role admin, of all clients", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such kind", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "This kind is stopped in another way", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn pause_kind(
    State(api): State<Api>,
    caller: Caller,
    Named(kind): Named<String>,
) -> Result<Json<JobKinds>, Problem> {
    caller.is(Role::Admin)?;
    caller.sees_all()?;
    kinds::pause(&api.engine, &kind, caller.by()).await?;
    all_kinds(&api).await
}

/// Resume a kind of job
///
/// What had to wait begins at once.
#[utoipa::path(post, path = "/v1/job-kinds/{kind}/resume", tag = "jobs", params(("kind" = String, Path, description = "Its name, as `deliver.v1`")), responses(
    (status = 200, description = "It goes on", body = JobKinds),
    (status = 403, description = "Takes the role admin, of all clients", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such kind", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn resume_kind(
    State(api): State<Api>,
    caller: Caller,
    Named(kind): Named<String>,
) -> Result<Json<JobKinds>, Problem> {
    caller.is(Role::Admin)?;
    caller.sees_all()?;
    kinds::resume(&api.engine, &kind, caller.by()).await?;
    all_kinds(&api).await
}
