//! How calls go.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State as Shared;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::{OperationError, analytics, setup};
use outdial_workflows::analytics::Analysis;
use outdial_workflows::calendar::parse_zone;
use outdial_workflows::ids::{CampaignId, ClientId};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Asked, Caller, Named, campaigns};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// Which calls are looked at.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AnalyticsQuery {
    /// Those that were begun from then on, to the quarter of an hour.
    from: Option<DateTime<Utc>>,
    /// Those before then.
    until: Option<DateTime<Utc>>,
    /// By whose clock hours and weekdays are told, as `Asia/Kolkata`; UTC unless told.
    zone: Option<String>,
}

async fn calls(
    api: &Api,
    client: ClientId,
    campaign: Option<CampaignId>,
    asked: AnalyticsQuery,
) -> Result<Json<Analysis>, Problem> {
    let zone = asked
        .zone
        .as_deref()
        .map(parse_zone)
        .transpose()
        .map_err(|error| OperationError::Invalid { place: "zone".into(), problem: error.to_string() })?;
    let asked = analytics::Asked { campaign, from: asked.from, until: asked.until, zone };
    Ok(Json(analytics::calls(&api.engine, client, asked).await?))
}

/// Analyse a campaign's calls
///
/// Attempts of which an outcome is recorded: how many were answered and came to something good, by outcome, hour,
/// weekday and attempt; how long they were connected, and what they cost.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/analytics", tag = "campaigns",
    params(("campaign" = Uuid, Path, description = "Its id"), AnalyticsQuery), responses(
    (status = 200, description = "`total`, `answer_rate`, `success_rate`, `by_outcome`, `by_hour`, `by_weekday`, `by_attempt`, `talk_s`, `mean_talk_s`, `cost`", body = Object),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn campaign(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Asked(asked): Asked<AnalyticsQuery>,
) -> Result<Json<Analysis>, Problem> {
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    calls(&api, client, Some(campaign), asked).await
}

/// Analyse a client's calls
///
/// The same over all of its campaigns.
#[utoipa::path(get, path = "/v1/clients/{client}/analytics", tag = "clients",
    params(("client" = Uuid, Path, description = "Its id"), AnalyticsQuery), responses(
    (status = 200, description = "As for a campaign", body = Object),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn client(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(asked): Asked<AnalyticsQuery>,
) -> Result<Json<Analysis>, Problem> {
    let client = caller.sees(ClientId(client))?;
    setup::client(&api.engine, client).await?;
    calls(&api, client, None, asked).await
}
