//! Who may be called: consent, suppression lists, caps and places, from the store to the phone.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use outdial_emulators::exotel::Scenario;
use outdial_jobs::clock::SetClock;
use outdial_jobs::import::Options;
use outdial_jobs::operations::consents::{self, ConsentSpec};
use outdial_jobs::operations::imports::{self, Sent};
use outdial_jobs::operations::judging;
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_jobs::operations::suppressions::{self, Added, Whose};
use outdial_jobs::operations::{By, Part};
use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, LeadId};
use outdial_workflows::input::Command;
use outdial_workflows::judge::LeadRecord;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::packs::{ConsentLevel, Purpose};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::support::world::{Setup, World, names, phones, spec, told, until};

const ASHA: By<'static> = By { actor: "asha", reason: Some("a test") };
const PHONE: &str = "+919876543210";

/// Wednesday noon in Kolkata, and a calendar that leaves the hours to the law.
async fn noon() -> (World, Arc<SetClock>) {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    (World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await, clock)
}

fn all_week() -> Value {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    json!([{ "days": days, "from": "00:00", "to": "24:00" }])
}

fn phone(text: &str) -> PhoneNumber {
    text.parse().expect("a number")
}

fn answered() -> Scenario {
    Scenario::answered(Duration::from_secs(20))
}

fn express() -> ConsentSpec {
    ConsentSpec {
        level: ConsentLevel::Express,
        purpose: None,
        source: "form of 12 March".into(),
        given_at: None,
        expires_at: None,
    }
}

async fn consent(world: &World, consent: &ConsentSpec) -> consents::Added {
    consents::add(&world.engine, world.client, &phone(PHONE), consent, ASHA).await.expect("recorded")
}

async fn revoke(world: &World, purpose: Option<Purpose>) -> u64 {
    consents::revoke(&world.engine, world.client, &phone(PHONE), purpose, ASHA).await.expect("revoked")
}

async fn admit(world: &World, lead: LeadId) -> LeadRecord {
    world.engine.admit(world.client).await.expect("a round");
    world.record(lead).await
}

/// Accepts one lead.
async fn accept(world: &World, campaign: CampaignId, spec: LeadSpec) -> LeadId {
    let accepted = leads::accept(&world.engine, world.client, campaign, &[spec]).await;
    accepted.expect("accepted").leads[0]
}

#[tokio::test]
async fn a_lead_without_consent_is_held_and_goes_on_by_itself_once_it_is_recorded() {
    let (mut world, _) = noon().await;
    let campaign = world.campaign(json!({ "calendar": all_week() })).await;
    let lead = world.scripted(campaign, PHONE, [answered()]).await;
    let other = world.scripted(campaign, "+919876543211", [answered()]).await;
    let held = admit(&world, lead).await;
    let area = Some("IN".parse().expect("an area"));
    assert_eq!(
        (held.workflow.state, held.workflow.why),
        (State::Held, Why::NeedsConsent { level: ConsentLevel::Express, area })
    );
    world.work().await;
    let added = consent(&world, &express()).await;
    assert_eq!((added.new, added.released), (1, 1));
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: successful"]);
    // The same again is no second consent, and the other person agreed to nothing.
    assert_eq!(consent(&world, &express()).await, consents::Added::default());
    assert_eq!(world.record(other).await.workflow.state, State::Held);
    until("all jobs to be done", async || world.count("select count(*) from jobs").await == 0).await;
    world.end().await;
}

#[tokio::test]
async fn consent_for_other_calls_or_of_a_lesser_kind_does_not_let_a_lead_through() {
    let (mut world, clock) = noon().await;
    let rules = json!({ "calendar": all_week(), "consent": "express_written" });
    let campaign = world.campaign(rules).await;
    let lead = world.scripted(campaign, PHONE, [answered()]).await;
    admit(&world, lead).await;
    world.work().await;
    let lessers = [
        express(),
        ConsentSpec { level: ConsentLevel::ExpressWritten, purpose: Some(Purpose::Service), ..express() },
        ConsentSpec {
            level: ConsentLevel::ExpressWritten,
            given_at: Some(clock.read() - TimeDelta::days(9)),
            expires_at: Some(clock.read()),
            ..express()
        },
    ];
    for (times, lesser) in (2..).zip(lessers) {
        assert_eq!(consent(&world, &lesser).await.released, 1, "{lesser:?}");
        // Let go, looked at, and held again.
        until("it to be held again", async || {
            let record = admit(&world, lead).await;
            let held = names(&record).into_iter().filter(|name| *name == "held").count();
            held == times && record.workflow.state == State::Held
        })
        .await;
    }
    consent(&world, &ConsentSpec { level: ConsentLevel::ExpressWritten, ..express() }).await;
    world.finished(lead).await;
    world.end().await;
}

