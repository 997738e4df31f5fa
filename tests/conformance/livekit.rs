//! LiveKit.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use outdial_emulators::carrier::{Emulator, Quirk, Reply};
use outdial_emulators::livekit::{Config, Key, LiveKitTwirp, Scenario, SipStatus, Transfer, Webhooks};
use outdial_jobs::providers::livekit::{self, Credentials, Settings};
use outdial_workflows::call::{CallId, CallResult, CallStatus, CallerId, Found, RefusalKind};
use outdial_workflows::rules::{Agent, Rules};
use outdial_workflows::transfer::TransferTold;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::played::{Ends, Goes, Played};
use super::suite::COLLEAGUE;
use super::world::{SPEED, World, key, result};

pub(crate) enum LiveKit {}

/// The agent's name.
const AGENT: &str = "caller";

impl Played for LiveKit {
    type Adapter = livekit::LiveKit;
    type Protocol = LiveKitTwirp;

    const ENDS: Ends = Ends::Any;
    const TRANSFERS: bool = true;
    const SIGNED_WITHIN: Option<Duration> = Some(Duration::from_secs(300));
    const TELLS_ANSWERS: bool = false;
    const KEEPS_CALLS: bool = false;
    const PHONE: &'static str = "+919876543210";

    /// Rooms are made before anybody is dialled, so that no scenario can spoil what is told of that: only
    /// webhooks about who comes and goes are sent. The agent is not there; see below for one that is.
    fn config(webhooks: &Url) -> Config {
        let include_events =
            ["participant_joined", "participant_left", "participant_connection_aborted"].map(String::from);
        let webhooks = Webhooks {
            urls: vec![webhooks.to_string()],
            include_events: include_events.into(),
            ..Webhooks::default()
        };
        Config { speed: SPEED, webhooks, ..Config::default() }
    }

    fn credentials(config: &Config, sound: bool) -> Credentials {
        let Key { api_key, api_secret } = config.keys.first().cloned().unwrap_or_default();
        Credentials { api_key, api_secret: if sound { api_secret } else { "wrong-token".into() }.into() }
    }

    fn settings(config: &Config) -> Settings {
        let trunk = config.trunks.first().cloned().unwrap_or_default();
        Settings {
            sip_trunk_id: trunk.sip_trunk_id,
            request_timeout_ms: 500,
            absent_margin_ms: 1_000,
            ..Settings::default()
        }
    }

    fn rules() -> Rules {
        Rules {
            caller_ids: vec![CallerId("+15550100".into())],
            agent: Agent::Hosted { agent_id: AGENT.into(), version: None },
            ..Rules::default()
        }
    }

    /// Nothing is kept of a call that is over, so that one must outlast the request that is not answered.
    fn scenario(goes: Goes, quirks: Vec<Quirk>) -> Scenario {
        let scenario = match goes {
            Goes::Answered => Scenario::answered(Duration::from_secs(400)),
            Goes::NoAnswer => Scenario::no_answer(),
            Goes::Busy => Scenario::busy(),
            Goes::Failed => Scenario::failed(),
        };
        quirks.into_iter().fold(scenario, Scenario::with)
    }

    fn refusals() -> Vec<(Reply, RefusalKind)> {
        let refusal = |status, code, message| Reply::refusal(status, code, message, 1);
        let no_trunk = refusal(404, "not_found", "requested sip trunk does not exist");
        let no_number = refusal(412, "failed_precondition", "no numbers on outbound trunk");
        let no_room = refusal(503, "unavailable", "cpu exhausted");
        vec![
            (Reply::throttled(1, Some(3)), RefusalKind::Throttled { retry_after_ms: Some(3_000) }),
            (no_room, RefusalKind::Throttled { retry_after_ms: None }),
            (refusal(401, "unauthenticated", "permissions denied"), RefusalKind::AccountUnusable),
            (refusal(403, "permission_denied", "suspended"), RefusalKind::AccountUnusable),
            (no_trunk, RefusalKind::Misconfigured),
            (no_number, RefusalKind::Misconfigured),
            (refusal(400, "invalid_argument", "missing sip callee number"), RefusalKind::InvalidNumber),
            (refusal(400, "invalid_argument", "DisplayName too long"), RefusalKind::Rejected),
        ]
    }

