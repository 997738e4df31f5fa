//! Speech over HTTP.

use std::time::Instant;

use outdial_emulators::{
    audio::Encoding,
    elevenlabs::{Config, Pacing, SpeechEnd},
    speech,
};
use serde_json::{Value, json};

use crate::harness::{ULAW, World, body, heard, ms, within};

#[tokio::test]
async fn a_stream_says_the_text_in_sixty_milliseconds_a_character() {
    let world = World::new(Config::default()).await;
    let mut response = world.stream("Hello, this is Asha.").await;
    assert_eq!(response.headers()["character-cost"], "20");
    assert_eq!(response.headers()["request-id"].len(), 32);
    assert_eq!(response.headers().get("content-length"), None);
    let (audio, broken) = body(&mut response).await;
    assert_eq!((audio.len(), broken), (20 * 480, false));
    assert_eq!(heard(&audio), "Hello, this is Asha.");
    let report = world.ended().await;
    assert_eq!((report.spoken.as_str(), report.audio), ("Hello, this is Asha.", ms(1200)));
    assert_eq!((report.ended, report.model_id.as_str()), (Some(SpeechEnd::Spoken), "eleven_flash_v2_5"));
}

#[tokio::test]
async fn every_raw_format_says_the_same() {
    let world = World::new(Config::default()).await;
    for (format, encoding, rate) in [
        ("pcm_8000", Encoding::Linear16, 8000),
        ("pcm_16000", Encoding::Linear16, 16_000),
        ("pcm_44100", Encoding::Linear16, 44_100),
        ("ulaw_8000", Encoding::Mulaw, 8000),
        ("alaw_8000", Encoding::Alaw, 8000),
    ] {
        let asked = json!({"text": "Same words."});
        for path in ["voice1", "voice1/stream"] {
            let mut response = world.post(&format!("{path}?output_format={format}"), &asked).await;
            let (audio, _) = body(&mut response).await;
            assert_eq!(speech::heard(&encoding.decode(&audio), rate), "Same words.", "{path} {format}");
        }
    }
    let mut wav = world.post("voice1?output_format=wav_8000", &json!({"text": "Hi"})).await;
    let (file, _) = body(&mut wav).await;
    assert_eq!((&file[..4], file.len()), (&b"RIFF"[..], 44 + 2 * 960));
    assert_eq!(speech::heard(&Encoding::Linear16.decode(&file[44..]), 8000), "Hi");
}

#[tokio::test]
async fn a_faster_voice_takes_less_time_and_silence_may_lead() {
    let world = World::new(Config { leading_silence: ms(200), ..Config::default() }).await;
    let asked = json!({"text": "Hello", "voice_settings": {"speed": 1.2, "stability": 0.5}});
    let mut response = world.post(&format!("voice1?{ULAW}"), &asked).await;
    let (audio, _) = body(&mut response).await;
    assert_eq!((audio.len(), heard(&audio).as_str()), (1600 + 5 * 400, "Hello"));
    assert!(audio[..1600].iter().all(|byte| *byte == 0xff), "silence in µ-law is 0xff");
}

#[tokio::test]
async fn timestamps_say_when_each_character_is_spoken() {
    let world = World::new(Config { leading_silence: ms(100), ..Config::default() }).await;
    let text = "Hello, this is long enough.";
    let asked = json!({"text": text});
    let whole: Value = within(world.post(&format!("voice1/with-timestamps?{ULAW}"), &asked).await.json())
        .await
        .expect("JSON");
    let mut response = world.post(&format!("voice1/stream/with-timestamps?{ULAW}"), &asked).await;
    let (lines, _) = body(&mut response).await;
    let lines = String::from_utf8(lines).expect("UTF-8");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    let field = |value: &Value, name: &str| value["alignment"][name].as_array().expect("a list").clone();
    for name in ["characters", "character_start_times_seconds", "character_end_times_seconds"] {
        let joined: Vec<Value> = lines.iter().flat_map(|line| field(line, name)).collect();
        assert_eq!(joined, field(&whole, name), "{name}");
        assert_eq!(joined.len(), text.len());
    }
    assert_eq!(field(&whole, "character_start_times_seconds")[..2], [json!(0.1), json!(0.16)]);
}

#[tokio::test]
async fn audio_comes_at_its_pace_and_what_was_not_sent_was_not_spoken() {
    let pacing = Pacing { first_byte: ms(100), audio_per_second: Some(ms(2000)) };
    let world = World::new(Config { pacing, chunk_bytes: 800, ..Config::default() }).await;
    let began = Instant::now();
    let mut response = world.stream("This is a sentence of forty-two characters").await;
    let first = within(response.chunk()).await.expect("audio").expect("a chunk");
    assert!(began.elapsed() >= ms(100), "{:?}", began.elapsed());
    assert!(first.len() < 4000, "{}", first.len());
    drop(response);
    let report = world.ended().await;
    assert_eq!(report.ended, Some(SpeechEnd::Cancelled));
    assert!("This is a sentence of forty-two characters".starts_with(&report.spoken), "{report:?}");
    assert!(report.audio < ms(2520), "{report:?}");
}
