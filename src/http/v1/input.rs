//! What requests bring, and what is said of it where it cannot be read.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use outdial_jobs::operations::OperationError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::problem::FieldError;
use super::super::{Api, Problem};

/// A body of JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let read = <Json<Value> as FromRequest<Api>>::from_request(request, api).await;
        Ok(Self(read_body(read.map_err(unreadable)?.0)?))
    }
}

/// The same where there may be none.
impl<T: DeserializeOwned> OptionalFromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Option<Self>, Problem> {
        let read = <Json<Value> as OptionalFromRequest<Api>>::from_request(request, api).await;
        read.map_err(unreadable)?.map(|Json(body)| Ok(Self(read_body(body)?))).transpose()
    }
}

fn read_body<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    let wrong = |place: String, problem: String| Problem::invalid(vec![FieldError { place, problem }]);
    if let Some(place) = with_nul(&body, String::new()) {
        let place = if place.is_empty() { "body".to_owned() } else { place };
        return Err(wrong(
            place,
            "it holds the character U+0000, which cannot be stored; leave it out".into(),
        ));
    }
    serde_json::from_value(body).map_err(|error| wrong("body".into(), error.to_string()))
}

/// Where a text holds U+0000, which Postgres takes in no text.
fn with_nul(value: &Value, at: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(at),
        Value::Array(items) => {
            let mut each = items.iter().enumerate();
            each.find_map(|(place, item)| with_nul(item, format!("{at}[{place}]")))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            let shown = name.replace('\0', "");
            let at = if at.is_empty() { shown } else { format!("{at}.{shown}") };
            if name.contains('\0') { Some(at) } else { with_nul(field, at) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn unreadable(rejection: JsonRejection) -> Problem {
    let text = rejection.body_text();
    match rejection {
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
    /// The page of what `found` finds after an id, at most so many.
    pub(crate) async fn of<R, T: From<R>>(
        self,
        found: impl AsyncFnOnce(Option<Uuid>, i64) -> Result<Vec<R>, OperationError>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Json<Page<T>>, Problem> {
        let limit = page_limit(self.limit)?;
        // The one too many tells that there is another page.
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX) + 1;
        let mut items: Vec<T> = found(self.cursor, one_more).await?.into_iter().map(T::from).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().map(id).filter(|_| more);
        Ok(Json(Page { items, next }))
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

/// A cursor that counts.
pub(crate) fn line_cursor(asked: Option<i64>) -> Result<Option<i64>, Problem> {
    match asked {
        Some(negative) if negative < 0 => {
            let problem = "give the `next` of the page before".into();
            Err(Problem::invalid(vec![FieldError { place: "cursor".into(), problem }]))
        }
        asked => Ok(asked),
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
}
