//! What goes wrong by script.

use outdial_emulators::elevenlabs::{Config, Quirk, Reply, Speech, SpeechEnd};
use serde_json::{Value, json};

use crate::harness::{ULAW, World, all_audio, body, heard, ms, within};

async fn suffering(quirk: Quirk) -> World {
    let world = World::new(Config { chunk_bytes: 800, ..Config::default() }).await;
    world.elevenlabs.script([Speech::with(quirk)]);
    world
}

#[tokio::test]
async fn a_cut_in_the_middle_leaves_what_came_before() {
    let world = suffering(Quirk::Cut { after: ms(600) }).await;
    let (audio, broken) = body(&mut world.stream("Hello there, you.").await).await;
    assert_eq!((audio.len(), broken), (4800, true));
    assert_eq!(heard(&audio), "Hello ther");
    let report = world.ended().await;
    assert_eq!((report.spoken.as_str(), report.ended), ("Hello ther", Some(SpeechEnd::Cut)));
}

#[tokio::test]
async fn a_stall_in_the_middle_stays_open() {
    let world = suffering(Quirk::Stall { after: ms(300) }).await;
    let mut response = world.stream("Hello there, you.").await;
    let mut bytes = 0;
    while bytes < 2400 {
        bytes += within(response.chunk()).await.expect("audio").expect("a chunk").len();
    }
    assert!(tokio::time::timeout(ms(200), response.chunk()).await.is_err());
    drop(response);
    let report = world.ended().await;
    assert_eq!((report.spoken.as_str(), report.ended), ("Hello", Some(SpeechEnd::Cancelled)));
}

#[tokio::test]
async fn pieces_may_split_samples() {
    let world = suffering(Quirk::Chunks { size: 333 }).await;
    let asked = json!({"text": "Whole again."});
    let mut response = world.post("voice1/stream?output_format=pcm_8000", &asked).await;
    let (audio, _) = body(&mut response).await;
    let samples = outdial_emulators::audio::Encoding::Linear16.decode(&audio);
    assert_eq!(outdial_emulators::speech::heard(&samples, 8000), "Whole again.");
}

#[tokio::test]
async fn the_first_byte_may_be_late_or_never_come() {
    let world = suffering(Quirk::SlowFirstByte { by: ms(300) }).await;
    let mut response = world.stream("Hi").await;
    assert!(tokio::time::timeout(ms(100), response.chunk()).await.is_err());
    assert_eq!(heard(&body(&mut response).await.0), "Hi");
    world.elevenlabs.script([Speech::with(Quirk::Hang)]);
    let asked = json!({"text": "Hi"});
    let path = format!("voice1/stream?{ULAW}");
    assert!(tokio::time::timeout(ms(200), world.try_post(&path, &asked)).await.is_err());
    assert_eq!(world.ended().await.ended, Some(SpeechEnd::Cancelled));
}

#[tokio::test]
async fn a_whole_answer_that_is_cut_never_comes() {
    let world = suffering(Quirk::Cut { after: ms(0) }).await;
    assert!(world.try_post(&format!("voice1?{ULAW}"), &json!({"text": "Hi"})).await.is_err());
}

#[tokio::test]
async fn a_socket_may_be_cut_stalled_or_refused() {
    let world = suffering(Quirk::Cut { after: ms(900) }).await;
    let mut socket = world.socket("").await;
    socket.say("Sixteen letters and then some more of them. ").await;
    socket.say("").await;
    let (messages, end) = socket.rest().await;
    assert_eq!((messages.len(), end), (1, None));
    assert_eq!(world.ended().await.spoken, "Sixteen letters ");
    world.elevenlabs.script([Speech::with(Quirk::Stall { after: ms(0) })]);
    let mut socket = world.socket("auto_mode=true").await;
    socket.say("Hi. ").await;
    assert!(tokio::time::timeout(ms(200), socket.next()).await.is_err());
    drop(socket);
    world.elevenlabs.script(Speech::refusing(1, &Reply::new(403, "only_for_creator+", "Not in your plan.")));
    assert_eq!(world.try_socket(Some("xi_key"), ULAW).await.err(), Some(403));
}

