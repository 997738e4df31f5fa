//! Pausing all of a client's dialling, or an account's, and letting it go again.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::hanging_up;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::pausing::{self, Paused};
use outdial_workflows::ids::{AccountId, ClientId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::campaigns::orders::{HungUp, OrderInput, Underway};
use super::{Body, Caller, Named, accounts};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// How a pause went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PauseResult {
    /// Whether it was not paused before.
    changed: bool,
    /// When it resumes by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_at: Option<DateTime<Utc>>,
    /// Calls that go on: no other is begun. At most 10,000 are listed.
    underway: Vec<Underway>,
    /// What becomes of them, if they are to be ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    hung_up: Option<HungUp>,
}

impl From<Paused> for PauseResult {
    fn from(Paused { changed, resume_at, underway, hung_up }: Paused) -> Self {
        let underway = underway.into_iter().map(Into::into).collect();
        Self { changed, resume_at, underway, hung_up: hung_up.map(Into::into) }
    }
}

/// Why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumeInput {
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

/// How a resumption went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResumeResult {
    /// Whether it was paused before.
    changed: bool,
}

type What = (ClientId, Option<AccountId>);

async fn pause(
    api: &Api,
    caller: &Caller,
    (client, account): What,
    input: Option<Body<OrderInput>>,
) -> Result<Json<PauseResult>, Problem> {
    let OrderInput { reason, resume_at, hang_up } = input.map(|Body(input)| input).unwrap_or_default();
    let by = caller.by_for(reason.as_deref());
    let mut paused = pausing::pause(&api.engine, client, account, by, resume_at).await?;
    if hang_up {
        paused.hung_up = Some(hanging_up::hang_up(&api.engine, client, &paused.underway, by).await?);
    }
    Ok(Json(paused.into()))
}

async fn resume(
    api: &Api,
    caller: &Caller,
    (client, account): What,
    input: Option<Body<ResumeInput>>,
) -> Result<Json<ResumeResult>, Problem> {
    let ResumeInput { reason } = input.map(|Body(input)| input).unwrap_or_default();
    let by = caller.by_for(reason.as_deref());
    let changed = pausing::resume(&api.engine, client, account, by).await?;
    Ok(Json(ResumeResult { changed }))
}

/// Pause a client
///
/// Once this is answered nothing of any of its campaigns is dialled on any node until it resumes. The campaigns
/// keep their states; calls under way go on, and are listed.
#[utoipa::path(post, path = "/v1/clients/{client}/pause", tag = "clients", params(("client" = Uuid, Path, description = "Its id")),
    request_body = Option<OrderInput>, responses(
    (status = 200, description = "It is paused on every node", body = PauseResult),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn pause_client(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    input: Option<Body<OrderInput>>,
) -> Result<Json<PauseResult>, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    pause(&api, &caller, (client, None), input).await
}

/// Resume a client
///
/// Its running campaigns are dialled again.
#[utoipa::path(post, path = "/v1/clients/{client}/resume", tag = "clients", params(("client" = Uuid, Path, description = "Its id")),
    request_body = Option<ResumeInput>, responses(
    (status = 200, description = "It dials", body = ResumeResult),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn resume_client(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    input: Option<Body<ResumeInput>>,
) -> Result<Json<ResumeResult>, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    resume(&api, &caller, (client, None), input).await
}

/// Pause an account
///
/// Once this is answered nothing is dialled from it on any node until it resumes; calls under way go on, and
/// are listed.
#[utoipa::path(post, path = "/v1/accounts/{account}/pause", tag = "accounts", params(("account" = Uuid, Path, description = "Its id")),
    request_body = Option<OrderInput>, responses(
    (status = 200, description = "It is paused on every node", body = PauseResult),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn pause_account(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
    input: Option<Body<OrderInput>>,
) -> Result<Json<PauseResult>, Problem> {
    caller.is(Role::Operator)?;
    let account = accounts::visible(&api, &caller, account).await?;
    pause(&api, &caller, (account.client, Some(account.id)), input).await
}

/// Resume an account
///
/// It is dialled from again.
#[utoipa::path(post, path = "/v1/accounts/{account}/resume", tag = "accounts", params(("account" = Uuid, Path, description = "Its id")),
    request_body = Option<ResumeInput>, responses(
    (status = 200, description = "It dials", body = ResumeResult),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn resume_account(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
    input: Option<Body<ResumeInput>>,
) -> Result<Json<ResumeResult>, Problem> {
    caller.is(Role::Operator)?;
    let account = accounts::visible(&api, &caller, account).await?;
    resume(&api, &caller, (account.client, Some(account.id)), input).await
}
