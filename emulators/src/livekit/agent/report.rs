//! How an agent's reports are posted.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time;

use super::script::{AgentResult, Turn};
use crate::{
    carrier::Paced as _,
    livekit::{Hub, call::Call},
};

/// Sendings of a report, the first included.
const ATTEMPTS: u32 = 3;

/// Nominal time between them.
const GAP: Duration = Duration::from_secs(1);

/// Real time that one may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where an agent reports to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Address {
    url: String,
    token: String,
}

/// What a dispatch's metadata holds, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    report: Address,
}

impl Address {
    pub(super) fn of(metadata: &str) -> Option<Self> {
        let metadata: Metadata = serde_json::from_str(metadata).ok()?;
        Some(metadata.report)
    }
}

/// Reports on one call.
pub(super) struct Reporter<'a> {
    pub(super) hub: &'a Hub,
    pub(super) address: &'a Address,
    pub(super) call: &'a Call,
    /// How often everything is posted.
    pub(super) copies: u32,
}

impl Reporter<'_> {
    pub(super) async fn turns(&self, turns: &[&Turn]) {
        self.post("turns", &json!({ "turns": turns })).await;
    }

    pub(super) async fn result(&self, result: Option<&AgentResult>) {
        if let Some(result) = result {
            self.post("result", &json!(result)).await;
        }
    }

    async fn post(&self, what: &str, body: &Value) {
        for _ in 0..self.copies {
            let taken = self.attempt(what, body).await;
            self.hub.change(|world| {
                world.update(self.call, |call| {
                    call.reports_delivered += u32::from(taken);
                    call.reports_lost += u32::from(!taken);
                })
            });
        }
    }

    /// A report that the receiver refuses is not sent again; one that it fails to take is.
    async fn attempt(&self, what: &str, body: &Value) -> bool {
        let url = format!("{}/{what}", self.address.url.trim_end_matches('/'));
        for attempt in 1..=ATTEMPTS {
            let request = self.hub.http.post(&url).bearer_auth(&self.address.token).timeout(TIMEOUT);
            match request.json(body).send().await {
                Ok(response) if response.status().is_success() => return true,
                Ok(response) if response.status().is_client_error() => return false,
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "an agent's report was not delivered"),
            }
            if attempt < ATTEMPTS {
                time::sleep(self.hub.config().pace().wall(GAP)).await;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_report_object_of_the_metadata() {
        let metadata = r#"{"lead": 1, "report": {"url": "http://127.0.0.1:1/r", "token": "t", "v": 2}}"#;
        let address = Address::of(metadata).expect("an address");
        assert_eq!((address.url.as_str(), address.token.as_str()), ("http://127.0.0.1:1/r", "t"));
    }

    #[test]
    fn other_metadata_names_no_address() {
        for metadata in ["", "text", "{}", r#"{"report": "x"}"#, r#"{"report": {"url": "x"}}"#] {
            assert_eq!(Address::of(metadata), None, "{metadata}");
        }
    }
}
