//! Calls for clients that bring their own lists: ordered one by one or in batches, looked at, cancelled.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use std::num::NonZeroU32;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::Direction;
use outdial_jobs::operations::calls::{self, BatchSpec, Cancelled, Fits, Standing, Through};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads::LeadSpec;
use outdial_jobs::operations::transferring;
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::{AccountId, CampaignId, LeadId};
use outdial_workflows::results::CallResults;
use outdial_workflows::rules::{Agent, Rules};
use outdial_workflows::workflow::Priority;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::attempts::TransferShown;
use super::campaigns::rules::read_rules;
use super::input::wrong;
use super::leads::accept::LeadInput;
use super::names::{CallStatusName, OutcomeName, PriorityName};
use super::paging::{OrderName, Page, page_limit};
use super::{Asked, Body, Caller, Named, campaigns, reports};
use crate::http::problem::{FieldError, ProblemDetails};
use crate::http::{Api, Problem};

/// Through what a call is made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ThroughInput {
    /// The account.
    account: Uuid,
    /// The agent that talks, by its carrier's name for it: Retell's agent id, or the name that a LiveKit worker
    /// registered under. Left out, it is what `rules` name as `agent`, as a playbook of our own:
    /// `{"mode": "stream", "playbook": "property-enquiry"}`.
    agent: Option<String>,
    /// Which version of it.
    agent_version: Option<String>,
    /// The number that calls come from, as the account knows it.
    from: Option<String>,
    /// Further rules, as a campaign has them: hours, retries, what the agent is told.
    #[serde(default)]
    #[schema(value_type = Object)]
    rules: Map<String, Value>,
}

impl ThroughInput {
    fn read(self) -> Result<Through, Problem> {
        let mut rules: Rules = read_rules(self.rules)?;
        if let Some(agent_id) = self.agent {
            rules.agent = Agent::Hosted { agent_id, version: self.agent_version };
        }
        if let Some(from) = self.from {
            rules.caller_ids = vec![CallerId(from)];
        }
        // Whoever brings a list says of each person what the agent is to know.
        rules.pass_attributes = true;
        Ok(Through { account: AccountId(self.account), rules })
    }
}

/// One call to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallInput {
    /// Whom to call. Its `attributes` are what the agent is told, as dynamic variables.
    #[schema(inline)]
    lead: LeadInput,
    /// Through what. One of it, a campaign and `test_of` is to be named.
    through: Option<ThroughInput>,
    /// The campaign that it is a call of.
    campaign: Option<Uuid>,
    /// The campaign that it is to be like, for somebody who wants to hear one of its calls: it has one attempt, and is not
    /// counted as the campaign's. Hours, consent, caps and suppressions hold for it, too.
    test_of: Option<Uuid>,
    /// Not before then.
    #[serde(default, deserialize_with = "super::input::time")]
    scheduled_at: Option<DateTime<Utc>>,
}

/// A batch of calls to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchInput {
    /// Its name, unique among the client's campaigns.
    #[schema(min_length = 1)]
    name: String,
    /// Through what.
    #[schema(inline)]
    through: ThroughInput,
    /// Whom to call: at most 10,000. Longer lists are sent as files, to a campaign.
    #[schema(value_type = Vec<LeadInput>)]
    leads: Vec<Value>,
    /// How soon, of those who say nothing themselves.
    priority: Option<PriorityName>,
    /// Not before then.
    #[serde(default, deserialize_with = "super::input::time")]
    scheduled_at: Option<DateTime<Utc>>,
    /// The most of its calls at once.
    #[schema(value_type = Option<u32>, minimum = 1)]
    max_concurrent: Option<NonZeroU32>,
}

/// The latest attempt of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LatestAttempt {
    /// Its id.
    id: String,
    /// The carrier's name for the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    /// The account.
    account: Uuid,
    /// The number called from.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// When it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    /// When somebody picked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_at: Option<DateTime<Utc>>,
    /// When its end became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// Time connected, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    talk_ms: Option<i32>,
    /// The carrier's word for the reason of the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnection_reason: Option<String>,
    /// Where a recording lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_url: Option<String>,
    /// What it cost, in millionths of the unit of the account's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_micros: Option<i64>,
    /// The latest order to hand it to somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer: Option<TransferShown>,
}

