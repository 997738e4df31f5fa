//! Whether a person's side has voice.

use std::time::Duration;

use outdial_emulators::speech;
use outdial_jobs::media::audio::Format;
use outdial_jobs::media::vad::{Noticed, VoiceDetector};

const RATE: u32 = 8_000;
/// Samples of a frame of 20 ms.
const FRAME: usize = 160;

/// What is noticed, and in which frame of 20 ms.
fn noticed(samples: &[i16]) -> Vec<(usize, Noticed)> {
    let mut detector = VoiceDetector::new(Format::LINEAR16_8000);
    let mut all = vec![];
    for (frame, samples) in samples.chunks(FRAME).enumerate() {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        all.extend(detector.hear(&bytes).into_iter().map(|what| (frame, what)));
    }
    all
}

/// Soft noise, the same each time.
fn noise(length: Duration) -> Vec<i16> {
    let mut state = 1_u32;
    let samples = 0..length.as_millis() * u128::from(RATE) / 1_000;
    samples
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i16::try_from(state >> 24).expect("eight bits") - 128
        })
        .collect()
}

#[test]
fn speech_is_voice_from_its_beginning_to_its_end() {
    let second = Duration::from_secs(1);
    let speech = speech::say("Hello there, how are you today?", RATE);
    let samples = [speech::silence(second, RATE), speech.clone(), speech::silence(second, RATE)].concat();
    let noticed = noticed(&samples);
    let (begins, ends) = (50, 50 + speech.len() / FRAME);
    let [(began, Noticed::Began), (noticed_end, Noticed::Ended { ago })] = noticed[..] else { panic!("{noticed:?}") };
    assert!((begins..begins + 10).contains(&began), "within 200 ms of its beginning: {noticed:?}");
    assert!((ends..ends + 20).contains(&noticed_end), "within 400 ms of its end: {noticed:?}");
    // A frame of the detector's is 16 ms, and sounds fade out.
    let ended = (noticed_end + 1) as u128 * 20 - ago.as_millis();
    let end = speech.len() as u128 / 8 + 1_000;
    assert!(ended.abs_diff(end) <= 48, "told as when it ended: {ended} for {end}");
}

#[test]
fn silence_and_soft_noise_are_none() {
    let length = Duration::from_secs(4);
    assert_eq!(noticed(&speech::silence(length, RATE)), []);
    assert_eq!(noticed(&noise(length)), []);
}
