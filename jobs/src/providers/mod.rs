//! Carriers: what we need from them, in our words.
//!
//! A carrier's own words stop inside its folder. Adapters send and ask; they
//! decide nothing, retry nothing and remember nothing.

pub(crate) mod answer;
pub mod caller_ids;
pub mod exotel;
mod http;
pub mod livekit;
mod permit;
mod registry;
pub mod retell;
mod sending;
#[cfg(test)]
mod stub;
pub mod telnyx;
mod tidy;

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::attempt::Attempt;
use outdial_workflows::call::{CallFact, CallId, CallerId, CarrierTimes, DialReply, Found};
use outdial_workflows::ids::{AccountId, ClientId, DialKey};
use outdial_workflows::money::Cost;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::{Agent, Rules};
use outdial_workflows::transfer::{TransferTo, TransferTold};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

pub use http::http_client;
pub use permit::Permit;
pub use registry::{CannotOpen, NotAProvider, Opening, Provider, Registered, is_loopback};

/// What a dial request is made from.
#[derive(Clone, Debug)]
pub struct DialOrder<'a> {
    /// Our name for the attempt, to travel in whatever the carrier echoes.
    pub key: DialKey,
    /// The person's number.
    pub phone: &'a PhoneNumber,
    /// The number that the call comes from; `None` if the campaign names none.
    pub caller_id: Option<&'a CallerId>,
    /// The campaign's rules.
    pub rules: &'a Rules,
    /// What the agent is told of the person, by name.
    pub variables: &'a BTreeMap<String, String>,
    /// Where the carrier reaches us, without a trailing slash.
    pub public_url: &'a Url,
    /// The account that dials; webhooks of carriers that sign them come to an address of its own.
    pub account: AccountId,
    /// The unguessable last part of this attempt's webhook and stream addresses.
    pub secret: &'a str,
    /// Whether the flow of ours that the call goes by has something to say to mailboxes: who answered is found out first.
    pub tells_mailboxes: bool,
}

impl DialOrder<'_> {
    /// Where the carrier sends webhooks of the account, if it signs them.
    ///
    /// # Errors
    /// If the public address cannot be sent to.
    pub fn webhook_url(&self, provider: Provider) -> Result<String, CannotCompose> {
        webhook_url(self.public_url, provider, self.key.0.client, self.account)
    }

    /// Where the carrier sends webhooks of this attempt alone, if it signs them and they echo no key.
    ///
    /// # Errors
    /// If the public address cannot be sent to.
    pub fn own_webhook_url(&self, provider: Provider) -> Result<String, CannotCompose> {
        Ok(format!("{}/{}/{}", self.webhook_url(provider)?, self.key, self.secret))
    }

    /// Where the carrier streams the call's audio to.
    ///
    /// # Errors
    /// If the public address cannot be sent to.
    pub fn stream_url(&self, provider: Provider) -> Result<String, CannotCompose> {
        stream_url(self.public_url, provider, self.key, self.secret)
    }

    /// Where the carrier asks what a call is to do that goes by a flow of ours.
    ///
    /// # Errors
    /// If the public address cannot be sent to.
    pub fn flow_url(&self) -> Result<String, CannotCompose> {
        flow_url(self.public_url, self.key, self.secret)
    }
}

/// See [`DialOrder::stream_url`].
pub(crate) fn stream_url(
    ours: &Url,
    provider: Provider,
    key: DialKey,
    secret: &str,
) -> Result<String, CannotCompose> {
    // http becomes ws, and https becomes wss.
    let rest = public_url(ours)?.trim_start_matches("http");
    Ok(format!("ws{rest}/streams/{}/{key}/{secret}", provider.name()))
}

/// See [`DialOrder::flow_url`].
pub(crate) fn flow_url(ours: &Url, key: DialKey, secret: &str) -> Result<String, CannotCompose> {
    Ok(format!("{}/flows/{key}/{secret}", public_url(ours)?))
}

/// Where an account's webhooks are sent, below our public address, if its carrier signs them.
pub(crate) fn webhook_path(provider: Provider, client: ClientId, account: AccountId) -> String {
    format!("/webhooks/{}/{client}/{account}", provider.name())
}

fn webhook_url(
    ours: &Url,
    provider: Provider,
    client: ClientId,
    account: AccountId,
) -> Result<String, CannotCompose> {
    Ok(format!("{}{}", public_url(ours)?, webhook_path(provider, client, account)))
}

/// `http` or `https` (hence `ws` or `wss`), a host, perhaps a path, and nothing behind it.
fn public_url(url: &Url) -> Result<&str, CannotCompose> {
    let plain = matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.password().is_none()
        && url.username().is_empty();
    if plain {
        return Ok(url.as_str().trim_end_matches('/'));
    }
    Err(CannotCompose("public_url must look like https://outdial.example.com".into()))
}

/// The exact bytes of a dial request, stored with its attempt before they are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialBody {
    /// The media type.
    pub content_type: String,
    /// The bytes, as text.
    pub text: String,
}

