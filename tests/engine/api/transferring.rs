//! Handing calls that are under way to somebody else, with carriers that can and one that cannot.

use std::process::Stdio;
use std::time::Duration;

use outdial_emulators::carrier::Emulator;
use outdial_emulators::exotel;
use outdial_emulators::livekit::{self as livekit_emulator, LiveKitTwirp, SipStatus, Transfer, Webhooks};
use outdial_emulators::telnyx::{self as telnyx_emulator, TelnyxV2};
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::operations::suppressions::{self, Whose};
use outdial_jobs::providers::livekit::{self, LiveKit};
use outdial_jobs::providers::telnyx::{self, Telnyx};
use outdial_jobs::providers::{Provider, Registered};
use outdial_workflows::attempt::Ledger;
use outdial_workflows::call::{CallEnd, CallFact, CallResult, Source, Talk};
use outdial_workflows::ids::{AccountId, AttemptNumber, CampaignId, LeadId};
use outdial_workflows::input::Input;
use outdial_workflows::judge::LeadRecord;
use outdial_workflows::outward;
use outdial_workflows::transfer::TransferState;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;
use url::Url;

use super::{Answer, BY, Caller, key, place};
use crate::support::world::{SPEED, World, names, soon, told, until, until_some};

const PERSON: &str = "+14155550123";
const COLLEAGUE: &str = "+14155550177";

/// Longer than any test, in the emulators' time.
const LONG: Duration = Duration::from_secs(3_600);

/// An account of another carrier, and a running campaign that calls from it.
async fn through<A: Registered>(
    world: &World,
    base_url: &str,
    credentials: &A::Credentials,
    (settings, rules): (&A::Settings, Value),
) -> (AccountId, CampaignId) {
    let base_url = Url::parse(base_url).expect("a URL");
    let spec = AccountSpec {
        without_default_limits: true,
        ..AccountSpec::with::<A>(A::PROVIDER.name(), &base_url, credentials, settings)
    };
    let account = setup::create_account(&world.engine, world.client, spec).await.expect("an account");
    let rules = serde_json::from_value(rules).expect("rules");
    let spec = CampaignSpec { name: A::PROVIDER.name(), account, rules: &rules, actor: "a test" };
    let campaign = campaigns::create(&world.engine, world.client, spec).await.expect("a campaign");
    world.order(campaign, Order::Start).await;
    (account, campaign)
}

/// A lead whose call Telnyx makes.
async fn with_telnyx(world: &World, colleague: telnyx_emulator::Scenario) -> (Emulator<TelnyxV2>, LeadId) {
    let config = telnyx_emulator::Config { speed: SPEED, ..telnyx_emulator::Config::default() };
    let emulator = Emulator::<TelnyxV2>::start(config).await.expect("an emulator");
    emulator.script(PERSON, [telnyx_emulator::Scenario::answered(LONG)]);
    emulator.script(COLLEAGUE, [colleague]);
    let config = emulator.config();
    let who = config.accounts.first().cloned().unwrap_or_default();
    let credentials = telnyx::Credentials { api_key: who.api_key.into(), public_key: config.public_key() };
    let settings = telnyx::Settings { connection_id: "1494404757140276705".into(), ..Default::default() };
    let rules = json!({ "calendar": "none", "caller_ids": ["+14155550100"] });
    let (_, campaign) = through::<Telnyx>(world, emulator.base_url(), &credentials, (&settings, rules)).await;
    let lead = world.lead(campaign, PERSON).await;
    world.until(lead, |record| record.attempts.first().is_some_and(|made| made.answered_at.is_some())).await;
    (emulator, lead)
}

