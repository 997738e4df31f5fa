//! What keeps a request from being carried out.

use std::fmt;
use std::io;

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, Response};
use serde::Deserialize;
use url::Url;

/// So much of a stranger's answer is shown, in characters.
const SHOWN: usize = 80;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer came.
    #[error("the server {server} cannot be reached")]
    Unreachable {
        /// Where it should be.
        server: Url,
        /// Why.
        #[source]
        error: reqwest::Error,
    },
    /// The server says why.
    #[error("{0}")]
    Problem(Problem),
    /// Something answers that is no outdial, or stands before one.
    #[error("{server} answers as no outdial does: {status}, {says}; check the address of the server")]
    Stranger {
        /// Where.
        server: Url,
        /// With which status.
        status: u16,
        /// The beginning of what it says.
        says: String,
    },
    /// The answer is not understood.
    #[error("what the server answers cannot be read; `outdial doctor` compares its version with this one's")]
    Unreadable(#[source] serde_json::Error),
    /// Something that no header takes.
    #[error("{0} is to be a single line of text")]
    Header(String),
    /// The file that was to be sent cannot be read.
    #[error("the file could not be read")]
    File(#[source] io::Error),
}

impl ClientError {
    pub(super) fn unreachable(server: &Url, error: reqwest::Error) -> Self {
        Self::Unreachable { server: server.clone(), error: error.without_url() }
    }

    /// What an answer says that is no success.
    pub(super) async fn told(server: &Url, response: Response) -> Self {
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let is_problem =
            header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/problem+json"));
        let location = header(LOCATION).map(|to| format!("to {to}"));
        let body = response.bytes().await.unwrap_or_default();
        if is_problem && let Ok(problem) = serde_json::from_slice(&body) {
            return Self::Problem(problem);
        }
        let text = String::from_utf8_lossy(&body);
        let text: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        Self::Stranger {
            server: server.clone(),
            status,
            says: location.unwrap_or_else(|| format!("`{text}`")),
        }
    }

    /// Whether the same request, sent again in a moment, may be answered otherwise, and may be sent again:
    /// a GET changes nothing, and a POST is known by its key; of others it must be sure that they did not arrive.
    pub(super) fn may_pass(&self, method: &Method) -> bool {
        match self {
            Self::Unreachable { error, .. } => {
                let again = [Method::GET, Method::HEAD, Method::POST].contains(method);
                again && !error.is_builder() || error.is_connect()
            }
            Self::Problem(problem) => problem.status == 503 || problem.is_under_way(),
            Self::Stranger { status, .. } => [502, 503, 504].contains(status) && *method != Method::PUT,
            Self::Unreadable(_) | Self::Header(_) | Self::File(_) => false,
        }
    }
}

/// An error as the API tells it (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// What kind, as `urn:outdial:problem:invalid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, and what to do about it.
    pub detail: String,
    /// What is wrong with which parts of the request.
    #[serde(default)]
    pub errors: Vec<FieldError>,
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FieldError {
    /// Which part.
    pub place: String,
    /// In which line of the text that was sent.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Problem {
    /// Whether the same request is being carried out, from when it was sent before.
    pub fn is_under_way(&self) -> bool {
        self.kind == "urn:outdial:problem:under-way"
    }
}

impl fmt::Display for Problem {
    /// The detail says it all where one part is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.errors.len() < 2 {
            return f.write_str(&self.detail);
        }
        write!(f, "{} parts of the request are wrong", self.errors.len())?;
        self.errors.iter().try_for_each(|FieldError { place, line, problem }| match line {
            Some(line) => write!(f, "\n  line {line}: {place}: {problem}"),
            None => write!(f, "\n  {place}: {problem}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(errors: &serde_json::Value) -> Problem {
        let told = json!({ "type": "urn:outdial:problem:invalid", "title": "Unprocessable Content",
            "status": 422, "detail": "phone: too short", "errors": errors });
        serde_json::from_value(told).expect("a problem")
    }

    #[test]
    fn each_field_that_is_wrong_is_told_once() {
        let one = json!({ "place": "phone", "problem": "too short" });
        assert_eq!(problem(&json!([one])).to_string(), "phone: too short");
        let other = json!({ "place": "zone", "problem": "unknown" });
        let told = "2 parts of the request are wrong\n  phone: too short\n  zone: unknown";
        assert_eq!(problem(&json!([one, other])).to_string(), told);
    }

    #[test]
    fn only_what_may_pass_and_does_no_harm_is_sent_again() {
        let told = |status, kind: &str| {
            let kind = format!("urn:outdial:problem:{kind}");
            ClientError::Problem(Problem { kind, status, detail: String::new(), errors: vec![] })
        };
        let busy = told(503, "busy");
        assert!(busy.may_pass(&Method::PUT) && busy.may_pass(&Method::POST));
        assert!(told(409, "under-way").may_pass(&Method::POST));
        assert!(!told(409, "exists").may_pass(&Method::POST));
        assert!(!told(422, "invalid").may_pass(&Method::GET));
    }
}
