//! The messages on the socket: snake_case, numbers as strings unless set otherwise.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::target::Target;
use crate::exotel::{call::Call, config::Streams};

/// Builds what Exotel sends, numbering as it goes.
#[derive(Debug)]
pub(super) struct Script {
    stream_sid: String,
    sequence: u64,
    numbers: bool,
}

impl Script {
    pub(super) fn new(stream_sid: String, rules: &Streams) -> Self {
        Self { stream_sid, sequence: 0, numbers: rules.numbers_as_numbers }
    }

    pub(super) fn is_mine(&self, stream_sid: &str) -> bool {
        self.stream_sid == stream_sid
    }

    pub(super) fn start(&mut self, call: &Call, target: &Target, rules: &Streams) -> Value {
        let customer = call.phone().to_string();
        let exophone = call.request.exophone.to_string();
        let (from, to) = if rules.swap_numbers { (exophone, customer) } else { (customer, exophone) };
        let parameters = target.custom_parameters.iter().cloned();
        let start = json!({
            "stream_sid": self.stream_sid,
            "call_sid": call.sid(),
            "account_sid": call.account(),
            "from": from,
            "to": to,
            "custom_parameters": parameters.collect::<std::collections::BTreeMap<_, _>>(),
            "media_format": {
                "encoding": "audio/x-raw",
                "sample_rate": self.number(target.sample_rate.into()),
                "bit_rate": self.number(16),
            },
        });
        self.event("start", start)
    }

    /// Chunks count from 1; `timestamp` is the end of the frame since the stream began.
    pub(super) fn media(&mut self, chunk: u64, frame: Duration, audio: &[u8]) -> Value {
        let since_start = chunk * crate::millis::whole(frame);
        let media = json!({
            "chunk": self.number(chunk),
            "timestamp": self.number(since_start),
            "payload": STANDARD.encode(audio),
        });
        self.event("media", media)
    }

    pub(super) fn dtmf(&mut self, digit: char) -> Value {
        let dtmf = json!({"digit": digit, "duration": self.number(100)});
        self.event("dtmf", dtmf)
    }

    pub(super) fn mark(&mut self, name: &str) -> Value {
        self.event("mark", json!({ "name": name }))
    }

    pub(super) fn stop(&mut self, call: &Call, reason: &str) -> Value {
        let stop = json!({"call_sid": call.sid(), "account_sid": call.account(), "reason": reason});
        self.event("stop", stop)
    }

    fn event(&mut self, name: &str, body: Value) -> Value {
        self.sequence += 1;
        let sequence = self.number(self.sequence);
        let mut event = json!({"event": name, "sequence_number": sequence, "stream_sid": self.stream_sid});
        event[name] = body;
        event
    }

    fn number(&self, value: u64) -> Value {
        if self.numbers { value.into() } else { value.to_string().into() }
    }
}

/// What a bot may send. Extra fields (`chunk`, `timestamp`) are harmless and ignored.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum FromBot {
    Media { stream_sid: String, media: Payload },
    Mark { stream_sid: String, mark: Mark },
    Clear { stream_sid: String },
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Payload {
    payload: String,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Mark {
    pub(super) name: String,
}

impl FromBot {
    pub(super) fn stream_sid(&self) -> &str {
        match self {
            Self::Media { stream_sid, .. } | Self::Mark { stream_sid, .. } | Self::Clear { stream_sid } => {
                stream_sid
            }
        }
    }
}

impl Payload {
    /// Its audio, or `None` if it is not base64.
    pub(super) fn audio(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.payload).ok()
    }
}
