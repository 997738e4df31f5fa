//! Files of leads.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt, TryStreamExt};
use outdial_jobs::import::{self, ImportError, Options, Summary, consent_level, moment};
use outdial_jobs::operations::bulk::Operation;
use outdial_jobs::operations::consents::ConsentSpec;
use outdial_jobs::operations::imports::{self, Import, ImportState, Note, NoteKind, Sent};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{By, OperationError};
use outdial_workflows::ids::{CampaignId, ClientId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::incoming::{self, bytes_of, not_too_large};
use super::input::wrong;
use super::paging::{LatestQuery, Page, counting, page_limit};
use super::{Asked, Caller, Named, campaigns};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// What is said of a file.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    /// What to call it; without it the name that the form gives.
    #[param(max_length = 200)]
    name: Option<String>,
    /// The country of numbers without a country code, as `IN`.
    region: Option<String>,
    /// What separates fields, if it is not to be recognised: one character of ASCII.
    #[param(min_length = 1, max_length = 1)]
    delimiter: Option<String>,
    /// What the people agreed to whose rows say nothing of it: `express` or `written`.
    consent: Option<String>,
    /// Where that can be proved; needed with `consent`.
    consent_source: Option<String>,
    /// When they agreed. Left out: from now on, and only for people who never took consent back.
    consent_at: Option<String>,
    /// When that ends by itself.
    consent_expires: Option<String>,
    /// Check the file, and write nothing.
    dry_run: bool,
}

impl FileQuery {
    /// Takes a field of the form that came before the file.
    fn field(&mut self, name: &str, value: String) -> Result<(), Problem> {
        let place = match name {
            "name" => &mut self.name,
            "region" => &mut self.region,
            "delimiter" => &mut self.delimiter,
            "consent" => &mut self.consent,
            "consent_source" => &mut self.consent_source,
            "consent_at" => &mut self.consent_at,
            "consent_expires" => &mut self.consent_expires,
            "dry_run" => {
                let given: Result<bool, _> = value.parse();
                self.dry_run = given.map_err(|_| wrong(name, "it is to be true or false"))?;
                return Ok(());
            }
            other => return Err(wrong(other, "there is no such field; the file's is called `file`")),
        };
        *place = Some(value);
        Ok(())
    }

    fn options(&self) -> Result<Options, Problem> {
        let delimiter = match self.delimiter.as_deref().map(str::as_bytes) {
            None => None,
            Some([byte]) => Some(*byte),
            Some(_) => return Err(wrong("delimiter", "it is to be one character of ASCII, as `;`")),
        };
        let options = Options { default_region: self.region.clone(), delimiter, consent: self.consent()? };
        let place = |error: &ImportError| match error {
            ImportError::Delimiter(_) => "delimiter",
            _ => "region",
        };
        options.check().map_err(|error| wrong(place(&error), error.to_string()))?;
        Ok(options)
    }

    fn consent(&self) -> Result<Option<ConsentSpec>, Problem> {
        let Some(given) = &self.consent else { return Ok(None) };
        let Some(level) = consent_level(given).map_err(|problem| wrong("consent", problem))? else {
            return Ok(None);
        };
        let time = |name, given: &Option<String>| {
            given.as_deref().map(moment).transpose().map_err(|problem| wrong(name, problem))
        };
        let consent = ConsentSpec {
            level,
            purpose: None,
            source: self.consent_source.clone().unwrap_or_default(),
            given_at: time("consent_at", &self.consent_at)?,
            expires_at: time("consent_expires", &self.consent_expires)?,
        };
        consent.check().map_err(|problem| wrong("consent_source", problem))?;
        Ok(Some(consent))
    }
}

/// Where an import stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportState)]
pub(crate) enum StateName {
    /// Its content is coming in.
    Receiving,
    /// Its rows are being taken in, or wait to be.
    Running,
    /// Every row was dealt with.
    Done,
    /// No row of it could be read.
    Failed,
    /// It was undone.
    Undone,
}

impl From<ImportState> for StateName {
    fn from(state: ImportState) -> Self {
        match state {
            ImportState::Receiving => Self::Receiving,
            ImportState::Running => Self::Running,
            ImportState::Done => Self::Done,
            ImportState::Failed => Self::Failed,
            ImportState::Undone => Self::Undone,
        }
    }
}

