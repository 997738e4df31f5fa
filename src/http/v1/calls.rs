//! Calls: what came of the attempts that carriers took.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::Direction;
use outdial_jobs::operations::attempts::{Fits, Made, Whose};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::input::wrong;
use super::names::{CallResultName, CallStatusName, OutcomeName};
use super::paging::OrderName;
use super::{Asked, Caller, Page, attempts, campaigns, leads};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// A call, with what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Call {
    /// The carrier's name for it.
    id: String,
    /// The attempt that it is.
    attempt: String,
    /// The client.
    client: Uuid,
    /// The campaign.
    campaign: Uuid,
    /// The lead.
    lead: Uuid,
    /// The account it was made from.
    account: Uuid,
    /// The number it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The number that was called; absent once the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// How far it has come.
    status: CallStatusName,
    /// When it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    placed_at: Option<DateTime<Utc>>,
    /// When the called side picked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_at: Option<DateTime<Utc>>,
    /// When its end became known; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// How it ended, as the carrier saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<CallResultName>,
    /// Time connected, in milliseconds, if the carrier said.
    #[serde(skip_serializing_if = "Option::is_none")]
    talk_ms: Option<i32>,
    /// The carrier's word for the reason of the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// What was reported about the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<OutcomeName>,
    /// What was recorded in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeName>,
    /// Where a recording lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_url: Option<String>,
    /// What it cost, in millionths of the unit of the account's currency, once the carrier has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_micros: Option<i64>,
}

impl From<Made> for Call {
    fn from(made: Made) -> Self {
        Self {
            id: made.call_id.unwrap_or_default(),
            attempt: made.key.to_string(),
            client: made.key.0.client.0,
            campaign: made.campaign.0,
            lead: made.key.0.lead.0,
            account: made.account.0,
            from: made.caller_id,
            to: made.phone,
            status: made.status.into(),
            placed_at: made.submitted_at,
            answered_at: made.answered_at,
            ended_at: made.ended_at,
            result: made.result.map(Into::into),
            talk_ms: made.talk_ms,
            cause: made.cause,
            verdict: made.verdict.map(Into::into),
            outcome: made.outcome.map(Into::into),
            recording_url: made.recording_url,
            cost_micros: made.cost_micros,
        }
    }
}

/// Whose calls, which of them, and which page.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallsQuery {
    /// Those of this campaign. Either it or a lead is to be named.
    campaign: Option<Uuid>,
    /// Those of this lead.
    lead: Option<Uuid>,
    /// Only those that ended so.
    #[param(inline)]
    result: Option<CallResultName>,
    /// Only those of which this was recorded in the end.
    #[param(inline)]
    outcome: Option<OutcomeName>,
    /// Only those whose attempt was reserved from then on.
    since: Option<DateTime<Utc>>,
    /// Only those whose attempt was reserved before.
    until: Option<DateTime<Utc>>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `asc`: the first first. `desc`: the latest first. Give it again with each cursor.
    #[param(inline)]
    order: Option<OrderName>,
}

/// List calls
///
/// Those of a campaign or of a lead, the latest first unless told otherwise. A page may hold fewer than asked for
/// although more follow: what fits is looked for five thousand attempts at a time.
#[utoipa::path(get, path = "/v1/calls", tag = "calls", params(CallsQuery), responses(
    (status = 200, description = "A page of calls", body = Page<Call>),
    (status = 404, description = "No such campaign or lead", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(query): Asked<CallsQuery>,
) -> Result<Json<Page<Call>>, Problem> {
    let whose = match (query.campaign, query.lead) {
        (Some(campaign), None) => {
            let (_, campaign) = campaigns::visible(&api, &caller, campaign).await?;
            Whose::Campaign(campaign)
        }
        (None, Some(lead)) => {
            let found = leads::visible(&api, &caller, lead).await?;
            Whose::Lead(found.client, found.lead)
        }
        (None, None) => return Err(wrong("campaign", "name a campaign or a lead: whose calls?")),
        (Some(_), Some(_)) => return Err(wrong("lead", "name either a campaign or a lead, not both")),
    };
    let fits = Fits {
        calls: true,
        result: query.result.map(Into::into),
        outcome: query.outcome.map(Into::into),
        since: query.since,
        until: query.until,
    };
    let part = (query.cursor.as_deref(), query.limit, query.order);
    attempts::page(&api, whose, fits, Direction::NewestFirst, part).await
}
