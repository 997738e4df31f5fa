//! Processes that hold conversations end, by order and by death.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use outdial::played::Played;
use outdial_emulators::media::{Line, Says};
use outdial_emulators::telnyx;
use outdial_jobs::providers::{Provider, http_client};
use outdial_jobs::seal::SealKey;
use outdial_workflows::conversation::Ending;
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::rules::Agent;
use outdial_workflows::transfer::TransferState;
use reqwest::StatusCode;
use rustix::process::Signal;

use super::cluster::TestDb;
use super::exposition::{CONVERSATIONS, documented, families};
use super::services::BRIEFING;
use super::world::World;

/// As long as a conversation of a few short sentences may take, and its end.
const TALK: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_person_talks_with_our_agent_and_what_was_said_is_kept_with_what_came_of_it() {
    let database = TestDb::new().await;
    let world = World::with_our_agent(database.url(), Says::Lines(vec![Line::in_answer("Yes.")])).await;
    let worker = world.speaking_worker(&[]);
    world.start().await;
    world.all_finished(TALK).await;
    let results = world.results().await;
    let said: Vec<&str> = results.transcript.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(said, ["Hi.", "Yes.", "Bye."], "{results:#?}");
    let course = results.course.as_ref().expect("a conversation of ours");
    assert_eq!((course.playbook.as_str(), &course.ending), ("short", &Ending::Finished("done".into())));
    assert_eq!(
        (course.abandoned, course.first_words_ms.is_some()),
        (Some(false), true),
        "they were spoken to"
    );
    assert_eq!(results.summary.as_deref(), Some("They said yes."), "it was analysed");
    assert_eq!(world.outcomes().await, [Some(Outcome::QualifiedLead)]);
    // Whoever follows the call late is told all of it.
    let told: Vec<serde_json::Value> =
        world.says(&["conversation", "follow", "+919870000000", "--json"]).await;
    let texts: Vec<&str> = told.iter().filter_map(|told| told["text"].as_str()).collect();
    assert_eq!(texts, said, "{told:?}");
    assert_eq!(told.last().expect("a status")["status"], "completed", "{told:?}");
    let shown = world.metrics().await;
    let families = families(&shown);
    for (name, family) in &documented()[CONVERSATIONS] {
        assert_eq!(families.get(name), Some(family), "{name}");
    }
    let ended = shown.lines().find(|line| line.starts_with("outdial_conversations_total"));
    assert!(
        ended.is_some_and(|line| line.contains(r#"ending="finished""#) && line.ends_with(" 1")),
        "{ended:?}"
    );
    world.assert_promises_kept().await;
    worker.stop().await;
}

#[tokio::test]
async fn the_calls_of_a_process_that_died_are_ended_by_another_within_a_lease() {
    let database = TestDb::new().await;
    let world = World::with_our_agent(database.url(), Says::Silence).await;
    let quick = ["--pace-lease-ms", "1500"];
    let mut dying = world.speaking_worker(&quick);
    world.start().await;
    world.said_at_least(1).await;
    dying.signal(Signal::KILL);
    let died = dying.end(Duration::from_secs(10)).await.value;
    assert_eq!(died.signal(), Some(Signal::KILL.as_raw()));
    let other = world.speaking_worker(&quick);
    world.all_finished(TALK).await;
    let results = world.results().await;
    let course = results.course.as_ref().expect("a conversation of ours");
    assert_eq!(course.ending, Ending::HolderLost);
    assert_eq!(results.transcript.first().map(|turn| turn.text.as_str()), Some("Hi."));
    // Nobody was talked with as they should have been: they are called again.
    assert!(world.records().await[0].attempts.len() > 1);
    world.assert_promises_kept().await;
    other.stop().await;
}

#[tokio::test]
async fn a_process_that_stood_still_for_longer_than_its_lease_lets_go_of_a_call_that_another_ended() {
    let database = TestDb::new().await;
    let world = World::with_our_agent(database.url(), Says::Silence).await;
    let quick = ["--pace-lease-ms", "1500"];
    let worker = world.worker(&["--role", "api,worker", "--pace-lease-ms", "1500"]);
    let late = world.speaking_media(&quick);
    world.start().await;
    world.said_at_least(1).await;
    late.signal(Signal::STOP);
    late.frozen().await;
    world.finished_an_attempt().await;
    let ended = world.results().await;
    late.signal(Signal::CONT);
    // It holds the next calls, and what was recorded of the one that it lost stays.
    world.all_finished(TALK).await;
    let results = world.results().await;
    let course = results.course.as_ref().expect("a conversation of ours");
    assert_eq!(course.ending, Ending::HolderLost);
    assert_eq!(results.transcript, ended.transcript);
    assert!(world.records().await[0].attempts.len() > 1);
    world.assert_promises_kept().await;
    worker.stop().await;
    late.stop().await;
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_lets_its_conversations_end() {
    let database = TestDb::new().await;
    let world = World::with_our_agent(database.url(), Says::Lines(vec![Line::in_answer("Yes.")])).await;
    let worker = world.speaking_worker(&[]);
    world.start().await;
    world.said_at_least(1).await;
    // It hears the carrier until the conversation is over, and records it.
    worker.stop().await;
    let results = world.results().await;
    let course = results.course.as_ref().expect("a conversation of ours");
    assert_eq!(course.ending, Ending::Finished("done".into()));
}

#[tokio::test]
async fn an_agent_tells_a_person_whom_somebody_else_hands_over() {
    let database = TestDb::new().await;
    let world = World::with_our_agent(database.url(), Says::Silence).await;
    let Some(Played::Telnyx(carrier)) = &world.played else { panic!("Telnyx is played") };
    carrier.script("+14155550177", [telnyx::Scenario::answered(Duration::from_secs(2))]);
    // The order is carried out by a process that holds no conversations.
    let worker = world.worker(&["--role", "api,worker"]);
    let media = world.speaking_media(&[]);
    world.start().await;
    world.said_at_least(1).await;
    world.order_transfer().await;
    world.all_finished(TALK).await;
    let results = world.results().await;
    let said: Vec<&str> = results.transcript.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(said, ["Hi.", "I am connecting you to a colleague now."]);
    let course = results.course.as_ref().expect("a conversation of ours");
    assert_eq!(course.ending, Ending::Transferred);
    world.assert_promises_kept().await;
    worker.stop().await;
    media.stop().await;
}

/// A flow in which our agent talks, and which goes on behind it.
const DESK: &str = r#"
name = "Desk"
language = "en"

[[steps]]
name = "welcome"
say = "Welcome."

[[steps]]
name = "assistant"
talk = "short"
then = "rate"

[[steps]]
name = "rate"
ask = "How was it, from 1 to 5?"
keep = "rating"
any = "thanks"

[[steps]]
name = "thanks"
hang_up = "Thank you."
"#;

#[tokio::test]
async fn our_agent_talks_within_a_flow_which_goes_on_behind_it() {
    let database = TestDb::new().await;
    let world = World::with_our_agent(database.url(), Says::Silence).await;
    let Some(Played::Telnyx(carrier)) = &world.played else { panic!("Telnyx is played") };
    let talk = telnyx::Scenario::answered(Duration::from_secs(600)).talking([Line::in_answer("Yes.")]);
    carrier.script("+919870000000", [talk.answering([telnyx::Answer::Keys("4".into())])]);
    world.add_playbook("desk", DESK).await;
    let playbook = Some("short".to_owned());
    world.goes_by(Agent::Ivr { flow: "desk".into(), version: None, playbook }).await;
    let worker = world.speaking_worker(&[]);
    world.start().await;
    world.all_finished(TALK).await;
    let results = world.results().await;
    let said: Vec<&str> = results.transcript.iter().map(|turn| turn.text.as_str()).collect();
    let rate = "How was it, from 1 to 5?";
    assert_eq!(said, ["Welcome.", "Hi.", "Yes.", "Bye.", rate, "4", "Thank you."], "{results:#?}");
    assert_eq!(results.analysis["rating"], "4");
    let course = results.course.as_ref().expect("a conversation of ours");
    assert_eq!(course.ending, Ending::Finished("done".into()));
    world.assert_promises_kept().await;
    worker.stop().await;
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_still_hears_a_carrier_that_comes_back() {
    let database = TestDb::new().await;
    let world = World::with_our_agent(database.url(), Says::Silence).await;
    let Some(Played::Telnyx(carrier)) = &world.played else { panic!("Telnyx is played") };
    let breaks = telnyx::Quirk::StreamBreaks { after: Duration::from_secs(4) };
    let patient = vec![Line::once_heard("again", "Yes.")];
    let talk = telnyx::Scenario::answered(Duration::from_secs(600)).saying(Says::Lines(patient));
    carrier.script("+919870000000", [talk.with(breaks)]);
    // Streams of TeXML are opened again when they break; those of Call Control are not.
    world.add_playbook("desk", DESK).await;
    let playbook = Some("short".to_owned());
    world.goes_by(Agent::Ivr { flow: "desk".into(), version: None, playbook }).await;
    let worker = world.speaking_worker(&[]);
    world.start().await;
    world.said_at_least(1).await;
    worker.stop().await;
    let results = world.results().await;
    let said: Vec<&str> = results.transcript.iter().map(|turn| turn.text.as_str()).collect();
    let lost = "Sorry, I could not hear you for a moment. Could you say that again?";
    assert_eq!(said[..5], ["Welcome.", "Hi.", lost, "Yes.", "Bye."], "{results:#?}");
    let course = results.course.as_ref().expect("a conversation of ours");
    assert_eq!(course.ending, Ending::Finished("done".into()));
}

#[tokio::test]
async fn nobody_is_called_whom_nobody_could_talk_with() {
    let database = TestDb::new().await;
    let world = World::with_our_agent(database.url(), Says::Lines(vec![Line::in_answer("Yes.")])).await;
    // It has none of what conversations go through.
    let worker = world.worker(&[]);
    world.start().await;
    let waits = world.why_not_yet().await;
    assert!(waits.iter().any(|why| why.starts_with("no seat is free for the conversation")), "{waits:?}");
    let media = world.speaking_media(&[]);
    world.all_finished(TALK).await;
    // The carrier's socket came to the other process, which passed it on.
    let results = world.results().await;
    let said: Vec<&str> = results.transcript.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(said, ["Hi.", "Yes.", "Bye."], "{results:#?}");
    assert_eq!(world.outcomes().await, [Some(Outcome::QualifiedLead)]);
    world.assert_promises_kept().await;
    worker.stop().await;
    media.stop().await;
}

#[tokio::test]
async fn a_person_whom_nobody_talks_with_is_called_again_as_after_a_failure() {
    let database = TestDb::new().await;
    let (says, ring) = (Says::Silence, Duration::from_secs(3));
    let world = World::with_our_agent_at(database.url(), Provider::Telnyx, says, ring).await;
    let worker = world.worker(&["--role", "api,worker"]);
    let mut dying = world.speaking_media(&[]);
    world.start().await;
    world.ringing().await;
    dying.signal(Signal::KILL);
    dying.end(Duration::from_secs(10)).await;
    world.finished_an_attempt().await;
    let records = world.records().await;
    assert_eq!(records[0].attempts[0].outcome, Some(Outcome::Failed), "{:#?}", records[0].events);
    assert_eq!(records[0].attempts[0].abandoned, Some(true), "they answered, and heard nobody");
    let other = world.speaking_media(&[]);
    world.all_finished(TALK).await;
    assert!(world.records().await[0].attempts.len() > 1);
    world.assert_promises_kept().await;
    worker.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn whoever_takes_a_call_over_is_told_first_what_it_is_about() {
    const COLLEAGUE: &str = "+14155550177";
    let database = TestDb::new().await;
    let asks = Says::Lines(vec![Line::in_answer("A person, please.")]);
    let world = World::with_our_agent(database.url(), asks).await;
    let Some(Played::Telnyx(carrier)) = &world.played else { panic!("Telnyx is played") };
    carrier.script(COLLEAGUE, [telnyx::Scenario::answered(Duration::from_secs(2))]);
    // The carrier fetches the briefing from a process that has no voice, and has it from the other.
    let worker = world.worker(&["--role", "api,worker"]);
    let media = world.speaking_media(&[]);
    world.start().await;
    world.all_finished(TALK).await;
    let calls = carrier.calls();
    let leg = calls.iter().find(|call| call.number == COLLEAGUE).expect("they were rung");
    assert_eq!(leg.briefed.as_deref(), Some(BRIEFING), "{leg:#?}");
    let records = world.records().await;
    let transfer = records[0].attempts[0].transfer.as_ref().expect("a transfer");
    assert_eq!(transfer.state, TransferState::Done);
    let results = world.results().await;
    let course = results.course.as_ref().expect("a conversation of ours");
    assert_eq!(course.ending, Ending::Transferred);
    // Not to whoever guesses an address, and not of a transfer that never was.
    let key = DialKey(AttemptRef {
        client: records[0].client,
        lead: records[0].lead,
        number: records[0].attempts[0].number,
    });
    let secret = SealKey::parse(&world.key).expect("a key").secret_of(key);
    for (path, status) in [
        (format!("{key}/{secret}/1"), StatusCode::OK),
        (format!("{key}/{secret}/2"), StatusCode::NOT_FOUND),
        (format!("{key}/guessed/1"), StatusCode::UNAUTHORIZED),
    ] {
        let asked =
            http_client().expect("a client").get(world.address(&format!("briefings/{path}"))).send().await;
        assert_eq!(asked.expect("an answer").status(), status, "{path}");
    }
    world.assert_promises_kept().await;
    worker.stop().await;
    media.stop().await;
}

#[tokio::test]
async fn a_call_that_its_carrier_cannot_end_is_ended_by_whoever_talks_on_it() {
    let database = TestDb::new().await;
    let ring = Duration::ZERO;
    let world = World::with_our_agent_at(database.url(), Provider::Exotel, Says::Silence, ring).await;
    let worker = world.worker(&["--role", "api,worker"]);
    let media = world.speaking_media(&[]);
    world.start().await;
    world.said_at_least(1).await;
    assert_eq!(world.hang_up().await, 1);
    world.finished_an_attempt().await;
    let results = world.results().await;
    let course = results.course.as_ref().expect("a conversation of ours");
    assert_eq!(course.ending, Ending::Ordered);
    world.assert_promises_kept().await;
    worker.stop().await;
    media.stop().await;
}
