//! What our own agent says and asks in calls, and the flows that calls go by which no agent holds.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::playbooks::{self, Added, Listed};
use outdial_workflows::ivr::Flow;
use outdial_workflows::playbook::{Guide, Playbook, Problems, Source};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::input::{sought, wrong};
use super::paging::page_limit;
use super::{Asked, Body, Caller, Named, Page};
use crate::http::problem::{FieldError, ProblemDetails};
use crate::http::{Api, Problem};

/// A playbook to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaybookInput {
    /// Under which name campaigns name it: small letters, digits, `_` and `-`. Left out, it is made from the name
    /// that the playbook gives itself.
    #[schema(min_length = 1, max_length = 60, example = "property-enquiry")]
    name: Option<String>,
    /// The playbook, as TOML: at most 256 KiB.
    text: String,
    /// The texts of the files that its `knowledge` names, by those names; with what stands in the playbook itself,
    /// 256 KiB in all.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

/// A playbook to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaybookToCheck {
    /// The playbook, as TOML.
    text: String,
    /// The texts of the files that its `knowledge` names, by those names.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

/// A version of a playbook, without what it says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlaybookVersion {
    /// Under which campaigns name it.
    name: String,
    /// Counts from 1; 0 is the one that comes with the program.
    version: u32,
    /// What it is: a playbook, by which our own agent talks, or a flow of steps, by which calls go that no agent holds.
    kind: GuideName,
    /// When it was added; absent for the one that comes with the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<DateTime<Utc>>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
}

impl From<Listed> for PlaybookVersion {
    fn from(Listed { name, version, guide, added }: Listed) -> Self {
        let (created_at, created_by) = added.unzip();
        Self { name, version, kind: guide.into(), created_at, created_by }
    }
}

/// What is kept under a name.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PlaybookKind)]
pub(crate) enum GuideName {
    Playbook,
    Flow,
}

impl From<Guide> for GuideName {
    fn from(guide: Guide) -> Self {
        match guide {
            Guide::Playbook => Self::Playbook,
            Guide::Flow => Self::Flow,
        }
    }
}

/// A playbook that was added.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddedPlaybook {
    /// Its latest version.
    #[serde(flatten)]
    version: PlaybookVersion,
    /// Whether it was made now; else the latest version said the same already.
    new: bool,
}

/// A version of a playbook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Playbook)]
pub(crate) struct PlaybookBody {
    /// Which.
    #[serde(flatten)]
    version: PlaybookVersion,
    /// The TOML as it was given.
    text: String,
    /// The texts of the files that its `knowledge` names, by those names.
    files: BTreeMap<String, String>,
}

/// What a playbook or flow is that has no faults.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckedPlaybook {
    /// What it is.
    kind: GuideName,
    /// The name that it gives itself.
    title: String,
    /// The language it speaks.
    language: String,
    /// The voice it speaks with, by the speech service's id; absent: the deployment's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<String>,
    /// Its stages; of a flow, its steps.
    stages: Vec<String>,
    /// What it finds out.
    fields: Vec<String>,
    /// What its texts take of lead, campaign and client, as `lead.attributes.area`.
    variables: Vec<String>,
}

impl From<Playbook> for CheckedPlaybook {
    fn from(playbook: Playbook) -> Self {
        let variables = playbook.variables().into_iter().map(ToString::to_string).collect();
        let Playbook { name, language, voice, stages, fields, .. } = playbook;
        let stages = stages.into_iter().map(|stage| stage.name).collect();
        let (kind, fields) = (GuideName::Playbook, fields.into_keys().collect());
        Self { kind, title: name, language, voice, stages, fields, variables }
    }
}

impl From<Flow> for CheckedPlaybook {
    fn from(flow: Flow) -> Self {
        let variables = flow.variables().into_iter().map(ToString::to_string).collect();
        let (kind, fields) = (GuideName::Flow, flow.keeps().map(str::to_owned).collect());
        let Flow { name, language, voice, steps, .. } = flow;
        let stages = steps.into_iter().map(|step| step.name).collect();
        Self { kind, title: name, language, voice, stages, fields, variables }
    }
}

