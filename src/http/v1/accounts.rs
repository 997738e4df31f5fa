//! Accounts with carriers.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::{OperationError, setup};
use outdial_jobs::store::accounts::Account as Row;
use outdial_workflows::ids::AccountId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Caller, Named, Page, PageQuery};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// An account with a carrier, without its credentials.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    /// Its id.
    id: Uuid,
    /// Its client.
    client: Uuid,
    /// Its name, unique within the client.
    name: String,
    /// The carrier.
    provider: &'static str,
    /// Where the carrier is reached.
    base_url: String,
    /// Whether that is on this machine, so that nobody's phone rings.
    emulated: bool,
    /// What bounds its dialling, beside the limits of its client and of campaigns.
    #[schema(value_type = Vec<Object>)]
    limits: Value,
    /// Whether it may dial at all.
    enabled: bool,
    /// Who has it paused; absent while nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<String>,
    /// Until when it rests, because its carrier asked for it or turned calls down.
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_until: Option<DateTime<Utc>>,
    /// Why, in the carrier's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_cause: Option<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<Row> for Account {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            client: row.client.0,
            name: row.name,
            provider: row.provider.name(),
            base_url: row.base_url,
            emulated: row.emulated,
            limits: row.limits,
            enabled: row.enabled,
            paused_by: row.paused_by,
            resting_until: row.resting_until,
            resting_cause: row.resting_cause,
            created_at: row.created_at,
        }
    }
}

/// List accounts
///
/// Those of a client, the newest first unless told otherwise.
#[utoipa::path(get, path = "/v1/clients/{client}/accounts", tag = "accounts",
    params(("client" = Uuid, Path, description = "The client's id"), PageQuery), responses(
    (status = 200, description = "A page of accounts", body = Page<Account>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Account>>, Problem> {
    let client = caller.client(&api, client).await?;
    let found = async |part| setup::accounts(&api.engine, Some(client), part).await;
    page.page().of(found, |account: &Account| account.id).await
}

/// Get an account
#[utoipa::path(get, path = "/v1/accounts/{account}", tag = "accounts", params(("account" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The account", body = Account),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
) -> Result<Json<Account>, Problem> {
    let found = setup::account(&api.engine, AccountId(account)).await?;
    let not_found = || OperationError::NotFound { kind: "account", given: account.to_string() };
    caller.sees(found.client).map_err(|_| Problem::from(not_found()))?;
    Ok(Json(found.into()))
}
