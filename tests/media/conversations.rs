//! An agent of ours on the phone.

use outdial_emulators::media::{Line, Says, When};
use outdial_emulators::openai::{Answer, Rule, When as Asked};
use outdial_emulators::speech;
use outdial_emulators::telnyx::{Caller, Scenario};
use outdial_workflows::conversation::{Act, Duties, Ending, Heard, Order};
use serde_json::json;

use crate::world::{PLAYBOOK, World, ms, script};

/// Long enough for any conversation here.
fn answered() -> Scenario {
    Scenario::answered(ms(60_000))
}

/// Answers by what the person said last.
fn model(world: &World, rules: impl IntoIterator<Item = (Asked, Answer)>) {
    let rules = rules.into_iter().map(|(when, answer)| Rule::new(when, answer)).collect();
    world
        .openai
        .configure(outdial_emulators::openai::Config { rules, ..world.openai.config() })
        .expect("rules");
}

fn bye(text: &str) -> Answer {
    Answer { text: Some(text.into()), ..Answer::call("end_call", r#"{"reason":"done"}"#) }
}

#[tokio::test]
async fn a_person_is_greeted_understood_answered_and_taken_leave_of() {
    let world = World::new().await;
    model(
        &world,
        [
            (Asked::user("three"), bye("Noted. Bye.")),
            (Asked::user("yes"), Answer::text("How many rooms? Tell me.")),
        ],
    );
    let lines = [Line::in_answer("Yes."), Line::in_answer("Three.")];
    let story = world.call(answered().talking(lines)).await;
    assert_eq!(story.held.ending, Ending::Finished("done".into()));
    assert_eq!(
        story.transcript(),
        "agent: Hi.\nperson: Yes.\nagent: How many rooms? Tell me.\nperson: Three.\nagent: Noted. Bye."
    );
    // One sentence follows the other without a pause between.
    assert_eq!(story.heard(), "Hi. How many rooms?Tell me. Noted. Bye.");
    let latencies: Vec<_> = story.spoken().filter_map(|spoken| spoken.latency).collect();
    assert_eq!(latencies.len(), 2, "each answer has its own");
    for latency in latencies {
        let parts = latency.turn_ms + latency.model_ms + latency.sentence_ms + latency.speech_ms;
        assert_eq!(parts, latency.total_ms, "{latency:?}");
    }
}

#[tokio::test]
async fn a_recording_has_the_person_on_the_left_and_us_on_the_right() {
    let mut world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("call.wav");
    world.recording = Some(path.clone());
    let long = "We have one two three four five six seven eight nine ten.";
    model(&world, [(Asked::user("stop"), bye("Bye.")), (Asked::user("yes"), Answer::text(long))]);
    let lines = [Line::in_answer("Yes."), Line::once_heard("two", "Stop it please stop.")];
    let story = world.call(answered().talking(lines)).await;
    let mut wav = hound::WavReader::open(path).expect("a WAV file");
    let rate = wav.spec().sample_rate;
    let samples: Vec<i16> = wav.samples().map(|sample| sample.expect("a sample")).collect();
    let (left, right): (Vec<i16>, Vec<i16>) =
        samples.as_chunks::<2>().0.iter().map(|[left, right]| (*left, *right)).unzip();
    let said = &story.call.stream.as_ref().expect("a stream").conversation;
    assert_eq!(speech::heard(&left, rate), said.said());
    // As the person heard it: what was dropped when they interrupted is not in it.
    assert_eq!(speech::heard(&right, rate), story.heard());
}

#[tokio::test]
async fn what_the_law_asks_is_heard_before_anything_else() {
    let mut world = World::new().await;
    world.duties = Duties { disclose: true, ..Duties::default() };
    model(&world, [(Asked::user("ok"), bye("Bye."))]);
    let story = world.call(answered().talking([Line::in_answer("OK.")])).await;
    assert_eq!(story.heard(), "I am a bot.Hi. Bye.");
}

#[tokio::test]
async fn who_is_interrupted_falls_silent_and_the_transcript_says_what_was_heard() {
    let world = World::new().await;
    let long = "We have one two three four five six seven eight nine ten.";
    model(&world, [(Asked::user("stop"), bye("Bye.")), (Asked::user("yes"), Answer::text(long))]);
    let lines = [Line::in_answer("Yes."), Line::once_heard("two", "Stop it please stop.")];
    let story = world.call(answered().talking(lines)).await;
    assert_eq!(story.held.ending, Ending::Finished("done".into()));
    let report = story.call.stream.as_ref().expect("a stream");
    assert_eq!(report.clears, 1);
    let transcript = story.transcript();
    let cut = transcript.lines().find_map(|line| line.strip_prefix("agent (cut off): ")).expect("a cut turn");
    assert!(long.starts_with(cut) && cut.len() < long.len() && !cut.contains("ten"), "{transcript}");
    assert!(!story.heard().contains("ten"), "{}", story.heard());
}

#[tokio::test]
async fn a_person_who_says_nothing_is_asked_and_then_left_alone() {
    let mut world = World::new().await;
    world.script.timing.silence_ms = 700;
    let story = world.call(answered()).await;
    assert_eq!(story.held.ending, Ending::Silence);
    assert_eq!(story.heard(), "Hi. Yes? Bye.");
}

#[tokio::test]
async fn a_person_who_never_stops_is_answered_in_between() {
    let mut world = World::new().await;
    world.script.timing.longest_turn_ms = 2_000;
    model(&world, [(Asked::user("and"), bye("Bye."))]);
    let on_and_on = Line::in_answer(
        "And one and two and three and four and five and six and seven and eight and nine and ten",
    );
    let story = world.call(answered().talking([on_and_on])).await;
    assert_eq!(story.held.ending, Ending::Finished("done".into()));
    assert!(story.heard().contains("Bye."), "{}", story.heard());
}

#[tokio::test]
async fn a_call_has_an_end_even_if_nobody_makes_one() {
    let mut world = World::new().await;
    world.script.timing.call_ms = 2_000;
    world.script.timing.silence_ms = 60_000;
    let story = world.call(answered()).await;
    assert_eq!(story.held.ending, Ending::TooLong);
    assert_eq!(story.heard(), "Hi. Bye.");
}

#[tokio::test]
async fn the_key_to_opt_out_suppresses_and_ends() {
    let world = World::new().await;
    let story = world.call(answered().pressing('9', ms(1_200))).await;
    assert_eq!(story.held.ending, Ending::OptedOut);
    assert!(story.acts.contains(&Act::Suppress));
    assert!(story.heard().ends_with("Never."), "{}", story.heard());
}

#[tokio::test]
async fn a_mailbox_is_recognised_by_its_words_and_left_the_message() {
    let mut world = World::new().await;
    world.script = script(&PLAYBOOK.replace("transfer =", "mailbox = \"Call us.\"\ntransfer ="));
    let greeting = "Please leave a message after the tone.".to_owned();
    let story = world.call(answered().saying(Says::Machine { greeting })).await;
    assert_eq!(story.held.ending, Ending::Mailbox { left: true });
    assert!(story.heard().ends_with("Call us."), "{}", story.heard());
}

#[tokio::test]
async fn what_is_noted_and_asked_for_is_told_with_the_turn_it_was_heard_in() {
    let world = World::new().await;
    let note =
        Answer::call("note", r#"{"rooms": "3"}"#).and_call("call_back", r#"{"at":"2026-01-14T10:00"}"#);
    model(
        &world,
        [
            (Asked::user("three"), note),
            (Asked::tool_result("noted"), bye("Bye.")),
            (Asked::tool_result("done"), bye("Bye.")),
        ],
    );
    let story = world.call(answered().talking([Line::in_answer("Three.")])).await;
    let noted = story.acts.iter().find_map(|act| match act {
        Act::Note { name, value, .. } => Some((name.as_str(), value.clone())),
        _ => None,
    });
    assert_eq!(noted, Some(("rooms", json!(3.0))));
    let at = "2026-01-14T10:00:00".parse().expect("a time");
    assert!(story.acts.contains(&Act::CallBack { at }));
}

#[tokio::test]
async fn whoever_hangs_up_ends_it() {
    let world = World::new().await;
    let caller = Caller::saying([Line::in_answer("No.")]).hanging_up(When::Then { after: ms(300) });
    let story = world.call(answered().with_caller(caller)).await;
    assert_eq!(story.held.ending, Ending::PersonLeft);
    assert_eq!(story.transcript(), "agent: Hi.\nperson: No.");
}

#[tokio::test]
async fn an_order_to_hang_up_is_carried_out_at_once() {
    let world = World::new().await;
    let order = async |orders: tokio::sync::mpsc::Sender<Heard>| {
        orders.send(Heard::Ordered(Order::HangUp)).await.expect("a conversation");
    };
    let story = world.call_and(answered(), order).await;
    assert_eq!(story.held.ending, Ending::Ordered);
}
