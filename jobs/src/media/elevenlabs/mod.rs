//! The voice of ElevenLabs, over HTTP streaming: a request a sentence, so that falling silent is hanging up.

mod cache;
mod sound;
mod speaking;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use self::cache::{Cache, Key};
use self::speaking::Speaking;
use super::audio::{Encoding, Format};
use super::http::{SetupError, check_base};
use super::services::{Voice, VoiceError};
use crate::providers::answer::below;

/// The model that ElevenLabs recommends where waiting matters: about 75 ms to the first byte, 32 languages.
pub const MODEL: &str = "eleven_flash_v2_5";

/// How the voice of an account speaks.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where ElevenLabs is: `https://api.elevenlabs.io`, or a host for data that must stay in a region.
    pub base: Url,
    /// The API key.
    pub key: SecretString,
    /// The id of the voice.
    pub voice: String,
    /// The id of the model.
    pub model: String,
    /// What of the voice differs from what it is set to.
    pub tuning: Tuning,
}

impl Settings {
    /// A voice with [`MODEL`], as it is set up at ElevenLabs.
    pub fn new(base: Url, key: SecretString, voice: impl Into<String>) -> Self {
        Self { base, key, voice: voice.into(), model: MODEL.to_owned(), tuning: Tuning::default() }
    }
}

/// What of a voice differs from what it is set to at ElevenLabs, which also checks the ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tuning {
    /// 0 to 1: lower varies more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stability: Option<f32>,
    /// 0 to 1: how close it keeps to the original.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity_boost: Option<f32>,
    /// 0 to 1: more costs time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<f32>,
    /// Closer to the original still; costs time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_speaker_boost: Option<bool>,
    /// 0.7 to 1.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f32>,
}

impl Tuning {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A voice of an account, for all calls of a process. It keeps what was spoken lately: greetings, disclosures and
/// goodbyes are the same in call after call, and then need neither time nor money.
#[derive(Clone, Debug)]
pub struct ElevenLabs {
    http: reqwest::Client,
    settings: Arc<Settings>,
    spoken: Arc<Mutex<Cache>>,
}

impl ElevenLabs {
    /// A voice that goes through `http` (see [`http_client`](super::http::http_client)).
    ///
    /// # Errors
    /// If the address is none of HTTP, or a voice or a model is not named.
    pub fn new(http: reqwest::Client, settings: Settings) -> Result<Self, SetupError> {
        check_base(&settings.base, &["http", "https"])?;
        for (name, value) in [("voice", &settings.voice), ("model", &settings.model)] {
            if value.trim().is_empty() {
                return Err(SetupError(format!("no {name} is named")));
            }
        }
        let spoken = Arc::new(Mutex::new(Cache::default()));
        Ok(Self { http, settings: Arc::new(settings), spoken })
    }

    /// The voice in the format of a call; the account's usual one unless another is named.
    ///
    /// # Errors
    /// If ElevenLabs does not speak in that format; the message names those in which it does.
    pub fn for_call(&self, format: Format, voice: Option<&str>) -> Result<Speaker, SetupError> {
        let name = format_name(format).ok_or_else(|| {
            let Format { encoding, rate } = format;
            SetupError(format!(
                "ElevenLabs does not speak {encoding:?} at {rate} Hz, but µ-law and A-law at 8000 Hz, and 16-bit \
                 samples at 8000, 16000 or 24000 Hz"
            ))
        })?;
        let voice = voice.unwrap_or(&self.settings.voice).to_owned();
        let mut url = below(&self.settings.base, ["v1", "text-to-speech", voice.as_str(), "stream"]);
        url.query_pairs_mut().append_pair("output_format", name);
        Ok(Speaker { account: self.clone(), voice, format, url })
    }
}

fn format_name(Format { encoding, rate }: Format) -> Option<&'static str> {
    match (encoding, rate) {
        (Encoding::Mulaw, 8_000) => Some("ulaw_8000"),
        (Encoding::Alaw, 8_000) => Some("alaw_8000"),
        (Encoding::Linear16, 8_000) => Some("pcm_8000"),
        (Encoding::Linear16, 16_000) => Some("pcm_16000"),
        (Encoding::Linear16, 24_000) => Some("pcm_24000"),
        (Encoding::Mulaw | Encoding::Alaw | Encoding::Linear16, _) => None,
    }
}

/// The voice of ElevenLabs in a call.
#[derive(Clone, Debug)]
pub struct Speaker {
    account: ElevenLabs,
    voice: String,
    format: Format,
    url: Url,
}

/// A request (protocol notes, part 2).
#[derive(Serialize)]
struct Body<'a> {
    text: &'a str,
    model_id: &'a str,
    #[serde(skip_serializing_if = "Tuning::is_default")]
    voice_settings: Tuning,
    #[serde(skip_serializing_if = "str::is_empty")]
    previous_text: &'a str,
}

impl Voice for Speaker {
    /// There is no deadline here: the conversation asks again for a sentence that does not come. A body that ends too
    /// early in good order cannot be told from one that ends.
    fn speak(&self, text: &str, before: &str) -> BoxStream<'static, Result<Bytes, VoiceError>> {
        let settings = &self.account.settings;
        let key = Key::new(&self.voice, &settings.model, self.format, before, text);
        if let Some(audio) = cache::lock(&self.account.spoken).find(&key) {
            return stream::once(async { Ok(audio) }).boxed();
        }
        let body =
            Body { text, model_id: &settings.model, voice_settings: settings.tuning, previous_text: before };
        let request = self.account.http.post(self.url.clone()).json(&body);
        let speaking = Speaking::new(request, Arc::clone(settings), self.format)
            .keeping(Arc::clone(&self.account.spoken), key);
        stream::unfold(speaking, |mut speaking| async move { Some((speaking.next().await?, speaking)) })
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_was_said_before_and_only_what_was_set() {
        let body = |before, voice_settings| {
            let body = Body { text: "Yes.", model_id: MODEL, voice_settings, previous_text: before };
            serde_json::to_string(&body).expect("JSON")
        };
        assert_eq!(body("", Tuning::default()), r#"{"text":"Yes.","model_id":"eleven_flash_v2_5"}"#);
        let tuning = Tuning { stability: Some(0.5), speed: Some(1.25), ..Tuning::default() };
        assert_eq!(
            body("Well.", tuning),
            r#"{"text":"Yes.","model_id":"eleven_flash_v2_5","voice_settings":{"stability":0.5,"speed":1.25},"previous_text":"Well."}"#
        );
    }
}
