//! ElevenLabs' text to speech: whole or streamed over HTTP, with or without timestamps, and over the
//! `stream-input` WebSocket.
//!
//! ```no_run
//! # async fn example() -> Result<(), outdial_emulators::elevenlabs::StartError> {
//! use std::time::Duration;
//! use outdial_emulators::elevenlabs::{Config, ElevenLabs, Quirk, Speech};
//!
//! let elevenlabs = ElevenLabs::start(Config::default()).await?;
//! elevenlabs.script([Speech::with(Quirk::Cut { after: Duration::from_millis(500) })]);
//! println!("speak at {}/v1/text-to-speech/voice1/stream?output_format=ulaw_8000", elevenlabs.base_url());
//! # Ok(())
//! # }
//! ```
//!
//! A character is spoken in 60 ms at normal speed, and the audio carries its words (see
//! [`speech`](crate::speech)), so that a test can tell what was spoken and how much of it arrived.
//! Formats that are compressed (`mp3_…`, `opus_…`), the multi-context socket, voices and models as
//! resources are not emulated.
//!
//! Where ElevenLabs' documents leave something open, a switch in [`Config`] chooses.

mod buffer;
mod config;
mod door;
mod error;
mod format;
mod http;
mod model;
mod report;
mod request;
mod scenario;
mod session;
mod synthesis;

use std::sync::Arc;

use axum::{
    Router,
    routing::{any, get, post},
};

pub use self::{
    config::{Config, Pacing},
    report::{SpeechEnd, SpeechReport},
    scenario::{Quirk, Speech},
};
use crate::service::{self, Service};
pub use crate::service::{ConfigError, Reply, ReplyBody, StartError};

/// A running emulator of ElevenLabs.
pub type ElevenLabs = service::Emulator<TextToSpeech>;

type Hub = service::Hub<TextToSpeech>;

/// ElevenLabs' protocol.
pub enum TextToSpeech {}

impl Service for TextToSpeech {
    const NAME: &'static str = "elevenlabs";
    type Config = Config;
    type Step = Speech;
    type Report = SpeechReport;

    fn routes() -> Router<Arc<Hub>> {
        Router::new()
            .route("/v1/text-to-speech/{voice_id}", post(http::whole))
            .route("/v1/text-to-speech/{voice_id}/stream", post(http::stream))
            .route("/v1/text-to-speech/{voice_id}/with-timestamps", post(http::whole_with_timestamps))
            .route("/v1/text-to-speech/{voice_id}/stream/with-timestamps", post(http::stream_with_timestamps))
            .route("/v1/text-to-speech/{voice_id}/stream-input", get(door::open))
            .fallback(any(http::elsewhere))
    }
}
