//! What people take out.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream::try_unfold;
use outdial_jobs::engine::Engine;
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::exports::{Export, Format, What};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Asked, Caller, Named, campaigns};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// What is taken out.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExportOf)]
pub(crate) enum WhatName {
    /// A row a lead: who, and where it stands.
    Leads,
    /// A row a finished lead: what came of it.
    Outcomes,
    /// A row an attempt, called or not.
    Attempts,
    /// A row a call that the carrier took.
    Calls,
    /// A row a call of which there is a transcript.
    Transcripts,
}

/// How it is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExportFormat)]
pub(crate) enum FormatName {
    /// Comma-separated, with a header line.
    #[default]
    Csv,
    /// A JSON object a line.
    Jsonl,
}

/// How an export is asked for.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// What a row is.
    #[param(inline)]
    of: WhatName,
    /// How rows are written: `csv` unless told.
    #[serde(default)]
    #[param(inline, required = false)]
    format: FormatName,
}

/// Export a campaign
///
/// All of it, however large, page by page as things stand then. In CSV, a text that a spreadsheet would take for a
/// formula has an apostrophe before it.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/export", tag = "campaigns",
    params(("campaign" = Uuid, Path, description = "Its id"), ExportQuery), responses(
    (status = 200, description = "The rows", content((String = "text/csv"), (String = "application/jsonl"))),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn export(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Asked(asked): Asked<ExportQuery>,
) -> Result<Response, Problem> {
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    let what = match asked.of {
        WhatName::Leads => What::Leads,
        WhatName::Outcomes => What::Outcomes,
        WhatName::Attempts => What::Attempts,
        WhatName::Calls => What::Calls,
        WhatName::Transcripts => What::Transcripts,
    };
    let (format, kind, ending) = match asked.format {
        FormatName::Csv => (Format::Csv, "text/csv; charset=utf-8; header=present", "csv"),
        FormatName::Jsonl => (Format::JsonLines, "application/jsonl", "jsonl"),
    };
    let rows =
        Rows { engine: api.engine, export: Export::new(client, campaign, what), what, format, head: true };
    let name = format!("attachment; filename=\"{}-{campaign}.{ending}\"", what.name());
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(try_unfold(rows, Rows::next))).into_response())
}

struct Rows {
    engine: Engine,
    export: Export,
    what: What,
    format: Format,
    /// Whether the header is still to come.
    head: bool,
}

impl Rows {
    /// The next piece. Where the database fails the body is cut off, so that nobody takes it for whole.
    async fn next(mut self) -> Result<Option<(Vec<u8>, Self)>, OperationError> {
        let mut piece = if std::mem::take(&mut self.head) { self.format.head(self.what) } else { vec![] };
        // A page may hold nothing of what is wanted.
        while piece.is_empty() {
            let Some(rows) = self.export.next(&self.engine).await? else { return Ok(None) };
            piece = self.format.rows(self.what, &rows);
        }
        Ok(Some((piece, self)))
    }
}
