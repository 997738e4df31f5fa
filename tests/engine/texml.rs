//! Calls that a TeXML application answers, from lead to outcome.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use outdial_emulators::carrier::Quirk;
use outdial_emulators::telnyx::{self as emulated, Connection, Scenario, Telnyx, Texml, TexmlKey};
use outdial_jobs::operations::By;
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::providers::http_client;
use outdial_jobs::providers::telnyx::{Credentials, Settings, Telnyx as Adapter};
use outdial_workflows::history::Event;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey, LeadId};
use outdial_workflows::input::Command;
use outdial_workflows::workflow::State;
use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use super::support::instructions::instructions;
use super::support::world::{SPEED, World, told};

pub(crate) const APPLICATION: &str = "2494404757140276705";
const CONTROL: &str = "1494404757140276705";
pub(crate) const PHONE: &str = "+14155550123";

/// The path's parts before it: `webhooks`, the carrier, client and account.
const KEY_IN_PATH: usize = 4;

/// A world whose account is one of Telnyx.
pub(crate) struct Played {
    pub(crate) world: World,
    pub(crate) telnyx: Telnyx,
}

impl Played {
    async fn new() -> Self {
        Self::with(config(instructions().await)).await
    }

    async fn with(config: emulated::Config) -> Self {
        Self::set(config, &settings(Some(emulated::Account::default().id))).await
    }

    pub(crate) async fn set(config: emulated::Config, settings: &Settings) -> Self {
        let mut world = World::new().await;
        let telnyx = Telnyx::start(config).await.expect("the carrier starts");
        let who = emulated::Account::default();
        let credentials = Credentials { api_key: who.api_key.into(), public_key: telnyx.public_key() };
        let base_url = Url::parse(telnyx.base_url()).expect("a URL");
        let spec = AccountSpec {
            without_default_limits: true,
            ..AccountSpec::with::<Adapter>("Telnyx", &base_url, &credentials, settings)
        };
        world.account = setup::create_account(&world.engine, world.client, spec).await.expect("an account");
        world.work().await;
        Self { world, telnyx }
    }

    /// A lead whose phone behaves as scripted.
    async fn lead(&self, script: impl IntoIterator<Item = Scenario>) -> LeadId {
        self.telnyx.script(PHONE, script);
        let campaign = self.world.campaign(json!({
            "caller_ids": ["+14155550100"],
            "agent": { "mode": "flow", "flow_id": APPLICATION },
        }));
        self.world.lead(campaign.await, PHONE).await
    }

    /// Lets work end, and asserts that all promises were kept by what this carrier has seen.
    pub(crate) async fn end(mut self) {
        self.world.settle().await;
        let dials = self.telnyx.dials();
        let counts = dials.keys.iter().filter_map(|(key, count)| Some((key.parse().ok()?, count.accepted)));
        let evidence = Evidence { dials: counts.collect(), strict: false };
        let verdict = judging::judge(&self.world.engine, &evidence, |_| ()).await.expect("all can be read");
        assert!(verdict.kept(), "{verdict}");
        assert_eq!(dials.keys_rung_twice(), Vec::<&str>::new());
        assert_eq!(dials.overlapping_numbers(), Vec::<&str>::new());
        assert_eq!(self.telnyx.totals().invalid, 0);
    }
}

pub(crate) fn config(instructions: String) -> emulated::Config {
    let application = Connection { voice_url: Some(instructions), ..Connection::default() };
    let control = (CONTROL.to_owned(), Connection::default());
    emulated::Config {
        speed: SPEED,
        connections: [(APPLICATION.to_owned(), application), control].into(),
        texml: Texml { key: TexmlKey::Segment(KEY_IN_PATH), ..Texml::default() },
        ..emulated::Config::default()
    }
}

/// What takes minutes with people takes fractions of a second here.
pub(crate) fn settings(account_sid: Option<String>) -> Settings {
    Settings {
        connection_id: CONTROL.into(),
        account_sid,
        request_timeout_ms: 300,
        silence_ms: 2_400,
        ask_first_ms: 50,
        poll_first_ms: 600,
        ask_cap_ms: 600,
        cause_after_ms: 100,
        absent_after_ms: Some(900),
        reads_per_minute: 6_000,
        ..Settings::default()
    }
}

fn answered() -> Scenario {
    Scenario::answered(Duration::from_secs(30))
}

#[tokio::test]
async fn a_lead_is_called_by_texml_until_it_is_reached() {
    let played = Played::new().await;
    let lead = played.lead([Scenario::busy(), answered()]).await;
    let record = played.world.finished(lead).await;
    assert_eq!(told(&record), ["bound: busy", "bound: successful"]);
    played.end().await;
}

#[tokio::test]
async fn until_the_account_has_its_sid_nobody_is_dialled_by_texml_and_the_lead_says_what_to_set() {
    let played = Played::set(config(instructions().await), &settings(None)).await;
    let world = &played.world;
    let lead = played.lead([answered()]).await;
    let record = world.until(lead, |record| record.workflow.state == State::Held).await;
    let causes = record.events.iter().filter_map(|recorded| match &recorded.event {
        Event::Refused { cause, .. } => Some(cause.as_str()),
        _ => None,
    });
    let causes: Vec<_> = causes.collect();
    assert!(
        matches!(causes[..], [cause] if cause.contains("set account_sid in the account's settings")),
        "{causes:?}"
    );
    assert!(told(&record)[0].starts_with("refused, not counted"), "{:?}", told(&record));
    assert_eq!(played.telnyx.totals().requests, 0);
    let complete = serde_json::to_value(settings(Some(emulated::Account::default().id))).expect("JSON");
    let by = By { actor: "a test", reason: None };
    let set = setup::change_settings(&world.engine, world.client, world.account, &complete, by).await;
    set.expect("they are settings");
    world.command(lead, Command::Resume).await;
    let record = world.finished(lead).await;
    assert_eq!(told(&record).last().map(String::as_str), Some("bound: successful"));
    assert_eq!(played.telnyx.totals().requests, 1);
    played.end().await;
}

