//! All clients, for who may see them; pausing one as a whole.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{Part, pausing, setup};
use outdial_jobs::store::clients::Client;
use serde::Deserialize;
use uuid::Uuid;

use super::outcome::{Done, Failure, Sent};
use super::page;
use super::shell::{Shell, Visit};
use super::show;
use crate::http::Api;
use crate::http::v1::input::wrong;
use crate::http::v1::{Asked, Named};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients", get(list).post(create))
        .route("/admin/clients/{client}/pause", post(pause))
        .route("/admin/clients/{client}/resume", post(resume))
}

#[derive(Template)]
#[template(path = "clients.html")]
struct ClientsPage {
    shell: Shell,
    clients: Vec<Client>,
    next: Option<String>,
}

/// Which page of a list whose rows have ids.
#[derive(Debug, Default, Deserialize)]
pub(super) struct After {
    after: Option<Uuid>,
}

/// How many rows a page shows.
pub(super) const ROWS: i64 = 50;

impl After {
    /// Behind the row with this id; behind none, where it is empty.
    pub(super) fn read(text: &str) -> Result<Self, crate::http::Problem> {
        let wrong = |_| wrong("after", "begin at the first page again");
        let after = Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose().map_err(wrong)?;
        Ok(Self { after })
    }

    /// One more than a page holds: it tells that there is another.
    pub(super) fn part(&self) -> Part {
        Part { after: self.after, ..Part::newest(ROWS + 1) }
    }
}

/// Cuts what was found to a page, and says from where the next goes on.
pub(super) fn cut<T>(mut rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> (Vec<T>, Option<String>) {
    let rows_shown = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let more = rows.len() > rows_shown;
    rows.truncate(rows_shown);
    let next = rows.last().filter(|_| more).map(|row| format!("after={}", id(row)));
    (rows, next)
}

async fn list(visit: Visit, Asked(after): Asked<After>) -> Result<Response, Failure> {
    let found = setup::clients(&visit.api.engine, visit.caller.scope(), after.part()).await?;
    let (clients, next) = cut(found, |client| client.id.0);
    page(&ClientsPage { shell: Shell::bare(&visit.signed, "Clients"), clients, next })
}

#[derive(Deserialize)]
struct NewClient {
    name: String,
}

async fn create(visit: Visit, Sent(form): Sent<NewClient>) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    visit.caller.sees_all()?;
    let client = setup::create_client(&visit.api.engine, form.name.trim()).await?;
    let text = format!("{} is there. Its first account comes next.", form.name.trim());
    Ok(Done::at(format!("/admin/clients/{client}/accounts"), text))
}

/// Why, for the record.
#[derive(Deserialize)]
pub(super) struct Reason {
    pub(super) reason: Option<String>,
    pub(super) back: Option<String>,
}

impl Reason {
    /// What was written, if anything was.
    pub(super) fn given(&self) -> Option<&str> {
        self.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty())
    }
}

async fn pause(visit: Visit, Named(client): Named<Uuid>, Sent(form): Sent<Reason>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let by = visit.caller.by_for(form.given());
    let paused = pausing::pause(&visit.api.engine, client, None, by, None).await?;
    let text = match paused.underway.len() {
        0 => "All calling is paused; no call is under way.".to_owned(),
        n => format!("All calling is paused; {} calls that are under way go on.", show::n(&n)),
    };
    let resume = format!("/admin/clients/{client}/resume");
    Ok(Done::back(form.back.as_deref(), "/admin", text).undone_by(resume, &[]))
}

async fn resume(visit: Visit, Named(client): Named<Uuid>, Sent(form): Sent<Reason>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let by = visit.caller.by_for(form.given());
    pausing::resume(&visit.api.engine, client, None, by).await?;
    Ok(Done::back(form.back.as_deref(), "/admin", "Calling goes on."))
}
