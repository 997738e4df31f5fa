//! What the stream hears, frame by frame, and how a codec writes it.

use std::{f64::consts::TAU, time::Duration};

use super::settings::Codec;
use crate::{
    audio::{a_law, mu_law},
    telnyx::scenario::Says,
};

/// Length of a frame.
pub(super) const FRAME: Duration = Duration::from_millis(20);

/// Loudness of tones, about a quarter of full scale.
const AMPLITUDE: f64 = 8000.0;
const HUM_HZ: f64 = 220.0;
const BEEP_HZ: f64 = 1000.0;
const BEEP: Duration = Duration::from_millis(500);

/// The payload of frame `index` (from 0); `None` if the codec is emulated by name only.
pub(super) fn frame(says: &Says, index: u32, codec: Codec) -> Option<Vec<u8>> {
    let samples = samples(says, index, codec.rate());
    match codec {
        Codec::Pcmu => Some(samples.into_iter().map(mu_law).collect()),
        Codec::Pcma => Some(samples.into_iter().map(a_law).collect()),
        Codec::L16 => Some(samples.into_iter().flat_map(i16::to_le_bytes).collect()),
        Codec::Other(_) => None,
    }
}

fn samples(says: &Says, index: u32, rate: u32) -> Vec<i16> {
    let count = rate / 50;
    let first = u64::from(index) * u64::from(count);
    let silence = || vec![0; usize::try_from(count).unwrap_or_default()];
    match says {
        Says::Silence => silence(),
        Says::Tone { hz } => tone(*hz, first, count, rate),
        Says::Voicemail { greeting } => {
            let at = FRAME * index;
            if at < *greeting {
                tone(HUM_HZ, first, count, rate)
            } else if at < *greeting + BEEP {
                tone(BEEP_HZ, first, count, rate)
            } else {
                silence()
            }
        }
        Says::Pcm(recorded) => {
            let start = usize::try_from(first * 2).unwrap_or(usize::MAX).min(recorded.len());
            let mut samples = silence();
            for (sample, pair) in samples.iter_mut().zip(recorded[start..].chunks_exact(2)) {
                *sample = i16::from_le_bytes([pair[0], pair[1]]);
            }
            samples
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "|sin| <= 1, so the product fits an i16")]
#[expect(clippy::cast_precision_loss, reason = "a call has fewer than 2^52 samples")]
fn tone(hz: f64, first: u64, count: u32, rate: u32) -> Vec<i16> {
    let step = TAU * hz / f64::from(rate);
    (first..first + u64::from(count)).map(|at| ((step * at as f64).sin() * AMPLITUDE) as i16).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_frame_is_20_ms_in_any_codec() {
        let length = |codec| frame(&Says::Silence, 3, codec).map(|bytes| bytes.len());
        assert_eq!(length(Codec::Pcmu), Some(160));
        assert_eq!(length(Codec::Pcma), Some(160));
        assert_eq!(length(Codec::L16), Some(640));
        assert_eq!(length(Codec::Other("OPUS")), None);
    }

    #[test]
    fn a_recording_is_played_once_and_bit_exact() {
        let recorded: Vec<u8> = (0..800u32).map(|n| n.to_le_bytes()[0]).collect();
        let says = Says::Pcm(Bytes::from(recorded.clone()));
        let heard = |index| frame(&says, index, Codec::L16).expect("L16 is emulated");
        assert_eq!(heard(0), recorded[..640]);
        assert_eq!(heard(1)[..160], recorded[640..]);
        assert!(heard(1)[160..].iter().chain(&heard(2)).all(|byte| *byte == 0));
    }
}
