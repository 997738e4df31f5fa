//! Errors as Twirp has them: a code, a message and text beside it (protocol page, §1).

use std::collections::BTreeMap;

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

/// Twirp's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Canceled,
    Unknown,
    InvalidArgument,
    Malformed,
    DeadlineExceeded,
    NotFound,
    BadRoute,
    AlreadyExists,
    PermissionDenied,
    Unauthenticated,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
}

/// Code, name, HTTP status, and number in gRPC (those that gRPC lacks are what they come closest to).
const CODES: [(Code, &str, u16, i32); 18] = [
    (Code::Canceled, "canceled", 408, 1),
    (Code::Unknown, "unknown", 500, 2),
    (Code::InvalidArgument, "invalid_argument", 400, 3),
    (Code::Malformed, "malformed", 400, 3),
    (Code::DeadlineExceeded, "deadline_exceeded", 408, 4),
    (Code::NotFound, "not_found", 404, 5),
    (Code::BadRoute, "bad_route", 404, 5),
    (Code::AlreadyExists, "already_exists", 409, 6),
    (Code::PermissionDenied, "permission_denied", 403, 7),
    (Code::Unauthenticated, "unauthenticated", 401, 16),
    (Code::ResourceExhausted, "resource_exhausted", 429, 8),
    (Code::FailedPrecondition, "failed_precondition", 412, 9),
    (Code::Aborted, "aborted", 409, 10),
    (Code::OutOfRange, "out_of_range", 400, 11),
    (Code::Unimplemented, "unimplemented", 501, 12),
    (Code::Internal, "internal", 500, 13),
    (Code::Unavailable, "unavailable", 503, 14),
    (Code::DataLoss, "dataloss", 500, 15),
];

impl Code {
    fn row(self) -> (&'static str, u16, i32) {
        let row = CODES.iter().find(|row| row.0 == self).expect("the table has every code");
        (row.1, row.2, row.3)
    }

    /// Its number in gRPC.
    pub(super) fn grpc(self) -> i32 {
        self.row().2
    }

    /// The first code that HTTP shows as `status`.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            500 => Self::Internal,
            400 => Self::InvalidArgument,
            other => CODES.iter().find(|row| row.2 == other).map_or(Self::Unknown, |row| row.0),
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.row().0
    }

    pub(super) fn is_name(text: &str) -> bool {
        CODES.iter().any(|row| row.1 == text)
    }
}

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) meta: BTreeMap<&'static str, String>,
}

impl Refusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), meta: BTreeMap::new() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(super) fn no_room() -> Self {
        Self::new(Code::NotFound, "requested room does not exist")
    }

    pub(super) fn no_participant() -> Self {
        Self::new(Code::NotFound, "participant does not exist")
    }

    pub(super) fn denied() -> Self {
        Self::new(Code::Unauthenticated, "permissions denied")
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.meta.insert(name, value.into());
        self
    }

    pub(super) fn respond(&self) -> Response {
        let (name, status, _) = self.code.row();
        let mut body = json!({"code": name, "msg": self.message});
        if !self.meta.is_empty() {
            body["meta"] = json!(self.meta);
        }
        respond(crate::carrier::status(status), &body)
    }
}

/// An error's body is JSON whatever the request was, of a content type without parameters: the Node
/// client reads no other.
pub(super) fn respond(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_row() {
        for (code, name, status, _) in CODES {
            assert_eq!((code.row().0, code.row().1), (name, status));
            assert!(Code::is_name(name));
        }
    }

    #[test]
    fn a_status_names_its_code() {
        for (status, name) in [
            (429, "resource_exhausted"),
            (503, "unavailable"),
            (500, "internal"),
            (400, "invalid_argument"),
            (401, "unauthenticated"),
            (418, "unknown"),
        ] {
            assert_eq!(Code::of_status(status).name(), name);
        }
    }
}
