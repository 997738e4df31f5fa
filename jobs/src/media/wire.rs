//! The JSON on the socket of an answered call: Exotel's AgentStream (also called Voicebot) and Telnyx' media streaming
//! are two dialects of one protocol.
//!
//! Reading is lenient: names in snake case, as most documents have them, or in camel case; numbers as text too.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use outdial_workflows::call::CallId;
use serde_json::{Value, json};

use super::audio::Format;

/// Whose socket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PCM of 16 bits in large frames; every message bears the stream's name.
    Exotel,
    /// µ-law in frames of 20 ms, not always in order.
    Telnyx,
}

impl Dialect {
    /// The carrier that speaks it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exotel => "exotel",
            Self::Telnyx => "telnyx",
        }
    }

    /// The audio, as our dial requests ask for it.
    pub const fn format(self) -> Format {
        match self {
            Self::Exotel => Format::LINEAR16_8000,
            Self::Telnyx => Format::MULAW_8000,
        }
    }

    /// How much audio a message of ours carries. Exotel's documents ask for 3,200 bytes or more (protocol page §5.5),
    /// and call fewer jitter; Telnyx takes frames from 20 ms on (§6).
    pub const fn frame(self) -> Duration {
        match self {
            Self::Exotel => Duration::from_millis(200),
            Self::Telnyx => Duration::from_millis(20),
        }
    }

    /// How much audio may wait at the carrier: enough for a late frame not to be heard.
    pub const fn lead(self) -> Duration {
        match self {
            Self::Exotel => Duration::from_millis(400),
            Self::Telnyx => Duration::from_millis(200),
        }
    }

    /// Our audio, as a message.
    pub fn media(self, stream: &str, audio: &[u8]) -> String {
        let mut message = json!({"event": "media", "media": {"payload": STANDARD.encode(audio)}});
        self.name_stream(stream, &mut message);
        message.to_string()
    }

    /// Asks to be told when all that was sent before has been played.
    pub fn mark(self, stream: &str, name: &str) -> String {
        let mut message = json!({"event": "mark", "mark": {"name": name}});
        self.name_stream(stream, &mut message);
        message.to_string()
    }

    /// Asks to drop what has not been played.
    pub fn clear(self, stream: &str) -> String {
        let mut message = json!({"event": "clear"});
        self.name_stream(stream, &mut message);
        message.to_string()
    }

    fn name_stream(self, stream: &str, message: &mut Value) {
        if self == Self::Exotel {
            message["stream_sid"] = stream.into();
        }
    }
}

/// One message. Carriers send `connected`, `start`, then media with keys and marks in between, and `stop`; when a
/// network fails, the socket closes without `stop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The socket is up.
    Connected,
    /// The stream begins: the phone was answered.
    Start {
        /// The call, by the same name as everywhere else.
        call_id: CallId,
        /// The stream's name, which all we send to Exotel must bear.
        stream_id: String,
        /// Parameters of the stream's address, in the order sent.
        parameters: Vec<(String, String)>,
    },
    /// Sound of the person, in the dialect's format.
    Media {
        /// The samples.
        audio: Bytes,
        /// Its place among them, counted from 1, if told.
        chunk: Option<u64>,
        /// Milliseconds since the stream began, if told.
        at_ms: Option<u64>,
    },
    /// Our own sound, as some streams echo it.
    Ours,
    /// A key was pressed.
    Dtmf {
        /// `0` to `9`, `*`, `#`, or `A` to `D`.
        digit: char,
    },
    /// What was sent before this mark has been played, or was dropped.
    Mark {
        /// As we named it.
        name: String,
    },
    /// The carrier did not take something.
    Refused {
        /// What it says.
        problem: String,
    },
    /// The stream is over.
    Stop {
        /// `stopped`, `callended`, or whatever else is said; empty if nothing.
        reason: String,
    },
    /// An event that we do not know.
    Other {
        /// Its name.
        event: String,
    },
}

/// A message that cannot be read. Skipping it does no harm, except for `start`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// Not JSON, or not an object with an `event`.
    #[error("the message is not an event")]
    NotAnEvent,
    /// A known event that lacks something.
    #[error("the event `{event}` has no readable {field}")]
    Missing {
        /// The event.
        event: &'static str,
        /// What it lacks.
        field: &'static str,
    },
}