/// A call as its client sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderedCall)]
pub(crate) struct Call {
    /// Its id: its lead's.
    id: Uuid,
    /// The client.
    client: Uuid,
    /// The campaign or batch that it belongs to.
    campaign: Uuid,
    /// What its sender calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// The number called; absent once the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// The person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// How far it has come. One that waits to be tried again is scheduled again.
    status: CallStatusName,
    /// What came of it, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeName>,
    /// How soon it is made.
    priority: PriorityName,
    /// How many attempts were made.
    attempts: i16,
    /// When the next attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<DateTime<Utc>>,
    /// When it was accepted.
    created_at: DateTime<Utc>,
    /// The latest attempt, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<LatestAttempt>,
    /// What the conversation yielded; only where one call is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<reports::ResultsShown>)]
    results: Option<CallResults>,
}

impl From<Standing> for Call {
    fn from(Standing { lead, status, latest }: Standing) -> Self {
        let latest = latest.map(|made| LatestAttempt {
            transfer: TransferShown::of(&made),
            id: made.key.to_string(),
            call_id: made.call_id,
            account: made.account.0,
            from: made.caller_id,
            started_at: made.submitted_at,
            answered_at: made.answered_at,
            ended_at: made.ended_at,
            talk_ms: made.talk_ms,
            disconnection_reason: made.cause,
            recording_url: made.recording_url,
            cost_micros: made.cost_micros,
        });
        Self {
            id: lead.lead.0,
            client: lead.client.0,
            campaign: lead.campaign.0,
            external_id: lead.external_id,
            to: lead.phone,
            name: lead.name,
            status: status.into(),
            outcome: lead.outcome.map(Into::into),
            priority: lead.priority.into(),
            attempts: lead.attempts,
            due_at: lead.due_at,
            created_at: lead.created_at,
            latest,
            results: None,
        }
    }
}

/// Order a call
///
/// It is made as soon as it may be: hours, consent, suppressions and limits hold for it as for any lead. With an
/// `external_id` that its campaign has already it is the call of before, and nothing is made twice.
#[utoipa::path(post, path = "/v1/clients/{client}/calls", tag = "calls",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = CallInput, responses(
    (status = 201, description = "It is persisted, and will be made when it may", body = Call),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client, account or campaign", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "It makes no sense where the campaign stands", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn place(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<CallInput>,
) -> Result<(StatusCode, Json<Call>), Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let into = match (input.campaign, input.through, input.test_of) {
        (Some(campaign), None, None) => {
            let (owner, campaign) = campaigns::visible(&api, &caller, campaign).await?;
            if owner != client {
                return Err(wrong("campaign", "it is another client's"));
            }
            calls::Into::Campaign(campaign)
        }
        (None, Some(through), None) => calls::Into::Standing(Box::new(through.read()?)),
        (None, None, Some(campaign)) => {
            let (owner, campaign) = campaigns::visible(&api, &caller, campaign).await?;
            if owner != client {
                return Err(wrong("test_of", "it is another client's"));
            }
            calls::Into::TestOf(campaign)
        }
        _ => {
            let problem =
                "say through what it is made, or name a campaign, or one that it tests; one of them";
            return Err(wrong("through", problem));
        }
    };
    let mut errors = vec![];
    let Some(spec) = input.lead.spec("lead.", &mut errors) else { return Err(Problem::invalid(errors)) };
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let placed = calls::place(&api.engine, client, into, spec, input.scheduled_at, caller.by()).await?;
    let (standing, results) = calls::get(&api.engine, client, placed).await?;
    Ok((StatusCode::CREATED, Json(Call { results, ..standing.into() })))
}

