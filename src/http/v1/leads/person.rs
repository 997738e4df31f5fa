//! Who a lead's person is, put right.

use axum::Json;
use axum::extract::State;
use outdial_jobs::operations::editing::{self, Edit, Edited};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads;
use outdial_workflows::history::PersonPart;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Lead, visible};
use crate::http::problem::ProblemDetails;
use crate::http::v1::input::phone;
use crate::http::v1::{Body, Caller, Named};
use crate::http::{Api, Problem};

/// What is to be otherwise. What is left out stays; null takes it away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonInput {
    /// The number, with its country code.
    #[schema(example = "+91 98765 00001")]
    phone: Option<String>,
    /// The name.
    #[serde(default, deserialize_with = "or_null")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// The zone by whose clock the person lives. Without one, the number tells.
    #[serde(default, deserialize_with = "or_null")]
    #[schema(value_type = Option<String>, example = "Asia/Kolkata")]
    zone: Option<Option<String>>,
    /// Where the person is: a country, or a part of one. Without it, the number tells.
    #[serde(default, deserialize_with = "or_null")]
    #[schema(value_type = Option<String>, example = "US-FL")]
    region: Option<Option<String>>,
    /// Attributes by their names; null takes one away. Those that are not named stay.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

/// Null is something other than nothing said.
fn or_null<'de, D: Deserializer<'de>>(given: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(given).map(Some)
}

/// What came of an edit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonEdited {
    /// What is otherwise by now: `number`, `name`, `zone`, `region`, `attributes`.
    #[schema(value_type = Vec<String>)]
    changed: Vec<PersonPart>,
    /// Whether the number is on a list that forbids calls to it.
    suppressed: bool,
    /// How many consents are on record of the number.
    consents: usize,
    /// The lead as it stands now.
    lead: Lead,
}

/// Edit a lead's person
///
/// Nobody is called for it, and nobody is let go: the number is asked everything that any number is asked before the next
/// call. What was before and after is in the audit log; the lead's history names what was edited.
#[utoipa::path(patch, path = "/v1/leads/{lead}", tag = "leads", params(("lead" = Uuid, Path, description = "Its id")),
    request_body = PersonInput, responses(
    (status = 200, description = "It is so", body = PersonEdited),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such lead", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "A call is under way, the person was erased, or the campaign has the same person already", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn edit(
    State(api): State<Api>,
    caller: Caller,
    Named(lead): Named<Uuid>,
    Body(input): Body<PersonInput>,
) -> Result<Json<PersonEdited>, Problem> {
    caller.is(Role::Operator)?;
    let found = visible(&api, &caller, lead).await?;
    let PersonInput { phone: number, name, zone, region, attributes, reason } = input;
    let number = number.as_deref().map(|number| phone(number, "phone")).transpose()?;
    let edit = Edit { phone: number, name, zone, region, attributes };
    let by = caller.by_for(reason.as_deref());
    let edited = editing::edit(&api.engine, found.client, found.lead, &edit, by).await?;
    let Edited { changed, suppressed, consents } = edited;
    let lead = leads::get(&api.engine, found.lead).await?.into();
    Ok(Json(PersonEdited { changed, suppressed, consents, lead }))
}
