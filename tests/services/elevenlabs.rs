use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use outdial_emulators::audio;
use outdial_emulators::elevenlabs::{
    Config, ElevenLabs as Emulator, Quirk, Reply, ReplyBody, Speech, SpeechEnd,
};
use outdial_emulators::speech::heard;
use outdial_jobs::media::audio::{Encoding, Format};
use outdial_jobs::media::elevenlabs::{ElevenLabs, Settings, Speaker, Tuning};
use outdial_jobs::media::http::http_client;
use outdial_jobs::media::services::{Voice as _, VoiceError};

use crate::{all, ms, within};

const TEXT: &str = "Hello, this is Lake View.";
const LINEAR16_16000: Format = Format { encoding: Encoding::Linear16, rate: 16_000 };

async fn started(config: Config) -> Emulator {
    Emulator::start(config).await.expect("a free port")
}

fn settings(emulator: &Emulator) -> Settings {
    let base = emulator.base_url().parse().expect("a URL");
    Settings::new(base, emulator.config().key.into(), "voice1")
}

fn voice(settings: Settings) -> ElevenLabs {
    ElevenLabs::new(http_client().expect("a client"), settings).expect("settings")
}

fn speaker(emulator: &Emulator, format: Format) -> Speaker {
    voice(settings(emulator)).for_call(format, None).expect("a format")
}

async fn spoken(speaker: &Speaker, text: &str) -> Result<Vec<Bytes>, VoiceError> {
    all(speaker.speak(text, "")).await.into_iter().collect()
}

fn understood(format: Format, pieces: &[Bytes]) -> String {
    let encoding = match format.encoding {
        Encoding::Mulaw => audio::Encoding::Mulaw,
        Encoding::Alaw => audio::Encoding::Alaw,
        Encoding::Linear16 => audio::Encoding::Linear16,
    };
    heard(&encoding.decode(&pieces.concat()), format.rate)
}

#[tokio::test]
async fn a_sentence_is_spoken_in_the_format_of_the_call() {
    let emulator = started(Config::default()).await;
    for (encoding, rate, name) in [
        (Encoding::Mulaw, 8_000, "ulaw_8000"),
        (Encoding::Alaw, 8_000, "alaw_8000"),
        (Encoding::Linear16, 8_000, "pcm_8000"),
        (Encoding::Linear16, 16_000, "pcm_16000"),
        (Encoding::Linear16, 24_000, "pcm_24000"),
    ] {
        let format = Format { encoding, rate };
        let pieces = spoken(&speaker(&emulator, format), TEXT).await.expect("audio");
        assert_eq!(understood(format, &pieces), TEXT, "{name}");
        let report = emulator.reports().pop().expect("a request");
        assert_eq!((report.output_format.as_str(), report.text.as_str()), (name, TEXT));
        assert_eq!((report.voice_id.as_str(), report.model_id.as_str()), ("voice1", "eleven_flash_v2_5"));
    }
}

#[tokio::test]
async fn a_format_that_elevenlabs_does_not_speak_is_refused_before_any_call() {
    let emulator = started(Config::default()).await;
    let voice = voice(settings(&emulator));
    for (encoding, rate) in
        [(Encoding::Mulaw, 16_000), (Encoding::Alaw, 24_000), (Encoding::Linear16, 11_025)]
    {
        let error = voice.for_call(Format { encoding, rate }, None).expect_err("no such format");
        assert!(error.to_string().contains(&rate.to_string()), "{error}");
    }
    assert!(emulator.reports().is_empty());
}

#[tokio::test]
async fn samples_stay_whole_however_the_body_is_split() {
    let emulator = started(Config::default()).await;
    for size in [7, 333, 5_001] {
        emulator.script([Speech::with(Quirk::Chunks { size })]);
        let pieces = spoken(&speaker(&emulator, LINEAR16_16000), TEXT).await.expect("audio");
        assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() % 2 == 0), "{size}");
        assert_eq!(understood(LINEAR16_16000, &pieces), TEXT, "{size}");
    }
}

#[tokio::test]
async fn the_voice_begins_at_once_though_the_service_begins_with_silence() {
    let emulator = started(Config { leading_silence: ms(300), ..Config::default() }).await;
    for format in [Format::MULAW_8000, LINEAR16_16000] {
        let pieces = spoken(&speaker(&emulator, format), TEXT).await.expect("audio");
        let length: Duration = format.length_of(pieces.concat().len());
        let voice = ms(60) * u32::try_from(TEXT.len()).expect("short");
        assert!(voice <= length && length <= voice + ms(20), "{length:?} of {voice:?}");
        assert_eq!(understood(format, &pieces), TEXT);
    }
}

#[tokio::test]
async fn a_first_byte_that_comes_late_is_waited_for() {
    let emulator = started(Config::default()).await;
    emulator.script([Speech::with(Quirk::SlowFirstByte { by: ms(150) })]);
    let pieces = spoken(&speaker(&emulator, Format::MULAW_8000), TEXT).await.expect("audio");
    assert_eq!(understood(Format::MULAW_8000, &pieces), TEXT);
}

