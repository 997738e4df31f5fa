//! Exotel: voice API v1, with v3 call details, status callbacks and AgentStream.
//!
//! What shapes this adapter: a repeated dial request is a second call, and no read takes our key.
//! So a request is sent once; our key travels in `CustomField`, in the callback's address and in the
//! stream's; and a dial whose answer was lost is found by listing the calls to its number and
//! reading each one's `custom_field`.

mod ask;
mod compose;
#[cfg(test)]
mod fixtures;
mod mapping;
mod place;
mod reads;
mod settings;
#[cfg(test)]
mod tests;
mod webhook;
mod wire;

use std::fmt;

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_workflows::call::{CallId, CarrierTimes, DialReply, Found};
use outdial_workflows::limits::Limit;
use outdial_workflows::money::Cost;
use outdial_workflows::rules::Agent;
use reqwest::header::ACCEPT;
use reqwest::{RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

pub use settings::{Credentials, DIALS_PER_MINUTE, Settings, SettingsError};

use super::{
    AccountCheck, CannotCompose, Carrier, DialBody, DialOrder, HangUp, Opening, Permit, Provider, Question,
    Registered, Webhook, WebhookError, WebhookRequest,
};

/// The window of Exotel's limit, in milliseconds.
const LIMIT_WINDOW_MS: u32 = 60_000;

/// An Exotel account.
pub struct Exotel {
    http: reqwest::Client,
    base_url: Url,
    ccm_base_url: Url,
    credentials: Credentials,
    settings: Settings,
}

impl Exotel {
    /// An account at `base_url`, such as `https://api.in.exotel.com`, reached through `http`, which
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
        check_address("base_url", &base_url)?;
        let ccm_base_url = settings.ccm_base(&base_url);
        check_address("ccm_base_url", &ccm_base_url)?;
        if credentials.account_sid.trim().is_empty() {
            return Err(SettingsError::NoAccount);
        }
        Ok(Self { http, base_url, ccm_base_url, credentials, settings })
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .basic_auth(&self.credentials.api_key, Some(self.credentials.api_token.expose_secret()))
            .header(ACCEPT, "application/json")
            .timeout(self.settings.request_timeout())
    }

    /// What the cheapest read says about the credentials.
    async fn try_credentials(&self) -> Result<String, String> {
        let mut url = self.v1(&["Calls.json"]);
        url.query_pairs_mut().append_pair("PageSize", "1");
        let answer = self.get(url).await?;
        let remedy = match answer.status {
            StatusCode::OK => {
                return Ok(format!("Exotel takes the credentials of {}", self.credentials.account_sid));
            }
            StatusCode::UNAUTHORIZED => {
                "copy API key and API token from the API settings of Exotel's dashboard, and check that \
                 base_url is the account's region"
            }
            StatusCode::PAYMENT_REQUIRED => "top up the account or change its plan",
            StatusCode::FORBIDDEN => "ask Exotel whether the account is active and may place calls",
            StatusCode::NOT_FOUND => "check account_sid, and that base_url is the account's region",
            StatusCode::TOO_MANY_REQUESTS => "the account is busy; try again in a minute",
            status if status.is_redirection() => "check base_url: it sends us elsewhere",
            _ => "try again; if it stays so, check base_url",
        };
        Err(format!("Exotel says {}: {remedy}", reads::words(&answer)))
    }
}

/// Requests can be sent below it, and it bears no credentials of its own.
fn check_address(name: &'static str, url: &Url) -> Result<(), SettingsError> {
    let sound = matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if sound { Ok(()) } else { Err(SettingsError::Address { name }) }
}

impl fmt::Debug for Exotel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exotel")
            .field("base_url", &self.base_url.as_str())
            .field("credentials", &self.credentials)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Registered for Exotel {
    type Credentials = Credentials;
    type Settings = Settings;

    const PROVIDER: Provider = Provider::Exotel;
    /// India's. Accounts in Singapore are at `https://api.exotel.com`.
    const BASE_URL: Option<&'static str> = Some("https://api.in.exotel.com");

    fn plain(credentials: &Credentials) -> Value {
        let Credentials { account_sid, api_key, api_token } = credentials;
        json!({ "account_sid": account_sid, "api_key": api_key, "api_token": api_token.expose_secret() })
    }

    fn open(opening: Opening<Settings, Credentials>) -> Result<Self, String> {
        let Opening { http, base_url, credentials, settings } = opening;
        Self::new(http, base_url, credentials, settings).map_err(|problem| problem.to_string())
    }

    fn more_addresses(settings: &Settings) -> Vec<&Url> {
        settings.ccm_base_url.iter().collect()
    }

    fn emulated_only(settings: &Settings) -> Option<&'static str> {
        settings.absent_after_ms.map(|_| "absent_after_ms")
    }

    fn default_limits() -> Vec<Limit> {
        vec![Limit::Rate { max: DIALS_PER_MINUTE, per_ms: LIMIT_WINDOW_MS }]
    }
}

#[async_trait]
impl Carrier for Exotel {
    fn provider(&self) -> Provider {
        Provider::Exotel
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
        (self.settings.reads_per_minute, settings::millis(LIMIT_WINDOW_MS))
    }

    fn most_reads(&self, call: Option<&CallId>) -> u32 {
        match call {
            Some(_) => ask::STATUS_MAX,
            None => ask::FIND_MAX,
        }
    }

    fn priced_after(&self) -> Option<TimeDelta> {
        Some(settings::millis(self.settings.price_after_ms))
    }

    fn prices_at_once(&self) -> usize {
        ask::SIDS_AT_ONCE
    }

    async fn prices(&self, calls: &[CallId]) -> Result<Vec<(CallId, Cost)>, String> {
        self.prices_of(calls).await.map_err(|cause| self.credentials.tidy(&cause))
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

    fn ends_calls(&self) -> bool {
        false
    }

    async fn hang_up(&self, _: &Question<'_>) -> HangUp {
        // No document has a request that ends a call.
        let cause = "Exotel has no request that ends a call; it ends by its time limit at the latest".into();
        HangUp::Impossible { cause }
    }

    fn cannot_transfer(&self, _: &Agent) -> Option<&'static str> {
        // No document has one: who talks with whom is for the flow to say.
        Some("Exotel has no request that transfers a call; have the campaign's flow connect it")
    }

    fn signs_webhooks(&self) -> bool {
        false
    }

    async fn webhook(&self, request: WebhookRequest<'_>) -> Result<Webhook, WebhookError> {
        webhook::read(&request, self.settings.zone).await
    }

    async fn check(&self) -> AccountCheck {
        let tried = self.try_credentials().await;
        let ok = tried.is_ok();
        let (Ok(message) | Err(message)) = tried;
        AccountCheck { ok, message: self.credentials.tidy(&message) }
    }
}
