//! Metrics for Prometheus.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use outdial_jobs::providers::Provider;
use outdial_jobs::store;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::Api;

/// What this process counts.
pub struct Metrics {
    registry: Registry,
    webhooks: IntCounterVec,
    jobs: IntGaugeVec,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// If two have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let webhooks =
            Opts::new("outdial_webhooks_total", "Webhooks received, by provider and what came of them.");
        let webhooks = IntCounterVec::new(webhooks, &["provider", "result"])?;
        let jobs = Opts::new("outdial_jobs", "Jobs in the queue, by kind and state.");
        let jobs = IntGaugeVec::new(jobs, &["kind", "state"])?;
        registry.register(Box::new(webhooks.clone()))?;
        registry.register(Box::new(jobs.clone()))?;
        Ok(Self { registry, webhooks, jobs })
    }

    pub(crate) fn webhook(&self, provider: Provider, result: &str) {
        self.webhooks.with_label_values(&[provider.name(), result]).inc();
    }
}

pub(super) async fn render(State(api): State<Api>) -> Response {
    let depth = async {
        let mut conn = api.engine.pool().acquire().await?;
        store::queue::depth(&mut conn).await
    };
    match store::in_time(depth).await {
        Ok(depth) => {
            api.metrics.jobs.reset();
            for (kind, waiting, running, _) in depth {
                api.metrics.jobs.with_label_values(&[kind.as_str(), "waiting"]).set(waiting);
                api.metrics.jobs.with_label_values(&[kind.as_str(), "running"]).set(running);
            }
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the queue could not be counted");
        }
    }
    match TextEncoder::new().encode_to_string(&api.metrics.registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
