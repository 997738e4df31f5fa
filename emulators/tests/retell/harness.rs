//! A client and a receiver of webhooks to point the emulator at.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use outdial_emulators::retell::{Config, Retell, Scenario, Webhooks};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(20);

pub(crate) const CUSTOMER: &str = "+14155550123";
pub(crate) const OURS: &str = "+14155550100";
pub(crate) const WEBHOOK_KEY: &str = "key_webhook";

/// Starts an emulator at a thousand times real speed.
pub(crate) async fn fast(config: Config) -> Retell {
    Retell::start(Config { speed: 1000.0, ..config }).await.expect("a free port")
}

/// Starts one at real speed, for what must not end while a test looks at it.
pub(crate) async fn slow(config: Config) -> Retell {
    Retell::start(config).await.expect("a free port")
}

/// Answered at once, and for an hour.
pub(crate) fn endless() -> Scenario {
    Scenario::answered(Duration::from_secs(3600)).ringing_for(Duration::ZERO)
}

/// A fast one with a scenario for [`CUSTOMER`] and a receiver of webhooks.
pub(crate) async fn told(scenario: Scenario) -> (Retell, Api, Receiver) {
    told_with(scenario, Webhooks::default()).await
}

pub(crate) async fn told_with(scenario: Scenario, webhooks: Webhooks) -> (Retell, Api, Receiver) {
    let receiver = Receiver::start().await;
    let webhooks = Webhooks { url: Some(receiver.url.clone()), ..webhooks };
    let retell = fast(Config { webhooks, ..Config::default() }).await;
    retell.script(CUSTOMER, [scenario]);
    let api = Api::of(&retell);
    (retell, api, receiver)
}

/// The same at real speed.
pub(crate) async fn told_slowly(scenario: Scenario) -> (Retell, Api, Receiver) {
    let receiver = Receiver::start().await;
    let webhooks = Webhooks { url: Some(receiver.url.clone()), ..Webhooks::default() };
    let retell = slow(Config { webhooks, ..Config::default() }).await;
    retell.script(CUSTOMER, [scenario]);
    let api = Api::of(&retell);
    (retell, api, receiver)
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(STUCK, what).await.expect("stuck")
}

/// The body of a dial of [`CUSTOMER`], with these fields besides.
pub(crate) fn body(more: &Value) -> Value {
    let mut body = json!({"from_number": OURS, "to_number": CUSTOMER});
    for (field, value) in more.as_object().expect("fields") {
        body[field] = value.clone();
    }
    body
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body; null if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// A client.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) key: String,
}

impl Api {
    pub(crate) fn of(retell: &Retell) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
        let http = http.build().expect("a plain client");
        Self { http, base: retell.base_url().to_owned(), key: "key_rest".into() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        within(async {
            let response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok(Answer { status, headers, text: response.text().await? })
        })
        .await
    }

    /// Posts to `create-phone-call` as it is.
    pub(crate) async fn create(&self, body: &Value) -> reqwest::Result<Answer> {
        self.send(self.request(Method::POST, "/v2/create-phone-call").json(body)).await
    }

    /// Dials [`CUSTOMER`] with these fields besides; the answer must come.
    pub(crate) async fn try_dial(&self, more: &Value) -> Answer {
        self.create(&body(more)).await.expect("a response")
    }

    /// The same; the call must be accepted. Returns the call object.
    pub(crate) async fn dial(&self, more: &Value) -> Value {
        let answer = self.try_dial(more).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// Any other request.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(method, path);
        let request = body.into_iter().fold(request, |request, body| request.json(body));
        self.send(request).await.expect("a response")
    }

    /// The call object.
    pub(crate) async fn get(&self, id: &str) -> Value {
        let answer = self.call(Method::GET, &format!("/v2/get-call/{id}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// The call object once it has been analysed.
    pub(crate) async fn analysed(&self, id: &str) -> Value {
        self.get_when(id, |call| !call["call_analysis"].is_null()).await
    }

    pub(crate) async fn get_when(&self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        within(async {
            loop {
                let call = self.get(id).await;
                if holds(&call) {
                    return call;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

/// The name of a call.
pub(crate) fn id(call: &Value) -> &str {
    call["call_id"].as_str().expect("a call_id")
}

/// A webhook as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) body: Bytes,
    pub(crate) signature: Option<String>,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn event(&self) -> String {
        self.json()["event"].as_str().expect("an event").to_owned()
    }
}

/// A web server for webhooks; answers 204 unless told otherwise.
pub(crate) struct Receiver {
    pub(crate) url: String,
    inbox: mpsc::UnboundedReceiver<Received>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

#[derive(Clone)]
struct Desk {
    outbox: mpsc::UnboundedSender<Received>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

/// Stands for never answering.
pub(crate) const HANG: u16 = 0;

impl Receiver {
    pub(crate) async fn start() -> Self {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::default());
        let desk = Desk { outbox, answers: Arc::clone(&answers) };
        let router = Router::new().fallback(receive).with_state(desk);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url: format!("http://{address}/retell"), inbox, answers }
    }

    /// Answers the next requests like this.
    pub(crate) fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        self.answers.lock().expect("no panic holds it").extend(statuses);
    }

    pub(crate) async fn next(&mut self) -> Received {
        within(self.inbox.recv()).await.expect("the server runs")
    }

    /// The names of the next events.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.next().await.event());
        }
        names
    }

    /// Nothing has come that was not taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.inbox.is_empty()
    }
}

async fn receive(
    State(desk): State<Desk>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let signature = headers.get("x-retell-signature").map(|value| value.to_str().expect("ASCII").to_owned());
    let answer = desk.answers.lock().expect("no panic holds it").pop_front().unwrap_or(204);
    // A test that has ended does not want it any more.
    let _ = desk.outbox.send(Received { path: uri.path().to_owned(), body, signature });
    if answer == HANG {
        return std::future::pending().await;
    }
    StatusCode::from_u16(answer).expect("a status").into_response()
}
