//! Leads sent in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use outdial_jobs::operations::consents::ConsentSpec;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads::{self, LeadSpec, PAGE};
use outdial_workflows::calendar::parse_zone;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::places::Area;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::problem::{FieldError, ProblemDetails};
use crate::http::v1::consents::ConsentInput;
use crate::http::v1::input::wrong;
use crate::http::v1::names::PriorityName;
use crate::http::v1::{Body, Caller, Named, campaigns};
use crate::http::{Api, Problem};

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
    pub(crate) fn read(given: Value, at: &str, errors: &mut Vec<FieldError>) -> Option<LeadSpec> {
        match serde_json::from_value::<Self>(given) {
            Ok(read) => read.spec(at, errors),
            Err(error) => {
                let place = if at.is_empty() { "body" } else { at.trim_end_matches('.') };
                errors.push(FieldError::new(place, error.to_string()));
                None
            }
        }
    }

    pub(crate) fn spec(self, at: &str, errors: &mut Vec<FieldError>) -> Option<LeadSpec> {
        let mut wrong = |field: &str, problem: String| {
            errors.push(FieldError::new(format!("{at}{field}"), problem));
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
            return Err(wrong("body", problem));
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
