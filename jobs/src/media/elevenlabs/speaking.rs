//! A sentence on its way.

use std::mem;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use reqwest::{RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::Settings;
use super::cache::{self, Cache, Key};
use super::sound::Sound;
use crate::media::audio::Format;
use crate::media::http::{presentable, reason};
use crate::media::services::VoiceError;
use crate::providers::answer::Answer;

/// A request, then its body, then nothing. Dropping it hangs up.
pub(super) struct Speaking {
    state: State,
    settings: Arc<Settings>,
    sound: Sound,
    /// All that was given, for the next time.
    given: BytesMut,
    keep: Option<(Arc<Mutex<Cache>>, Key)>,
}

enum State {
    Asking(RequestBuilder),
    Hearing(Response),
    Over,
}

impl Speaking {
    pub(super) fn new(request: RequestBuilder, settings: Arc<Settings>, format: Format) -> Self {
        let state = State::Asking(request);
        Self { state, settings, sound: Sound::new(format), given: BytesMut::new(), keep: None }
    }

    /// The same, which is to be kept when it is whole, if its text is short enough.
    pub(super) fn keeping(self, cache: Arc<Mutex<Cache>>, key: Key) -> Self {
        Self { keep: key.is_kept().then_some((cache, key)), ..self }
    }

    /// The next piece of audio; nothing comes after an error.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, VoiceError>> {
        loop {
            let step = match mem::replace(&mut self.state, State::Over) {
                State::Asking(request) => self.ask(request).await.map(|()| None),
                State::Hearing(response) => self.hear(response).await,
                State::Over => return None,
            };
            match step {
                Ok(None) => {}
                Ok(Some(audio)) => return Some(Ok(audio)),
                Err(error) => {
                    self.state = State::Over;
                    return Some(Err(error));
                }
            }
        }
    }

    async fn ask(&mut self, request: RequestBuilder) -> Result<(), VoiceError> {
        let key = self.settings.key.expose_secret();
        let response = request.header("xi-api-key", key).send().await;
        let response = response.map_err(|error| self.lost("could not be reached", &error))?;
        if !response.status().is_success() {
            return Err(self.refused(&Answer::read(response).await));
        }
        self.state = State::Hearing(response);
        Ok(())
    }

    async fn hear(&mut self, mut response: Response) -> Result<Option<Bytes>, VoiceError> {
        let piece = response.chunk().await.map_err(|error| self.lost("broke off", &error))?;
        let Some(piece) = piece else { return self.end() };
        self.state = State::Hearing(response);
        let audio = self.sound.hear(&piece);
        if self.keep.is_some() {
            self.given.extend_from_slice(&audio);
        }
        Ok(Some(audio).filter(|audio| !audio.is_empty()))
    }

    /// The state is over by now, so that nothing comes after it.
    fn end(&mut self) -> Result<Option<Bytes>, VoiceError> {
        if self.sound.is_broken_off() {
            return Err(VoiceError("ElevenLabs broke off within a sample".to_owned()));
        }
        if !self.sound.has_voice() {
            return Err(VoiceError("ElevenLabs sent no voice".to_owned()));
        }
        if let Some((cache, key)) = self.keep.take() {
            cache::lock(&cache).keep(key, mem::take(&mut self.given).freeze());
        }
        Ok(None)
    }

    fn lost(&self, what: &str, error: &reqwest::Error) -> VoiceError {
        VoiceError(presentable(&format!("ElevenLabs {what}: {}", reason(error)), &self.settings.key))
    }

    fn refused(&self, answer: &Answer) -> VoiceError {
        let said = answer.json::<Value>().and_then(|body| detail(&body["detail"]));
        let words = format!("ElevenLabs answered {}", answer.words(said.as_deref()));
        VoiceError(presentable(&words, &self.settings.key))
    }
}

/// What an error says, in any of the shapes that it comes in: a text, an object with a code (or, older, a status)
/// and a message, or a list of what is wrong with a request.
fn detail(detail: &Value) -> Option<String> {
    match detail {
        Value::String(text) => Some(text.clone()),
        Value::Object(error) => {
            let text = |name: &str| error.get(name).and_then(Value::as_str);
            match (text("code").or_else(|| text("status")), text("message")) {
                (Some(code), Some(message)) => Some(format!("{code}: {message}")),
                (code, message) => code.or(message).map(str::to_owned),
            }
        }
        Value::Array(problems) => problems.first().and_then(|problem| {
            let place: Vec<&str> = problem["loc"].as_array()?.iter().filter_map(Value::as_str).collect();
            Some(format!("{}: {}", place.join("."), problem["msg"].as_str()?))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_are_read_in_all_shapes_that_they_come_in() {
        for (shape, says) in [
            (json!("Not Found"), Some("Not Found")),
            (
                json!({"type": "rate_limit_error", "code": "system_busy", "message": "Busy.", "status": "system_busy"}),
                Some("system_busy: Busy."),
            ),
            (
                json!({"status": "voice_not_found", "message": "No voice."}),
                Some("voice_not_found: No voice."),
            ),
            (json!({"status": "quota_exceeded"}), Some("quota_exceeded")),
            (
                json!([{"loc": ["body", "text"], "msg": "Field required", "type": "missing"}]),
                Some("body.text: Field required"),
            ),
            (json!([]), None),
            (json!([7]), None),
            (json!(null), None),
        ] {
            assert_eq!(detail(&shape).as_deref(), says, "{shape}");
        }
    }
}
