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

mod call;
mod callback;
mod config;
mod connect;
mod control;
mod counters;
mod dial;
mod door;
mod form;
mod hub;
mod life;
mod list;
mod mix;
mod phone;
mod reads;
mod reply;
mod scenario;
mod stream;
mod world;

use std::{future::Future, io, net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::{
    call::{CallReport, Status},
    config::{
        AcceptedStatus, Account, Callbacks, Config, ConfigError, ErrorCode, Fallback, Flow, FormEncoding,
        Limits, Reads, Replies, Streams,
    },
    counters::{Dial, Dials, KeyCount, NumberCount, Totals},
    scenario::{Caller, Keypress, Outcome, Quirk, Reply, ReplyBody, Says, Scenario},
    stream::{StreamEnd, StreamReport},
};
use self::{hub::Hub, phone::Phone, reply::Format, reply::Refusal};
use crate::socket::{CuttableListener, Wire};

/// How long a stop waits for connections to close before it cuts them.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// Why the emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting makes no sense.
    #[error("the config cannot be used")]
    Config(#[from] ConfigError),
    /// The port is taken, most likely.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Bind {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The client for callbacks cannot be built.
    #[error("no HTTP client for callbacks")]
    Client(#[from] ClientError),
}

/// Why there is no client for callbacks.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refused its settings.
    #[error("HTTP cannot be set up")]
    Http(#[from] reqwest::Error),
}

/// A running emulator. Dropping it ends it too, without waiting.
pub struct Exotel {
    hub: Arc<Hub>,
    server: Option<JoinHandle<io::Result<()>>>,
}

impl Exotel {
    /// Binds 127.0.0.1 and begins to serve.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.check()?;
        let port = config.port;
        let bound = |source| StartError::Bind { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(bound)?;
        let origin = format!("http://{}", listener.local_addr().map_err(bound)?);
        let hub = Arc::new(Hub::new(config, callback_client()?, origin));
        let service = router(hub.clone()).into_make_service_with_connect_info::<Wire>();
        let server = axum::serve(CuttableListener(listener), service)
            .with_graceful_shutdown(hub.stopping.clone().cancelled_owned());
        let server = Some(tokio::spawn(server.into_future()));
        Ok(Self { hub, server })
    }

    /// `http://127.0.0.1:port`, for v1, v3 and the control API alike.
    pub fn base_url(&self) -> &str {
        &self.hub.origin
    }

    /// What the next dials of `number` lead to, in order; the last repeats. An empty script goes
    /// back to the fallback.
    ///
    /// # Panics
    ///
    /// If `number` is not a phone number.
    pub fn script(&self, number: &str, scenarios: impl IntoIterator<Item = Scenario>) {
        let phone = Phone::parse(number).expect("a script needs a phone number");
        let scenarios = scenarios.into_iter().collect();
        self.hub.change(|world| world.script(phone, scenarios));
    }

    /// The settings now in force.
    pub fn config(&self) -> Config {
        Config::clone(&self.hub.config())
    }

    /// Changes settings from now on; calls under way keep their pace. The port stays.
    pub fn configure(&self, config: Config) -> Result<(), ConfigError> {
        config.check()?;
        self.hub.configure(config);
        Ok(())
    }

    /// All evidence: dials by key, by number and in time.
    pub fn dials(&self) -> Dials {
        self.hub.read().counters.snapshot()
    }

    /// The sums alone, which is cheap.
    pub fn totals(&self) -> Totals {
        self.hub.read().counters.totals
    }

    /// Returns once `holds` does, for tests that wait on what happens rather than on time.
    pub async fn until(&self, holds: impl Fn(&Totals) -> bool) -> Totals {
        self.hub.until(holds).await
    }

    /// Every call still remembered, in the order accepted.
    pub fn calls(&self) -> Vec<CallReport> {
        self.hub.read().calls(&[]).into_iter().map(|call| call.report()).collect()
    }

    /// The call with this SID.
    pub fn call(&self, sid: &str) -> Option<CallReport> {
        self.hub.read().by_sid(sid).map(|call| call.report())
    }

    /// Ends what a call waits for now: ringing goes on to the outcome, talk to the hang-up.
    /// `false` if there is no such call.
    pub fn proceed(&self, sid: &str) -> bool {
        self.hub.proceed(sid)
    }

    /// Forgets calls, scripts, budgets and counts. Calls under way vanish without a callback.
    pub fn reset(&self) {
        self.hub.reset();
    }

    /// Ends every call and connection, and returns when nothing runs any more. Requests that are
    /// still being served see a reset.
    pub async fn stop(mut self) {
        self.hub.stopping.cancel();
        self.hub.tasks.close();
        self.hub.tasks.wait().await;
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(STOP_PATIENCE, &mut server).await.is_err()
        {
            server.abort();
        }
    }
}

impl Drop for Exotel {
    fn drop(&mut self) {
        self.hub.stopping.cancel();
    }
}

/// Runs an emulator until `stop` completes. `started` is told its base URL.
pub async fn serve(
    config: Config,
    started: impl FnOnce(&str),
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let exotel = Exotel::start(config).await?;
    started(exotel.base_url());
    stop.await;
    exotel.stop().await;
    Ok(())
}

fn router(hub: Arc<Hub>) -> Router {
    Router::new()
        .route("/v1/Accounts/{account}/Calls/{resource}", get(reads::call).post(connect::post))
        .route("/v1/Accounts/{account}/{resource}", get(reads::collection))
        .route("/v3/accounts/{account}/calls/{sid}", get(reads::call_v3))
        .merge(control::routes())
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(hub.clone(), until_stopped))
        .with_state(hub)
}

async fn unknown(State(hub): State<Arc<Hub>>, request: Request<Body>) -> Response {
    let path = request.uri().path();
    let (_, format) = Format::of(path);
    let refusal = Refusal::not_found(format!("{path} does not exist"));
    refusal.respond(format, hub.config().replies.error_code)
}

/// A stop cuts what is still being served, hanging requests above all.
async fn until_stopped(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let served = hub.stopping.run_until_cancelled(next.run(request)).await;
    served.unwrap_or_else(|| connect::cut(&wire))
}

/// A client for plain http that keeps its connections. TLS has no roots: https fails, and no
/// process-wide crypto provider is needed or installed.
fn callback_client() -> Result<reqwest::Client, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .no_gzip()
        .build()?;
    Ok(client)
}
