//! Refusals, in the older of the two documented forms, which is the one its error table has (§4).

use std::fmt;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use uuid::Uuid;

use crate::service::Reply;

/// Sent with every answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("dg-request-id");
/// Sent with refusals.
const ERROR: HeaderName = HeaderName::from_static("dg-error");

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    InvalidAuth,
    /// A query parameter that is unknown, wrong, missing, or at odds with another. The exact words are
    /// not documented.
    Parameter(String),
    NoSuchModel,
    NotAWebSocket,
    BadPayload,
    NoSuchPath,
}

impl Refusal {
    pub(super) fn reply(&self) -> Reply {
        let (status, code) = match self {
            Self::InvalidAuth => (401, "INVALID_AUTH"),
            Self::Parameter(_) => (400, "INVALID_QUERY_PARAMETER"),
            Self::NoSuchModel | Self::NotAWebSocket | Self::BadPayload => (400, "Bad Request"),
            Self::NoSuchPath => (404, "Not Found"),
        };
        Reply::new(status, code, &self.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidAuth => f.write_str("Invalid credentials."),
            Self::Parameter(why) => write!(f, "Failed to deserialize query parameters: {why}"),
            Self::NoSuchModel => f.write_str("Bad Request: No such model/version combination found."),
            Self::NotAWebSocket => f.write_str("Bad Request: expected a WebSocket upgrade."),
            Self::BadPayload => {
                f.write_str("Content-type was application/json, but we could not process the JSON payload.")
            }
            Self::NoSuchPath => f.write_str("Not Found"),
        }
    }
}

/// A refusal on the wire.
pub(super) fn respond(reply: &Reply, request_id: Uuid) -> Response {
    let mut response = reply.respond(|reply, status: StatusCode| {
        let body = json!({
            "err_code": reply.code, "err_msg": reply.message, "request_id": request_id.to_string(),
        });
        (status, Json(body)).into_response()
    });
    if let Ok(text) = HeaderValue::from_str(&reply.message) {
        response.headers_mut().insert(ERROR, text);
    }
    with_id(response, request_id)
}

/// Any answer carries the request's id.
pub(super) fn with_id(mut response: Response, request_id: Uuid) -> Response {
    if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