/// Which playbooks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlaybooksQuery {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// List playbooks
///
/// By name: the latest version of each, and those that come with the program.
#[utoipa::path(get, path = "/v1/clients/{client}/playbooks", tag = "playbooks",
    params(("client" = Uuid, Path, description = "The client's id"), PlaybooksQuery), responses(
    (status = 200, description = "A page of them", body = Page<PlaybookVersion>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<PlaybooksQuery>,
) -> Result<Json<Page<PlaybookVersion>>, Problem> {
    let client = caller.client(&api, client).await?;
    let limit = page_limit(query.limit)?;
    let after = query.cursor.as_deref().map(|after| sought("cursor", after)).transpose()?;
    let found = async |one_more| playbooks::list(&api.engine, client, after, one_more).await;
    Page::cut(limit, found, |playbook: &PlaybookVersion| playbook.name.clone()).await
}

/// Add a version of a playbook
///
/// Or the first one under a new name. A TOML file with `steps` is a flow. A version is never changed or deleted; campaigns that name none go by the
/// latest from the next call on. What says the same as the latest version makes no other.
#[utoipa::path(post, path = "/v1/clients/{client}/playbooks", tag = "playbooks",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = PlaybookInput, responses(
    (status = 200, description = "The latest version says the same", body = AddedPlaybook),
    (status = 201, description = "The new version", body = AddedPlaybook),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 422, description = "It is wrong: `errors` has every problem, with its line and place", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn add(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<PlaybookInput>,
) -> Result<(StatusCode, Json<AddedPlaybook>), Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let PlaybookInput { name, text, files } = input;
    let source = Source { text, files };
    let added = playbooks::add(&api.engine, client, name.as_deref(), &source, caller.by()).await?;
    let Added { version, is_new } = added;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(AddedPlaybook { version: version.into(), new: is_new })))
}

/// Which version of a playbook.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionQuery {
    /// This one; left out: the latest.
    version: Option<u32>,
}

/// Show a playbook
///
/// As it was given: its latest version, or one that is named.
#[utoipa::path(get, path = "/v1/clients/{client}/playbooks/{playbook}", tag = "playbooks",
    params(("client" = Uuid, Path, description = "The client's id"), ("playbook" = String, Path, description = "Its name"), VersionQuery), responses(
    (status = 200, description = "The playbook", body = PlaybookBody),
    (status = 404, description = "No such client, playbook or version", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named((client, playbook)): Named<(Uuid, String)>,
    Asked(query): Asked<VersionQuery>,
) -> Result<Json<PlaybookBody>, Problem> {
    let client = caller.client(&api, client).await?;
    let (version, Source { text, files }) =
        playbooks::show(&api.engine, client, &playbook, query.version).await?;
    Ok(Json(PlaybookBody { version: version.into(), text, files }))
}

/// Which versions of a playbook.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionsQuery {
    /// The `next` of the page before.
    cursor: Option<u32>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// List the versions of a playbook
///
/// The newest first.
#[utoipa::path(get, path = "/v1/clients/{client}/playbooks/{playbook}/versions", tag = "playbooks",
    params(("client" = Uuid, Path, description = "The client's id"), ("playbook" = String, Path, description = "Its name"), VersionsQuery), responses(
    (status = 200, description = "A page of them", body = Page<PlaybookVersion>),
    (status = 404, description = "No such client or playbook", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn versions(
    State(api): State<Api>,
    caller: Caller,
    Named((client, playbook)): Named<(Uuid, String)>,
    Asked(query): Asked<VersionsQuery>,
) -> Result<Json<Page<PlaybookVersion>>, Problem> {
    let client = caller.client(&api, client).await?;
    let limit = page_limit(query.limit)?;
    // Versions are counted in 31 bits.
    if query.cursor.is_some_and(|cursor| i32::try_from(cursor).is_err()) {
        return Err(wrong("cursor", "no version has this number; send the `next` of the page before"));
    }
    let found =
        async |one_more| playbooks::versions(&api.engine, client, &playbook, query.cursor, one_more).await;
    Page::cut(limit, found, |version: &PlaybookVersion| version.version).await
}

/// Check a playbook
///
/// Nothing is stored. What is wrong with it is told as it would be if it were added.
#[utoipa::path(post, path = "/v1/playbooks/check", tag = "playbooks", request_body = PlaybookToCheck, responses(
    (status = 200, description = "It has no faults", body = CheckedPlaybook),
    (status = 422, description = "It is wrong: `errors` has every problem, with its line and place", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn check(
    caller: Caller,
    Body(PlaybookToCheck { text, files }): Body<PlaybookToCheck>,
) -> Result<Json<CheckedPlaybook>, Problem> {
    caller.is(Role::Viewer)?;
    let source = Source { text, files };
    let read = match source.guide() {
        Guide::Playbook => source.read().map(CheckedPlaybook::from),
        Guide::Flow => source.read_flow().map(CheckedPlaybook::from),
    };
    let wrong = |problems: Problems| Problem::invalid(problems.0.into_iter().map(FieldError::from).collect());
    Ok(Json(read.map_err(wrong)?))
}