/// Reads one text message.
///
/// # Errors
/// If it is not an event, or lacks what the event is about.
pub fn parse(text: &str) -> Result<StreamEvent, StreamError> {
    let message: Value = serde_json::from_str(text).map_err(|_| StreamError::NotAnEvent)?;
    let event = scalar(&message["event"]).ok_or(StreamError::NotAnEvent)?;
    match event.as_str() {
        "connected" => Ok(StreamEvent::Connected),
        "start" => start(&message),
        "media" => media(&message["media"]),
        "dtmf" => dtmf(&message["dtmf"]),
        "mark" => {
            let name = scalar(&message["mark"]["name"]).ok_or(missing("mark", "name"))?;
            Ok(StreamEvent::Mark { name })
        }
        "error" => {
            let payload = &message["payload"];
            let told = ["code", "title", "detail"].iter().filter_map(|name| scalar(&payload[*name]));
            Ok(StreamEvent::Refused { problem: told.collect::<Vec<_>>().join(" ") })
        }
        "stop" => {
            let reason = scalar(&message["stop"]["reason"]).unwrap_or_default();
            Ok(StreamEvent::Stop { reason })
        }
        _ => Ok(StreamEvent::Other { event }),
    }
}

fn missing(event: &'static str, field: &'static str) -> StreamError {
    StreamError::Missing { event, field }
}

fn start(message: &Value) -> Result<StreamEvent, StreamError> {
    let places = [&message["start"], message];
    let get = |names: [&str; 3]| places.iter().find_map(|place| either(place, names));
    let call_id =
        get(["call_sid", "callSid", "call_control_id"]).ok_or(missing("start", "name of its call"))?;
    let stream_id = get(["stream_sid", "streamSid", "stream_id"]).ok_or(missing("start", "name"))?;
    let parameters = ["custom_parameters", "customParameters"]
        .iter()
        .find_map(|name| message["start"][*name].as_object())
        .map(|object| {
            object.iter().filter_map(|(name, value)| Some((name.clone(), scalar(value)?))).collect()
        });
    Ok(StreamEvent::Start { call_id: CallId(call_id), stream_id, parameters: parameters.unwrap_or_default() })
}

fn media(media: &Value) -> Result<StreamEvent, StreamError> {
    if media["track"] == "outbound" {
        return Ok(StreamEvent::Ours);
    }
    let payload = media["payload"].as_str().ok_or(missing("media", "payload"))?;
    let audio = STANDARD.decode(payload).map_err(|_| missing("media", "payload"))?;
    let number = |name: &str| scalar(&media[name]).and_then(|text| text.parse().ok());
    Ok(StreamEvent::Media { audio: audio.into(), chunk: number("chunk"), at_ms: number("timestamp") })
}

