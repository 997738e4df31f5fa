//! Attempts to reach leads.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::attempts::{self, Fits, Made, Place, Whose};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{Direction, OperationError, correcting};
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey, LeadId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::input::wrong;
use super::names::{CallResultName, CallStatusName, LedgerName, OutcomeName, TransferStateName};
use super::paging::{OrderName, page_limit};
use super::{Asked, Body, Caller, Named, Page, campaigns, leads};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// An attempt to reach a lead: at most one call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// Its id, which the carrier knows it by, too.
    #[schema(example = "0190f3a4000070008000000000000001.0190f3a4000070008000000000000002.1")]
    id: String,
    /// The client.
    client: Uuid,
    /// The campaign.
    campaign: Uuid,
    /// The lead.
    lead: Uuid,
    /// Its place among the lead's attempts, from 1.
    #[schema(minimum = 1)]
    number: u16,
    /// The revision of the campaign's rules that it was made under.
    revision: i32,
    /// The account it dials from.
    account: Uuid,
    /// The number it dials from.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_id: Option<String>,
    /// The number dialled; absent once the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// Where it stands between us and the carrier.
    ledger: LedgerName,
    /// Whether caps and retry limits see it.
    counts: bool,
    /// When it was reserved.
    reserved_at: DateTime<Utc>,
    /// When sending it was committed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_at: Option<DateTime<Utc>>,
    /// When the request's result became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    replied_at: Option<DateTime<Utc>>,
    /// The carrier's name for the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    /// How far the call has come.
    status: CallStatusName,
    /// When the called side picked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_at: Option<DateTime<Utc>>,
    /// When its end became known.
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
    /// What the call cost, in millionths of the unit of the account's currency, once the carrier has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_micros: Option<i64>,
    /// The latest order to hand its call to somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer: Option<TransferShown>,
}

/// A transfer of a call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transfer)]
pub(crate) struct TransferShown {
    /// Whom the call goes to: a number in E.164, or a SIP address.
    to: String,
    /// Where the transfer stands.
    state: TransferStateName,
}

impl TransferShown {
    /// The latest of an attempt, if one was ordered.
    pub(super) fn of(made: &Made) -> Option<Self> {
        let (to, state) = made.transfer_to.clone().zip(made.transfer_state)?;
        Some(Self { to, state: state.into() })
    }
}

impl From<Made> for Attempt {
    fn from(made: Made) -> Self {
        let AttemptRef { client, lead, number } = made.key.0;
        let transfer = TransferShown::of(&made);
        Self {
            id: made.key.to_string(),
            client: client.0,
            campaign: made.campaign.0,
            lead: lead.0,
            number: number.get(),
            revision: made.revision,
            account: made.account.0,
            caller_id: made.caller_id,
            phone: made.phone,
            ledger: made.ledger.into(),
            counts: made.counts,
            reserved_at: made.reserved_at,
            submitted_at: made.submitted_at,
            replied_at: made.replied_at,
            call_id: made.call_id,
            status: made.status.into(),
            answered_at: made.answered_at,
            ended_at: made.ended_at,
            result: made.result.map(Into::into),
            talk_ms: made.talk_ms,
            cause: made.cause,
            verdict: made.verdict.map(Into::into),
            outcome: made.outcome.map(Into::into),
            recording_url: made.recording_url,
            cost_micros: made.cost_micros,
            transfer,
        }
    }
}

/// Which attempts, and which page of them.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AttemptsQuery {
    /// Only those whose call ended so.
    #[param(inline)]
    result: Option<CallResultName>,
    /// Only those of which this was recorded in the end.
    #[param(inline)]
    outcome: Option<OutcomeName>,
    /// Only those reserved from then on.
    since: Option<DateTime<Utc>>,
    /// Only those reserved before.
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

impl AttemptsQuery {
    fn fits(&self) -> Fits {
        let (result, outcome) = (self.result.map(Into::into), self.outcome.map(Into::into));
        Fits { calls: false, result, outcome, since: self.since, until: self.until }
    }
}

/// A place in a list of attempts, as cursors tell it.
struct Cursor(Place);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Place { at, lead, number } = self.0;
        write!(f, "{}.{}.{number}", at.timestamp_micros(), lead.0.simple())
    }
}

impl Cursor {
    fn read(text: &str) -> Result<Place, Problem> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().unwrap_or_default();
        let at = part().parse().ok().and_then(DateTime::from_timestamp_micros);
        let (lead, number) = (Uuid::try_parse(part()), part().parse().ok().and_then(AttemptNumber::new));
        match (at, lead, number) {
            // Times that Postgres can write down.
            (Some(at), Ok(lead), Some(number)) if at.timestamp() >= 0 => {
                Ok(Place { at, lead: LeadId(lead), number })
            }
            _ => Err(wrong("cursor", "it is not the `next` of a page of this list")),
        }
    }
}

