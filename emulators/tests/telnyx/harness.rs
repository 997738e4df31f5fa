//! A client, a webhook receiver and a bot to point the emulator at.

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{FromRequest as _, Request, State, WebSocketUpgrade, ws::WebSocket},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
    routing::any,
};
use outdial_emulators::telnyx::{Account, CallReport, Config, Scenario, Telnyx};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(20);

pub(crate) const CUSTOMER: &str = "+14155550123";
pub(crate) const CALLER: &str = "+14155550100";
pub(crate) const CONNECTION: &str = "1494404757140276705";
/// Base64 of `att_1`.
pub(crate) const STATE: &str = "YXR0XzE=";
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Starts an emulator at a thousand times real speed, its webhooks in order.
pub(crate) async fn fast(config: Config) -> Telnyx {
    let mut config = Config { speed: 1000.0, ..config };
    config.webhooks.in_order = true;
    Telnyx::start(config).await.expect("a free port")
}

/// The same, with a script for [`CUSTOMER`].
pub(crate) async fn scripted(scenario: Scenario) -> (Telnyx, Api) {
    let telnyx = fast(Config::default()).await;
    telnyx.script(CUSTOMER, [scenario]);
    let api = Api::of(&telnyx);
    (telnyx, api)
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(STUCK, what).await.expect("stuck")
}

/// Waits for the only call to end.
pub(crate) async fn ended(telnyx: &Telnyx) -> CallReport {
    within(telnyx.until(|totals| totals.finished == 1)).await;
    telnyx.calls().remove(0)
}

/// A client of one account.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) key: String,
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn data(&self) -> &Value {
        assert_eq!(self.status, 200, "{}", self.body);
        &self.body["data"]
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["errors"][0]["code"].as_str().unwrap_or_default())
    }
}

impl Api {
    pub(crate) fn of(telnyx: &Telnyx) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
        let http = http.build().expect("a plain client");
        Self { http, base: telnyx.base_url().to_owned(), key: Account::default().api_key }
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let response = within(request.bearer_auth(&self.key).send()).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        self.send(request).await.expect("a response")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.base))).await.expect("a response")
    }

    /// Dials [`CUSTOMER`] with these parameters besides.
    pub(crate) async fn try_dial(&self, more: &Value) -> Answer {
        self.post("/v2/calls", &dial_body(more)).await
    }

    /// The same; the call must be accepted.
    pub(crate) async fn dial(&self, more: &Value) -> String {
        let answer = self.try_dial(more).await;
        answer.data()["call_control_id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn act(&self, id: &str, name: &str, body: &Value) -> Answer {
        let path = format!("/v2/calls/{id}/actions/{name}");
        if name != "client_state_update" {
            return self.post(&path, body).await;
        }
        let request = self.http.put(format!("{}{path}", self.base)).json(body);
        self.send(request).await.expect("a response")
    }
}

pub(crate) fn dial_body(more: &Value) -> Value {
    let mut body = json!({"connection_id": CONNECTION, "from": CALLER, "to": CUSTOMER});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

/// A webhook as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// `event_type`
    pub(crate) fn event(&self) -> String {
        self.json()["data"]["event_type"].as_str().expect("an event type").to_owned()
    }

    pub(crate) fn payload(&self) -> Value {
        self.json()["data"]["payload"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

/// A web server for webhooks; answers 200 unless told otherwise.
pub(crate) struct Receiver {
    pub(crate) url: String,
    inbox: mpsc::UnboundedReceiver<Received>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
}

#[derive(Clone)]
struct Desk {
    outbox: mpsc::UnboundedSender<Received>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
}

/// Stands for never answering.
pub(crate) const HANG: u16 = 0;

impl Receiver {
    pub(crate) async fn start() -> Self {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::default());
        let desk = Desk { outbox, answers: Arc::clone(&answers) };
        let router = Router::new().fallback(receive).with_state(desk);
        Self { url: format!("http://{}/hook", serve(router).await), inbox, answers }
    }

    /// Answers the next requests like this.
    pub(crate) fn answering(self, statuses: impl IntoIterator<Item = u16>) -> Self {
        let answers = statuses.into_iter().map(|status| (status, String::new()));
        self.answers.lock().expect("no panic holds it").extend(answers);
        self
    }

    /// Answers the next requests with these instructions.
    pub(crate) fn instructing<'a>(self, documents: impl IntoIterator<Item = &'a str>) -> Self {
        let answers = documents.into_iter().map(|text| (200, format!("<Response>{text}</Response>")));
        self.answers.lock().expect("no panic holds it").extend(answers);
        self
    }

    pub(crate) async fn next(&mut self) -> Received {
        within(self.inbox.recv()).await.expect("the server runs")
    }

    /// The next one of this event, whatever comes before.
    pub(crate) async fn next_of(&mut self, event: &str) -> Value {
        loop {
            let received = self.next().await;
            if received.event() == event {
                return received.payload();
            }
        }
    }

    /// The names of all events up to this one.
    pub(crate) async fn until(&mut self, last: &str) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let name = self.next().await.event();
            names.push(name.clone());
            if name == last {
                return names;
            }
        }
    }

    /// Nothing has come that was not taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.inbox.is_empty()
    }
}

async fn receive(State(desk): State<Desk>, request: Request) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let body = Bytes::from_request(request, &()).await.expect("a body");
    let (status, text) =
        desk.answers.lock().expect("no panic holds it").pop_front().unwrap_or((200, String::new()));
    // A test that has ended does not want it any more.
    let _ = desk.outbox.send(Received { method, uri, headers, body });
    if status == HANG {
        return std::future::pending().await;
    }
    (StatusCode::from_u16(status).expect("a status"), text).into_response()
}

/// A bot's server. Connections are handed to the test.
pub(crate) struct Bot {
    pub(crate) address: String,
    visits: mpsc::UnboundedReceiver<Visit>,
}

/// An accepted connection.
pub(crate) struct Visit {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) socket: WebSocket,
}

impl Bot {
    pub(crate) async fn start() -> Self {
        let (visitors, visits) = mpsc::unbounded_channel();
        let router = Router::new().fallback(any(admit)).with_state(visitors);
        Self { address: serve(router).await, visits }
    }

    pub(crate) fn url(&self, rest: &str) -> String {
        format!("ws://{}{rest}", self.address)
    }

    pub(crate) async fn visit(&mut self) -> Visit {
        within(self.visits.recv()).await.expect("the server runs")
    }
}

async fn admit(
    State(visitors): State<mpsc::UnboundedSender<Visit>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |socket| {
        // A test that has ended does not want it any more.
        let _ = visitors.send(Visit { uri, headers, socket });
    })
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}
