//! Leads.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::consents::ConsentSpec;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads::{self, Fits, LeadSpec, Listed, PAGE};
use outdial_jobs::operations::{By, OperationError, judging};
use outdial_workflows::calendar::parse_zone;
use outdial_workflows::ids::LeadId;
use outdial_workflows::input::{Answer, Command};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::packs::{ConsentLevel, Purpose};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::places::Area;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::{Priority, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::input::page_limit;
use super::{Asked, Body, Caller, Named, Page, campaigns};
use crate::http::problem::{FieldError, ProblemDetails};
use crate::http::{Api, Problem};

/// How soon a lead is called; see the rules on priority.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Priority)]
pub(crate) enum PriorityName {
    /// Before everything else.
    Urgent,
    /// Before normal.
    High,
    /// As most are.
    #[default]
    Normal,
    /// After normal.
    Low,
}

impl From<PriorityName> for Priority {
    fn from(name: PriorityName) -> Self {
        match name {
            PriorityName::Urgent => Self::Urgent,
            PriorityName::High => Self::High,
            PriorityName::Normal => Self::Normal,
            PriorityName::Low => Self::Low,
        }
    }
}

/// How much was agreed to.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConsentLevel)]
pub(crate) enum LevelName {
    /// Said so.
    Express,
    /// Signed for it.
    ExpressWritten,
}

/// What calls are for.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Purpose)]
pub(crate) enum PurposeName {
    /// To sell something.
    Marketing,
    /// About what the person has or asked for.
    Service,
    /// About a debt.
    Collections,
}

/// What the person agreed to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentInput {
    /// How much.
    level: LevelName,
    /// To what calls. Left out: all.
    purpose: Option<PurposeName>,
    /// Where it can be proved: a form, a recording, a contract.
    #[schema(min_length = 1, max_length = 300)]
    source: String,
    /// When. Left out: from now on, and only for people who never took consent back.
    given_at: Option<DateTime<Utc>>,
    /// When it ends by itself.
    expires_at: Option<DateTime<Utc>>,
}

impl From<ConsentInput> for ConsentSpec {
    fn from(input: ConsentInput) -> Self {
        let level = match input.level {
            LevelName::Express => ConsentLevel::Express,
            LevelName::ExpressWritten => ConsentLevel::ExpressWritten,
        };
        let purpose = input.purpose.map(|purpose| match purpose {
            PurposeName::Marketing => Purpose::Marketing,
            PurposeName::Service => Purpose::Service,
            PurposeName::Collections => Purpose::Collections,
        });
        let ConsentInput { source, given_at, expires_at, .. } = input;
        Self { level, purpose, source, given_at, expires_at }
    }
}

/// A person to be called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeadInput {
    /// The number, with its country code.
    #[schema(example = "+91 98765 00001")]
    phone: String,
    /// The person's name.
    name: Option<String>,
    /// The person's time zone. Left out, the number tells.
    #[schema(example = "Asia/Kolkata")]
    zone: Option<String>,
    /// Where the person is: a country, or a part of one. Left out, the number tells.
    #[schema(example = "US-FL")]
    region: Option<String>,
    /// What you call the lead. The same again in the same campaign is the same lead; without one, the same
    /// number and name are.
    external_id: Option<String>,
    /// How soon.
    #[serde(default)]
    priority: PriorityName,
    /// Whatever else scripts and people want to know.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// What the person agreed to.
    consent: Option<ConsentInput>,
}

impl LeadInput {
    /// Read by itself, so that what is wrong is said of it and not of all.
    fn read(given: Value, at: &str, errors: &mut Vec<FieldError>) -> Option<LeadSpec> {
        match serde_json::from_value::<Self>(given) {
            Ok(read) => read.spec(at, errors),
            Err(error) => {
                let place = if at.is_empty() { "body" } else { at.trim_end_matches('.') };
                errors.push(FieldError { place: place.to_owned(), problem: error.to_string() });
                None
            }
        }
    }

    fn spec(self, at: &str, errors: &mut Vec<FieldError>) -> Option<LeadSpec> {
        let mut wrong = |field: &str, problem: String| {
            errors.push(FieldError { place: format!("{at}{field}"), problem });
        };
        let phone = PhoneNumber::parse(&self.phone, None);
        let phone = phone.map_err(|error| wrong("phone", error.to_string())).ok();
        if let Some(Err(error)) = self.zone.as_deref().map(parse_zone) {
            wrong("zone", error.to_string());
        }
        if let Some(Err(error)) = self.region.as_deref().map(str::parse::<Area>) {
            wrong("region", error.to_string());
        }
        let consent = self.consent.map(ConsentSpec::from);
        if let Some(Err(problem)) = consent.as_ref().map(ConsentSpec::check) {
            wrong("consent", problem);
        }
        Some(LeadSpec {
            name: self.name,
            zone: self.zone,
            region: self.region,
            external_id: self.external_id,
            priority: self.priority.into(),
            attributes: self.attributes,
            consent,
            ..LeadSpec::new(phone?)
        })
    }
}

