//! Deepgram's messages (protocol notes, part 2).

use std::time::Duration;

use serde::Deserialize;

/// Keeps a socket open while there is no audio. It has to be a text.
pub(super) const KEEP_ALIVE: &str = r#"{"type":"KeepAlive"}"#;
/// Asks for the rest, and for the end.
pub(super) const CLOSE_STREAM: &str = r#"{"type":"CloseStream"}"#;

/// A message. What is not known here is of no concern.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum FromDeepgram {
    Results(Results),
    UtteranceEnd,
    Error(Complaint),
    #[serde(other)]
    Other,
}

/// A stretch of audio, and its words.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Results {
    start: f64,
    duration: f64,
    pub(super) is_final: bool,
    pub(super) speech_final: bool,
    channel: Channel,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Channel {
    alternatives: Vec<Alternative>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Alternative {
    transcript: String,
}

/// Something that we sent is not as it should be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Complaint {
    pub(super) description: String,
}

impl Results {
    pub(super) fn transcript(&self) -> &str {
        self.channel.alternatives.first().map_or("", |best| best.transcript.trim())
    }

    /// Where the stretch ends, in time of the socket.
    pub(super) fn until(&self) -> Duration {
        Duration::try_from_secs_f64(self.start + self.duration).unwrap_or_default()
    }
}

/// Why an upgrade was refused: older and newer words for it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) err_code: Option<String>,
    pub(super) err_msg: Option<String>,
    pub(super) category: Option<String>,
    pub(super) message: Option<String>,
}

impl Refusal {
    pub(super) fn words(self) -> Option<String> {
        match (self.err_code.or(self.category), self.err_msg.or(self.message)) {
            (Some(code), Some(message)) => Some(format!("{code}: {message}")),
            (code, message) => code.or(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_with_what_they_lack_and_what_nobody_knows() {
        let read = |text: &str| serde_json::from_str::<FromDeepgram>(text);
        let whole = r#"{"type":"Results","channel_index":[0,1],"start":1.5,"duration":0.25,"is_final":true,
            "speech_final":true,"channel":{"alternatives":[{"transcript":" Yes. ","confidence":0.9,"words":[]}]}}"#;
        let Ok(FromDeepgram::Results(results)) = read(whole) else { panic!("results") };
        assert_eq!((results.transcript(), results.until()), ("Yes.", Duration::from_millis(1_750)));
        assert!(results.is_final && results.speech_final);
        let Ok(FromDeepgram::Results(bare)) = read(r#"{"type":"Results"}"#) else { panic!("results") };
        assert_eq!((bare.transcript(), bare.is_final, bare.speech_final), ("", false, false));
        assert!(matches!(
            read(r#"{"type":"UtteranceEnd","channel":[0,1],"last_word_end":-1}"#),
            Ok(FromDeepgram::UtteranceEnd)
        ));
        assert!(matches!(read(r#"{"type":"Novelty","more":[1]}"#), Ok(FromDeepgram::Other)));
        assert!(read(r#"{"type":"Results","chan"#).is_err());
    }
}
