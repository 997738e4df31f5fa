//! Campaigns' rules.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use outdial_jobs::operations::campaigns;
use outdial_jobs::operations::keys::Role;
use outdial_workflows::attempt::Revision;
use outdial_workflows::rules::Rules;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::visible;
use crate::http::problem::ProblemDetails;
use crate::http::v1::input::{if_match, wrong};
use crate::http::v1::{Body, Caller, Named};
use crate::http::{Api, Problem};

/// A campaign's rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RulesOf {
    /// Counts from 1; every edit makes the next.
    #[schema(minimum = 1)]
    revision: i32,
    /// All of them, defaults included.
    #[schema(value_type = Object)]
    rules: Value,
}

/// What an edit was made on, as the headers `ETag` and `If-Match` have it.
fn etag(revision: Revision) -> String {
    format!("\"{}\"", revision.0)
}

fn rules_of(revision: Revision, rules: &Rules) -> Response {
    let body = RulesOf { revision: revision.0, rules: serde_json::to_value(rules).unwrap_or_default() };
    ([(header::ETAG, etag(revision))], Json(body)).into_response()
}

/// Get a campaign's rules
///
/// The header `ETag` is what an edit of them names in `If-Match`.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/rules", tag = "campaigns", params(("campaign" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The rules as they are now", body = RulesOf, headers(("ETag" = String, description = "Their revision"))),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "They come from a newer version", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn rules(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
) -> Result<Response, Problem> {
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    let (revision, rules) = campaigns::rules(&api.engine, client, campaign).await?;
    Ok(rules_of(revision, &rules))
}

/// Edit a campaign's rules
///
/// The whole set, as a new revision. It holds from the next call on, also of a campaign that runs. `If-Match`
/// names the revision that the edit was made on, so that nobody's edit is overwritten unseen.
#[utoipa::path(put, path = "/v1/campaigns/{campaign}/rules", tag = "campaigns",
    params(("campaign" = Uuid, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The `ETag` that the rules had when they were read. It cannot be left out: 428 says so")),
    request_body(content = Object, description = "The rules"), responses(
    (status = 200, description = "The rules as they are now", body = RulesOf, headers(("ETag" = String, description = "Their revision"))),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 412, description = "They were edited meanwhile: read them again", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 428, description = "If-Match is missing", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn edit(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    headers: HeaderMap,
    Body(input): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    let given = if_match(&headers)?;
    let (present, _) = campaigns::rules(&api.engine, client, campaign).await?;
    if given != etag(present) {
        let detail = format!("the rules are of revision {} now; read them again", present.0);
        return Err(Problem::edited_meanwhile(detail));
    }
    let rules = read_rules(input)?;
    let revision = campaigns::edit(&api.engine, client, campaign, present, &rules, caller.by()).await?;
    Ok(rules_of(revision, &rules))
}

pub(crate) fn read_rules(rules: Map<String, Value>) -> Result<Rules, Problem> {
    serde_json::from_value(Value::Object(rules)).map_err(|error| wrong("rules", error.to_string()))
}
