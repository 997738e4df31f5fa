//! The messages on the socket (protocol page, §6): counts are strings.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::settings::Settings;
use crate::telnyx::{call::Call, instant};

/// Builds what Telnyx sends, numbering as it goes.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) stream_id: String,
    sequence: u64,
}

/// Why something was not understood: code, title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Complaint(u32, &'static str);

pub(super) const MALFORMED: Complaint = Complaint(100_003, "malformed_frame");
pub(super) const INVALID_MEDIA: Complaint = Complaint(100_004, "invalid_media");
pub(super) const RATE_LIMIT: Complaint = Complaint(100_005, "rate_limit_reached");

impl Script {
    pub(super) fn new() -> Self {
        Self { stream_id: Uuid::new_v4().to_string().to_uppercase(), sequence: 0 }
    }

    pub(super) fn start(&mut self, call: &Call, settings: &Settings) -> Value {
        let mut start = json!({
            "user_id": call.account(),
            "call_control_id": call.id(),
            "call_session_id": &*call.session,
            "from": call.request.from,
            "to": call.request.to,
            "tags": [],
            "media_format": {
                "encoding": settings.codec.name(),
                "sample_rate": settings.codec.rate(),
                "channels": 1,
            },
        });
        if let Some(state) = &call.client_state {
            start["client_state"] = state.as_ref().into();
        }
        if !settings.parameters.is_empty() {
            let pairs = settings.parameters.iter();
            let pairs: Map<_, _> = pairs.map(|(name, value)| (name.clone(), value.clone().into())).collect();
            start["custom_parameters"] = pairs.into();
        }
        self.event("start", &start)
    }

    /// Chunks count from 1; `timestamp` is in milliseconds since the stream began.
    pub(super) fn media(&mut self, track: &str, chunk: u64, timestamp: u64, payload: &[u8]) -> Value {
        let media = json!({
            "track": track,
            "chunk": chunk.to_string(),
            "timestamp": timestamp.to_string(),
            "payload": STANDARD.encode(payload),
        });
        self.event("media", &media)
    }

    pub(super) fn dtmf(&mut self, digit: char, at: DateTime<Utc>) -> Value {
        let mut event = self.event("dtmf", &json!({ "digit": digit }));
        event["occurred_at"] = instant(at).into();
        event
    }

    pub(super) fn mark(&mut self, name: &str) -> Value {
        self.event("mark", &json!({ "name": name }))
    }

    pub(super) fn stop(&mut self, call: &Call) -> Value {
        self.event("stop", &json!({"user_id": call.account(), "call_control_id": call.id()}))
    }

    pub(super) fn error(&self, complaint: Complaint, detail: &str) -> Value {
        let Complaint(code, title) = complaint;
        let payload = json!({"code": code, "title": title, "detail": detail});
        json!({"event": "error", "stream_id": self.stream_id, "payload": payload})
    }

    fn event(&mut self, name: &str, body: &Value) -> Value {
        self.sequence += 1;
        let sequence = self.sequence.to_string();
        let mut event = json!({"event": name, "sequence_number": sequence, "stream_id": self.stream_id});
        event[name] = body.clone();
        event
    }
}

/// What a bot may send. Other fields (`stream_id` above all) are harmless and ignored.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum FromBot {
    Media { media: Payload },
    Mark { mark: Mark },
    Clear,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Payload {
    payload: String,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Mark {
    pub(super) name: String,
}

impl Payload {
    /// Its audio, or `None` if it is not base64.
    pub(super) fn audio(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.payload).ok()
    }
}
