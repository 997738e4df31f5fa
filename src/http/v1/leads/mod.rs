//! Leads.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

pub(crate) mod accept;
pub(crate) mod list;
pub(crate) mod orders;
pub(crate) mod person;

use axum::Json;
use axum::extract::State as Shared;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::leads::{self, Listed};
use outdial_jobs::operations::{OperationError, judging};
use outdial_workflows::ids::LeadId;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::input::sought;
use super::names::{OutcomeName, PriorityName, StateName};
use super::{Asked, Caller, Named, Page};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// A lead with where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lead {
    /// Its id.
    id: Uuid,
    /// Its client.
    client: Uuid,
    /// Its campaign.
    campaign: Uuid,
    /// The number; absent once the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The time zone, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    /// The region, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// What you call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// Whatever else was said of it.
    #[schema(value_type = Object)]
    attributes: Value,
    /// When it was accepted.
    created_at: DateTime<Utc>,
    /// Where it stands.
    state: StateName,
    /// Why, in a sentence.
    why: String,
    /// What came of it, once finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeName>,
    /// How soon it is called.
    priority: PriorityName,
    /// Waiting: due from then on, within calling hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<DateTime<Utc>>,
    /// How many attempts were made.
    attempts: i16,
}

impl From<Listed> for Lead {
    fn from(lead: Listed) -> Self {
        let why = serde_json::from_value::<Why>(lead.why).map(|why| why.to_string());
        Self {
            id: lead.lead.0,
            client: lead.client.0,
            campaign: lead.campaign.0,
            phone: lead.phone,
            name: lead.name,
            zone: lead.zone,
            region: lead.region,
            external_id: lead.external_id,
            attributes: lead.attributes,
            created_at: lead.created_at,
            state: lead.state.into(),
            why: why.unwrap_or_else(|_| "its reason cannot be read by this version".into()),
            outcome: lead.outcome.map(Into::into),
            priority: lead.priority.into(),
            due_at: lead.wake_at.filter(|_| lead.state == State::Waiting),
            attempts: lead.attempts,
        }
    }
}

/// Which lead.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LeadNamed {
    /// Its id, what you call it (`external_id`), or its number with the country code.
    #[param(example = "+919876500001")]
    named: String,
}

/// Find a lead
///
/// By its id, by what you call it, or by its number, over all campaigns that your key may see. Several may have
/// the same number: the first 20 are on the only page.
#[utoipa::path(get, path = "/v1/leads", tag = "leads", params(LeadNamed), responses(
    (status = 200, description = "Those that fit", body = Page<Lead>),
))]
pub(crate) async fn find(
    Shared(api): Shared<Api>,
    caller: Caller,
    Asked(asked): Asked<LeadNamed>,
) -> Result<Json<Page<Lead>>, Problem> {
    let named = sought("named", &asked.named)?;
    Ok(Json(Page::whole(leads::named(&api.engine, caller.scope(), named).await?)))
}

/// Whose lead this is, if the caller may see it.
pub(in crate::http) async fn visible(api: &Api, caller: &Caller, lead: Uuid) -> Result<Listed, Problem> {
    let found = leads::get(&api.engine, LeadId(lead)).await?;
    let not_found = || OperationError::NotFound { kind: "lead", given: lead.to_string() };
    caller.sees(found.client).map_err(|_| Problem::from(not_found()))?;
    Ok(found)
}

/// Get a lead
#[utoipa::path(get, path = "/v1/leads/{lead}", tag = "leads", params(("lead" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The lead", body = Lead),
    (status = 404, description = "No such lead", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(lead): Named<Uuid>,
) -> Result<Json<Lead>, Problem> {
    Ok(Json(visible(&api, &caller, lead).await?.into()))
}

/// Explain a lead
///
/// Where it stands and why, what happens next and when, what would have to change, and its whole history.
#[utoipa::path(get, path = "/v1/leads/{lead}/explanation", tag = "leads", params(("lead" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The explanation: `state`, `why`, `outcome`, `next`, `to_change`, `attempts`, `history`", body = Object),
    (status = 404, description = "No such lead", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn explanation(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(lead): Named<Uuid>,
) -> Result<Json<Value>, Problem> {
    let found = visible(&api, &caller, lead).await?;
    let told = judging::explain_lead(&api.engine, found.client, found.lead).await?;
    Ok(Json(serde_json::to_value(told).unwrap_or_default()))
}
