//! Retell.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use outdial_emulators::carrier::{Emulator, Quirk, Reply};
use outdial_emulators::retell::{Agent as EmulatedAgent, Config, RetellV2, Scenario};
use outdial_jobs::providers::retell::{self, Credentials, Settings};
use outdial_workflows::call::{CallerId, RefusalKind};
use outdial_workflows::rules::{Agent, Rules};
use sha2::Sha256;
use url::Url;

use super::played::{Ends, Goes, Played};
use super::world::SPEED;

/// The workspace's number, and its agent.
const NUMBER: &str = "+14155550100";
const AGENT: &str = "agent_1";

pub(crate) enum Retell {}

impl Played for Retell {
    type Adapter = retell::Retell;
    type Protocol = RetellV2;

    const ENDS: Ends = Ends::Answered;
    const SIGNED_WITHIN: Option<Duration> = Some(Duration::from_secs(300));
    const PHONE: &'static str = "+14155550123";

    /// Nothing is set beforehand: each call names its own address.
    fn config(_: &Url) -> Config {
        Config {
            speed: SPEED,
            from_numbers: vec![NUMBER.into()],
            agents: [(AGENT.to_owned(), EmulatedAgent::default())].into(),
            ..Config::default()
        }
    }

    fn credentials(config: &Config, sound: bool) -> Credentials {
        let api_key = if sound { config.keys.rest.as_str() } else { "wrong-token" };
        Credentials { api_key: api_key.into(), webhook_key: Some(config.keys.webhook.as_str().into()) }
    }

    fn settings(_: &Config) -> Settings {
        Settings { request_timeout_ms: 500, ..Settings::default() }
    }

    fn rules() -> Rules {
        Rules {
            caller_ids: vec![CallerId(NUMBER.into())],
            agent: Agent::Hosted { agent_id: AGENT.into(), version: None },
            ..Rules::default()
        }
    }

    fn scenario(goes: Goes, quirks: Vec<Quirk>) -> Scenario {
        let scenario = match goes {
            Goes::Answered => Scenario::answered(Duration::from_secs(60)),
            Goes::NoAnswer => Scenario::no_answer(),
            Goes::Busy => Scenario::busy(),
            Goes::Failed => Scenario::failed(),
        };
        quirks.into_iter().fold(scenario, Scenario::with)
    }

    fn refusals() -> Vec<(Reply, RefusalKind)> {
        let refusal = |status, message| Reply::refusal(status, "", message, 1);
        vec![
            (Reply::throttled(1, Some(3)), RefusalKind::Throttled { retry_after_ms: Some(3_000) }),
            (Reply::throttled(1, None), RefusalKind::Throttled { retry_after_ms: None }),
            (refusal(401, "API key is missing or invalid."), RefusalKind::AccountUnusable),
            (refusal(402, "Trial has ended, please add payment method."), RefusalKind::AccountUnusable),
            (refusal(403, "Access forbidden."), RefusalKind::AccountUnusable),
            (refusal(400, "The contact is marked do_not_call"), RefusalKind::Barred),
            (refusal(400, "to_number is not E.164: '+0'"), RefusalKind::InvalidNumber),
            (refusal(422, "phone number not found under this API key"), RefusalKind::Misconfigured),
            (refusal(400, "agent_override.agent must be an object"), RefusalKind::Misconfigured),
            (refusal(400, "Invalid request format"), RefusalKind::Rejected),
        ]
    }

    fn strange_webhook(emulator: &Emulator<RetellV2>) -> Option<(Vec<(String, String)>, String)> {
        let body = r#"{"event":"call_dreamt","call":{"call_id":"call_1"}}"#.to_owned();
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let key = emulator.config().keys.webhook;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key");
        mac.update(format!("{body}{now_ms}").as_bytes());
        let digest = hex::encode(mac.finalize().into_bytes());
        Some((vec![("x-retell-signature".into(), format!("v={now_ms},d={digest}"))], body))
    }
}
