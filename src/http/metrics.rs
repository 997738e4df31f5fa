//! Metrics for Prometheus: what the engine counts, and what is counted of HTTP and of the process.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use outdial_jobs::engine::Engine;
use outdial_jobs::providers::Provider;
use prometheus::{IntGaugeVec, Registry, TextEncoder};

use super::Api;

outdial_jobs::metrics! {
    /// What this process counts of HTTP, and knows of itself.
    struct Counts {
        webhooks: IntCounterVec = "outdial_webhooks_total" ["provider", "result"]
            "Webhooks received, by what came of them: taken, kept, ignored, unknown, unknown_event, unauthentic, mismatched, unreadable, late or failed.";
        webhook: HistogramVec = "outdial_webhook_seconds" ["provider"]
            "Time until a webhook was answered: its commit included.";
        requests: IntCounterVec = "outdial_http_requests_total" ["method", "route", "status"]
            "Requests answered, by route; none for what is at no address.";
        request: HistogramVec = "outdial_http_request_seconds" ["method", "route"]
            "Time until a request was answered; of streams, until they began.";
        build: IntGaugeVec = "outdial_build_info" ["version"]
            "1, with the version.";
        tasks: IntGaugeVec = "outdial_runtime_tasks" []
            "Tasks of the runtime that have not ended.";
        waiting: IntGaugeVec = "outdial_runtime_queue" []
            "Tasks that wait for a thread of the runtime.";
        cpu: CounterVec = "process_cpu_seconds_total" []
            "Processor time of the process.";
        resident: IntGaugeVec = "process_resident_memory_bytes" []
            "Memory of the process.";
        files: IntGaugeVec = "process_open_fds" []
            "Open files and sockets of the process.";
        threads: IntGaugeVec = "process_threads" []
            "Threads of the process.";
        started: GaugeVec = "process_start_time_seconds" []
            "When the process began to count, in seconds since 1970.";
    }
}

/// No labels.
const NONE: &[&str] = &[];

/// What is counted of HTTP and of the process.
pub struct Metrics {
    counts: Counts,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// If two have one name.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counts = Counts::registered(registry)?;
        // Shown from the beginning: a rate needs two values, and the second is the alarm.
        for provider in Provider::ALL {
            for result in ["taken", "unauthentic", "late", "failed"] {
                counts.webhooks.with_label_values(&[provider.name(), result]);
            }
        }
        counts.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let now = outdial_jobs::clock::wall().timestamp_millis();
        counts.started.with_label_values(NONE).set(now as f64 / 1_000.0);
        Ok(Self { counts })
    }

    pub(crate) fn webhook(&self, provider: Provider, result: &str) {
        self.counts.webhooks.with_label_values(&[provider.name(), result]).inc();
    }

    pub(super) fn webhook_took(&self, provider: Provider, took: Duration) {
        self.counts.webhook.with_label_values(&[provider.name()]).observe(took.as_secs_f64());
    }

    /// What the system says of the process; what it does not say stays as it was.
    fn look(&self) {
        let runtime = tokio::runtime::Handle::current().metrics();
        set(&self.counts.tasks, runtime.num_alive_tasks());
        set(&self.counts.waiting, runtime.global_queue_depth());
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            set(&self.counts.files, files.count());
        }
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        let Some(process) = stat.as_deref().and_then(Process::parse) else { return };
        set(&self.counts.threads, process.threads);
        set(&self.counts.resident, process.resident_pages.saturating_mul(rustix::param::page_size()));
        let cpu = self.counts.cpu.with_label_values(NONE);
        let ticks = rustix::param::clock_ticks_per_second().max(1);
        let seconds = process.cpu_ticks as f64 / ticks as f64;
        cpu.inc_by((seconds - cpu.get()).max(0.0));
    }
}

fn set(gauge: &IntGaugeVec, value: usize) {
    gauge.with_label_values(NONE).set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// What stands in `/proc/self/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    cpu_ticks: u64,
    threads: usize,
    resident_pages: usize,
}

impl Process {
    /// Fields are counted behind the name, which may hold anything but ends with the last parenthesis.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // proc(5) counts from 1, with the name as the second.
        let field = |at: usize| fields.get(at - 3);
        Some(Self {
            cpu_ticks: field(14)?.parse::<u64>().ok()? + field(15)?.parse::<u64>().ok()?,
            threads: field(20)?.parse().ok()?,
            resident_pages: field(24)?.parse().ok()?,
        })
    }
}

pub(super) async fn render(State(api): State<Api>) -> Response {
    text(&api.engine, &api.metrics).await.map_or_else(
        || StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |text| ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
    )
}

async fn text(engine: &Engine, metrics: &Metrics) -> Option<String> {
    metrics.look();
    engine.metrics().read(engine).await;
    TextEncoder::new().encode_to_string(&engine.metrics().gather()).ok()
}

/// Counts requests by route: the address as it is declared, not as it was asked for.
pub(super) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = method(&request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let counts = &api.metrics.counts;
    counts.requests.with_label_values(&[method, route, response.status().as_str()]).inc();
    counts.request.with_label_values(&[method, route]).observe(began.elapsed().as_secs_f64());
    response
}

/// Whoever asks may invent methods; they do not become labels.
fn method(request: &Request) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat =
            "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 11 0 99 1000000 256 18446744073709551615";
        let process = Process { cpu_ticks: 200, threads: 11, resident_pages: 256 };
        assert_eq!(Process::parse(stat), Some(process));
        assert_eq!(Process::parse("42 (outdial"), None);
    }
}
