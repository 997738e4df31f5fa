//! Telnyx: Call Control v2 with its webhooks and media stream, and TeXML.
//!
//! ```no_run
//! # async fn example() -> Result<(), outdial_emulators::telnyx::StartError> {
//! use outdial_emulators::telnyx::{Config, Scenario, Telnyx};
//!
//! let telnyx = Telnyx::start(Config { speed: 100.0, ..Config::default() }).await?;
//! telnyx.script("+14155550123", [Scenario::busy(), Scenario::no_answer()]);
//! println!("dial through {}/v2, verify with {}", telnyx.base_url(), telnyx.public_key());
//! # Ok(())
//! # }
//! ```
//!
//! Where the documents are silent or disagree, a switch in [`Config`] chooses. A dial that repeats
//! the `command_id` of another within a minute places no second call; after that it does, and is
//! counted as one. Not emulated: inbound calls, simultaneous dial, SIP addresses, conferences,
//! queues, transcription and assistants; what a scenario's caller says is never transcribed.

mod account;
mod action;
mod actions;
mod amd;
mod call;
mod config;
mod delivery;
mod dial;
mod door;
mod fields;
mod hangup;
mod hooks;
mod life;
mod log;
mod logs;
mod mix;
mod paging;
mod place;
mod reads;
mod recording;
mod reply;
mod scenario;
mod sealed;
mod sign;
mod stream;
mod texml;

use std::sync::Arc;

use axum::{
    Router,
    response::Response,
    routing::{get, post},
};
use chrono::{DateTime, SecondsFormat, Utc};

use self::{account::Books, call::Call, reply::Refusal};
pub use self::{
    call::{CallReport, Status},
    config::{
        Account, Config, Connection, DuplicateReply, Limits, Reads, Replies, Standing, Streams, Texml,
        TexmlKey, Webhooks,
    },
    hangup::{Cause, Hangup, Source},
    scenario::{Answer, Answerer, Outcome, Scenario},
    sign::SigningSeed,
    stream::{StreamEnd, StreamReport},
};
use crate::carrier::{self, Protocol};
pub use crate::carrier::{
    ConfigError, Dial, Dials, Forgery, KeyCount, NumberCount, Quirk, Reply, ReplyBody, StartError, Totals,
};
pub use crate::media::{Caller, Conversation, Keypress, Line, Says, Speaker, Turn, When};

/// What an unscripted number does.
pub type Fallback = carrier::Fallback<Scenario>;

/// A running emulator of Telnyx.
pub type Telnyx = carrier::Emulator<TelnyxV2>;

type Hub = carrier::Hub<TelnyxV2>;
type World = carrier::World<TelnyxV2>;

/// Telnyx's protocol.
pub enum TelnyxV2 {}

impl Protocol for TelnyxV2 {
    const NAME: &'static str = "telnyx";
    type Config = Config;
    type Scenario = Scenario;
    type Call = Call;
    type More = Books;

    fn routes() -> Router<Arc<Hub>> {
        Router::new()
            .route("/v2/calls", post(place::post))
            .route("/v2/calls/{id}", get(reads::call))
            .route("/v2/calls/{id}/actions/{name}", post(actions::post).put(actions::put))
            .route("/v2/connections/{id}/active_calls", get(reads::active_calls))
            .route("/v2/call_events", get(logs::call_events))
            .route("/v2/webhook_deliveries", get(logs::webhook_deliveries))
            .route("/v2/webhook_deliveries/{id}", get(logs::webhook_delivery))
            .route("/v2/recordings", get(reads::recordings))
            .route("/v2/public_key", get(reads::public_key))
            .route("/v2/texml/calls/{connection}", post(texml::create))
            .route("/v2/texml/Accounts/{account}/Calls", get(texml::list).post(texml::accounts_create))
            .route("/v2/texml/Accounts/{account}/Calls/{sid}", get(texml::call).post(texml::update))
            .fallback(unknown)
    }

    fn live(hub: Arc<Hub>, call: Call, scenario: Scenario) -> impl Future<Output = ()> + Send + 'static {
        life::live(hub, call, scenario)
    }

    fn forgotten(more: &mut Books, call: &Call) {
        more.forget(call);
    }
}

impl Telnyx {
    /// What webhooks are verified with: base64 of 32 bytes, as the portal shows it.
    pub fn public_key(&self) -> String {
        self.config().public_key()
    }
}

async fn unknown() -> Response {
    Refusal::not_found().respond()
}

/// A moment as the API writes it.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