/// A file of leads, and what came of it so far.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportBody {
    /// Its id.
    id: Uuid,
    /// The tenant.
    client: Uuid,
    /// The campaign.
    campaign: Uuid,
    /// What its sender calls it.
    name: String,
    /// Where it stands.
    state: StateName,
    /// Why no row of it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_for: Option<String>,
    /// SHA-256 of its content, in hexadecimal; absent while it comes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// The line on which the last row begins that was dealt with.
    line: i64,
    /// Rows read, good or bad. Blank ones do not count.
    rows: i64,
    /// Leads that are new to the campaign.
    accepted: i64,
    /// Rows of leads that the campaign had already, or that stood in the file before.
    duplicates: i64,
    /// Consents that were not recorded before.
    consents: i64,
    /// Rows that are no leads; `notes` names them.
    problems: i64,
    /// Whether the file could not be read to its end; the last note says why.
    rest_unread: bool,
    /// Who sent it.
    actor: String,
    /// In their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it was begun.
    created_at: DateTime<Utc>,
    /// When it last moved.
    changed_at: DateTime<Utc>,
}

impl From<Import> for ImportBody {
    fn from(import: Import) -> Self {
        let counts = import.counts;
        Self {
            id: import.id,
            client: import.client.0,
            campaign: import.campaign.0,
            name: import.name,
            state: import.state.into(),
            failed_for: import.failed_for,
            sha256: import.digest.map(hex::encode),
            line: import.line,
            rows: counts.rows,
            accepted: counts.accepted,
            duplicates: counts.duplicates,
            consents: counts.consents,
            problems: counts.problems,
            rest_unread: counts.rest_unread,
            actor: import.actor,
            reason: import.reason,
            created_at: import.created_at,
            changed_at: import.changed_at,
        }
    }
}

/// What is said about a row.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportNoteKind)]
pub(crate) enum NoteName {
    /// It is no lead.
    Problem,
    /// It added nothing.
    Duplicate,
}

/// A note about a row of a file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoteBody {
    /// The line that the row begins on, counted from 1.
    line: i64,
    /// What is said.
    note: NoteName,
    /// The column, under its name in the file; absent if it is about the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    /// What stands there, if it helps. Of phone numbers hardly more than the shape is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// What is wrong, and what would be right.
    problem: String,
}

impl From<Note> for NoteBody {
    fn from(note: Note) -> Self {
        let name = match note.note {
            NoteKind::Problem => NoteName::Problem,
            NoteKind::Duplicate => NoteName::Duplicate,
        };
        let Note { line, column, value, problem, .. } = note;
        Self { line, note: name, column, value, problem }
    }
}

/// A file, as a form sends it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct FileForm {
    /// The CSV. What is said of it, as the parameters say it, may stand in fields before it.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Send a file of leads
///
/// CSV of any size, in a form's field `file`, or as the body itself with the type `text/csv`. A job takes it
/// in: rows that are no leads are noted, and the others go in. The same file again adds nothing.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/imports", tag = "imports",
    params(("campaign" = Uuid, Path, description = "The campaign's id"), FileQuery),
    request_body(content((FileForm = "multipart/form-data"), ("text/csv"))), responses(
    (status = 200, description = "With `dry_run`: what would come of it", body = Object),
    (status = 202, description = "It is kept, and will be taken in", body = ImportBody),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn send(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Asked(mut asked): Asked<FileQuery>,
    request: Request,
) -> Result<Response, Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let plain =
        |kind: &str| ["text/", "application/octet-stream"].iter().any(|plain| kind.starts_with(plain));
    if kind.is_none_or(plain) {
        let by = caller.by();
        return take(&api, (client, campaign), &asked, by, bytes_of(request)).await;
    }
    if !kind.is_some_and(|kind| kind.starts_with("multipart/")) {
        let detail = "send a form with the field `file`, or CSV with `Content-Type: text/csv`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-file", detail));
    }
    let mut form = Multipart::from_request(request, &api)
        .await
        .map_err(|rejection| Problem::new(rejection.status(), "not-a-form", rejection.body_text()))?;
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            asked.name = asked.name.or_else(|| field.file_name().map(str::to_owned));
            let by = caller.by();
            let bytes = field.map_err(|error| broken(&error));
            return take(&api, (client, campaign), &asked, by, bytes).await;
        }
        let value = field.text().await.map_err(|error| broken(&error))?;
        asked.field(&name, value)?;
    }
    Err(wrong("file", "the form has no such field; put the CSV into it"))
}

fn broken(error: &MultipartError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "not-a-form", error.body_text())
}

async fn take(
    api: &Api,
    (client, campaign): (ClientId, CampaignId),
    asked: &FileQuery,
    by: By<'_>,
    bytes: impl Stream<Item = Result<Bytes, Problem>> + Send,
) -> Result<Response, Problem> {
    let options = asked.options()?;
    if asked.dry_run {
        return Ok(Json(rehearse(options, bytes).await?).into_response());
    }
    let name = asked.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("upload");
    if name.contains('\0') {
        return Err(wrong("name", "it holds the character U+0000; leave it out"));
    }
    let sent = Sent { client, campaign, name, options: &options, by };
    let mut receiving = imports::receive(&api.engine, sent).await?;
    let mut came = 0;
    let mut bytes = std::pin::pin!(bytes);
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        came += piece.len() as u64;
        not_too_large(came)?;
        receiving.push(&piece).await?;
    }
    let import = receiving.finish().await?;
    Ok((StatusCode::ACCEPTED, Json(ImportBody::from(import))).into_response())
}

