//! `output_format` (§2).

use std::time::Duration;

use crate::audio::Encoding;

/// What is asked for when nothing is.
pub(super) const DEFAULT: &str = "mp3_44100_128";

const PCM_RATES: [u32; 7] = [8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
/// Compressed formats: documented, and not emulated.
const COMPRESSED: [&str; 12] = [
    "mp3_22050_32",
    "mp3_24000_48",
    "mp3_44100_32",
    "mp3_44100_64",
    "mp3_44100_96",
    "mp3_44100_128",
    "mp3_44100_192",
    "opus_48000_32",
    "opus_48000_64",
    "opus_48000_96",
    "opus_48000_128",
    "opus_48000_192",
];

/// Raw audio, with or without a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) encoding: Encoding,
    pub(super) rate: u32,
    /// With the header of a WAV file, which only answers that are not streamed may have.
    pub(super) wav: bool,
}

/// Why there is no such format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoFormat {
    Unknown,
    NotEmulated,
}

impl Format {
    pub(super) fn named(name: &str) -> Result<Self, NoFormat> {
        let raw = |encoding, rate| Ok(Self { encoding, rate, wav: false });
        match name.split_once('_') {
            Some(("ulaw", "8000")) => raw(Encoding::Mulaw, 8000),
            Some(("alaw", "8000")) => raw(Encoding::Alaw, 8000),
            Some((kind @ ("pcm" | "wav"), rate)) => {
                let rate =
                    rate.parse().ok().filter(|rate| PCM_RATES.contains(rate)).ok_or(NoFormat::Unknown)?;
                Ok(Self { encoding: Encoding::Linear16, rate, wav: kind == "wav" })
            }
            _ if COMPRESSED.contains(&name) => Err(NoFormat::NotEmulated),
            _ => Err(NoFormat::Unknown),
        }
    }

    pub(super) fn bytes_per_second(self) -> u64 {
        u64::from(self.rate) * u64::try_from(self.encoding.sample_bytes()).unwrap_or(1)
    }

    /// How long so many bytes are.
    pub(super) fn length(self, bytes: u64) -> Duration {
        Duration::from_nanos(bytes * 1_000_000_000 / self.bytes_per_second())
    }

    /// Not documented for raw formats, and seen to vary.
    pub(super) fn content_type(self) -> &'static str {
        match (self.encoding, self.wav) {
            (_, true) => "audio/wav",
            (Encoding::Linear16, false) => "audio/pcm",
            (Encoding::Mulaw | Encoding::Alaw, false) => "audio/basic",
        }
    }

    /// What goes before so many bytes of audio.
    pub(super) fn header(self, bytes: usize) -> Vec<u8> {
        if !self.wav {
            return Vec::new();
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut header = b"RIFF".to_vec();
        header.extend((bytes.saturating_add(36)).to_le_bytes());
        header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        header.extend(self.rate.to_le_bytes());
        header.extend((self.rate * 2).to_le_bytes());
        header.extend(b"\x02\0\x10\0data");
        header.extend(bytes.to_le_bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephone_formats_are_known_and_have_their_length() {
        let ulaw = Format::named("ulaw_8000").expect("known");
        assert_eq!(ulaw.length(8000), Duration::from_secs(1));
        let pcm = Format::named("pcm_16000").expect("known");
        assert_eq!(pcm.length(32_000), Duration::from_secs(1));
        assert_eq!(Format::named("wav_8000").expect("known").header(10).len(), 44);
    }

    #[test]
    fn others_are_unknown_or_not_emulated() {
        assert_eq!(Format::named(DEFAULT), Err(NoFormat::NotEmulated));
        for name in ["ulaw_16000", "pcm_11025", "pcm", "", "mp3"] {
            assert_eq!(Format::named(name), Err(NoFormat::Unknown), "{name}");
        }
    }
}
