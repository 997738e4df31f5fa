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
use outdial_workflows::call::{CallFact, CallId, CallResult, CallStatus, CallerId, Found, RefusalKind};
use outdial_workflows::rules::Rules;
use outdial_workflows::transfer::TransferTold;
use url::Url;

use super::played::{Ends, Goes, Played};
use super::suite::COLLEAGUE;
use super::world::{SPEED, World, key, result};

const CONNECTION: &str = "1494404757140276705";

pub(crate) enum Telnyx {}

impl Played for Telnyx {
    type Adapter = telnyx::Telnyx;
    type Protocol = TelnyxV2;

    const ENDS: Ends = Ends::Any;
    const TRANSFERS: bool = true;
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
    const TRANSFERS: bool = Telnyx::TRANSFERS;
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

/// What webhooks tell until `done`: of the call, and of its transfer. None of the first is about the second leg.
async fn hear(
    world: &World<Telnyx>,
    call: &CallId,
    done: impl Fn(&[CallFact], &[TransferTold]) -> bool,
) -> (Vec<CallFact>, Vec<TransferTold>) {
    let (mut facts, mut transfer) = (vec![], vec![]);
    while !done(&facts, &transfer) {
        match world.read(&world.webhook().await).await {
            Ok(Webhook::News { key: echoed, fact }) => {
                assert_eq!((echoed, fact.call_id.as_ref()), (Some(key(1).to_string()), Some(call)));
                facts.push(fact);
            }
            Ok(Webhook::Transfer { key: of, number, told }) => {
                assert_eq!((of, number.get()), (key(1), 1));
                transfer.push(told);
            }
            Ok(Webhook::Nothing { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    (facts, transfer)
}

/// A call that was answered; whom it is transferred to does so.
async fn answered(colleague: Scenario) -> (World<Telnyx>, CallId) {
    let world = World::<Telnyx>::new(Goes::Answered, vec![]).await;
    world.emulator.script(Telnyx::PHONE, [Scenario::answered(Duration::from_secs(400))]);
    world.emulator.script(COLLEAGUE, [colleague]);
    let call = world.bound(key(1)).await;
    hear(&world, &call, |facts, _| facts.iter().any(|fact| fact.status == CallStatus::Connected)).await;
    (world, call)
}

fn ended(facts: &[CallFact]) -> bool {
    facts.iter().any(|fact| fact.end.is_some())
}

#[tokio::test]
async fn a_transferred_call_has_a_second_leg_that_is_not_taken_for_the_first() {
    let (world, call) = answered(Scenario::answered(Duration::from_secs(30))).await;
    assert_eq!(world.transfer(key(1), &call, COLLEAGUE).await, TransferTold::UnderWay);
    let over = |facts: &[CallFact], told: &[TransferTold]| ended(facts) && told.len() == 3;
    let (facts, told) = hear(&world, &call, over).await;
    // It rings, it is bridged, and it is over.
    assert_eq!(told, [TransferTold::UnderWay, TransferTold::Done, TransferTold::Done]);
    assert_eq!(facts.iter().find_map(result), Some(CallResult::Answered), "{facts:?}");
    let read = world.over(key(1), &call).await.expect("Telnyx keeps calls");
    assert_eq!((read.call_id.as_ref(), result(&read)), (Some(&call), Some(CallResult::Answered)));
    assert_eq!(world.emulator.calls().len(), 2);
}

#[tokio::test]
async fn a_call_whose_second_leg_nobody_answers_goes_on() {
    for nobody in [Scenario::busy(), Scenario::no_answer()] {
        let (world, call) = answered(nobody).await;
        assert_eq!(world.transfer(key(1), &call, COLLEAGUE).await, TransferTold::UnderWay);
        let refused = |told: &TransferTold| matches!(told, TransferTold::Refused { .. });
        let (facts, told) = hear(&world, &call, |_, told| told.iter().any(refused)).await;
        assert!(!ended(&facts) && !told.contains(&TransferTold::Done), "{facts:?} {told:?}");
        let found = world.status(key(1), &call).await;
        assert!(matches!(&found, Found::Call(fact) if fact.end.is_none()), "{found:?}");
    }
}

#[tokio::test]
async fn a_transfer_that_is_asked_for_twice_is_one() {
    let (world, call) = answered(Scenario::answered(Duration::from_secs(30))).await;
    for _ in 0..2 {
        assert_eq!(world.transfer(key(1), &call, COLLEAGUE).await, TransferTold::UnderWay);
    }
    hear(&world, &call, |facts, _| ended(facts)).await;
    assert_eq!(world.emulator.calls().len(), 2, "the call and one second leg");
}

#[tokio::test]
async fn a_call_that_rings_is_not_transferred() {
    let world = World::<Telnyx>::new(Goes::NoAnswer, vec![]).await;
    let call = world.bound(key(1)).await;
    let told = world.transfer(key(1), &call, COLLEAGUE).await;
    assert!(matches!(&told, TransferTold::Refused { cause } if cause.contains("HTTP 422")), "{told:?}");
    assert_eq!(world.emulator.calls().len(), 1);
}
