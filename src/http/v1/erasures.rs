//! People who were erased.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::erasing::{self, Certificate};
use outdial_jobs::operations::keys::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::input::phone;
use super::{Asked, Body, Caller, Named, Page};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// A certificate of what was erased of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Erasure {
    /// Its id.
    id: Uuid,
    /// A hash of the number, made with the installation's key. The number itself is nowhere any more.
    number_hash: String,
    /// By whose order.
    actor: String,
    /// In their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When.
    at: DateTime<Utc>,
    /// How many rows were removed, or emptied of the person, by table; and files of recordings.
    erased: BTreeMap<String, u64>,
    /// How many rows with the number were kept, by table: entries of lists that must go on to forbid calls to it.
    kept: BTreeMap<String, u64>,
}

impl From<Certificate> for Erasure {
    fn from(certificate: Certificate) -> Self {
        let Certificate { id, number_hash, actor, reason, at, erased, kept } = certificate;
        Self { id, number_hash, actor, reason, at, erased, kept }
    }
}

/// Of whom.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ErasuresQuery {
    /// The person's number, with its country code.
    #[param(example = "+919876500001")]
    phone: String,
}

/// List a person's certificates
///
/// Whether, when and by whom the person with this number was erased, the oldest first.
#[utoipa::path(get, path = "/v1/clients/{client}/erasures", tag = "erasures",
    params(("client" = Uuid, Path, description = "The client's id"), ErasuresQuery), responses(
    (status = 200, description = "The certificates", body = Page<Erasure>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<ErasuresQuery>,
) -> Result<Json<Page<Erasure>>, Problem> {
    let client = caller.client(&api, client).await?;
    let phone = phone(&query.phone, "phone")?;
    let found = erasing::certificates(&api.engine, client, &phone).await?;
    Ok(Json(Page::whole(found)))
}

/// Who is to be erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureInput {
    /// The person's number, with its country code.
    #[schema(example = "+919876500001")]
    phone: String,
    /// Whether the number is taken off lists that forbid calls to it, too. Without them, the next file with the number in it
    /// would have the person called.
    #[serde(default)]
    lists_too: bool,
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

/// Erase a person
///
/// Everything that tells who they are, wherever it is stored: leads, attempts, what calls yielded, conversations and our
/// recordings of them, consents, webhooks. Their leads are cancelled first. Counts and histories stay, and who ordered
/// what: they name nobody. It cannot be undone.
#[utoipa::path(post, path = "/v1/clients/{client}/erasures", tag = "erasures",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = ErasureInput, responses(
    (status = 200, description = "They are erased", body = Erasure),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "They are being called; nothing is erased", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn erase(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<ErasureInput>,
) -> Result<Json<Erasure>, Problem> {
    caller.is(Role::Admin)?;
    let client = caller.client(&api, client).await?;
    let phone = phone(&input.phone, "phone")?;
    let by = caller.by_for(input.reason.as_deref());
    let certificate = erasing::erase(&api.engine, client, &phone, input.lists_too, by).await?;
    Ok(Json(certificate.into()))
}
