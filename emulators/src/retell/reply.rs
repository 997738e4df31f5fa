//! How answers look: JSON, and one envelope for every error (protocol page, §1).

use axum::{
    Json,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::carrier::status;

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
    /// Sent as `Retry-After`.
    pub(super) retry_after_s: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after_s: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "API key is missing or invalid.")
    }

    pub(super) fn payment_needed() -> Self {
        Self::new(402, "Trial has ended, please add payment method.")
    }

    /// Retell has 422 where others have 404.
    pub(super) fn no_such_asset(what: impl Into<String>) -> Self {
        Self::new(422, what)
    }

    pub(super) fn throttled(retry_after_s: Option<u64>) -> Self {
        Self { retry_after_s, ..Self::new(429, "Account rate limited, please throttle your requests.") }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = error(status(self.status), &self.message);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The envelope.
pub(super) fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"status": "error", "message": message}))).into_response()
}

/// `body`, or why there is none.
pub(super) fn answer(status: StatusCode, body: Result<Value, Refusal>) -> Response {
    match body {
        Ok(body) => (status, Json(body)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
