//! Speech on the `stream-input` socket.

use outdial_emulators::elevenlabs::{Config, SpeechEnd};
use serde_json::{Value, json};

use crate::harness::{ULAW, World, all_audio, audio, heard, ms, within};

#[tokio::test]
async fn text_that_comes_in_parts_is_said_as_one() {
    let world = World::new(Config::default()).await;
    let mut socket = world.socket("").await;
    for part in ["Hello ", "there, ", "how are ", "you? "] {
        socket.say(part).await;
    }
    let messages = socket.finish().await;
    assert_eq!(heard(&all_audio(&messages)).trim_end(), "Hello there, how are you?");
    let alignment = &messages[0]["alignment"];
    assert_eq!(alignment["chars"].as_array().expect("a list")[..2], [json!("H"), json!("e")]);
    assert_eq!(alignment["charStartTimesMs"].as_array().expect("a list")[..2], [json!(0), json!(60)]);
    assert_eq!((&messages[0]["normalizedAlignment"], &messages[0]["isFinal"]), (alignment, &Value::Null));
    assert_eq!(messages[1]["alignment"]["charStartTimesMs"][0], 0, "times restart with each message");
    let report = world.ended().await;
    assert_eq!((report.text.as_str(), &report.spoken), ("Hello there, how are you? ", &report.text));
    assert_eq!((report.ended, report.socket), (Some(SpeechEnd::Spoken), true));
}

#[tokio::test]
async fn nothing_is_said_before_there_is_enough_or_a_flush() {
    let world = World::new(Config::default()).await;
    let mut socket = world.socket("").await;
    socket.say("Short. ").await;
    assert!(tokio::time::timeout(ms(200), socket.next()).await.is_err());
    socket.send(&json!({"text": "Now. ", "flush": true})).await;
    let first = socket.next().await.expect("audio");
    assert_eq!(heard(&audio(&first)).trim_end(), "Short. Now.");
    socket.send(&json!({"text": "Less than fifty. ", "try_trigger_generation": true})).await;
    assert!(tokio::time::timeout(ms(200), socket.next()).await.is_err());
    socket
        .send(&json!({"text": "But with this it is more than that. ", "try_trigger_generation": true}))
        .await;
    socket.next().await.expect("audio");
}

#[tokio::test]
async fn a_schedule_says_how_much_is_enough() {
    let world = World::new(Config::default()).await;
    let query = format!("model_id=eleven_flash_v2_5&{ULAW}");
    let mut socket = world.try_socket(Some("xi_key"), &query).await.expect("an upgrade");
    let config = json!({"chunk_length_schedule": [50, 400]});
    socket.send(&json!({"text": " ", "voice_settings": null, "generation_config": config})).await;
    socket.say(&"ten chars ".repeat(5)).await;
    let mut said = String::new();
    while said.len() < 50 {
        let message = socket.next().await.expect("audio");
        said.extend(
            message["alignment"]["chars"].as_array().expect("a list").iter().filter_map(Value::as_str),
        );
    }
    assert_eq!(said, "ten chars ".repeat(5));
    socket.say(&"ten chars ".repeat(39)).await;
    assert!(tokio::time::timeout(ms(200), socket.next()).await.is_err());
    socket.say("ten chars ").await;
    socket.next().await.expect("audio");
}

#[tokio::test]
async fn in_auto_mode_every_text_is_said_at_once() {
    let world = World::new(Config::default()).await;
    let mut socket = world.socket("auto_mode=true").await;
    socket.say("Yes. ").await;
    let message = socket.next().await.expect("audio");
    assert_eq!(heard(&audio(&message)).trim_end(), "Yes.");
}

