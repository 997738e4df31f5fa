//! Messages as LiveKit defines them, each described once.
//!
//! Every message travels in three forms: as protobuf, as the JSON of requests and answers (names in
//! snake case, every default written), and as the JSON of webhooks (camel case, defaults left out).
//! So a message is a table of fields, and all three are read off it. In between a message is a JSON
//! object in snake case whose numbers are numbers, whose durations are milliseconds and whose bytes
//! are base64; it becomes a struct with serde.

mod json;
pub(super) mod messages;
mod protobuf;

use axum::{
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use serde_json::Value;

/// A message's fields.
pub(super) type Message = &'static [Field];

/// The names of an enum's values.
pub(super) type Names = &'static [(&'static str, i32)];

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) label: Label,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Bytes,
    Flag,
    /// 32 bits: a number in JSON.
    Whole,
    /// 64 bits: a string in JSON.
    Long,
    Enum(Names),
    Nested(Message),
    Duration,
}

/// How often a field occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// At its default it is not written.
    Plain,
    /// Once set it is written, its default too.
    Optional,
    List,
    /// From text to text.
    Map,
}

/// What `google.protobuf.Duration` is made of.
const DURATION: Message = &[long(1, "seconds"), whole(2, "nanos")];

impl Field {
    const fn new(number: u32, name: &'static str, kind: Kind) -> Self {
        Self { number, name, kind, label: Label::Plain }
    }

    const fn optional(self) -> Self {
        Self { label: Label::Optional, ..self }
    }

    const fn many(self) -> Self {
        Self { label: Label::List, ..self }
    }
}

const fn text(number: u32, name: &'static str) -> Field {
    Field::new(number, name, Kind::Text)
}

const fn bytes(number: u32, name: &'static str) -> Field {
    Field::new(number, name, Kind::Bytes)
}

const fn flag(number: u32, name: &'static str) -> Field {
    Field::new(number, name, Kind::Flag)
}

const fn whole(number: u32, name: &'static str) -> Field {
    Field::new(number, name, Kind::Whole)
}

const fn long(number: u32, name: &'static str) -> Field {
    Field::new(number, name, Kind::Long)
}

const fn choice(number: u32, name: &'static str, names: Names) -> Field {
    Field::new(number, name, Kind::Enum(names))
}

const fn nested(number: u32, name: &'static str, message: Message) -> Field {
    Field::new(number, name, Kind::Nested(message))
}

const fn duration(number: u32, name: &'static str) -> Field {
    Field::new(number, name, Kind::Duration)
}

const fn map(number: u32, name: &'static str) -> Field {
    Field { label: Label::Map, ..Field::new(number, name, Kind::Text) }
}

/// A message as a request carried it.
#[derive(Debug, Clone)]
pub(super) struct Decoded {
    pub(super) value: Value,
    /// How many fields the message does not have.
    pub(super) strangers: u64,
}

/// How a request is written, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// By `Content-Type`; `Err` is what it says if it is neither.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(given.to_owned()),
        }
    }

    /// `None` if `body` is no such message.
    pub(super) fn decode(self, message: Message, body: &[u8]) -> Option<Decoded> {
        match self {
            Self::Protobuf => protobuf::decode(message, body),
            Self::Json => json::decode(message, body),
        }
    }

    /// The usual answer.
    pub(super) fn ok(self, message: Message, reply: &impl Serialize) -> Response {
        let value = canonical(reply);
        match self {
            Self::Protobuf => {
                let body = protobuf::encode(message, &value);
                (StatusCode::OK, [(CONTENT_TYPE, "application/protobuf")], body).into_response()
            }
            Self::Json => {
                let body = json::full(message, &value).to_string();
                (StatusCode::OK, [(CONTENT_TYPE, "application/json")], body).into_response()
            }
        }
    }
}

/// As protobuf, for what is put inside other things.
pub(super) fn to_protobuf(message: Message, value: &impl Serialize) -> Vec<u8> {
    protobuf::encode(message, &canonical(value))
}

/// As the body of a webhook.
pub(super) fn to_webhook(message: Message, value: &impl Serialize) -> String {
    json::brief(message, &canonical(value)).to_string()
}

fn canonical(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("our own structs have text for keys")
}
