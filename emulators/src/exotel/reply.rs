//! How answers look: JSON with the `.json` suffix, XML without, and the two error envelopes.

use std::fmt::Write as _;

use axum::{
    Json,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::config::ErrorCode;
use crate::carrier::status;

/// What a v1 resource was asked to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
}

impl Format {
    /// Splits `connect.json` into `connect` and JSON.
    pub(super) fn of(resource: &str) -> (&str, Self) {
        match resource.strip_suffix(".json") {
            Some(name) => (name, Self::Json),
            None => (resource, Self::Xml),
        }
    }

    pub(super) fn ok(self, body: &Value) -> Response {
        self.respond(StatusCode::OK, body)
    }

    pub(super) fn respond(self, status: StatusCode, body: &Value) -> Response {
        match self {
            Self::Json => (status, Json(body)).into_response(),
            Self::Xml => (status, [(CONTENT_TYPE, "application/xml")], xml(body)).into_response(),
        }
    }
}

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BAD_REQUEST", message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "UNAUTHORIZED", "Authentication failed")
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "NOT_FOUND", message)
    }

    pub(super) fn rate_limited() -> Self {
        Self::new(429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded")
    }

    /// The v1 form.
    pub(super) fn respond(&self, format: Format, code: ErrorCode) -> Response {
        let body = rest_exception(self.status, self.code, &self.message, code);
        with_challenge(format.respond(status(self.status), &body), self.status)
    }

    /// The v3 form.
    pub(super) fn respond_v3(&self) -> Response {
        let code = match self.status {
            401 => 1010,
            404 => 1000,
            400 => 1002,
            _ => 1100,
        };
        let body = json!({
            "request_id": Uuid::new_v4().simple().to_string(),
            "method": "GET",
            "http_code": self.status,
            "response": {
                "code": self.status,
                "error_data": {"code": code, "message": self.message, "description": self.message},
                "status": "failure",
                "data": null,
            },
        });
        with_challenge((status(self.status), Json(body)).into_response(), self.status)
    }
}

fn with_challenge(mut response: Response, status: u16) -> Response {
    if status == 401 {
        let challenge = HeaderValue::from_static(r#"Basic realm="Exotel""#);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// `{"RestException": …}` with `Code` in the form asked for.
pub(super) fn rest_exception(status: u16, code: &str, message: &str, form: ErrorCode) -> Value {
    let mut exception = json!({"Status": status, "Message": message});
    match form {
        ErrorCode::Text => exception["Code"] = code.into(),
        ErrorCode::Number => exception["Code"] = status.into(),
        ErrorCode::Absent => {}
    }
    json!({ "RestException": exception })
}

/// What is left of a minute's budget, for the response headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// Unix time in seconds.
    pub(super) reset: i64,
    /// Set when the request is over budget.
    pub(super) retry_after_s: Option<u64>,
}

impl Quota {
    pub(super) fn stamp(&self, response: &mut Response, counters: bool, retry_after: bool) {
        let headers = response.headers_mut();
        if counters {
            headers.insert(HeaderName::from_static("x-ratelimit-limit"), self.limit.into());
            headers.insert(HeaderName::from_static("x-ratelimit-remaining"), self.remaining.into());
            headers.insert(HeaderName::from_static("x-ratelimit-reset"), self.reset.into());
        }
        if let Some(seconds) = self.retry_after_s.filter(|_| retry_after) {
            headers.insert(RETRY_AFTER, seconds.into());
        }
    }
}

/// The same value under the root element that v1 uses.
fn xml(body: &Value) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<TwilioResponse>");
    write_xml(&mut out, body);
    out.push_str("</TwilioResponse>");
    out
}

fn write_xml(out: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => {
            write!(out, "{value}").expect("writing to a String cannot fail");
        }
        Value::String(text) => escape(out, text),
        Value::Array(items) => items.iter().for_each(|item| write_xml(out, item)),
        Value::Object(fields) => {
            for (name, field) in fields {
                write!(out, "<{name}>").expect("writing to a String cannot fail");
                write_xml(out, field);
                write!(out, "</{name}>").expect("writing to a String cannot fail");
            }
        }
    }
}

fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_wraps_the_same_fields_in_a_twilio_response() {
        let body = json!({"Call": {"Sid": "a<b", "EndTime": null}});
        assert!(
            xml(&body).ends_with(
                "<TwilioResponse><Call><EndTime></EndTime><Sid>a&lt;b</Sid></Call></TwilioResponse>"
            )
        );
    }
}
