//! Exotel: outbound voice v1, call details v3, status callbacks and the AgentStream socket.
//!
//! ```no_run
//! # async fn example() -> Result<(), outdial_emulators::exotel::StartError> {
//! use outdial_emulators::exotel::{Config, Exotel, Scenario};
//!
//! let exotel = Exotel::start(Config { speed: 100.0, ..Config::default() }).await?;
//! exotel.script("+919876543210", [Scenario::busy(), Scenario::no_answer()]);
//! println!("dial through {}", exotel.base_url());
//! # Ok(())
//! # }
//! ```
//!
//! Where Exotel's documents disagree, a switch in [`Config`] chooses. There is no way to cancel a
//! call and no idempotency key: a repeated request is a second call, and is counted as one.

mod account;
mod call;
mod callback;
mod config;
mod connect;
mod dial;
mod door;
mod form;
mod life;
mod list;
mod mix;
mod phone;
mod reads;
mod reply;
mod scenario;
mod stream;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::get,
};

use self::{account::Accounts, call::Call, reply::Format, reply::Refusal};
pub use self::{
    call::{CallReport, Status},
    config::{
        AcceptedStatus, Account, Callbacks, Config, ErrorCode, Flow, FormEncoding, Limits, Reads, Replies,
        Streams,
    },
    scenario::{Outcome, Scenario},
    stream::{StreamEnd, StreamReport},
};
use crate::carrier::{self, Phone, Protocol};
pub use crate::carrier::{
    ConfigError, Dial, Dials, KeyCount, NumberCount, Quirk, Reply, ReplyBody, StartError, Totals,
};
pub use crate::media::{Caller, Conversation, Keypress, Line, Says, Speaker, Turn, When};

/// What an unscripted number does.
pub type Fallback = carrier::Fallback<Scenario>;

/// A running emulator of Exotel.
pub type Exotel = carrier::Emulator<ExotelV1>;

type Hub = carrier::Hub<ExotelV1>;
type World = carrier::World<ExotelV1>;

/// Exotel's protocol.
pub enum ExotelV1 {}

impl Protocol for ExotelV1 {
    const NAME: &'static str = "exotel";
    type Config = Config;
    type Scenario = Scenario;
    type Call = Call;
    type More = Accounts;

    fn routes() -> Router<Arc<Hub>> {
        Router::new()
            .route("/v1/Accounts/{account}/Calls/{resource}", get(reads::call).post(connect::post))
            .route("/v1/Accounts/{account}/{resource}", get(reads::collection))
            .route("/v3/accounts/{account}/calls/{sid}", get(reads::call_v3))
            .fallback(unknown)
    }

    fn live(hub: Arc<Hub>, call: Call, scenario: Scenario) -> impl Future<Output = ()> + Send + 'static {
        life::live(hub, call, scenario)
    }

    fn phone(text: &str) -> Option<Phone> {
        phone::parse(text)
    }
}

async fn unknown(State(hub): State<Arc<Hub>>, request: Request<Body>) -> Response {
    let path = request.uri().path();
    let (_, format) = Format::of(path);
    let refusal = Refusal::not_found(format!("{path} does not exist"));
    refusal.respond(format, hub.config().replies.error_code)
}
