//! What people agreed to, and took back.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::consents::{self, ConsentSpec};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::store::consents::Recorded;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::input::phone;
use super::names::{LevelName, PurposeName};
use super::{Asked, Body, Caller, Named, Page};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

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
    #[serde(default, deserialize_with = "crate::http::v1::input::time")]
    given_at: Option<DateTime<Utc>>,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "crate::http::v1::input::time")]
    expires_at: Option<DateTime<Utc>>,
}

impl From<ConsentInput> for ConsentSpec {
    fn from(input: ConsentInput) -> Self {
        let ConsentInput { level, purpose, source, given_at, expires_at } = input;
        Self { level: level.into(), purpose: purpose.map(Into::into), source, given_at, expires_at }
    }
}

/// A consent on record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Consent {
    /// Its id.
    id: Uuid,
    /// Whose.
    phone: String,
    /// How much was agreed to.
    level: LevelName,
    /// To what calls; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<PurposeName>,
    /// Where it can be proved.
    source: String,
    /// When it was given.
    given_at: DateTime<Utc>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    /// When it was taken back, with everything that was given before.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
    /// Who recorded it.
    actor: String,
    /// When it was recorded.
    created_at: DateTime<Utc>,
}

impl From<Recorded> for Consent {
    fn from(recorded: Recorded) -> Self {
        let Recorded { id, phone, consent, actor, created_at } = recorded;
        Self {
            id,
            phone: phone.as_str().to_owned(),
            level: consent.level.into(),
            purpose: consent.purpose.map(Into::into),
            source: consent.source,
            given_at: consent.given_at,
            expires_at: consent.expires_at,
            revoked_at: consent.revoked_at,
            actor,
            created_at,
        }
    }
}

/// Whose consent.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConsentsQuery {
    /// The person's number, with its country code.
    #[param(example = "+919876500001")]
    phone: String,
}

/// List a person's consents
///
/// All that is on record under the number, by when it was given, and what was taken back.
#[utoipa::path(get, path = "/v1/clients/{client}/consents", tag = "consents",
    params(("client" = Uuid, Path, description = "The client's id"), ConsentsQuery), responses(
    (status = 200, description = "What is on record", body = Page<Consent>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<ConsentsQuery>,
) -> Result<Json<Page<Consent>>, Problem> {
    let client = caller.client(&api, client).await?;
    let phone = phone(&query.phone, "phone")?;
    let found = consents::list(&api.engine, client, &phone).await?;
    Ok(Json(Page::whole(found)))
}

/// A consent to be recorded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConsent {
    /// The person's number, with its country code.
    #[schema(example = "+919876500001")]
    phone: String,
    /// What they agreed to.
    consent: ConsentInput,
    /// Why it is recorded now. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

/// What came of recording a consent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsentRecorded {
    /// Whether it was new. If it was not, the same is on record, or consent was taken back and no `given_at`
    /// says when it was given anew.
    new: bool,
    /// Leads that go on by themselves now, which were held for want of it.
    released: usize,
}

/// Record a consent
///
/// The person's leads that were held for want of it go on by themselves.
#[utoipa::path(post, path = "/v1/clients/{client}/consents", tag = "consents",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = NewConsent, responses(
    (status = 200, description = "It is on record", body = ConsentRecorded),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn add(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<NewConsent>,
) -> Result<Json<ConsentRecorded>, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let phone = phone(&input.phone, "phone")?;
    let by = caller.by_for(input.reason.as_deref());
    let added = consents::add(&api.engine, client, &phone, &input.consent.into(), by).await?;
    Ok(Json(ConsentRecorded { new: added.new > 0, released: added.released }))
}

/// Consent to be taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevocationInput {
    /// The person's number, with its country code.
    #[schema(example = "+919876500001")]
    phone: String,
    /// To what calls. Left out: all.
    purpose: Option<PurposeName>,
    /// How they said so, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

/// What came of taking consent back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsentRevoked {
    /// How many consents this took back. That it was taken back is on record even if there was none.
    taken_back: u64,
}

/// Take a person's consent back
///
/// Once this is answered, nobody with the number is dialled for that purpose until consent is given anew.
/// Calls under way go on.
#[utoipa::path(post, path = "/v1/clients/{client}/consents/revoke", tag = "consents",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = RevocationInput, responses(
    (status = 200, description = "It is on record", body = ConsentRevoked),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<RevocationInput>,
) -> Result<Json<ConsentRevoked>, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let phone = phone(&input.phone, "phone")?;
    let purpose = input.purpose.map(Into::into);
    let by = caller.by_for(input.reason.as_deref());
    let taken_back = consents::revoke(&api.engine, client, &phone, purpose, by).await?;
    Ok(Json(ConsentRevoked { taken_back }))
}
