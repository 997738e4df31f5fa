//! Errors as ElevenLabs writes them (§4).

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use crate::service::Reply;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    InvalidKey,
    NoKey,
    VoiceNotFound(String),
    ModelNotFound(String),
    /// This model cannot do it.
    ModelUnfit(String),
    TooLong {
        most: usize,
    },
    /// A value that is out of its range, or at odds with something.
    Parameter {
        param: &'static str,
        why: String,
    },
    /// A body or query of the wrong shape: where, what, and its kind.
    Shape {
        place: Vec<&'static str>,
        message: String,
        kind: &'static str,
    },
    NotFound,
    NotAWebSocket,
}

impl Refusal {
    pub(super) fn shape(place: &[&'static str], message: &str, kind: &'static str) -> Self {
        Self::Shape { place: place.to_vec(), message: message.into(), kind }
    }

    pub(super) fn status(&self) -> u16 {
        match self {
            Self::InvalidKey | Self::NoKey => 401,
            Self::VoiceNotFound(_) | Self::NotFound => 404,
            Self::ModelNotFound(_) | Self::ModelUnfit(_) | Self::TooLong { .. } | Self::Parameter { .. } => {
                400
            }
            Self::Shape { .. } => 422,
            Self::NotAWebSocket => 426,
        }
    }

    /// The name on the wire, over HTTP and on sockets.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid_api_key",
            Self::NoKey => "missing_api_key",
            Self::VoiceNotFound(_) => "voice_not_found",
            Self::ModelNotFound(_) => "model_not_found",
            Self::ModelUnfit(_) => "unsupported_model",
            Self::TooLong { .. } => "max_character_limit_exceeded",
            Self::Parameter { .. } => "invalid_parameters",
            Self::Shape { .. } => "invalid_input_message",
            Self::NotFound => "not_found",
            Self::NotAWebSocket => "upgrade_required",
        }
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::InvalidKey => "Invalid API key".into(),
            Self::NoKey => "An API key is required.".into(),
            Self::VoiceNotFound(voice) => format!("A voice with the voice_id {voice} was not found."),
            Self::ModelNotFound(model) => format!("A model with the model_id {model} was not found."),
            Self::ModelUnfit(model) => format!("The model {model} is not available here."),
            Self::TooLong { most } => format!("The text is longer than the {most} characters of this model."),
            Self::Parameter { why, .. } => why.clone(),
            Self::Shape { message, .. } => message.clone(),
            Self::NotFound => "Not Found".into(),
            Self::NotAWebSocket => "A WebSocket upgrade is required.".into(),
        }
    }

    pub(super) fn respond(&self, older: bool, request_id: &str) -> Response {
        let detail = match self {
            Self::Shape { place, message, kind } => json!([{"loc": place, "msg": message, "type": kind}]),
            Self::NotFound => json!("Not Found"),
            _ => {
                let mut detail = detail(self.status(), self.code(), &self.message(), older, request_id);
                if let (Self::Parameter { param, .. }, false) = (self, older) {
                    detail["param"] = json!(param);
                }
                detail
            }
        };
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(json!({ "detail": detail }))).into_response()
    }
}

/// The error object. Of its types only `validation_error` is documented.
fn detail(status: u16, code: &str, message: &str, older: bool, request_id: &str) -> Value {
    if older {
        return json!({"status": code, "message": message});
    }
    let kind = match status {
        401 => "authentication_error",
        402 => "payment_required",
        403 => "authorization_error",
        404 => "not_found",
        429 => "rate_limit_error",
        500.. => "internal_error",
        _ => "validation_error",
    };
    json!({"type": kind, "code": code, "message": message, "status": code, "request_id": request_id})
}

/// A scripted refusal.
pub(super) fn scripted(reply: &Reply, older: bool, request_id: &str) -> Response {
    reply.respond(|reply, status| {
        let detail = detail(reply.status, &reply.code, &reply.message, older, request_id);
        (status, Json(json!({ "detail": detail }))).into_response()
    })
}

/// An error on a socket, before it closes.
pub(super) fn on_socket(error: &str, message: &str) -> Value {
    json!({"message": message, "error": error, "code": 1008})
}