/// A lead whose call LiveKit makes. That somebody answered shows only to who asks.
async fn with_livekit(world: &World, transfer: Transfer) -> (Emulator<LiveKitTwirp>, LeadId) {
    let config = livekit_emulator::Config { speed: SPEED, ..livekit_emulator::Config::default() };
    let emulator = Emulator::<LiveKitTwirp>::start(config).await.expect("an emulator");
    emulator.script(PERSON, [livekit_emulator::Scenario::answered(LONG).transferring(transfer)]);
    let config = emulator.config();
    let who = config.keys.first().cloned().unwrap_or_default();
    let credentials = livekit::Credentials { api_key: who.api_key, api_secret: who.api_secret.into() };
    let settings = livekit::Settings {
        sip_trunk_id: config.trunks.first().cloned().unwrap_or_default().sip_trunk_id,
        poll_first_ms: 600_000,
        ask_cap_ms: 600_000,
        ..Default::default()
    };
    let agent = json!({ "mode": "hosted", "agent_id": "caller" });
    let rules = json!({ "calendar": "none", "caller_ids": ["+15550100"], "agent": agent });
    let (account, campaign) =
        through::<LiveKit>(world, emulator.base_url(), &credentials, (&settings, rules)).await;
    let path = format!("webhooks/{}/{}/{account}", Provider::LiveKit.name(), world.client);
    let webhooks = Webhooks { urls: vec![world.address(&path).into()], ..config.webhooks.clone() };
    emulator.configure(livekit_emulator::Config { webhooks, ..config }).expect("a good config");
    let lead = world.lead(campaign, PERSON).await;
    world
        .until(lead, |record| record.attempts.first().is_some_and(|made| made.ledger == Ledger::Bound))
        .await;
    (emulator, lead)
}

fn path(world: &World, lead: LeadId) -> String {
    format!("/v1/clients/{}/calls/{lead}/transfer", world.client)
}

async fn transfer(caller: &Caller<'_>, lead: LeadId, to: &str) -> Answer {
    caller.post(&path(caller.world, lead), json!({ "to": to, "reason": "asked for a person" })).await
}

/// Once somebody has answered, as the carrier says when asked.
async fn transfer_once_answered(caller: &Caller<'_>, lead: LeadId, to: &str) -> Answer {
    until_some("the call to be answered", async || {
        let answer = transfer(caller, lead, to).await;
        if answer.status == StatusCode::CONFLICT {
            assert_eq!(answer.body["type"], "urn:outdial:problem:not-answered", "{answer:?}");
            return Err(format!("{answer:?}"));
        }
        Ok(answer)
    })
    .await
}

/// Where the transfer of a lead's first attempt stands.
fn state(record: &LeadRecord) -> Option<TransferState> {
    record.attempts.first()?.transfer.as_ref().map(|transfer| transfer.state)
}

/// What integrators are told of transfers.
fn announced(record: &LeadRecord) -> Vec<&'static str> {
    let told = record.events.iter().filter_map(|recorded| outward::told(&recorded.event));
    told.map(|told| told.kind).filter(|kind| kind.starts_with("call.transfer")).collect()
}

async fn hang_up(caller: &Caller<'_>, lead: LeadId) {
    let ended = caller.post(&format!("/v1/leads/{lead}/orders"), json!({ "order": "hang_up" })).await;
    assert_eq!(ended.status, StatusCode::OK, "{ended:?}");
    assert_eq!(told(&caller.world.finished(lead).await), ["bound: successful"]);
}

#[tokio::test]
async fn a_call_is_transferred_once_however_often_the_order_is_sent_and_its_person_was_reached() {
    let world = World::working().await;
    let colleague = telnyx_emulator::Scenario::answered(Duration::from_secs(60));
    let (emulator, lead) = with_telnyx(&world, colleague).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let order = json!({ "to": COLLEAGUE, "reason": "asked for a person" });
    let mut answers = vec![];
    for _ in 0..2 {
        let path = path(&world, lead);
        answers.push(caller.ask_once(Method::POST, &path, Some(order.clone()), Some("once")).await);
    }
    assert_eq!(answers[0].status, StatusCode::ACCEPTED, "{answers:?}");
    assert_eq!(answers[0].body["latest"]["transfer"]["to"], COLLEAGUE, "{answers:?}");
    assert!(answers[1].replayed && answers[1].body == answers[0].body, "{answers:?}");
    let again = transfer(&caller, lead, COLLEAGUE).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: successful"]);
    assert_eq!(announced(&record), ["call.transferring", "call.transferred"]);
    assert!(!names(&record).contains(&"second_call"), "{:?}", names(&record));
    assert_eq!(emulator.dials().numbers[COLLEAGUE].accepted, 1);
    let shown = caller.get(&format!("/v1/clients/{}/calls/{lead}", world.client)).await;
    assert_eq!(shown.body["latest"]["transfer"], json!({ "to": COLLEAGUE, "state": "done" }), "{shown:?}");
    let late = transfer(&caller, lead, COLLEAGUE).await;
    assert_eq!(late.body["type"], "urn:outdial:problem:no-call", "{late:?}");
    world.end().await;
}

