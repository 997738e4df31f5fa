//! Telnyx: Call Control v2 with its webhooks and media stream; and, for flows, TeXML applications.
//!
//! What shapes this adapter: a dial bears our key twice, as `command_id`, by which Telnyx lets a copy pass
//! unheeded for a minute, and as `client_state`, which every webhook and most reads echo. So a lost dial
//! may be sent again for that long, and is found by its key afterwards. Webhooks come in any order; each
//! event is read for what it says by itself. None of the first half holds of TeXML, see there.

mod ask;
mod compose;
#[cfg(test)]
mod fixtures;
mod hang_up;
mod history;
mod mapping;
mod place;
mod reads;
mod refusal;
mod settings;
mod signature;
#[cfg(test)]
mod tests;
mod texml;
mod transfer;
mod try_out;
mod webhook;
mod wire;

use std::fmt;

use async_trait::async_trait;
use chrono::TimeDelta;
use ed25519_dalek::VerifyingKey;
use outdial_workflows::call::{CallId, CarrierTimes, DialReply, Found};
use outdial_workflows::limits::Limit;
use outdial_workflows::rules::Agent;
use outdial_workflows::transfer::TransferTold;
use reqwest::RequestBuilder;
use reqwest::header::ACCEPT;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

pub use settings::{Channels, Credentials, Detection, Settings, SettingsError};
pub use texml::document::{Addresses, begun, document, heard};

use super::{
    AccountCheck, CannotCompose, Carrier, DialBody, DialOrder, HangUp, Opening, Permit, Provider, Question,
    Registered, TransferOrder, Webhook, WebhookError, WebhookRequest,
};

/// Telnyx tells copies of a dial apart for 60 s after it took the first. Ten of them are for the copy's own
/// way, and for what the clocks of two machines differ.
const RESEND_WITHIN: TimeDelta = TimeDelta::seconds(50);

/// What a new account may dial: 30 a second, which Telnyx counts over five.
const DIALS: Limit = Limit::Rate { max: 150, per_ms: 5_000 };

/// A Telnyx account.
pub struct Telnyx {
    http: reqwest::Client,
    base_url: Url,
    credentials: Credentials,
    /// What webhooks are verified with.
    public_key: VerifyingKey,
    settings: Settings,
}

impl Telnyx {
    /// An account at `base_url`, such as `https://api.telnyx.com`, reached through `http`, which
    /// is best one made by [`http_client`](super::http_client).
    ///
    /// # Errors
    /// If the settings cannot work. Nothing is sent.
    pub fn new(
        http: reqwest::Client,
        base_url: Url,
        credentials: Credentials,
        settings: Settings,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        check_address(&base_url)?;
        if credentials.api_key.expose_secret().trim().is_empty() {
            return Err(SettingsError::NoKey);
        }
        let public_key = signature::key(&credentials.public_key)?;
        Ok(Self { http, base_url, credentials, public_key, settings })
    }

    async fn find_either(&self, texml: bool, question: &Question<'_>) -> Found {
        match (texml, &self.settings.account_sid) {
            (false, _) => self.find_call(question).await,
            (true, Some(_)) => self.find_texml(question).await,
            // Nothing can be dialled so without it.
            (true, None) if !texml::answers(&question.rules.agent) => self.not_seen(question),
            (true, None) => self.find_texml(question).await,
        }
    }

    async fn status_either(&self, texml: bool, call: &CallId, question: &Question<'_>) -> Found {
        match (texml, &self.settings.account_sid) {
            (false, _) => self.status_of(call, question).await,
            // Nothing can be dialled so without it.
            (true, None) if !texml::answers(&question.rules.agent) => self.not_seen(question),
            (true, _) => self.status_texml(call, question).await,
        }
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .bearer_auth(self.credentials.api_key.expose_secret())
            .header(ACCEPT, "application/json")
            .timeout(self.settings.request_timeout())
    }
}

/// Whether the answer, at the time of the question, has the attempt count as never placed.
fn is_absence(found: &Found, question: &Question<'_>) -> bool {
    match (found, question.attempt.submission) {
        (Found::NotSeen { conclusive_after_ms }, Some(submission)) => {
            question.now >= submission.at + TimeDelta::milliseconds(*conclusive_after_ms)
        }
        _ => false,
    }
}

/// What the second product says, unless it does not see the call either.
fn told_by_either(second: Found, first: Found) -> Found {
    match second {
        Found::NotSeen { .. } => first,
        Found::Call(_) | Found::CannotTell { .. } => second,
    }
}

/// Requests can be sent below it, and it bears neither credentials of its own nor the version, which
/// Telnyx's own clients take with the address.
fn check_address(url: &Url) -> Result<(), SettingsError> {
    let sound = matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !url.path().trim_end_matches('/').ends_with("/v2");
    if sound { Ok(()) } else { Err(SettingsError::Address) }
}