/// What came of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Batched {
    /// Its id: the campaign that it is.
    batch: Uuid,
    /// Calls that it has.
    accepted: usize,
    /// People who were in it twice.
    duplicates: usize,
}

/// Order a batch of calls
///
/// A campaign of its own, which begins at once or when it is scheduled: it is paused, resumed, cancelled and looked at
/// as any. All of its calls are taken, or none if something is wrong with any.
#[utoipa::path(post, path = "/v1/clients/{client}/calls/batch", tag = "calls",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = BatchInput, responses(
    (status = 201, description = "They are persisted, and will be made when they may", body = Batched),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client or account", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "The name is taken", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn batch(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<BatchInput>,
) -> Result<(StatusCode, Json<Batched>), Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    if input.leads.len() > calls::MOST_IN_BATCH {
        let most = calls::MOST_IN_BATCH;
        let problem = format!("{} are too many at once; send at most {most}", input.leads.len());
        return Err(wrong("leads", problem));
    }
    let mut errors: Vec<FieldError> = vec![];
    let usual = input.priority;
    let given = (0_u32..).zip(input.leads);
    let specs: Vec<LeadSpec> = given
        .filter_map(|(at, mut lead)| {
            if let (Some(fields), Some(priority)) = (lead.as_object_mut(), usual) {
                fields.entry("priority").or_insert_with(|| Priority::from(priority).name().into());
            }
            LeadInput::read(lead, &format!("leads[{at}]."), &mut errors)
        })
        .collect();
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let spec = BatchSpec {
        name: input.name,
        through: input.through.read()?,
        max_concurrent: input.max_concurrent,
        scheduled_at: input.scheduled_at,
        calls: specs,
    };
    let batched = calls::batch(&api.engine, client, spec, caller.by()).await?;
    let calls::Batched { campaign, accepted, duplicates } = batched;
    Ok((StatusCode::CREATED, Json(Batched { batch: campaign.0, accepted, duplicates })))
}

/// Which of a client's calls, and which page.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlacedQuery {
    /// Only those that stand so.
    #[param(inline)]
    status: Option<CallStatusName>,
    /// Only those of which this came.
    #[param(inline)]
    outcome: Option<OutcomeName>,
    /// Only those of this campaign or batch.
    campaign: Option<Uuid>,
    /// The `next` of the page before.
    cursor: Option<Uuid>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `asc`: the oldest first. `desc`: the newest first. Give it again with each cursor.
    #[param(inline)]
    order: Option<OrderName>,
}

