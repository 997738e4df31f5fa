//! What requests bring, and what is said of it where it cannot be read.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use chrono::{DateTime, Utc};
use outdial_workflows::phone::PhoneNumber;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

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
    if let Some(place) = with_nul(&body, String::new()) {
        let place = if place.is_empty() { "body" } else { &place };
        return Err(wrong(place, "it holds the character U+0000, which cannot be stored; leave it out"));
    }
    serde_json::from_value(body).map_err(|error| wrong("body", error.to_string()))
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

fn holds_nul(escaped: Option<&str>) -> bool {
    escaped.is_some_and(|text| text.contains("%00"))
}

/// What the address names.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        if holds_nul(Some(parts.uri.path())) {
            return Err(Problem::not_found("nothing has such a name"));
        }
        let read: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, api).await;
        let Path(named) = read.map_err(|error| Problem::not_found(error.body_text()))?;
        Ok(Self(named))
    }
}

/// What is asked for behind the question mark.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        Ok(Self(asked(&parts.uri)?))
    }
}

/// What an address asks for behind its question mark.
pub(crate) fn asked<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    if holds_nul(uri.query()) {
        return Err(wrong("query", "it holds the character U+0000, which nothing has"));
    }
    let read: Result<Query<T>, QueryRejection> = Query::try_from_uri(uri);
    let invalid = |error: QueryRejection| {
        let problem = std::error::Error::source(&error).map_or(error.body_text(), ToString::to_string);
        wrong("query", problem)
    };
    Ok(read.map_err(invalid)?.0)
}

/// What the caller read before changing it, by its `ETag`: nobody's change is to be overwritten unseen.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<&str, Problem> {
    let given = headers.get(header::IF_MATCH).ok_or_else(|| {
        let detail = "say in If-Match what the change was made on: the ETag with which it was read";
        Problem::new(StatusCode::PRECONDITION_REQUIRED, "if-match-missing", detail)
    })?;
    // Such a header is that of nothing.
    Ok(given.to_str().unwrap_or_default())
}

/// A time that may be left out, as RFC 3339 writes it: with a year of four digits, so that whatever it is
/// Postgres can keep it.
pub(crate) fn time<'de, D: Deserializer<'de>>(given: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(given)? else { return Ok(None) };
    let read = DateTime::parse_from_rfc3339(&text).map(|at| Some(at.to_utc()));
    let wrong = |_| D::Error::custom(format!("`{text}` is not a time; give it as 2026-01-14T10:00:00+05:30"));
    read.map_err(wrong)
}

/// A person's number, as `place` of a request gives it.
pub(crate) fn phone(given: &str, place: &str) -> Result<PhoneNumber, Problem> {
    // Behind a question mark, a + that is not escaped comes as a space.
    let given = match given.strip_prefix(' ') {
        Some(rest) => format!("+{rest}"),
        None => given.to_owned(),
    };
    PhoneNumber::parse(&given, None).map_err(|error| wrong(place, error.to_string()))
}

/// One part of the request is wrong.
pub(crate) fn wrong(place: &str, problem: impl Into<String>) -> Problem {
    Problem::invalid(vec![FieldError::new(place, problem)])
}

/// A text to look for. One that holds U+0000 could not be stored, and cannot be looked for either.
pub(crate) fn sought<'a>(place: &str, text: &'a str) -> Result<&'a str, Problem> {
    match text.contains('\0') {
        false => Ok(text),
        true => Err(wrong(place, "it holds the character U+0000; leave it out")),
    }
}
