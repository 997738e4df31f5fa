//! Deepgram's streaming speech to text, `GET /v1/listen` as a WebSocket.
//!
//! ```no_run
//! # async fn example() -> Result<(), outdial_emulators::deepgram::StartError> {
//! use std::time::Duration;
//! use outdial_emulators::deepgram::{Config, Deepgram, Quirk, Session, Spoken};
//!
//! let deepgram = Deepgram::start(Config::default()).await?;
//! let spoken = Spoken::new(Duration::from_millis(400), "Hello there.");
//! deepgram.script([Session::hearing([spoken]).with(Quirk::Stall { after: Duration::from_secs(5) })]);
//! println!("listen at {}/v1/listen", deepgram.socket_url());
//! # Ok(())
//! # }
//! ```
//!
//! What is heard follows from the audio that was received, never from the wall clock: either the
//! words that the audio carries (see [`speech`](crate::speech)), or those that a script says are spoken
//! at a time of the audio. Flux (`/v2/listen`), recordings, and compressed audio are not emulated.
//!
//! Where Deepgram's documents leave something open, a switch in [`Config`] chooses.

mod config;
mod door;
mod grant;
mod hearing;
mod messages;
mod model;
mod parameters;
mod refusal;
mod report;
mod scenario;
mod session;
mod stream;
mod transcriber;
mod words;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub use self::{
    config::{Config, Unknown},
    report::{SessionEnd, SessionReport},
    scenario::{Hears, Quirk, Session, Spoken},
};
use crate::service::{self, Service};
pub use crate::service::{ConfigError, Reply, ReplyBody, StartError};

/// A running emulator of Deepgram.
pub type Deepgram = service::Emulator<Listen>;

type Hub = service::Hub<Listen>;

/// Deepgram's protocol.
pub enum Listen {}

impl Service for Listen {
    const NAME: &'static str = "deepgram";
    type Config = Config;
    type Step = Session;
    type Report = SessionReport;

    fn routes() -> Router<Arc<Hub>> {
        Router::new()
            .route("/v1/listen", get(door::listen))
            .route("/v1/auth/grant", post(grant::grant))
            .fallback(door::elsewhere)
    }
}
