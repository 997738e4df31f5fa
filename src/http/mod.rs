//! HTTP: health, metrics, webhooks and streams.

mod metrics;
mod problem;
mod streams;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use axum::routing::{get, post};
use outdial_jobs::engine::Engine;
use tokio::net::TcpListener;

pub use metrics::Metrics;
use problem::Problem;

/// A webhook larger than this is refused; Exotel's are under a kilobyte.
const BODY_LIMIT: usize = 256 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct Api {
    engine: Engine,
    metrics: Arc<Metrics>,
}

impl Api {
    /// An API over this engine.
    ///
    /// # Errors
    /// If the metrics cannot be registered.
    pub fn new(engine: Engine) -> anyhow::Result<Self> {
        Ok(Self { engine, metrics: Arc::new(Metrics::new()?) })
    }
}

/// The routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics::render))
        .route("/webhooks/exotel/{key}/{secret}", post(webhooks::exotel))
        .route("/streams/exotel/{key}/{secret}", get(streams::exotel))
        .fallback(|| async { Problem::not_found("there is nothing at this address") })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(api)
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

/// Ready when the database answers.
async fn ready(State(api): State<Api>) -> impl IntoResponse {
    match tokio::time::timeout(Duration::from_secs(2), api.engine.now()).await {
        Ok(Ok(now)) => (StatusCode::OK, Json(serde_json::json!({ "ready": true, "database_time": now }))),
        Ok(Err(_)) | Err(_) => {
            let body = serde_json::json!({ "ready": false, "because": "the database does not answer" });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}
