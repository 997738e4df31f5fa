//! Jobs: what runs, what waits to be tried again, and what was put aside, with what can be done about it.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use outdial_jobs::operations::filters::FilteredPage;
use outdial_jobs::operations::jobs::{self, Fits, JobState, Listed};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::kinds::{self, Kind};
use outdial_jobs::operations::overview;
use outdial_workflows::ids::ClientId;
use serde::Deserialize;
use uuid::Uuid;

use super::clients::{After, Reason, cut};
use super::filters::Menu;
use super::outcome::{Done, Failure, Sent};
use super::shell::{Shell, Visit};
use super::show::{self, Html};
use super::{live, page};
use crate::http::v1::input::{sought, wrong};
use crate::http::v1::{self, Asked, Named};
use crate::http::{Api, Problem};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients/{client}/jobs", get(list))
        .route("/admin/clients/{client}/jobs/live", get(follow))
        .route("/admin/clients/{client}/jobs/all", post(all))
        .route("/admin/clients/{client}/jobs/kinds", post(kind))
        .route("/admin/jobs/{job}", get(show_one))
        .route("/admin/jobs/{job}/retry", post(retry))
        .route("/admin/jobs/{job}/discard", post(discard))
}

/// Which jobs.
#[derive(Clone, Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    state: String,
    /// What stands in an error.
    #[serde(default)]
    error: String,
    #[serde(flatten)]
    after: AfterText,
}

/// A cursor, where there may be none: a flattened one comes as text.
#[derive(Clone, Debug, Default, Deserialize)]
struct AfterText {
    #[serde(default)]
    after: String,
}

impl Wanted {
    fn state(&self) -> Result<Option<JobState>, Problem> {
        let state = Some(self.state.as_str()).filter(|state| !state.is_empty());
        state.map(str::parse).transpose().map_err(|problem: String| wrong("state", problem))
    }

    fn fits(&self) -> Result<Fits<'_>, Problem> {
        let kind = Some(self.kind.as_str()).filter(|kind| !kind.is_empty());
        let error = Some(self.error.trim()).filter(|error| !error.is_empty());
        let error = error.map(|error| sought("error", error)).transpose()?;
        Ok(Fits { kind, state: self.state()?, error })
    }

    /// Whether it asks for jobs that are over.
    fn over(&self) -> bool {
        self.state.parse().is_ok_and(JobState::is_over)
    }

    /// Whether it asks for some jobs only.
    fn filters(&self) -> bool {
        [&self.kind, &self.state, &self.error].iter().any(|text| !text.is_empty())
    }

    fn query(&self, after: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("kind", self.kind.as_str()),
            ("state", &self.state),
            ("error", &self.error),
            ("after", after.unwrap_or_default()),
        ];
        query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    shell: Shell,
    wanted: Wanted,
    live: String,
    kinds: Vec<String>,
    filters: Menu,
    now: Html,
}

#[derive(Template)]
#[template(path = "jobs_now.html")]
struct JobsNow<'a> {
    shell: &'a Shell,
    wanted: &'a Wanted,
    counts: Vec<(String, [i64; 4])>,
    jobs: Vec<Listed>,
    next: Option<String>,
    quarantined: i64,
    nodes: Vec<overview::Seen>,
    seats: Option<u32>,
    all_kinds: Vec<Kind>,
}

const STATES: [&str; 4] = ["waiting", "running", "backing_off", "quarantined"];

async fn jobs_now(
    visit: &Visit,
    shell: &Shell,
    client: ClientId,
    wanted: &Wanted,
) -> Result<(String, Vec<String>), Failure> {
    let engine = &visit.api.engine;
    let after = After::read(&wanted.after.after)?;
    let found = jobs::list(engine, client, wanted.fits()?, after.part()).await?;
    let (found, next) = cut(found, |job| job.id);
    let next = next.map(|_| wanted.query(found.last().map(|job| job.id.to_string()).as_deref()));
    let mut counts: BTreeMap<String, [i64; 4]> = BTreeMap::new();
    for counted in jobs::count(engine, client).await? {
        let kind = counted.kind.unwrap_or_else(|| "a lead put aside".into());
        let place = STATES.iter().position(|state| *state == counted.state.name()).unwrap_or_default();
        counts.entry(kind).or_default()[place] += counted.jobs;
    }
    let fits = |kind: &str| wanted.kind.is_empty() || wanted.kind == kind;
    let quarantined = counts.iter().filter(|(kind, _)| fits(kind)).map(|(_, n)| n[3]).sum();
    let nodes = overview::nodes(engine).await?;
    let seats = overview::seats(engine, client).await?;
    let all_kinds = kinds::list(engine).await?;
    // Those that are over may be of kinds of which nothing waits.
    let known: BTreeSet<String> =
        counts.keys().cloned().chain(all_kinds.iter().map(|kind| kind.kind.clone())).collect();
    let counts = counts.into_iter().collect();
    let part = JobsNow { shell, wanted, counts, jobs: found, next, quarantined, nodes, seats, all_kinds };
    Ok((part.render().map_err(|error| Problem::ours(&error))?, known.into_iter().collect()))
}

impl JobsNow<'_> {
    fn states(&self) -> [&'static str; 4] {
        STATES
    }

    /// Why it failed last; a job that only asks again later did not fail.
    fn error<'j>(&self, job: &'j Listed) -> Option<&'j str> {
        job.error.as_deref().filter(|_| job.tries != Some(0))
    }
}

