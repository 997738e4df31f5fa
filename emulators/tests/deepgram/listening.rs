//! What is heard, and when it is told.

use outdial_emulators::{
    audio::Encoding,
    deepgram::{Config, Session, SessionEnd, Spoken},
    speech,
};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{ALL, Client, ended, lines, ms, started};

#[tokio::test]
async fn what_was_played_is_what_is_heard() {
    let deepgram = started(Config::default()).await;
    let mut client = Client::open(&deepgram, ALL).await;
    client.be_silent(ms(500)).await;
    client.say("Hello there.").await;
    client.be_silent(ms(1400)).await;
    let told = client.close().await;
    assert_eq!(
        lines(&told),
        [
            "SpeechStarted",
            "interim: Hello th",
            "speech final: Hello there.",
            "UtteranceEnd",
            "interim: ",
            "final: ",
            "Metadata",
        ]
    );
    let spoken = &told[2];
    let words = &spoken["channel"]["alternatives"][0]["words"];
    assert_eq!((&words[0]["word"], &words[0]["punctuated_word"]), (&json!("hello"), &json!("Hello")));
    let near = |value: &serde_json::Value, expected: f64| {
        (value.as_f64().expect("a number") - expected).abs() < 0.03
    };
    assert!(near(&words[0]["start"], 0.5) && near(&words[1]["end"], 1.22), "{words}");
    assert_eq!(spoken["channel_index"], json!([0, 1]));
    assert_eq!(spoken["metadata"]["model_info"]["arch"], "nova-3");
    assert!(near(&told[3]["last_word_end"], 1.22), "{}", told[3]);
    let report = ended(&deepgram).await;
    assert_eq!((report.transcript.as_str(), report.audio), ("Hello there.", ms(2620)));
    assert_eq!((report.frames, report.bytes, report.ended), (131, 20_960, Some(SessionEnd::Closed)));
}

#[tokio::test]
async fn without_punctuation_words_are_small_and_bare() {
    let deepgram = started(Config::default()).await;
    let mut client = Client::open(&deepgram, "model=nova-2&encoding=mulaw&sample_rate=8000").await;
    client.say("Yes, Asha's.").await;
    let told = client.close().await;
    assert_eq!(lines(&told), ["speech final: yes asha's", "Metadata"]);
    assert_eq!(told[0]["channel"]["alternatives"][0]["words"][0].get("punctuated_word"), None);
}

#[tokio::test]
async fn a_script_is_heard_at_its_time_of_the_audio_whatever_that_holds() {
    let deepgram = started(Config::default()).await;
    deepgram.script([Session::hearing([
        Spoken::new(ms(300), "Book two rooms."),
        Spoken::new(ms(3000), "Thanks."),
    ])]);
    let mut client = Client::open(&deepgram, ALL).await;
    client.be_silent(ms(2000)).await;
    client.order("Finalize").await;
    let mut told = Vec::new();
    while told.last() != Some(&"finalized: ".to_owned()) {
        told.push(crate::harness::line(&client.message().await));
    }
    assert_eq!(
        told.iter().filter(|line| line.starts_with("speech final")).collect::<Vec<_>>(),
        ["speech final: Book two rooms."]
    );
    client.be_silent(ms(2000)).await;
    assert!(lines(&client.close().await).contains(&"speech final: Thanks.".to_owned()));
}

#[tokio::test]
async fn results_do_not_depend_on_how_the_audio_is_cut_into_frames() {
    let mut told = Vec::new();
    for size in [33, 160, 4000] {
        let deepgram = started(Config::default()).await;
        let mut client = Client::open(&deepgram, ALL).await;
        let mut samples = speech::say("One two three.", 8000);
        samples.extend(speech::silence(ms(1500), 8000));
        for frame in Encoding::Mulaw.encode(&samples).chunks(size) {
            client.send(Message::binary(frame.to_vec())).await;
        }
        told.push(lines(&client.close().await));
    }
    assert_eq!((&told[0], &told[1]), (&told[1], &told[2]));
    assert!(told[0].contains(&"speech final: One two three.".to_owned()), "{told:?}");
}

#[tokio::test]
async fn noise_after_words_keeps_speech_from_ending_but_not_the_utterance() {
    let deepgram = started(Config::default()).await;
    let mut client = Client::open(&deepgram, ALL).await;
    client.say("Wait.").await;
    let hum: Vec<i16> = (0..12_000).map(|n| if n % 40 < 20 { 3000 } else { -3000 }).collect();
    client.play(&hum).await;
    client.be_silent(ms(400)).await;
    let told = lines(&client.close().await);
    let place =
        |line: &str| told.iter().position(|told| told == line).unwrap_or_else(|| panic!("{line}: {told:?}"));
    assert!(place("final: Wait.") < place("UtteranceEnd"));
    assert!(place("UtteranceEnd") < place("speech final: "), "{told:?}");
}

#[tokio::test]
async fn channels_are_told_of_one_by_one_if_asked() {
    let deepgram = started(Config::default()).await;
    let query =
        "model=nova-3&encoding=linear16&sample_rate=16000&channels=2&multichannel=true&punctuate=true";
    let mut client = Client::open(&deepgram, query).await;
    let (left, right) = (speech::say("left", 16_000), speech::say("write", 16_000));
    let at = |side: &[i16], place: usize| side.get(place).copied().unwrap_or_default();
    let both: Vec<i16> = (0..right.len()).flat_map(|place| [at(&left, place), at(&right, place)]).collect();
    // An odd size splits samples, and frames of two.
    for frame in Encoding::Linear16.encode(&both).chunks(1001) {
        client.send(Message::binary(frame.to_vec())).await;
    }
    let told = client.close().await;
    let finals: Vec<_> = told.iter().filter(|message| message["speech_final"] == true).collect();
    assert_eq!(finals[0]["channel_index"], json!([0, 2]));
    assert_eq!(finals[0]["channel"]["alternatives"][0]["transcript"], "left");
    assert_eq!(finals[1]["channel"]["alternatives"][0]["transcript"], "write");
    assert_eq!(
        (&told[told.len() - 1]["channels"], &told[told.len() - 1]["duration"]),
        (&json!(2), &json!(0.3))
    );
}
