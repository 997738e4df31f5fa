//! What goes wrong by script.

use std::time::Instant;

use outdial_emulators::deepgram::{Config, Deepgram, Quirk, Session, SessionEnd};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{ALL, Client, ended, lines, ms, started, within};

async fn suffering(quirk: Quirk) -> (Deepgram, Client) {
    let deepgram = started(Config::default()).await;
    deepgram.script([Session::default().with(quirk)]);
    let client = Client::open(&deepgram, ALL).await;
    (deepgram, client)
}

#[tokio::test]
async fn a_stall_says_nothing_more_and_stays_open() {
    let (deepgram, mut client) = suffering(Quirk::Stall { after: ms(300) }).await;
    client.say("Hello there.").await;
    client.be_silent(ms(1500)).await;
    client.order("CloseStream").await;
    assert_eq!(lines(&[client.message().await]), ["SpeechStarted"]);
    let silent = tokio::time::timeout(ms(300), client.next()).await;
    assert!(silent.is_err(), "{silent:?}");
    drop(deepgram);
    assert_eq!(client.rest().await, (vec![], None));
}

#[tokio::test]
async fn a_close_in_the_middle_has_its_code_and_reason() {
    let reason = "NET-0000: no transcript in time";
    let (deepgram, mut client) =
        suffering(Quirk::Close { after: ms(400), code: 1011, reason: reason.into() }).await;
    client.say("Hello t").await;
    assert_eq!(client.rest().await.1, Some((1011, reason.to_owned())));
    assert_eq!(ended(&deepgram).await.ended, Some(SessionEnd::Quirk));
}

#[tokio::test]
async fn a_cut_is_an_end_without_a_close_frame() {
    let (deepgram, mut client) = suffering(Quirk::Cut { after: ms(200) }).await;
    client.send(Message::binary(vec![0xff; 1600])).await;
    assert_eq!(client.rest().await, (vec![], None));
    assert_eq!(ended(&deepgram).await.ended, Some(SessionEnd::Quirk));
}

#[tokio::test]
async fn garbage_and_news_of_an_unknown_type_come_in_between() {
    let session = Session::default()
        .with(Quirk::UnknownType { after: ms(200) })
        .with(Quirk::Garbage { after: ms(100) });
    let deepgram = started(Config { session, ..Config::default() }).await;
    let mut client = Client::open(&deepgram, ALL).await;
    client.be_silent(ms(400)).await;
    let told = client.close().await;
    assert!(told[0].as_str().is_some_and(|text| text.starts_with("{\"type\"")), "{told:?}");
    assert_eq!(lines(&told[1..]), ["EmulatedNovelty", "final: ", "Metadata"]);
}

#[tokio::test]
async fn slow_results_come_in_order_and_before_the_end() {
    let (_deepgram, mut client) = suffering(Quirk::Slow { by: ms(200) }).await;
    let began = Instant::now();
    client.say("Hello.").await;
    client.be_silent(ms(400)).await;
    assert_eq!(lines(&[client.message().await]), ["SpeechStarted"]);
    assert!(began.elapsed() >= ms(200));
    assert_eq!(lines(&client.close().await), ["speech final: Hello.", "final: ", "Metadata"]);
}

#[tokio::test]
async fn speech_may_start_twice_and_never_be_final() {
    let session = Session::default().with(Quirk::RepeatedSpeechStarted).with(Quirk::NoSpeechFinal);
    let deepgram = started(Config { session, ..Config::default() }).await;
    let mut client = Client::open(&deepgram, ALL).await;
    client.say("Hello.").await;
    client.be_silent(ms(1100)).await;
    let told = lines(&client.close().await);
    assert_eq!(&told[..3], ["SpeechStarted", "SpeechStarted", "final: Hello."]);
    assert!(told.contains(&"UtteranceEnd".to_owned()), "{told:?}");
}

#[tokio::test]
async fn four_minutes_of_speech_on_eight_streams_are_heard_without_a_loss() {
    let deepgram = started(Config::default()).await;
    let text = "the quick brown fox jumps over the lazy dog ";
    let heard = (0..8).map(|_| async {
        let mut client =
            Client::open(&deepgram, "model=nova-3&encoding=mulaw&sample_rate=8000&endpointing=false").await;
        client.say(&text.repeat(12)).await;
        client.close().await
    });
    within(futures_util::future::join_all(heard)).await;
    let expected = text.repeat(12);
    for session in deepgram.reports() {
        assert_eq!(session.transcript, expected.trim_end());
    }
}
