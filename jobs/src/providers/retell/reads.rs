//! Requests beside the dial, and what an answer says that is no success.

use reqwest::RequestBuilder;
use serde::Serialize;

use super::Retell;
use super::wire::Refused;
use crate::providers::answer::{Answer, below};
use crate::providers::tidy::words_of;

impl Retell {
    /// Reads once. `Err` says why there is no answer.
    pub(super) async fn get(&self, parts: &[&str]) -> Result<Answer, String> {
        self.send(self.http.get(below(&self.base_url, parts.iter().copied()))).await
    }

    /// Posts once, with a body or without.
    pub(super) async fn post(&self, parts: &[&str], body: Option<&impl Serialize>) -> Result<Answer, String> {
        let request = self.http.post(below(&self.base_url, parts.iter().copied()));
        self.send(body.into_iter().fold(request, RequestBuilder::json)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, String> {
        match self.authorised(request).send().await {
            Ok(response) => Ok(Answer::read(response).await),
            Err(error) => Err(format!("Retell was not reached: {}", self.credentials.tidy(&words_of(error)))),
        }
    }
}

/// What an error body says.
pub(super) fn message(answer: &Answer) -> Option<String> {
    answer.json::<Refused>()?.message
}

/// The status and the message, not yet fit to be stored.
pub(super) fn words(answer: &Answer) -> String {
    answer.words(message(answer).as_deref())
}