async fn list(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let shell = visit.shell(client, "jobs", "Jobs").await?;
    let (now, kinds) = jobs_now(&visit, &shell, client, &wanted).await?;
    let live = format!("/admin/clients/{client}/jobs/live?{}", wanted.query(Some(&wanted.after.after)));
    let filters = Menu::of(&visit, FilteredPage::Jobs, &wanted.query(None)).await?;
    page(&JobsPage { shell, wanted, live, kinds, filters, now: Html(now) })
}

async fn follow(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let wanted = std::sync::Arc::new(wanted);
    Ok(live::stream(visit, headers, move |visit| {
        let wanted = wanted.clone();
        Box::pin(async move {
            let mut shell = visit.shell(client, "jobs", "Jobs").await?;
            shell.path = format!("/admin/clients/{client}/jobs?{}", wanted.query(Some(&wanted.after.after)));
            Ok(vec![("now", jobs_now(visit, &shell, client, &wanted).await?.0)])
        })
    }))
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    shell: Shell,
    job: Listed,
    arguments: String,
}

impl JobPage {
    fn is_over(&self) -> bool {
        self.job.state.is_over()
    }
}

async fn show_one(visit: Visit, Named(id): Named<Uuid>) -> Result<Response, Failure> {
    let job = v1::jobs::visible(&visit.api, &visit.caller, id).await?;
    let title = job.kind.clone().unwrap_or_else(|| "A lead put aside".into());
    let shell = visit.shell(job.client, "jobs", title).await?;
    let arguments = jobs::arguments(&visit.api.engine, job.client, id).await?;
    let arguments = arguments.map(|arguments| show::json(&arguments)).unwrap_or_default();
    page(&JobPage { shell, job, arguments })
}

async fn retry(visit: Visit, Named(id): Named<Uuid>, Sent(form): Sent<Reason>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let found = v1::jobs::visible(&visit.api, &visit.caller, id).await?;
    jobs::retry(&visit.api.engine, found.client, id, visit.caller.by_for(form.given())).await?;
    let list = format!("/admin/clients/{}/jobs", found.client);
    Ok(Done::back(
        form.back.as_deref().filter(|back| !back.contains("/jobs/")),
        &list,
        "It runs as soon as a worker is free.",
    ))
}

async fn discard(visit: Visit, Named(id): Named<Uuid>, Sent(form): Sent<Reason>) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    let found = v1::jobs::visible(&visit.api, &visit.caller, id).await?;
    jobs::discard(&visit.api.engine, found.client, id, visit.caller.by_for(form.given())).await?;
    let list = format!("/admin/clients/{}/jobs", found.client);
    Ok(Done::back(form.back.as_deref().filter(|back| !back.contains("/jobs/")), &list, "It was given up."))
}

/// An order for all jobs that were put aside, of a kind or of any.
#[derive(Deserialize)]
struct AllForm {
    order: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    error: String,
    #[serde(flatten)]
    reason: Reason,
}

async fn all(visit: Visit, Named(client): Named<Uuid>, Sent(form): Sent<AllForm>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let wanted = Wanted { kind: form.kind, error: form.error, ..Wanted::default() };
    let by = visit.caller.by_for(form.reason.given());
    let what = match form.order.as_str() {
        "retry" => jobs::ForAside::Retry,
        "discard" => {
            visit.caller.is(Role::Admin)?;
            jobs::ForAside::Discard
        }
        other => return Err(wrong("order", format!("`{other}` is no order")).into()),
    };
    let done = jobs::all_aside(&visit.api.engine, client, wanted.fits()?, what, by).await?;
    let mut told = format!("{} done.", show::n(&done.changed));
    if done.declined > 0 {
        let why = done.declined_for.unwrap_or_default();
        told += &format!(" {} were not: {why}.", show::n(&done.declined));
    }
    if done.more {
        told += " There are more: repeat it.";
    }
    let list = format!("/admin/clients/{client}/jobs");
    Ok(Done::back(form.reason.back.as_deref(), &list, told))
}

/// An order for a kind of job, for all clients.
#[derive(Deserialize)]
struct KindForm {
    order: String,
    kind: String,
    #[serde(flatten)]
    reason: Reason,
}

async fn kind(visit: Visit, Named(client): Named<Uuid>, Sent(form): Sent<KindForm>) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    visit.caller.sees_all()?;
    let client = visit.client(client).await?;
    let (engine, by) = (&visit.api.engine, visit.caller.by_for(form.reason.given()));
    let (undo, told) = match form.order.as_str() {
        "pause" => {
            kinds::pause(engine, &form.kind, by).await?;
            ("resume", "is paused: nobody begins one until it is resumed; those that run go on.")
        }
        "resume" => {
            kinds::resume(engine, &form.kind, by).await?;
            ("pause", "goes on.")
        }
        other => return Err(wrong("order", format!("`{other}` is no order")).into()),
    };
    let list = format!("/admin/clients/{client}/jobs");
    let done = Done::back(form.reason.back.as_deref(), &list, format!("{} {told}", form.kind));
    Ok(done.undone_by(format!("{list}/kinds"), &[("order", undo), ("kind", &form.kind)]))
}
