//! Clients.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::setup;
use outdial_jobs::store::clients::Client as Row;
use outdial_workflows::ids::ClientId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Body, Caller, Named, NamedQuery, Page};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Client {
    /// Its id.
    id: Uuid,
    /// Its name, unique.
    name: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// Who has all of its dialling paused; absent while nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<String>,
}

impl From<Row> for Client {
    fn from(row: Row) -> Self {
        Self { id: row.id.0, name: row.name, created_at: row.created_at, paused_by: row.paused_by }
    }
}

/// A client to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientInput {
    /// Its name, unique.
    #[schema(min_length = 1)]
    name: String,
}

/// List clients
///
/// Those that your key may see, the newest first unless told otherwise: all, or the one with a name.
#[utoipa::path(get, path = "/v1/clients", tag = "clients", params(NamedQuery), responses(
    (status = 200, description = "A page of clients", body = Page<Client>),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(query): Asked<NamedQuery>,
) -> Result<Json<Page<Client>>, Problem> {
    let name = query.named()?;
    let found = async |part| match name {
        Some(name) => setup::clients_named(&api.engine, caller.scope(), name).await,
        None => setup::clients(&api.engine, caller.scope(), part).await,
    };
    query.page().of(found, |client: &Client| client.id).await
}

/// Make a client
#[utoipa::path(post, path = "/v1/clients", tag = "clients", request_body = ClientInput, responses(
    (status = 201, description = "The client", body = Client),
    (status = 403, description = "Takes the role admin, for all clients", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "The name is taken", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(input): Body<ClientInput>,
) -> Result<(StatusCode, Json<Client>), Problem> {
    caller.is(Role::Admin)?;
    caller.sees_all()?;
    let made = setup::create_client(&api.engine, &input.name).await?;
    Ok((StatusCode::CREATED, Json(setup::client(&api.engine, made).await?.into())))
}

/// Get a client
#[utoipa::path(get, path = "/v1/clients/{client}", tag = "clients", params(("client" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The client", body = Client),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
) -> Result<Json<Client>, Problem> {
    let client = caller.sees(ClientId(client))?;
    Ok(Json(setup::client(&api.engine, client).await?.into()))
}
