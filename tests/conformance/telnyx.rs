//! Telnyx.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use outdial_emulators::carrier::{Emulator, Quirk, Reply};
use outdial_emulators::telnyx::{Cause, Config, Hangup, Scenario, Source, TelnyxV2};
use outdial_jobs::providers::telnyx::{self, Credentials, Settings};
use outdial_workflows::call::{CallerId, RefusalKind};
use outdial_workflows::rules::Rules;
use url::Url;

use super::played::{Ends, Goes, Played};
use super::world::SPEED;

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
            connection_id: "1494404757140276705".into(),
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
