//! What a carrier does wrong, whichever it is.

use std::time::Duration;

use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{Html, IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};

use crate::millis;

/// What goes wrong. All times are nominal.
///
/// Those with `times` that place no call are suffered by that many requests, one after the other in
/// the order listed, and only then is the number's call accepted. The number's script moves to its
/// next scenario when a call is accepted, never before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quirk {
    /// Each webhook is sent this many times more. What it says is the same; its bytes may differ
    /// (a multipart boundary, a count of deliveries).
    DuplicateCallbacks {
        /// Copies beyond the first.
        extra: u32,
    },
    /// All webhooks wait for the end and then come in reverse.
    ReorderedCallbacks,
    /// Each webhook comes late.
    LateCallbacks {
        /// By this much.
        #[serde(rename = "by_ms", with = "millis")]
        by: Duration,
    },
    /// No webhook ever; what can be read stays readable.
    NoCallbacks,
    /// Each webhook is signed like this; means nothing where the carrier does not sign.
    Forged(Forgery),
    /// The call is placed, the connection reset, and no byte of a response sent.
    AcceptThenDrop,
    /// The connection is reset and no call placed.
    DropBeforeAccepting {
        /// Requests that suffer this.
        times: u32,
    },
    /// The request gets this answer instead.
    Reply(Reply),
    /// The request is never answered; the connection stays open until the client goes.
    Hang {
        /// Whether the call is placed all the same.
        accepted: bool,
        /// Requests that suffer this (once if a call is placed).
        times: u32,
    },
    /// The response is right but slow.
    SlowResponse {
        /// By this much.
        #[serde(rename = "by_ms", with = "millis")]
        by: Duration,
        /// Whether the call is placed after the wait (even if the client has gone), not before.
        accepted_last: bool,
    },
    /// The carrier's network drops the bot's socket without a word.
    StreamBreaks {
        /// Time since the socket opened.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
}

/// What is wrong with a webhook's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgery {
    /// It is somebody else's.
    WrongKey,
    /// There is none.
    Missing,
    /// It is right, and older than the carrier's rules let anybody accept.
    Stale,
    /// It is right, and what was sent before comes again, byte for byte.
    Replayed,
}

/// An answer to the dial request that is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// HTTP status; 200 with a body that is not JSON is possible too.
    pub status: u16,
    /// The error's code, where the carrier has codes.
    pub code: String,
    /// The error's text.
    pub message: String,
    /// What the body is.
    pub body: ReplyBody,
    /// Sent as `Retry-After`, in real seconds.
    pub retry_after_s: Option<u32>,
    /// Whether the call is placed all the same.
    pub accepted: bool,
    /// Requests that suffer this (once if a call is placed).
    pub times: u32,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status: 503,
            code: "SERVICE_UNAVAILABLE".into(),
            message: "Service unavailable".into(),
            body: ReplyBody::Documented,
            retry_after_s: None,
            accepted: false,
            times: 1,
        }
    }
}

impl Reply {
    /// 429 before accepting.
    pub fn throttled(times: u32, retry_after_s: Option<u32>) -> Self {
        Self {
            status: 429,
            code: "RATE_LIMIT_EXCEEDED".into(),
            message: "Rate limit exceeded".into(),
            retry_after_s,
            times,
            ..Self::default()
        }
    }

    /// A 5xx that does not say whether the call was placed.
    pub fn server_error(status: u16, accepted: bool) -> Self {
        Self { status, accepted, ..Self::default() }
    }

    /// Any other refusal, such as 402 or 403, for this many requests.
    pub fn refusal(status: u16, code: &str, message: &str, times: u32) -> Self {
        Self { status, code: code.into(), message: message.into(), times, ..Self::default() }
    }

    /// The same with another kind of body.
    pub fn with_body(self, body: ReplyBody) -> Self {
        Self { body, ..self }
    }

    /// As a response; `documented` makes the carrier's own error.
    pub(crate) fn respond(&self, documented: impl FnOnce(&Self, StatusCode) -> Response) -> Response {
        let status = status(self.status);
        let mut response = match self.body {
            ReplyBody::Documented => documented(self, status),
            ReplyBody::Html => {
                let page = format!("<html><body><h1>{}</h1></body></html>", self.message);
                (status, Html(page)).into_response()
            }
            ReplyBody::Empty => status.into_response(),
        };
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A status from a script; one that HTTP does not have becomes 500.
pub(crate) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The body of a [`Reply`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyBody {
    /// The carrier's documented one.
    #[default]
    Documented,
    /// A gateway's HTML page.
    Html,
    /// Nothing.
    Empty,
}

/// The fault of the request that has already seen `suffered` of them in this step of the script.
pub(crate) fn due_fault(quirks: &[Quirk], suffered: u32) -> Option<&Quirk> {
    let mut before = suffered;
    for quirk in quirks {
        let times = match quirk {
            Quirk::DropBeforeAccepting { times } | Quirk::Hang { accepted: false, times } => *times,
            Quirk::Reply(reply) if !reply.accepted => reply.times,
            Quirk::AcceptThenDrop | Quirk::Reply(_) | Quirk::Hang { .. } => 1,
            Quirk::SlowResponse { .. } => 1,
            Quirk::DuplicateCallbacks { .. }
            | Quirk::ReorderedCallbacks
            | Quirk::LateCallbacks { .. }
            | Quirk::NoCallbacks
            | Quirk::Forged(_)
            | Quirk::StreamBreaks { .. } => continue,
        };
        match before.checked_sub(times) {
            None => return Some(quirk),
            Some(rest) => before = rest,
        }
    }
    None
}

/// Whether a request that suffers this places its call all the same.
pub(crate) fn places_call(fault: &Quirk) -> bool {
    match fault {
        Quirk::DropBeforeAccepting { .. } => false,
        Quirk::Reply(reply) => reply.accepted,
        Quirk::Hang { accepted, .. } => *accepted,
        // The wait comes first; the request is ruled on again after it.
        Quirk::SlowResponse { accepted_last, .. } => !accepted_last,
        Quirk::AcceptThenDrop
        | Quirk::DuplicateCallbacks { .. }
        | Quirk::ReorderedCallbacks
        | Quirk::LateCallbacks { .. }
        | Quirk::NoCallbacks
        | Quirk::Forged(_)
        | Quirk::StreamBreaks { .. } => true,
    }
}