/// A dial request that cannot be made from these rules; nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the dial request cannot be made: {0}")]
pub struct CannotCompose(pub String);

/// What is asked about an attempt whose fate is not known.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Our name for it.
    pub key: DialKey,
    /// Its row of the dial ledger.
    pub attempt: &'a Attempt,
    /// The rules it was made under.
    pub rules: &'a Rules,
    /// The number dialled.
    pub phone: &'a PhoneNumber,
    /// The present time.
    pub now: Moment,
    /// Counts the requests that the answer takes.
    pub requests: &'a Requests,
    /// The carrier's names for other calls of ours to the number, as far as they may be mistaken for this one:
    /// where the carrier has not named it, and shows calls without our key.
    pub others: &'a [CallId],
}

/// What a request to hand a call to somebody else is made from.
#[derive(Clone, Debug)]
pub struct TransferOrder<'a> {
    /// Of which attempt, as it is known.
    pub question: Question<'a>,
    /// Its place among the call's transfers, from 1.
    pub number: NonZeroU16,
    /// Whom the call goes to.
    pub to: &'a TransferTo,
    /// Whether they are told something before they are put through.
    pub has_briefing: bool,
    /// The unguessable last part of the addresses of this attempt.
    pub secret: &'a str,
    /// Where the carrier reaches us, without a trailing slash.
    pub public_url: &'a Url,
}

impl TransferOrder<'_> {
    /// Where the carrier sends webhooks of the account, if it signs them.
    ///
    /// # Errors
    /// If the public address cannot be sent to.
    pub fn webhook_url(&self, provider: Provider) -> Result<String, CannotCompose> {
        let Question { key, attempt, .. } = &self.question;
        webhook_url(self.public_url, provider, key.0.client, attempt.account)
    }

    /// Where the carrier has what whom the call goes to is told before they are put through, as a WAV file; `None`: nothing.
    ///
    /// # Errors
    /// If the public address cannot be sent to.
    pub fn briefing_url(&self) -> Result<Option<String>, CannotCompose> {
        let base = public_url(self.public_url)?;
        let Self { question, number, secret, .. } = self;
        Ok(self.has_briefing.then(|| format!("{base}/briefings/{}/{secret}/{number}", question.key)))
    }
}

/// How many requests were sent, so that those an answer might have taken and did not are not counted.
#[derive(Debug, Default)]
pub struct Requests(AtomicU32);

impl Requests {
    /// Another one is sent.
    pub fn another(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So many were.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A webhook as it came in.
#[derive(Clone, Debug)]
pub struct WebhookRequest<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The raw body: what a signature is about.
    pub body: &'a Bytes,
    /// The attempt for which alone the address was made that it came to, if it was: with a carrier whose
    /// webhooks are signed and do not echo our key.
    pub addressed: Option<DialKey>,
    /// The present time, against which signatures grow stale.
    pub now: Moment,
}

impl WebhookRequest<'_> {
    /// The media type, as the header says; empty if it is missing.
    pub fn content_type(&self) -> &str {
        self.header(CONTENT_TYPE.as_str()).unwrap_or_default()
    }

    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a webhook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// News of a call.
    News {
        /// Our name for the attempt, where the carrier echoes it. Without it, the news is given to whichever
        /// attempt made the call that it names.
        key: Option<String>,
        /// The news.
        fact: CallFact,
    },
    /// News of a transfer that we asked for.
    Transfer {
        /// Our name for the attempt whose call it hands over.
        key: DialKey,
        /// Which of the call's transfers.
        number: NonZeroU16,
        /// What came of it.
        told: TransferTold,
    },
    /// An event that the carrier documents, and that changes nothing here.
    Nothing {
        /// Its type.
        event: String,
    },
    /// An event of a type that this version does not know. It is kept and counted.
    Stranger {
        /// Its type, as far as it says.
        event: String,
    },
}

/// A webhook that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It does not prove that it is the carrier's: no signature, a wrong one, or a stale one.
    #[error("the webhook is not the carrier's: {0}")]
    Unauthentic(String),
    /// It cannot be understood.
    #[error("the webhook cannot be read: {0}")]
    Unreadable(String),
}

/// What came of the wish to end a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hang_up", rename_all = "snake_case")]
pub enum HangUp {
    /// The carrier ends the call; it says so as it says of any end.
    Asked,
    /// The call is over already, as far as the carrier knows.
    Over,
    /// The carrier has no way to end such a call.
    Impossible {
        /// Why, for people to read.
        cause: String,
    },
    /// The carrier was not reached, or turned it down.
    Failed {
        /// What happened, for people to read.
        cause: String,
    },
}

/// What a test of an account found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountCheck {
    /// Whether the carrier takes the credentials.
    pub ok: bool,
    /// What it said, and what to do about it.
    pub message: String,
}

