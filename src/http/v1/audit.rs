//! Who ordered what.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::audit::{self, Written};
use outdial_workflows::ids::ClientId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::paging::listing;
use super::{Asked, Caller, Named, Page};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// An order on record. Orders for single leads are in their histories.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Its id.
    id: Uuid,
    /// When it was given.
    at: DateTime<Utc>,
    /// Who gave it.
    actor: String,
    /// What it was, as `pause`.
    action: String,
    /// For what kind of thing, as `campaign`.
    subject: String,
    /// The thing's id.
    subject_id: Uuid,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What changed, by name.
    #[schema(value_type = Object)]
    details: Value,
}

impl From<Written> for AuditEntry {
    fn from(written: Written) -> Self {
        let details = match written.details {
            Value::Null => Value::Object(serde_json::Map::new()),
            details => details,
        };
        Self {
            id: written.id,
            at: written.at,
            actor: written.actor,
            action: written.action,
            subject: written.subject,
            subject_id: written.subject_id,
            reason: written.reason,
            details,
        }
    }
}

listing! {
    /// Which entries, and which page of them.
    AuditQuery {
        /// Only what concerns this: a campaign, an account, a key.
        subject: Option<Uuid>,
        /// Only what they ordered, as it is on record.
        actor: Option<String>,
    }
}

impl AuditQuery {
    async fn of(&self, api: &Api, client: Option<ClientId>) -> Result<Json<Page<AuditEntry>>, Problem> {
        let actor = self.actor.as_deref();
        let found = async |part| audit::list(&api.engine, client, self.subject, actor, part).await;
        self.page().of(found, |entry: &AuditEntry| entry.id).await
    }
}

/// List what was ordered
///
/// For a client and its things, the newest first unless told otherwise.
#[utoipa::path(get, path = "/v1/clients/{client}/audit", tag = "audit",
    params(("client" = Uuid, Path, description = "The client's id"), AuditQuery), responses(
    (status = 200, description = "A page of entries", body = Page<AuditEntry>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn of_client(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let client = caller.client(&api, client).await?;
    query.of(&api, Some(client)).await
}

/// List what was ordered for all clients
///
/// What concerns no single client, such as keys for all of them; the newest first unless told otherwise.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditQuery), responses(
    (status = 200, description = "A page of entries", body = Page<AuditEntry>),
    (status = 403, description = "Takes a key for all clients", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn of_all(
    State(api): State<Api>,
    caller: Caller,
    Asked(query): Asked<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    caller.sees_all()?;
    query.of(&api, None).await
}
