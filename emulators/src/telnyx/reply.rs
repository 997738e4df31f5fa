//! How answers look: `data` around successes, `errors` around refusals (protocol page, §1).

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use crate::carrier::status;

/// `{"data": …}`
pub(super) fn data(data: &Value) -> Response {
    Json(json!({ "data": data })).into_response()
}

/// What a command is told that will be carried out.
pub(super) fn ok() -> Response {
    data(&json!({"result": "ok"}))
}

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    title: &'static str,
    detail: String,
    pointer: Option<String>,
}

impl Refusal {
    pub(super) fn new(
        status: u16,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, code, title, detail: detail.into(), pointer: None }
    }

    /// 422 about one field.
    pub(super) fn field(
        code: &'static str,
        title: &'static str,
        name: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self { pointer: Some(format!("/{name}")), ..Self::new(422, code, title, detail) }
    }

    pub(super) fn missing(name: &str) -> Self {
        let detail = format!("The '{name}' parameter is required and must not be blank.");
        Self::field("10004", "Missing required parameter", name, detail)
    }

    pub(super) fn unprocessable(name: &str, detail: impl Into<String>) -> Self {
        Self::field("10027", "Unprocessable Entity", name, detail)
    }

    pub(super) fn not_e164(name: &str) -> Self {
        let detail = format!("The '{name}' parameter must be in +E.164 format.");
        Self::field("10016", "Phone number must be in +E164 format", name, detail)
    }

    pub(super) fn unauthorized() -> Self {
        let detail =
            "The required authentication headers were either invalid or not included in the request.";
        Self::new(401, "10009", "Authentication failed", detail)
    }

    pub(super) fn not_found() -> Self {
        let detail = "The requested resource or URL could not be found.";
        Self::new(404, "10005", "Resource not found", detail)
    }

    pub(super) fn call_over() -> Self {
        let detail = "This call is no longer active and can't receive commands.";
        Self::new(422, "90018", "Call has already ended", detail)
    }

    pub(super) fn respond(&self) -> Response {
        let pointer = self.pointer.as_deref();
        respond(status(self.status), self.code, self.title, &self.detail, pointer)
    }
}

impl From<Refusal> for Box<Response> {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.respond())
    }
}

/// `{"errors": [{…}]}`
pub(super) fn respond(
    status: StatusCode,
    code: &str,
    title: &str,
    detail: &str,
    pointer: Option<&str>,
) -> Response {
    let mut error = json!({
        "code": code,
        "title": title,
        "detail": detail,
        "meta": {"url": format!("https://developers.telnyx.com/docs/overview/errors/{code}")},
    });
    if let Some(pointer) = pointer {
        error["source"] = json!({ "pointer": pointer });
    }
    (status, Json(json!({"errors": [error]}))).into_response()
}

/// TeXML's 404 is shorter than all others.
pub(super) fn texml_not_found() -> Response {
    let errors = json!({"errors": [{"detail": "Resource not found"}]});
    (StatusCode::NOT_FOUND, Json(errors)).into_response()
}
