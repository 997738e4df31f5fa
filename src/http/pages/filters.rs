//! Filters of lists that somebody saved: a menu beside each list that has filters. Each key has its own; who may only look
//! may save what they look at.

use axum::Router;
use axum::routing::post;
use outdial_jobs::operations::filters::{self, FilteredPage, Saved};
use serde::Deserialize;
use uuid::Uuid;

use super::outcome::{Done, Failure, Sent};
use super::session::back_to;
use super::shell::Visit;
use crate::http::Api;
use crate::http::v1::Named;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/filters", post(save))
        .route("/admin/filters/{filter}/rename", post(rename))
        .route("/admin/filters/{filter}/forget", post(forget))
}

/// The menu of a list.
pub(super) struct Menu {
    /// Which list.
    pub(super) page: &'static str,
    /// What it is asked for now.
    pub(super) query: String,
    /// What was saved of it.
    pub(super) saved: Vec<Saved>,
}

impl Menu {
    /// That of the visitor, beside a list that is asked for this.
    pub(super) async fn of(visit: &Visit, page: FilteredPage, query: &str) -> Result<Self, Failure> {
        let saved = filters::list(&visit.api.engine, visit.caller.key().id, page).await?;
        Ok(Self { page: page.name(), query: query.to_owned(), saved })
    }

    /// What the filter that is on is called, if it is a saved one.
    pub(super) fn on(&self) -> Option<&str> {
        self.saved.iter().find(|saved| saved.query == self.query).map(|saved| saved.name.as_str())
    }
}

#[derive(Deserialize)]
struct SaveForm {
    page: FilteredPage,
    name: String,
    #[serde(default)]
    query: String,
    back: Option<String>,
}

async fn save(visit: Visit, Sent(form): Sent<SaveForm>) -> Result<Done, Failure> {
    let name = form.name.trim();
    filters::save(&visit.api.engine, visit.caller.key().id, form.page, name, &form.query).await?;
    let to = back_to(form.back.as_deref(), "/admin");
    Ok(Done::at(to, format!("Saved as {name}. It stands beside every list of the same kind.")))
}

#[derive(Deserialize)]
struct RenameForm {
    name: String,
    back: Option<String>,
}

async fn rename(
    visit: Visit,
    Named(filter): Named<Uuid>,
    Sent(form): Sent<RenameForm>,
) -> Result<Done, Failure> {
    let name = form.name.trim();
    filters::rename(&visit.api.engine, visit.caller.key().id, filter, name).await?;
    Ok(Done::at(back_to(form.back.as_deref(), "/admin"), format!("It is called {name} now.")))
}

#[derive(Deserialize)]
struct ForgetForm {
    back: Option<String>,
}

async fn forget(
    visit: Visit,
    Named(filter): Named<Uuid>,
    Sent(form): Sent<ForgetForm>,
) -> Result<Done, Failure> {
    let (page, forgotten) = filters::forget(&visit.api.engine, visit.caller.key().id, filter).await?;
    let done = Done::at(back_to(form.back.as_deref(), "/admin"), format!("{} is forgotten.", forgotten.name));
    let fields = [("page", page.name()), ("name", &forgotten.name), ("query", &forgotten.query)];
    Ok(done.undone_by("/admin/filters", &fields))
}
