//! Whole lives of leads, from acceptance to the recorded end.

use std::time::Duration;

use outdial_emulators::exotel::{Config, Limits, Quirk, Reply, ReplyBody, Scenario};
use outdial_jobs::operations::judging;
use outdial_workflows::call::{CallFact, CallId, CallResult, CallStatus, Source};
use outdial_workflows::history::Event;
use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::{Command, Input};
use outdial_workflows::judge::LeadRecord;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::State;
use serde_json::json;

use crate::support::world::{SPEED, Setup, World, names, settings, told, until};

fn answered() -> Scenario {
    Scenario::answered(Duration::from_secs(20))
}

/// One lead whose phone behaves as scripted: what its attempts and the lead itself came to.
struct Life {
    script: Vec<Scenario>,
    attempts: &'static [&'static str],
    outcome: Outcome,
}

/// Lives the leads of one campaign at the same time, and asserts what came of each.
async fn check(lives: Vec<Life>) {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let mut leads = vec![];
    for (n, life) in lives.iter().enumerate() {
        let phone = format!("+9198765432{n:02}");
        leads.push((phone.clone(), world.scripted(campaign, &phone, life.script.clone()).await));
    }
    for (life, (phone, lead)) in lives.iter().zip(leads) {
        let record = world.finished(lead).await;
        assert_eq!(told(&record), life.attempts, "{:?}", life.script);
        assert_eq!(record.workflow.outcome, Some(life.outcome), "{:?}", life.script);
        let dials = world.carrier.dials();
        let rang = dials.numbers.get(&phone).map_or(0, |count| count.accepted);
        let reached = record.attempts.iter().filter(|attempt| attempt.call_id.is_some()).count();
        assert_eq!(u32::try_from(reached), Ok(rang), "{:?}: each call is known by its name", life.script);
    }
    world.end().await;
}

#[tokio::test]
async fn a_lead_is_called_until_it_is_reached_or_has_had_its_attempts() {
    let life = |script: Vec<Scenario>, attempts, outcome| Life { script, attempts, outcome };
    check(vec![
        life(vec![answered()], &["bound: successful"], Outcome::Successful),
        life(vec![Scenario::no_answer()], &["bound: no answer"; 3], Outcome::NoAnswer),
        life(vec![Scenario::busy(), answered()], &["bound: busy", "bound: successful"], Outcome::Successful),
        life(
            vec![Scenario::failed(), Scenario::no_answer(), Scenario::busy()],
            &["bound: failed", "bound: no answer", "bound: busy"],
            Outcome::Busy,
        ),
    ])
    .await;
}

#[tokio::test]
async fn callbacks_may_be_missing_repeated_reversed_or_late() {
    let quirks = [
        Quirk::NoCallbacks,
        Quirk::DuplicateCallbacks { extra: 3 },
        Quirk::ReorderedCallbacks,
        Quirk::LateCallbacks { by: Duration::from_secs(60) },
    ];
    let life = |quirk| Life {
        script: vec![answered().with(quirk)],
        attempts: &["bound: successful"],
        outcome: Outcome::Successful,
    };
    check(quirks.map(life).into()).await;
}

#[tokio::test]
async fn a_call_whose_acceptance_was_lost_is_found_and_not_dialled_again() {
    let quirks = [
        Quirk::AcceptThenDrop,
        Quirk::Hang { accepted: true, times: 1 },
        Quirk::Reply(Reply::server_error(503, true)),
        Quirk::Reply(Reply { status: 200, ..Reply::server_error(200, true).with_body(ReplyBody::Html) }),
        Quirk::SlowResponse { by: Duration::from_secs(60), accepted_last: true },
    ];
    let by_callback = |quirk: &Quirk| Life {
        script: vec![answered().with(quirk.clone())],
        attempts: &["bound: successful"],
        outcome: Outcome::Successful,
    };
    let by_asking = |quirk: &Quirk| Life {
        script: vec![answered().with(quirk.clone()).with(Quirk::NoCallbacks)],
        ..by_callback(quirk)
    };
    check(quirks.iter().map(by_callback).chain(quirks.iter().map(by_asking)).collect()).await;
}

#[tokio::test]
async fn a_request_that_was_never_accepted_is_known_to_be_absent_and_the_lead_is_tried_again() {
    let quirks = [
        Quirk::DropBeforeAccepting { times: 1 },
        Quirk::Hang { accepted: false, times: 1 },
        Quirk::Reply(Reply::server_error(503, false)),
        Quirk::Reply(Reply { status: 200, ..Reply::server_error(200, false).with_body(ReplyBody::Empty) }),
    ];
    let life = |quirk| Life {
        script: vec![answered().with(quirk)],
        attempts: &["absent: unknown", "bound: successful"],
        outcome: Outcome::Successful,
    };
    check(quirks.map(life).into()).await;
}

