//! Orders for many leads, which are carried out in the background.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use outdial_jobs::operations::bulk::{self, Filter};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{By, OperationError};
use outdial_workflows::ids::{CampaignId, LeadId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::leads::orders::LeadOrder;
use super::names::{OperationStateName, OutcomeName, PriorityName, StateName};
use super::{Asked, Body, Caller, Named, Page, PageQuery};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// Which leads are meant. Everything that is given must fit; within a list, one must.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FilterInput {
    /// Those of this campaign. Left out: of all the client's campaigns.
    campaign: Option<Uuid>,
    /// In one of these states.
    states: Vec<StateName>,
    /// With one of these outcomes.
    outcomes: Vec<OutcomeName>,
    /// Of one of these priorities.
    priorities: Vec<PriorityName>,
    /// For one of these reasons, by name, as `unknown_zone`.
    why: Vec<String>,
    /// Those that came with this file: an import's id.
    import: Option<Uuid>,
    /// One of these.
    #[schema(max_items = 1000)]
    leads: Vec<Uuid>,
}

impl From<FilterInput> for Filter {
    fn from(input: FilterInput) -> Self {
        Self {
            campaign: input.campaign.map(CampaignId),
            states: input.states.into_iter().map(Into::into).collect(),
            outcomes: input.outcomes.into_iter().map(Into::into).collect(),
            priorities: input.priorities.into_iter().map(Into::into).collect(),
            why: input.why,
            import: input.import,
            leads: input.leads.into_iter().map(LeadId).collect(),
        }
    }
}

/// An order for many leads.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationInput {
    /// For which leads. `{}`: for all of the client's.
    filter: FilterInput,
    /// What.
    order: LeadOrder,
    /// Of a reschedule: from when on.
    #[serde(default, deserialize_with = "crate::http::v1::input::time")]
    at: Option<DateTime<Utc>>,
    /// Of a prioritise: how soon.
    priority: Option<PriorityName>,
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
    /// Only count the leads that it would reach.
    #[serde(default)]
    dry_run: bool,
}

/// How many leads an order would reach.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperationPreview {
    /// Leads that fit.
    leads: u64,
    /// Whether all were counted: where leads have to be looked at, no more than 20,000 are.
    exact: bool,
}

/// An order for many leads, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Operation {
    /// Its id.
    id: Uuid,
    /// Its client.
    client: Uuid,
    /// What is ordered, in words.
    order: String,
    /// For which leads.
    #[schema(value_type = Object)]
    filter: Value,
    /// Who ordered it.
    actor: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Where it stands.
    state: OperationStateName,
    /// Leads that were looked at so far, fitting or not.
    looked_at: i64,
    /// Leads for which it is carried out.
    changed: i64,
    /// Leads for which it takes effect once their call has resolved.
    deferred: i64,
    /// Leads for which it made no sense where they stand.
    declined: i64,
    /// Why the last of them was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    declined_for: Option<String>,
    /// When it was ordered.
    created_at: DateTime<Utc>,
    /// When it last moved.
    changed_at: DateTime<Utc>,
}

impl From<bulk::Operation> for Operation {
    fn from(operation: bulk::Operation) -> Self {
        Self {
            id: operation.id,
            client: operation.client.0,
            order: operation.order,
            filter: operation.filter,
            actor: operation.actor,
            reason: operation.reason,
            state: operation.state.into(),
            looked_at: operation.tally.looked_at,
            changed: operation.tally.changed,
            deferred: operation.tally.deferred,
            declined: operation.tally.declined,
            declined_for: operation.tally.declined_for,
            created_at: operation.created_at,
            changed_at: operation.changed_at,
        }
    }
}

/// List operations
///
/// Those of a client, the newest first unless told otherwise.
#[utoipa::path(get, path = "/v1/clients/{client}/operations", tag = "operations",
    params(("client" = Uuid, Path, description = "The client's id"), PageQuery), responses(
    (status = 200, description = "A page of operations", body = Page<Operation>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Operation>>, Problem> {
    let client = caller.client(&api, client).await?;
    let found = async |part| bulk::list(&api.engine, Some(client), part).await;
    page.page().of(found, |operation: &Operation| operation.id).await
}

/// Order something for many leads
///
/// It is carried out in the background; once this is answered, it is not forgotten. With `dry_run` nothing is
/// ordered, and the leads are counted that it would reach.
#[utoipa::path(post, path = "/v1/clients/{client}/operations", tag = "operations",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = OperationInput, responses(
    (status = 200, description = "How many leads it would reach", body = OperationPreview),
    (status = 202, description = "It is ordered", body = Operation),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client or campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn order(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<OperationInput>,
) -> Result<Response, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let command = input.order.command(input.at, input.priority)?;
    let filter = Filter::from(input.filter);
    if input.dry_run {
        let bulk::Preview { leads, exact } = bulk::preview(&api.engine, client, &filter).await?;
        return Ok(Json(OperationPreview { leads, exact }).into_response());
    }
    let By { actor, reason } = caller.by_for(input.reason.as_deref());
    let ordered = bulk::order(&api.engine, client, &filter, command, actor, reason).await?;
    Ok((StatusCode::ACCEPTED, Json(Operation::from(ordered))).into_response())
}

/// The operation, if the caller may see it.
pub(in crate::http) async fn visible(
    api: &Api,
    caller: &Caller,
    operation: Uuid,
) -> Result<bulk::Operation, Problem> {
    let found = bulk::find(&api.engine, &operation.to_string()).await?;
    let not_found = || OperationError::NotFound { kind: "operation", given: operation.to_string() };
    caller.sees(found.client).map_err(|_| Problem::from(not_found()))?;
    Ok(found)
}

/// Get an operation
///
/// With how far it is.
#[utoipa::path(get, path = "/v1/operations/{operation}", tag = "operations", params(("operation" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The operation", body = Operation),
    (status = 404, description = "No such operation", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(operation): Named<Uuid>,
) -> Result<Json<Operation>, Problem> {
    Ok(Json(visible(&api, &caller, operation).await?.into()))
}

/// Stop an operation
///
/// What it has changed stays changed.
#[utoipa::path(post, path = "/v1/operations/{operation}/cancel", tag = "operations", params(("operation" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "It goes no further", body = Operation),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such operation", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "It has ended already", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    Named(operation): Named<Uuid>,
) -> Result<Json<Operation>, Problem> {
    caller.is(Role::Operator)?;
    let found = visible(&api, &caller, operation).await?;
    Ok(Json(bulk::cancel(&api.engine, &found.id.to_string(), caller.by()).await?.into()))
}
