//! Numbers that accounts call from.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::limits;
use outdial_jobs::store::numbers::Number as Row;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::limits::LimitForm;
use super::{Caller, Named, Page, accounts};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// What is known of a number that an account calls from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Number {
    /// The number, as campaigns name it.
    number: String,
    /// What bounds calls from it, over all campaigns of the account.
    #[schema(value_type = Vec<LimitForm>)]
    limits: Value,
    /// Dial requests in a row that the carrier turned down.
    failing: u16,
    /// How often in a row it was rested for it; 0 while it works. After a rest one call at a time is tried.
    trips: u16,
    /// Until when it rests.
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_until: Option<DateTime<Utc>>,
    /// Why, in the carrier's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_cause: Option<String>,
}

impl From<Row> for Number {
    fn from(row: Row) -> Self {
        Self {
            number: row.number.0,
            limits: row.limits,
            failing: row.breaker.failing,
            trips: row.breaker.trips,
            resting_until: row.breaker.resting_until,
            resting_cause: row.resting_cause,
        }
    }
}

/// List an account's numbers
///
/// Those of which something is known: limits of their own, failures, rests. Others have none and work.
#[utoipa::path(get, path = "/v1/accounts/{account}/numbers", tag = "accounts", params(("account" = Uuid, Path, description = "The account's id")), responses(
    (status = 200, description = "All of them", body = Page<Number>),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
) -> Result<Json<Page<Number>>, Problem> {
    let account = accounts::visible(&api, &caller, account).await?;
    Ok(Json(Page::whole(limits::numbers(&api.engine, account.client, account.id).await?)))
}
