//! What Retell says of the workspace as a whole.

use reqwest::StatusCode;

use super::Retell;
use super::reads::words;
use super::wire::Concurrency;
use crate::providers::AccountCheck;
use crate::providers::answer::Answer;

impl Retell {
    async fn concurrency(&self) -> Result<Answer, String> {
        self.get(&["get-concurrency"]).await
    }

    /// How many outbound calls the workspace may have at once.
    pub(super) async fn outbound_calls(&self) -> Result<Option<u32>, String> {
        let answer = self.concurrency().await?;
        match answer.status {
            StatusCode::OK => Ok(outbound(&answer)),
            _ => Err(self.credentials.tidy(&format!("the concurrency cannot be read: {}", words(&answer)))),
        }
    }

    /// Whether Retell takes the key, by the cheapest read. What it cannot try: whether a payment is due, which
    /// Retell says only when a call is to be made, and whether webhooks are signed with the key expected.
    pub(super) async fn try_account(&self) -> AccountCheck {
        let tried = self.try_key().await;
        let ok = tried.is_ok();
        let (Ok(message) | Err(message)) = tried;
        AccountCheck { ok, message: self.credentials.tidy(&message) }
    }

    async fn try_key(&self) -> Result<String, String> {
        let answer = self.concurrency().await?;
        let remedy = match answer.status {
            StatusCode::OK => return Ok(taken(outbound(&answer))),
            StatusCode::UNAUTHORIZED => "copy api_key from the API Keys page of Retell's dashboard",
            StatusCode::PAYMENT_REQUIRED => {
                "add a payment method in Retell's dashboard, or settle what is due"
            }
            StatusCode::FORBIDDEN => "ask Retell whether the workspace is active and may place calls",
            StatusCode::NOT_FOUND => "check base_url: Retell is at https://api.retellai.com",
            StatusCode::TOO_MANY_REQUESTS => "the workspace is busy; try again in a minute",
            status if status.is_redirection() => "check base_url: it sends us elsewhere",
            _ => "try again; if it stays so, check base_url",
        };
        Err(format!("Retell says {}: {remedy}", words(&answer)))
    }
}

/// Some calls may be kept for those who call us.
fn outbound(answer: &Answer) -> Option<u32> {
    let told: Concurrency = answer.json()?;
    let reserved = told.reserved_inbound_concurrency.unwrap_or_default();
    Some(told.concurrency_limit?.saturating_sub(reserved))
}

fn taken(calls: Option<u32>) -> String {
    match calls {
        Some(0) => {
            "Retell takes the key, but leaves no call for us: all are reserved for inbound ones, which its \
             dashboard can change"
                .into()
        }
        Some(calls) => format!("Retell takes the key; it allows {calls} outbound calls at once"),
        None => "Retell takes the key".into(),
    }
}
