//! How a campaign's leads stand, as CSV: all of it to whoever has a key, and a little of it under an unguessable
//! address to spreadsheets, which can send none.

use std::borrow::Cow;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use futures_util::stream;
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::exports::harmless;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::status::{self, PAGE, Standing};
use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State as LeadState;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Caller, Named, campaigns};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// Which columns.
#[derive(Clone, Copy)]
enum View {
    /// For whoever has a key.
    Whole,
    /// For whoever has the address.
    Little,
}

impl View {
    fn head(self) -> &'static [&'static str] {
        match self {
            Self::Whole => &[
                "external_id",
                "phone",
                "name",
                "state",
                "outcome",
                "attempts",
                "last_result",
                "next_at",
                "why",
                "updated",
            ],
            Self::Little => &["external_id", "phone", "state", "outcome"],
        }
    }

    fn row(self, lead: &Standing) -> Vec<Cow<'_, str>> {
        let outcome = |outcome: Option<Outcome>| Cow::from(outcome.map_or("", Outcome::name));
        // What stands there is a number by the schema: its plus is left to it.
        let phone = Cow::from(lead.phone.as_deref().unwrap_or_default());
        let state = Cow::from(lead.state.name());
        match self {
            Self::Little => vec![text(lead.external_id.as_deref()), phone, state, outcome(lead.outcome)],
            Self::Whole => vec![
                text(lead.external_id.as_deref()),
                phone,
                text(lead.name.as_deref()),
                state,
                outcome(lead.outcome),
                lead.attempts.to_string().into(),
                outcome(lead.last_result),
                time(lead.wake_at.filter(|_| lead.state == LeadState::Waiting)),
                why(lead),
                time(lead.updated_at),
            ],
        }
    }
}

fn time(at: Option<Moment>) -> Cow<'static, str> {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default().into()
}

fn why(lead: &Standing) -> Cow<'static, str> {
    match serde_json::from_value::<Why>(lead.why.clone()) {
        Ok(why) => harmless(&why.to_string()).into_owned().into(),
        Err(_) => "its reason cannot be read by this version".into(),
    }
}

fn text(text: Option<&str>) -> Cow<'_, str> {
    harmless(text.unwrap_or_default())
}

/// Read how leads stand, as CSV
///
/// Every lead of the campaign, first those that came first: `external_id`, `phone`, `name`, `state`, `outcome`,
/// `attempts`, `last_result`, `next_at` (of a lead that waits: due from then on), `why` in words, and `updated`.
/// Before a cell that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or a line
/// end) stands an apostrophe; phone numbers keep their plus without one.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/leads.csv", tag = "leads",
    params(("campaign" = Uuid, Path, description = "The campaign's id")), responses(
    (status = 200, description = "A header and a line for each lead", body = String, content_type = "text/csv"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn leads(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
) -> Result<Response, Problem> {
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    csv(&api, client, campaign, View::Whole).await
}

/// The address of a campaign's status.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusLink {
    /// Where it is read, by anybody who has this.
    url: String,
    /// What to put into a cell of a Google Sheet.
    formula: String,
}

/// Get the link to a campaign's status
///
/// An address for spreadsheets, which can send no key: `external_id`, `phone`, `state` and `outcome` of every
/// lead as CSV. Anybody who has the address can read it. It is the same each time, and holds for as long as the
/// encryption key does: it cannot be taken back by itself.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/status-link", tag = "campaigns",
    params(("campaign" = Uuid, Path, description = "The campaign's id")), responses(
    (status = 200, description = "The link", body = StatusLink),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn link(
    State(api): State<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
) -> Result<Json<StatusLink>, Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    let path = status::give_link(&api.engine, client, campaign, caller.by()).await?;
    let url = format!("{}{path}", api.engine.public_url().as_str().trim_end_matches('/'));
    let formula = format!("=IMPORTDATA(\"{url}\")");
    Ok(Json(StatusLink { url, formula }))
}

/// What stands under such an address. Wrong ones are all answered alike.
pub(in crate::http) async fn public(
    State(api): State<Api>,
    Path((campaign, file)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let nothing = || Problem::not_found("there is nothing at this address");
    let secret = file.strip_suffix(".csv").ok_or_else(nothing)?;
    let campaign = CampaignId(Uuid::try_parse(&campaign).map_err(|_| nothing())?);
    let client = status::by_secret(&api.engine, campaign, secret).await.map_err(|error| match error {
        OperationError::NotFound { .. } => nothing(),
        error => error.into(),
    })?;
    csv(&api, client, campaign, View::Little).await
}

/// Page by page as it is read: no more than two pages are held, whoever reads how slowly. Should the database go
/// away meanwhile, the answer breaks off, so that nobody takes half for the whole.
async fn csv(api: &Api, client: ClientId, campaign: CampaignId, view: View) -> Result<Response, Problem> {
    let first = status::page(&api.engine, client, campaign, LeadId(Uuid::nil())).await?;
    let engine = api.engine.clone();
    let pages = stream::try_unfold(Some((first, true)), move |step| {
        let engine = engine.clone();
        async move {
            let Some((page, head)) = step else { return Ok(None) };
            let text = written(&page, head, view)?;
            let full = i64::try_from(page.len()).is_ok_and(|count| count == PAGE);
            let next = match page.last().filter(|_| full) {
                None => None,
                Some(last) => {
                    let next = status::page(&engine, client, campaign, last.lead).await;
                    Some((next.map_err(broken_off)?, false))
                }
            };
            Ok::<_, std::io::Error>(Some((text, next)))
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"leads.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn broken_off(error: OperationError) -> std::io::Error {
    tracing::warn!(error = &error as &dyn std::error::Error, "a list of leads broke off");
    std::io::Error::other(error)
}

fn written(page: &[Standing], head: bool, view: View) -> std::io::Result<Vec<u8>> {
    let mut rows = csv::Writer::from_writer(vec![]);
    if head {
        rows.write_record(view.head())?;
    }
    for lead in page {
        rows.write_record(view.row(lead).iter().map(|cell| cell.as_bytes()))?;
    }
    rows.into_inner().map_err(|error| error.into_error())
}
