//! Campaigns.

pub(crate) mod forecast;
pub(crate) mod orders;
pub(crate) mod revisions;
pub(crate) mod rules;
pub(crate) mod schedules;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::campaigns::{self, CampaignSpec, LaneStatus, Status};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::store::campaigns::Campaign as Row;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::names::CampaignStateName;
use super::{Asked, Body, Caller, Named, NamedQuery, Page};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Campaign {
    /// Its id.
    id: Uuid,
    /// Its client.
    client: Uuid,
    /// Its name, unique within the client.
    name: String,
    /// The account it dials from.
    account: Uuid,
    /// Where it stands.
    state: CampaignStateName,
    /// Its present rules' revision.
    #[schema(minimum = 1)]
    revision: i32,
    /// Who last changed its state.
    changed_by: String,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When.
    changed_at: DateTime<Utc>,
}

impl From<(ClientId, Row)> for Campaign {
    fn from((client, row): (ClientId, Row)) -> Self {
        Self {
            id: row.id.0,
            client: client.0,
            name: row.name,
            account: row.account.0,
            state: row.state.into(),
            revision: row.revision,
            changed_by: row.changed_by,
            reason: row.reason,
            changed_at: row.changed_at,
        }
    }
}

/// A campaign with its counts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CampaignStatus {
    /// The campaign.
    #[serde(flatten)]
    campaign: Campaign,
    /// All leads.
    leads: i64,
    /// Finished leads.
    finished: i64,
    /// Leads by where they stand.
    by_state: BTreeMap<String, i64>,
    /// Finished leads by outcome.
    by_outcome: BTreeMap<String, i64>,
    /// Its leads by where they may be.
    lanes: Vec<Lane>,
}

/// Leads of a campaign who may be called at the same times.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lane {
    /// Where they may be, as `Asia/Kolkata;IN`; empty if that is not known, or not told apart.
    place: String,
    /// How many of them wait.
    waiting: i64,
    /// Where their calling hours stand: `state` (open, closed, held), until when, and why. Absent where each lead
    /// is looked at by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    hours: Option<Value>,
}

impl From<LaneStatus> for Lane {
    fn from(lane: LaneStatus) -> Self {
        let hours = lane.hours.and_then(|hours| serde_json::to_value(hours).ok());
        Self { place: lane.place, waiting: lane.waiting, hours }
    }
}

impl From<(ClientId, Status)> for CampaignStatus {
    fn from((client, status): (ClientId, Status)) -> Self {
        let Status { campaign, by_state, by_outcome, leads, finished, lanes } = status;
        let lanes = lanes.into_iter().map(Lane::from).collect();
        Self { campaign: (client, campaign).into(), leads, finished, by_state, by_outcome, lanes }
    }
}

/// Whose campaign this is, if the caller may see it.
pub(in crate::http) async fn visible(
    api: &Api,
    caller: &Caller,
    campaign: Uuid,
) -> Result<(ClientId, CampaignId), Problem> {
    let campaign = CampaignId(campaign);
    let client = campaigns::client_of(&api.engine, campaign).await?;
    let not_found = || OperationError::NotFound { kind: "campaign", given: campaign.to_string() };
    caller.sees(client).map_err(|_| Problem::from(not_found()))?;
    Ok((client, campaign))
}

/// List campaigns
///
/// Those of a client, the newest first unless told otherwise: all, or the one with a name.
#[utoipa::path(get, path = "/v1/clients/{client}/campaigns", tag = "campaigns",
    params(("client" = Uuid, Path, description = "The client's id"), NamedQuery), responses(
    (status = 200, description = "A page of campaigns", body = Page<Campaign>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<NamedQuery>,
) -> Result<Json<Page<Campaign>>, Problem> {
    let client = caller.client(&api, client).await?;
    let name = query.named()?;
    let found = async |part| {
        let found = campaigns::list(&api.engine, client, name, part).await?;
        Ok(found.into_iter().map(|campaign| (client, campaign)).collect())
    };
    query.page().of(found, |campaign: &Campaign| campaign.id).await
}

/// Get a campaign
///
/// With how many of its leads stand where.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}", tag = "campaigns", params(("campaign" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The campaign", body = CampaignStatus),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
) -> Result<Json<CampaignStatus>, Problem> {
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    Ok(Json((client, campaigns::status(&api.engine, client, campaign).await?).into()))
}

/// A campaign to be made, in draft.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CampaignInput {
    /// Its name, unique within the client.
    #[schema(min_length = 1)]
    name: String,
    /// The account it dials from.
    account: Uuid,
    /// Its rules. All have defaults, and unknown names are refused: see the README's table of rules.
    #[serde(default)]
    #[schema(value_type = Object)]
    rules: Map<String, Value>,
}

/// Make a campaign
///
/// In draft: nobody is dialled until it is started.
#[utoipa::path(post, path = "/v1/clients/{client}/campaigns", tag = "campaigns",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = CampaignInput, responses(
    (status = 201, description = "The campaign", body = CampaignStatus),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client or account", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "The name is taken", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<CampaignInput>,
) -> Result<(StatusCode, Json<CampaignStatus>), Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let rules = rules::read_rules(input.rules)?;
    let (name, account) = (input.name.as_str(), AccountId(input.account));
    let spec = CampaignSpec { name, account, rules: &rules, actor: caller.by().actor };
    let made = campaigns::create(&api.engine, client, spec).await?;
    let status = campaigns::status(&api.engine, client, made).await?;
    Ok((StatusCode::CREATED, Json((client, status).into())))
}

/// A campaign to be made like another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloneInput {
    /// Its name, unique within the client.
    #[schema(min_length = 1)]
    name: String,
}

/// Clone a campaign
///
/// The same account and rules under another name, in draft, without leads.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/clone", tag = "campaigns", params(("campaign" = Uuid, Path, description = "The id of the one to clone")),
    request_body = CloneInput, responses(
    (status = 201, description = "The new campaign", body = CampaignStatus),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "The name is taken", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn clone(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Body(input): Body<CloneInput>,
) -> Result<(StatusCode, Json<CampaignStatus>), Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    let made = campaigns::clone(&api.engine, client, campaign, &input.name, caller.by().actor).await?;
    let status = campaigns::status(&api.engine, client, made).await?;
    Ok((StatusCode::CREATED, Json((client, status).into())))
}
