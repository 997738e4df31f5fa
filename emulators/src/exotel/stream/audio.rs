//! What the bot hears, frame by frame: PCM16, little endian, mono.

use std::{f64::consts::TAU, time::Duration};

use crate::exotel::scenario::Says;

/// Length of a frame.
pub(super) const FRAME: Duration = Duration::from_millis(100);

/// Loudness of tones, about a quarter of full scale.
const AMPLITUDE: f64 = 8000.0;
const HUM_HZ: f64 = 220.0;
const BEEP_HZ: f64 = 1000.0;
const BEEP: Duration = Duration::from_millis(500);

/// The bytes of frame `index` (from 0).
pub(super) fn frame(says: &Says, index: u32, rate: u32) -> Vec<u8> {
    let samples = rate / 10;
    let first = u64::from(index) * u64::from(samples);
    match says {
        Says::Silence => silence(samples),
        Says::Tone { hz } => tone(*hz, first, samples, rate),
        Says::Voicemail { greeting } => {
            let at = FRAME * index;
            if at < *greeting {
                tone(HUM_HZ, first, samples, rate)
            } else if at < *greeting + BEEP {
                tone(BEEP_HZ, first, samples, rate)
            } else {
                silence(samples)
            }
        }
        Says::Pcm(recorded) => {
            let start = usize::try_from(first * 2).unwrap_or(usize::MAX).min(recorded.len());
            let mut bytes = silence(samples);
            let end = (start + bytes.len()).min(recorded.len());
            bytes[..end - start].copy_from_slice(&recorded[start..end]);
            bytes
        }
    }
}

fn silence(samples: u32) -> Vec<u8> {
    (0..samples).flat_map(|_| [0, 0]).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "|sin| <= 1, so the product fits an i16")]
#[expect(clippy::cast_precision_loss, reason = "a call has fewer than 2^52 samples")]
fn tone(hz: f64, first: u64, samples: u32, rate: u32) -> Vec<u8> {
    let step = TAU * hz / f64::from(rate);
    let sample = |at: u64| ((step * at as f64).sin() * AMPLITUDE) as i16;
    (first..first + u64::from(samples)).flat_map(|at| sample(at).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_frame_is_a_tenth_of_a_second_at_any_rate() {
        for rate in [8000, 16000, 24000] {
            assert_eq!(frame(&Says::Silence, 0, rate).len(), rate as usize / 5);
            assert_eq!(frame(&Says::Tone { hz: 440.0 }, 7, rate).len(), rate as usize / 5);
        }
    }

    #[test]
    fn a_recording_is_played_once_and_bit_exact() {
        let recorded: Vec<u8> = (0..2000u32).map(|n| n.to_le_bytes()[0]).collect();
        let says = Says::Pcm(Bytes::from(recorded.clone()));
        assert_eq!(frame(&says, 0, 8000), recorded[..1600]);
        assert_eq!(frame(&says, 1, 8000)[..400], recorded[1600..]);
        assert!(frame(&says, 1, 8000)[400..].iter().chain(&frame(&says, 2, 8000)).all(|b| *b == 0));
    }

    #[test]
    fn a_voicemail_hums_then_beeps_then_listens() {
        let says = Says::Voicemail { greeting: Duration::from_millis(200) };
        let loud = |index| frame(&says, index, 8000).iter().any(|byte| *byte != 0);
        let heard: Vec<bool> = (0..9).map(loud).collect();
        assert_eq!(heard, [true, true, true, true, true, true, true, false, false]);
    }
}
