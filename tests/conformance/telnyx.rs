//! Telnyx.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use outdial_emulators::carrier::{Emulator, Quirk, Reply};
use outdial_emulators::telnyx::{
    Answerer, Cause, Config, Connection, DuplicateReply, Hangup, Reads, Replies, Scenario, Source, TelnyxV2,
};
use outdial_jobs::providers::Webhook;
use outdial_jobs::providers::telnyx::{self, Credentials, Detection, Settings};
use outdial_workflows::call::{CallResult, CallerId, RefusalKind};
use outdial_workflows::rules::Rules;
use url::Url;

use super::played::{Ends, Goes, Played};
use super::world::{SPEED, World, key, result};

const CONNECTION: &str = "1494404757140276705";

pub(crate) enum Telnyx {}

impl Played for Telnyx {
    type Adapter = telnyx::Telnyx;
    type Protocol = TelnyxV2;

    const ENDS: Ends = Ends::Any;
    const SIGNED_WITHIN: Option<Duration> = Some(Duration::from_secs(300));
    const PHONE: &'static str = "+14155550123";

    fn config(_: &Url) -> Config {
        Config { speed: SPEED, ..Config::default() }
    }

    fn credentials(config: &Config, sound: bool) -> Credentials {
        let key = config.accounts.first().cloned().unwrap_or_default().api_key;
        let key = if sound { key } else { "wrong-token".into() };
        Credentials { api_key: key.into(), public_key: config.public_key() }
    }

    fn settings(_: &Config) -> Settings {
        Settings {
            connection_id: CONNECTION.into(),
            request_timeout_ms: 500,
            absent_margin_ms: 1_000,
            ..Settings::default()
        }
    }

    fn rules() -> Rules {
        Rules { caller_ids: vec![CallerId("+14155550100".into())], ..Rules::default() }
    }

    fn scenario(goes: Goes, quirks: Vec<Quirk>) -> Scenario {
        let scenario = match goes {
            Goes::Answered => Scenario::answered(Duration::from_secs(60)),
            Goes::NoAnswer => Scenario::no_answer(),
            Goes::Busy => Scenario::busy(),
            // What the emulator itself calls failed is a number that does not exist.
            Goes::Failed => {
                Scenario::failed().hanging_up(Hangup::new(Cause::Unspecified, Source::Unknown, "503"))
            }
        };
        quirks.into_iter().fold(scenario, Scenario::with)
    }

    fn refusals() -> Vec<(Reply, RefusalKind)> {
        let refusal = |status, code, message| Reply::refusal(status, code, message, 1);
        let slow = RefusalKind::Throttled { retry_after_ms: Some(3_000) };
        let full = RefusalKind::Throttled { retry_after_ms: None };
        let to = "The 'to' parameter must be in +E.164 format.";
        vec![
            (Reply::throttled(1, Some(3)), slow),
            (refusal(403, "90041", "User channel limit exceeded"), full),
            (refusal(402, "20100", "Insufficient Funds"), RefusalKind::AccountUnusable),
            (refusal(403, "20012", "Account inactive"), RefusalKind::AccountUnusable),
            (refusal(401, "20002", "API Key revoked"), RefusalKind::AccountUnusable),
            (refusal(422, "10016", to), RefusalKind::InvalidNumber),
            (refusal(422, "10027", "Unverified origination number"), RefusalKind::Misconfigured),
            (refusal(422, "10015", "Invalid value for connection_id"), RefusalKind::Misconfigured),
            (refusal(422, "10027", "Unprocessable Entity"), RefusalKind::Rejected),
        ]
    }

    fn strange_webhook(emulator: &Emulator<TelnyxV2>) -> Option<(Vec<(String, String)>, String)> {
        let body = r#"{"data": {"event_type": "call.dreamt", "payload": {}}}"#.to_owned();
        let timestamp = super::world::now().timestamp().to_string();
        let key = SigningKey::from_bytes(&emulator.config().signing_seed.0);
        let signature = key.sign(format!("{timestamp}|{body}").as_bytes());
        let signature = STANDARD.encode(signature.to_bytes());
        let headers = [("telnyx-timestamp", timestamp), ("telnyx-signature-ed25519", signature)];
        Some((headers.map(|(name, value)| (name.to_owned(), value)).to_vec(), body))
    }
}

/// The same with all that an account may ask for besides, and logs that lag.
pub(crate) enum Lavish {}

impl Played for Lavish {
    type Adapter = telnyx::Telnyx;
    type Protocol = TelnyxV2;

    const ENDS: Ends = Telnyx::ENDS;
    const SIGNED_WITHIN: Option<Duration> = Telnyx::SIGNED_WITHIN;
    const PHONE: &'static str = Telnyx::PHONE;

    fn config(webhooks: &Url) -> Config {
        let connection = Connection { call_cost: true, ..Connection::default() };
        Config {
            connections: [(CONNECTION.to_owned(), connection)].into(),
            replies: Replies { duplicate: DuplicateReply::ResultOk, ..Replies::default() },
            reads: Reads { index_lag: Duration::from_secs(10), ..Reads::default() },
            ..Telnyx::config(webhooks)
        }
    }

    fn credentials(config: &Config, sound: bool) -> Credentials {
        Telnyx::credentials(config, sound)
    }

    fn settings(config: &Config) -> Settings {
        Settings { answering_machine_detection: Detection::Premium, ..Telnyx::settings(config) }
    }

    fn rules() -> Rules {
        Rules { record: true, ..Telnyx::rules() }
    }

    fn scenario(goes: Goes, quirks: Vec<Quirk>) -> Scenario {
        Telnyx::scenario(goes, quirks).by(Answerer::MachineWithBeep)
    }

    fn refusals() -> Vec<(Reply, RefusalKind)> {
        Telnyx::refusals()
    }

    fn strange_webhook(emulator: &Emulator<TelnyxV2>) -> Option<(Vec<(String, String)>, String)> {
        Telnyx::strange_webhook(emulator)
    }
}

#[tokio::test]
async fn a_machine_a_recording_and_a_price_are_told_by_webhooks_in_any_order_and_by_reading() {
    let world = World::<Lavish>::new(Goes::Answered, vec![Quirk::ReorderedCallbacks]).await;
    let call = world.bound(key(1)).await;
    let (mut machine, mut recorded, mut priced, mut over) = (false, false, false, false);
    while !(machine && recorded && priced && over) {
        if let Ok(Webhook::News { key: echoed, fact }) = world.read(&world.webhook().await).await {
            assert_eq!(echoed, Some(key(1).to_string()));
            machine |= fact.results.as_ref().is_some_and(|results| results.voicemail == Some(true));
            recorded |= fact.recording_url.is_some();
            priced |= fact.cost.is_some();
            over |= result(&fact) == Some(CallResult::Answered);
        }
    }
    // The logs hold the end before the answer, since that is how they were delivered.
    let reading = async {
        loop {
            let read = world.over(key(1), &call).await.expect("Telnyx keeps calls");
            if read.end.as_ref().is_some_and(|end| end.talk.is_some()) {
                return read;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let read = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the logs tell all");
    assert_eq!(result(&read), Some(CallResult::Answered));
    assert_eq!(read.results.and_then(|results| results.voicemail), Some(true));
}
