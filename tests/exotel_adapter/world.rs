//! The emulator, the adapter, and a server of ours that Exotel can reach.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use axum::extract::{State, WebSocketUpgrade};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use axum::routing::{any, post};
use outdial_emulators::exotel::{Config, Exotel as Emulator, Scenario};
use outdial_jobs::media::wire::{self, StreamEvent};
use outdial_jobs::providers::exotel::{Credentials, Exotel, Settings};
use outdial_jobs::providers::http_client;
use outdial_jobs::providers::{
    Carrier, DialBody, DialOrder, Permit, Question, Requests, Webhook, WebhookRequest,
};
use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, BarrierVersion, Ledger, Revision, Submission};
use outdial_workflows::call::{CallFact, CallId, CallStatus, CallerId, DialReply, Found};
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::Rules;
use tokio::sync::{Mutex, mpsc};
use url::Url;
use uuid::Uuid;

/// How many nominal seconds the emulator makes of one.
const SPEED: f64 = 200.0;

/// What Exotel sent us: a callback, or a message on the bot's socket.
#[derive(Debug)]
pub(super) enum Heard {
    Callback { path: String, content_type: String, body: Bytes },
    Stream(StreamEvent),
}

/// The emulator, the adapter, and a server of ours that Exotel can reach.
pub(super) struct World {
    pub(super) emulator: Emulator,
    pub(super) exotel: Exotel,
    public_url: Url,
    heard: Mutex<mpsc::UnboundedReceiver<Heard>>,
    pub(super) rules: Rules,
    pub(super) phone: PhoneNumber,
    /// How many requests questions have taken.
    requests: Requests,
}

impl World {
    pub(super) async fn new(config: Config, scenario: Scenario) -> Self {
        let emulator = Emulator::start(Config { speed: SPEED, ..config }).await.expect("starts");
        let phone: PhoneNumber = "+919876543210".parse().expect("a number");
        emulator.script(phone.as_str(), [scenario]);
        let (tell, heard) = mpsc::unbounded_channel();
        let public_url = listen(tell).await;
        let exotel = adapter(&emulator, "token1");
        let rules = Rules { caller_ids: vec![CallerId("08040000000".into())], ..Rules::default() };
        Self {
            emulator,
            exotel,
            public_url,
            heard: Mutex::new(heard),
            rules,
            phone,
            requests: Requests::default(),
        }
    }

    pub(super) fn compose(&self, key: DialKey) -> DialBody {
        let order = DialOrder {
            caller_id: self.rules.caller_ids.first(),
            key,
            phone: &self.phone,
            rules: &self.rules,
            variables: &BTreeMap::new(),
            public_url: &self.public_url,
            account: AccountId(Uuid::from_u128(3)),
            secret: "s3cret",
            tells_mailboxes: false,
        };
        self.exotel.compose(&order).expect("composes")
    }

    pub(super) async fn dial(&self, key: DialKey) -> DialReply {
        self.exotel.place(Permit::from_commit(Instant::now()), &self.compose(key)).await
    }

    pub(super) async fn bound(&self, key: DialKey) -> CallId {
        match self.dial(key).await {
            DialReply::Bound { call_id } => call_id,
            other => panic!("not bound: {other:?}"),
        }
    }

    pub(super) async fn find(&self, key: DialKey) -> Found {
        let attempt = attempt(key, &self.phone);
        self.exotel.find(&self.question(key, &attempt)).await
    }

    pub(super) async fn status(&self, key: DialKey, call: &CallId) -> Found {
        let attempt = attempt(key, &self.phone);
        self.exotel.status(call, &self.question(key, &attempt)).await
    }

    fn question<'a>(&'a self, key: DialKey, attempt: &'a Attempt) -> Question<'a> {
        let (phone, requests) = (&self.phone, &self.requests);
        Question { key, attempt, rules: &self.rules, phone, now: now(), requests, others: &[] }
    }

