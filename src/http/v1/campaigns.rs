//! Campaigns.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order, Ordered, Status};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{By, OperationError};
use outdial_jobs::store::campaigns::Campaign as Row;
use outdial_workflows::attempt::Revision;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId};
use outdial_workflows::rules::Rules;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Body, Caller, Named, Page, PageQuery};
use crate::http::problem::{FieldError, ProblemDetails};
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
    let campaign = CampaignId(campaign);
    let client = campaigns::client_of(&api.engine, campaign).await?;
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
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Campaign>>, Problem> {
    let client = caller.sees(ClientId(client))?;
    let found = async |after: Option<Uuid>, limit| {
        campaigns::list(&api.engine, client, after.map(CampaignId), limit).await
    };
    page.of(found, |campaign: &Campaign| campaign.id).await
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

fn read_rules(rules: Map<String, Value>) -> Result<Rules, Problem> {
    serde_json::from_value(Value::Object(rules)).map_err(|error| {
        Problem::invalid(vec![FieldError { place: "rules".into(), problem: error.to_string() }])
    })
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
    let client = caller.sees(ClientId(client))?;
    let rules = read_rules(input.rules)?;
    let (name, account) = (input.name.as_str(), AccountId(input.account));
    let spec = CampaignSpec { name, account, rules: &rules, actor: caller.by().actor };
    let made = campaigns::create(&api.engine, client, spec).await?;
    let status = campaigns::status(&api.engine, client, made).await?;
    Ok((StatusCode::CREATED, Json(status.into())))
}

/// A campaign's rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RulesOf {
    /// Counts from 1; every edit makes the next.
    #[schema(minimum = 1)]
    revision: i32,
    /// All of them, defaults included.
    #[schema(value_type = Object)]
    rules: Value,
}

/// What an edit was made on, as the headers `ETag` and `If-Match` have it.
fn etag(revision: Revision) -> String {
    format!("\"{}\"", revision.0)
}

fn rules_of(revision: Revision, rules: &Rules) -> Response {
    let body = RulesOf { revision: revision.0, rules: serde_json::to_value(rules).unwrap_or_default() };
    ([(header::ETAG, etag(revision))], Json(body)).into_response()
}

/// Get a campaign's rules
///
/// The header `ETag` is what an edit of them names in `If-Match`.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/rules", tag = "campaigns", params(("campaign" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The rules as they are now", body = RulesOf, headers(("ETag" = String, description = "Their revision"))),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "They come from a newer version", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn rules(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
) -> Result<Response, Problem> {
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    let (revision, rules) = campaigns::rules(&api.engine, client, campaign).await?;
    Ok(rules_of(revision, &rules))
}

/// Edit a campaign's rules
///
/// The whole set, as a new revision. It holds from the next call on, also of a campaign that runs. `If-Match`
/// names the revision that the edit was made on, so that nobody's edit is overwritten unseen.
#[utoipa::path(put, path = "/v1/campaigns/{campaign}/rules", tag = "campaigns",
    params(("campaign" = Uuid, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The `ETag` that the rules had when they were read. It cannot be left out: 428 says so")),
    request_body(content = Object, description = "The rules"), responses(
    (status = 200, description = "The rules as they are now", body = RulesOf, headers(("ETag" = String, description = "Their revision"))),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 412, description = "They were edited meanwhile: read them again", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 428, description = "If-Match is missing", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn edit(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    headers: HeaderMap,
    Body(input): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    let Some(given) = headers.get(header::IF_MATCH) else {
        let detail = "say in If-Match which revision the edit was made on: the ETag of its rules";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if-match-missing", detail));
    };
    let (present, _) = campaigns::rules(&api.engine, client, campaign).await?;
    let edited = || {
        let detail = format!("the rules are of revision {} now; read them again", present.0);
        Problem::new(StatusCode::PRECONDITION_FAILED, "edited-meanwhile", detail)
    };
    if given.as_bytes() != etag(present).as_bytes() {
        return Err(edited());
    }
    let rules = read_rules(input)?;
    match campaigns::edit(&api.engine, client, campaign, present, &rules, caller.by()).await {
        Ok(revision) => Ok(rules_of(revision, &rules)),
        // Between the look and the edit.
        Err(OperationError::NotPossible(_)) => Err(edited()),
        Err(error) => Err(error.into()),
    }
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
    let status = campaigns::status(&api.engine, client, campaign).await?;
    let (_, rules) = campaigns::rules(&api.engine, client, campaign).await?;
    let (name, account) = (input.name.as_str(), status.campaign.account);
    let spec = CampaignSpec { name, account, rules: &rules, actor: caller.by().actor };
    let made = campaigns::create(&api.engine, client, spec).await?;
    let status = campaigns::status(&api.engine, client, made).await?;
    Ok((StatusCode::CREATED, Json(status.into())))
}
