//! Telnyx's JSON, read leniently: everything may be missing, and what is text may be a number.

use chrono::DateTime;
use outdial_workflows::Moment;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What successes are wrapped in.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) data: T,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    /// Required: a body without it is no empty list.
    pub(super) data: Vec<T>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) meta: Meta,
}

/// Which page it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Meta {
    pub(super) total_pages: Option<u32>,
}

/// A call, as a dial, a read and the list of active calls show it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Call {
    #[serde(deserialize_with = "text")]
    pub(super) call_control_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) client_state: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) is_alive: Option<bool>,
    #[serde(deserialize_with = "text")]
    pub(super) end_time: Option<String>,
}

/// An event: `data` of a webhook.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(deserialize_with = "text")]
    pub(super) event_type: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) occurred_at: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) payload: Payload,
}

/// What an event says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Payload {
    #[serde(deserialize_with = "text")]
    pub(super) call_control_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) client_state: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) direction: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) end_time: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) hangup_cause: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) sip_hangup_cause: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) result: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) recording_urls: Urls,
    #[serde(deserialize_with = "or_default")]
    pub(super) public_recording_urls: Urls,
    #[serde(deserialize_with = "text")]
    pub(super) total_cost: Option<String>,
}

/// Where a recording lies, by its format.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Urls {
    #[serde(deserialize_with = "text")]
    pub(super) mp3: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) wav: Option<String>,
}

/// An item of the log of deliveries.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delivery {
    #[serde(deserialize_with = "or_default")]
    pub(super) webhook: Event,
}

/// An item of the log of events.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Logged {
    #[serde(deserialize_with = "text")]
    name: Option<String>,
    #[serde(deserialize_with = "text")]
    event_timestamp: Option<String>,
    #[serde(rename = "type", deserialize_with = "text")]
    kind: Option<String>,
    #[serde(deserialize_with = "text")]
    call_leg_id: Option<String>,
    metadata: Value,
}

impl Logged {
    /// Which leg it is about.
    pub(super) fn leg(&self) -> Option<&str> {
        self.call_leg_id.as_deref()
    }

    /// All that it says, as JSON.
    pub(super) fn said(&self) -> String {
        self.metadata.to_string()
    }

    /// The name of its call, in the words of either product.
    pub(super) fn call(&self) -> Option<String> {
        let (raw, data) = (&self.metadata, &self.metadata["data"]);
        let places = [raw, &raw["payload"], data, &data["payload"]];
        let names = ["call_control_id", "CallSid", "call_sid"];
        let mut named = places.into_iter().flat_map(|place| names.map(|name| place[name].as_str()));
        named.find_map(|name| name.filter(|name| !name.is_empty())).map(str::to_owned)
    }

    /// The event in it; `None` if it is a command. `metadata` is "the raw event", whether that begins at
    /// `data`, inside it or at the payload.
    pub(super) fn event(self) -> Option<Event> {
        if self.kind.as_deref() == Some("command") {
            return None;
        }
        let raw = if self.metadata["data"].is_object() { &self.metadata["data"] } else { &self.metadata };
        let event: Event = match raw["payload"].is_object() {
            true => serde_json::from_value(raw.clone()).ok()?,
            false => Event { payload: serde_json::from_value(raw.clone()).ok()?, ..Event::default() },
        };
        Some(Event {
            event_type: event.event_type.or(self.name),
            occurred_at: event.occurred_at.or(self.event_timestamp),
            payload: event.payload,
        })
    }
}

/// Why a request is turned down.
#[derive(Debug, Deserialize)]
pub(super) struct Errors {
    pub(super) errors: Vec<Problem>,
}

/// One reason.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    #[serde(deserialize_with = "text")]
    pub(super) code: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) title: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) detail: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) source: Source,
}

/// Which part of a request a reason is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Source {
    #[serde(deserialize_with = "text")]
    pub(super) pointer: Option<String>,
}

impl Problem {
    /// Title, detail and code, not yet fit to be stored.
    pub(super) fn words(&self) -> String {
        let said: Vec<&str> = [&self.title, &self.detail].into_iter().flatten().map(String::as_str).collect();
        match &self.code {
            Some(code) => format!("{} ({code})", said.join(": ")),
            None => said.join(": "),
        }
    }
}

/// The account's public key, as Telnyx shows it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PublicKey {
    #[serde(deserialize_with = "text")]
    pub(super) public: Option<String>,
}

/// A string, or a number as text. Empty, null and everything else is `None`.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

/// Anything unexpected is the default.
fn or_default<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(from: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

/// A date with its offset.
pub(super) fn moment(text: &str) -> Option<Moment> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}
