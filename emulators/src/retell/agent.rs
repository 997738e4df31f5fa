//! An agent's settings, as far as the line and the webhooks depend on them; one call may override
//! them (protocol page, §2, §6 and §7).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{config::Config, event::Event};
use crate::millis;

/// An agent of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// `agent_name`; empty for none.
    pub name: String,
    /// The version that a call gets which names no number.
    pub version: u32,
    /// Where its webhooks go instead of the workspace's address.
    pub webhook_url: Option<String>,
    /// The events it reports.
    pub webhook_events: Vec<Event>,
    /// How long a phone rings at most.
    #[serde(rename = "ring_duration_ms", with = "millis")]
    pub ring_duration: Duration,
    /// How long a call lasts at most.
    #[serde(rename = "max_call_duration_ms", with = "millis")]
    pub max_call_duration: Duration,
    /// Real time that a receiver of webhooks has; `None` takes the workspace's.
    #[serde(rename = "webhook_timeout_ms", with = "millis::optional")]
    pub webhook_timeout: Option<Duration>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            name: String::new(),
            version: 1,
            webhook_url: None,
            webhook_events: Event::USUAL.to_vec(),
            ring_duration: Duration::from_secs(30),
            max_call_duration: Duration::from_secs(3600),
            webhook_timeout: None,
        }
    }
}

/// Milliseconds that an override may set.
const RING: (u64, u64) = (5_000, 300_000);
const CALL: (u64, u64) = (60_000, 7_200_000);

impl Agent {
    /// The same as one call has it. `Err` is the message of a 400.
    pub(super) fn overridden(mut self, given: &Value, config: &Config) -> Result<Self, String> {
        let Some(given) = object(given, "agent_override")?.map(|_| &given["agent"]) else { return Ok(self) };
        if object(given, "agent_override.agent")?.is_none() {
            return Ok(self);
        }
        if let Some(ring) = duration(given, "ring_duration_ms", RING)? {
            self.ring_duration = ring;
        }
        if let Some(most) = duration(given, "max_call_duration_ms", CALL)? {
            self.max_call_duration = most;
        }
        self.overridden_webhook(given, config.webhooks.per_call)
    }

    fn overridden_webhook(mut self, given: &Value, heeded: bool) -> Result<Self, String> {
        let url = given.get("webhook_url").map(url_or_null).transpose()?;
        let events =
            given.get("webhook_events").filter(|events| !events.is_null()).map(events).transpose()?;
        let timeout = duration(given, "webhook_timeout_ms", (1, u64::MAX))?;
        if heeded {
            self.webhook_url = url.unwrap_or(self.webhook_url);
            self.webhook_events = events.unwrap_or(self.webhook_events);
            self.webhook_timeout = timeout.or(self.webhook_timeout);
        }
        Ok(self)
    }
}

/// The object at `name`; `None` if it is left out.
pub(super) fn object<'a>(
    value: &'a Value,
    name: &str,
) -> Result<Option<&'a serde_json::Map<String, Value>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Object(fields) => Ok(Some(fields)),
        _ => Err(format!("{name} must be an object")),
    }
}

fn duration(agent: &Value, name: &str, (least, most): (u64, u64)) -> Result<Option<Duration>, String> {
    let Some(given) = agent.get(name) else { return Ok(None) };
    match given.as_u64() {
        Some(ms) if (least..=most).contains(&ms) => Ok(Some(Duration::from_millis(ms))),
        _ => Err(format!("agent_override.agent.{name} must be an integer from {least} to {most}")),
    }
}

fn url_or_null(given: &Value) -> Result<Option<String>, String> {
    match given {
        Value::Null => Ok(None),
        Value::String(url) => webhook_url(url).map(|_| Some(url.clone())),
        _ => Err("webhook_url must be a URL or null".into()),
    }
}

fn events(given: &Value) -> Result<Vec<Event>, String> {
    Vec::deserialize(given).map_err(|error| format!("webhook_events: {error}"))
}

/// Where webhooks may go.
pub(super) fn webhook_url(url: &str) -> Result<Url, String> {
    let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    parsed.ok_or_else(|| format!("webhook_url must be an http(s) URL, not '{url}'"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn overridden(given: &Value) -> Result<Agent, String> {
        let agent = Agent { webhook_url: Some("http://agent/".into()), ..Agent::default() };
        agent.overridden(&json!({ "agent": given }), &Config::default())
    }

    #[test]
    fn a_call_may_override_ringing_length_and_webhook() {
        let given = json!({"ring_duration_ms": 5000, "max_call_duration_ms": 60000,
            "webhook_url": "http://call/", "webhook_events": ["call_ended"], "voice_id": "any"});
        let agent = overridden(&given).expect("valid");
        assert_eq!(agent.ring_duration, Duration::from_secs(5));
        assert_eq!(agent.max_call_duration, Duration::from_secs(60));
        assert_eq!(agent.webhook_url.as_deref(), Some("http://call/"));
        assert_eq!(agent.webhook_events, [Event::CallEnded]);
        assert_eq!(overridden(&json!({"webhook_url": null})).expect("valid").webhook_url, None);
        assert_eq!(overridden(&json!({})).expect("valid").webhook_events, Event::USUAL);
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_refused() {
        for given in [
            json!({"ring_duration_ms": 4999}),
            json!({"max_call_duration_ms": 7_200_001}),
            json!({"webhook_events": ["call_begun"]}),
            json!({"webhook_url": "ftp://call/"}),
            json!([]),
        ] {
            assert!(overridden(&given).is_err(), "{given}");
        }
    }
}
