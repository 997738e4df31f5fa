//! A client that reads events as they come.

use std::{sync::Arc, time::Duration};

use outdial_emulators::openai::{Config, OpenAi, RequestReport};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(STUCK, what).await.expect("stuck")
}

pub(crate) const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

pub(crate) struct World {
    pub(crate) openai: OpenAi,
    http: reqwest::Client,
}

impl World {
    pub(crate) async fn new(config: Config) -> Self {
        let openai = OpenAi::start(config).await.expect("a free port");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build();
        Self { openai, http: http.expect("a plain client") }
    }

    pub(crate) async fn post_as(&self, key: &str, body: &Value) -> Response {
        let url = format!("{}/v1/chat/completions", self.openai.base_url());
        within(self.http.post(url).header("authorization", key).json(body).send()).await.expect("an answer")
    }

    pub(crate) async fn try_post(&self, body: &Value) -> reqwest::Result<Response> {
        let url = format!("{}/v1/chat/completions", self.openai.base_url());
        within(self.http.post(url).bearer_auth("sk-emulated").json(body).send()).await
    }

    pub(crate) async fn post(&self, body: &Value) -> Response {
        self.try_post(body).await.expect("an answer")
    }

    /// The whole answer to a request that must be accepted.
    pub(crate) async fn complete(&self, body: &Value) -> Value {
        let response = self.post(body).await;
        let status = response.status();
        let body = within(response.json()).await.expect("JSON");
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Status and error of a request that must be refused.
    pub(crate) async fn refused(&self, body: &Value) -> (u16, Value) {
        let response = self.post(body).await;
        let status = response.status().as_u16();
        let body: Value = within(response.json()).await.expect("JSON");
        (status, body["error"].clone())
    }

    pub(crate) async fn stream(&self, body: &Value) -> Events {
        let mut body = body.clone();
        body["stream"] = json!(true);
        let response = self.post(&body).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        Events { response, rest: Vec::new() }
    }

    /// The last request's report once it has ended.
    pub(crate) async fn ended(&self) -> RequestReport {
        let all = |reports: &[RequestReport]| reports.iter().all(|report| report.ended.is_some());
        within(self.openai.until(all)).await.pop().expect("a request")
    }
}

/// A request with one message of a user.
pub(crate) fn says(text: &str) -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]})
}

/// The same with more fields.
pub(crate) fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}

/// Server-sent events.
pub(crate) struct Events {
    pub(crate) response: Response,
    rest: Vec<u8>,
}

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Clean,
    Broken,
}

impl Events {
    /// The data of the next event.
    pub(crate) async fn next(&mut self) -> Result<String, End> {
        loop {
            if let Some(data) = self.take() {
                return Ok(data);
            }
            match within(self.response.chunk()).await {
                Ok(Some(piece)) => self.rest.extend_from_slice(&piece),
                Ok(None) => return Err(End::Clean),
                Err(_) => return Err(End::Broken),
            }
        }
    }

    /// A line with data that has come whole; other lines are passed over.
    fn take(&mut self) -> Option<String> {
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8(line).expect("whole characters");
            if let Some(data) = line.trim_end().strip_prefix("data: ") {
                return Some(data.to_owned());
            }
        }
        None
    }

    pub(crate) async fn rest(&mut self) -> (Vec<String>, End) {
        let mut events = Vec::new();
        loop {
            match self.next().await {
                Ok(event) => events.push(event),
                Err(end) => return (events, end),
            }
        }
    }

    /// All chunks of a stream that must end well.
    pub(crate) async fn chunks(&mut self) -> Vec<Value> {
        let (mut events, end) = self.rest().await;
        assert_eq!((events.pop().as_deref(), end), (Some("[DONE]"), End::Clean));
        events.iter().map(|event| serde_json::from_str(event).expect("JSON")).collect()
    }
}

/// The text of chunks.
pub(crate) fn text(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}
