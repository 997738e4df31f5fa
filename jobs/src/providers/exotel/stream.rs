//! What Exotel says on the socket of an answered call (AgentStream, also called Voicebot).
//!
//! A parser without I/O. Names are in snake case, as most documents have them; camel case is
//! taken too, and so are numbers written as text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use outdial_workflows::call::CallId;
use serde_json::Value;

use super::wire;

/// One message. Exotel sends `connected`, `start`, then media with keys and marks in between, and
/// `stop`; when its network fails, the socket closes without `stop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The socket is up.
    Connected,
    /// The stream begins: the phone was answered.
    Start {
        /// The call, by the same name as everywhere else.
        call_id: CallId,
        /// The stream's name, which all we send must bear.
        stream_id: String,
        /// Parameters of the stream's address, in the order sent.
        parameters: Vec<(String, String)>,
    },
    /// Sound: PCM, 16 bits signed little endian, mono, at the rate asked for.
    Media {
        /// The samples.
        audio: Bytes,
        /// Milliseconds since the stream began, if told.
        at_ms: Option<u64>,
    },
    /// A key was pressed.
    Dtmf {
        /// `0` to `9`, `*`, `#`, or `A` to `D`.
        digit: char,
    },
    /// What was sent before this mark has been played.
    Mark {
        /// As we named it.
        name: String,
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
    let event = wire::scalar(&message["event"]).ok_or(StreamError::NotAnEvent)?;
    match event.as_str() {
        "connected" => Ok(StreamEvent::Connected),
        "start" => start(&message),
        "media" => media(&message["media"]),
        "dtmf" => dtmf(&message["dtmf"]),
        "mark" => {
            let name = wire::scalar(&message["mark"]["name"]).ok_or(missing("mark", "name"))?;
            Ok(StreamEvent::Mark { name })
        }
        "stop" => {
            let reason = wire::scalar(&message["stop"]["reason"]).unwrap_or_default();
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
    let get = |names: [&str; 2]| places.iter().find_map(|place| either(place, names));
    let call_id = get(["call_sid", "callSid"]).ok_or(missing("start", "call_sid"))?;
    let stream_id = get(["stream_sid", "streamSid"]).ok_or(missing("start", "stream_sid"))?;
    let parameters = ["custom_parameters", "customParameters"]
        .iter()
        .find_map(|name| message["start"][*name].as_object())
        .map(|object| {
            object.iter().filter_map(|(name, value)| Some((name.clone(), wire::scalar(value)?))).collect()
        });
    Ok(StreamEvent::Start { call_id: CallId(call_id), stream_id, parameters: parameters.unwrap_or_default() })
}

fn media(media: &Value) -> Result<StreamEvent, StreamError> {
    let payload = media["payload"].as_str().ok_or(missing("media", "payload"))?;
    let audio = STANDARD.decode(payload).map_err(|_| missing("media", "payload"))?;
    let at_ms = wire::scalar(&media["timestamp"]).and_then(|text| text.parse().ok());
    Ok(StreamEvent::Media { audio: audio.into(), at_ms })
}

fn dtmf(dtmf: &Value) -> Result<StreamEvent, StreamError> {
    let digit = wire::scalar(&dtmf["digit"]).and_then(|text| text.chars().next());
    let digit = digit.map(|digit| digit.to_ascii_uppercase());
    let known = digit.filter(|digit| matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D'));
    Ok(StreamEvent::Dtmf { digit: known.ok_or(missing("dtmf", "digit"))? })
}

fn either(value: &Value, names: [&str; 2]) -> Option<String> {
    names.iter().find_map(|name| wire::scalar(&value[*name]))
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
                StreamEvent::Media { audio: audio.clone(), at_ms: Some(200) },
            ),
            (
                r#"{"event":"media","media":{"chunk":2,"timestamp":200,"payload":"AQIDBA=="}}"#,
                StreamEvent::Media { audio: audio.clone(), at_ms: Some(200) },
            ),
            (
                r#"{"event":"media","media":{"payload":"AQIDBA=="}}"#,
                StreamEvent::Media { audio, at_ms: None },
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
            (r#"{"event":"start","start":{"stream_sid":"s1"}}"#, missing("start", "call_sid")),
            (r#"{"event":"start","start":{"call_sid":"c1"}}"#, missing("start", "stream_sid")),
            (r#"{"event":"media","media":{"payload":"?"}}"#, missing("media", "payload")),
            (r#"{"event":"dtmf","dtmf":{"digit":"x"}}"#, missing("dtmf", "digit")),
            (r#"{"event":"mark"}"#, missing("mark", "name")),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