/// A page of attempts, or of what is made of them.
pub(super) async fn page<T: From<Made>>(
    api: &Api,
    whose: Whose,
    fits: Fits,
    usual: Direction,
    (cursor, limit, order): (Option<&str>, Option<u32>, Option<OrderName>),
) -> Result<Json<Page<T>>, Problem> {
    let after = cursor.map(Cursor::read).transpose()?;
    let direction = order.map_or(usual, OrderName::direction);
    let limit = page_limit(limit)?;
    let (found, next) = attempts::page(&api.engine, whose, fits, direction, after, limit).await?;
    Ok(Json(Page::from_to(found.into_iter().map(T::from).collect(), next.map(Cursor))))
}

/// List a lead's attempts
///
/// The first first unless told otherwise. A page may hold fewer than asked for although more follow.
#[utoipa::path(get, path = "/v1/leads/{lead}/attempts", tag = "attempts",
    params(("lead" = Uuid, Path, description = "The lead's id"), AttemptsQuery), responses(
    (status = 200, description = "A page of attempts", body = Page<Attempt>),
    (status = 404, description = "No such lead", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn of_lead(
    State(api): State<Api>,
    caller: Caller,
    Named(lead): Named<Uuid>,
    Asked(query): Asked<AttemptsQuery>,
) -> Result<Json<Page<Attempt>>, Problem> {
    let found = leads::visible(&api, &caller, lead).await?;
    let whose = Whose::Lead(found.client, found.lead);
    let part = (query.cursor.as_deref(), query.limit, query.order);
    page(&api, whose, query.fits(), Direction::OldestFirst, part).await
}

/// List a campaign's attempts
///
/// By the time at which they were reserved, the latest first unless told otherwise. A page may hold fewer than
/// asked for although more follow: what fits a filter is looked for five thousand attempts at a time.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/attempts", tag = "attempts",
    params(("campaign" = Uuid, Path, description = "The campaign's id"), AttemptsQuery), responses(
    (status = 200, description = "A page of attempts", body = Page<Attempt>),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn of_campaign(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Asked(query): Asked<AttemptsQuery>,
) -> Result<Json<Page<Attempt>>, Problem> {
    let (_, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    let part = (query.cursor.as_deref(), query.limit, query.order);
    page(&api, Whose::Campaign(campaign), query.fits(), Direction::NewestFirst, part).await
}

/// Get an attempt
#[utoipa::path(get, path = "/v1/attempts/{attempt}", tag = "attempts", params(("attempt" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The attempt", body = Attempt),
    (status = 404, description = "No such attempt", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(attempt): Named<String>,
) -> Result<Json<Attempt>, Problem> {
    let key = visible(&caller, &attempt)?;
    Ok(Json(attempts::get(&api.engine, key).await?.into()))
}

fn visible(caller: &Caller, attempt: &str) -> Result<DialKey, Problem> {
    let not_found = || Problem::from(OperationError::NotFound { kind: "attempt", given: attempt.to_owned() });
    let key: DialKey = attempt.parse().map_err(|_| not_found())?;
    caller.sees(key.0.client).map_err(|_| not_found())?;
    Ok(key)
}

/// What came of an attempt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Correction {
    /// What is to be recorded.
    outcome: OutcomeName,
    /// Why the record is wrong. Takes the place of `X-Outdial-Reason`; one of them has to be given.
    reason: Option<String>,
}

/// Correct an attempt's outcome
///
/// Of an attempt that is over. It causes no call; an outcome after which nobody is called again ends the lead, and
/// `do_not_call` suppresses the number. The history keeps what stood there before.
#[utoipa::path(post, path = "/v1/attempts/{attempt}/outcome", tag = "attempts",
    params(("attempt" = String, Path, description = "Its id")), request_body = Correction, responses(
    (status = 200, description = "The attempt as it is recorded now", body = Attempt),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such attempt", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "Nothing is recorded of it yet", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 422, description = "There is no reason", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn correct(
    State(api): State<Api>,
    caller: Caller,
    Named(attempt): Named<String>,
    Body(input): Body<Correction>,
) -> Result<Json<Attempt>, Problem> {
    caller.is(Role::Operator)?;
    let key = visible(&caller, &attempt)?;
    let by = caller.by_for(input.reason.as_deref());
    correcting::correct(&api.engine, key, input.outcome.into(), by).await?;
    Ok(Json(attempts::get(&api.engine, key).await?.into()))
}