    pub(super) async fn next(&self) -> Heard {
        let mut heard = self.heard.lock().await;
        let next = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await;
        next.expect("Exotel speaks within 10 s").expect("the server runs")
    }

    /// The next callback's key and news, with its media type; what the bot hears meanwhile is passed over.
    pub(super) async fn callback(&self, key: DialKey) -> (Option<String>, CallFact, String) {
        loop {
            if let Heard::Callback { path, content_type, body } = self.next().await {
                assert_eq!(path, format!("/webhooks/exotel/{key}/s3cret"));
                let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().expect("a header"))]);
                let request = WebhookRequest { headers: &headers, body: &body, addressed: None, now: now() };
                let webhook = self.exotel.webhook(request).await;
                let Ok(Webhook::News { key, fact }) = webhook else { panic!("{webhook:?}") };
                return (key, fact, content_type);
            }
        }
    }

    /// Callbacks up to the one that tells the end.
    pub(super) async fn callbacks(&self, key: DialKey) -> Vec<CallFact> {
        let mut facts = Vec::new();
        while facts.last().is_none_or(|fact: &CallFact| fact.end.is_none()) {
            let (echoed, fact, _) = self.callback(key).await;
            assert_eq!(echoed, Some(key.to_string()));
            facts.push(fact);
        }
        facts
    }
}

/// A server for callbacks and bot sockets; gives its public address.
async fn listen(tell: mpsc::UnboundedSender<Heard>) -> Url {
    let router = Router::new()
        .route("/webhooks/exotel/{key}/{secret}", post(hear_callback))
        .route("/streams/exotel/{key}/{secret}", any(hear_stream))
        .with_state(Arc::new(tell));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url.parse().expect("a URL")
}

type Teller = State<Arc<mpsc::UnboundedSender<Heard>>>;

async fn hear_callback(State(tell): Teller, uri: Uri, headers: HeaderMap, body: Bytes) {
    let content_type = headers[CONTENT_TYPE].to_str().expect("text").to_owned();
    tell.send(Heard::Callback { path: uri.path().to_owned(), content_type, body }).ok();
}

async fn hear_stream(State(tell): Teller, upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(async move |mut socket: WebSocket| {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(text) = message {
                tell.send(Heard::Stream(wire::parse(&text).expect("a known message"))).ok();
            }
        }
    })
}

pub(super) fn adapter(emulator: &Emulator, token: &str) -> Exotel {
    let credentials = Credentials {
        account_sid: "acct1".into(),
        api_key: "key1".into(),
        api_token: token.to_owned().into(),
    };
    let settings = Settings { request_timeout_ms: 500, absent_margin_ms: 1_000, ..Settings::default() };
    let base_url = emulator.base_url().parse().expect("a URL");
    Exotel::new(http_client().expect("a client"), base_url, credentials, settings).expect("good settings")
}

fn now() -> Moment {
    SystemTime::now().into()
}

pub(super) fn key(number: u16) -> DialKey {
    let number = AttemptNumber::new(number).expect("not zero");
    DialKey(AttemptRef { client: ClientId(Uuid::from_u128(1)), lead: LeadId(Uuid::from_u128(2)), number })
}

/// An attempt just submitted.
fn attempt(key: DialKey, phone: &PhoneNumber) -> Attempt {
    Attempt {
        number: key.0.number,
        revision: Revision(1),
        account: AccountId(Uuid::from_u128(3)),
        caller_id: Some(CallerId("08040000000".into())),
        phone: Some(phone.clone()),
        ledger: Ledger::Unknown,
        counts: true,
        barrier: BarrierVersion(0),
        dial_by: now(),
        reserved_at: now(),
        submission: Some(Submission { at: now(), token: Uuid::from_u128(4) }),
        replied_at: None,
        call_id: None,
        second_call_id: None,
        status: CallStatus::Initiated,
        answered_at: None,
        ended: None,
        verdict: None,
        outcome: None,
        recording_url: None,
        asked: 0,
        cost: None,
        results: None,
        transfer: None,
        abandoned: None,
    }
}
