//! Calls of Telnyx that a TeXML application answers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use outdial_emulators::carrier::{Emulator, Quirk, Reply};
use outdial_emulators::telnyx::{
    Account, Answerer, Config, Connection, Reads, Scenario, TelnyxV2, Texml as Behaviour, TexmlKey, Webhooks,
};
use outdial_jobs::providers::telnyx::{self, Credentials, Detection, Settings};
use outdial_jobs::providers::{Carrier as _, HangUp, Webhook};
use outdial_workflows::call::{CallResult, CallStatus, DialReply, Found, RefusalKind};
use outdial_workflows::rules::{Agent, Rules};
use url::Url;

use super::played::{Ends, Goes, Played};
use super::telnyx::Telnyx;
use super::world::{FLOW, PATIENCE, SPEED, World, key, result};

const APPLICATION: &str = "2494404757140276705";

/// The path's parts before it: `webhooks`, the carrier, client and account.
const KEY_IN_PATH: usize = 4;

/// An application whose own address runs.
pub(crate) enum Texml {}

impl Played for Texml {
    type Adapter = telnyx::Telnyx;
    type Protocol = TelnyxV2;

    const ENDS: Ends = Ends::Any;
    const SIGNED_WITHIN: Option<Duration> = Telnyx::SIGNED_WITHIN;
    const PHONE: &'static str = Telnyx::PHONE;

    fn config(webhooks: &Url) -> Config {
        let flow = webhooks.join(FLOW).expect("a URL").to_string();
        let application = Connection { voice_url: Some(flow), ..Connection::default() };
        let control = ("1494404757140276705".to_owned(), Connection::default());
        Config {
            speed: SPEED,
            connections: [(APPLICATION.to_owned(), application), control].into(),
            texml: Behaviour { key: TexmlKey::Segment(KEY_IN_PATH), ..Behaviour::default() },
            // Else the copy of the first callback may come after the second.
            webhooks: Webhooks { in_order: true, ..Webhooks::default() },
            ..Config::default()
        }
    }

    fn credentials(config: &Config, sound: bool) -> Credentials {
        Telnyx::credentials(config, sound)
    }

    fn settings(config: &Config) -> Settings {
        let account = config.accounts.first().cloned().unwrap_or_else(Account::default);
        Settings { account_sid: Some(account.id), ..Telnyx::settings(config) }
    }

    fn rules() -> Rules {
        Rules { agent: Agent::Flow { flow_id: APPLICATION.into() }, ..Telnyx::rules() }
    }

    fn scenario(goes: Goes, quirks: Vec<Quirk>) -> Scenario {
        Telnyx::scenario(goes, quirks)
    }

    fn refusals() -> Vec<(Reply, RefusalKind)> {
        let unknown = Reply::refusal(404, "10005", "Resource not found", 1);
        Telnyx::refusals().into_iter().chain([(unknown, RefusalKind::Misconfigured)]).collect()
    }

    fn strange_webhook(emulator: &Emulator<TelnyxV2>) -> Option<(Vec<(String, String)>, String)> {
        let body = "CallSid=v3%3Aa&CallStatus=dreamt&CallbackSource=call-progress-events".to_owned();
        let timestamp = super::world::now().timestamp().to_string();
        let key = SigningKey::from_bytes(&emulator.config().signing_seed.0);
        let signature = STANDARD.encode(key.sign(format!("{timestamp}|{body}").as_bytes()).to_bytes());
        let headers = [
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("telnyx-timestamp", timestamp),
            ("telnyx-signature-ed25519", signature),
        ];
        Some((headers.map(|(name, value)| (name.to_owned(), value)).to_vec(), body))
    }
}

/// A document of ours, detection, a recording, and reads that lag.
pub(crate) enum Lavish {}

impl Played for Lavish {
    type Adapter = telnyx::Telnyx;
    type Protocol = TelnyxV2;

    const ENDS: Ends = Texml::ENDS;
    const SIGNED_WITHIN: Option<Duration> = Texml::SIGNED_WITHIN;
    const PHONE: &'static str = Texml::PHONE;

    fn config(webhooks: &Url) -> Config {
        // What shows in the list shows in the log.
        let (index_lag, texml_lag) = (Duration::from_secs(10), Duration::from_secs(12));
        Config { reads: Reads { index_lag, texml_lag, ..Reads::default() }, ..Texml::config(webhooks) }
    }

    fn credentials(config: &Config, sound: bool) -> Credentials {
        Telnyx::credentials(config, sound)
    }

