//! From the bytes of a body to whole samples that begin with the voice.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::media::audio::Format;

/// More silence than this is not taken away: then it is meant.
const TRIMMED_MAX: Duration = Duration::from_millis(500);
/// How much of the silence is left before the voice, so that no consonant is clipped.
const LEFT: Duration = Duration::from_millis(10);
/// A sample that is further from zero is voice: 42 dB below the loudest. Silence of models is quieter by far.
const VOICE: u16 = 256;

/// Takes half samples and leading silence out of a stream of audio.
#[derive(Debug)]
pub(super) struct Sound {
    format: Format,
    /// Half a sample, which waits for its other half.
    odd: BytesMut,
    /// The last of the silence; `None` once the voice is there.
    silence: Option<BytesMut>,
    /// How much silence was heard, in bytes.
    silent: usize,
}

impl Sound {
    pub(super) fn new(format: Format) -> Self {
        Self { format, odd: BytesMut::new(), silence: Some(BytesMut::new()), silent: 0 }
    }

    /// What of it, and of what came before, is to be heard; may be empty.
    pub(super) fn hear(&mut self, bytes: &Bytes) -> Bytes {
        let mut samples = std::mem::take(&mut self.odd);
        samples.extend_from_slice(bytes);
        let whole = samples.len() - samples.len() % self.format.sample_bytes();
        self.odd = samples.split_off(whole);
        let Some(mut silence) = self.silence.take() else { return samples.freeze() };
        let quiet = self.quiet(&samples);
        self.silent += quiet;
        let ends = quiet < samples.len() || self.silent >= self.most();
        let voice = samples.split_off(quiet);
        silence.extend_from_slice(&samples);
        let _ = silence.split_to(silence.len().saturating_sub(self.format.bytes_in(LEFT)));
        if !ends {
            self.silence = Some(silence);
            return Bytes::new();
        }
        silence.extend_from_slice(&voice);
        silence.freeze()
    }

    /// Whether what came ended within a sample.
    pub(super) fn is_broken_off(&self) -> bool {
        !self.odd.is_empty()
    }

    /// Whether anything is to be heard so far: the voice, or more silence than is taken away.
    pub(super) fn has_voice(&self) -> bool {
        self.silence.is_none()
    }

    fn most(&self) -> usize {
        self.format.bytes_in(TRIMMED_MAX)
    }

    /// How many bytes at the beginning are silence that may be taken away.
    fn quiet(&self, bytes: &[u8]) -> usize {
        let mut samples = Vec::new();
        self.format.decode(bytes, &mut samples);
        let quiet = samples.iter().take_while(|sample| sample.unsigned_abs() <= VOICE).count();
        (quiet * self.format.sample_bytes()).min(self.most().saturating_sub(self.silent))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(format: Format, pieces: &[&[u8]]) -> Vec<u8> {
        let mut sound = Sound::new(format);
        pieces.iter().flat_map(|piece| sound.hear(&Bytes::copy_from_slice(piece))).collect()
    }

    #[test]
    fn silence_before_the_voice_is_taken_away_but_for_a_little() {
        let voice = [0x10_u8; 400];
        let silence = [0xff_u8; 1_000];
        let mut all = silence[..80].to_vec();
        all.extend(voice);
        assert_eq!(heard(Format::MULAW_8000, &[&silence, &voice]), all);
        // What has less of it stays as it is, and a pause within is none of ours.
        assert_eq!(heard(Format::MULAW_8000, &[&silence[..40], &voice]).len(), 440);
        assert_eq!(heard(Format::MULAW_8000, &[&voice, &silence, &voice]).len(), 1_800);
    }

    #[test]
    fn half_a_second_of_silence_is_the_most_that_is_taken_away() {
        let silence = vec![0xff_u8; 10_000];
        assert_eq!(heard(Format::MULAW_8000, &[&silence]).len(), 10_000 - 4_000 + 80);
        assert!(heard(Format::MULAW_8000, &[&silence[..4_000]]).len() == 80);
    }

    #[test]
    fn an_end_within_a_sample_is_noticed() {
        let mut sound = Sound::new(Format::LINEAR16_8000);
        assert_eq!(sound.hear(&Bytes::from_static(&[0, 0x40, 0])), [0, 0x40].as_slice());
        assert!(sound.is_broken_off());
        assert_eq!(sound.hear(&Bytes::from_static(&[0x40])), [0, 0x40].as_slice());
        assert!(!sound.is_broken_off());
    }

    proptest! {
        #[test]
        fn it_sounds_the_same_in_whatever_pieces_it_comes(
            silent in 0_usize..6_000,
            voice in prop::collection::vec(any::<u8>(), 0..600),
            cuts in prop::collection::vec(1_usize..700, 1..40),
        ) {
            let mut bytes = vec![0_u8; silent];
            bytes.extend(voice);
            let mut pieces = vec![];
            let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
            while let (false, Some(cut)) = (rest.is_empty(), cuts.next()) {
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = left;
            }
            let whole = heard(Format::LINEAR16_8000, &[&bytes]);
            let parts = heard(Format::LINEAR16_8000, &pieces);
            // Silence to the end is held back in either case.
            prop_assert_eq!(&parts, &whole);
            prop_assert_eq!(whole.len() % 2, 0);
        }
    }
}
