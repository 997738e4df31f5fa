//! Errors as `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use outdial_jobs::engine::{AccountError, EngineError};
use outdial_jobs::operations::OperationError;
use outdial_jobs::store::{Failure, StoreError};
use outdial_workflows::playbook::{self, Problems};
use outdial_workflows::transfer::CannotTransfer;
use serde::Serialize;
use utoipa::ToSchema;

/// A request that was not carried out.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    errors: Vec<FieldError>,
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Which part, by its name in the data; of several, with its place, as `leads[3].phone`.
    pub(crate) place: String,
    /// In which line of the text that was sent, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    /// What is wrong, and what would be right.
    pub(crate) problem: String,
}

impl FieldError {
    pub(crate) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), line: None, problem: problem.into() }
    }
}

impl From<playbook::Problem> for FieldError {
    fn from(playbook::Problem { line, place, problem }: playbook::Problem) -> Self {
        let place = if place.is_empty() { "text".to_owned() } else { place };
        Self { place, line, problem }
    }
}

/// A request that was not carried out, as it is told (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemDetails {
    /// What kind of problem, as `urn:outdial:problem:invalid`.
    #[serde(rename = "type")]
    #[schema(example = "urn:outdial:problem:invalid")]
    kind: String,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened, and what to do about it.
    detail: String,
    /// What is wrong with which parts of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), errors: vec![] }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What happened, and what to do about it.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong with which parts of the request.
    pub(super) fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Somebody changed it since the caller read it.
    pub(crate) fn edited_meanwhile(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "edited-meanwhile", detail)
    }

    /// Parts of the request are wrong.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [FieldError { place, line: None, problem }] => format!("{place}: {problem}"),
            [FieldError { place, line: Some(line), problem }] => format!("line {line}: {place}: {problem}"),
            several => format!("{} parts of the request are wrong; see `errors`", several.len()),
        };
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, kind: "invalid", detail, errors }
    }

    fn busy(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::warn!(error, "a request could not be served");
        let detail = "the database does not answer, or is busy; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    }

    pub(crate) fn ours(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request failed");
        let detail = "something went wrong here; the log says what, under the request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let text = error.to_string();
        match error {
            OperationError::NotFound { .. } => Self::not_found(text),
            OperationError::Ambiguous { .. } => Self::new(StatusCode::CONFLICT, "ambiguous", text),
            OperationError::Exists { .. } => Self::new(StatusCode::CONFLICT, "exists", text),
            OperationError::NotPossible(_) => Self::new(StatusCode::CONFLICT, "not-possible", text),
            OperationError::CannotTransfer(why) => {
                let kind = match why {
                    CannotTransfer::NoCall => "no-call",
                    CannotTransfer::NotAnswered => "not-answered",
                    CannotTransfer::UnderWay => "transfer-under-way",
                    CannotTransfer::Done => "already-transferred",
                    CannotTransfer::OwnNumber => "own-number",
                };
                Self::new(StatusCode::CONFLICT, kind, text)
            }
            OperationError::NoWay(_) => Self::new(StatusCode::CONFLICT, "carrier-cannot", text),
            OperationError::EditedMeanwhile(_) => Self::edited_meanwhile(text),
            OperationError::Invalid { place, problem } => {
                Self::invalid(vec![FieldError::new(place, problem)])
            }
            OperationError::Playbook(Problems(problems)) => {
                Self::invalid(problems.into_iter().map(FieldError::from).collect())
            }
            OperationError::Engine(EngineError::NoSuchLead(_)) => Self::not_found(text),
            OperationError::Engine(EngineError::Quarantined(_)) => {
                Self::new(StatusCode::CONFLICT, "quarantined", text)
            }
            OperationError::Engine(EngineError::Store(error))
            | OperationError::Store(error)
            | OperationError::Account(AccountError::Store(error)) => error.into(),
            OperationError::Engine(error @ (EngineError::Full | EngineError::Stopping)) => Self::busy(&error),
            OperationError::Account(_) => Self::new(StatusCode::CONFLICT, "account-unusable", text),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.failure() {
            Failure::Data => Self::ours(&error),
            Failure::Conflict | Failure::Wait => Self::busy(&error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let told = self.clone();
        let body = ProblemDetails {
            kind: format!("urn:outdial:problem:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            errors: self.errors,
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // Pages tell it in another form.
        response.extensions_mut().insert(told);
        response
    }
}