#[tokio::test]
async fn a_dial_whose_answer_was_lost_is_made_good_by_its_callbacks_or_by_reading_and_never_sent_again() {
    for quirks in [vec![Quirk::AcceptThenDrop], vec![Quirk::AcceptThenDrop, Quirk::NoCallbacks]] {
        let played = Played::new().await;
        let lead = played.lead([quirks.iter().cloned().fold(answered(), Scenario::with)]).await;
        let record = played.world.finished(lead).await;
        assert_eq!(told(&record), ["bound: successful"], "{quirks:?}");
        assert_eq!(played.telnyx.totals().requests, 1, "{quirks:?}");
        assert_eq!(played.world.count("select count(*) from dial_requests").await, 0, "no bytes are kept");
        played.end().await;
    }
}

#[tokio::test]
async fn a_dial_that_never_arrived_is_made_anew_once_its_absence_is_believed() {
    let played = Played::new().await;
    let lead = played.lead([answered().with(Quirk::DropBeforeAccepting { times: 1 })]).await;
    let record = played.world.finished(lead).await;
    let told = told(&record);
    assert!(told[0].starts_with("absent") && told[1..] == ["bound: successful"], "{told:?}");
    played.end().await;
}

#[tokio::test]
async fn where_the_log_repeats_no_requests_a_lost_dial_is_found_in_the_list_beside_an_earlier_attempts_call()
{
    let lost = [Quirk::AcceptThenDrop, Quirk::NoCallbacks].into_iter().fold(answered(), Scenario::with);
    let never_arrived = answered().with(Quirk::DropBeforeAccepting { times: 1 });
    for (second, requests, tells) in
        [(lost, 2, &["bound: successful"][..]), (never_arrived, 3, &["absent", "bound: successful"])]
    {
        let mut silent = config(instructions().await);
        silent.texml.log_repeats_requests = false;
        let played = Played::with(silent).await;
        let lead = played.lead([Scenario::busy(), second]).await;
        let told = told(&played.world.finished(lead).await);
        assert_eq!(told[0], "bound: busy");
        let rest = told[1..].iter().zip(tells).all(|(told, start)| told.starts_with(start));
        assert!(rest && told.len() == 1 + tells.len(), "{told:?}");
        assert_eq!(played.telnyx.totals().requests, requests, "{told:?}");
        played.end().await;
    }
}

#[tokio::test]
async fn callbacks_that_come_twice_late_or_in_reverse_tell_the_same() {
    for quirk in [
        Quirk::DuplicateCallbacks { extra: 2 },
        Quirk::LateCallbacks { by: Duration::from_secs(20) },
        Quirk::ReorderedCallbacks,
        Quirk::NoCallbacks,
    ] {
        let played = Played::new().await;
        let lead = played.lead([answered().with(quirk.clone())]).await;
        let record = played.world.finished(lead).await;
        assert_eq!(told(&record), ["bound: successful"], "{quirk:?}");
        played.end().await;
    }
}

#[tokio::test]
async fn a_callback_must_prove_itself_by_its_signature_and_by_its_address() {
    let played = Played::new().await;
    let world = &played.world;
    let lead = LeadId(uuid::Uuid::from_u128(7));
    let key = DialKey(AttemptRef { client: world.client, lead, number: AttemptNumber::FIRST });
    let secret = world.engine.key().secret_of(key);
    let wrong = "0".repeat(secret.len());
    let now = world.database_time().await.timestamp();
    let account = format!("/webhooks/telnyx/{}/{}", world.client, world.account);
    let signer = SigningKey::from_bytes(&played.telnyx.config().signing_seed.0);
    let send = async |path: &str, form: &'static str, at: i64, signer: &SigningKey| {
        let signature = signer.sign(format!("{at}|{form}").as_bytes()).to_bytes();
        let request = http_client()
            .expect("a client")
            .post(world.address(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("telnyx-timestamp", at)
            .header("telnyx-signature-ed25519", STANDARD.encode(signature));
        request.body(form).send().await.expect("it answers").status()
    };
    let own = format!("{account}/{key}/{secret}");
    let other = SigningKey::from_bytes(&[7; 32]);
    let busy = "CallSid=v3%3Aa&CallStatus=busy";
    for (path, at, signer, status) in [
        (own.clone(), now, &signer, StatusCode::OK),
        (own.clone(), now - 301, &signer, StatusCode::UNAUTHORIZED),
        (own.clone(), now, &other, StatusCode::UNAUTHORIZED),
        (format!("{account}/{key}/{wrong}"), now, &signer, StatusCode::UNAUTHORIZED),
        (format!("{account}/1/{secret}"), now, &signer, StatusCode::UNAUTHORIZED),
        (own.replace("/telnyx/", "/exotel/"), now, &signer, StatusCode::UNAUTHORIZED),
        (own.replace("/telnyx/", "/nobody/"), now, &signer, StatusCode::NOT_FOUND),
    ] {
        assert_eq!(send(&path, busy, at, signer).await, status, "{path}");
    }
    let strange = "CallSid=v3%3Aa&CallStatus=dreamt";
    assert_eq!(send(&own, strange, now, &signer).await, StatusCode::OK);
    let kept = "select count(*) from strange_webhooks where event = 'texml.dreamt'";
    assert_eq!(world.count(kept).await, 1);
    assert_eq!(send(&own, "CallStatus=busy", now, &signer).await, StatusCode::BAD_REQUEST);
    played.end().await;
}
