//! Playbooks: what our own agent says, asks and finds out. Versions are added here, and checked before.

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::playbooks::{self, Listed};
use outdial_workflows::ids::ClientId;
use outdial_workflows::ivr::Flow;
use outdial_workflows::playbook::{Guide, Playbook, Problem as Fault, Source};
use serde::Deserialize;
use uuid::Uuid;

use super::outcome::{Done, Failure, Sent};
use super::page;
use super::shell::{Shell, Visit};
use super::wizard::Draft;
use crate::http::Api;
use crate::http::v1::input::sought;
use crate::http::v1::{Asked, Named};

/// The most playbooks, and versions of one, that a page lists.
const LISTED: i64 = 200;
/// What a first playbook is written from.
const BEGINNING: &str = "minimal";

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients/{client}/playbooks", get(list).post(add))
        .route("/admin/clients/{client}/playbooks/new", get(begin))
        .route("/admin/clients/{client}/playbooks/check", post(check))
        .route("/admin/clients/{client}/playbooks/{playbook}", get(show_one))
}

#[derive(Template)]
#[template(path = "playbooks.html")]
struct PlaybooksPage {
    shell: Shell,
    listed: Vec<Listed>,
}

async fn list(visit: Visit, Named(client): Named<Uuid>) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let shell = visit.shell(client, "playbooks", "Playbooks").await?;
    let listed = playbooks::list(&visit.api.engine, client, None, LISTED).await?;
    page(&PlaybooksPage { shell, listed })
}

#[derive(Template)]
#[template(path = "playbook.html")]
struct PlaybookPage {
    shell: Shell,
    shown: Listed,
    source: Source,
    /// It is a playbook, and can be read.
    playbook: Option<Playbook>,
    /// It is a flow, and can be read.
    flow: Option<Flow>,
    variables: Vec<String>,
    versions: Vec<Listed>,
}

#[derive(Deserialize)]
struct Which {
    version: Option<u32>,
}

async fn show_one(
    visit: Visit,
    Named((client, name)): Named<(Uuid, String)>,
    Asked(which): Asked<Which>,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let engine = &visit.api.engine;
    let name = sought("playbook", &name)?;
    let (shown, source) = playbooks::show(engine, client, name, which.version).await?;
    let versions = playbooks::versions(engine, client, name, None, LISTED).await?;
    let shell = visit.shell(client, "playbooks", shown.name.clone()).await?;
    let (playbook, flow) = match shown.guide {
        Guide::Playbook => (source.read().ok(), None),
        Guide::Flow => (None, source.read_flow().ok()),
    };
    let variables =
        playbook.iter().flat_map(Playbook::variables).chain(flow.iter().flat_map(Flow::variables));
    let variables = variables.map(ToString::to_string).collect();
    page(&PlaybookPage { shell, shown, source, playbook, flow, variables, versions })
}

/// A form with a playbook to be written, and what is wrong with it if that was asked.
#[derive(Template)]
#[template(path = "playbook_new.html")]
struct NewPage {
    shell: Shell,
    name: String,
    text: String,
    files: Vec<(String, String)>,
    faults: Option<Vec<Fault>>,
}

/// From which playbook a new version is written.
#[derive(Deserialize)]
struct From {
    from: Option<String>,
}

async fn begin(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(From { from }): Asked<From>,
) -> Result<Response, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let beginning = sought("from", from.as_deref().unwrap_or(BEGINNING))?;
    let (_, source) = playbooks::show(&visit.api.engine, client, beginning, None).await?;
    let shell = visit.shell(client, "playbooks", "New version").await?;
    let Source { text, files } = source;
    let files = files.into_iter().collect();
    page(&NewPage { shell, name: from.unwrap_or_default(), text, files, faults: None })
}

/// What the form holds: its files are pairs of a name and a text; those without either are none.
fn given(draft: &Draft) -> Source {
    let all =
        |wanted: &'static str| draft.0.iter().filter(move |(name, _)| name == wanted).map(|(_, text)| text);
    let files = all("file_name").zip(all("file_text"));
    let files = files.filter(|(name, text)| !name.trim().is_empty() || !text.trim().is_empty());
    let files = files.map(|(name, text)| (name.trim().to_owned(), lines(text))).collect();
    Source { text: all("text").next().map(|text| lines(text)).unwrap_or_default(), files }
}

/// Browsers end lines as mail does; playbooks are compared as they were given, and keep the plain ends.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// The form as it was sent, so that nothing that was typed is lost.
async fn again(
    visit: &Visit,
    client: ClientId,
    draft: &Draft,
    faults: Vec<Fault>,
) -> Result<Response, Failure> {
    let mut shell = visit.shell(client, "playbooks", "New version").await?;
    shell.path = format!("/admin/clients/{client}/playbooks");
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let Source { text, files } = given(draft);
    let name = draft.one("name").to_owned();
    let files = files.into_iter().collect();
    let page = page(&NewPage { shell, name, text, files, faults: Some(faults) })?;
    Ok((status, page).into_response())
}

async fn check(
    visit: Visit,
    Named(client): Named<Uuid>,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let draft = Draft(pairs);
    let faults = given(&draft).check().err().map(|problems| problems.0);
    again(&visit, client, &draft, faults.unwrap_or_default()).await
}

async fn add(
    visit: Visit,
    Named(client): Named<Uuid>,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let draft = Draft(pairs);
    let name = Some(draft.one("name")).filter(|name| !name.is_empty());
    let added = playbooks::add(&visit.api.engine, client, name, &given(&draft), visit.caller.by()).await;
    let faults = match added {
        Ok(added) => {
            let Listed { name, version, .. } = added.version;
            let text = match added.is_new {
                true => {
                    format!("{name} is there in version {version}. Campaigns that name no version go by it.")
                }
                false => format!("Version {version} of {name} says the same: no other was made."),
            };
            let to = format!("/admin/clients/{client}/playbooks/{name}");
            return Ok(Done::at(to, text).into_response());
        }
        Err(OperationError::Playbook(problems)) => problems.0,
        Err(OperationError::Invalid { place, problem }) => vec![Fault { line: None, place, problem }],
        Err(other) => return Err(other.into()),
    };
    again(&visit, client, &draft, faults).await
}
