//! Carriers: what we need from them, in our words.
//!
//! A carrier's own words stop inside its folder. Adapters send and ask; they
//! decide nothing, retry nothing and remember nothing.

pub mod exotel;
mod permit;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::attempt::Attempt;
use outdial_workflows::call::{CallFact, CallId, CallerId, CarrierTimes, DialReply, Found};
use outdial_workflows::ids::DialKey;
use outdial_workflows::limits::Limit;
use outdial_workflows::money::Cost;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::Rules;
use serde::{Deserialize, Serialize};
use url::Url;

pub use permit::Permit;

/// The carriers that an account can be with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Exotel, voice API v1 with AgentStream.
    Exotel,
}

impl Provider {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exotel => "exotel",
        }
    }
}

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
    /// Where the carrier reaches us, without a trailing slash.
    pub public_url: &'a Url,
    /// The unguessable last part of this attempt's webhook and stream addresses.
    pub secret: &'a str,
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
    /// The media type, as the header says; empty if it is missing.
    pub content_type: &'a str,
    /// The raw body.
    pub body: &'a Bytes,
}

/// What a webhook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Our name for the attempt, where the carrier echoes it. One that differs from the
    /// address's is about another attempt, and is refused.
    pub key: Option<String>,
    /// The news.
    pub fact: CallFact,
}

/// A webhook that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the webhook cannot be read: {0}")]
pub struct WebhookError(pub String);

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

    /// Limits that the carrier itself sets on every account, beside the account's own.
    fn default_limits() -> Vec<Limit>
    where
        Self: Sized;

    /// How many status reads the account may make in a window of this length, so
    /// that asking does not eat the budget for dialling.
    fn reads(&self) -> (u32, TimeDelta);

    /// Whether sending the very same bytes again is a way to ask what became of a request: the carrier
    /// tells copies apart. Only then are the bytes kept.
    fn dedupes(&self) -> bool;

    /// The most requests that [`Carrier::status`] takes where the call has a name, and
    /// [`Carrier::find`] where it has none.
    fn most_reads(&self, call: Option<&CallId>) -> u32;

    /// How long after a call's end the carrier is asked what it cost; `None` if it says so by itself.
    fn priced_after(&self) -> Option<TimeDelta>;

    /// Of how many calls [`Carrier::prices`] may be asked at once.
    fn prices_at_once(&self) -> usize;

    /// What those of these calls cost of which the carrier says so, in one request.
    ///
    /// # Errors
    /// What it said, or why it could not be asked.
    async fn prices(&self, calls: &[CallId]) -> Result<Vec<(CallId, Cost)>, String>;

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

    /// What a webhook says. The address has already told which attempt it is about.
    ///
    /// # Errors
    /// If the body is not one of the carrier's documented forms.
    async fn webhook(&self, request: WebhookRequest<'_>) -> Result<Webhook, WebhookError>;

    /// Whether the carrier takes the account's credentials. Rings nobody.
    async fn check(&self) -> AccountCheck;
}

/// A carrier account ready for use.
pub type SharedCarrier = Arc<dyn Carrier>;
