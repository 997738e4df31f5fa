//! What requests bring, and what is said of it where it cannot be read.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::problem::FieldError;
use super::super::{Api, Problem};

/// A body of JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let read = <Json<T> as FromRequest<Api>>::from_request(request, api).await;
        Ok(Self(read.map_err(unreadable)?.0))
    }
}

/// The same where there may be none.
impl<T: DeserializeOwned> OptionalFromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Option<Self>, Problem> {
        let read = <Json<T> as OptionalFromRequest<Api>>::from_request(request, api).await;
        Ok(read.map_err(unreadable)?.map(|Json(body)| Self(body)))
    }
}

fn unreadable(rejection: JsonRejection) -> Problem {
    let text = rejection.body_text();
    match rejection {
        JsonRejection::JsonDataError(error) => {
            // Serde's text names the field and says what is wrong with it.
            let place = "body".to_owned();
            let problem = std::error::Error::source(&error).map_or(text, ToString::to_string);
            Problem::invalid(vec![FieldError { place, problem }])
        }
        JsonRejection::JsonSyntaxError(_) => Problem::new(StatusCode::BAD_REQUEST, "not-json", text),
        JsonRejection::MissingJsonContentType(_) => {
            let detail = "the body is to be JSON: send `Content-Type: application/json`";
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail)
        }
        other => Problem::new(other.status(), "unreadable", text),
    }
}

/// What the address names.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let read: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, api).await;
        let Path(named) = read.map_err(|error| Problem::not_found(error.body_text()))?;
        Ok(Self(named))
    }
}

/// What is asked for behind the question mark.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, api).await;
        let invalid = |error: QueryRejection| {
            let problem = std::error::Error::source(&error).map_or(error.body_text(), ToString::to_string);
            Problem::invalid(vec![FieldError { place: "query".into(), problem }])
        };
        Ok(Self(read.map_err(invalid)?.0))
    }
}

/// The most that a page holds.
pub(crate) const PAGE: u32 = 200;

/// Which page of a list.
#[derive(Clone, Copy, Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The `next` of the page before.
    cursor: Option<Uuid>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl PageQuery {
    pub(crate) fn after(&self) -> Option<Uuid> {
        self.cursor
    }

    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        page_limit(self.limit)
    }
}

/// How many a page is to hold.
pub(crate) fn page_limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(50) {
        limit @ 1..=PAGE => Ok(limit as usize),
        other => {
            let problem = format!("{other} is out of bounds; give 1 to {PAGE}");
            Err(Problem::invalid(vec![FieldError { place: "limit".into(), problem }]))
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// What is on it.
    items: Vec<T>,
    /// The cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

impl<T> Page<T> {
    /// These, and where the next begins.
    pub(crate) fn from_to(items: Vec<T>, next: Option<Uuid>) -> Self {
        Self { items, next }
    }

    /// Of one more than fit: the one too many tells that there is another page.
    pub(crate) fn of(mut found: Vec<T>, limit: usize, id: impl Fn(&T) -> Uuid) -> Self {
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().map(id).filter(|_| more);
        Self { items: found, next }
    }
}
