//! What is wanted to be known of a call afterwards, as JSON of a given shape.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::OpenAi;
use super::wire::{Completion, WholeChoice};
use crate::media::http::{presentable, reason};
use crate::providers::answer::Answer;

/// How often the model is asked in all.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt; it doubles each time. As OpenAI's own clients have it.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// No wait is longer, whoever asks for it: the job that asked holds its lease meanwhile.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How long an answer may take: nobody waits for it on a telephone, and long transcripts take models that reason a
/// minute.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Why nothing could be extracted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// The model will not, in its words.
    #[error("the model refused: {0}")]
    Refused(String),
    /// The answer was longer than the model may give.
    #[error("the answer was cut short")]
    CutShort,
    /// The provider's filter took the answer away.
    #[error("the provider's filter took the answer away")]
    Filtered,
    /// The answer is no JSON.
    #[error("the answer is no JSON")]
    NotJson,
    /// There is no answer, and why. Asking again as often as makes sense did not help.
    #[error("{0}")]
    Failed(String),
}

/// What came of one attempt that failed.
struct Attempt {
    error: ExtractError,
    /// `None` if another would fail too; else how long to wait, where the server says.
    again: Option<Option<Duration>>,
}

impl Attempt {
    fn last(error: ExtractError) -> Self {
        Self { error, again: None }
    }
}

impl OpenAi {
    /// What a text says, in the shape of a JSON Schema that keeps to the rules of strict structured output: every
    /// property required, no other allowed. `schema_name` is of letters, digits, `_` and `-`. The usual model is asked,
    /// up to four times, for as long as what goes wrong may pass.
    ///
    /// # Errors
    /// Says why there is none; never with the key in it.
    pub async fn extract(
        &self,
        schema_name: &str,
        schema: &Value,
        instructions: &str,
        text: &str,
    ) -> Result<Value, ExtractError> {
        let request = json!({
            "model": self.usual.model,
            "messages": [
                { "role": "system", "content": instructions },
                { "role": "user", "content": text },
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": { "name": schema_name, "strict": true, "schema": schema },
            },
        });
        let mut made = 1;
        loop {
            let Attempt { error, again } = match self.extract_once(&request).await {
                Ok(value) => return Ok(value),
                Err(attempt) => attempt,
            };
            let Some(asked) = again.filter(|_| made < ATTEMPTS) else { return Err(error) };
            let wait = asked.unwrap_or(FIRST_WAIT * 2_u32.pow(made - 1)).min(WAIT_MAX);
            tracing::debug!(%error, made, wait_ms = wait.as_millis(), "nothing extracted yet");
            tokio::time::sleep(wait).await;
            made += 1;
        }
    }

    async fn extract_once(&self, request: &Value) -> Result<Value, Attempt> {
        let failed = |words: &str| ExtractError::Failed(self.usual.failed(words));
        let sent = self.usual.post(&self.http, request).timeout(ANSWER_TIMEOUT).send().await;
        let response = sent.map_err(|error| Attempt {
            error: failed(&format!("could not be reached: {}", reason(&error))),
            again: Some(None),
        })?;
        let wish = Wish::read(response.headers());
        let answer = Answer::read(response).await;
        if !answer.status.is_success() {
            let again = wish.again(&answer);
            return Err(Attempt { error: ExtractError::Failed(self.usual.refused(&answer)), again });
        }
        if answer.text.is_none() {
            return Err(Attempt { error: failed("broke off"), again: Some(None) });
        }
        let completion = answer.json::<Completion>();
        let choice = completion.and_then(|completion| completion.choices.into_iter().next());
        let choice = choice.ok_or_else(|| Attempt::last(failed("sent something that is no answer")))?;
        value_of(choice).map_err(|error| match error {
            // Its words are the model's own, of any length.
            ExtractError::Refused(words) => {
                Attempt::last(ExtractError::Refused(presentable(&words, &self.usual.key)))
            }
            other => Attempt::last(other),
        })
    }
}

fn value_of(choice: WholeChoice) -> Result<Value, ExtractError> {
    if let Some(refusal) = choice.message.refusal.filter(|refusal| !refusal.is_empty()) {
        return Err(ExtractError::Refused(refusal));
    }
    match choice.finish_reason.as_deref() {
        Some("length") => Err(ExtractError::CutShort),
        Some("content_filter") => Err(ExtractError::Filtered),
        Some(_) | None => {
            let content = choice.message.content.unwrap_or_default();
            serde_json::from_str(&content).map_err(|_| ExtractError::NotJson)
        }
    }
}

/// What a server says of trying again.
struct Wish {
    /// Whether at all, whatever the status.
    retry: Option<bool>,
    wait: Option<Duration>,
}

impl Wish {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        Self {
            retry: text("x-should-retry").and_then(|wish| wish.parse().ok()),
            wait: text("retry-after-ms").and_then(|wait| wait.parse().ok()).map(Duration::from_millis),
        }
    }

    /// Whether to ask again after a refusal, and when. An account without credit stays so, though it says 429.
    fn again(&self, answer: &Answer) -> Option<Option<Duration>> {
        let code = answer.json::<Value>().map(|body| body["error"]["code"].clone());
        let broke = code.is_some_and(|code| code == "insufficient_quota");
        let passes = matches!(answer.status.as_u16(), 408 | 409 | 429 | 500..) && !broke;
        let wait = || answer.retry_after_ms.map(|ms| Duration::from_millis(ms.into()));
        self.retry.unwrap_or(passes).then(|| self.wait.or_else(wait))
    }
}
