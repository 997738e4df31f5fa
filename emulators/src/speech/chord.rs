//! One character as eight tones at once.
//!
//! Sixty-four frequencies, 50 Hz apart from 250 Hz to 3400 Hz (what a telephone line carries), stand in
//! eight groups of eight, and one of each group sounds. Seven groups make the 21 bits of a Unicode
//! scalar value; the eighth has one bit that turns with each character, which tells a doubled letter
//! from a long one, and two of a checksum.

use std::f64::consts::{PI, TAU};

const GROUPS: usize = 8;
/// Loudness of one tone: the chord's peak stays within 16 bits.
const AMPLITUDE: f64 = 2000.0;
/// All of it swells and fades so often a second, and by so much, as voices do with each beat of the vocal folds: a voice
/// detector hears a voice. What that adds lies halfway between two tones, 14 dB below each.
const PITCH_HZ: f64 = 225.0;
const SWELL: f64 = 0.3;
const LOWEST_HZ: u32 = 250;
const STEP_HZ: u32 = 50;

/// Quieter than this, as a root mean square, is silence: 40 dB below a chord.
const SILENCE_RMS: f64 = 40.0;
/// The share of all sound that the eight tones must have. Half of it may be noise.
const SHARE_ALL: f64 = 0.5;
/// The share that each of them must have at least; an even chord has an eighth in each.
const SHARE_EACH: f64 = 0.02;
/// How many times louder each must be than the next of its group.
const LEAD: f64 = 4.0;

/// A character, and which way the turning bit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chord {
    pub(super) character: char,
    pub(super) turn: bool,
}

/// What a window of sound holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    Silence,
    /// Sound that is no chord, or parts of two.
    Noise,
    Chord(Chord),
}

impl Chord {
    fn digits(self) -> [u32; GROUPS] {
        let scalar = u32::from(self.character);
        let mut digits = [0; GROUPS];
        for (group, digit) in digits.iter_mut().take(7).enumerate() {
            *digit = (scalar >> (3 * group)) & 7;
        }
        digits[7] = u32::from(self.turn) | (checksum(&digits[..7]) << 1);
        digits
    }

    /// The sample `at` samples from the chord's beginning.
    pub(super) fn samples(self, count: usize, rate: u32) -> impl Iterator<Item = i16> {
        let tones = self.digits().map(f64::from);
        (0..count).map(move |at| {
            let mut sum = 0.0;
            for (group, digit) in (0u32..).zip(tones) {
                let hz = f64::from(LOWEST_HZ) + f64::from(STEP_HZ) * (f64::from(group * 8) + digit);
                // Phases that grow with the square keep the tones from all peaking at once.
                let phase = PI * f64::from(group * group) / 8.0;
                sum += (TAU * hz * seconds(at, rate) + phase).sin();
            }
            let swell = 1.0 + SWELL * (TAU * PITCH_HZ * seconds(at, rate)).sin();
            sample(AMPLITUDE * swell * sum)
        })
    }
}

fn checksum(digits: &[u32]) -> u32 {
    digits.iter().zip(1..).map(|(digit, weight)| digit * weight).sum::<u32>() & 3
}

#[expect(clippy::cast_precision_loss, reason = "a chord has fewer than 2^52 samples")]
fn seconds(at: usize, rate: u32) -> f64 {
    at as f64 / f64::from(rate)
}

#[expect(clippy::cast_possible_truncation, reason = "eight amplitudes fit an i16")]
fn sample(value: f64) -> i16 {
    value as i16
}

/// Reads a window that is a whole multiple of 20 ms long, in which all 64 tones are orthogonal.
#[expect(clippy::cast_precision_loss, reason = "a window has fewer than 2^52 samples")]
pub(super) fn listen(window: &[i16], rate: u32) -> Sound {
    let energy: f64 = window.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    if energy <= window.len() as f64 * SILENCE_RMS * SILENCE_RMS {
        return Sound::Silence;
    }
    let mut digits = [0; GROUPS];
    let mut total = 0.0;
    for (group, digit) in (0u32..).zip(&mut digits) {
        let (loudest, share, second) = loudest(window, rate, group * 8, energy);
        if share < SHARE_EACH || share < LEAD * second {
            return Sound::Noise;
        }
        total += share;
        *digit = loudest;
    }
    if total < SHARE_ALL { Sound::Noise } else { read(digits).map_or(Sound::Noise, Sound::Chord) }
}

/// The loudest of a group's tones, its share of all energy, and the next one's.
#[expect(clippy::cast_precision_loss, reason = "a window has fewer than 2^52 samples")]
fn loudest(window: &[i16], rate: u32, first: u32, energy: f64) -> (u32, f64, f64) {
    let (mut loudest, mut share, mut second) = (0, 0.0, 0.0);
    for digit in 0..8 {
        let hz = LOWEST_HZ + STEP_HZ * (first + digit);
        let this = power(window, hz, rate) * 2.0 / window.len() as f64 / energy;
        if this > share {
            (loudest, second, share) = (digit, share, this);
        } else if this > second {
            second = this;
        }
    }
    (loudest, share, second)
}

/// The square of a tone's Fourier coefficient (Goertzel's algorithm).
fn power(window: &[i16], hz: u32, rate: u32) -> f64 {
    let turn = 2.0 * (TAU * f64::from(hz) / f64::from(rate)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in window {
        (last, before) = (f64::from(*sample) + turn * last - before, last);
    }
    last * last + before * before - turn * last * before
}

fn read(digits: [u32; GROUPS]) -> Option<Chord> {
    if checksum(&digits[..7]) != digits[7] >> 1 {
        return None;
    }
    let scalar = digits[..7].iter().rev().fold(0, |scalar, digit| (scalar << 3) | digit);
    Some(Chord { character: char::from_u32(scalar)?, turn: digits[7] & 1 == 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_character_is_read_back_at_every_rate() {
        for rate in [8000, 16_000, 22_050, 24_000, 44_100, 48_000] {
            for character in ['a', ' ', 'é', 'न', '\u{10ffff}', '\0'] {
                for turn in [false, true] {
                    let chord = Chord { character, turn };
                    let window: Vec<i16> = chord.samples(rate as usize / 50, rate).collect();
                    assert_eq!(listen(&window, rate), Sound::Chord(chord), "{chord:?} at {rate}");
                }
            }
        }
    }

    #[test]
    fn a_tone_is_noise_and_a_whisper_is_silence() {
        let tone = |amplitude: f64| -> Vec<i16> {
            (0..160).map(|at| sample((TAU * 440.0 * seconds(at, 8000)).sin() * amplitude)).collect()
        };
        assert_eq!(listen(&tone(8000.0), 8000), Sound::Noise);
        assert_eq!(listen(&tone(20.0), 8000), Sound::Silence);
        assert_eq!(listen(&[0; 160], 8000), Sound::Silence);
    }

    #[test]
    fn half_of_one_chord_and_half_of_another_are_neither() {
        let chord = |character, turn| Chord { character, turn }.samples(80, 8000);
        let window: Vec<i16> = chord('a', false).chain(chord('Z', true)).collect();
        assert_eq!(listen(&window, 8000), Sound::Noise);
    }
}