    fn strange_webhook(emulator: &Emulator<LiveKitTwirp>) -> Option<(Vec<(String, String)>, String)> {
        let body = r#"{"event":"participant_dreamt","room":{"name":"somewhere"},"id":"EV_1"}"#.to_owned();
        let Key { api_key, api_secret } = emulator.config().keys.first()?.clone();
        let hash = STANDARD.encode(Sha256::digest(&body));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let claims = format!(r#"{{"sha256":"{hash}","iss":"{api_key}","nbf":{now},"exp":{}}}"#, now + 300);
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
        let mac = Hmac::<Sha256>::new_from_slice(api_secret.as_bytes()).expect("any key");
        let signature = mac.chain_update(&signed).finalize().into_bytes();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        Some((vec![("authorization".into(), token)], body))
    }
}

#[tokio::test]
async fn an_answer_shows_when_the_room_is_looked_at() {
    let world = World::<LiveKit>::new(Goes::Answered, vec![]).await;
    let call = world.bound(key(1)).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&CallStatus::Connected) {
        let Found::Call(fact) = world.status(key(1), &call).await else { panic!("it is under way") };
        assert_eq!((fact.call_id.as_ref(), &fact.end), (Some(&call), &None));
        seen.push(fact.status);
    }
}

/// A call that was answered, and whose transfer will go so.
async fn answered(transfer: Transfer) -> (World<LiveKit>, CallId) {
    let world = World::<LiveKit>::new(Goes::Answered, vec![]).await;
    let scenario = LiveKit::scenario(Goes::Answered, vec![]).transferring(transfer);
    world.emulator.script(LiveKit::PHONE, [scenario]);
    let call = world.bound(key(1)).await;
    let connected = async {
        while !matches!(world.status(key(1), &call).await, Found::Call(fact) if fact.status == CallStatus::Connected)
        {
        }
    };
    tokio::time::timeout(Duration::from_secs(20), connected).await.expect("somebody answers");
    (world, call)
}

/// How often the call was to be handed over.
fn transfers(world: &World<LiveKit>, call: &CallId) -> u32 {
    world.emulator.call(&call.0).expect("the call").transfers
}

#[tokio::test]
async fn whoever_is_transferred_leaves_and_was_reached() {
    for to in [COLLEAGUE, "sip:desk@pbx.example.com"] {
        let (world, call) = answered(Transfer::Completed).await;
        assert_eq!(world.transfer(key(1), &call, to).await, TransferTold::Done);
        let facts = world.told(key(1)).await;
        assert_eq!(facts.last().and_then(result), Some(CallResult::Answered), "{facts:?}");
        assert_eq!(transfers(&world, &call), 1);
    }
}

#[tokio::test]
async fn an_older_server_that_does_not_describe_transfers_has_made_them() {
    let (world, call) = answered(Transfer::Completed).await;
    let mut config = world.emulator.config();
    config.sip.describe_transfers = false;
    world.emulator.configure(config).expect("a good config");
    assert_eq!(world.transfer(key(1), &call, COLLEAGUE).await, TransferTold::Done);
}

#[tokio::test]
async fn a_call_whose_transfer_is_turned_down_goes_on() {
    let declined = Transfer::Rejected(SipStatus::new(603, "Decline"));
    for transfer in [declined, Transfer::RingingTimeout] {
        let (world, call) = answered(transfer.clone()).await;
        let told = world.transfer(key(1), &call, COLLEAGUE).await;
        assert!(matches!(told, TransferTold::Refused { .. }), "{transfer:?}: {told:?}");
        let found = world.status(key(1), &call).await;
        assert!(matches!(found, Found::Call(fact) if fact.end.is_none()), "{transfer:?}");
    }
}

#[tokio::test]
async fn a_call_that_rings_is_not_transferred() {
    let world = World::<LiveKit>::new(Goes::NoAnswer, vec![]).await;
    let call = world.bound(key(1)).await;
    let told = world.transfer(key(1), &call, COLLEAGUE).await;
    assert!(matches!(told, TransferTold::Refused { .. }), "{told:?}");
    assert_eq!(transfers(&world, &call), 0);
}

#[tokio::test]
async fn a_transfer_whose_answer_is_lost_is_not_asked_for_again() {
    let (world, call) = answered(Transfer::Lost).await;
    let told = world.transfer(key(1), &call, COLLEAGUE).await;
    assert!(matches!(told, TransferTold::Unknown { .. }), "{told:?}");
    assert_eq!(transfers(&world, &call), 1);
}

#[tokio::test]
async fn the_agent_comes_and_is_told_where_to_report() {
    let world = World::<LiveKit>::new(Goes::Answered, vec![]).await;
    let config = Config { agents: vec![AGENT.into()], ..world.emulator.config() };
    world.emulator.configure(config).expect("a good config");
    let call = world.bound(key(1)).await;
    world.told(key(1)).await;
    let reported = async {
        loop {
            let report = world.emulator.call(&call.0).expect("the call");
            // The suite's server takes webhooks alone.
            if report.reports_lost > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reported).await.expect("the agent reports");
}
