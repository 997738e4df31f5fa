//! What goes wrong around a conversation at its sockets ends it well, with the reason.

use outdial_emulators::media::Line;
use outdial_emulators::openai::{Answer, Quirk as ModelQuirk, Reply, Rule, Turn, When as Asked};
use outdial_emulators::telnyx::{Quirk, Scenario};
use outdial_emulators::{deepgram, elevenlabs, openai};
use outdial_workflows::conversation::Ending;

use crate::carrier::{Carrier, transcript};
use crate::world::{World, ms};

/// Says yes, and is taken leave of.
async fn talked(world: World) -> crate::world::Story {
    talked_at(world, Scenario::answered(ms(60_000)).talking([Line::in_answer("Yes.")])).await
}

async fn talked_at(world: World, scenario: Scenario) -> crate::world::Story {
    let bye = Answer { text: Some("Bye.".into()), ..Answer::call("end_call", r#"{"reason":"done"}"#) };
    let rules = vec![Rule::new(Asked::user("yes"), bye)];
    world.openai.configure(openai::Config { rules, ..world.openai.config() }).expect("rules");
    world.call(scenario).await
}

fn finished() -> Ending {
    Ending::Finished("done".into())
}

#[tokio::test]
async fn a_recogniser_that_closes_in_the_middle_of_an_utterance_is_told_it_again() {
    for quirk in [
        deepgram::Quirk::Close { after: ms(900), code: 1011, reason: "NET-0000".into() },
        deepgram::Quirk::Cut { after: ms(900) },
        deepgram::Quirk::Garbage { after: ms(900) },
    ] {
        let world = World::new().await;
        world.deepgram.script([deepgram::Session::default().with(quirk)]);
        let story = talked(world).await;
        assert_eq!(story.held.ending, finished());
        assert_eq!(story.transcript(), "agent: Hi.\nperson: Yes.\nagent: Bye.");
    }
}

#[tokio::test]
async fn a_recogniser_that_is_not_there_ends_the_call_with_an_apology() {
    let world = World::new().await;
    let refused = Reply::new(401, "INVALID_AUTH", "Invalid credentials.");
    let config = deepgram::Config { session: deepgram::Session::refused(refused), ..world.deepgram.config() };
    world.deepgram.configure(config).expect("a config");
    let story = talked(world).await;
    assert!(
        matches!(&story.held.ending, Ending::RecogniserFailed(why) if why.contains("401")),
        "{:?}",
        story.held
    );
    assert!(story.heard().ends_with("Sorry."), "{}", story.heard());
}

#[tokio::test]
async fn a_model_that_fails_at_first_is_replaced_by_the_other_one() {
    for quirk in [
        ModelQuirk::Reply(Reply::new(429, "rate_limit_exceeded", "Slow down.")),
        ModelQuirk::Cut { after_tokens: 0 },
        ModelQuirk::MalformedChunk { after_tokens: 0 },
    ] {
        let world = World::new().await;
        world.openai.script([Turn::with(quirk)]);
        let story = talked(world).await;
        assert_eq!(story.held.ending, finished());
        assert!(story.heard().ends_with("Bye."), "{}", story.heard());
    }
}

#[tokio::test]
async fn a_model_that_hangs_is_bridged_and_replaced() {
    let mut world = World::new().await;
    world.script.timing.one_moment_ms = 300;
    world.script.timing.model_ms = 1_500;
    world.openai.script([Turn::with(ModelQuirk::Hang)]);
    let story = talked(world).await;
    assert_eq!(story.held.ending, finished());
    assert_eq!(story.heard(), "Hi. Hm. Bye.");
}

#[tokio::test]
async fn when_no_model_answers_the_call_ends_with_an_apology() {
    let world = World::new().await;
    let refusal = Reply::new(500, "server_error", "Broken.");
    world.openai.script(Turn::refusing(4, &refusal));
    let story = talked(world).await;
    assert!(
        matches!(&story.held.ending, Ending::ModelFailed(why) if why.contains("500")),
        "{:?}",
        story.held
    );
    assert!(story.heard().ends_with("Sorry."), "{}", story.heard());
}

#[tokio::test]
async fn a_tool_that_does_not_exist_is_explained_to_the_model() {
    let world = World::new().await;
    let bye = Answer { text: Some("Bye.".into()), ..Answer::call("end_call", r#"{"reason":"done"}"#) };
    let rules = vec![
        Rule::new(Asked::user("yes"), Answer::call("fly", "{not json")),
        Rule::new(Asked::tool_result("there is no tool"), bye),
    ];
    world.openai.configure(openai::Config { rules, ..world.openai.config() }).expect("rules");
    let story = world.call(Scenario::answered(ms(60_000)).talking([Line::in_answer("Yes.")])).await;
    assert_eq!(story.held.ending, finished());
}

#[tokio::test]
async fn a_sentence_that_breaks_off_is_said_again() {
    for quirk in [
        elevenlabs::Quirk::Cut { after: ms(60) },
        elevenlabs::Quirk::Reply(Reply::new(429, "too_many_concurrent_requests", "Busy.")),
    ] {
        let world = World::new().await;
        world.elevenlabs.script([elevenlabs::Speech::with(quirk)]);
        let story = talked(world).await;
        assert_eq!(story.held.ending, finished());
        assert!(story.heard().contains("Hi.") && story.heard().ends_with("Bye."), "{}", story.heard());
    }
}

#[tokio::test]
async fn without_a_voice_there_is_no_conversation() {
    let world = World::new().await;
    let refusal = Reply::new(401, "quota_exceeded", "No credit.");
    world.elevenlabs.script(elevenlabs::Speech::refusing(8, &refusal));
    let story = talked(world).await;
    assert_eq!(story.held.ending, Ending::SpeechFailed);
}

#[tokio::test]
async fn a_socket_that_drops_for_good_ends_the_conversation() {
    let mut world = World::new().await;
    world.script.timing.stream_ms = 500;
    let breaks = Quirk::StreamBreaks { after: ms(600) };
    let story = talked_at(world, Scenario::answered(ms(60_000)).with(breaks)).await;
    assert_eq!(story.held.ending, Ending::StreamLost);
}

#[tokio::test]
async fn a_socket_that_takes_the_place_of_another_goes_on_with_the_same_conversation() {
    let world = World::new().await;
    let (held, acts) = world
        .visited(async |url| {
            let mut first = Carrier::open(&url).await;
            first.hear_marks(1).await;
            first.drop();
            let mut second = Carrier::open(&url).await;
            second.hear_marks(2).await;
            second.stop().await;
        })
        .await;
    assert_eq!(held.ending, Ending::PersonLeft);
    assert_eq!(transcript(&acts), "agent: Hi.\nagent: Back.");
}

#[tokio::test]
async fn a_later_socket_replaces_one_that_still_stands() {
    let world = World::new().await;
    let (held, acts) = world
        .visited(async |url| {
            let mut first = Carrier::open(&url).await;
            first.hear_marks(1).await;
            let mut second = Carrier::open(&url).await;
            second.hear_marks(2).await;
            first.closed().await;
            second.stop().await;
        })
        .await;
    assert_eq!((held.ending, transcript(&acts).as_str()), (Ending::PersonLeft, "agent: Hi.\nagent: Back."));
}

#[tokio::test]
async fn messages_that_cannot_be_read_and_frames_that_come_in_any_order_disturb_nobody() {
    let world = World::new().await;
    let (held, _) = world
        .visited(async |url| {
            let mut carrier = Carrier::open(&url).await;
            for text in ["", "{", "[]", r#"{"event":"media","media":{"payload":"?"}}"#, r#"{"event":"new"}"#]
            {
                carrier.say(text).await;
            }
            for chunk in [2, 1, 3, 3, 5, 4, 9, 7, 8, 20, 21, 22, 23, 24, 25, 26] {
                carrier.silence(Some(chunk)).await;
            }
            carrier.silence(None).await;
            carrier.hear_marks(1).await;
            carrier.stop().await;
        })
        .await;
    assert_eq!(held.ending, Ending::PersonLeft);
    assert_eq!(held.frames_lost, 11, "6, and 10 to 19");
}