#[tokio::test]
async fn the_key_may_come_in_the_query_or_the_first_message() {
    let world = World::new(Config::default()).await;
    let query = format!("model_id=eleven_flash_v2_5&{ULAW}");
    let mut first = world.try_socket(None, &query).await.expect("an upgrade");
    first.send(&json!({"text": " ", "xi_api_key": "xi_key"})).await;
    first.say("Hi. ").await;
    first.finish().await;
    let mut bearer =
        world.try_socket(None, &format!("{query}&authorization=Bearer%20xi_key")).await.expect("an upgrade");
    bearer.say(" ").await;
    bearer.finish().await;
    for (key, message) in [
        (Some("wrong"), None),
        (None, Some(json!({"text": " ", "xi-api-key": "wrong"}))),
        (None, Some(json!({"text": " "}))),
    ] {
        let mut socket = world.try_socket(key, &query).await.expect("an upgrade");
        if let Some(message) = message {
            socket.send(&message).await;
        }
        let (messages, end) = socket.rest().await;
        assert_eq!(end.map(|(code, _)| code), Some(1008));
        assert!(
            messages[0]["error"].as_str().is_some_and(|error| error.ends_with("_api_key")),
            "{messages:?}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_closes_a_socket_or_keeps_it_from_opening() {
    for refuses_upgrades in [false, true] {
        let voices = vec!["voice2".into()];
        let world = World::new(Config { voices, refuses_upgrades, ..Config::default() }).await;
        match world.try_socket(Some("xi_key"), ULAW).await {
            Ok(mut socket) => {
                let (messages, end) = socket.rest().await;
                assert_eq!(
                    (&messages[0]["error"], &messages[0]["code"]),
                    (&json!("voice_not_found"), &json!(1008))
                );
                assert_eq!((end.map(|(code, _)| code), refuses_upgrades), (Some(1008), false));
            }
            Err(status) => assert_eq!((status, refuses_upgrades), (404, true)),
        }
    }
    let world = World::new(Config::default()).await;
    for query in
        [format!("model_id=eleven_v3&{ULAW}"), format!("inactivity_timeout=181&{ULAW}"), String::new()]
    {
        let mut socket = world.try_socket(Some("xi_key"), &query).await.expect("an upgrade");
        assert_eq!(socket.rest().await.1.map(|(code, _)| code), Some(1008), "{query}");
    }
}

#[tokio::test]
async fn the_first_message_must_be_one_space_and_all_must_be_messages() {
    let world = World::new(Config::default()).await;
    let query = format!("model_id=eleven_flash_v2_5&{ULAW}");
    for message in [
        json!({"text": "Hello "}),
        json!({"no": "text"}),
        json!("text"),
        json!({"text": " ", "generation_config": {"chunk_length_schedule": [10]}}),
    ] {
        let mut socket = world.try_socket(Some("xi_key"), &query).await.expect("an upgrade");
        socket.send(&message).await;
        let (messages, end) = socket.rest().await;
        assert_eq!(messages[0]["error"], "invalid_input_message", "{message}");
        assert_eq!(end.map(|(code, _)| code), Some(1008));
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed_unless_it_sends_a_space() {
    let world = World::new(Config { speed: 10.0, ..Config::default() }).await;
    let mut socket = world.socket("inactivity_timeout=5").await;
    for _ in 0..3 {
        tokio::time::sleep(ms(300)).await;
        socket.say(" ").await;
    }
    let (messages, end) = socket.rest().await;
    let (code, reason) = end.expect("a close frame");
    assert_eq!((messages.len(), code, reason.len()), (0, 1008, 123));
    assert!(
        reason.starts_with("Have not received a new text input within the timeout of 5 seconds."),
        "{reason}"
    );
    assert_eq!(world.ended().await.ended, Some(SpeechEnd::Idle));
}

#[tokio::test]
async fn a_client_that_interrupts_has_heard_what_was_sent() {
    let pacing =
        outdial_emulators::elevenlabs::Pacing { audio_per_second: Some(ms(5000)), ..Default::default() };
    let world = World::new(Config { pacing, ..Config::default() }).await;
    let mut socket = world.socket("auto_mode=true").await;
    let text = "This is a rather long sentence that nobody wants to hear to its very end. ";
    socket.say(text).await;
    let message = socket.next().await.expect("audio");
    drop(socket);
    let report = world.ended().await;
    assert_eq!(report.ended, Some(SpeechEnd::Cancelled));
    assert!(text.starts_with(&report.spoken) && report.spoken.len() < text.len(), "{report:?}");
    assert!(report.spoken.starts_with(heard(&audio(&message)).trim_end()), "{report:?}");
    within(world.elevenlabs.stop()).await;
}
