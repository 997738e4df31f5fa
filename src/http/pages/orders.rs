//! Orders for many leads: what they would reach, and how far they are.

use askama::Template;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use outdial_jobs::operations::bulk::{self, Filter, Operation};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{By, campaigns};
use outdial_jobs::store::bulk::BulkState;
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::input::Command;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::{Priority, State};
use serde::Deserialize;
use uuid::Uuid;

use super::clients::{After, cut};
use super::leads::time_of;
use super::outcome::{Done, Failure, Sent};
use super::shell::{Shell, Visit};
use super::show::{self, Html};
use super::{live, page};
use crate::http::v1::input::wrong;
use crate::http::v1::{self, Asked, Named};
use crate::http::{Api, Problem};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients/{client}/operations", get(list).post(give))
        .route("/admin/clients/{client}/operations/new", get(prepare))
        .route("/admin/operations/{operation}", get(show_one))
        .route("/admin/operations/{operation}/live", get(follow))
        .route("/admin/operations/{operation}/cancel", post(cancel))
}

#[derive(Template)]
#[template(path = "operations.html")]
struct ListPage {
    shell: Shell,
    operations: Vec<Operation>,
    next: Option<String>,
}

/// Where an operation stands, in its word.
fn state(operation: &Operation) -> &'static str {
    match operation.state {
        BulkState::Running => "running",
        BulkState::Done => "done",
        BulkState::Cancelled => "cancelled",
    }
}

impl ListPage {
    fn state(&self, operation: &Operation) -> Html {
        show::badge(state(operation))
    }
}

async fn list(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(after): Asked<After>,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let shell = visit.shell(client, "operations", "Bulk orders").await?;
    let found = bulk::list(&visit.api.engine, Some(client), after.part()).await?;
    let (operations, next) = cut(found, |operation| operation.id);
    page(&ListPage { shell, operations, next })
}

/// Which leads, and what is to be done with them.
#[derive(Clone, Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    campaign: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    order: String,
    #[serde(default)]
    at: String,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    priority: String,
    #[serde(default)]
    reason: String,
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Problem> {
        let mut filter = Filter::default();
        if !self.campaign.is_empty() {
            let campaign = self.campaign.parse().map_err(|_| wrong("campaign", "choose a campaign"))?;
            filter.campaign = Some(CampaignId(campaign));
        }
        if !self.state.is_empty() {
            let state = State::ALL.into_iter().find(|state| state.name() == self.state);
            filter.states.push(state.ok_or_else(|| wrong("state", "no lead can be so"))?);
        }
        if !self.outcome.is_empty() {
            let outcome = self.outcome.parse::<Outcome>();
            filter.outcomes.push(outcome.map_err(|error| wrong("outcome", error.to_string()))?);
        }
        Ok(filter)
    }

    fn command(&self) -> Result<Command, Problem> {
        Ok(match self.order.as_str() {
            "pause" => Command::Pause,
            "resume" => Command::Resume,
            "cancel" => Command::Cancel,
            "retry" => Command::Retry,
            "hang_up" => Command::HangUp,
            "reschedule" => Command::Reschedule { at: time_of("at", self.at.trim(), self.zone.trim())? },
            "prioritise" => {
                let priority = self.priority.parse::<Priority>();
                Command::Prioritise { priority: priority.map_err(|_| wrong("priority", "say how soon"))? }
            }
            _ => return Err(wrong("order", "choose what is to be done")),
        })
    }
}

#[derive(Template)]
#[template(path = "operation_new.html")]
struct NewPage {
    shell: Shell,
    wanted: Wanted,
    campaigns: Vec<outdial_jobs::store::campaigns::Campaign>,
    reached: bulk::Preview,
}

impl NewPage {
    fn states(&self) -> [&'static str; 6] {
        State::ALL.map(State::name)
    }

    fn outcomes(&self) -> [&'static str; 13] {
        Outcome::ALL.map(Outcome::name)
    }
}

async fn prepare(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let engine = &visit.api.engine;
    let shell = visit.shell(client, "operations", "New bulk order").await?;
    let campaigns =
        campaigns::list(engine, client, None, outdial_jobs::operations::Part::newest(200)).await?;
    let reached = bulk::preview(engine, client, &wanted.filter()?).await?;
    page(&NewPage { shell, wanted, campaigns, reached })
}

async fn give(visit: Visit, Named(client): Named<Uuid>, Sent(wanted): Sent<Wanted>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let (filter, command) = (wanted.filter()?, wanted.command()?);
    let reason = Some(wanted.reason.trim()).filter(|reason| !reason.is_empty());
    let By { actor, reason } = visit.caller.by_for(reason);
    let ordered = bulk::order(&visit.api.engine, client, &filter, command, actor, reason).await?;
    Ok(Done::at(format!("/admin/operations/{}", ordered.id), "It is carried out in the background."))
}

#[derive(Template)]
#[template(path = "operation.html")]
struct OnePage {
    shell: Shell,
    operation: Uuid,
    now: Html,
}

#[derive(Template)]
#[template(path = "operation_now.html")]
struct OneNow<'a> {
    shell: &'a Shell,
    operation: Operation,
    state: &'static str,
    filter: String,
}

fn one_now(shell: &Shell, operation: Operation) -> Result<String, Failure> {
    let filter = show::json(&operation.filter);
    let part = OneNow { shell, state: state(&operation), filter, operation };
    Ok(part.render().map_err(|error| Problem::ours(&error))?)
}

async fn show_one(visit: Visit, Named(id): Named<Uuid>) -> Result<Response, Failure> {
    let operation = v1::operations::visible(&visit.api, &visit.caller, id).await?;
    let shell = visit.shell(operation.client, "operations", "Bulk order").await?;
    let now = Html(one_now(&shell, operation)?);
    page(&OnePage { shell, operation: id, now })
}

async fn follow(visit: Visit, Named(id): Named<Uuid>, headers: HeaderMap) -> Result<Response, Failure> {
    v1::operations::visible(&visit.api, &visit.caller, id).await?;
    Ok(live::stream(visit, headers, move |visit| {
        Box::pin(async move {
            let operation = v1::operations::visible(&visit.api, &visit.caller, id).await?;
            let client: ClientId = operation.client;
            let shell = visit.shell(client, "operations", "Bulk order").await?;
            Ok(vec![("now", one_now(&shell, operation)?)])
        })
    }))
}

async fn cancel(visit: Visit, Named(id): Named<Uuid>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    v1::operations::visible(&visit.api, &visit.caller, id).await?;
    bulk::cancel(&visit.api.engine, &id.to_string(), visit.caller.by()).await?;
    Ok(Done::at(format!("/admin/operations/{id}"), "It goes no further; what it changed stays changed."))
}
