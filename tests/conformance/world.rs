//! An emulator, its adapter, and a server of ours that the carrier can reach.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::routing::any;
use outdial_emulators::carrier::{Emulator, Protocol, Quirk};
use outdial_jobs::providers::{
    Carrier, DialBody, DialOrder, HangUp, Opening, Permit, Question, Registered, Requests, TransferOrder,
    Webhook, WebhookError, WebhookRequest, http_client,
};
use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, BarrierVersion, Ledger, Revision, Submission};
use outdial_workflows::call::{CallFact, CallId, CallResult, CallStatus, DialReply, Found};
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::Rules;
use outdial_workflows::transfer::TransferTold;
use tokio::sync::{Mutex, mpsc};
use url::Url;
use uuid::Uuid;

use super::played::{Goes, Played};

/// How many nominal seconds the emulators make of one.
pub(crate) const SPEED: f64 = 200.0;

/// Where whoever answers a call by instructions of ours finds some, which have it wait.
pub(crate) const FLOW: &str = "/flow.xml";

/// Longer than anything takes at that speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A webhook as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The attempt that its address names.
    pub(crate) addressed: Option<DialKey>,
}

pub(crate) struct World<P: Played> {
    pub(crate) emulator: Emulator<P::Protocol>,
    pub(crate) adapter: P::Adapter,
    pub(crate) rules: Rules,
    phone: PhoneNumber,
    public_url: Url,
    came: Mutex<mpsc::UnboundedReceiver<Came>>,
    requests: Requests,
}

pub(crate) fn client() -> ClientId {
    ClientId(Uuid::from_u128(1))
}

pub(crate) fn account() -> AccountId {
    AccountId(Uuid::from_u128(3))
}

pub(crate) fn key(number: u16) -> DialKey {
    let number = AttemptNumber::new(number).expect("not zero");
    DialKey(AttemptRef { client: client(), lead: LeadId(Uuid::from_u128(2)), number })
}

/// How a call ended, if the news tells of its end.
pub(crate) fn result(fact: &CallFact) -> Option<CallResult> {
    fact.end.as_ref().map(|end| end.result)
}

pub(crate) fn now() -> Moment {
    SystemTime::now().into()
}

impl<P: Played> World<P> {
    /// Every dial goes so.
    pub(crate) async fn new(goes: Goes, quirks: Vec<Quirk>) -> Self {
        let (tell, came) = mpsc::unbounded_channel();
        let public_url = listen(tell).await;
        let name = P::Adapter::PROVIDER.name();
        let webhooks =
            public_url.join(&format!("webhooks/{name}/{}/{}", client(), account())).expect("a URL");
        let emulator = Emulator::start(P::config(&webhooks)).await.expect("an emulator");
        emulator.script(P::PHONE, [P::scenario(goes, quirks)]);
        let adapter = Self::adapter(&emulator, true);
        Self {
            emulator,
            adapter,
            rules: P::rules(),
            phone: P::PHONE.parse().expect("a number"),
            public_url,
            came: Mutex::new(came),
            requests: Requests::default(),
        }
    }

    /// An adapter; with `sound` false, with wrong credentials.
    pub(crate) fn adapter(emulator: &Emulator<P::Protocol>, sound: bool) -> P::Adapter {
        let config = emulator.config();
        let opening = Opening {
            http: http_client().expect("a client"),
            base_url: emulator.base_url().parse().expect("a URL"),
            credentials: P::credentials(&config, sound),
            settings: P::settings(&config),
        };
        P::Adapter::open(opening).expect("good settings")
    }

    pub(crate) fn compose(&self, key: DialKey) -> DialBody {
        let variables = BTreeMap::from([("name".to_owned(), "Asha".to_owned())]);
        let order = DialOrder {
            caller_id: self.rules.caller_ids.first(),
            key,
            phone: &self.phone,
            rules: &self.rules,
            variables: &variables,
            public_url: &self.public_url,
            account: account(),
            secret: "s3cret",
            tells_mailboxes: false,
        };
        self.adapter.compose(&order).expect("composes")
    }

    pub(crate) async fn dial(&self, key: DialKey) -> DialReply {
        self.adapter.place(Permit::from_commit(Instant::now()), &self.compose(key)).await
    }

    pub(crate) async fn bound(&self, key: DialKey) -> CallId {
        match self.dial(key).await {
            DialReply::Bound { call_id } => call_id,
            other => panic!("not bound: {other:?}"),
        }
    }

    pub(crate) async fn find(&self, key: DialKey) -> Found {
        let attempt = self.attempt(key, None);
        self.adapter.find(&self.question(key, &attempt)).await
    }

    pub(crate) async fn status(&self, key: DialKey, call: &CallId) -> Found {
        let attempt = self.attempt(key, Some(call));
        self.adapter.status(call, &self.question(key, &attempt)).await
    }