/// What we need from a carrier.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// Which carrier it is.
    fn provider(&self) -> Provider;

    /// How patient to be with it.
    fn times(&self) -> CarrierTimes;

    /// How many status reads the account may make in a window of this length, so
    /// that asking does not eat the budget for dialling.
    fn reads(&self) -> (u32, TimeDelta);

    /// How long after its submission sending the very same bytes again is a way to ask what became of a
    /// request that has this agent answer: the carrier tells copies apart. `None` if it does not, and then the
    /// bytes are not kept.
    fn resend_within(&self, agent: &Agent) -> Option<TimeDelta> {
        let _ = agent;
        None
    }

    /// The most requests that [`Carrier::status`] takes where the call has a name, and
    /// [`Carrier::find`] where it has none.
    fn most_reads(&self, call: Option<&CallId>) -> u32;

    /// How long after a call's end the carrier is asked what it cost; `None` if it says so by itself.
    fn priced_after(&self) -> Option<TimeDelta> {
        None
    }

    /// Of how many calls [`Carrier::prices`] may be asked at once.
    fn prices_at_once(&self) -> usize {
        1
    }

    /// What those of these calls cost of which the carrier says so, in one request.
    ///
    /// # Errors
    /// What it said, or why it could not be asked.
    async fn prices(&self, calls: &[CallId]) -> Result<Vec<(CallId, Cost)>, String> {
        let _ = calls;
        Ok(vec![])
    }

    /// The exact bytes of a dial request. Pure: the same order gives the same bytes.
    ///
    /// # Errors
    /// If the rules lack something that the carrier needs.
    fn compose(&self, order: &DialOrder<'_>) -> Result<DialBody, CannotCompose>;

    /// Sends one dial request, once: no look-up before, no retry after. The permit
    /// bounds when bytes may leave.
    async fn place(&self, permit: Permit, body: &DialBody) -> DialReply;

    /// What became of an attempt that the carrier never named to us.
    async fn find(&self, question: &Question<'_>) -> Found;

    /// The latest about a call that the carrier did name.
    async fn status(&self, call: &CallId, question: &Question<'_>) -> Found;

    /// Whether the carrier has a way to end calls.
    fn ends_calls(&self) -> bool {
        true
    }

    /// Ends a call, or gives it up before it is answered, as far as the carrier can.
    async fn hang_up(&self, question: &Question<'_>) -> HangUp;

    /// Why the carrier has no way to hand a call that this agent has to somebody else by order; `None` if it has one.
    fn cannot_transfer(&self, agent: &Agent) -> Option<&'static str> {
        let _ = agent;
        Some("the carrier has no way to transfer calls by order")
    }

    /// Why whom a call of this agent is handed to cannot be told anything before they are put through; `None` if they can.
    fn cannot_brief(&self, agent: &Agent) -> Option<&'static str> {
        let _ = agent;
        Some(
            "the carrier has no way to tell whom a call goes to anything before they are put through; transfer it without a briefing",
        )
    }

    /// Hands a call to somebody else. It rings them, so that it is asked once; again only where the carrier is
    /// certain to tell the copy from another order. The permit bounds when bytes may leave.
    async fn transfer(&self, permit: Permit, order: &TransferOrder<'_>) -> TransferTold {
        drop(permit);
        let why = self.cannot_transfer(&order.question.rules.agent);
        TransferTold::Refused { cause: why.unwrap_or_default().to_owned() }
    }

    /// Lets somebody, by this name, listen to a call without being heard; an answer is good for starting to listen
    /// until then.
    ///
    /// # Errors
    /// Why the carrier has no way to.
    fn listen(&self, call: &Listener<'_>) -> Result<ListenIn, &'static str> {
        let _ = call;
        Err("the carrier has no way to listen in")
    }

    /// How many calls the carrier lets the account have at once, where it tells. `None` if it does not.
    ///
    /// # Errors
    /// What it said, or why it could not be asked.
    async fn calls_at_once(&self) -> Result<Option<u32>, String> {
        Ok(None)
    }

    /// Whether the carrier signs its webhooks, so that they may come to the account's address.
    fn signs_webhooks(&self) -> bool {
        true
    }

    /// What a webhook says, once its signature has shown whose it is.
    ///
    /// # Errors
    /// If it is not the carrier's, or not in one of its documented forms.
    async fn webhook(&self, request: WebhookRequest<'_>) -> Result<Webhook, WebhookError>;

    /// Whether the carrier takes the account's credentials. Rings nobody.
    async fn check(&self) -> AccountCheck;
}

/// Somebody who is to listen to a call.
#[derive(Clone, Copy, Debug)]
pub struct Listener<'a> {
    /// Whose call.
    pub key: DialKey,
    /// Who listens, unlike all others.
    pub identity: &'a str,
    /// The same, for people.
    pub name: &'a str,
    /// From when on.
    pub now: Moment,
    /// Until when they may begin.
    pub until: Moment,
}

/// A way to listen to a call.
#[derive(Clone, Debug)]
pub struct ListenIn {
    /// Where: a WebSocket address, as the carrier's own clients take it.
    pub url: Url,
    /// What allows it, and nothing else.
    pub token: SecretString,
    /// The room.
    pub room: String,
}

/// A carrier account ready for use.
pub type SharedCarrier = Arc<dyn Carrier>;
