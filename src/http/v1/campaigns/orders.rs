//! Orders for campaigns.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::campaigns::{self, Order, Ordered};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{By, OperationError, hanging_up};
use outdial_jobs::store::attempts;
use outdial_workflows::attempt::Ledger;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::visible;
use crate::http::problem::ProblemDetails;
use crate::http::v1::names::CampaignStateName;
use crate::http::v1::{Body, Caller, Named};
use crate::http::{Api, Problem};

/// Why, and until when.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderInput {
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    pub(crate) reason: Option<String>,
    /// Of a pause: when it ends by itself.
    #[serde(default, deserialize_with = "crate::http::v1::input::time")]
    pub(crate) resume_at: Option<DateTime<Utc>>,
    /// Of a pause or a cancel: calls under way do not go on, but are ended, as far as their carriers can.
    #[serde(default)]
    pub(crate) hang_up: bool,
}

/// An attempt that was committed to before the order: its call goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Underway {
    /// The lead.
    lead: Uuid,
    /// Which of its attempts.
    attempt: u16,
    /// The account it was made from.
    account: Uuid,
    /// Whether the carrier is known to have it.
    bound: bool,
    /// How far the request for it has come: `submitted`, `bound` or `unknown`.
    #[schema(value_type = String)]
    ledger: Ledger,
}

impl From<attempts::Underway> for Underway {
    fn from(attempt: attempts::Underway) -> Self {
        let bound = attempt.ledger == Ledger::Bound;
        Self {
            lead: attempt.lead.0,
            attempt: attempt.number,
            account: attempt.account.0,
            bound,
            ledger: attempt.ledger,
        }
    }
}

/// How an order went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderResult {
    /// Where the campaign stands now.
    state: CampaignStateName,
    /// Whether that is a change.
    changed: bool,
    /// Calls that go on: no other is begun after a pause or a cancel. At most 10,000 are listed.
    underway: Vec<Underway>,
    /// What becomes of them, if they are to be ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    hung_up: Option<HungUp>,
}

/// What becomes of calls that are to be ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HungUp {
    /// Calls whose carrier is asked to end them.
    ending: usize,
    /// Calls that go on, because their carrier has no way to end them (Exotel has none).
    going_on: usize,
    /// Calls that were over before they could be ended.
    over: usize,
}

impl From<hanging_up::HungUp> for HungUp {
    fn from(hanging_up::HungUp { ending, going_on, over }: hanging_up::HungUp) -> Self {
        Self { ending, going_on, over }
    }
}

impl From<Ordered> for OrderResult {
    fn from(ordered: Ordered) -> Self {
        let underway = ordered.underway.into_iter().map(Into::into).collect();
        Self {
            state: ordered.state.into(),
            changed: ordered.changed,
            underway,
            hung_up: ordered.hung_up.map(Into::into),
        }
    }
}

async fn order(
    api: &Api,
    caller: &Caller,
    campaign: Uuid,
    order: Order,
    input: Option<Body<OrderInput>>,
) -> Result<Json<OrderResult>, Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = visible(api, caller, campaign).await?;
    let OrderInput { reason, resume_at, hang_up } = input.map(|Body(input)| input).unwrap_or_default();
    let by = caller.by_for(reason.as_deref());
    let By { actor, reason } = by;
    if resume_at.is_some() && order != Order::Pause {
        let problem = "only a pause resumes by itself; leave it out".into();
        return Err(OperationError::Invalid { place: "resume_at".into(), problem }.into());
    }
    if hang_up && !matches!(order, Order::Pause | Order::Cancel) {
        let problem = "only a pause and a cancel end calls; leave it out".into();
        return Err(OperationError::Invalid { place: "hang_up".into(), problem }.into());
    }
    let mut ordered =
        campaigns::order_until(&api.engine, client, campaign, order, actor, reason, resume_at).await?;
    if hang_up {
        ordered.hung_up = Some(hanging_up::hang_up(&api.engine, client, &ordered.underway, by).await?);
    }
    Ok(Json(ordered.into()))
}

macro_rules! orders {
    ($($name:ident, $order:expr, $path:literal, $summary:literal, $description:literal;)+) => {$(
        #[doc = $summary]
        #[doc = ""]
        #[doc = $description]
        #[utoipa::path(post, path = $path, tag = "campaigns", params(("campaign" = Uuid, Path, description = "Its id")),
            request_body = Option<OrderInput>, responses(
            (status = 200, description = "It is so on every node", body = OrderResult),
            (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 409, description = "It makes no sense where the campaign stands", body = ProblemDetails, content_type = "application/problem+json"),
        ))]
        pub(crate) async fn $name(
            State(api): State<Api>,
            caller: Caller,
            Named(campaign): Named<Uuid>,
            input: Option<Body<OrderInput>>,
        ) -> Result<Json<OrderResult>, Problem> {
            order(&api, &caller, campaign, $order, input).await
        }
    )+};
}

orders! {
    start, Order::Start, "/v1/campaigns/{campaign}/start", "Start a campaign",
        "Its leads are dialled from now on, when they are due and may be called.";
    pause, Order::Pause, "/v1/campaigns/{campaign}/pause", "Pause a campaign",
        "Once this is answered nothing of it is dialled on any node until it resumes; calls under way go on, and are listed.";
    resume, Order::Resume, "/v1/campaigns/{campaign}/resume", "Resume a campaign", "It is dialled again.";
    cancel, Order::Cancel, "/v1/campaigns/{campaign}/cancel", "Cancel a campaign",
        "For good: its leads are finished in the background; calls under way go on, and are listed.";
}
