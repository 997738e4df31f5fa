//! Reading from Exotel.

use secrecy::ExposeSecret;
use url::Url;

use super::{Credentials, Exotel, wire};
use crate::providers::answer::{Answer, below};
use crate::providers::tidy::{tidy, words_of};

impl Exotel {
    /// An address below the v1 account; `parts` are escaped.
    pub(super) fn v1(&self, parts: &[&str]) -> Url {
        below(&self.base_url, self.account("Accounts", "v1", parts))
    }

    /// An address below the v3 account.
    pub(super) fn v3(&self, parts: &[&str]) -> Url {
        below(&self.ccm_base_url, self.account("accounts", "v3", parts))
    }

    fn account<'a>(
        &'a self,
        word: &'a str,
        version: &'a str,
        parts: &'a [&'a str],
    ) -> impl Iterator<Item = &'a str> {
        [version, word, self.credentials.account_sid.as_str()].into_iter().chain(parts.iter().copied())
    }

    /// Reads once. `Err` says why there is no answer.
    pub(super) async fn get(&self, url: Url) -> Result<Answer, String> {
        match self.authorised(self.http.get(url)).send().await {
            Ok(response) => Ok(Answer::read(response).await),
            Err(error) => Err(format!("Exotel was not reached: {}", self.credentials.tidy(&words_of(error)))),
        }
    }
}

impl Credentials {
    pub(super) fn secrets(&self) -> [&str; 2] {
        [self.api_token.expose_secret(), self.api_key.as_str()]
    }

    /// Fit to be stored and shown.
    pub(super) fn tidy(&self, text: &str) -> String {
        tidy(text, &self.secrets())
    }
}

/// What an error body says.
pub(super) fn message(answer: &Answer) -> Option<String> {
    wire::error_message(answer.text.as_deref()?)
}

/// The status and the message, not yet fit to be stored.
pub(super) fn words(answer: &Answer) -> String {
    answer.words(message(answer).as_deref())
}
