//! Numbers that must not be called.

pub(crate) mod import;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::suppressions::{self, Added, Listed, Whose};
use outdial_workflows::ids::CampaignId;
use outdial_workflows::phone::PhoneNumber;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::input::{phone, wrong};
use super::paging::listing;
use super::{Asked, Body, Caller, Named, Page};
use crate::http::problem::{FieldError, ProblemDetails};
use crate::http::{Api, Problem};

/// A number that must not be called.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Suppression {
    /// The entry's id.
    id: Uuid,
    /// The number.
    phone: String,
    /// The campaign on whose list it is; absent: it is on that of the client, for all campaigns.
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Uuid>,
    /// Where it came from.
    source: String,
    /// Who put it there.
    actor: String,
    /// When.
    created_at: DateTime<Utc>,
    /// When it ends by itself; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
}

impl From<Listed> for Suppression {
    fn from(entry: Listed) -> Self {
        Self {
            id: entry.id,
            phone: entry.phone,
            campaign: entry.campaign.map(|campaign| campaign.0),
            source: entry.source,
            actor: entry.actor,
            created_at: entry.created_at,
            expires_at: entry.expires_at,
        }
    }
}

listing! {
    /// Which entries, and which page of them.
    SuppressionsQuery {
        /// Only those of this campaign's list.
        campaign: Option<Uuid>,
        /// Only those of this number.
        #[param(example = "+919876500001")]
        phone: Option<String>,
    }
}

/// List suppressions
///
/// What is in force: on the client's list and on those of its campaigns, the newest first unless told otherwise.
#[utoipa::path(get, path = "/v1/clients/{client}/suppressions", tag = "suppressions",
    params(("client" = Uuid, Path, description = "The client's id"), SuppressionsQuery), responses(
    (status = 200, description = "A page of entries", body = Page<Suppression>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<SuppressionsQuery>,
) -> Result<Json<Page<Suppression>>, Problem> {
    let client = caller.client(&api, client).await?;
    let whose = Whose { client, campaign: query.campaign.map(CampaignId) };
    let phone = query.phone.as_deref().map(|given| phone(given, "phone")).transpose()?;
    let found = async |part| suppressions::list(&api.engine, whose, phone.as_ref(), part).await;
    query.page().of(found, |entry: &Suppression| entry.id).await
}

/// Numbers to be put on a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuppressionInput {
    /// The numbers, with their country codes.
    #[schema(min_items = 1, max_items = 1000, example = json!(["+919876500001"]))]
    phones: Vec<String>,
    /// The campaign on whose list they are put. Left out: on that of the client, for all campaigns.
    campaign: Option<Uuid>,
    /// Where they come from, kept with each. Left out: `operator`.
    source: Option<String>,
    /// When that ends by itself. Left out: never.
    #[serde(default, deserialize_with = "crate::http::v1::input::time")]
    expires_at: Option<DateTime<Utc>>,
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

impl SuppressionInput {
    fn phones(&self) -> Result<Vec<PhoneNumber>, Problem> {
        if !(1..=suppressions::PAGE).contains(&self.phones.len()) {
            return Err(wrong("phones", format!("give 1 to {} numbers at once", suppressions::PAGE)));
        }
        let (mut phones, mut errors) = (vec![], vec![]);
        for (at, given) in self.phones.iter().enumerate() {
            match PhoneNumber::parse(given, None) {
                Ok(phone) => phones.push(phone),
                Err(error) => {
                    errors.push(FieldError::new(format!("phones[{at}]"), error.to_string()));
                }
            }
        }
        if errors.is_empty() { Ok(phones) } else { Err(Problem::invalid(errors)) }
    }
}

/// What came of putting numbers on a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Suppressed {
    /// Numbers that were not on it.
    added: u64,
    /// Numbers that stay on it for longer.
    extended: u64,
    /// Numbers that were on it already, for as long or longer.
    already: u64,
}

/// Suppress numbers
///
/// All of them, or none if something is wrong with any. Once this is answered nobody with one of them is dialled;
/// calls under way go on.
#[utoipa::path(post, path = "/v1/clients/{client}/suppressions", tag = "suppressions",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = SuppressionInput, responses(
    (status = 200, description = "They are on the list", body = Suppressed),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client or campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn add(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<SuppressionInput>,
) -> Result<Json<Suppressed>, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let whose = Whose { client, campaign: input.campaign.map(CampaignId) };
    let (phones, by) = (input.phones()?, caller.by_for(input.reason.as_deref()));
    let source = input.source.as_deref().unwrap_or("operator");
    let added = suppressions::add(&api.engine, whose, &phones, source, input.expires_at, by).await?;
    let Added { added, extended, already } = added;
    Ok(Json(Suppressed { added, extended, already }))
}

/// Lift a suppression
///
/// Leads that finished because of it stay finished until they are retried.
#[utoipa::path(delete, path = "/v1/clients/{client}/suppressions/{suppression}", tag = "suppressions",
    params(("client" = Uuid, Path, description = "The client's id"), ("suppression" = Uuid, Path, description = "The entry's id")), responses(
    (status = 204, description = "It does not hold any more"),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client, or no such entry in force", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn lift(
    State(api): State<Api>,
    caller: Caller,
    Named((client, suppression)): Named<(Uuid, Uuid)>,
) -> Result<StatusCode, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    suppressions::lift(&api.engine, client, suppression, caller.by()).await?;
    Ok(StatusCode::NO_CONTENT)
}