fn turned_down(message: &str) -> Scenario {
    answered().with(Quirk::Reply(Reply::refusal(400, "BAD", message, 1)))
}

#[tokio::test]
async fn a_number_that_the_carrier_turns_down_for_good_is_not_tried_again() {
    let life = |message, attempts, outcome| Life { script: vec![turned_down(message)], attempts, outcome };
    check(vec![
        life(
            "From is not a valid phone number",
            &["refused, not counted: invalid number"],
            Outcome::InvalidNumber,
        ),
        life("StatusCallback is not taken", &["refused, not counted: failed"], Outcome::Failed),
    ])
    .await;
}

#[tokio::test]
async fn a_lead_whose_call_is_turned_down_for_our_side_of_it_is_held_until_that_is_mended() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let script = [turned_down("CallerId is not an ExoPhone"), answered()];
    let lead = world.scripted(campaign, "+919876543210", script).await;
    let held = world.until(lead, |record| record.workflow.state == State::Held).await;
    assert_eq!(told(&held), ["refused, not counted"]);
    world.command(lead, Command::Resume).await;
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["refused, not counted", "bound: successful"]);
    assert_eq!(record.workflow.counted, 1);
    world.end().await;
}

#[tokio::test]
async fn a_call_never_heard_of_again_keeps_its_slot_and_is_asked_about_to_the_end() {
    let world = World::working().await;
    let short = json!({ "call_time_limit_s": 60, "retry": { "max_attempts": 1 } });
    let campaign = world.campaign(short).await;
    let lead = world.scripted(campaign, "+919876543210", [Scenario::silent()]).await;
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: failed"]);
    let ended = record.events.iter().find_map(|recorded| match &recorded.event {
        Event::Ended { result, source, .. } => Some((*result, *source)),
        _ => None,
    });
    assert_eq!(ended, Some((CallResult::Failed, Source::Poll)));
    world.end().await;
}

#[tokio::test]
async fn a_throttled_request_rests_the_account_and_does_not_count() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let throttled = Scenario::busy().with(Quirk::Reply(Reply::throttled(1, Some(2))));
    let lead = world.scripted(campaign, "+919876543210", [throttled, answered()]).await;
    world.until(lead, |record| !record.attempts.is_empty() && record.workflow.state == State::Waiting).await;
    until("the account to rest", async || {
        world.count("select count(*) from accounts where resting_until > clock_timestamp()").await == 1
    })
    .await;
    // Somebody else is dialled once the account has rested, and no sooner.
    let other = world.scripted(campaign, "+919876543211", [answered()]).await;
    let until: outdial_workflows::Moment = sqlx::query_scalar("select resting_until from accounts")
        .fetch_one(world.db.pool())
        .await
        .expect("it rests");
    let (record, other) = (world.finished(lead).await, world.finished(other).await);
    assert_eq!(told(&record), ["refused, not counted", "bound: busy", "bound: successful"]);
    assert_eq!(record.workflow.counted, 2);
    assert_eq!(told(&other), ["bound: successful"]);
    let submitted = [&record.attempts[1], &other.attempts[0]].map(|attempt| attempt.submission);
    assert!(submitted.iter().flatten().all(|submission| submission.at >= until), "{submitted:?} {until}");
    world.end().await;
}

#[tokio::test]
async fn wrong_credentials_hold_the_account_and_lose_no_lead() {
    let mut world = World::with(Setup { token: "wrong", ..Setup::default() }).await;
    world.work().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876543210").await;
    let record = world
        .until(lead, |record| record.workflow.refusals == 1 && record.workflow.state == State::Waiting)
        .await;
    assert_eq!(told(&record), ["refused, not counted"]);
    until("the account to be held", async || {
        world.count("select count(*) from accounts where held_cause like '%401%'").await == 1
    })
    .await;
    let explained = judging::explain_lead(&world.engine, world.client, lead).await.expect("explained");
    assert!(explained.why.contains("401"), "{explained:#?}");
    let [to_change] = explained.to_change.as_slice() else { panic!("{explained:#?}") };
    assert!(to_change.contains("other credentials"), "{explained:#?}");
    assert_eq!(world.carrier.totals().accepted, 0);
    world.end().await;
}

