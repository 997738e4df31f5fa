//! Files of numbers that must not be called.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use chrono::{DateTime, Utc};
use outdial_jobs::import::{ImportError, Options, Problem as BadRow};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::suppressions::{self, Added, Taken, Whose};
use outdial_workflows::ids::CampaignId;
use outdial_workflows::phone::PhoneNumber;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::problem::ProblemDetails;
use crate::http::v1::incoming::{self, bytes_of};
use crate::http::v1::input::{sought, wrong};
use crate::http::v1::{Asked, Caller, Named};
use crate::http::{Api, Problem};

/// What is said of a file of numbers.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NumbersQuery {
    /// The campaign on whose list they are put. Left out: on that of the client, for all campaigns.
    campaign: Option<Uuid>,
    /// Where they come from, kept with each. Left out: `file`.
    source: Option<String>,
    /// The country of numbers without a country code, as `IN`.
    region: Option<String>,
    /// When that ends by itself. Left out: never.
    #[serde(default, deserialize_with = "crate::http::v1::input::time")]
    expires_at: Option<DateTime<Utc>>,
}

/// A row without a number.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RowProblem)]
pub(crate) struct RowProblem {
    /// The line that the row begins on, counted from 1.
    line: u64,
    /// The column, under its name in the file; absent if it is about the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    /// What stands there, if it helps. Of phone numbers hardly more than the shape is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// What is wrong, and what would be right.
    problem: String,
    /// Whether the file could not be read further.
    rest_unread: bool,
}

impl From<BadRow> for RowProblem {
    fn from(BadRow { line, column, value, problem, rest_unread }: BadRow) -> Self {
        Self { line, column, value, problem, rest_unread }
    }
}

/// What came of a file of numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NumbersTaken {
    /// Rows read, good or bad.
    rows: u64,
    /// Numbers that were not on the list.
    added: u64,
    /// Numbers that stay on it for longer.
    extended: u64,
    /// Numbers that were on it already, for as long or longer.
    already: u64,
    /// Rows without a number.
    problems_total: u64,
    /// The first 1,000 of them.
    problems: Vec<RowProblem>,
    /// Whether the file could not be read to its end; the last problem says why.
    rest_unread: bool,
}

impl From<Taken> for NumbersTaken {
    fn from(taken: Taken) -> Self {
        let Taken { rows, added, problems_total, problems, rest_unread } = taken;
        let Added { added, extended, already } = added;
        let problems = problems.into_iter().map(RowProblem::from).collect();
        Self { rows, added, extended, already, problems_total, problems, rest_unread }
    }
}

/// Suppress the numbers of a file
///
/// Of any size, as the body itself with the type `text/csv`: a CSV with a phone column, or a number on each line. It
/// is taken in while it comes, a thousand rows at a time, and the answer says what came of it; bad rows are told
/// and the good ones go on. Once a number is on the list nobody with it is dialled; calls under way go on. The same
/// file again changes nothing, and goes on with one that was cut short.
#[utoipa::path(post, path = "/v1/clients/{client}/suppressions/import", tag = "suppressions",
    params(("client" = Uuid, Path, description = "The client's id"), NumbersQuery),
    request_body(content((String = "text/csv"))), responses(
    (status = 200, description = "What came of it", body = NumbersTaken),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client or campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn import(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<NumbersQuery>,
    request: Request,
) -> Result<Json<NumbersTaken>, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    is_plain(&request)?;
    let NumbersQuery { campaign, source, region, expires_at } = query;
    let whose = Whose { client, campaign: campaign.map(CampaignId) };
    let source = sought("source", source.as_deref().unwrap_or("file"))?;
    let (pages, mut read) = mpsc::channel(1);
    let (pieces, incoming) = incoming::pipe();
    let options = Options { default_region: region, ..Options::default() };
    let reading = tokio::task::spawn_blocking(move || paged(incoming, &options, &pages));
    let put = async {
        let mut added = Taken::default();
        while let Some(page) = read.recv().await {
            let by = caller.by();
            added.count(suppressions::add(&api.engine, whose, &page, source, expires_at, by).await?);
        }
        // Whoever reads on, and whoever sends, would wait for this.
        drop(read);
        Ok::<_, Problem>(added.added)
    };
    let (fed, put) = tokio::join!(pieces.feed(bytes_of(request)), put);
    let added = put?;
    fed?;
    let taken = reading.await.map_err(|error| Problem::ours(&error))?;
    let taken = taken.map_err(|error| match error {
        ImportError::Region(_) => wrong("region", error.to_string()),
        _ => wrong("file", error.to_string()),
    })?;
    Ok(Json(Taken { added, ..taken }.into()))
}

/// Reads a file to its end, or until nobody takes its pages any more.
fn paged(
    incoming: incoming::Incoming,
    options: &Options,
    pages: &mpsc::Sender<Vec<PhoneNumber>>,
) -> Result<Taken, ImportError> {
    let mut numbers = suppressions::read(incoming, options)?;
    while let Some(page) = numbers.page() {
        if pages.blocking_send(page).is_err() {
            break;
        }
    }
    Ok(numbers.into_taken())
}

fn is_plain(request: &Request) -> Result<(), Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let plain =
        |kind: &str| ["text/", "application/octet-stream"].iter().any(|plain| kind.starts_with(plain));
    if kind.is_none_or(plain) {
        return Ok(());
    }
    let detail = "send the file itself, with `Content-Type: text/csv`";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-file", detail))
}
