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
    let [(began, Noticed::Began), (ended, Noticed::Ended)] = noticed[..] else { panic!("{noticed:?}") };
    assert!((begins..begins + 10).contains(&began), "within 200 ms of its beginning: {noticed:?}");
    let told = ends + usize::try_from(VoiceDetector::ENDS_AFTER.as_millis()).expect("a few frames") / 20;
    assert!((told - 2..=told + 2).contains(&ended), "as long behind its end as is said: {noticed:?}");
}

#[test]
fn a_pause_ends_a_voice_although_the_detector_hears_it_for_longer() {
    let pause = speech::silence(Duration::from_millis(400), RATE);
    let words = ["Do tell me.", "Yes.", "I say 2.", "This is the end."];
    let spoken: Vec<i16> =
        words.iter().flat_map(|word| [speech::say(word, RATE), pause.clone()].concat()).collect();
    let began = noticed(&spoken).into_iter().filter(|(_, what)| *what == Noticed::Began).count();
    assert_eq!(began, words.len());
}

#[test]
fn somebody_who_goes_on_more_softly_is_heard() {
    let second = Duration::from_secs(1);
    let loud = speech::say("Hello there, how are you today?", RATE);
    let soft: Vec<i16> = loud.iter().map(|sample| sample / 50).collect();
    let both = [loud, speech::silence(second, RATE), soft, speech::silence(second, RATE)].concat();
    let noticed: Vec<Noticed> = noticed(&both).into_iter().map(|(_, what)| what).collect();
    assert_eq!(noticed, [Noticed::Began, Noticed::Ended, Noticed::Began, Noticed::Ended]);
}

#[test]
fn silence_and_soft_noise_are_none() {
    let length = Duration::from_secs(4);
    assert_eq!(noticed(&speech::silence(length, RATE)), []);
    assert_eq!(noticed(&noise(length)), []);
}
