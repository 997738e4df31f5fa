//! What became of campaigns' rules.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::revisions::{self, Edit};
use outdial_workflows::attempt::Revision as Number;
use outdial_workflows::rules::changes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::visible;
use crate::http::problem::ProblemDetails;
use crate::http::v1::paging::page_limit;
use crate::http::v1::{Asked, Caller, Named, Page};
use crate::http::{Api, Problem};

/// A rule that differs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleChange {
    /// Its name, as `retry.max_attempts`.
    rule: String,
    /// What it was.
    #[schema(value_type = Option<Object>)]
    before: Value,
    /// What it is.
    #[schema(value_type = Option<Object>)]
    after: Value,
}

impl From<changes::RuleChange> for RuleChange {
    fn from(changes::RuleChange { rule, before, after }: changes::RuleChange) -> Self {
        Self { rule, before, after }
    }
}

/// A revision of a campaign's rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revision {
    /// Counts from 1.
    #[schema(minimum = 1)]
    revision: i32,
    /// Who made it.
    actor: String,
    /// When.
    created_at: DateTime<Utc>,
    /// What differs from the revision before; of the first, from the rules' defaults.
    changes: Vec<RuleChange>,
}

impl From<Edit> for Revision {
    fn from(edit: Edit) -> Self {
        Self {
            revision: edit.revision.0,
            actor: edit.actor,
            created_at: edit.created_at,
            changes: edit.changes.into_iter().map(Into::into).collect(),
        }
    }
}

/// Which page of the revisions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RevisionsQuery {
    /// The `next` of the page before.
    cursor: Option<i32>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// List the revisions of a campaign's rules
///
/// The newest first: who edited them, when, and what changed.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/revisions", tag = "campaigns",
    params(("campaign" = Uuid, Path, description = "The campaign's id"), RevisionsQuery), responses(
    (status = 200, description = "A page of revisions", body = Page<Revision>),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Asked(query): Asked<RevisionsQuery>,
) -> Result<Json<Page<Revision>>, Problem> {
    let (client, campaign) = visible(&api, &caller, campaign).await?;
    let limit = page_limit(query.limit)?;
    let after = query.cursor.map(Number);
    let found = async |one_more| revisions::list(&api.engine, client, campaign, after, one_more).await;
    Page::cut(limit, found, |revision: &Revision| revision.revision).await
}
