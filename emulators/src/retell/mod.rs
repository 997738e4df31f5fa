//! Retell: outbound phone calls made with an idempotency key, reads, lists and signed webhooks.
//!
//! ```no_run
//! # async fn example() -> Result<(), outdial_emulators::retell::StartError> {
//! use outdial_emulators::retell::{Config, Retell, Scenario};
//!
//! let retell = Retell::start(Config { speed: 100.0, ..Config::default() }).await?;
//! retell.script("+14155550123", [Scenario::busy(), Scenario::no_answer()]);
//! println!("dial through {}", retell.base_url());
//! # Ok(())
//! # }
//! ```
//!
//! Where Retell's documents are silent, a switch in [`Config`] chooses. A request repeated under its
//! `idempotency_key` within the hour makes no second call; one without a key is a second call, and is
//! counted as one.

mod agent;
mod call;
mod config;
mod create;
mod dial;
mod door;
mod event;
mod life;
mod limits;
mod list;
mod manage;
mod mix;
mod reads;
mod reason;
mod reply;
mod results;
mod scenario;
mod sign;
mod webhook;
mod workspace;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse as _, Response},
    routing::{delete, get, patch, post},
};

pub use self::{
    agent::Agent,
    call::CallReport,
    config::{AccountFault, Config, Keys, Reads, Replies, StopRinging, Webhooks},
    event::Event,
    limits::{DifferentBody, Idempotency, Limits, OverConcurrency},
    reason::{Reason, Status},
    results::{Analysis, Results, Speaker, Utterance},
    scenario::{Outcome, Scenario, Transfer},
};
use self::{call::Call, reply::Refusal, workspace::Workspace};
use crate::carrier::{self, Protocol};
pub use crate::carrier::{
    ConfigError, Dial, Dials, Forgery, KeyCount, NumberCount, Quirk, Reply, ReplyBody, StartError, Totals,
};

/// What an unscripted number does.
pub type Fallback = carrier::Fallback<Scenario>;

/// A running emulator of Retell.
pub type Retell = carrier::Emulator<RetellV2>;

type Hub = carrier::Hub<RetellV2>;
type World = carrier::World<RetellV2>;

/// Retell's protocol.
pub enum RetellV2 {}

impl Protocol for RetellV2 {
    const NAME: &'static str = "retell";
    type Config = Config;
    type Scenario = Scenario;
    type Call = Call;
    type More = Workspace;

    fn routes() -> Router<Arc<Hub>> {
        Router::new()
            .route("/v2/create-phone-call", post(create::post))
            .route("/v2/get-call/{call_id}", get(reads::call))
            .route("/v2/stop-call/{call_id}", post(manage::stop))
            .route("/v2/update-call/{call_id}", patch(manage::update))
            .route("/v2/update-live-call/{call_id}", patch(manage::update_live))
            .route("/v2/delete-call/{call_id}", delete(manage::delete))
            .route("/v2/list-calls", post(list::v2))
            .route("/v3/list-calls", post(list::v3))
            .route("/get-concurrency", get(reads::concurrency))
            .fallback(unknown)
            .method_not_allowed_fallback(unknown)
    }

    fn live(hub: Arc<Hub>, call: Call, scenario: Scenario) -> impl Future<Output = ()> + Send + 'static {
        life::live(hub, call, scenario)
    }
}

async fn unknown(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    Refusal::new(404, format!("Cannot {method} {path}")).into_response()
}
