//! Retell: outbound phone calls by agents that Retell runs, signed webhooks, and reads.
//!
//! What shapes this adapter: for an hour, a request that repeats its `idempotency_key` makes no second
//! call. So a lost dial is asked about by sending the very same bytes again, and afterwards by listing the
//! calls whose `metadata` bears our key. Retell's word for how a call stands is not to be relied on; why it
//! was disconnected is.

mod account;
mod ask;
mod compose;
mod credentials;
#[cfg(test)]
mod fixtures;
mod hang_up;
mod mapping;
mod place;
mod reads;
mod requests;
mod results;
mod settings;
mod signature;
#[cfg(test)]
mod tests;
mod webhook;
mod wire;

use std::fmt;

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_workflows::call::{CallId, CarrierTimes, DialReply, Found};
use outdial_workflows::limits::Limit;
use outdial_workflows::rules::Agent;
use reqwest::RequestBuilder;
use reqwest::header::ACCEPT;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

pub use credentials::Credentials;
pub use settings::{Settings, SettingsError};

use super::{
    AccountCheck, CannotCompose, Carrier, DialBody, DialOrder, HangUp, Opening, Permit, Provider, Question,
    Registered, Webhook, WebhookError, WebhookRequest,
};

/// How long after its submission a request may be repeated to ask what became of it. Retell tells copies
/// apart "for up to one hour"; five minutes of that are left for the clocks of both sides and for the way.
const RESEND_WITHIN: TimeDelta = TimeDelta::minutes(55);

/// Calls a second that a number of Retell's may begin, unless more were agreed.
const CALLS_PER_SECOND: u32 = 1;

/// Calls at once that every workspace has for nothing.
const FREE_CALLS: u32 = 20;

/// The window of [`Settings::reads_per_minute`], in milliseconds.
const MINUTE_MS: u32 = 60_000;

/// A Retell workspace.
pub struct Retell {
    http: reqwest::Client,
    base_url: Url,
    credentials: Credentials,
    settings: Settings,
}

impl Retell {
    /// A workspace at `base_url`, such as `https://api.retellai.com`, reached through `http`, which is best
    /// one made by [`http_client`](super::http_client).
    ///
    /// # Errors
    /// If the credentials or settings cannot work. Nothing is sent.
    pub fn new(
        http: reqwest::Client,
        base_url: Url,
        credentials: Credentials,
        settings: Settings,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        credentials.check()?;
        settings::check_address(&base_url)?;
        Ok(Self { http, base_url, credentials, settings })
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .bearer_auth(self.credentials.api_key.expose_secret())
            .header(ACCEPT, "application/json")
            .timeout(self.settings.request_timeout())
    }
}

impl fmt::Debug for Retell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retell")
            .field("base_url", &self.base_url.as_str())
            .field("credentials", &self.credentials)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Registered for Retell {
    type Credentials = Credentials;
    type Settings = Settings;

    const PROVIDER: Provider = Provider::Retell;
    const BASE_URL: Option<&'static str> = Some("https://api.retellai.com");

    fn plain(credentials: &Credentials) -> Value {
        let Credentials { api_key, webhook_key } = credentials;
        let webhook_key = webhook_key.as_ref().map(ExposeSecret::expose_secret);
        json!({ "api_key": api_key.expose_secret(), "webhook_key": webhook_key })
    }

    fn open(opening: Opening<Settings, Credentials>) -> Result<Self, String> {
        let Opening { http, base_url, credentials, settings } = opening;
        Self::new(http, base_url, credentials, settings).map_err(|problem| problem.to_string())
    }

    fn emulated_only(settings: &Settings) -> Option<&'static str> {
        settings.absent_after_ms.map(|_| "absent_after_ms")
    }

    /// Both can be raised with Retell: an account that has more is added without these.
    fn default_limits() -> Vec<Limit> {
        vec![Limit::per_second(CALLS_PER_SECOND), Limit::Concurrent { max: FREE_CALLS }]
    }
}

#[async_trait]
impl Carrier for Retell {
    fn provider(&self) -> Provider {
        Provider::Retell
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
        (self.settings.reads_per_minute, settings::millis(MINUTE_MS))
    }

    fn resend_within(&self, _: &Agent) -> Option<TimeDelta> {
        Some(RESEND_WITHIN)
    }

    fn most_reads(&self, call: Option<&CallId>) -> u32 {
        match call {
            Some(_) => ask::STATUS_MAX,
            None => ask::FIND_MAX,
        }
    }

    fn compose(&self, order: &DialOrder<'_>) -> Result<DialBody, CannotCompose> {
        self.compose_order(order)
    }

    async fn place(&self, permit: Permit, body: &DialBody) -> DialReply {
        self.place_once(permit, body).await
    }

    async fn find(&self, question: &Question<'_>) -> Found {
        self.find_call(question).await
    }

    async fn status(&self, call: &CallId, question: &Question<'_>) -> Found {
        self.status_of(call, question).await
    }

    async fn hang_up(&self, question: &Question<'_>) -> HangUp {
        self.stop_call(question).await
    }

    fn cannot_transfer(&self, _: &Agent) -> Option<&'static str> {
        // No document has one: an agent does it by a tool of its own.
        Some("Retell has no request that transfers a call; give its agent a tool to transfer calls by")
    }

    async fn calls_at_once(&self) -> Result<Option<u32>, String> {
        self.outbound_calls().await
    }

    async fn webhook(&self, request: WebhookRequest<'_>) -> Result<Webhook, WebhookError> {
        webhook::read(&request, self.credentials.signing_key())
    }

    async fn check(&self) -> AccountCheck {
        self.try_account().await
    }
}