#[tokio::test]
async fn over_the_carriers_own_budget_every_lead_is_called_once_in_the_end() {
    // Ten a nominal minute, which is 600 ms here; Retry-After says at least a second.
    let limits = Limits { calls_per_minute: Some(10), reads_count: false, ..Limits::default() };
    let carrier = Config { limits, ..Setup::default().carrier };
    let mut world = World::with(Setup { carrier, ..Setup::default() }).await;
    world.work().await;
    let campaign = world.campaign(json!({})).await;
    world.leads(campaign, &crate::support::world::phones(1, 25)).await;
    world.all_finished().await;
    let successful = "select count(*) from workflows where outcome = 'successful' and counted = 1";
    assert_eq!(world.count(successful).await, 25);
    assert_eq!(world.carrier.totals().accepted, 25);
    world.end().await;
}

#[tokio::test]
async fn a_bot_that_talks_to_us_directly_proves_the_answer_by_its_stream() {
    let settings = outdial_jobs::providers::exotel::Settings {
        request_timeout_ms: 3_000,
        silence_ms: 6_000,
        poll_first_ms: 8_000,
        ask_cap_ms: 8_000,
        ..settings()
    };
    let mut world = World::with(Setup { settings, ..Setup::default() }).await;
    world.work().await;
    let campaign = world.campaign(json!({ "agent": { "mode": "stream" } })).await;
    let lead = world.scripted(campaign, "+919876543210", [answered().with(Quirk::NoCallbacks)]).await;
    let by_stream = |event: &Event| matches!(event, Event::Progressed { source: Source::Stream, .. });
    // A question to the carrier may have heard of the ringing before.
    world
        .until(lead, |record| {
            record.events.iter().any(|recorded| by_stream(&recorded.event))
                && record.attempts[0].answered_at.is_some()
        })
        .await;
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: successful"]);
    world.end().await;
}

#[tokio::test]
async fn a_person_who_did_not_answer_is_told_apart_from_a_call_that_has_no_bot() {
    // The stream never opens for a phone that nobody picks up.
    let world = World::working().await;
    let rules = json!({ "agent": { "mode": "stream" }, "retry": { "max_attempts": 1 } });
    let campaign = world.campaign(rules).await;
    let lead = world.scripted(campaign, "+919876543210", [Scenario::no_answer()]).await;
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: no answer"]);
    assert!(record.attempts[0].answered_at.is_none());
    world.end().await;
}

#[tokio::test]
async fn a_mixed_campaign_keeps_every_promise() {
    let carrier = Config {
        fallback: outdial_emulators::exotel::Fallback::Mix,
        speed: 3.0 * SPEED,
        ..Setup::default().carrier
    };
    let mut world = World::with(Setup { carrier, ..Setup::default() }).await;
    world.work().await;
    world.work_elsewhere().await;
    let campaign = world.campaign(json!({ "call_time_limit_s": 200 })).await;
    world.leads(campaign, &crate::support::world::phones(1, 150)).await;
    world.all_finished().await;
    world.end().await;
}

#[tokio::test]
async fn what_came_of_an_attempt_outlives_a_later_one_that_was_refused() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let throttled = answered().with(Quirk::Reply(Reply::throttled(1, Some(3_600))));
    let lead = world.scripted(campaign, "+919876543210", [Scenario::no_answer(), throttled]).await;
    let refused = |record: &LeadRecord| {
        record.workflow.state == State::Waiting
            && told(record) == ["bound: no answer", "refused, not counted"]
    };
    world.until(lead, refused).await;
    world.command(lead, Command::Cancel).await;
    assert_eq!(world.record(lead).await.workflow.outcome, Some(Outcome::NoAnswer));
    let verdict = |attempt, outcome| Input::Verdict { attempt, outcome, source: Source::Webhook };
    let amended = verdict(AttemptNumber::FIRST, Outcome::Voicemail);
    world.engine.input(world.client, lead, amended, None).await.expect("taken in");
    assert_eq!(world.record(lead).await.workflow.outcome, Some(Outcome::Voicemail));
    world.end().await;
}

#[tokio::test]
async fn a_second_call_is_alerted_once_whichever_process_hears_of_it_and_however_often() {
    let mut world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.scripted(campaign, "+919876543210", [answered()]).await;
    world.finished(lead).await;
    let fact = CallFact::progress(Some(CallId("another".into())), CallStatus::Ringing);
    let news = Input::News { attempt: AttemptNumber::FIRST, fact, source: Source::Webhook };
    for _ in 0..2 {
        let process = world.another_engine().await;
        process.input(world.client, lead, news.clone(), None).await.expect("taken in");
        process.stop().await;
    }
    let record = world.record(lead).await;
    assert_eq!(names(&record).iter().filter(|name| **name == "second_call").count(), 1);
    // The judge has no good word for such a carrier, so this world is not judged.
    world.settle().await;
}
