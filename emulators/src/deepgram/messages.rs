//! The server's messages (§2).

use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    parameters::Parameters,
    transcriber::{News, Results},
    words::{CONFIDENCE, seconds, transcript},
};
use crate::clock;

/// What every message of a stream may need.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) request_id: Uuid,
    pub(super) parameters: Parameters,
    /// Channels that are told of one by one.
    pub(super) channels: usize,
}

impl Writer {
    pub(super) fn news(&self, news: &News, channel: usize) -> Value {
        match news {
            News::SpeechStarted { at } => {
                json!({"type": "SpeechStarted", "channel": [channel, self.channels], "timestamp": seconds(*at)})
            }
            News::UtteranceEnd { last_word_end } => json!({
                "type": "UtteranceEnd", "channel": [channel, self.channels],
                "last_word_end": seconds(*last_word_end),
            }),
            News::Results(results) => self.results(results, channel),
        }
    }

    fn results(&self, results: &Results, channel: usize) -> Value {
        let model = &self.parameters.model;
        let mut message = json!({
            "type": "Results",
            "channel_index": [channel, self.channels],
            "duration": seconds(results.duration),
            "start": seconds(results.start),
            "is_final": results.is_final,
            "from_finalize": results.from_finalize,
            "channel": {"alternatives": [self.alternative(results)]},
            "metadata": {
                "request_id": self.request_id, "model_info": model.info(), "model_uuid": model.uuid(),
            },
        });
        if self.parameters.endpointing.is_some() || self.parameters.interim {
            message["speech_final"] = json!(results.speech_final);
        }
        message
    }

    fn alternative(&self, results: &Results) -> Value {
        let style = self.parameters.style;
        let multi = self.parameters.language == "multi";
        let language = multi.then_some("en");
        let words: Vec<Value> = results.words.iter().map(|word| word.shown(style, language)).collect();
        let confidence = if words.is_empty() { 0.0 } else { CONFIDENCE };
        let text = transcript(&results.words, style);
        let mut alternative = json!({"transcript": text, "confidence": confidence, "words": words});
        if multi && !results.words.is_empty() {
            alternative["languages"] = json!(["en"]);
        }
        alternative
    }

    /// The last word on a stream.
    pub(super) fn metadata(&self, sha256: &str, duration: Duration, channels: u16) -> Value {
        let model = &self.parameters.model;
        let created = clock::now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let mut models = Map::new();
        models.insert(model.uuid().to_string(), model.info());
        json!({
            "type": "Metadata", "transaction_key": "deprecated", "request_id": self.request_id,
            "sha256": sha256, "created": created, "duration": seconds(duration), "channels": channels,
            "models": [model.uuid()], "model_info": models,
        })
    }

    /// The answer to `Configure`, which only nova-3 knows.
    pub(super) fn configured(&self, keyterms: Option<Vec<String>>) -> Value {
        if keyterms.is_some() && self.parameters.model.family != "nova-3" {
            return json!({
                "type": "ConfigureFailure", "request_id": self.request_id,
                "code": "CONFIGURE_KEYTERMS_NOT_SUPPORTED", "description": "The model has no keyterms.",
            });
        }
        let mut success = json!({"type": "ConfigureSuccess", "request_id": self.request_id});
        if let Some(keyterms) = keyterms {
            success["keyterms"] = json!(keyterms);
        }
        success
    }
}

/// A complaint about a message.
pub(super) fn schema_error(message: &str, why: &str) -> Value {
    json!({"type": "Error", "variant": "SchemaError", "description": why, "message": message})
}

/// A message that is in no document.
pub(super) fn novelty() -> Value {
    json!({"type": "EmulatedNovelty", "channel": [0, 1], "detail": {"nobody": "knows this"}})
}
