//! The binary form.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{DURATION, Decoded, Field, Kind, Label, Message, text};

/// What a map's entries are.
const ENTRY: Message = &[text(1, "key"), text(2, "value")];

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

pub(super) fn encode(message: Message, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for field in message {
        let Some(value) = value.get(field.name).filter(|value| !value.is_null()) else { continue };
        match field.label {
            Label::Plain if is_default(value) => {}
            Label::Plain | Label::Optional => put(&mut out, field, value),
            Label::List => put_list(&mut out, field, value.as_array().map_or(&[], Vec::as_slice)),
            Label::Map => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    let entry = encode(ENTRY, &json!({"key": key, "value": value}));
                    put_bytes(&mut out, field.number, &entry);
                }
            }
        }
    }
    out
}

/// An empty message, unlike an empty text, is not the default: it is there.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn put_list(out: &mut Vec<u8>, field: &Field, items: &[Value]) {
    let packed = match field.kind {
        Kind::Flag | Kind::Whole | Kind::Long | Kind::Enum(_) => !items.is_empty(),
        Kind::Text | Kind::Bytes | Kind::Nested(_) | Kind::Duration => false,
    };
    if !packed {
        return items.iter().for_each(|item| put(out, field, item));
    }
    let mut inside = Vec::new();
    items.iter().for_each(|item| put_varint(&mut inside, number(field.kind, item)));
    put_bytes(out, field.number, &inside);
}

fn put(out: &mut Vec<u8>, field: &Field, value: &Value) {
    match field.kind {
        Kind::Text => put_bytes(out, field.number, value.as_str().unwrap_or_default().as_bytes()),
        Kind::Bytes => {
            let plain = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
            put_bytes(out, field.number, &plain);
        }
        Kind::Nested(message) => put_bytes(out, field.number, &encode(message, value)),
        Kind::Duration => {
            let ms = value.as_i64().unwrap_or_default();
            let parts = json!({"seconds": ms / 1000, "nanos": ms % 1000 * 1_000_000});
            put_bytes(out, field.number, &encode(DURATION, &parts));
        }
        Kind::Flag | Kind::Whole | Kind::Long | Kind::Enum(_) => {
            put_varint(out, u64::from(field.number) << 3 | VARINT);
            put_varint(out, number(field.kind, value));
        }
    }
}

/// Negative numbers fill all 64 bits, those of 32 too.
fn number(kind: Kind, value: &Value) -> u64 {
    let signed = match (kind, value) {
        (_, Value::Bool(set)) => i64::from(*set),
        (Kind::Enum(names), Value::String(name)) => {
            names.iter().find(|(known, _)| known == name).map_or(0, |(_, number)| i64::from(*number))
        }
        (_, value) => value.as_i64().unwrap_or_default(),
    };
    signed.cast_unsigned()
}

fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | LENGTH);
    put_varint(out, u64::try_from(bytes.len()).expect("a length has at most 64 bits"));
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

pub(super) fn decode(message: Message, body: &[u8]) -> Option<Decoded> {
    let (mut fields, mut strangers, mut rest) = (Map::new(), 0, body);
    while !rest.is_empty() {
        let tag = take_varint(&mut rest)?;
        let content = take(&mut rest, tag & 7)?;
        match message.iter().find(|field| u64::from(field.number) == tag >> 3) {
            Some(field) => strangers += read(&mut fields, field, content)?,
            None => strangers += 1,
        }
    }
    Some(Decoded { value: Value::Object(fields), strangers })
}

/// What stands behind a tag.
#[derive(Clone, Copy)]
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn take<'a>(rest: &mut &'a [u8], wire_type: u64) -> Option<Content<'a>> {
    let length = match wire_type {
        VARINT => return take_varint(rest).map(Content::Number),
        LENGTH => usize::try_from(take_varint(rest)?).ok()?,
        FIXED64 => 8,
        FIXED32 => 4,
        _ => return None,
    };
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(Content::Bytes(bytes))
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Adds what stands there, and says how many strangers were inside.
fn read(fields: &mut Map<String, Value>, field: &Field, content: Content<'_>) -> Option<u64> {
    match field.label {
        Label::Plain | Label::Optional => {
            let (value, strangers) = one(field.kind, content)?;
            fields.insert(field.name.to_owned(), value);
            Some(strangers)
        }
        Label::List => {
            let list = fields.entry(field.name).or_insert_with(|| json!([])).as_array_mut()?;
            let numbers = matches!(field.kind, Kind::Flag | Kind::Whole | Kind::Long | Kind::Enum(_));
            if let (true, Content::Bytes(mut packed)) = (numbers, content) {
                while !packed.is_empty() {
                    let number = Content::Number(take_varint(&mut packed)?);
                    list.push(one(field.kind, number)?.0);
                }
                return Some(0);
            }
            let (value, strangers) = one(field.kind, content)?;
            list.push(value);
            Some(strangers)
        }
        Label::Map => {
            let Content::Bytes(bytes) = content else { return None };
            let entry = decode(ENTRY, bytes)?.value;
            let part = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let map = fields.entry(field.name).or_insert_with(|| json!({})).as_object_mut()?;
            map.insert(part("key"), part("value").into());
            Some(0)
        }
    }
}

