//! The services that conversations go through, played on this machine.

use std::time::Duration;

use anyhow::Context as _;
use outdial_emulators::openai::Rule;
use outdial_emulators::{deepgram, elevenlabs, openai};
use outdial_jobs::media::deepgram::{self as recogniser, Patience};
use outdial_jobs::media::elevenlabs as voice;
use outdial_jobs::media::openai::Endpoint;
use outdial_jobs::media::speech::Settings;

/// The emulated voice.
const VOICE: &str = "voice_example";
/// The emulated models.
const MODELS: [&str; 2] = ["model-example", "model-example-2"];

/// How long services take.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// From a request to the model's first word.
    pub first_token: Duration,
    /// From a request to the voice's first sound.
    pub first_byte: Duration,
}

impl Delays {
    /// As quick as such services are where they are quick.
    pub const LIVELY: Self =
        Self { first_token: Duration::from_millis(350), first_byte: Duration::from_millis(120) };
    /// None that anybody notices.
    pub const NONE: Self = Self { first_token: Duration::ZERO, first_byte: Duration::ZERO };
}

/// What recognises, what answers, and what speaks.
pub struct Services {
    deepgram: deepgram::Deepgram,
    openai: openai::OpenAi,
    elevenlabs: elevenlabs::ElevenLabs,
}

impl Services {
    /// Services whose model answers by these rules, and that take so long.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(rules: Vec<Rule>, delays: Delays) -> anyhow::Result<Self> {
        let mut model = openai::Config { rules, ..openai::Config::default() };
        model.pacing.first_token = delays.first_token;
        let mut speaks = elevenlabs::Config::default();
        speaks.pacing.first_byte = delays.first_byte;
        Ok(Self {
            deepgram: deepgram::Deepgram::start(deepgram::Config::default()).await?,
            openai: openai::OpenAi::start(model).await?,
            elevenlabs: elevenlabs::ElevenLabs::start(speaks).await?,
        })
    }

    /// How a process of ours reaches them.
    ///
    /// # Errors
    /// If the addresses cannot be read, which they can.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let model = Endpoint {
            base: format!("{}/v1", self.openai.base_url()).parse().context("the model's address")?,
            key: self.openai.config().key.into(),
            model: MODELS[0].into(),
        };
        let base = self.deepgram.base_url().parse().context("the recogniser's address")?;
        Ok(Settings {
            deepgram: recogniser::Settings {
                base,
                key: self.deepgram.config().key.into(),
                model: "nova-3".into(),
                keyterms: vec![],
                patience: Patience::default(),
            },
            fallback: Some(model.with_model(MODELS[1])),
            model,
            elevenlabs: voice::Settings::new(
                self.elevenlabs.base_url().parse().context("the voice's address")?,
                self.elevenlabs.config().key.into(),
                VOICE,
            ),
        })
    }

    /// The same as arguments of `outdial serve`.
    pub fn flags(&self) -> Vec<String> {
        let flags = [
            ["--deepgram-url".to_owned(), self.deepgram.base_url().to_owned()],
            ["--deepgram-key".to_owned(), self.deepgram.config().key],
            ["--openai-url".to_owned(), format!("{}/v1", self.openai.base_url())],
            ["--openai-key".to_owned(), self.openai.config().key],
            ["--openai-model".to_owned(), MODELS[0].to_owned()],
            ["--elevenlabs-url".to_owned(), self.elevenlabs.base_url().to_owned()],
            ["--elevenlabs-key".to_owned(), self.elevenlabs.config().key],
            ["--elevenlabs-voice".to_owned(), VOICE.to_owned()],
        ];
        flags.concat()
    }

    /// Ends them.
    pub async fn stop(self) {
        tokio::join!(self.deepgram.stop(), self.openai.stop(), self.elevenlabs.stop());
    }
}