#[tokio::test]
async fn consent_that_is_taken_back_stops_a_reserved_attempt_until_it_is_given_anew() {
    let (mut world, clock) = noon().await;
    let campaign = world.campaign(json!({ "calendar": all_week() })).await;
    consent(&world, &express()).await;
    let lead = world.scripted(campaign, PHONE, [answered()]).await;
    assert_eq!(admit(&world, lead).await.workflow.state, State::Dialling);
    assert_eq!(revoke(&world, None).await, 1);
    world.work().await;
    world.until(lead, |record| record.workflow.state == State::Waiting).await;
    clock.advance(TimeDelta::seconds(2));
    until("it to be held", async || admit(&world, lead).await.workflow.state == State::Held).await;
    let record = world.record(lead).await;
    assert!(matches!(record.workflow.why, Why::ConsentRevoked { .. }), "{:?}", record.workflow.why);
    assert_eq!((told(&record), world.carrier.totals().accepted), (vec!["withdrawn, not counted".into()], 0));
    // Consent of which nobody knows when it was given may be what was taken back.
    assert_eq!(consent(&world, &express()).await.new, 0);
    let anew = ConsentSpec { given_at: Some(clock.read()), ..express() };
    assert_eq!(consent(&world, &anew).await.released, 1);
    world.finished(lead).await;
    let recorded = consents::list(&world.engine, world.client, &phone(PHONE)).await.expect("listed");
    assert_eq!(recorded.iter().filter(|row| row.consent.revoked_at.is_some()).count(), 1);
    assert_eq!(world.count("select count(*) from audit where action like 'consent %'").await, 4);
    world.end().await;
}

#[tokio::test]
async fn what_was_never_given_can_be_taken_back_and_for_some_calls_alone() {
    let (mut world, clock) = noon().await;
    let rules = |purpose: &str| json!({ "calendar": all_week(), "purpose": purpose, "voice": "human" });
    let service = world.campaign(rules("service")).await;
    assert_eq!(revoke(&world, Some(Purpose::Service)).await, 0);
    clock.advance(TimeDelta::seconds(1));
    let lead = world.scripted(service, PHONE, [answered()]).await;
    let held = admit(&world, lead).await.workflow;
    assert!(matches!(held.why, Why::ConsentRevoked { .. }), "{held:?}");
    let collections = world.campaign(rules("collections")).await;
    let other = world.scripted(collections, PHONE, [answered()]).await;
    world.work().await;
    world.finished(other).await;
    assert_eq!(world.record(lead).await.workflow.state, State::Held);
    world.end().await;
}

#[tokio::test]
async fn the_person_who_pauses_a_held_lead_is_not_overruled_by_consent() {
    let (mut world, _) = noon().await;
    let campaign = world.campaign(json!({ "calendar": all_week() })).await;
    let lead = world.scripted(campaign, PHONE, [answered()]).await;
    admit(&world, lead).await;
    world.command(lead, Command::Pause).await;
    world.work().await;
    assert_eq!(consent(&world, &express()).await.released, 0);
    assert_eq!(admit(&world, lead).await.workflow.state, State::Held);
    world.command(lead, Command::Resume).await;
    world.finished(lead).await;
    world.end().await;
}

#[tokio::test]
async fn a_list_holds_until_it_ends_or_the_number_is_taken_off_it() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let (campaign, elsewhere) = (world.campaign(json!({})).await, world.campaign(json!({})).await);
    let whole = Whose { client: world.client, campaign: None };
    let bounded = Whose { campaign: Some(campaign), ..whole };
    let add = async |whose, until| {
        suppressions::add(&world.engine, whose, &[phone(PHONE)], "a wish", until, ASHA).await.expect("added")
    };
    let hour = clock.read() + TimeDelta::hours(1);
    let new = Added { added: 1, ..Added::default() };
    assert_eq!(add(bounded, Some(hour)).await, new);
    assert_eq!(add(bounded, Some(hour)).await, Added { already: 1, ..Added::default() });
    let lead = world.scripted(campaign, PHONE, [answered(), answered()]).await;
    let waits = admit(&world, lead).await.workflow;
    assert_eq!((waits.why, waits.wake_at), (Why::Suppressed { until: Some(hour) }, Some(hour)));
    // The list is the other campaign's no concern.
    let other = world.lead(elsewhere, PHONE).await;
    world.work().await;
    world.finished(other).await;
    // Its end comes, and the lead's turn with it.
    clock.advance(TimeDelta::hours(1));
    admit(&world, lead).await;
    world.finished(lead).await;
    // What ended did not hold meanwhile; then it holds for good, and a shorter list shortens nothing.
    clock.advance(TimeDelta::seconds(1));
    let add = async |whose, until| {
        suppressions::add(&world.engine, whose, &[phone(PHONE)], "a wish", until, ASHA).await.expect("added")
    };
    assert_eq!(add(bounded, Some(clock.read() + TimeDelta::hours(9))).await, new);
    assert_eq!(add(bounded, None).await, Added { extended: 1, ..Added::default() });
    assert_eq!(
        add(bounded, Some(clock.read() + TimeDelta::hours(9))).await,
        Added { already: 1, ..Added::default() }
    );
    let never = accept(&world, campaign, spec(PHONE)).await;
    assert_eq!(world.finished(never).await.workflow.outcome, Some(Outcome::DoNotCall));
    let listed = suppressions::list(&world.engine, whole, Some(&phone(PHONE)), Part::newest(10))
        .await
        .expect("listed");
    assert_eq!((listed.len(), listed[0].expires_at, listed[0].actor.as_str()), (1, None, "asha"));
    let remove = async |whose| suppressions::remove(&world.engine, whose, &phone(PHONE), ASHA).await;
    assert!(!remove(whole).await.expect("asked"), "it is on the campaign's list alone");
    assert!(remove(bounded).await.expect("removed") && !remove(bounded).await.expect("asked"));
    clock.advance(TimeDelta::seconds(1));
    world.command(never, Command::Retry).await;
    assert_eq!(told(&world.finished(never).await), ["bound: successful"]);
    let noted = "select count(*) from audit where action in ('suppress', 'unsuppress') and reason = 'a test'";
    assert_eq!(world.count(noted).await, 4);
    world.end().await;
}