    fn settings(config: &Config) -> Settings {
        let flow = config.connections.get(APPLICATION).and_then(|application| application.voice_url.clone());
        Settings {
            texml_url: flow.map(|url| url.parse().expect("a URL")),
            answering_machine_detection: Detection::Detect,
            ..Texml::settings(config)
        }
    }

    fn rules() -> Rules {
        Rules { record: true, ..Texml::rules() }
    }

    fn scenario(goes: Goes, quirks: Vec<Quirk>) -> Scenario {
        Telnyx::scenario(goes, quirks).by(Answerer::Machine)
    }

    fn refusals() -> Vec<(Reply, RefusalKind)> {
        Texml::refusals()
    }

    fn strange_webhook(emulator: &Emulator<TelnyxV2>) -> Option<(Vec<(String, String)>, String)> {
        Texml::strange_webhook(emulator)
    }
}

#[tokio::test]
async fn a_texml_call_is_never_sent_again() {
    let world = World::<Texml>::new(Goes::Answered, vec![]).await;
    assert_eq!(world.adapter.resend_within(&Texml::rules().agent), None);
    assert!(world.adapter.resend_within(&Telnyx::rules().agent).is_some());
}

#[tokio::test]
async fn the_callbacks_of_a_dial_whose_answer_was_lost_name_its_call_and_its_attempt() {
    let world = World::<Texml>::new(Goes::Busy, vec![Quirk::AcceptThenDrop]).await;
    assert!(matches!(world.dial(key(1)).await, DialReply::Unknown { .. }));
    let facts = world.told(key(1)).await;
    assert!(facts.iter().all(|fact| fact.call_id == Some(world.the_call())), "{facts:?}");
    assert_eq!(facts.last().and_then(result), Some(CallResult::Busy));
}

#[tokio::test]
async fn a_machine_and_a_recording_are_told_by_callbacks_in_any_order_and_by_reading() {
    let late = Quirk::LateCallbacks { by: Duration::from_secs(30) };
    for quirk in [Quirk::ReorderedCallbacks, late] {
        let world = World::<Lavish>::new(Goes::Answered, vec![quirk]).await;
        let call = world.bound(key(1)).await;
        let (mut machine, mut recorded, mut over) = (false, false, false);
        while !(machine && recorded && over) {
            if let Ok(Webhook::News { key: echoed, fact }) = world.read(&world.webhook().await).await {
                assert_eq!(echoed, Some(key(1).to_string()));
                machine |= fact.results.as_ref().is_some_and(|results| results.voicemail == Some(true));
                recorded |= fact.recording_url.is_some();
                over |= result(&fact) == Some(CallResult::Answered);
            }
        }
        let read = world.over(key(1), &call).await.expect("Telnyx keeps calls");
        assert!(read.end.as_ref().is_some_and(|end| end.talk.is_some()), "{read:?}");
        assert_eq!(read.results.and_then(|results| results.voicemail), Some(true));
        assert_eq!(world.emulator.totals().unknown_parameters, 0);
        assert!(read.cost.is_some_and(|cost| cost.micros > 0), "{:?}", read.cost);
    }
}

#[tokio::test]
async fn without_any_callback_a_lost_dial_is_found_and_followed_by_reading() {
    for (goes, ends) in [(Goes::NoAnswer, CallResult::NoAnswer), (Goes::Answered, CallResult::Answered)] {
        let world = World::<Lavish>::new(goes, vec![Quirk::AcceptThenDrop, Quirk::NoCallbacks]).await;
        assert!(matches!(world.dial(key(1)).await, DialReply::Unknown { .. }));
        let recorded = goes == Goes::Answered;
        let finding = async {
            loop {
                match world.find(key(1)).await {
                    Found::Call(fact) if fact.end.is_some() && fact.recording_url.is_some() == recorded => {
                        return fact;
                    }
                    Found::Call(_) | Found::NotSeen { .. } | Found::CannotTell { .. } => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            }
        };
        let fact = tokio::time::timeout(PATIENCE, finding).await.expect("it is found");
        assert_eq!((result(&fact), fact.call_id), (Some(ends), Some(world.the_call())));
        assert_eq!(world.emulator.totals().requests, 1);
    }
}

#[tokio::test]
async fn a_texml_call_that_is_hung_up_while_it_rings_was_not_answered() {
    let world = World::<Texml>::new(Goes::NoAnswer, vec![]).await;
    let call = world.bound(key(1)).await;
    assert_eq!(world.hang_up(key(1), &call).await, HangUp::Asked);
    let facts = world.told(key(1)).await;
    assert_eq!(facts.last().and_then(result), Some(CallResult::NoAnswer), "{facts:?}");
    assert!(facts.iter().all(|fact| fact.status != CallStatus::Connected), "{facts:?}");
}
