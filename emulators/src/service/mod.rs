//! What the emulators of the services in a conversation (speech to text, language, text to speech)
//! have in common: what the next requests meet, what came of each, and the life of the server.

mod control;
mod emulator;
mod hub;
mod ongoing;
pub(crate) mod paced;

use std::{fmt::Debug, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{Html, IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub(crate) use self::ongoing::{Conclude, Ongoing};
pub use self::{
    emulator::{Emulator, StartError},
    hub::{Hub, ReportId},
};
use crate::{carrier, clock::Pace, millis};
pub use crate::{carrier::ReplyBody, server::ConfigError};

/// A service's protocol, as far as the common part needs to know it.
pub trait Service: Sized + Send + Sync + 'static {
    /// The name in `/_emulator/health`.
    const NAME: &'static str;
    /// Everything that can be set.
    type Config: Settings;
    /// What one request meets, or one socket.
    type Step: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What came of one, for tests.
    type Report: Clone + Debug + Serialize + Send + Sync + 'static;

    /// The service's own routes.
    fn routes() -> Router<Arc<Hub<Self>>>;
}

/// An emulator's settings.
pub trait Settings: Clone + Default + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Says what is wrong, if anything.
    ///
    /// # Errors
    /// If the settings cannot be used.
    fn check(&self) -> Result<(), ConfigError>;
    /// Port on 127.0.0.1; 0 takes any free one.
    fn port(&self) -> u16;
    /// How many nominal seconds pass in one real second.
    fn speed(&self) -> f64;
}

/// How time passes under checked settings.
pub(crate) trait Paced {
    fn pace(&self) -> Pace;
}

impl<S: Settings> Paced for S {
    fn pace(&self) -> Pace {
        Pace::new(self.speed()).expect("a checked config has a usable speed")
    }
}

/// An answer that a script gives instead of the service's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// HTTP status; one that HTTP does not have becomes 500.
    pub status: u16,
    /// The error's code, in the service's words.
    pub code: String,
    /// The error's text.
    pub message: String,
    /// What the body is.
    pub body: ReplyBody,
    /// When to try again, in real time: `Retry-After`, and what else the service has for it.
    #[serde(rename = "retry_after_ms", with = "millis::optional")]
    pub retry_after: Option<Duration>,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status: 503,
            code: "service_unavailable".into(),
            message: "Service unavailable".into(),
            body: ReplyBody::Documented,
            retry_after: None,
        }
    }
}

impl Reply {
    /// A refusal in the service's own form.
    pub fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.into(), message: message.into(), ..Self::default() }
    }

    /// The same with another kind of body.
    #[must_use]
    pub fn with_body(self, body: ReplyBody) -> Self {
        Self { body, ..self }
    }

    /// The same, saying when to try again.
    #[must_use]
    pub fn retry_after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }

    /// As a response; `documented` makes the service's own error.
    pub(crate) fn respond(&self, documented: impl FnOnce(&Self, StatusCode) -> Response) -> Response {
        let status = carrier::status(self.status);
        let mut response = match self.body {
            ReplyBody::Documented => documented(self, status),
            ReplyBody::Html => {
                let page = format!("<html><body><h1>{}</h1></body></html>", self.message);
                (status, Html(page)).into_response()
            }
            ReplyBody::Empty => status.into_response(),
        };
        if let Some(wait) = self.retry_after {
            // In whole seconds, and never too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
