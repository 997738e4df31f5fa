//! The two forms in JSON.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use serde_json::{Map, Value, json};

use super::{Decoded, Field, Kind, Label, Message};

/// Reads a request: names in either case, numbers also as text, `null` for absent.
pub(super) fn decode(message: Message, body: &[u8]) -> Option<Decoded> {
    let given: Value = serde_json::from_slice(body).ok()?;
    let mut strangers = 0;
    let value = read(message, &given, &mut strangers)?;
    Some(Decoded { value, strangers })
}

fn read(message: Message, given: &Value, strangers: &mut u64) -> Option<Value> {
    let mut fields = Map::new();
    for (name, value) in given.as_object()? {
        match message.iter().find(|field| field.name == name || camel(field.name) == *name) {
            None => *strangers += 1,
            Some(_) if value.is_null() => {}
            Some(field) => {
                fields.insert(field.name.to_owned(), read_field(field, value, strangers)?);
            }
        }
    }
    Some(Value::Object(fields))
}

fn read_field(field: &Field, given: &Value, strangers: &mut u64) -> Option<Value> {
    match field.label {
        Label::Plain | Label::Optional => read_one(field.kind, given, strangers),
        Label::List => given.as_array()?.iter().map(|item| read_one(field.kind, item, strangers)).collect(),
        Label::Map => given.as_object()?.values().all(Value::is_string).then(|| given.clone()),
    }
}

fn read_one(kind: Kind, given: &Value, strangers: &mut u64) -> Option<Value> {
    match (kind, given) {
        (Kind::Text, Value::String(_)) | (Kind::Flag, Value::Bool(_)) => Some(given.clone()),
        (Kind::Bytes, Value::String(text)) => {
            let plain = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
            Some(STANDARD.encode(plain).into())
        }
        (Kind::Whole | Kind::Long, Value::Number(number)) => number.as_i64().map(Value::from),
        (Kind::Whole | Kind::Long, Value::String(text)) => text.parse::<i64>().ok().map(Value::from),
        (Kind::Enum(names), Value::String(name)) => {
            names.iter().any(|(known, _)| known == name).then(|| given.clone())
        }
        (Kind::Enum(names), Value::Number(number)) => {
            let number = number.as_i64()?;
            let name = names.iter().find(|(_, known)| i64::from(*known) == number);
            Some(name.map_or(number.into(), |(name, _)| (*name).into()))
        }
        (Kind::Nested(message), given) => read(message, given, strangers),
        (Kind::Duration, Value::String(text)) => {
            let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
            let exact = std::time::Duration::try_from_secs_f64(seconds).ok()?;
            u64::try_from(exact.as_millis()).ok().map(Value::from)
        }
        _ => None,
    }
}

/// As an answer: snake case, and every field that is not optional.
pub(super) fn full(message: Message, value: &Value) -> Value {
    let mut fields = Map::new();
    for field in message {
        let given = value.get(field.name).filter(|value| !value.is_null());
        let shown = match given {
            Some(given) => show(field, given, full),
            None if field.label == Label::Optional => continue,
            None => absent(field),
        };
        fields.insert(field.name.to_owned(), shown);
    }
    Value::Object(fields)
}

fn absent(field: &Field) -> Value {
    match (field.label, field.kind) {
        (Label::List, _) => json!([]),
        (Label::Map, _) => json!({}),
        (_, Kind::Text | Kind::Bytes) => "".into(),
        (_, Kind::Flag) => false.into(),
        (_, Kind::Whole) => 0.into(),
        (_, Kind::Long) => "0".into(),
        (_, Kind::Enum(names)) => names.first().map_or(0.into(), |(name, _)| (*name).into()),
        (_, Kind::Nested(_) | Kind::Duration) => Value::Null,
    }
}

/// As a webhook: camel case, and only what is not at its default.
pub(super) fn brief(message: Message, value: &Value) -> Value {
    let mut fields = Map::new();
    for field in message {
        let Some(given) = value.get(field.name).filter(|value| !value.is_null()) else { continue };
        let shown = show(field, given, brief);
        if field.label == Label::Optional || shown != absent(field) {
            fields.insert(camel(field.name), shown);
        }
    }
    Value::Object(fields)
}

