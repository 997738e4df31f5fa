//! What came of a request, for tests.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::service::Conclude;

/// What came of a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestReport {
    /// As in `x-request-id`.
    pub request_id: String,
    /// The body, as it came; `null` if it was no JSON.
    pub request: Value,
    /// The place of the rule that answered, from 0.
    pub rule: Option<usize>,
    /// Tokens sent so far, of text and arguments.
    pub tokens_sent: usize,
    /// Text sent so far.
    pub text_sent: String,
    /// How it ended; `None` while it goes on.
    pub ended: Option<RequestEnd>,
}

impl Conclude for RequestReport {
    type End = RequestEnd;
    const CANCELLED: RequestEnd = RequestEnd::Cancelled;

    fn conclude(&mut self, end: RequestEnd) {
        self.ended = Some(end);
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestEnd {
    /// With an error.
    Refused {
        /// The status.
        status: u16,
    },
    /// With the whole answer, or all of it that a quirk left.
    Answered,
    /// A quirk cut the connection.
    Cut,
    /// The client went before the end, as it does to interrupt.
    Cancelled,
}