/// One lead, or several: at most 1,000. For the document; see [`LeadInput::read`].
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum LeadsInput {
    /// Several.
    Several(Vec<LeadInput>),
    /// One.
    One(Box<LeadInput>),
}

/// What came of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeadsAccepted {
    /// Those that were new: each reaches a recorded end.
    leads: Vec<Uuid>,
    /// How many the campaign had already.
    duplicates: usize,
    /// Consents that were new, of leads new or not.
    consents: usize,
}

/// Send leads
///
/// All of them, or none if something is wrong with any. Sent again, the same leads are duplicates and change
/// nothing.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/leads", tag = "leads",
    params(("campaign" = Uuid, Path, description = "The campaign's id")), request_body = LeadsInput, responses(
    (status = 201, description = "They are persisted, and will be called when they may", body = LeadsAccepted),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn accept(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Body(input): Body<Value>,
) -> Result<(StatusCode, Json<LeadsAccepted>), Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    let mut errors = vec![];
    let specs: Vec<LeadSpec> = match input {
        Value::Array(several) if several.len() > PAGE => {
            let problem = format!("{} are too many at once; send at most {PAGE}", several.len());
            return Err(Problem::invalid(vec![FieldError { place: "body".into(), problem }]));
        }
        Value::Array(several) => {
            let each = (0..).zip(several);
            each.filter_map(|(at, one): (u32, _)| LeadInput::read(one, &format!("[{at}]."), &mut errors))
                .collect()
        }
        one => LeadInput::read(one, "", &mut errors).into_iter().collect(),
    };
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let actor = caller.by().actor;
    let accepted = leads::accept_due(&api.engine, client, campaign, &specs, None, actor).await?;
    let leads = accepted.leads.into_iter().map(|lead| lead.0).collect();
    let body = LeadsAccepted { leads, duplicates: accepted.duplicates, consents: accepted.consents };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Explain a lead
///
/// Where it stands and why, what happens next and when, what would have to change, and its whole history.
#[utoipa::path(get, path = "/v1/leads/{lead}/explanation", tag = "leads", params(("lead" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The explanation: `state`, `why`, `outcome`, `next`, `to_change`, `attempts`, `history`", body = Object),
    (status = 404, description = "No such lead", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn explanation(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(lead): Named<Uuid>,
) -> Result<Json<Value>, Problem> {
    let found = visible(&api, &caller, lead).await?;
    let told = judging::explain_lead(&api.engine, found.client, found.lead).await?;
    Ok(Json(serde_json::to_value(told).unwrap_or_default()))
}

/// Where a lead stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LeadState)]
pub(crate) enum StateName {
    /// It is called when it is due and may be.
    Waiting,
    /// It waits for somebody to mend what is wrong, or to let it go.
    Held,
    /// An attempt is being sent, or it is not known what became of it.
    Dialling,
    /// A call is under way.
    Calling,
    /// The call is over; results may still change its outcome.
    Settling,
    /// For good, unless it is retried.
    Finished,
}

impl StateName {
    const ALL: [(Self, State); 6] = [
        (Self::Waiting, State::Waiting),
        (Self::Held, State::Held),
        (Self::Dialling, State::Dialling),
        (Self::Calling, State::Calling),
        (Self::Settling, State::Settling),
        (Self::Finished, State::Finished),
    ];

    fn of(state: State) -> Self {
        Self::ALL.into_iter().find(|(_, its)| *its == state).map_or(Self::Held, |(name, _)| name)
    }

    fn state(self) -> State {
        match self {
            Self::Waiting => State::Waiting,
            Self::Held => State::Held,
            Self::Dialling => State::Dialling,
            Self::Calling => State::Calling,
            Self::Settling => State::Settling,
            Self::Finished => State::Finished,
        }
    }
}

/// A lead with where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lead {
    /// Its id.
    id: Uuid,
    /// Its client.
    client: Uuid,
    /// Its campaign.
    campaign: Uuid,
    /// The number; absent once the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The time zone, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    /// The region, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// What you call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// Whatever else was said of it.
    #[schema(value_type = Object)]
    attributes: Value,
    /// When it was accepted.
    created_at: DateTime<Utc>,
    /// Where it stands.
    state: StateName,
    /// Why, in a sentence.
    why: String,
    /// What came of it, once finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    /// How soon it is called.
    priority: &'static str,
    /// Waiting: due from then on, within calling hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<DateTime<Utc>>,
    /// How many attempts were made.
    attempts: i16,
}

impl From<Listed> for Lead {
    fn from(lead: Listed) -> Self {
        let why = serde_json::from_value::<Why>(lead.why).map(|why| why.to_string());
        Self {
            id: lead.lead.0,
            client: lead.client.0,
            campaign: lead.campaign.0,
            phone: lead.phone,
            name: lead.name,
            zone: lead.zone,
            region: lead.region,
            external_id: lead.external_id,
            attributes: lead.attributes,
            created_at: lead.created_at,
            state: StateName::of(lead.state),
            why: why.unwrap_or_else(|_| "its reason cannot be read by this version".into()),
            outcome: lead.outcome.map(Outcome::name),
            priority: lead.priority.name(),
            due_at: lead.wake_at.filter(|_| lead.state == State::Waiting),
            attempts: lead.attempts,
        }
    }
}

/// Which leads, and which page of them.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LeadsQuery {
    /// Only those that stand so.
    state: Option<StateName>,
    /// Only those that ended so, as `no_answer`.
    outcome: Option<String>,
    /// The `next` of the page before.
    cursor: Option<Uuid>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// List leads
///
/// Those of a campaign, first those that came first. A page may hold fewer than asked for although more
/// follow: what fits a filter is looked for five thousand leads at a time.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/leads", tag = "leads",
    params(("campaign" = Uuid, Path, description = "The campaign's id"), LeadsQuery), responses(
    (status = 200, description = "A page of leads", body = Page<Lead>),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Asked(query): Asked<LeadsQuery>,
) -> Result<Json<Page<Lead>>, Problem> {
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    let limit = page_limit(query.limit)?;
    let outcome = query.outcome.as_deref().map(str::parse::<Outcome>).transpose().map_err(|error| {
        Problem::invalid(vec![FieldError { place: "outcome".into(), problem: error.to_string() }])
    })?;
    let fits = Fits { state: query.state.map(StateName::state), outcome };
    let after = query.cursor.map(LeadId);
    let (found, next) = leads::page(&api.engine, client, campaign, fits, after, limit).await?;
    Ok(Json(Page::from_to(found.into_iter().map(Lead::from).collect(), next.map(|lead| lead.0))))
}

/// Whose lead this is, if the caller may see it.
async fn visible(api: &Api, caller: &Caller, lead: Uuid) -> Result<Listed, Problem> {
    let found = leads::get(&api.engine, LeadId(lead)).await?;
    let not_found = || OperationError::NotFound { kind: "lead", given: lead.to_string() };
    caller.sees(found.client).map_err(|_| Problem::from(not_found()))?;
    Ok(found)
}

/// Get a lead
#[utoipa::path(get, path = "/v1/leads/{lead}", tag = "leads", params(("lead" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The lead", body = Lead),
    (status = 404, description = "No such lead", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(lead): Named<Uuid>,
) -> Result<Json<Lead>, Problem> {
    Ok(Json(visible(&api, &caller, lead).await?.into()))
}

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
    at: Option<DateTime<Utc>>,
    /// Of a prioritise: how soon.
    priority: Option<PriorityName>,
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

impl LeadOrderInput {
    fn command(&self) -> Result<Command, Problem> {
        let needed = |place: &str, problem: &str| {
            Problem::invalid(vec![FieldError { place: place.into(), problem: problem.into() }])
        };
        match self.order {
            LeadOrder::Reschedule => {
                let at = self.at.ok_or_else(|| needed("at", "a reschedule needs the time from which on"))?;
                Ok(Command::Reschedule { at })
            }
            LeadOrder::Prioritise => {
                let priority = self.priority.ok_or_else(|| needed("priority", "say how soon"))?;
                Ok(Command::Prioritise { priority: priority.into() })
            }
            _ if self.at.is_some() => Err(needed("at", "only a reschedule has a time; leave it out")),
            _ if self.priority.is_some() => {
                Err(needed("priority", "only a prioritise has a priority; leave it out"))
            }
            LeadOrder::Pause => Ok(Command::Pause),
            LeadOrder::Resume => Ok(Command::Resume),
            LeadOrder::Cancel => Ok(Command::Cancel),
            LeadOrder::Retry => Ok(Command::Retry),
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
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(lead): Named<Uuid>,
    Body(input): Body<LeadOrderInput>,
) -> Result<Json<LeadOrdered>, Problem> {
    caller.is(Role::Operator)?;
    let found = visible(&api, &caller, lead).await?;
    let command = input.command()?;
    let By { actor, reason } = caller.by();
    let reason = input.reason.as_deref().or(reason);
    let answer = leads::order(&api.engine, found.client, found.lead, command, actor, reason).await?;
    let lead = leads::get(&api.engine, found.lead).await?.into();
    Ok(Json(LeadOrdered { deferred: answer == Answer::Deferred, lead }))
}