/// List a client's calls
///
/// The newest first unless told otherwise. A page may hold fewer than asked for although more follow: what fits is
/// looked for five thousand calls at a time.
#[utoipa::path(get, path = "/v1/clients/{client}/calls", tag = "calls",
    params(("client" = Uuid, Path, description = "The client's id"), PlacedQuery), responses(
    (status = 200, description = "A page of calls", body = Page<Call>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<PlacedQuery>,
) -> Result<Json<Page<Call>>, Problem> {
    let client = caller.client(&api, client).await?;
    let fits = Fits {
        status: query.status.map(Into::into),
        outcome: query.outcome.map(Into::into),
        campaign: query.campaign.map(CampaignId),
    };
    let direction = query.order.map_or(Direction::NewestFirst, OrderName::direction);
    let (after, limit) = (query.cursor.map(LeadId), page_limit(query.limit)?);
    let (found, next) = calls::page(&api.engine, client, fits, direction, after, limit).await?;
    Ok(Json(Page::from_to(found.into_iter().map(Into::into).collect(), next)))
}

/// Get a client's call
#[utoipa::path(get, path = "/v1/clients/{client}/calls/{call}", tag = "calls",
    params(("client" = Uuid, Path, description = "The client's id"), ("call" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The call, with what it yielded", body = Call),
    (status = 404, description = "No such call", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named((client, call)): Named<(Uuid, Uuid)>,
) -> Result<Json<Call>, Problem> {
    let client = caller.client(&api, client).await?;
    let (standing, results) = calls::get(&api.engine, client, LeadId(call)).await?;
    Ok(Json(Call { results, ..standing.into() }))
}

/// What became of a cancelled call.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancelResult {
    /// No call was under way, and none will be made.
    NotMade,
    /// Its carrier is asked to end it; no other attempt follows.
    Ending,
    /// Its carrier cannot end it: it goes on until it ends by itself. No other attempt follows.
    GoesOn,
    /// It was over before.
    WasOver,
}

/// How a cancel went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelAnswer {
    /// What became of it.
    result: CancelResult,
    /// Why it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The call as it stands now.
    call: Call,
}

/// Cancel a client's call
///
/// Whether it waits, rings or is answered: it is not made, or ended as far as its carrier can, and no other attempt
/// follows.
#[utoipa::path(post, path = "/v1/clients/{client}/calls/{call}/cancel", tag = "calls",
    params(("client" = Uuid, Path, description = "The client's id"), ("call" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "What became of it", body = CancelAnswer),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such call", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "It is in quarantine", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    Named((client, call)): Named<(Uuid, Uuid)>,
) -> Result<Json<CancelAnswer>, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let cancelled = calls::cancel(&api.engine, client, LeadId(call), caller.by()).await?;
    let (result, why) = match cancelled {
        Cancelled::BeforeItWasMade => (CancelResult::NotMade, None),
        Cancelled::Ending => (CancelResult::Ending, None),
        Cancelled::GoesOn { why } => (CancelResult::GoesOn, Some(why)),
        Cancelled::WasOver => (CancelResult::WasOver, None),
    };
    let (standing, results) = calls::get(&api.engine, client, LeadId(call)).await?;
    Ok(Json(CancelAnswer { result, why, call: Call { results, ..standing.into() } }))
}

/// Whom a call is handed to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferInput {
    /// A number in E.164, or a SIP address: `sip:` or `sips:`, a user, and a host with perhaps a port.
    #[schema(example = "+14155550100")]
    to: String,
    /// What they are told as they answer, before they are put through; the person does not hear it. Only of calls that our
    /// own agent talks on, through Telnyx.
    #[schema(
        max_length = 800,
        example = "Asha asks about a flat with two bedrooms, and wants to see it on Friday."
    )]
    briefing: Option<String>,
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

/// Transfer a client's call
///
/// The carrier is asked, once, to hand the call that is under way to somebody else. Whether it was is told by
/// `latest.transfer` of the call, by the lead's story, and by the events `call.transferring`, `call.transferred`,
/// `call.transfer_refused` and `call.transfer_unknown`. A call that was not transferred goes on as before.
#[utoipa::path(post, path = "/v1/clients/{client}/calls/{call}/transfer", tag = "calls",
    params(("client" = Uuid, Path, description = "The client's id"), ("call" = Uuid, Path, description = "Its id")),
    request_body = TransferInput, responses(
    (status = 202, description = "It is ordered", body = Call),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such call", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "It cannot be transferred now, by its type: `no-call`, `not-answered`, \
        `transfer-under-way`, `already-transferred`, `carrier-cannot`, `quarantined`", body = ProblemDetails,
        content_type = "application/problem+json"),
    (status = 422, description = "`to` is no such address, or the person's own or a suppressed number; or `briefing` is none", body = ProblemDetails,
        content_type = "application/problem+json"),
))]
pub(crate) async fn transfer(
    State(api): State<Api>,
    caller: Caller,
    Named((client, call)): Named<(Uuid, Uuid)>,
    Body(input): Body<TransferInput>,
) -> Result<(StatusCode, Json<Call>), Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let by = caller.by_for(input.reason.as_deref());
    let briefing = input.briefing.as_deref().map(transferring::briefing).transpose()?;
    transferring::transfer(&api.engine, (client, LeadId(call)), &input.to, briefing, by).await?;
    let (standing, results) = calls::get(&api.engine, client, LeadId(call)).await?;
    Ok((StatusCode::ACCEPTED, Json(Call { results, ..standing.into() })))
}