fn dtmf(dtmf: &Value) -> Result<StreamEvent, StreamError> {
    let digit = scalar(&dtmf["digit"]).and_then(|text| text.chars().next());
    let digit = digit.map(|digit| digit.to_ascii_uppercase());
    let known = digit.filter(|digit| matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D'));
    Ok(StreamEvent::Dtmf { digit: known.ok_or(missing("dtmf", "digit"))? })
}

fn either(value: &Value, names: [&str; 3]) -> Option<String> {
    names.iter().find_map(|name| scalar(&value[*name]))
}

/// A string or number as text; `None` if it is neither, or blank.
fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_of(parameters: &[(&str, &str)]) -> StreamEvent {
        let parameters = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        StreamEvent::Start { call_id: CallId("c1".into()), stream_id: "s1".into(), parameters }
    }

    #[test]
    fn a_start_is_read_in_either_spelling() {
        for text in [
            r#"{"event":"start","sequence_number":"1","stream_sid":"s1","start":{"stream_sid":"s1",
                "call_sid":"c1","account_sid":"a","from":"+91","to":"+91","custom_parameters":{"k":"v"},
                "media_format":{"encoding":"audio/x-raw","sample_rate":"8000","bit_rate":"16"}}}"#,
            r#"{"event":"start","sequenceNumber":1,"streamSid":"s1","start":{"callSid":"c1",
                "customParameters":{"k":"v"}}}"#,
            r#"{"event":"start","stream_sid":"s1","call_sid":"c1","start":{"custom_parameters":{"k":"v"}}}"#,
            r#"{"event":"start","sequence_number":"1","stream_id":"s1","start":{"user_id":"u","call_control_id":"c1",
                "custom_parameters":{"k":"v"},"media_format":{"encoding":"PCMU","sample_rate":8000,"channels":1}}}"#,
        ] {
            assert_eq!(parse(text), Ok(start_of(&[("k", "v")])), "{text}");
        }
        let bare =
            r#"{"event":"start","stream_sid":"s1","start":{"call_sid":"c1","custom_parameters":null}}"#;
        assert_eq!(parse(bare), Ok(start_of(&[])));
    }

    #[test]
    fn the_other_events_are_read_with_text_or_numbers() {
        let audio = Bytes::from_static(&[1, 2, 3, 4]);
        for (text, event) in [
            (r#"{"event":"connected"}"#, StreamEvent::Connected),
            (
                r#"{"event":"media","media":{"chunk":"2","timestamp":"200","payload":"AQIDBA=="}}"#,
                StreamEvent::Media { audio: audio.clone(), chunk: Some(2), at_ms: Some(200) },
            ),
            (
                r#"{"event":"media","media":{"chunk":2,"timestamp":200,"payload":"AQIDBA=="}}"#,
                StreamEvent::Media { audio: audio.clone(), chunk: Some(2), at_ms: Some(200) },
            ),
            (
                r#"{"event":"media","media":{"payload":"AQIDBA=="}}"#,
                StreamEvent::Media { audio: audio.clone(), chunk: None, at_ms: None },
            ),
            (
                r#"{"event":"media","stream_id":"s1","media":{"track":"inbound","chunk":"7","payload":"AQIDBA=="}}"#,
                StreamEvent::Media { audio, chunk: Some(7), at_ms: None },
            ),
            (r#"{"event":"media","media":{"track":"outbound","payload":"AQIDBA=="}}"#, StreamEvent::Ours),
            (
                r#"{"event":"error","payload":{"code":100004,"title":"invalid_media","detail":"no"}}"#,
                StreamEvent::Refused { problem: "100004 invalid_media no".into() },
            ),
            (r#"{"event":"dtmf","dtmf":{"digit":"5","duration":"100"}}"#, StreamEvent::Dtmf { digit: '5' }),
            (r##"{"event":"dtmf","dtmf":{"digit":"#"}}"##, StreamEvent::Dtmf { digit: '#' }),
            (r#"{"event":"dtmf","dtmf":{"digit":5}}"#, StreamEvent::Dtmf { digit: '5' }),
            (r#"{"event":"mark","mark":{"name":"turn-3"}}"#, StreamEvent::Mark { name: "turn-3".into() }),
            (
                r#"{"event":"stop","stop":{"reason":"callended"}}"#,
                StreamEvent::Stop { reason: "callended".into() },
            ),
            (r#"{"event":"stop"}"#, StreamEvent::Stop { reason: String::new() }),
            (r#"{"event":"clear"}"#, StreamEvent::Other { event: "clear".into() }),
        ] {
            assert_eq!(parse(text), Ok(event), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_it_lacks() {
        for (text, error) in [
            ("", StreamError::NotAnEvent),
            ("[1]", StreamError::NotAnEvent),
            (r#"{"media":{}}"#, StreamError::NotAnEvent),
            (r#"{"event":"start","start":{"stream_sid":"s1"}}"#, missing("start", "name of its call")),
            (r#"{"event":"start","start":{"call_sid":"c1"}}"#, missing("start", "name")),
            (r#"{"event":"media","media":{"payload":"?"}}"#, missing("media", "payload")),
            (r#"{"event":"dtmf","dtmf":{"digit":"x"}}"#, missing("dtmf", "digit")),
            (r#"{"event":"mark"}"#, missing("mark", "name")),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_we_send_is_in_each_carriers_shape() {
        let json = |text: String| serde_json::from_str::<Value>(&text).expect("it is JSON");
        let (exotel, telnyx) = (Dialect::Exotel, Dialect::Telnyx);
        assert_eq!(
            json(exotel.media("s1", &[1, 2])),
            json!({"event": "media", "stream_sid": "s1", "media": {"payload": "AQI="}})
        );
        assert_eq!(
            json(telnyx.media("s1", &[1, 2])),
            json!({"event": "media", "media": {"payload": "AQI="}})
        );
        assert_eq!(
            json(exotel.mark("s1", "1")),
            json!({"event": "mark", "stream_sid": "s1", "mark": {"name": "1"}})
        );
        assert_eq!(json(telnyx.mark("s1", "1")), json!({"event": "mark", "mark": {"name": "1"}}));
        assert_eq!(json(exotel.clear("s1")), json!({"event": "clear", "stream_sid": "s1"}));
        assert_eq!(json(telnyx.clear("s1")), json!({"event": "clear"}));
    }
}
