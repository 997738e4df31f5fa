//! The services that conversations of our own agent go through.

use clap::Args;
use outdial_jobs::media::deepgram::{self, Patience};
use outdial_jobs::media::openai::Endpoint;
use outdial_jobs::media::{elevenlabs, speech};
use secrecy::SecretString;
use url::Url;

use super::address;

/// What recognises, what answers, and what speaks.
#[derive(Args, Clone, Debug)]
pub struct Speech {
    /// The key of Deepgram, which turns voice into words. With it, a model's and a voice's, this process holds
    /// conversations.
    #[arg(
        id = "speech.deepgram_key",
        long = "deepgram-key",
        env = "DEEPGRAM_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub deepgram_key: Option<SecretString>,

    /// Where Deepgram is, or a server of one's own that speaks as it does.
    #[arg(
        id = "speech.deepgram_url",
        long = "deepgram-url",
        env = "OUTDIAL_DEEPGRAM_URL",
        default_value = "https://api.deepgram.com",
        value_parser = address,
        value_name = "URL"
    )]
    pub deepgram_url: Url,

    /// The model that recognises.
    #[arg(
        id = "speech.deepgram_model",
        long = "deepgram-model",
        env = "OUTDIAL_DEEPGRAM_MODEL",
        default_value = "nova-3",
        value_name = "MODEL"
    )]
    pub deepgram_model: String,

    /// Names and words that it would not expect, as those of one's products.
    #[arg(
        id = "speech.keyterms",
        long = "keyterms",
        env = "OUTDIAL_KEYTERMS",
        value_delimiter = ',',
        value_name = "WORDS"
    )]
    pub keyterms: Vec<String>,

    /// The key of OpenAI, or of whoever speaks its chat completions, whose model answers.
    #[arg(
        id = "speech.openai_key",
        long = "openai-key",
        env = "OPENAI_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub openai_key: Option<SecretString>,

    /// The address that chat/completions is below.
    #[arg(
        id = "speech.openai_url",
        long = "openai-url",
        env = "OPENAI_BASE_URL",
        default_value = "https://api.openai.com/v1",
        value_parser = address,
        value_name = "URL"
    )]
    pub openai_url: Url,

    /// The model that answers. A quick one: people wait for it.
    #[arg(
        id = "speech.openai_model",
        long = "openai-model",
        env = "OUTDIAL_OPENAI_MODEL",
        default_value = "gpt-4o-mini",
        value_name = "MODEL"
    )]
    pub openai_model: String,

    /// The model that is asked when that one fails or is late; without it, the same is asked again.
    #[arg(
        id = "speech.fallback_model",
        long = "fallback-model",
        env = "OUTDIAL_FALLBACK_MODEL",
        value_name = "MODEL"
    )]
    pub fallback_model: Option<String>,

    /// The key of ElevenLabs, which speaks.
    #[arg(
        id = "speech.elevenlabs_key",
        long = "elevenlabs-key",
        env = "ELEVENLABS_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub elevenlabs_key: Option<SecretString>,

    /// Where ElevenLabs is; it has other hosts for data that must stay in a region.
    #[arg(
        id = "speech.elevenlabs_url",
        long = "elevenlabs-url",
        env = "OUTDIAL_ELEVENLABS_URL",
        default_value = "https://api.elevenlabs.io",
        value_parser = address,
        value_name = "URL"
    )]
    pub elevenlabs_url: Url,

    /// The id of the voice, where a playbook names none.
    #[arg(
        id = "speech.elevenlabs_voice",
        long = "elevenlabs-voice",
        env = "ELEVENLABS_VOICE_ID",
        value_name = "ID"
    )]
    pub elevenlabs_voice: Option<String>,

    /// The model that speaks.
    #[arg(
        id = "speech.elevenlabs_model",
        long = "elevenlabs-model",
        env = "OUTDIAL_ELEVENLABS_MODEL",
        default_value = elevenlabs::MODEL,
        value_name = "MODEL"
    )]
    pub elevenlabs_model: String,
}

impl Speech {
    /// How to reach the services; `None` if not all of them are set up, which is logged with what is missing.
    pub fn settings(&self) -> Option<speech::Settings> {
        let voice = self.elevenlabs_voice.as_ref().filter(|voice| !voice.trim().is_empty());
        let (Some(deepgram), Some(openai), Some(elevenlabs), Some(voice)) =
            (&self.deepgram_key, &self.openai_key, &self.elevenlabs_key, voice)
        else {
            self.tell_missing();
            return None;
        };
        let model =
            Endpoint { base: self.openai_url.clone(), key: openai.clone(), model: self.openai_model.clone() };
        let mut speaks =
            elevenlabs::Settings::new(self.elevenlabs_url.clone(), elevenlabs.clone(), voice.as_str());
        speaks.model.clone_from(&self.elevenlabs_model);
        Some(speech::Settings {
            deepgram: deepgram::Settings {
                base: self.deepgram_url.clone(),
                key: deepgram.clone(),
                model: self.deepgram_model.clone(),
                keyterms: self.keyterms.clone(),
                patience: Patience::default(),
            },
            fallback: self.fallback_model.as_ref().map(|other| model.with_model(other)),
            model,
            elevenlabs: speaks,
        })
    }

    fn tell_missing(&self) {
        let parts = [
            (self.deepgram_key.is_some(), "DEEPGRAM_API_KEY (what recognises)"),
            (self.openai_key.is_some(), "OPENAI_API_KEY (what answers)"),
            (self.elevenlabs_key.is_some(), "ELEVENLABS_API_KEY (what speaks)"),
            (self.elevenlabs_voice.is_some(), "ELEVENLABS_VOICE_ID (its voice)"),
        ];
        let missing: Vec<&str> = parts.iter().filter(|(there, _)| !there).map(|(_, name)| *name).collect();
        tracing::info!(missing = missing.join(", "), "this process holds no conversations");
    }
}
