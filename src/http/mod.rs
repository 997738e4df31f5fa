//! HTTP: health, metrics, webhooks and streams.

mod access;
mod briefings;
mod flows;
mod metrics;
mod pages;
mod problem;
pub mod streams;
mod v1;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Json};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use outdial_jobs::engine::Engine;
use outdial_workflows::ids::DialKey;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::app::INSTALLATION;
pub use access::{Access, origin};
pub use metrics::Metrics;
use problem::Problem;

/// A webhook larger than this is refused; Exotel's are under a kilobyte.
const BODY_LIMIT: usize = 256 * 1024;

/// The same of carriers whose webhooks bear transcripts, with the time of each word: an hour of talk is
/// under 2 MB.
const SIGNED_BODY_LIMIT: usize = 8 * 1024 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct Api {
    engine: Engine,
    metrics: Arc<Metrics>,
    access: Arc<Access>,
}

impl Api {
    /// An API over this engine.
    ///
    /// # Errors
    /// If the metrics cannot be registered.
    pub fn new(engine: Engine) -> anyhow::Result<Self> {
        Self::with(engine, Access::default())
    }

    /// The same, to be used so.
    ///
    /// # Errors
    /// If the metrics cannot be registered.
    pub fn with(engine: Engine, access: Access) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new(engine.metrics().registry())?);
        Ok(Self { engine, metrics, access: Arc::new(access) })
    }
}

/// The routes.
pub fn router(api: Api) -> Router {
    let (v1, pages) = (v1::router(&api), pages::router(&api));
    let request_id = HeaderName::from_static("x-request-id");
    Router::new()
        .merge(v1)
        .merge(pages)
        .route(
            "/health",
            get(async |State(api): State<Api>| ([(INSTALLATION, api.engine.key().fingerprint())], "ok")),
        )
        .route("/ready", get(ready))
        .route("/metrics", get(metrics::render))
        .route("/webhooks/exotel/{key}/{secret}", post(webhooks::exotel))
        .route(
            "/webhooks/{provider}/{client}/{account}",
            post(webhooks::signed).layer(DefaultBodyLimit::max(SIGNED_BODY_LIMIT)),
        )
        .route("/webhooks/{provider}/{client}/{account}/{key}/{secret}", post(webhooks::signed_of_attempt))
        .route("/v1/campaigns/{campaign}/status/{file}", get(v1::status::public))
        .route("/streams/exotel/{key}/{secret}", get(streams::exotel))
        .route("/streams/telnyx/{key}/{secret}", get(streams::telnyx))
        .route("/briefings/{key}/{secret}/{transfer}", get(briefings::briefing))
        .route("/flows/{key}/{secret}", post(flows::begin))
        .route("/flows/{key}/{secret}/{place}", post(flows::hear))
        .route("/flows/{key}/{secret}/{place}/nothing", post(flows::hear_nothing))
        .fallback(|| async { Problem::not_found("there is nothing at this address") })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(
            ServiceBuilder::new()
                .layer(SetRequestIdLayer::new(request_id.clone(), MakeRequestUuid))
                .layer(TraceLayer::new_for_http().make_span_with(span))
                .layer(PropagateRequestIdLayer::new(request_id))
                .layer(middleware::from_fn_with_state(api.clone(), metrics::count)),
        )
        .with_state(api)
}

/// What is logged while a request is served is told apart by its id.
fn span(request: &Request) -> tracing::Span {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let span =
        tracing::info_span!("request", method = %request.method(), path = shown(request.uri().path()), id);
    // Whoever asks may be tracing, too.
    let theirs =
        global::get_text_map_propagator(|propagator| propagator.extract(&Headers(request.headers())));
    let _ = span.set_parent(theirs);
    span
}

/// The headers of a request, as a trace's context is read from them.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// A path as logs may keep it: without what may be somebody's number, and without what proves that an address
/// was made here.
fn shown(path: &str) -> String {
    // Whoever reads what follows can read the campaign.
    let path = path.find("/status/").map_or(path, |at| &path[..at]);
    let is_number = |part: &str| {
        let part = part.replace("%2B", "+").replace("%2b", "+").replace("%20", " ");
        let digits = part.chars().filter(char::is_ascii_digit).count();
        digits > 4 && part.chars().all(|c| c.is_ascii_digit() || "+-. ()".contains(c))
    };
    let mut follows_key = false;
    let parts = path.split('/').map(|part| {
        let is_secret = std::mem::replace(&mut follows_key, part.parse::<DialKey>().is_ok());
        if is_secret || is_number(part) { "…" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Serves until `stop` resolves, then lets requests finish for a moment.
///
/// # Errors
/// If the socket fails.
pub async fn serve(
    listener: TcpListener,
    api: Api,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    serve_router(listener, router(api), stop).await
}

/// As [`serve`], with routes that somebody has put something around.
///
/// # Errors
/// If the socket fails.
pub async fn serve_router(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    const LAST_REQUESTS: Duration = Duration::from_secs(5);
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let until = async move {
        stop.await;
        let _ = stopping.send(());
    };
    // A frame of speech must not wait for the one before it to be acknowledged.
    let listener = listener.tap_io(|tcp| {
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection keeps Nagle's algorithm");
        }
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(until);
    let enough = async move {
        let _ = stopped.await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        served = server => Ok(served?),
        () = enough => Ok(()),
    }
}

/// Ready when the database answers, until the process is told to stop: what is still sent here is answered, and
/// whoever spreads requests over several processes sends no more. That the process lives, `/health` tells, which
/// asks nobody: a database that is away is no reason to start a process anew.
async fn ready(State(api): State<Api>) -> impl IntoResponse {
    if api.engine.is_stopping() {
        let body = serde_json::json!({ "ready": false, "because": "it is stopping" });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(body));
    }
    match tokio::time::timeout(Duration::from_secs(2), api.engine.now()).await {
        Ok(Ok(now)) => (StatusCode::OK, Json(serde_json::json!({ "ready": true, "database_time": now }))),
        Ok(Err(_)) | Err(_) => {
            let body = serde_json::json!({ "ready": false, "because": "the database does not answer" });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_path_is_logged_without_numbers() {
        for (path, logged) in [
            (
                "/v1/leads/0190f3a4-0000-7000-8000-000000000001",
                "/v1/leads/0190f3a4-0000-7000-8000-000000000001",
            ),
            ("/v1/leads/+919876500001", "/v1/leads/…"),
            ("/v1/accounts/a/numbers/%2B91%2098765-00001/limits", "/v1/accounts/a/numbers/…/limits"),
            ("/health", "/health"),
        ] {
            assert_eq!(shown(path), logged);
        }
    }

    #[test]
    fn the_secret_in_the_address_of_an_attempt_is_not_logged() {
        const KEY: &str = "0190f3a4000070008000000000000001.0190f3a4000070008000000000000002.3";
        for before in ["/webhooks/exotel", "/webhooks/telnyx/c/a", "/streams/exotel", "/flows"] {
            assert_eq!(shown(&format!("{before}/{KEY}/5ec3e7")), format!("{before}/{KEY}/…"));
            assert_eq!(shown(&format!("{before}/{KEY}/5ec3e7/1.2.3.0")), format!("{before}/{KEY}/…/1.2.3.0"));
        }
    }
}