/// What would come of a file, while it comes in: only hashes of its leads are held.
async fn rehearse(
    options: Options,
    bytes: impl Stream<Item = Result<Bytes, Problem>> + Send,
) -> Result<Summary, Problem> {
    let (pieces, incoming) = incoming::pipe();
    let reading = tokio::task::spawn_blocking(move || {
        import::read(incoming, &options).map(|rows| import::rehearse(rows, |_| ()))
    });
    pieces.feed(bytes).await?;
    match reading.await {
        Ok(read) => read.map_err(|error| wrong("file", error.to_string())),
        Err(error) => Err(Problem::ours(&error)),
    }
}

/// List a campaign's files
///
/// The latest first.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/imports", tag = "imports",
    params(("campaign" = Uuid, Path, description = "The campaign's id"), LatestQuery), responses(
    (status = 200, description = "A page of them", body = Page<ImportBody>),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Asked(page): Asked<LatestQuery>,
) -> Result<Json<Page<ImportBody>>, Problem> {
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    let found = async |before, limit| imports::list(&api.engine, client, campaign, before, limit).await;
    page.of(found, |import: &ImportBody| import.id).await
}

/// Show a file
///
/// How far it is, and what came of it so far.
#[utoipa::path(get, path = "/v1/imports/{import}", tag = "imports",
    params(("import" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The import", body = ImportBody),
    (status = 404, description = "No such import", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(import): Named<Uuid>,
) -> Result<Json<ImportBody>, Problem> {
    Ok(Json(visible(&api, &caller, import).await?.into()))
}

/// Which notes are asked for.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NotesQuery {
    /// The `next` of the page before: the line behind which it begins.
    #[param(minimum = 0)]
    cursor: Option<i64>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only those.
    note: Option<NoteName>,
}

/// A page of notes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotesPage {
    /// What is on it.
    items: Vec<NoteBody>,
    /// The cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// List what is wrong with a file's rows
///
/// In their order: the first 100,000 rows that are no leads, and the first 1,000 that added nothing.
#[utoipa::path(get, path = "/v1/imports/{import}/notes", tag = "imports",
    params(("import" = Uuid, Path, description = "Its id"), NotesQuery), responses(
    (status = 200, description = "A page of them", body = NotesPage),
    (status = 404, description = "No such import", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn notes(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(import): Named<Uuid>,
    Asked(asked): Asked<NotesQuery>,
) -> Result<Json<NotesPage>, Problem> {
    let import = visible(&api, &caller, import).await?;
    let limit = page_limit(asked.limit)?;
    let kind = asked.note.map(|note| match note {
        NoteName::Problem => NoteKind::Problem,
        NoteName::Duplicate => NoteKind::Duplicate,
    });
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX) + 1;
    let after = counting(asked.cursor)?.unwrap_or(0);
    let mut found = imports::notes(&api.engine, &import, kind, after, one_more).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|note| note.line).filter(|_| more);
    Ok(Json(NotesPage { items: found.into_iter().map(NoteBody::from).collect(), next }))
}

/// Undo a file
///
/// Those of its leads that were never called end, and can be imported anew; those that were called stay. The
/// consents that it recorded end. A job carries it out: the answer is the operation to follow.
#[utoipa::path(post, path = "/v1/imports/{import}/undo", tag = "imports",
    params(("import" = Uuid, Path, description = "Its id")), responses(
    (status = 202, description = "The operation: `id`, `state` and counts", body = Object),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such import", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "It was undone already", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn undo(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(import): Named<Uuid>,
) -> Result<(StatusCode, Json<Operation>), Problem> {
    caller.is(Role::Operator)?;
    let import = visible(&api, &caller, import).await?;
    let operation = imports::undo(&api.engine, &import.id.to_string(), caller.by()).await?;
    Ok((StatusCode::ACCEPTED, Json(operation)))
}

pub(in crate::http) async fn visible(api: &Api, caller: &Caller, import: Uuid) -> Result<Import, Problem> {
    let found = imports::find(&api.engine, &import.to_string()).await?;
    let not_found = || OperationError::NotFound { kind: "import", given: import.to_string() };
    caller.sees(found.client).map_err(|_| Problem::from(not_found()))?;
    Ok(found)
}