#[tokio::test]
async fn a_sentence_that_is_cut_short_ends_with_an_error() {
    let emulator = started(Config::default()).await;
    for (quirks, says) in [
        (vec![Quirk::Cut { after: ms(400) }], "broke off"),
        (vec![Quirk::EndEarly { after: ms(0) }], "no voice"),
    ] {
        emulator.script([Speech { quirks }]);
        let pieces = all(speaker(&emulator, LINEAR16_16000).speak(TEXT, "")).await;
        let (last, before) = pieces.split_last().expect("at least an error");
        assert!(before.iter().all(Result::is_ok));
        let error = last.as_ref().expect_err("an error").to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_a_line_without_the_key() {
    for older_errors in [false, true] {
        let config = Config { older_errors, voices: vec!["voice1".into()], ..Config::default() };
        let emulator = started(config).await;
        let key = emulator.config().key;
        let loud = Reply::new(400, "invalid_parameters", &format!("The key {key}\nis not for this."));
        for (reply, says) in [
            (
                Reply::new(429, "too_many_concurrent_requests", "Too many."),
                "429: too_many_concurrent_requests",
            ),
            (Reply::new(401, "quota_exceeded", "No credit."), "401: quota_exceeded: No credit."),
            (Reply::new(502, "", "Bad gateway").with_body(ReplyBody::Html), "502"),
            (Reply::new(500, "", "").with_body(ReplyBody::Empty), "500"),
            (loud, "The key [key] is not for this."),
        ] {
            emulator.script([Speech::with(Quirk::Reply(reply))]);
            let error = spoken(&speaker(&emulator, Format::MULAW_8000), TEXT).await.expect_err("refused");
            let error = error.to_string();
            assert!(error.contains(says) && !error.contains(&key), "{error}");
        }
        let nobody = Settings { voice: "voice2".into(), ..settings(&emulator) };
        let stranger = Settings { key: "xi-wrong".into(), ..settings(&emulator) };
        let fast = Tuning { speed: Some(3.0), ..Tuning::default() };
        let fast = Settings { tuning: fast, ..settings(&emulator) };
        for (settings, says) in [
            (nobody, "404: voice_not_found"),
            (stranger, "401: invalid_api_key"),
            (fast, "400: invalid_parameters"),
        ] {
            let speaker = voice(settings).for_call(Format::MULAW_8000, None).expect("a format");
            let error = spoken(&speaker, TEXT).await.expect_err("refused").to_string();
            assert!(error.contains(says) && !error.contains("xi-wrong"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error() {
    let emulator = started(Config::default()).await;
    let speaker = speaker(&emulator, Format::MULAW_8000);
    emulator.stop().await;
    let error = spoken(&speaker, TEXT).await.expect_err("nobody there").to_string();
    assert!(error.contains("could not be reached"), "{error}");
}

#[tokio::test]
async fn falling_silent_hangs_up() {
    let emulator = started(Config::default()).await;
    let stalled = Speech::with(Quirk::Stall { after: ms(300) });
    for (place, speech) in [Speech::with(Quirk::Hang), stalled].into_iter().enumerate() {
        emulator.script([speech]);
        let mut speaking = speaker(&emulator, Format::MULAW_8000).speak(TEXT, "");
        tokio::select! {
            () = async { while speaking.next().await.is_some() {} } => panic!("it ended"),
            _ = within(emulator.until(|reports| reports.len() > place)) => {}
        }
        drop(speaking);
        let cancelled = Some(SpeechEnd::Cancelled);
        within(emulator.until(|reports| reports.get(place).is_some_and(|report| report.ended == cancelled)))
            .await;
    }
}

#[tokio::test]
async fn what_was_spoken_whole_in_the_same_place_is_not_asked_for_again() {
    let emulator = started(Config::default()).await;
    let voice = voice(settings(&emulator));
    let speaker = |format| voice.for_call(format, None).expect("a format");
    emulator.script([Speech::with(Quirk::Cut { after: ms(400) })]);
    spoken(&speaker(Format::MULAW_8000), TEXT).await.expect_err("cut");
    let first = spoken(&speaker(Format::MULAW_8000), TEXT).await.expect("audio");
    let second = spoken(&speaker(Format::MULAW_8000), TEXT).await.expect("audio");
    assert_eq!(first.concat(), second.concat());
    assert_eq!(emulator.reports().len(), 2);
    all(speaker(Format::MULAW_8000).speak(TEXT, "Good morning.")).await;
    spoken(&speaker(LINEAR16_16000), TEXT).await.expect("audio");
    assert_eq!(emulator.reports().len(), 4);
    let long = "very ".repeat(100);
    for _ in 0..2 {
        spoken(&speaker(Format::MULAW_8000), &long).await.expect("audio");
    }
    assert_eq!(emulator.reports().len(), 6);
}
