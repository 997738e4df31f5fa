//! A client and a receiver of webhooks and reports to point the emulator at.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header::AUTHORIZATION},
    response::{IntoResponse as _, Response},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use outdial_emulators::livekit::{Config, Key, LiveKit, Webhooks};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(20);

pub(crate) const CALLEE: &str = "+15550123";
pub(crate) const ROOM: &str = "call-42";

/// Starts an emulator at a thousand times real speed.
pub(crate) async fn fast(config: Config) -> LiveKit {
    let config = Config { speed: 1000.0, ..config };
    LiveKit::start(config).await.expect("a free port")
}

/// The same, telling `receiver`.
pub(crate) async fn telling(receiver: &Receiver, config: Config) -> LiveKit {
    let webhooks = Webhooks { urls: vec![receiver.url.clone()], ..config.webhooks.clone() };
    fast(Config { webhooks, ..config }).await
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(STUCK, what).await.expect("stuck")
}

fn mac(secret: &str, signed: &str) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length").chain_update(signed)
}

/// A token for an hour from now.
pub(crate) fn token(key: &Key, grants: Value) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let mut claims = grants;
    claims["iss"] = key.api_key.as_str().into();
    claims["nbf"] = now.into();
    claims["exp"] = (now + 3600).into();
    signed(&key.api_secret, &claims)
}

/// A token that says just this.
pub(crate) fn signed(secret: &str, claims: &Value) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = mac(secret, &signed).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A client with one key. Its tokens grant everything that the methods used here need.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) key: Key,
}

impl Api {
    pub(crate) fn of(livekit: &LiveKit) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
        let http = http.build().expect("a plain client");
        Self { http, base: livekit.base_url().to_owned(), key: Key::default() }
    }

    /// A request without a token.
    pub(crate) fn bare(&self, method: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}/twirp/livekit.{method}", self.base))
    }

    /// A JSON request with every right.
    pub(crate) fn post(&self, method: &str, body: &Value) -> reqwest::RequestBuilder {
        let room = ["room", "room_name", "roomName"].iter().find_map(|name| body[*name].as_str());
        let grants = json!({
            "video": {"roomCreate": true, "roomList": true, "roomAdmin": true, "room": room},
            "sip": {"admin": true, "call": true},
        });
        let grants = if room.is_none() {
            json!({"video": {"roomCreate": true, "roomList": true}, "sip": {"admin": true, "call": true}})
        } else {
            grants
        };
        self.bare(method).bearer_auth(token(&self.key, grants)).json(body)
    }

    pub(crate) async fn call(&self, method: &str, body: Value) -> (u16, Value) {
        let response = within(self.post(method, &body).send()).await.expect("a response");
        let status = response.status().as_u16();
        (status, response.json().await.expect("JSON"))
    }

    /// The same, which must succeed.
    pub(crate) async fn ok(&self, method: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, body).await;
        assert_eq!(status, 200, "{method}: {answer}");
        answer
    }

    /// Dials [`CALLEE`] into [`ROOM`] with these parameters besides.
    pub(crate) async fn try_dial(&self, more: Value) -> (u16, Value) {
        self.call("SIP/CreateSIPParticipant", dialled(more)).await
    }

    /// The same, which must be accepted. Returns the call's id.
    pub(crate) async fn dial(&self, more: Value) -> String {
        let (status, answer) = self.try_dial(more).await;
        assert_eq!(status, 200, "{answer}");
        answer["sip_call_id"].as_str().expect("an id").to_owned()
    }

    /// The participant `callee` of [`ROOM`], if it is there.
    pub(crate) async fn callee(&self) -> Option<Value> {
        let who = json!({"room": ROOM, "identity": "callee"});
        let (status, answer) = self.call("RoomService/GetParticipant", who).await;
        (status == 200).then_some(answer)
    }
}

pub(crate) fn dialled(more: Value) -> Value {
    let mut body = json!({"sip_trunk_id": "ST_trunk1", "sip_call_to": CALLEE, "room_name": ROOM,
        "participant_identity": "callee"});
    let fields = body.as_object_mut().expect("an object");
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    body
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) json: Value,
}

impl Received {
    pub(crate) fn event(&self) -> &str {
        self.json["event"].as_str().unwrap_or_default()
    }

    pub(crate) fn authorization(&self) -> Option<&str> {
        self.headers.get(AUTHORIZATION).map(|value| value.to_str().expect("ASCII"))
    }

    /// What the signature claims, if it is one of `key` over this very body.
    pub(crate) fn verified(&self, key: &Key) -> Option<Value> {
        let (signed, signature) = self.authorization()?.rsplit_once('.')?;
        mac(&key.api_secret, signed).verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let hash = STANDARD.encode(Sha256::digest(&self.body));
        (claims["sha256"] == hash.as_str()).then_some(claims)
    }
}

/// Stands for never answering.
pub(crate) const HANG: u16 = 0;

/// A web server for webhooks and reports; answers 200 unless told otherwise.
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

impl Receiver {
    pub(crate) async fn start() -> Self {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::default());
        let desk = Desk { outbox, answers: Arc::clone(&answers) };
        let router = Router::new().fallback(receive).with_state(desk);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url: format!("http://{address}/hook"), inbox, answers }
    }

    /// Answers the next requests like this.
    pub(crate) fn answering(self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.answers.lock().expect("no panic holds it").extend(statuses);
        self
    }

    pub(crate) async fn next(&mut self) -> Received {
        within(self.inbox.recv()).await.expect("the server runs")
    }

    /// Takes what comes until an event of this name, which is the last returned.
    pub(crate) async fn until(&mut self, event: &str) -> Vec<Received> {
        let mut taken = Vec::new();
        loop {
            taken.push(self.next().await);
            if taken.last().is_some_and(|last| last.event() == event) {
                return taken;
            }
        }
    }

    /// Nothing has come that was not taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.inbox.is_empty()
    }
}

pub(crate) fn events(received: &[Received]) -> Vec<&str> {
    received.iter().map(Received::event).collect()
}

async fn receive(State(desk): State<Desk>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let answer = desk.answers.lock().expect("no panic holds it").pop_front().unwrap_or(200);
    let json = serde_json::from_slice(&body).unwrap_or_default();
    // A test that has ended does not want it any more.
    let _ = desk.outbox.send(Received { path: uri.path().to_owned(), headers, body, json });
    if answer == HANG {
        return std::future::pending().await;
    }
    StatusCode::from_u16(answer).expect("a status").into_response()
}