#[tokio::test]
async fn a_file_of_numbers_is_put_on_a_list_once_and_its_bad_rows_are_reported() {
    let mut world = World::new().await;
    let campaign = world.campaign(json!({})).await;
    let file = |text: &str| {
        let mut file = NamedTempFile::new().expect("a file can be made");
        file.write_all(text.as_bytes()).expect("it can be written");
        file
    };
    let numbers = phones(1, 2_300).join("\n");
    let plain = file(&format!("{numbers}\n12\n+919800000001\n"));
    let columns = file("Name,Mobile No,priority\nAsha,9800000001,whenever\nBela,9800009999,\n");
    let import = async |file: &NamedTempFile, more: &[&str]| {
        let path = file.path().to_str().expect("it is text");
        let arguments = [&["suppression", "import", path, "--client", "A client"], more].concat();
        world.says(&arguments).await
    };
    let counts = |said: &Value| ["added", "already", "problems_total"].map(|name| said[name].as_u64());
    let (said, code) = import(&plain, &[]).await;
    assert_eq!((counts(&said), code), ([Some(2_300), Some(1), Some(1)], Some(0)), "{said}");
    assert_eq!(said["problems"][0]["line"], 2_301);
    let (said, _) = import(&plain, &[]).await;
    assert_eq!(counts(&said), [Some(0), Some(2_301), Some(1)], "{said}");
    let (said, _) = import(&columns, &["--region", "IN", "--source", "DND of May"]).await;
    assert_eq!(counts(&said), [Some(1), Some(1), Some(0)], "{said}");
    let lead = world.lead(campaign, "+919800009999").await;
    world.work().await;
    assert_eq!(world.finished(lead).await.workflow.outcome, Some(Outcome::DoNotCall));
    assert_eq!(world.count("select count(*) from suppressions where source = 'DND of May'").await, 1);
    world.end().await;
}

#[tokio::test]
async fn attempts_on_a_number_count_over_all_campaigns_of_the_client() {
    let (mut world, clock) = noon().await;
    let rules = |caps: Value| json!({ "zone": "Asia/Kolkata", "caps": caps });
    let (first, second) =
        (world.campaign(json!({})).await, world.campaign(rules(json!({ "per_day": 1 }))).await);
    let third = world.campaign(rules(json!({ "in_all": 1 }))).await;
    world.carrier.script(PHONE, [answered(), answered()]);
    let called = world.lead(first, PHONE).await;
    world.work().await;
    world.finished(called).await;
    let enough = world.lead(third, PHONE).await;
    assert_eq!(world.finished(enough).await.workflow.why, Why::TriedEnough { max: 1 });
    let again = world.lead(second, PHONE).await;
    let tomorrow: Moment = "2026-01-14T18:30:00Z".parse().expect("a time");
    let waits = world.until(again, |record| record.workflow.why != Why::New).await.workflow;
    assert_eq!((waits.why, waits.wake_at), (Why::TriedToday { max: 1, until: tomorrow }, Some(tomorrow)));
    clock.advance(tomorrow - clock.read());
    admit(&world, again).await;
    assert_eq!(told(&world.finished(again).await), ["bound: successful"]);
    world.end().await;
}

