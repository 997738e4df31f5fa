//! Campaigns.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::campaigns::{self, Order, Ordered, Status};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{By, OperationError};
use outdial_jobs::store::campaigns::Campaign as Row;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::{CampaignId, ClientId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Body, Caller, Named, Page, PageQuery};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CampaignState)]
pub(crate) enum StateName {
    /// Being put together; nobody is dialled.
    Draft,
    /// Its leads are dialled when they are due and may be called.
    Running,
    /// Nobody is dialled until it resumes.
    Paused,
    /// Over for good.
    Ended,
}

impl From<CampaignState> for StateName {
    fn from(state: CampaignState) -> Self {
        match state {
            CampaignState::Draft => Self::Draft,
            CampaignState::Running => Self::Running,
            CampaignState::Paused => Self::Paused,
            CampaignState::Ended => Self::Ended,
        }
    }
}

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Campaign {
    /// Its id.
    id: Uuid,
    /// Its name, unique within the client.
    name: String,
    /// The account it dials from.
    account: Uuid,
    /// Where it stands.
    state: StateName,
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

impl From<Row> for Campaign {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
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
    by_state: BTreeMap<&'static str, i64>,
    /// Finished leads by outcome.
    by_outcome: BTreeMap<&'static str, i64>,
}

impl From<Status> for CampaignStatus {
    fn from(status: Status) -> Self {
        let Status { campaign, by_state, by_outcome, leads, finished, lanes: _ } = status;
        Self { campaign: campaign.into(), leads, finished, by_state, by_outcome }
    }
}

/// Why, and until when.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderInput {
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
    /// Of a pause: when the campaign resumes by itself.
    resume_at: Option<DateTime<Utc>>,
}

/// An attempt that was committed to before the order: its call goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Underway {
    /// The lead.
    lead: Uuid,
    /// Which of its attempts.
    attempt: u16,
    /// Whether the carrier is known to have it.
    bound: bool,
}

/// How an order went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderResult {
    /// Where the campaign stands now.
    state: StateName,
    /// Whether that is a change.
    changed: bool,
    /// Calls that go on: no other is begun after a pause or a cancel. At most 10,000 are listed.
    underway: Vec<Underway>,
}

impl From<Ordered> for OrderResult {
    fn from(ordered: Ordered) -> Self {
        use outdial_workflows::attempt::Ledger;
        let underway = ordered.underway.into_iter().map(|attempt| Underway {
            lead: attempt.lead.0,
            attempt: attempt.number,
            bound: attempt.ledger == Ledger::Bound,
        });
        Self { state: ordered.state.into(), changed: ordered.changed, underway: underway.collect() }
    }
}

/// Whose campaign this is, if the caller may see it.
pub(super) async fn visible(
    api: &Api,
    caller: &Caller,
    campaign: Uuid,
) -> Result<(ClientId, CampaignId), Problem> {
    let (client, campaign) = campaigns::find(&api.engine, &campaign.to_string()).await?;
    let not_found = || OperationError::NotFound { kind: "campaign", given: campaign.to_string() };
    caller.sees(client).map_err(|_| Problem::from(not_found()))?;
    Ok((client, campaign))
}

/// List campaigns
///
/// Those of a client, the newest first.
#[utoipa::path(get, path = "/v1/clients/{client}/campaigns", tag = "campaigns",
    params(("client" = Uuid, Path, description = "The client's id"), PageQuery), responses(
    (status = 200, description = "A page of campaigns", body = Page<Campaign>),
    (status = 401, description = "No key, or none of ours", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 422, description = "A wrong parameter", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Campaign>>, Problem> {
    let client = caller.sees(ClientId(client))?;
    let limit = page.limit()?;
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX) + 1;
    let found = campaigns::list(&api.engine, client, page.after().map(CampaignId), one_more).await?;
    let found = found.into_iter().map(Campaign::from).collect();
    Ok(Json(Page::of(found, limit, |campaign: &Campaign| campaign.id)))
}

/// Get a campaign
///
/// With how many of its leads stand where.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}", tag = "campaigns", params(("campaign" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The campaign", body = CampaignStatus),
    (status = 401, description = "No key, or none of ours", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
) -> Result<Json<CampaignStatus>, Problem> {
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    Ok(Json(campaigns::status(&api.engine, client, campaign).await?.into()))
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
    let OrderInput { reason, resume_at } = input.map(|Body(input)| input).unwrap_or_default();
    let By { actor, reason: from_header } = caller.by();
    let reason = reason.as_deref().or(from_header);
    if resume_at.is_some() && order != Order::Pause {
        let problem = "only a pause resumes by itself; leave it out".into();
        return Err(OperationError::Invalid { place: "resume_at".into(), problem }.into());
    }
    let ordered =
        campaigns::order_until(&api.engine, client, campaign, order, actor, reason, resume_at).await?;
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
            (status = 400, description = "Not JSON", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 401, description = "No key, or none of ours", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 409, description = "It makes no sense where the campaign stands", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 413, description = "Too large", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 415, description = "Not JSON", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 422, description = "Parts of it are wrong", body = ProblemDetails, content_type = "application/problem+json"),
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
