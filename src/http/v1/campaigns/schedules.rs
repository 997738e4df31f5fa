//! What is ordered for campaigns again and again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{OperationError, recurring};
use outdial_jobs::store::recurring::Recurring;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::visible;
use crate::http::problem::ProblemDetails;
use crate::http::v1::names::ActionName;
use crate::http::v1::{Body, Caller, Named, Page};
use crate::http::{Api, Problem};

/// What is ordered for a campaign again and again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Schedule {
    /// Its id.
    id: Uuid,
    /// The campaign.
    campaign: Uuid,
    /// When, in six fields.
    #[schema(example = "0 30 9 * * Mon-Fri")]
    cron: String,
    /// By whose clock.
    zone: String,
    /// What.
    action: ActionName,
    /// Who set it up.
    actor: String,
    /// The next time; absent once there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<DateTime<Utc>>,
    /// The last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<DateTime<Utc>>,
    /// What went wrong then.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

impl From<Recurring> for Schedule {
    fn from(one: Recurring) -> Self {
        Self {
            id: one.id,
            campaign: one.campaign.0,
            cron: one.cron,
            zone: one.zone,
            action: one.action.into(),
            actor: one.actor,
            next_at: one.next_at,
            last_at: one.last_at,
            last_error: one.last_error,
        }
    }
}

/// List a campaign's schedules
///
/// The next first.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/schedules", tag = "campaigns", params(("campaign" = Uuid, Path, description = "The campaign's id")), responses(
    (status = 200, description = "All of them", body = Page<Schedule>),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
) -> Result<Json<Page<Schedule>>, Problem> {
    let (_, campaign) = visible(&api, &caller, campaign).await?;
    Ok(Json(Page::whole(recurring::list(&api.engine, campaign).await?)))
}

/// A recurring order to be set up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleInput {
    /// What.
    action: ActionName,
    /// When: second, minute, hour, day of month, month, weekday.
    #[schema(example = "0 30 9 * * Mon-Fri")]
    cron: String,
    /// By whose clock. Left out: UTC.
    #[schema(example = "Asia/Kolkata")]
    zone: Option<String>,
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

/// Schedule something for a campaign
///
/// From now on it is ordered at each of the times. A time that is missed, because nothing runs then, is made up
/// for once.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/schedules", tag = "campaigns", params(("campaign" = Uuid, Path, description = "The campaign's id")),
    request_body = ScheduleInput, responses(
    (status = 201, description = "The schedule", body = Schedule),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn add(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Body(input): Body<ScheduleInput>,
) -> Result<(StatusCode, Json<Schedule>), Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    let (by, zone) = (caller.by_for(input.reason.as_deref()), input.zone.as_deref().unwrap_or("UTC"));
    let action = input.action.into();
    let added = recurring::add(&api.engine, client, campaign, &input.cron, zone, action, by).await?;
    Ok((StatusCode::CREATED, Json(added.into())))
}

/// Take a schedule back
#[utoipa::path(delete, path = "/v1/campaigns/{campaign}/schedules/{schedule}", tag = "campaigns",
    params(("campaign" = Uuid, Path, description = "The campaign's id"), ("schedule" = Uuid, Path, description = "Its id")), responses(
    (status = 204, description = "It is not ordered any more"),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign or schedule", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Named((campaign, schedule)): Named<(Uuid, Uuid)>,
) -> Result<StatusCode, Problem> {
    caller.is(Role::Operator)?;
    let (_, campaign) = visible(&api, &caller, campaign).await?;
    recurring::remove_from(&api.engine, campaign, schedule, caller.by()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a schedule back, by its id alone
#[utoipa::path(delete, path = "/v1/schedules/{schedule}", tag = "campaigns",
    params(("schedule" = Uuid, Path, description = "Its id")), responses(
    (status = 204, description = "It is not ordered any more"),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such schedule", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn take_back(
    State(api): State<Api>,
    caller: Caller,
    Named(schedule): Named<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = recurring::campaign_of(&api.engine, schedule).await?;
    let not_found = || OperationError::NotFound { kind: "schedule", given: schedule.to_string() };
    caller.sees(client).map_err(|_| Problem::from(not_found()))?;
    recurring::remove_from(&api.engine, campaign, schedule, caller.by()).await?;
    Ok(StatusCode::NO_CONTENT)
}