fn one(kind: Kind, content: Content<'_>) -> Option<(Value, u64)> {
    let value = match (kind, content) {
        (Kind::Text, Content::Bytes(bytes)) => str::from_utf8(bytes).ok()?.into(),
        (Kind::Bytes, Content::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Kind::Nested(message), Content::Bytes(bytes)) => {
            let Decoded { value, strangers } = decode(message, bytes)?;
            return Some((value, strangers));
        }
        (Kind::Duration, Content::Bytes(bytes)) => {
            let parts = decode(DURATION, bytes)?.value;
            let part = |name: &str| parts.get(name).and_then(Value::as_i64).unwrap_or_default();
            part("seconds").saturating_mul(1000).saturating_add(part("nanos") / 1_000_000).into()
        }
        (Kind::Flag, Content::Number(number)) => (number != 0).into(),
        (Kind::Whole | Kind::Long, Content::Number(number)) => number.cast_signed().into(),
        (Kind::Enum(names), Content::Number(number)) => {
            let number = number.cast_signed();
            match names.iter().find(|(_, known)| i64::from(*known) == number) {
                Some((name, _)) => (*name).into(),
                None => number.into(),
            }
        }
        _ => return None,
    };
    Some((value, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::livekit::wire::messages;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text).expect("hex")
    }

    /// What the Python and Rust clients send for the same request.
    const DIAL: &str = "0a0453545f3112092b31353535303130301a0763616c6c2d3432220863616c6c65652d315a02081962\
        0308d80470018201100a0a582d43616d706169676e12026331980101";

    fn dial() -> Value {
        json!({
            "sip_trunk_id": "ST_1", "sip_call_to": "+15550100", "room_name": "call-42",
            "participant_identity": "callee-1", "ringing_timeout": 25_000, "max_call_duration": 600_000,
            "krisp_enabled": true, "headers": {"X-Campaign": "c1"}, "wait_until_answered": true,
        })
    }

    #[test]
    fn a_dial_request_of_the_official_clients_is_read() {
        let read = decode(messages::CREATE_SIP_PARTICIPANT, &hex(DIAL)).expect("a message");
        assert_eq!((read.value, read.strangers), (dial(), 0));
    }

    #[test]
    fn messages_are_written_as_the_official_clients_write_them() {
        assert_eq!(encode(messages::CREATE_SIP_PARTICIPANT, &dial()), hex(DIAL));
        let info = json!({"participant_id": "PA_1", "participant_identity": "callee-1",
            "room_name": "call-42", "sip_call_id": "SCL_1"});
        let expected = hex("0a0450415f31120863616c6c65652d311a0763616c6c2d3432220553434c5f31");
        assert_eq!(encode(messages::SIP_PARTICIPANT_INFO, &info), expected);
        let list = json!({"room": "call-42"});
        assert_eq!(encode(messages::LIST_PARTICIPANTS, &list), hex("0a0763616c6c2d3432"));
    }

    #[test]
    fn what_is_cut_short_is_no_message() {
        let whole = hex(DIAL);
        for length in [1, 3, 5, whole.len() - 1] {
            assert!(decode(messages::CREATE_SIP_PARTICIPANT, &whole[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn fields_that_the_message_lacks_are_skipped_and_counted() {
        let read =
            decode(messages::LIST_PARTICIPANTS, &hex("f80601 0a0161 9a0602ffff".replace(' ', "").as_str()));
        let read = read.expect("a message");
        assert_eq!((read.value, read.strangers), (json!({"room": "a"}), 2));
    }

    #[test]
    fn negative_numbers_and_enums_that_have_no_name_come_back_as_they_were() {
        let value = json!({"after_id": "x", "limit": -1});
        let bytes = encode(messages::PAGINATION, &value);
        assert_eq!(decode(messages::PAGINATION, &bytes).expect("a message").value, value);
        let value = json!({"can_publish_sources": ["MICROPHONE", 9]});
        let bytes = encode(messages::PERMISSION, &value);
        assert_eq!(decode(messages::PERMISSION, &bytes).expect("a message").value, value);
    }
}
