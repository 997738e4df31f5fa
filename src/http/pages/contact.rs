//! Whom nobody may call.

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::{get, post};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::suppressions::{self, Listed, Whose};
use outdial_jobs::operations::{Part, overview};
use outdial_workflows::phone::PhoneNumber;
use serde::Deserialize;
use uuid::Uuid;

use super::campaigns::Names;
use super::clients::{After, ROWS, Reason, cut};
use super::outcome::{Done, Failure, Sent};
use super::page;
use super::shell::{Shell, Visit};
use super::show;
use crate::http::Api;
use crate::http::v1::input::wrong;
use crate::http::v1::{self, Asked, Named};

pub(super) fn routes() -> Router<Api> {
    // A file is read as it comes in.
    let import = post(v1::suppressions::import::import).layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/admin/clients/{client}/suppressions", get(list).post(add))
        .route("/admin/clients/{client}/suppressions/import", import)
        .route("/admin/clients/{client}/suppressions/{suppression}/lift", post(lift))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    phone: String,
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "suppressions.html")]
struct SuppressionsPage {
    shell: Shell,
    phone: String,
    listed: Vec<Listed>,
    names: Names,
    next: Option<String>,
}

impl SuppressionsPage {
    fn campaign(&self, listed: &Listed) -> &str {
        let named = listed.campaign.and_then(|campaign| self.names.get(&campaign));
        named.map_or("all campaigns", String::as_str)
    }
}

fn number(text: &str) -> Result<PhoneNumber, crate::http::Problem> {
    PhoneNumber::parse(text.trim(), None).map_err(|error| wrong("phone", error.to_string()))
}

async fn list(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let engine = &visit.api.engine;
    let shell = visit.shell(client, "suppressions", "Suppressions").await?;
    let phone = match wanted.phone.trim() {
        "" => None,
        text => Some(number(text)?),
    };
    let after = After::read(&wanted.after)?;
    let part = Part { limit: ROWS + 1, ..after.part() };
    let whose = Whose { client, campaign: None };
    let found = suppressions::list(engine, whose, phone.as_ref(), part).await?;
    let (listed, next) = cut(found, |listed| listed.id);
    let names = overview::names(engine, client, listed.iter().filter_map(|listed| listed.campaign)).await?;
    page(&SuppressionsPage { shell, phone: wanted.phone, listed, names, next })
}

#[derive(Deserialize)]
struct AddForm {
    phones: String,
    source: String,
    #[serde(flatten)]
    reason: Reason,
}

async fn add(visit: Visit, Named(client): Named<Uuid>, Sent(form): Sent<AddForm>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let lines = form.phones.split(['\n', ',', ';']).map(str::trim).filter(|line| !line.is_empty());
    let phones = lines
        .map(|line| number(line).map_err(|problem| wrong("phones", format!("{line}: {}", problem.detail()))))
        .collect::<Result<Vec<_>, _>>()?;
    if phones.is_empty() {
        return Err(wrong("phones", "give a number a line, each with its country code").into());
    }
    let whose = Whose { client, campaign: None };
    let source = Some(form.source.trim()).filter(|source| !source.is_empty()).unwrap_or("dashboard");
    let by = visit.caller.by_for(form.reason.given());
    let added = suppressions::add(&visit.api.engine, whose, &phones, source, None, by).await?;
    let (new, already) = (show::n(&added.added), show::n(&added.already));
    let text =
        format!("{new} numbers are new on the list, {already} were there. Nobody calls them from now on.");
    Ok(Done::at(format!("/admin/clients/{client}/suppressions"), text))
}

async fn lift(
    visit: Visit,
    Named((client, suppression)): Named<(Uuid, Uuid)>,
    Sent(form): Sent<Reason>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let by = visit.caller.by_for(form.given());
    suppressions::lift(&visit.api.engine, client, suppression, by).await?;
    let list = format!("/admin/clients/{client}/suppressions");
    Ok(Done::back(form.back.as_deref(), &list, "The number is off the list."))
}
