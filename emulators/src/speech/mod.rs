//! Audio that carries words, so that a test can tell what was played from what arrived.
//!
//! A [`Voice`] says each character of a text as a chord of eight tones, and an [`Ear`] reads the
//! chords back: from µ-law or A-law, quieter, resampled, with frames lost, and from where it was cut
//! off. A pause is silence. To voice detectors it is a voice, and it sounds like nothing that people say; whatever is not a chord (a
//! tone, a hum, noise) is sound without words.
//!
//! ```
//! use outdial_emulators::speech;
//! let samples = speech::say("Hello there.", 8000);
//! assert_eq!(samples.len(), 12 * 60 * 8);
//! assert_eq!(speech::heard(&samples, 8000), "Hello there.");
//! ```

mod chord;
mod ear;
mod voice;

use std::time::Duration;

pub(crate) use self::ear::PAUSE;
pub use self::{
    ear::{Ear, Letter, Tick},
    voice::Voice,
};

/// How long a character lasts at normal speed, from the ElevenLabs page of our protocol notes (§7):
/// about 200 words a minute, a little faster than people talk.
pub const CHARACTER: Duration = Duration::from_millis(60);

/// Samples of `text` at normal speed.
pub fn say(text: &str, rate: u32) -> Vec<i16> {
    Voice::new(rate).say(text)
}

/// So many samples of silence.
pub fn silence(length: Duration, rate: u32) -> Vec<i16> {
    vec![0; samples_in(length, rate)]
}

/// The text that samples carry. Words with a pause between them are told apart by a space.
pub fn heard(samples: &[i16], rate: u32) -> String {
    let mut ear = Ear::new(rate);
    let mut ticks = ear.hear(samples);
    ticks.extend(ear.end());
    written(ticks.into_iter().filter_map(|tick| tick.letter))
}

/// Letters as a line of text.
pub fn written(letters: impl IntoIterator<Item = Letter>) -> String {
    let mut text = String::new();
    let mut until = None;
    for letter in letters {
        if until.is_some_and(|until| letter.is_after_pause(until)) && !text.ends_with(' ') {
            text.push(' ');
        }
        text.push(letter.character);
        until = Some(letter.end);
    }
    text
}

/// Whole samples in a stretch of time, rounded down.
pub(crate) fn samples_in(length: Duration, rate: u32) -> usize {
    let samples = length.as_nanos() * u128::from(rate) / 1_000_000_000;
    usize::try_from(samples).unwrap_or(usize::MAX)
}
