//! The services that conversations of this installation go through.

use outdial_workflows::playbook::Script;
use secrecy::ExposeSecret;

use super::audio::Format;
use super::deepgram::{self, Deepgram, Listener};
use super::elevenlabs::{self, ElevenLabs, Speaker};
use super::http::{SetupError, http_client};
use super::openai::{Endpoint, OpenAi};
use super::wire::Dialect;

/// How to reach them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What recognises.
    pub deepgram: deepgram::Settings,
    /// What answers.
    pub model: Endpoint,
    /// What answers when that fails; without it, the same is asked again.
    pub fallback: Option<Endpoint>,
    /// What speaks.
    pub elevenlabs: elevenlabs::Settings,
}

/// The services, for all conversations of a process.
#[derive(Clone, Debug)]
pub struct Speech {
    deepgram: Deepgram,
    openai: OpenAi,
    elevenlabs: ElevenLabs,
}

/// The services, for one conversation.
#[derive(Debug)]
pub struct ForCall {
    /// What recognises.
    pub recogniser: Listener,
    /// What answers.
    pub model: OpenAi,
    /// What speaks.
    pub voice: Speaker,
}

impl Speech {
    /// The services, with connections of their own.
    ///
    /// # Errors
    /// Says which setting cannot work.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        for (service, key) in [
            ("Deepgram", &settings.deepgram.key),
            ("the model", &settings.model.key),
            ("ElevenLabs", &settings.elevenlabs.key),
        ] {
            if key.expose_secret().trim().is_empty() {
                return Err(SetupError(format!("{service} has no key")));
            }
        }
        let http = http_client().map_err(|error| SetupError(error.to_string()))?;
        Ok(Self {
            deepgram: Deepgram::new(settings.deepgram)?,
            openai: OpenAi::new(http.clone(), settings.model, settings.fallback)?,
            elevenlabs: ElevenLabs::new(http, settings.elevenlabs)?,
        })
    }

    /// The services for a call of this playbook.
    ///
    /// # Errors
    /// If one of them does not take the carrier's audio.
    pub fn for_call(&self, dialect: Dialect, script: &Script) -> Result<ForCall, SetupError> {
        let format = dialect.format();
        Ok(ForCall {
            recogniser: self.deepgram.for_call(format, &script.language),
            model: self.openai.clone(),
            voice: self.elevenlabs.for_call(format, script.voice.as_deref())?,
        })
    }

    /// What speaks, outside of a conversation; the installation's usual voice unless another is named.
    ///
    /// # Errors
    /// If it does not speak in that format.
    pub fn voice(&self, format: Format, voice: Option<&str>) -> Result<Speaker, SetupError> {
        self.elevenlabs.for_call(format, voice)
    }

    /// What answers, for what is asked after calls.
    pub fn model(&self) -> &OpenAi {
        &self.openai
    }
}
