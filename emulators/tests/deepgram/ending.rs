//! Keeping a stream alive, and how it ends.

use outdial_emulators::deepgram::{Config, SessionEnd};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{ALL, Client, ended, lines, ms, started, within};

/// The idle limit is a tenth of a second of real time.
async fn hasty() -> outdial_emulators::deepgram::Deepgram {
    started(Config { speed: 100.0, ..Config::default() }).await
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_closed_after_ten_seconds() {
    let deepgram = hasty().await;
    let mut client = Client::open(&deepgram, ALL).await;
    client.be_silent(ms(20)).await;
    let (messages, end) = client.rest().await;
    let (code, reason) = end.expect("a close frame");
    assert_eq!((messages.len(), code), (0, 1011));
    assert!(reason.starts_with("NET-0001"), "{reason}");
    assert_eq!(ended(&deepgram).await.ended, Some(SessionEnd::Idle));
}

#[tokio::test]
async fn keep_alives_keep_a_stream_only_once_it_has_had_audio() {
    let deepgram = hasty().await;
    let mut client = Client::open(&deepgram, ALL).await;
    client.order("KeepAlive").await;
    assert_eq!(client.rest().await.1.map(|(code, _)| code), Some(1011));
    let deepgram = started(Config { speed: 10.0, ..Config::default() }).await;
    let mut client = Client::open(&deepgram, ALL).await;
    client.be_silent(ms(20)).await;
    for _ in 0..5 {
        tokio::time::sleep(ms(300)).await;
        client.order("KeepAlive").await;
    }
    assert_eq!(lines(&client.close().await), ["final: ", "Metadata"]);
    assert_eq!(ended(&deepgram).await.keep_alives, 5);
}

#[tokio::test]
async fn an_empty_frame_closes_the_stream_as_close_stream_does() {
    let deepgram = started(Config::default()).await;
    let mut client = Client::open(&deepgram, ALL).await;
    client.say("Bye.").await;
    client.send(Message::binary(Vec::new())).await;
    let (messages, end) = client.rest().await;
    assert_eq!(
        (lines(&messages), end),
        (
            vec!["SpeechStarted".into(), "speech final: Bye.".into(), "Metadata".into()],
            Some((1000, String::new()))
        )
    );
    let metadata = &messages[2];
    assert_eq!((&metadata["duration"], &metadata["channels"]), (&json!(0.24), &json!(1)));
    assert_eq!(metadata["sha256"].as_str().map(str::len), Some(64));
}

#[tokio::test]
async fn finalize_makes_what_was_said_final_at_once() {
    let deepgram = started(Config::default()).await;
    let mut client = Client::open(&deepgram, ALL).await;
    client.say("Hold on").await;
    client.send(Message::text(json!({"type": "Finalize", "channel": null}).to_string())).await;
    client.order("Finalize").await;
    assert_eq!(lines(&client.close().await), ["SpeechStarted", "finalized: Hold on", "Metadata"]);
    assert_eq!(ended(&deepgram).await.finalizes, 2);
}

#[tokio::test]
async fn what_is_no_message_is_an_error_or_the_end() {
    for (errors, code) in [(true, 1000), (false, 1008)] {
        let deepgram = started(Config { bad_messages_are_errors: errors, ..Config::default() }).await;
        let mut client = Client::open(&deepgram, ALL).await;
        client.order("Nonsense").await;
        client.send(Message::text("{")).await;
        client.order("CloseStream").await;
        let (messages, end) = client.rest().await;
        assert_eq!(end.map(|(code, _)| code), Some(code));
        let complaints: Vec<_> = messages.iter().filter(|message| message["type"] == "Error").collect();
        assert_eq!(complaints.len(), if errors { 2 } else { 0 });
        assert!(complaints.iter().all(|complaint| complaint["variant"] == "SchemaError"));
    }
}

#[tokio::test]
async fn audio_of_which_nobody_said_what_it_is_cannot_be_decoded() {
    let deepgram = started(Config::default()).await;
    let mut client = Client::open(&deepgram, "model=nova-3").await;
    client.be_silent(ms(20)).await;
    let (code, reason) = client.rest().await.1.expect("a close frame");
    assert_eq!((code, &reason[..9]), (1008, "DATA-0000"));
}

#[tokio::test]
async fn keyterms_are_changed_only_where_there_are_any() {
    let deepgram = started(Config::default()).await;
    for (model, answer) in [("nova-3", "ConfigureSuccess"), ("nova-2", "ConfigureFailure")] {
        let query = format!("model={model}&encoding=mulaw&sample_rate=8000");
        let mut client = Client::open(&deepgram, &query).await;
        client.send(Message::text(json!({"type": "Configure", "keyterms": ["Outdial"]}).to_string())).await;
        assert_eq!(client.message().await["type"], answer);
    }
}

#[tokio::test]
async fn a_client_that_vanishes_is_noticed_and_a_stop_ends_what_is_open() {
    let deepgram = started(Config::default()).await;
    drop(Client::open(&deepgram, ALL).await);
    assert_eq!(ended(&deepgram).await.ended, Some(SessionEnd::Gone));
    let mut client = Client::open(&deepgram, ALL).await;
    within(deepgram.stop()).await;
    assert_eq!(client.rest().await, (vec![], None));
}
