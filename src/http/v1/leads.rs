//! Leads.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::consents::ConsentSpec;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads::{self, LeadSpec, PAGE};
use outdial_jobs::operations::{OperationError, judging};
use outdial_workflows::calendar::parse_zone;
use outdial_workflows::packs::{ConsentLevel, Purpose};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::places::Area;
use outdial_workflows::workflow::Priority;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Body, Caller, Named, campaigns};
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
    (status = 400, description = "Not JSON", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 401, description = "No key, or none of ours", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 415, description = "Not JSON", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 422, description = "Parts of it are wrong", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn accept(
    State(api): State<Api>,
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
    (status = 401, description = "No key, or none of ours", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such lead", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn explanation(
    State(api): State<Api>,
    caller: Caller,
    Named(lead): Named<Uuid>,
) -> Result<Json<Value>, Problem> {
    let not_found = || OperationError::NotFound { kind: "lead", given: lead.to_string() };
    let person = leads::find(&api.engine, &lead.to_string()).await?;
    caller.sees(person.client).map_err(|_| Problem::from(not_found()))?;
    let told = judging::explain_lead(&api.engine, person.client, person.lead).await?;
    Ok(Json(serde_json::to_value(told).unwrap_or_default()))
}
