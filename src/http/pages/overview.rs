//! A client's dialling at a glance, live.

use askama::Template;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::get;
use outdial_jobs::operations::jobs::{Fits, JobState, Listed};
use outdial_jobs::operations::overview::{Brake, Overview};
use outdial_jobs::operations::{Part, analytics, campaigns, jobs, leads, overview, setup};
use outdial_jobs::store::accounts::Account;
use outdial_workflows::Moment;
use outdial_workflows::call::CallStatus;
use outdial_workflows::ids::ClientId;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::charts;
use super::outcome::Failure;
use super::shell::{Shell, Visit};
use super::show::{self, Html};
use super::{live, page};
use crate::http::Api;
use crate::http::v1::{Asked, Named};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin", get(first))
        .route("/admin/clients/{client}", get(show))
        .route("/admin/clients/{client}/live", get(follow))
        .route("/admin/clients/{client}/find", get(find))
}

/// Where a visitor begins: at their client, or at the list of all.
async fn first(visit: Visit) -> Result<Redirect, Failure> {
    let found = setup::clients(&visit.api.engine, visit.caller.scope(), Part::newest(2)).await?;
    Ok(match found.as_slice() {
        [only] => Redirect::to(&format!("/admin/clients/{}", only.id)),
        _ => Redirect::to("/admin/clients"),
    })
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    now: Html,
    errors: Html,
}

/// What moves: figures, the chart, campaigns, what waits.
#[derive(Template)]
#[template(path = "overview_now.html")]
struct NowPart<'a> {
    shell: &'a Shell,
    overview: &'a Overview,
    live: i64,
    talking: i64,
    chart: Html,
    calls_today: i64,
    answer_rate: String,
    success_rate: String,
    waiting: Vec<Waits>,
    most_waiting: i64,
}

struct Waits {
    why: String,
    leads: i64,
    first: Option<Moment>,
}

/// What somebody should look at, and how the machinery is.
#[derive(Template)]
#[template(path = "overview_errors.html")]
struct ErrorsPart<'a> {
    shell: &'a Shell,
    quarantined: Vec<Listed>,
    accounts: Vec<Account>,
    queue: Vec<(&'static str, i64)>,
    nodes: Vec<overview::Seen>,
}

fn told(brake: &Brake) -> String {
    match brake {
        Brake::Paused => "campaign paused".into(),
        Brake::Hours(why) => why.clone(),
        Brake::EachByItself => "looked at one by one: no place is known".into(),
        Brake::Due => "for their time, or a free slot".into(),
    }
}

async fn now_part(visit: &Visit, shell: &Shell, client: ClientId) -> Result<String, Failure> {
    let engine = &visit.api.engine;
    let overview = overview::overview(engine, client).await?;
    let hours = analytics::hours(engine, client, None, 24).await?;
    let calls: i64 = hours.iter().map(|hour| hour.attempts).sum();
    let answered: i64 = hours.iter().map(|hour| hour.answered).sum();
    let by_outcome = hours.iter().flat_map(|hour| &hour.by_outcome);
    let successes: i64 = by_outcome
        .filter(|(outcome, _)| outdial_workflows::analytics::is_success(**outcome))
        .map(|(_, n)| n)
        .sum();
    let mut waiting: Vec<_> = overview
        .waiting
        .iter()
        .map(|(brake, (leads, first))| Waits { why: told(brake), leads: *leads, first: *first })
        .collect();
    waiting.sort_by_key(|waits| std::cmp::Reverse(waits.leads));
    let is_talk = |status: &CallStatus| matches!(status, CallStatus::Connected | CallStatus::InProgress);
    let part = NowPart {
        shell,
        live: overview.live.iter().map(|(_, n)| n).sum(),
        talking: overview.live.iter().filter(|(status, _)| is_talk(status)).map(|(_, n)| n).sum(),
        chart: charts::outcomes(&hours),
        calls_today: calls,
        answer_rate: show::percent(answered, calls),
        success_rate: show::percent(successes, calls),
        most_waiting: waiting.iter().map(|waits| waits.leads).max().unwrap_or(0),
        waiting,
        overview: &overview,
    };
    Ok(part.render().map_err(|error| crate::http::Problem::ours(&error))?)
}

async fn errors_part(visit: &Visit, shell: &Shell, client: ClientId) -> Result<String, Failure> {
    let engine = &visit.api.engine;
    let fits = Fits { state: Some(JobState::Quarantined), ..Fits::default() };
    let quarantined = jobs::list(engine, client, fits, Part::newest(5)).await?;
    let accounts = setup::accounts(engine, Some(client), Part::newest(100)).await?;
    let needs_somebody =
        |account: &Account| account.held_at.is_some() || account.resting_until > Some(visit.signed.now);
    let mut queue = [("waiting", 0), ("running", 0), ("backing_off", 0), ("quarantined", 0)];
    for counted in jobs::count(engine, client).await? {
        for (name, n) in &mut queue {
            if *name == counted.state.name() {
                *n += counted.jobs;
            }
        }
    }
    let nodes = overview::nodes(engine).await?;
    let accounts = accounts.into_iter().filter(needs_somebody).collect();
    let part = ErrorsPart { shell, quarantined, accounts, queue: queue.to_vec(), nodes };
    Ok(part.render().map_err(|error| crate::http::Problem::ours(&error))?)
}

async fn show(visit: Visit, Named(client): Named<Uuid>) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let shell = visit.shell(client, "overview", "Overview").await?;
    let now = Html(now_part(&visit, &shell, client).await?);
    let errors = Html(errors_part(&visit, &shell, client).await?);
    page(&OverviewPage { shell, now, errors })
}

async fn follow(visit: Visit, Named(client): Named<Uuid>, headers: HeaderMap) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    Ok(live::stream(visit, headers, move |visit| {
        Box::pin(async move {
            let mut shell = visit.shell(client, "overview", "Overview").await?;
            shell.path = format!("/admin/clients/{client}");
            let now = now_part(visit, &shell, client).await?;
            Ok(vec![("now", now), ("errors", errors_part(visit, &shell, client).await?)])
        })
    }))
}

/// What the palette looks for.
#[derive(Deserialize)]
struct Wanted {
    q: Option<String>,
}

/// Campaigns by a part of their name, of the newest; leads by number or id.
async fn find(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(Wanted { q }): Asked<Wanted>,
) -> Result<Response, Failure> {
    /// The most campaigns that are looked at, the newest first.
    const LOOKED_AT: i64 = 200;
    let client = visit.client(client).await?;
    let wanted = q.unwrap_or_default().replace('\0', "").trim().to_lowercase();
    if wanted.is_empty() {
        return Ok(Json(json!([])).into_response());
    }
    let engine = &visit.api.engine;
    let campaigns = campaigns::list(engine, client, None, Part::newest(LOOKED_AT)).await?;
    let mut found: Vec<_> = campaigns
        .iter()
        .filter(|campaign| campaign.name.to_lowercase().contains(&wanted))
        .take(8)
        .map(|campaign| {
            json!({ "name": campaign.name, "what": "campaign", "to": format!("/admin/campaigns/{}", campaign.id) })
        })
        .collect();
    let people = leads::named(engine, Some(client), &wanted).await.unwrap_or_default();
    found.extend(people.iter().take(8).map(|lead| {
        let name = lead.name.as_deref().or(lead.phone.as_deref()).unwrap_or("a lead");
        json!({ "name": name, "what": "lead", "to": format!("/admin/leads/{}", lead.lead) })
    }));
    Ok(Json(found).into_response())
}