fn show(field: &Field, given: &Value, message: fn(Message, &Value) -> Value) -> Value {
    let one = |given: &Value| match field.kind {
        Kind::Text | Kind::Bytes | Kind::Flag | Kind::Whole => given.clone(),
        Kind::Long => given.to_string().into(),
        Kind::Enum(names) => match given.as_i64() {
            Some(number) => {
                let name = names.iter().find(|(_, known)| i64::from(*known) == number);
                name.map_or(number.into(), |(name, _)| (*name).into())
            }
            None => given.clone(),
        },
        Kind::Nested(nested) => message(nested, given),
        Kind::Duration => seconds(given.as_u64().unwrap_or_default()).into(),
    };
    match field.label {
        Label::List => given.as_array().into_iter().flatten().map(one).collect(),
        Label::Map => given.clone(),
        Label::Plain | Label::Optional => one(given),
    }
}

/// `25s`, or with three digits behind the point.
fn seconds(ms: u64) -> String {
    match ms % 1000 {
        0 => format!("{}s", ms / 1000),
        rest => format!("{}.{rest:03}s", ms / 1000),
    }
}

/// `sip_call_id` becomes `sipCallId`.
fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut raise = false;
    for character in name.chars() {
        match character {
            '_' => raise = true,
            other if raise => {
                out.push(other.to_ascii_uppercase());
                raise = false;
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::livekit::wire::messages;

    fn decoded(message: Message, body: &Value) -> Option<Value> {
        decode(message, body.to_string().as_bytes()).map(|decoded| decoded.value)
    }

    #[test]
    fn the_dial_request_of_the_node_client_is_read() {
        let body = json!({"sipTrunkId": "ST_1", "sipCallTo": "+15550100", "roomName": "call-42",
            "participantIdentity": "callee-1", "participantName": "Bob",
            "participantAttributes": {"campaign": "c1"}, "ringingTimeout": "25s", "maxCallDuration": "600s",
            "krispEnabled": true, "headers": {"X-Campaign": "c1"}, "waitUntilAnswered": true});
        let expected = json!({"sip_trunk_id": "ST_1", "sip_call_to": "+15550100", "room_name": "call-42",
            "participant_identity": "callee-1", "participant_name": "Bob",
            "participant_attributes": {"campaign": "c1"}, "ringing_timeout": 25_000,
            "max_call_duration": 600_000, "krisp_enabled": true, "headers": {"X-Campaign": "c1"},
            "wait_until_answered": true});
        assert_eq!(decoded(messages::CREATE_SIP_PARTICIPANT, &body), Some(expected.clone()));
        assert_eq!(
            decoded(messages::CREATE_SIP_PARTICIPANT, &{
                let mut snake = expected;
                snake["ringing_timeout"] = "25s".into();
                snake["max_call_duration"] = "600.0s".into();
                snake
            })
            .expect("snake case is read too")["ringing_timeout"],
            25_000
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_makes_the_whole_request_malformed() {
        for bad in [
            json!({"sip_call_to": 4}),
            json!({"ringing_timeout": 25}),
            json!({"ringing_timeout": "-1s"}),
            json!({"headers": {"a": 1}}),
            json!({"include_headers": "SIP_SOME_HEADERS"}),
            json!([]),
        ] {
            assert_eq!(decoded(messages::CREATE_SIP_PARTICIPANT, &bad), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_writes_every_default_and_64_bits_as_text() {
        let shown = full(messages::ROOM, &json!({"sid": "RM_1", "creation_time": 1_700_000_000}));
        assert_eq!(shown["creation_time"], "1700000000");
        assert_eq!((&shown["metadata"], &shown["num_participants"]), (&"".into(), &0.into()));
        assert_eq!((&shown["version"], &shown["enabled_codecs"]), (&Value::Null, &json!([])));
        assert_eq!(full(messages::PARTICIPANT, &json!({}))["state"], "JOINING");
    }

    #[test]
    fn a_webhook_leaves_defaults_out_and_the_reason_unknown_is_one() {
        let participant = json!({"sid": "PA_1", "kind": "SIP", "joined_at_ms": 5, "state": "DISCONNECTED",
            "disconnect_reason": "UNKNOWN_REASON", "attributes": {"sip.callStatus": "hangup"}, "name": ""});
        let shown = brief(messages::PARTICIPANT, &participant);
        assert_eq!(
            shown,
            json!({"sid": "PA_1", "kind": "SIP", "joinedAtMs": "5", "state": "DISCONNECTED",
            "attributes": {"sip.callStatus": "hangup"}})
        );
    }
}
