//! Exotel.

use std::time::Duration;

use outdial_emulators::carrier::{Emulator, Quirk, Reply};
use outdial_emulators::exotel::{Config, ExotelV1, Scenario};
use outdial_jobs::providers::exotel::{self, Credentials, Settings};
use outdial_workflows::call::{CallerId, RefusalKind};
use outdial_workflows::rules::Rules;
use url::Url;

use super::played::{Ends, Goes, Played};
use super::world::SPEED;

pub(crate) enum Exotel {}

impl Played for Exotel {
    type Adapter = exotel::Exotel;
    type Protocol = ExotelV1;

    const ENDS: Ends = Ends::None;
    const SIGNED_WITHIN: Option<Duration> = None;
    const PHONE: &'static str = "+919876543210";

    fn config(_: &Url) -> Config {
        Config { speed: SPEED, ..Config::default() }
    }

    fn credentials(config: &Config, sound: bool) -> Credentials {
        let who = config.accounts.first().cloned().unwrap_or_default();
        let token = if sound { who.api_token } else { "wrong-token".into() };
        Credentials { account_sid: who.sid, api_key: who.api_key, api_token: token.into() }
    }

    fn settings(_: &Config) -> Settings {
        Settings { request_timeout_ms: 500, absent_margin_ms: 1_000, ..Settings::default() }
    }

    fn rules() -> Rules {
        Rules { caller_ids: vec![CallerId("08040000000".into())], ..Rules::default() }
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
        let ndnc = "Call to 09876543210 can not be made because of TRAI NDNC regulations";
        vec![
            (Reply::throttled(1, Some(3)), RefusalKind::Throttled { retry_after_ms: Some(3_000) }),
            (Reply::refusal(402, "NO_BALANCE", "Top up", 1), RefusalKind::AccountUnusable),
            (Reply::refusal(403, "SUSPENDED", "Suspended", 1), RefusalKind::AccountUnusable),
            (Reply::refusal(403, "NDNC", ndnc, 1), RefusalKind::Barred),
            (Reply::refusal(400, "BAD", "From is not a valid phone number", 1), RefusalKind::InvalidNumber),
            (Reply::refusal(400, "BAD", "CallerId is not an ExoPhone", 1), RefusalKind::Misconfigured),
        ]
    }

    fn strange_webhook(_: &Emulator<ExotelV1>) -> Option<(Vec<(String, String)>, String)> {
        None
    }
}
