//! Orders for leads.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::By;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads;
use outdial_workflows::input::{Answer, Command};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Lead, visible};
use crate::http::problem::ProblemDetails;
use crate::http::v1::input::wrong;
use crate::http::v1::names::PriorityName;
use crate::http::v1::{Body, Caller, Named};
use crate::http::{Api, Problem};

/// What is to be done with a lead.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LeadOrder {
    /// Hold it until it is resumed.
    Pause,
    /// Let it go.
    Resume,
    /// Finish it without another call.
    Cancel,
    /// Call it (again), as soon as it may be; attempts so far do not count any more.
    Retry,
    /// End the call that is under way, as far as its carrier can.
    HangUp,
    /// Call it from `at` on.
    Reschedule,
    /// Call it sooner or later than others, as `priority` says.
    Prioritise,
}

/// An order for a lead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeadOrderInput {
    /// What.
    order: LeadOrder,
    /// Of a reschedule: from when on.
    #[serde(default, deserialize_with = "crate::http::v1::input::time")]
    at: Option<DateTime<Utc>>,
    /// Of a prioritise: how soon.
    priority: Option<PriorityName>,
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

impl LeadOrderInput {
    fn command(&self) -> Result<Command, Problem> {
        self.order.command(self.at, self.priority)
    }
}

impl LeadOrder {
    /// As it is carried out, with what it needs and nothing else.
    pub(crate) fn command(
        self,
        at: Option<DateTime<Utc>>,
        priority: Option<PriorityName>,
    ) -> Result<Command, Problem> {
        match self {
            Self::Reschedule => {
                let at = at.ok_or_else(|| wrong("at", "a reschedule needs the time from which on"))?;
                Ok(Command::Reschedule { at })
            }
            Self::Prioritise => {
                let priority = priority.ok_or_else(|| wrong("priority", "say how soon"))?;
                Ok(Command::Prioritise { priority: priority.into() })
            }
            _ if at.is_some() => Err(wrong("at", "only a reschedule has a time; leave it out")),
            _ if priority.is_some() => {
                Err(wrong("priority", "only a prioritise has a priority; leave it out"))
            }
            Self::Pause => Ok(Command::Pause),
            Self::Resume => Ok(Command::Resume),
            Self::Cancel => Ok(Command::Cancel),
            Self::Retry => Ok(Command::Retry),
            Self::HangUp => Ok(Command::HangUp),
        }
    }
}

/// How an order for a lead went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeadOrdered {
    /// It takes effect once the attempt that is under way has resolved.
    deferred: bool,
    /// The lead as it stands now.
    lead: Lead,
}

/// Order something for a lead
///
/// Once a pause, a cancel or a reschedule is answered, nothing is sent for the lead that was not sent before.
#[utoipa::path(post, path = "/v1/leads/{lead}/orders", tag = "leads", params(("lead" = Uuid, Path, description = "Its id")),
    request_body = LeadOrderInput, responses(
    (status = 200, description = "It is so", body = LeadOrdered),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such lead", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "It makes no sense where the lead stands", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn order(
    State(api): State<Api>,
    caller: Caller,
    Named(lead): Named<Uuid>,
    Body(input): Body<LeadOrderInput>,
) -> Result<Json<LeadOrdered>, Problem> {
    caller.is(Role::Operator)?;
    let found = visible(&api, &caller, lead).await?;
    let command = input.command()?;
    let By { actor, reason } = caller.by_for(input.reason.as_deref());
    let answer = leads::order(&api.engine, found.client, found.lead, command, actor, reason).await?;
    let lead = leads::get(&api.engine, found.lead).await?.into();
    Ok(Json(LeadOrdered { deferred: answer == Answer::Deferred, lead }))
}
