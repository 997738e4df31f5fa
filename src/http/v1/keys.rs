//! Keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use outdial_jobs::operations::keys::{self, ApiKey, KeySpec, Role};
use outdial_workflows::ids::ClientId;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::names::RoleName;
use super::{Asked, Body, Caller, Named, Page, PageQuery};
use crate::http::problem::{FieldError, ProblemDetails};
use crate::http::{Api, Problem};

/// A key, without what proves it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Key {
    /// Its id.
    id: Uuid,
    /// The one client that it is good for; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<Uuid>,
    /// Whose it is.
    name: String,
    /// What it allows.
    role: RoleName,
    /// Its last characters.
    #[schema(example = "x7Qa")]
    hint: String,
    /// Who made it.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
    /// From when on it is good for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<DateTime<Utc>>,
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            client: key.client.map(|client| client.0),
            name: key.name,
            role: key.role.into(),
            hint: key.hint,
            created_by: key.created_by,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            used_at: key.used_at,
        }
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKey {
    /// What it is known by.
    #[serde(flatten)]
    key: Key,
    /// The key itself. It is told once, and cannot be told again.
    #[schema(example = "outdial_EXAMPLE-0000000000000000000000000000000000x7Qa")]
    token: String,
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyInput {
    /// Whose it is, for people; orders are on record under it.
    #[schema(min_length = 1)]
    name: String,
    /// What it allows.
    role: RoleName,
    /// The one client that it is to be good for. Left out: as many as your own.
    client: Option<Uuid>,
    /// From when on it is to be good for nothing. Left out: never.
    #[serde(default, deserialize_with = "crate::http::v1::input::time")]
    expires_at: Option<DateTime<Utc>>,
}

/// How a key is to be replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// For how long the old one goes on working, in seconds: up to 30 days. Left out: a day.
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_s: Option<u32>,
}

const DAY_S: u32 = 86_400;
const LONGEST_OVERLAP_S: u32 = 30 * DAY_S;

/// Your own key
#[utoipa::path(get, path = "/v1/me", tag = "keys", responses(
    (status = 200, description = "What your key is known by", body = Key),
))]
pub(crate) async fn me(caller: Caller) -> Json<Key> {
    Json(caller.into_key().into())
}

/// List keys
///
/// The newest first unless told otherwise, those included that are good for nothing any more.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(PageQuery), responses(
    (status = 200, description = "A page of keys", body = Page<Key>),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Key>>, Problem> {
    caller.is(Role::Admin)?;
    let found = async |part| keys::list(&api.engine, caller.scope(), part).await;
    page.page().of(found, |key: &Key| key.id).await
}

/// Make a key
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = KeyInput, responses(
    (status = 201, description = "The key; it is told this once", body = NewKey),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(input): Body<KeyInput>,
) -> Result<(StatusCode, Json<NewKey>), Problem> {
    caller.is(Role::Admin)?;
    let client = match input.client.map(ClientId) {
        Some(client) => Some(caller.sees(client)?),
        None => caller.scope(),
    };
    let spec = KeySpec { name: &input.name, role: input.role.into(), client, expires_at: input.expires_at };
    let (key, token) = keys::create(&api.engine, spec, caller.by()).await?;
    let token = token.expose_secret().to_owned();
    Ok((StatusCode::CREATED, Json(NewKey { key: key.into(), token })))
}

/// Revoke a key
///
/// The next request with it is refused.
#[utoipa::path(post, path = "/v1/keys/{key}/revoke", tag = "keys", params(("key" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "It is good for nothing now", body = Key),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such key", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<Uuid>,
) -> Result<Json<Key>, Problem> {
    caller.is(Role::Admin)?;
    Ok(Json(keys::revoke(&api.engine, id, caller.scope(), caller.by()).await?.into()))
}

/// Replace a key
///
/// Makes a new key with the same name, role and client. The old one goes on working for a while, so that
/// nobody is shut out who has not been told yet.
#[utoipa::path(post, path = "/v1/keys/{key}/rotate", tag = "keys", params(("key" = Uuid, Path, description = "Its id")), request_body = Option<Rotation>, responses(
    (status = 201, description = "The new key; it is told this once", body = NewKey),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such key", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "It is good for nothing any more", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<Uuid>,
    rotation: Option<Body<Rotation>>,
) -> Result<(StatusCode, Json<NewKey>), Problem> {
    caller.is(Role::Admin)?;
    let overlap_s = rotation.and_then(|Body(rotation)| rotation.overlap_s).unwrap_or(DAY_S);
    if overlap_s > LONGEST_OVERLAP_S {
        let problem = format!("{overlap_s} is out of bounds; give 0 to {LONGEST_OVERLAP_S}");
        return Err(Problem::invalid(vec![FieldError::new("overlap_s", problem)]));
    }
    let overlap = TimeDelta::seconds(overlap_s.into());
    let (key, token) = keys::rotate(&api.engine, id, caller.scope(), overlap, caller.by()).await?;
    let token = token.expose_secret().to_owned();
    Ok((StatusCode::CREATED, Json(NewKey { key: key.into(), token })))
}