    pub(crate) async fn hang_up(&self, key: DialKey, call: &CallId) -> HangUp {
        let attempt = self.attempt(key, Some(call));
        self.adapter.hang_up(&self.question(key, &attempt)).await
    }

    /// Has the call handed to somebody else, in its first transfer.
    pub(crate) async fn transfer(&self, key: DialKey, call: &CallId, to: &str) -> TransferTold {
        let attempt = self.attempt(key, Some(call));
        let to = to.parse().expect("a place to transfer to");
        let (question, number) = (self.question(key, &attempt), NonZeroU16::MIN);
        let order = TransferOrder {
            question,
            number,
            to: &to,
            has_briefing: false,
            secret: "s3cret",
            public_url: &self.public_url,
        };
        self.adapter.transfer(Permit::from_commit(Instant::now()), &order).await
    }

    fn question<'a>(&'a self, key: DialKey, attempt: &'a Attempt) -> Question<'a> {
        let (phone, requests) = (&self.phone, &self.requests);
        Question { key, attempt, rules: &self.rules, phone, now: now(), requests, others: &[] }
    }

    /// The next webhook.
    pub(crate) async fn webhook(&self) -> Came {
        let mut came = self.came.lock().await;
        let next = tokio::time::timeout(PATIENCE, came.recv()).await;
        next.expect("the carrier speaks within 20 s").expect("the server runs")
    }

    /// What a webhook says.
    pub(crate) async fn read(&self, came: &Came) -> Result<Webhook, WebhookError> {
        self.read_at(came, now()).await
    }

    /// The same, read later or sooner.
    pub(crate) async fn read_at(&self, came: &Came, now: Moment) -> Result<Webhook, WebhookError> {
        let Came { headers, body, addressed } = came;
        self.adapter.webhook(WebhookRequest { headers, body, addressed: *addressed, now }).await
    }

    /// News of webhooks up to and with the one that tells the call's end. All of it is of this attempt.
    pub(crate) async fn told(&self, key: DialKey) -> Vec<CallFact> {
        let mut facts = Vec::new();
        while facts.last().is_none_or(|fact: &CallFact| fact.end.is_none()) {
            let came = self.webhook().await;
            match self.read(&came).await {
                Ok(Webhook::News { key: echoed, fact }) => {
                    assert_eq!(echoed, Some(key.to_string()), "{fact:?}");
                    facts.push(fact);
                }
                Ok(Webhook::Nothing { .. }) => {}
                other => panic!("{other:?} of {came:?}"),
            }
        }
        facts
    }

    /// The call's state, read until it is over; `None` if the carrier then keeps nothing of it.
    pub(crate) async fn over(&self, key: DialKey, call: &CallId) -> Option<CallFact> {
        let reading = async {
            loop {
                match self.status(key, call).await {
                    Found::Call(fact) if fact.end.is_some() => return Some(fact),
                    Found::NotSeen { .. } if !P::KEEPS_CALLS => return None,
                    Found::Call(_) | Found::NotSeen { .. } => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    other @ Found::CannotTell { .. } => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the call ends within 20 s")
    }

    /// The one call that was made.
    pub(crate) fn the_call(&self) -> CallId {
        let dials = self.emulator.dials();
        let [dial] = dials.timeline.as_slice() else { panic!("{dials:?}") };
        CallId(dial.call_id.clone())
    }

    fn attempt(&self, key: DialKey, call: Option<&CallId>) -> Attempt {
        Attempt {
            number: key.0.number,
            revision: Revision(1),
            account: account(),
            caller_id: self.rules.caller_ids.first().cloned(),
            phone: Some(self.phone.clone()),
            ledger: if call.is_some() { Ledger::Bound } else { Ledger::Unknown },
            counts: true,
            barrier: BarrierVersion(0),
            dial_by: now(),
            reserved_at: now(),
            submission: Some(Submission { at: now(), token: Uuid::from_u128(4) }),
            replied_at: None,
            call_id: call.cloned(),
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
}

/// A server for webhooks; gives its public address.
async fn listen(tell: mpsc::UnboundedSender<Came>) -> Url {
    let hear = async |State(tell): State<Arc<mpsc::UnboundedSender<Came>>>, address: Uri, headers, body| {
        let addressed = address.path().split('/').find_map(|part| part.parse().ok());
        tell.send(Came { headers, body, addressed }).ok();
    };
    let router = Router::new()
        .route("/webhooks/{*path}", any(hear))
        .route(FLOW, any(async || "<Response><Pause length=\"600\"/></Response>"))
        .with_state(Arc::new(tell));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url.parse().expect("a URL")
}

/// The name of the scripted protocol, for messages.
pub(crate) fn name<P: Played>() -> &'static str {
    <P::Protocol as Protocol>::NAME
}