#[tokio::test]
async fn a_call_that_was_not_taken_goes_on_and_may_be_transferred_again() {
    let world = World::working().await;
    let (emulator, lead) = with_telnyx(&world, telnyx_emulator::Scenario::busy()).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    for tries in 1..=2 {
        let ordered = transfer(&caller, lead, COLLEAGUE).await;
        assert_eq!(ordered.status, StatusCode::ACCEPTED, "{ordered:?}");
        let refused = |record: &LeadRecord| {
            state(record) == Some(TransferState::Refused)
                && announced(record).iter().filter(|kind| **kind == "call.transfer_refused").count() == tries
        };
        let record = world.until(lead, refused).await;
        assert!(record.attempts[0].ended.is_none(), "{record:#?}");
    }
    assert_eq!(emulator.dials().numbers[COLLEAGUE].accepted, 2);
    hang_up(&caller, lead).await;
    world.end().await;
}

#[tokio::test]
async fn whom_a_call_goes_to_is_told_something_first_only_where_our_own_agent_can_say_it() {
    let world = World::working().await;
    let (emulator, lead) = with_telnyx(&world, telnyx_emulator::Scenario::answered(LONG)).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let order = async |briefing: &str| {
        caller.post(&path(&world, lead), json!({ "to": COLLEAGUE, "briefing": briefing })).await
    };
    for wrong in ["  ", &"long ".repeat(200)] {
        let refused = order(wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        assert_eq!(place(&refused), "briefing", "{refused:?}");
    }
    // Nobody of ours talks in this call.
    let refused = order("Asha wants two rooms.").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert_eq!(refused.body["type"], "urn:outdial:problem:carrier-cannot", "{refused:?}");
    let rung = emulator.dials().numbers.get(COLLEAGUE).map_or(0, |rung| rung.accepted);
    assert_eq!(rung, 0, "nobody was rung");
    hang_up(&caller, lead).await;
    world.end().await;
}

#[tokio::test]
async fn whether_somebody_answered_is_asked_before_an_order_is_refused_for_it() {
    let world = World::working().await;
    let (emulator, lead) = with_livekit(&world, Transfer::Completed).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let own = until_some("the call to be answered", async || {
        let answer = transfer(&caller, lead, &format!("sip:{PERSON}@pbx.example.com")).await;
        if answer.status == StatusCode::CONFLICT { Err(format!("{answer:?}")) } else { Ok(answer) }
    })
    .await;
    assert_eq!(place(&own), "to", "{own:?}");
    let ordered = transfer(&caller, lead, "sip:desk@pbx.example.com").await;
    assert_eq!(ordered.status, StatusCode::ACCEPTED, "{ordered:?}");
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: successful"]);
    let record = world.until(lead, |record| state(record) == Some(TransferState::Done)).await;
    assert_eq!(announced(&record), ["call.transferred"]);
    let call = record.attempts[0].call_id.clone().expect("a name");
    assert_eq!(emulator.call(&call.0).expect("the call").transfers, 1);
    world.end().await;
}

#[tokio::test]
async fn what_a_carrier_turns_down_is_told_with_its_reason() {
    let world = World::working().await;
    let declined = Transfer::Rejected(SipStatus::new(603, "Decline"));
    let (_emulator, lead) = with_livekit(&world, declined).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let ordered = transfer_once_answered(&caller, lead, COLLEAGUE).await;
    assert_eq!(ordered.status, StatusCode::ACCEPTED, "{ordered:?}");
    let record = world.until(lead, |record| state(record) == Some(TransferState::Refused)).await;
    assert_eq!(announced(&record), ["call.transfer_refused"]);
    let story = caller.get(&format!("/v1/leads/{lead}/explanation")).await.body.to_string();
    assert!(story.contains("was not transferred: HTTP 403") && !story.contains(COLLEAGUE), "{story}");
    // On record is whose key it was, and why.
    assert!(story.contains("transfer by key a key") && story.contains("asked for a person"), "{story}");
    hang_up(&caller, lead).await;
    world.end().await;
}

#[tokio::test]
async fn a_transfer_whose_answer_is_lost_is_unknown_and_not_asked_for_again() {
    let world = World::working().await;
    let (emulator, lead) = with_livekit(&world, Transfer::Lost).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let ordered = transfer_once_answered(&caller, lead, COLLEAGUE).await;
    assert_eq!(ordered.status, StatusCode::ACCEPTED, "{ordered:?}");
    let record = world.until(lead, |record| state(record) == Some(TransferState::Unknown)).await;
    assert_eq!(announced(&record), ["call.transfer_unknown"]);
    // The person was handed over, and left.
    assert_eq!(told(&world.finished(lead).await), ["bound: successful"]);
    until("the order to be gone", async || world.count("select count(*) from jobs").await == 0).await;
    let call = record.attempts[0].call_id.clone().expect("a name");
    assert_eq!(emulator.call(&call.0).expect("the call").transfers, 1);
    world.end().await;
}

#[tokio::test]
async fn what_a_worker_had_begun_when_it_died_is_not_asked_for_again() {
    let mut world = World::working().await;
    let (emulator, lead) = with_livekit(&world, Transfer::Completed).await;
    world.stop_workers().await;
    {
        let caller = key(&world, Role::Operator, Some(world.client)).await;
        let ordered = transfer_once_answered(&caller, lead, COLLEAGUE).await;
        assert_eq!(ordered.status, StatusCode::ACCEPTED, "{ordered:?}");
    }
    let begun = "update attempts set transfer_state = 'asked' where transfer_state = 'ordered'";
    assert_eq!(world.run(begun).await, 1, "as its worker had committed");
    world.work().await;
    let record = world.until(lead, |record| state(record) == Some(TransferState::Unknown)).await;
    assert_eq!(announced(&record), ["call.transfer_unknown"]);
    let call = record.attempts[0].call_id.clone().expect("a name");
    assert_eq!(emulator.call(&call.0).expect("the call").transfers, 0);
    hang_up(&key(&world, Role::Operator, Some(world.client)).await, lead).await;
    world.end().await;
}

#[tokio::test]
async fn who_was_put_on_the_list_since_a_transfer_was_ordered_is_not_rung_by_it() {
    let mut world = World::working().await;
    let (emulator, lead) = with_livekit(&world, Transfer::Completed).await;
    world.stop_workers().await;
    {
        let caller = key(&world, Role::Operator, Some(world.client)).await;
        let ordered = transfer_once_answered(&caller, lead, COLLEAGUE).await;
        assert_eq!(ordered.status, StatusCode::ACCEPTED, "{ordered:?}");
    }
    let whose = Whose { client: world.client, campaign: None };
    let phones = [COLLEAGUE.parse().expect("a number")];
    suppressions::add(&world.engine, whose, &phones, "a wish", None, BY).await.expect("suppressed");
    world.work().await;
    let record = world.until(lead, |record| state(record) == Some(TransferState::Refused)).await;
    assert_eq!(announced(&record), ["call.transfer_refused"]);
    let call = record.attempts[0].call_id.clone().expect("a name");
    assert_eq!(emulator.call(&call.0).expect("the call").transfers, 0);
    hang_up(&key(&world, Role::Operator, Some(world.client)).await, lead).await;
    world.end().await;
}

#[tokio::test]
async fn who_is_not_to_be_called_is_not_called_by_a_transfer_and_some_carriers_have_none() {
    let world = World::working().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.scripted(campaign, "+919876500001", [exotel::Scenario::silent()]).await;
    world
        .until(lead, |record| record.attempts.first().is_some_and(|made| made.ledger == Ledger::Bound))
        .await;
    for wrong in ["14155550177", "tel:+14155550177", "", "sip:desk"] {
        assert_eq!(place(&transfer(&caller, lead, wrong).await), "to", "{wrong}");
    }
    let whose = Whose { client: world.client, campaign: None };
    let phones = [COLLEAGUE.parse().expect("a number")];
    suppressions::add(&world.engine, whose, &phones, "a wish", None, BY).await.expect("suppressed");
    for to in [COLLEAGUE.to_owned(), format!("sip:{COLLEAGUE}@pbx.example.com")] {
        let refused = transfer(&caller, lead, &to).await;
        assert_eq!(place(&refused), "to");
        assert!(refused.body.to_string().contains("suppression list"), "{refused:?}");
    }
    let cannot = transfer(&caller, lead, "+14155550188").await;
    assert_eq!(cannot.status, StatusCode::CONFLICT, "{cannot:?}");
    assert_eq!(cannot.body["type"], "urn:outdial:problem:carrier-cannot", "{cannot:?}");
    assert!(cannot.body["detail"].as_str().is_some_and(|why| why.contains("Exotel")), "{cannot:?}");
    let waiting = world.draft(json!({})).await;
    let waiting = world.lead(waiting, "+919876500002").await;
    let none = transfer(&caller, waiting, "+14155550188").await;
    assert_eq!(none.body["type"], "urn:outdial:problem:no-call", "{none:?}");
    let nobody = LeadId(uuid::Uuid::new_v4());
    assert_eq!(transfer(&caller, nobody, "+14155550188").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.count("select count(*) from jobs where kind = 'transfer.v1'").await, 0);
    let talk = Some(Talk { ms: 5_000 });
    let end = CallEnd { result: CallResult::Answered, talk, cause: None };
    let news = Input::News {
        attempt: AttemptNumber::FIRST,
        fact: CallFact::ended(None, end),
        source: Source::Webhook,
    };
    world.engine.input(world.client, lead, news, None).await.expect("taken in");
    world.end().await;
}

/// The same command through the world's server.
async fn says_there(caller: &Caller<'_>, arguments: &[&str]) -> (Value, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outdial"));
    command.args(arguments).arg("--json").env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command.env("OUTDIAL_SERVER", caller.world.public_url().as_str());
    command.env("OUTDIAL_API_KEY", caller.token.as_deref().expect("a key"));
    let output = soon("a command", command.output()).await.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")), output.status.code())
}

#[tokio::test]
async fn a_call_is_transferred_by_a_command_with_the_database_and_through_a_server() {
    let world = World::working().await;
    let (_emulator, lead) = with_telnyx(&world, telnyx_emulator::Scenario::busy()).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let id = lead.to_string();
    for (tries, there) in [(1, false), (2, true)] {
        let order = ["lead", "transfer", id.as_str(), "--to", COLLEAGUE, "--reason", "asked for a person"];
        let (said, code) = if there { says_there(&caller, &order).await } else { world.says(&order).await };
        assert_eq!(
            (code, &said["command"], &said["lead"]),
            (Some(0), &json!("transfer"), &json!(id)),
            "{said}"
        );
        let refused = |record: &LeadRecord| {
            announced(record).iter().filter(|kind| **kind == "call.transfer_refused").count() == tries
        };
        world.until(lead, refused).await;
    }
    hang_up(&caller, lead).await;
    let (late, code) = world.says(&["lead", "transfer", &id, "--to", COLLEAGUE]).await;
    assert_eq!(code, Some(1), "{late}");
    assert!(late["error"].to_string().contains("no call is under way"), "{late}");
    world.end().await;
}
