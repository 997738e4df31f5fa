//! Reading from Telnyx.

use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use url::Url;

use super::Telnyx;
use super::wire::{Errors, Page};
use crate::providers::Question;
use crate::providers::answer::{Answer, below};
use crate::providers::tidy::{tidy, words_of};

/// Items asked for at a time, which is the most that Telnyx gives.
const PAGE_SIZE: usize = 250;

impl Telnyx {
    /// An address below `/v2`; `parts` are escaped.
    pub(super) fn v2(&self, parts: &[&str]) -> Url {
        below(&self.base_url, std::iter::once("v2").chain(parts.iter().copied()))
    }

    /// Reads once. `Err` says why there is no answer.
    pub(super) async fn get(&self, url: Url) -> Result<Answer, String> {
        self.answer_to(self.http.get(url)).await
    }

    /// Sends once. `Err` says why there is no answer.
    pub(super) async fn answer_to(&self, request: reqwest::RequestBuilder) -> Result<Answer, String> {
        match self.authorised(request).send().await {
            Ok(response) => Ok(Answer::read(response).await),
            Err(error) => Err(format!("Telnyx was not reached: {}", self.tidy(&words_of(error)))),
        }
    }

    /// Reads a list to its end. `Err` if it is longer than `pages_max` pages, or breaks off.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        filters: &[(&str, &str)],
        pages_max: u32,
        question: &Question<'_>,
    ) -> Result<Vec<T>, String> {
        let what = parts.last().copied().unwrap_or_default();
        let mut items = Vec::new();
        for number in 1..=pages_max {
            let mut url = self.v2(parts);
            url.query_pairs_mut()
                .extend_pairs(filters)
                .append_pair("page[number]", &number.to_string())
                .append_pair("page[size]", &PAGE_SIZE.to_string());
            question.requests.another();
            let answer = self.get(url).await?;
            let page: Page<T> = match answer.status {
                StatusCode::OK => answer.json().ok_or(format!("{what} is not in the documented form"))?,
                _ => return Err(format!("{what} cannot be read: {}", words(&answer))),
            };
            let full = page.data.len() >= PAGE_SIZE;
            items.extend(page.data);
            // Where it is not said how many pages there are, a full one may not be the last.
            if page.meta.total_pages.map_or(!full, |pages| number >= pages) {
                return Ok(items);
            }
        }
        Err(format!("{what} is longer than {pages_max} pages"))
    }

    pub(super) fn secrets(&self) -> [&str; 1] {
        [self.credentials.api_key.expose_secret()]
    }

    /// Fit to be stored and shown.
    pub(super) fn tidy(&self, text: &str) -> String {
        tidy(text, &self.secrets())
    }
}

/// The status and what the first error says, not yet fit to be stored.
pub(super) fn words(answer: &Answer) -> String {
    let said = answer.json::<Errors>().and_then(|body| body.errors.first().map(|problem| problem.words()));
    answer.words(said.as_deref())
}

/// The codes of an error body.
pub(super) fn codes(answer: &Answer) -> Vec<String> {
    let problems = answer.json::<Errors>().map(|body| body.errors).unwrap_or_default();
    problems.into_iter().filter_map(|problem| problem.code).collect()
}
