//! LiveKit: rooms, telephony through SIP trunks, dispatch of agents, and webhooks.
//!
//! ```no_run
//! # async fn example() -> Result<(), outdial_emulators::livekit::StartError> {
//! use outdial_emulators::livekit::{Config, LiveKit, Scenario};
//!
//! let livekit = LiveKit::start(Config { speed: 100.0, ..Config::default() }).await?;
//! livekit.script("+15550100", [Scenario::busy(), Scenario::no_answer()]);
//! println!("dial through {}", livekit.base_url());
//! # Ok(())
//! # }
//! ```
//!
//! Every method answers in the encoding of its request, protobuf or JSON. Audio is WebRTC's and not
//! emulated: an [agent](AgentScript) that is dispatched to a room talks by script and reports what was
//! said. A call's dial key is the name of its room.
//!
//! Where LiveKit's documents leave something open, a switch in [`Config`] chooses. There is no
//! idempotency key that the open-source server heeds: a repeated request is a second call, which throws
//! the first out of its room, and is counted as one.

mod agent;
mod agents;
mod budget;
mod call;
mod config;
mod dial;
mod door;
mod error;
mod failure;
mod id;
mod life;
mod mix;
mod participant;
mod phone;
mod room;
mod rooms;
mod rooms_api;
mod scenario;
mod serve;
mod sip;
mod sip_api;
mod token;
mod webhook;
mod wire;

use std::sync::Arc;

use axum::{Router, routing::any};

pub use self::{
    agent::{AgentResult, AgentScript, Reports, Role, Turn},
    call::{CallReport, Status},
    config::{Config, Key, Limits, RoomDefaults, Sip, Trunk, Webhooks},
    failure::{DisconnectReason, SipStatus},
    scenario::{Events, Outcome, Scenario, Transfer},
};
use self::{call::Call, rooms::Rooms};
use crate::carrier::{self, Phone, Protocol};
pub use crate::carrier::{
    ConfigError, Dial, Dials, Forgery, KeyCount, NumberCount, Quirk, Reply, ReplyBody, StartError, Totals,
};

/// What an unscripted number does.
pub type Fallback = carrier::Fallback<Scenario>;

/// A running emulator of LiveKit.
pub type LiveKit = carrier::Emulator<LiveKitTwirp>;

type Hub = carrier::Hub<LiveKitTwirp>;
type World = carrier::World<LiveKitTwirp>;

/// LiveKit's protocol.
pub enum LiveKitTwirp {}

impl Protocol for LiveKitTwirp {
    const NAME: &'static str = "livekit";
    type Config = Config;
    type Scenario = Scenario;
    type Call = Call;
    type More = Rooms;

    fn routes() -> Router<Arc<Hub>> {
        Router::new().route("/twirp/{*method}", any(serve::twirp)).fallback(serve::elsewhere)
    }

    /// A call carries its own scenario, which its trunk may have changed.
    fn live(hub: Arc<Hub>, call: Call, _: Scenario) -> impl Future<Output = ()> + Send + 'static {
        life::live(hub, call)
    }

    fn phone(text: &str) -> Option<Phone> {
        phone::parse(text)
    }
}
