//! Errors as OpenAI writes them (§5).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::HeaderName},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use crate::service::Reply;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
}

impl Refusal {
    /// A request that makes no sense.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into(), param: None, code: None }
    }

    pub(super) fn of(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    pub(super) fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    pub(super) fn no_key() -> Self {
        let message = "You didn't provide an API key. You need to provide your API key in an Authorization \
             header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
        Self { status: 401, ..Self::invalid(message) }
    }

    pub(super) fn wrong_key(given: &str) -> Self {
        let shown: String = given.chars().take(3).collect();
        let message = format!("Incorrect API key provided: {shown}***.");
        Self { status: 401, ..Self::invalid(message) }.coded("invalid_api_key")
    }

    pub(super) fn no_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self { status: 404, ..Self::invalid(message) }.coded("model_not_found")
    }

    pub(super) fn no_path(method: &str, path: &str) -> Self {
        Self { status: 404, ..Self::invalid(format!("Invalid URL ({method} {path})")) }
    }

    pub(super) fn respond(&self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let body = error(&self.message, "invalid_request_error", self.param.as_deref(), self.code);
        (status, Json(body)).into_response()
    }
}

fn error(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

/// The event that tells of a failure in the middle of a stream.
pub(super) fn event() -> Value {
    let message = "The server had an error while processing your request. Sorry about that!";
    error(message, "server_error", None, None)
}

/// A scripted refusal; its type follows from its status and code.
pub(super) fn scripted(reply: &Reply) -> Response {
    let mut response = reply.respond(|reply, status| {
        let kind = match (reply.status, reply.code.as_str()) {
            (429, "insufficient_quota") => "insufficient_quota",
            // The text alone tells which of the two limits was reached.
            (429, _) if reply.message.contains("(TPM)") => "tokens",
            (429, _) => "requests",
            (500.., _) => "server_error",
            _ => "invalid_request_error",
        };
        let code = Some(reply.code.as_str()).filter(|code| !code.is_empty());
        (status, Json(error(&reply.message, kind, None, code))).into_response()
    });
    if let Some(wait) = reply.retry_after {
        response.headers_mut().insert(RETRY_AFTER_MS, HeaderValue::from(crate::millis::whole(wait)));
    }
    response
}