#[tokio::test]
async fn an_attempt_that_ended_while_another_was_reserved_is_counted_before_that_is_sent() {
    let mut world = World::new().await;
    let campaign = world.campaign(json!({ "caps": { "in_all": 1 } })).await;
    let elsewhere = world.draft(json!({})).await;
    let other = world.lead(elsewhere, PHONE).await;
    let lead = world.lead(campaign, PHONE).await;
    assert_eq!(admit(&world, lead).await.workflow.state, State::Dialling);
    // As if its end had been committed between the look at the number and the reservation.
    world
        .run(&format!(
            "insert into attempts (client_id, lead_id, number, campaign_id, revision, account_id, phone, ledger, counts,
                barrier_version, dial_by, reserved_at, submitted_at, submit_token, replied_at, call_id, status, ended_at, result)
            select client_id, '{other}', 1, '{elsewhere}', 1, account_id, phone, 'bound', true, 0, now(), now(), now(),
                gen_random_uuid(), now(), 'a call', 'completed', now(), 'answered' from attempts"
        ))
        .await;
    world.work().await;
    let record = world.finished(lead).await;
    assert_eq!(record.workflow.why, Why::TriedEnough { max: 1 });
    assert_eq!((told(&record), world.carrier.totals().accepted), (vec!["withdrawn, not counted".into()], 0));
    // That attempt is nobody's story: there is nothing to judge.
    world.settle().await;
}

#[tokio::test]
async fn a_lead_who_moved_is_called_by_the_clocks_and_the_law_of_the_new_place() {
    let (mut world, clock) = noon().await;
    let campaign = world.campaign(json!({ "calendar": all_week() })).await;
    world.carrier.script(PHONE, [answered()]);
    let written = ConsentSpec { level: ConsentLevel::ExpressWritten, ..express() };
    let moved = LeadSpec { region: Some("US-FL".into()), consent: Some(written), ..spec(PHONE) };
    let lead = accept(&world, campaign, moved).await;
    assert_eq!(admit(&world, lead).await.attempts.len(), 0);
    // 8:00 in Pensacola, when it is 9:00 in Miami.
    let opens_at: Moment = "2026-01-14T14:00:00Z".parse().expect("a time");
    let explained = judging::explain_lead(&world.engine, world.client, lead).await.expect("explained");
    assert_eq!(explained.next.map(|next| next.at), Some(opens_at));
    clock.advance(opens_at - clock.read());
    world.work().await;
    admit(&world, lead).await;
    assert_eq!(told(&world.finished(lead).await), ["bound: successful"]);
    world.end().await;
}

#[tokio::test]
async fn consent_and_place_come_in_with_a_file_and_let_its_held_leads_go_when_they_come_later() {
    let (mut world, _) = noon().await;
    let campaign = world.campaign(json!({ "calendar": all_week() })).await;
    // In this process, where the clock stands still: people's commands go by the database's.
    let import = async |text: &str, consent: Option<ConsentSpec>| {
        let options = Options { consent, ..Options::default() };
        let by = By { actor: "asha", reason: None };
        let sent = Sent { client: world.client, campaign, name: "a file", options: &options, by };
        let file = std::io::Cursor::new(text.to_owned());
        let said = imports::file(&world.engine, sent, file, |_| ()).await.expect("imported").counts;
        [said.accepted, said.duplicates, said.consents, said.problems]
    };
    let bare = "phone,name\n+919800000001,Asha\n+919800000002,Bela\n";
    assert_eq!(import(bare, None).await, [2, 0, 0, 0]);
    until("both to be held", async || {
        world.engine.admit(world.client).await.expect("a round");
        world.count("select count(*) from workflows where why->>'why' = 'needs_consent'").await == 2
    })
    .await;
    let rows = "phone,name,consent,consent source,consent date,country,state code\n\
        +919800000001,Asha,Express,form 7,2026-01-02,India,\n\
        +919800000002,Bela,maybe,,,,\n\
        +12125550100,Cora,written,,,United States,FL\n\
        +12125550101,Dora,none,,,US,NY\n\
        +919800000003,Edda,,,,Utopia,\n";
    let given_at = Some("2026-01-01T00:00:00Z".parse().expect("a time"));
    let every = Some(ConsentSpec { source: "the list of May".into(), given_at, ..express() });
    assert_eq!(import(rows, every.clone()).await, [2, 1, 2, 2]);
    assert_eq!(import(rows, every.clone()).await, [0, 3, 0, 2], "the same file twice");
    world.work().await;
    until("Asha to be called", async || {
        world.count("select count(*) from workflows where state = 'finished'").await == 1
    })
    .await;
    assert_eq!(world.count("select count(*) from leads where region = 'US-FL'").await, 1);
    assert_eq!(
        world
            .count(
                "select count(*) from consents where source = 'the list of May' and level = 'express_written'"
            )
            .await,
        1
    );
    until("all jobs to be done", async || world.count("select count(*) from jobs").await == 0).await;
    world.end().await;
}
