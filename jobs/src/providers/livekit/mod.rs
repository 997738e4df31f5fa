//! LiveKit: telephony through SIP trunks, rooms, and agents that are sent for.
//!
//! What shapes this adapter: nothing makes a repeated dial request safe, a call is but a participant in a
//! room, and nothing is kept of one that is over. So each attempt has a room of its own, named by our
//! key, in which the person is always `callee`: webhooks name both, and a dial whose answer was lost is
//! found by looking who is there. It is sent once.
//!
//! A call needs an agent. It is sent for with the room, just before the dial, by a request that rings
//! nobody and may be repeated; it is told by its metadata where to report what is said and what came of
//! it. It must wait until the participant's `sip.callStatus` is `active` before it speaks: the person is
//! in the room from the moment it is dialled.
//!
//! Webhooks are set up with the project, for the account's address. No webhook tells of an answer: a
//! conversation under way shows when the room is looked at, and that there was one shows at the end.

mod ask;
mod compose;
#[cfg(test)]
mod fixtures;
mod mapping;
mod place;
mod refusal;
mod requests;
mod settings;
#[cfg(test)]
mod tests;
mod token;
mod transfer;
mod webhook;
mod wire;

use std::fmt;

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_workflows::call::{CallId, CarrierTimes, DialReply, Found};
use outdial_workflows::limits::Limit;
use outdial_workflows::rules::Agent;
use outdial_workflows::transfer::TransferTold;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

pub use settings::{Credentials, Settings, SettingsError};

use super::{
    AccountCheck, CannotCompose, Carrier, DialBody, DialOrder, HangUp, ListenIn, Listener, Opening, Permit,
    Provider, Question, Registered, TransferOrder, Webhook, WebhookError, WebhookRequest,
};

/// The person called, by the name they have in the room.
const CALLEE: &str = "callee";

/// What [`Settings::reads_per_minute`] is about, in milliseconds.
const READS_WINDOW_MS: u32 = 60_000;

/// A LiveKit project.
pub struct LiveKit {
    http: reqwest::Client,
    base_url: Url,
    credentials: Credentials,
    settings: Settings,
}

impl LiveKit {
    /// A project at `base_url`, such as `https://example.livekit.cloud`, reached through `http`, which
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
        let sound = matches!(base_url.scheme(), "http" | "https")
            && base_url.query().is_none()
            && base_url.fragment().is_none()
            && base_url.username().is_empty()
            && base_url.password().is_none();
        if !sound {
            return Err(SettingsError::Address);
        }
        if credentials.api_key.trim().is_empty() {
            return Err(SettingsError::NoKey("api_key"));
        }
        // Anybody can sign with an empty secret.
        if credentials.api_secret.expose_secret().trim().is_empty() {
            return Err(SettingsError::NoKey("api_secret"));
        }
        Ok(Self { http, base_url, credentials, settings })
    }
}

impl fmt::Debug for LiveKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveKit")
            .field("base_url", &self.base_url.as_str())
            .field("credentials", &self.credentials)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Registered for LiveKit {
    type Credentials = Credentials;
    type Settings = Settings;

    const PROVIDER: Provider = Provider::LiveKit;
    /// Each project has an address of its own.
    const BASE_URL: Option<&'static str> = None;
    /// A project's settings, or the server's configuration, name the addresses.
    const WEBHOOKS_BY_HAND: bool = true;

    fn plain(credentials: &Credentials) -> Value {
        let Credentials { api_key, api_secret } = credentials;
        json!({ "api_key": api_key, "api_secret": api_secret.expose_secret() })
    }

    fn open(opening: Opening<Settings, Credentials>) -> Result<Self, String> {
        let Opening { http, base_url, credentials, settings } = opening;
        Self::new(http, base_url, credentials, settings).map_err(|problem| problem.to_string())
    }

    fn emulated_only(settings: &Settings) -> Option<&'static str> {
        settings.absent_after_ms.map(|_| "absent_after_ms")
    }

    /// LiveKit documents none; how many calls go at once is between the customer and the trunk.
    fn default_limits() -> Vec<Limit> {
        vec![]
    }
}

#[async_trait]
impl Carrier for LiveKit {
    fn provider(&self) -> Provider {
        Provider::LiveKit
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
        (self.settings.reads_per_minute, settings::millis(READS_WINDOW_MS))
    }

    fn most_reads(&self, _: Option<&CallId>) -> u32 {
        ask::LOOKS_MAX
    }

    fn compose(&self, order: &DialOrder<'_>) -> Result<DialBody, CannotCompose> {
        self.compose_order(order)
    }

    async fn place(&self, permit: Permit, body: &DialBody) -> DialReply {
        self.place_once(permit, body).await
    }

    async fn find(&self, question: &Question<'_>) -> Found {
        self.look(question).await
    }

    /// The room says the same whether the call's name is known or not.
    async fn status(&self, _: &CallId, question: &Question<'_>) -> Found {
        self.look(question).await
    }

    async fn hang_up(&self, question: &Question<'_>) -> HangUp {
        self.remove(question).await
    }

    fn cannot_transfer(&self, _: &Agent) -> Option<&'static str> {
        None
    }

    async fn transfer(&self, permit: Permit, order: &TransferOrder<'_>) -> TransferTold {
        self.refer(permit, order).await
    }

    fn listen(&self, call: &Listener<'_>) -> Result<ListenIn, &'static str> {
        let room = call.key.to_string();
        let who = (call.identity, call.name);
        let token = token::listener(&self.credentials, &room, who, (call.now, call.until));
        let mut url = self.base_url.clone();
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| "the project's address is none of the web")?;
        Ok(ListenIn { url, token: token.into(), room })
    }

    async fn webhook(&self, request: WebhookRequest<'_>) -> Result<Webhook, WebhookError> {
        webhook::read(&request, &self.credentials)
    }

    async fn check(&self) -> AccountCheck {
        let tried = self.try_trunk().await;
        let ok = tried.is_ok();
        let (Ok(message) | Err(message)) = tried;
        AccountCheck { ok, message: self.credentials.tidy(&message) }
    }
}
