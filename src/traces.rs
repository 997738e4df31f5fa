//! Traces on their way to a collector: OTLP over HTTP, as protobuf.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use outdial_jobs::providers::http_client;
use outdial_jobs::traces;
use tokio::runtime::Handle;
use url::Url;

/// A collector that does not answer is not waited for; what it did not take is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// What sends traces until it is [ended](Traces::end).
pub(crate) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Sends traces to the collector at this address, of this share of leads.
    ///
    /// # Errors
    /// If the address cannot be one.
    pub(crate) fn to(collector: &Url, ratio: f64) -> anyhow::Result<Self> {
        let mut endpoint = collector.clone();
        endpoint
            .path_segments_mut()
            .map_err(|()| anyhow::anyhow!("`{collector}` is no address of a collector"))?
            .pop_if_empty()
            .extend(["v1", "traces"]);
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender {
                client: http_client().context("traces cannot be sent")?,
                runtime: Handle::current(),
            })
            .with_endpoint(endpoint)
            .with_timeout(PATIENCE)
            .build()
            .context("traces cannot be sent")?;
        let resource = Resource::builder()
            .with_service_name("outdial")
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            // Leads' traces say themselves whether they are sampled.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
            .build();
        traces::sample(ratio);
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self { provider })
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("outdial")
    }

    /// Sends what has not been sent, and ends.
    pub(crate) async fn end(self) {
        // It waits for its own thread, which waits for this runtime.
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(PATIENCE)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Sends over the connections that everything else uses, so that TLS is the same, too.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let sending =
            self.client.request(parts.method, url).headers(parts.headers).timeout(PATIENCE).body(body);
        // Whoever asks has a thread of its own, without a runtime.
        let sent = self.runtime.spawn(async move {
            let answer = sending.send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        });
        let (status, body) = sent.await??;
        Ok(Response::builder().status(status).body(body)?)
    }
}