#[tokio::test]
async fn a_socket_may_tell_an_error_and_close() {
    let (error, message) = ("quota_exceeded".to_owned(), "You have 0 credits remaining.".to_owned());
    let world = suffering(Quirk::SocketError { after: ms(0), error, message: message.clone() }).await;
    let mut socket = world.socket("").await;
    socket.say("Hello. ").await;
    let (messages, end) = socket.rest().await;
    assert_eq!(messages, [json!({"message": message, "error": "quota_exceeded", "code": 1008})]);
    assert_eq!(end, Some((1008, message)));
}

#[tokio::test]
async fn alignment_may_be_missing_and_audio_null() {
    let world = World::new(Config::default()).await;
    world.elevenlabs.script([Speech { quirks: vec![Quirk::NoAlignment, Quirk::NullAudio] }]);
    let mut socket = world.socket("").await;
    socket.say("Hi. ").await;
    let messages = socket.finish().await;
    assert_eq!(messages[0]["audio"], Value::Null);
    assert_eq!(messages[1]["alignment"], Value::Null);
    assert_eq!(heard(&all_audio(&messages[1..])).trim_end(), "Hi.");
}

#[tokio::test]
async fn a_body_may_end_too_early_and_in_good_order() {
    let world = suffering(Quirk::EndEarly { after: ms(600) }).await;
    let (audio, broken) = body(&mut world.stream("Hello there, you.").await).await;
    assert_eq!((heard(&audio).as_str(), broken), ("Hello ther", false));
    let report = world.ended().await;
    assert_eq!((report.spoken.as_str(), report.ended), ("Hello ther", Some(SpeechEnd::Cut)));
}

#[tokio::test]
async fn a_socket_may_close_without_its_final_message() {
    let text = "Sixteen letters and then some more of them. ";
    let close = Quirk::SocketClose { after: ms(900), code: 1011, reason: "Something went wrong.".to_owned() };
    for (quirk, expected) in [
        (Quirk::EndEarly { after: ms(900) }, (1000, String::new())),
        (close, (1011, "Something went wrong.".to_owned())),
    ] {
        let world = suffering(quirk).await;
        let mut socket = world.socket("").await;
        socket.say(text).await;
        socket.say("").await;
        let (messages, end) = socket.rest().await;
        assert_eq!(end, Some(expected));
        assert!(messages.iter().all(|message| message["isFinal"].is_null()), "{messages:?}");
        assert_eq!(heard(&all_audio(&messages)).trim_end(), "Sixteen letters");
        assert_eq!(world.ended().await.ended, Some(SpeechEnd::Cut));
    }
}

#[tokio::test]
async fn a_socket_may_tell_an_error_in_the_middle() {
    let error = "system_busy".to_owned();
    let world = suffering(Quirk::SocketError { after: ms(900), error, message: "Busy.".to_owned() }).await;
    let mut socket = world.socket("").await;
    socket.say("Sixteen letters and then some more of them. ").await;
    socket.say("").await;
    let (messages, end) = socket.rest().await;
    assert_eq!((messages.len(), &messages[1]["error"]), (2, &json!("system_busy")));
    assert_eq!(end, Some((1008, "Busy.".to_owned())));
}

#[tokio::test]
async fn a_message_may_be_no_json_and_the_rest_comes_all_the_same() {
    let world = suffering(Quirk::Garbage { after: ms(900) }).await;
    let mut socket = world.socket("").await;
    socket.say("Sixteen letters and then some more of them. ").await;
    socket.say("").await;
    let (messages, end) = socket.rest().await;
    assert_eq!(end, Some((1000, String::new())));
    assert_eq!(messages.iter().filter(|message| message.is_string()).count(), 1, "{messages:?}");
    assert!(messages[1].is_string() && messages.last().is_some_and(|last| last["isFinal"] == true));
}

#[tokio::test]
async fn throttling_may_say_when_to_come_back() {
    let world = World::new(Config::default()).await;
    let throttled = Reply::new(429, "rate_limit_exceeded", "Slow down.").retry_after(ms(1200));
    world.elevenlabs.script(Speech::refusing(1, &throttled));
    let response = world.post(&format!("voice1/stream?{ULAW}"), &json!({"text": "Hi"})).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "2");
    world.stream("Hi").await;
}
