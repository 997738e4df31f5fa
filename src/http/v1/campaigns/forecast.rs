//! How campaigns would go.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use outdial_jobs::operations::forecast::{self, LaunchPreview};
use outdial_workflows::preview;
use outdial_workflows::simulate::{Assumed, Simulated};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::visible;
use crate::http::problem::ProblemDetails;
use crate::http::v1::names::{BrakeName, OutcomeName, ProspectName};
use crate::http::v1::{Body, Caller, Named};
use crate::http::{Api, Problem};

/// Leads that share a reason.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewGroup {
    /// Where they would stand.
    prospect: ProspectName,
    /// The reason's name; empty where there is none.
    why: String,
    /// The reason, in a sentence.
    reason: String,
    /// How many.
    leads: u64,
    /// When the first of them would be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<DateTime<Utc>>,
    /// Some of them.
    examples: Vec<Uuid>,
}

impl From<preview::Group> for PreviewGroup {
    fn from(group: preview::Group) -> Self {
        Self {
            prospect: group.prospect.into(),
            why: group.why,
            reason: group.reason,
            leads: group.leads,
            from: group.from,
            examples: group.examples.into_iter().map(|lead| lead.0).collect(),
        }
    }
}

/// What would become of a campaign's leads if it dialled now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CampaignPreview {
    /// All of its leads.
    leads: u64,
    /// Leads that would be called as soon as limits leave room.
    now: u64,
    /// Leads that would be called later, by themselves.
    later: u64,
    /// Leads for which somebody has to mend something.
    held: u64,
    /// Leads that would be finished without another call.
    never: u64,
    /// The same, and those under way and finished, per reason.
    groups: Vec<PreviewGroup>,
    /// What keeps all of them from being called.
    blockers: Vec<String>,
}

impl From<LaunchPreview> for CampaignPreview {
    fn from(preview: LaunchPreview) -> Self {
        let LaunchPreview { leads, now, later, held, never, groups, blockers } = preview;
        let groups = groups.into_iter().map(Into::into).collect();
        Self { leads, now, later, held, never, groups, blockers }
    }
}

/// Preview a campaign
///
/// Each lead is looked at as if the campaign dialled now: who would be called, who later, who not, and why.
/// Nobody is called, and nothing changes. It takes a while for a large campaign.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/preview", tag = "campaigns", params(("campaign" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "What would become of its leads", body = CampaignPreview),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn preview(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
) -> Result<Json<CampaignPreview>, Problem> {
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    Ok(Json(forecast::preview(&api.engine, client, campaign, |_| ()).await?.into()))
}

/// What is assumed of the people who are called.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssumedInput {
    /// Of a hundred calls, how many are answered. Left out: 40.
    #[schema(maximum = 100)]
    answered_percent: Option<u8>,
    /// Of a hundred calls, how many find the line busy. The rest are not answered. Left out: 10.
    #[schema(maximum = 100)]
    busy_percent: Option<u8>,
    /// How long an answered phone has rung, in seconds. Left out: 10.
    #[schema(maximum = 3600)]
    ring_s: Option<u16>,
    /// How long an answered call lasts, in seconds. Left out: 90.
    #[schema(maximum = 65535)]
    talk_s: Option<u16>,
    /// Another number, other people.
    seed: Option<u64>,
}

impl From<AssumedInput> for Assumed {
    fn from(input: AssumedInput) -> Self {
        let usual = Self::default();
        Self {
            answered_percent: input.answered_percent.unwrap_or(usual.answered_percent),
            busy_percent: input.busy_percent.unwrap_or(usual.busy_percent),
            ring_s: input.ring_s.map_or(usual.ring_s, Into::into),
            talk_s: input.talk_s.map_or(usual.talk_s, Into::into),
            seed: input.seed.unwrap_or(usual.seed),
        }
    }
}

/// How a campaign would go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Simulation {
    /// When the last call would be over; absent: more than a year away, or never.
    #[serde(skip_serializing_if = "Option::is_none")]
    finishes_at: Option<DateTime<Utc>>,
    /// Leads that took part.
    leads: u64,
    /// Calls in all.
    calls: u64,
    /// Leads by what came of them.
    by_outcome: BTreeMap<OutcomeName, u64>,
    /// Leads that would wait for somebody to mend something, by what.
    held: BTreeMap<String, u64>,
    /// The most calls at one time.
    most_at_once: u32,
    /// For how many seconds each brake held.
    braked_s: BTreeMap<BrakeName, i64>,
    /// Calls by day, as UTC has it.
    by_day: BTreeMap<NaiveDate, u64>,
}

impl From<Simulated> for Simulation {
    fn from(played: Simulated) -> Self {
        Self {
            finishes_at: played.finishes_at,
            leads: played.leads,
            calls: played.calls,
            by_outcome: played
                .by_outcome
                .into_iter()
                .map(|(outcome, leads)| (outcome.into(), leads))
                .collect(),
            held: played.held,
            most_at_once: played.most_at_once,
            braked_s: played.braked_s.into_iter().map(|(brake, seconds)| (brake.into(), seconds)).collect(),
            by_day: played.by_day,
        }
    }
}

/// Simulate a campaign
///
/// It is played through on paper, as if it were started now: when it would be over, and what holds it up. Nobody
/// is called, and nothing changes. It takes a while for a large campaign.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/simulate", tag = "campaigns", params(("campaign" = Uuid, Path, description = "Its id")),
    request_body = Option<AssumedInput>, responses(
    (status = 200, description = "How it would go", body = Simulation),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "Its rules or limits cannot be read", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn simulate(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    input: Option<Body<AssumedInput>>,
) -> Result<Json<Simulation>, Problem> {
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    let assumed = input.map(|Body(input)| input).unwrap_or_default().into();
    Ok(Json(forecast::simulate(&api.engine, client, campaign, assumed, |_| ()).await?.into()))
}
