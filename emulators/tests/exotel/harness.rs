//! A client, a callback receiver and a bot to point the emulator at.

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{FromRequest as _, Multipart, Request, State, WebSocketUpgrade, ws::WebSocket},
    http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::any,
};
use outdial_emulators::exotel::{Account, Config, Exotel};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(20);

pub(crate) const CUSTOMER: &str = "+919876543210";
pub(crate) const EXOPHONE: &str = "08040000000";
pub(crate) const FLOW: (&str, &str) = ("Url", "http://my.exotel.com/acct1/exoml/start_voice/926");

/// Starts an emulator at a thousand times real speed.
pub(crate) async fn fast(config: Config) -> Exotel {
    let config = Config { speed: 1000.0, ..config };
    Exotel::start(config).await.expect("a free port")
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(STUCK, what).await.expect("stuck")
}

/// A client of one account.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    account: Account,
}

impl Api {
    pub(crate) fn of(exotel: &Exotel) -> Self {
        Self::with(exotel, Account::default())
    }

    pub(crate) fn with(exotel: &Exotel, account: Account) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
        let http = http.build().expect("a plain client");
        Self { http, base: exotel.base_url().to_owned(), account }
    }

    /// Posts to `Calls/connect.json`, urlencoded.
    pub(crate) async fn connect(&self, parameters: &[(&str, &str)]) -> reqwest::Result<reqwest::Response> {
        within(self.post("Calls/connect.json").form(parameters).send()).await
    }

    /// Dials [`CUSTOMER`] through a flow with these parameters besides; the call must be accepted.
    pub(crate) async fn dial(&self, more: &[(&str, &str)]) -> String {
        let response = self.connect(&flow(CUSTOMER, more)).await.expect("a response");
        let status = response.status();
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(status, 200, "{body}");
        body["Call"]["Sid"].as_str().expect("a Sid").to_owned()
    }

    pub(crate) fn post(&self, resource: &str) -> reqwest::RequestBuilder {
        let Account { sid, api_key, api_token } = &self.account;
        let url = format!("{}/v1/Accounts/{sid}/{resource}", self.base);
        self.http.post(url).basic_auth(api_key, Some(api_token))
    }

    /// Gets a resource of the v1 account.
    pub(crate) async fn get(&self, resource: &str) -> reqwest::Response {
        self.get_path(&format!("/v1/Accounts/{}/{resource}", self.account.sid)).await
    }

    pub(crate) async fn get_path(&self, path: &str) -> reqwest::Response {
        let Account { api_key, api_token, .. } = &self.account;
        let url = format!("{}{path}", self.base);
        let request = self.http.get(url).basic_auth(api_key, Some(api_token));
        within(request.send()).await.expect("a response")
    }

    pub(crate) async fn json(&self, resource: &str) -> Value {
        let response = self.get(resource).await;
        assert_eq!(response.status(), 200);
        response.json().await.expect("JSON")
    }
}

/// Parameters of mode B.
pub(crate) fn flow<'a>(from: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("From", from), ("CallerId", EXOPHONE), FLOW], more].concat()
}

/// Parameters of mode A.
pub(crate) fn bot<'a>(stream: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mode =
        [("From", CUSTOMER), ("CallerId", EXOPHONE), ("StreamUrl", stream), ("StreamType", "bidirectional")];
    [&mode, more].concat()
}

/// A callback as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) content_type: String,
    pub(crate) json: Value,
    pub(crate) form: BTreeMap<String, String>,
}

impl Received {
    /// A field, however it was encoded.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        match &self.json[name] {
            Value::Null => self.form.get(name).cloned(),
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

/// A web server for callbacks; answers 200 unless told otherwise.
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
        Self { url: format!("http://{}/status", serve(router).await), inbox, answers }
    }

    /// Answers the next requests like this.
    pub(crate) fn answering(self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.answers.lock().expect("no panic holds it").extend(statuses);
        self
    }

    pub(crate) async fn next(&mut self) -> Received {
        within(self.inbox.recv()).await.expect("the server runs")
    }

    /// Nothing has come that was not taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.inbox.is_empty()
    }
}

async fn receive(State(desk): State<Desk>, request: Request) -> Response {
    let received = decode(request).await;
    let answer = desk.answers.lock().expect("no panic holds it").pop_front().unwrap_or(200);
    // A test that has ended does not want it any more.
    let _ = desk.outbox.send(received);
    if answer == HANG {
        return std::future::pending().await;
    }
    StatusCode::from_u16(answer).expect("a status").into_response()
}

async fn decode(request: Request) -> Received {
    let content_type = request.headers()[CONTENT_TYPE].to_str().expect("ASCII").to_owned();
    let mut received = Received { content_type, json: Value::Null, form: BTreeMap::new() };
    if received.content_type.starts_with("multipart/form-data") {
        let mut parts = Multipart::from_request(request, &()).await.expect("multipart");
        while let Some(part) = parts.next_field().await.expect("a part") {
            let name = part.name().expect("a name").to_owned();
            received.form.insert(name, part.text().await.expect("text"));
        }
    } else {
        let body = Bytes::from_request(request, &()).await.expect("a body");
        if received.content_type == "application/json" {
            received.json = serde_json::from_slice(&body).expect("JSON");
        } else {
            received.form = url::form_urlencoded::parse(&body).into_owned().collect();
        }
    }
    received
}

/// A bot's server. Connections are handed to the test.
pub(crate) struct Bot {
    pub(crate) address: String,
    visits: mpsc::UnboundedReceiver<Visit>,
    refusals: Arc<Mutex<u32>>,
}

/// An accepted connection.
pub(crate) struct Visit {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) socket: WebSocket,
}

#[derive(Clone)]
struct Porter {
    visitors: mpsc::UnboundedSender<Visit>,
    refusals: Arc<Mutex<u32>>,
}

impl Bot {
    pub(crate) async fn start() -> Self {
        let (visitors, visits) = mpsc::unbounded_channel();
        let refusals = Arc::new(Mutex::default());
        let porter = Porter { visitors, refusals: Arc::clone(&refusals) };
        let router = Router::new().fallback(any(admit)).with_state(porter);
        Self { address: serve(router).await, visits, refusals }
    }

    /// Refuses the next `count` handshakes.
    pub(crate) fn refusing(self, count: u32) -> Self {
        *self.refusals.lock().expect("no panic holds it") = count;
        self
    }

    pub(crate) fn url(&self, rest: &str) -> String {
        format!("ws://{}{rest}", self.address)
    }

    pub(crate) async fn visit(&mut self) -> Visit {
        within(self.visits.recv()).await.expect("the server runs")
    }
}

async fn admit(
    State(porter): State<Porter>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    {
        let mut refusals = porter.refusals.lock().expect("no panic holds it");
        if *refusals > 0 {
            *refusals -= 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    upgrade.on_upgrade(async move |socket| {
        // A test that has ended does not want it any more.
        let _ = porter.visitors.send(Visit { uri, headers, socket });
    })
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}
