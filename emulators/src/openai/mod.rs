//! OpenAI's chat completions, `POST /v1/chat/completions`, whole or streamed.
//!
//! ```no_run
//! # async fn example() -> Result<(), outdial_emulators::openai::StartError> {
//! use outdial_emulators::openai::{Answer, Config, OpenAi, Rule, When};
//!
//! let rules = vec![Rule::new(When::user("stop calling"), Answer::call("end_call", r#"{"reason":"opt-out"}"#))];
//! let openai = OpenAi::start(Config { rules, ..Config::default() }).await?;
//! println!("base URL for clients: {}/v1", openai.base_url());
//! # Ok(())
//! # }
//! ```
//!
//! An answer is a function of the conversation: the first [`Rule`] that fits gives it, and without one
//! the last thing that the user said comes back. Requests are checked as OpenAI checks them, so that a
//! conversation that it would refuse fails here too. Tokens are four characters each.
//!
//! Where OpenAI's documents leave something open, a switch in [`Config`] chooses.

mod answer;
mod config;
mod error;
mod events;
mod handler;
mod produce;
mod report;
mod request;
mod rules;
mod schema;
mod tokens;
mod validate;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    routing::{any, get, post},
};

pub use self::{
    answer::{Answer, Quirk, ToolCall, Turn},
    config::{Config, Limits, Pacing},
    report::{RequestEnd, RequestReport},
    rules::{Rule, When},
};
use crate::service::{self, Service};
pub use crate::service::{ConfigError, Reply, ReplyBody, StartError};

/// A running emulator of OpenAI.
pub type OpenAi = service::Emulator<Chat>;

type Hub = service::Hub<Chat>;

/// OpenAI's protocol.
pub enum Chat {}

impl Service for Chat {
    const NAME: &'static str = "openai";
    type Config = Config;
    type Step = Turn;
    type Report = RequestReport;

    fn routes() -> Router<Arc<Hub>> {
        Router::new()
            .route("/v1/chat/completions", post(handler::complete).fallback(handler::elsewhere))
            .route("/v1/models", get(handler::models))
            .fallback(any(handler::elsewhere))
    }
}