impl fmt::Debug for Telnyx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telnyx")
            .field("base_url", &self.base_url.as_str())
            .field("credentials", &self.credentials)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Registered for Telnyx {
    type Credentials = Credentials;
    type Settings = Settings;

    const PROVIDER: Provider = Provider::Telnyx;
    const BASE_URL: Option<&'static str> = Some("https://api.telnyx.com");

    fn plain(credentials: &Credentials) -> Value {
        let Credentials { api_key, public_key } = credentials;
        json!({ "api_key": api_key.expose_secret(), "public_key": public_key })
    }

    fn open(opening: Opening<Settings, Credentials>) -> Result<Self, String> {
        let Opening { http, base_url, credentials, settings } = opening;
        Self::new(http, base_url, credentials, settings).map_err(|problem| problem.to_string())
    }

    fn emulated_only(settings: &Settings) -> Option<&'static str> {
        settings.absent_after_ms.map(|_| "absent_after_ms")
    }

    fn default_limits() -> Vec<Limit> {
        vec![DIALS]
    }
}

#[async_trait]
impl Carrier for Telnyx {
    fn provider(&self) -> Provider {
        Provider::Telnyx
    }

    fn times(&self) -> CarrierTimes {
        CarrierTimes {
            silence: settings::millis(self.settings.silence_ms),
            ask_first: settings::millis(self.settings.ask_first_ms),
            poll_first: settings::millis(self.settings.poll_first_ms),
            ask_cap: settings::millis(self.settings.ask_cap_ms),
        }
    }

    fn reads(&self) -> (u32, TimeDelta) {
        (self.settings.reads_per_minute, TimeDelta::minutes(1))
    }

    fn resend_within(&self, agent: &Agent) -> Option<TimeDelta> {
        (!texml::answers(agent)).then_some(RESEND_WITHIN)
    }

    fn most_reads(&self, call: Option<&CallId>) -> u32 {
        match call {
            Some(_) => ask::STATUS_MAX + texml::ask::STATUS_MAX,
            None => ask::FIND_MAX + texml::ask::FIND_MAX,
        }
    }

    fn compose(&self, order: &DialOrder<'_>) -> Result<DialBody, CannotCompose> {
        self.compose_order(order)
    }

    async fn place(&self, permit: Permit, body: &DialBody) -> DialReply {
        self.place_once(permit, body).await
    }

    async fn find(&self, question: &Question<'_>) -> Found {
        let texml = texml::answers(&question.rules.agent);
        let found = self.find_either(texml, question).await;
        if !is_absence(&found, question) {
            return found;
        }
        // The rules may have been edited between the attempt's reservation and its submission, so that it was
        // dialled otherwise than its own rules say. Before absence is believed, the other product is asked.
        told_by_either(self.find_either(!texml, question).await, found)
    }

    async fn status(&self, call: &CallId, question: &Question<'_>) -> Found {
        let texml = texml::answers(&question.rules.agent);
        let found = self.status_either(texml, call, question).await;
        if !is_absence(&found, question) {
            return found;
        }
        // As with a call that has no name: else it would be recorded as lost.
        told_by_either(self.status_either(!texml, call, question).await, found)
    }

    async fn hang_up(&self, question: &Question<'_>) -> HangUp {
        if texml::answers(&question.rules.agent) {
            return self.hang_up_texml(question).await;
        }
        self.hang_up_call(question).await
    }

    fn cannot_transfer(&self, agent: &Agent) -> Option<&'static str> {
        // The request is Call Control's, which knows nothing of TeXML's calls.
        texml::answers(agent).then_some("a TeXML application transfers its calls itself; have it use <Dial>")
    }

    fn cannot_brief(&self, agent: &Agent) -> Option<&'static str> {
        let why =
            "a briefing is spoken by our own agent, and the campaign has none; transfer the call without one";
        agent.playbook().is_none().then_some(why)
    }

    async fn transfer(&self, permit: Permit, order: &TransferOrder<'_>) -> TransferTold {
        match self.cannot_transfer(&order.question.rules.agent) {
            Some(why) => TransferTold::Refused { cause: why.to_owned() },
            None => self.transfer_call(permit, order).await,
        }
    }

    async fn webhook(&self, request: WebhookRequest<'_>) -> Result<Webhook, WebhookError> {
        webhook::read(&request, &self.public_key)
    }

    async fn check(&self) -> AccountCheck {
        let tried = self.try_out().await;
        let ok = tried.is_ok();
        let (Ok(message) | Err(message)) = tried;
        AccountCheck { ok, message: self.tidy(&message) }
    }
}
