//! What is asked for, over HTTP (§2).

use serde::Deserialize;
use serde_json::Value;

use super::{
    config::Config,
    error::Refusal,
    format::{self, Format, NoFormat},
    model::{self, Model},
};

/// A voice's settings, all of which may be absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct VoiceSettings {
    pub(super) stability: Option<f64>,
    pub(super) similarity_boost: Option<f64>,
    pub(super) style: Option<f64>,
    pub(super) use_speaker_boost: Option<bool>,
    pub(super) speed: Option<f64>,
}

impl VoiceSettings {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        for (param, value, least, most) in [
            ("voice_settings.stability", self.stability, 0.0, 1.0),
            ("voice_settings.similarity_boost", self.similarity_boost, 0.0, 1.0),
            ("voice_settings.style", self.style, 0.0, 1.0),
            ("voice_settings.speed", self.speed, 0.7, 1.2),
        ] {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                let why = format!("{param} must be between {least} and {most}.");
                return Err(Refusal::Parameter { param, why });
            }
        }
        Ok(())
    }

    pub(super) fn speed(&self) -> f64 {
        self.speed.unwrap_or(1.0)
    }
}

/// A request that can be carried out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) text: String,
    pub(super) format: Format,
    pub(super) settings: VoiceSettings,
}

/// The body, as far as it changes what is spoken.
#[derive(Debug, Deserialize)]
struct Body {
    text: String,
    model_id: Option<String>,
    voice_settings: Option<VoiceSettings>,
}

/// The last value of a query parameter.
pub(super) fn last(query: &[(String, String)], name: &str) -> Option<String> {
    query.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.clone())
}

/// The format that a query asks for.
pub(super) fn format(query: &[(String, String)], streams: bool) -> Result<Format, Refusal> {
    let name = last(query, "output_format").unwrap_or_else(|| format::DEFAULT.to_owned());
    match Format::named(&name) {
        Ok(format) if format.wav && streams => {
            let why = format!("output_format {name} is not available for streams.");
            Err(Refusal::Parameter { param: "output_format", why })
        }
        Ok(format) => Ok(format),
        Err(NoFormat::NotEmulated) => {
            let why = format!("output_format {name} is not emulated.");
            Err(Refusal::Parameter { param: "output_format", why })
        }
        Err(NoFormat::Unknown) => {
            Err(Refusal::shape(&["query", "output_format"], "Input should be a known format", "enum"))
        }
    }
}

/// The model of this name, or the default.
pub(super) fn model(id: Option<&str>) -> Result<Model, Refusal> {
    let id = id.unwrap_or(model::DEFAULT);
    model::find(id).ok_or_else(|| Refusal::ModelNotFound(id.to_owned()))
}

/// Whether there is such a voice.
pub(super) fn check_voice(voice: &str, config: &Config) -> Result<(), Refusal> {
    let known = config.voices.is_empty() || config.voices.iter().any(|known| known == voice);
    if known { Ok(()) } else { Err(Refusal::VoiceNotFound(voice.to_owned())) }
}

/// Reads a request that has come in.
pub(super) fn read(
    voice: &str,
    query: &[(String, String)],
    body: &Value,
    streams: bool,
    config: &Config,
) -> Result<Order, Refusal> {
    if !body.is_object() {
        return Err(Refusal::shape(&["body"], "JSON decode error", "json_invalid"));
    }
    if body.get("text").is_none() {
        return Err(Refusal::shape(&["body", "text"], "Field required", "missing"));
    }
    let read: Body = serde_json::from_value(body.clone())
        .map_err(|error| Refusal::shape(&["body"], &error.to_string(), "type_error"))?;
    let format = format(query, streams)?;
    check_voice(voice, config)?;
    let model = model(read.model_id.as_deref())?;
    let settings = read.voice_settings.unwrap_or_default();
    settings.check()?;
    if read.text.chars().count() > model.characters_max {
        return Err(Refusal::TooLong { most: model.characters_max });
    }
    if read.text.trim().is_empty() {
        return Err(Refusal::Parameter { param: "text", why: "The text has nothing to say.".into() });
    }
    Ok(Order { text: read.text, format, settings })
}
