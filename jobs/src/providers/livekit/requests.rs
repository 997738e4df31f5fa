//! Requests of LiveKit, and what its answers say.

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::token::{self, Need};
use super::wire::TwirpError;
use super::{Credentials, LiveKit};
use crate::clock::wall;
use crate::providers::answer::{Answer, below};
use crate::providers::tidy::{tidy, words_of};

/// More of a text that is not Twirp's is a page of somebody else's.
const PLAIN_MAX: usize = 200;

impl LiveKit {
    /// A request without its body, allowed what `need` says.
    pub(super) fn request(
        &self,
        (service, method): (&str, &str),
        need: Need<'_>,
        timeout: Duration,
    ) -> RequestBuilder {
        let url = below(&self.base_url, ["twirp", &format!("livekit.{service}"), method]);
        let request = self.http.post(url).bearer_auth(token::mint(&self.credentials, need, wall()));
        request.header(ACCEPT, "application/json").timeout(timeout)
    }

    /// Asks once. `Err` says why there is no answer.
    pub(super) async fn ask(
        &self,
        method: (&str, &str),
        need: Need<'_>,
        message: &impl Serialize,
    ) -> Result<Answer, String> {
        let body = serde_json::to_string(message).map_err(|error| error.to_string())?;
        self.send(self.request(method, need, self.settings.request_timeout()), body).await
    }

    /// Sends a request that rings nobody.
    pub(super) async fn send(&self, request: RequestBuilder, body: String) -> Result<Answer, String> {
        match request.header(CONTENT_TYPE, "application/json").body(body).send().await {
            Ok(response) => Ok(Answer::read(response).await),
            Err(error) => Err(format!("LiveKit was not reached: {}", words_of(error))),
        }
    }
}

impl Credentials {
    pub(super) fn secrets(&self) -> [&str; 2] {
        [self.api_secret.expose_secret(), self.api_key.as_str()]
    }

    /// Fit to be stored and shown.
    pub(super) fn tidy(&self, text: &str) -> String {
        tidy(text, &self.secrets())
    }
}

/// The status and what LiveKit said, not yet fit to be stored. Tokens that are no good are refused in
/// plain text, everything else in JSON.
pub(super) fn words(answer: &Answer) -> String {
    if let Some(TwirpError { code, msg, .. }) = answer.json() {
        return answer.words(Some(&format!("{code}: {msg}")));
    }
    let plain = |text: &&str| text.len() <= PLAIN_MAX && !text.is_empty() && !text.contains(['<', '{']);
    answer.words(answer.text.as_deref().map(str::trim).filter(plain))
}
