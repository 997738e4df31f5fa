//! How carriers write samples: one channel, at a telephone's rate or twice that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// G.711 µ-law: a byte.
    Mulaw,
    /// G.711 A-law: a byte.
    Alaw,
    /// A signed number of 16 bits, the low byte first.
    Linear16,
}

/// What the audio of a call looks like, both ways. Recognisers and voices are asked for the carrier's own format, so
/// that nothing has to be converted on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Format {
    /// How a sample is written.
    pub encoding: Encoding,
    /// Samples in a second.
    pub rate: u32,
}

impl Format {
    /// What Telnyx streams unless asked otherwise.
    pub const MULAW_8000: Self = Self { encoding: Encoding::Mulaw, rate: 8_000 };
    /// What Exotel streams unless asked otherwise.
    pub const LINEAR16_8000: Self = Self { encoding: Encoding::Linear16, rate: 8_000 };

    /// Bytes of a sample.
    pub const fn sample_bytes(self) -> usize {
        match self.encoding {
            Encoding::Mulaw | Encoding::Alaw => 1,
            Encoding::Linear16 => 2,
        }
    }

    /// Bytes that last so long; whole samples.
    pub fn bytes_in(self, time: Duration) -> usize {
        let samples = time.as_micros() * u128::from(self.rate) / 1_000_000;
        usize::try_from(samples).unwrap_or(usize::MAX).saturating_mul(self.sample_bytes())
    }

    /// How long so many bytes last.
    pub fn length_of(self, bytes: usize) -> Duration {
        let samples = (bytes / self.sample_bytes()) as u64;
        Duration::from_micros(samples * 1_000_000 / u64::from(self.rate.max(1)))
    }

    /// The byte of which silence is made.
    pub const fn silence(self) -> u8 {
        match self.encoding {
            Encoding::Mulaw => 0xff,
            Encoding::Alaw => 0xd5,
            Encoding::Linear16 => 0,
        }
    }

    /// The samples of whole bytes; half a sample at the end is left out.
    pub fn decode(self, bytes: &[u8], samples: &mut Vec<i16>) {
        match self.encoding {
            Encoding::Mulaw => samples.extend(bytes.iter().map(|byte| mulaw(*byte))),
            Encoding::Alaw => samples.extend(bytes.iter().map(|byte| alaw(*byte))),
            Encoding::Linear16 => {
                let pairs = bytes.as_chunks::<2>().0.iter();
                samples.extend(pairs.map(|pair| i16::from_le_bytes(*pair)));
            }
        }
    }
}

/// A sample of ITU-T G.711 µ-law.
fn mulaw(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = (byte >> 4) & 0x07;
    let mantissa = i16::from(byte & 0x0f);
    let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

/// A sample of ITU-T G.711 A-law.
fn alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let exponent = (byte >> 4) & 0x07;
    let mantissa = i16::from(byte & 0x0f);
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_those_of_the_tables_of_g_711() {
        // Ends, middles and zeros of the tables in ITU-T G.711, at 16 bits.
        for (byte, sample) in
            [(0x00, -32_124), (0x80, 32_124), (0xff, 0), (0x7f, 0), (0x0f, -16_764), (0xf0, 120)]
        {
            assert_eq!(mulaw(byte), sample, "µ-law {byte:#x}");
        }
        for (byte, sample) in [(0x2a, -32_256), (0xaa, 32_256), (0xd5, 8), (0x55, -8), (0x80, 5_504)] {
            assert_eq!(alaw(byte), sample, "A-law {byte:#x}");
        }
    }

    #[test]
    fn bytes_and_time_are_told_from_each_other() {
        let frame = Duration::from_millis(20);
        assert_eq!(Format::MULAW_8000.bytes_in(frame), 160);
        assert_eq!(Format::LINEAR16_8000.bytes_in(frame), 320);
        assert_eq!(Format::LINEAR16_8000.length_of(321), frame);
        let mut samples = vec![];
        Format::LINEAR16_8000.decode(&[0x01, 0x00, 0xff, 0xff, 0x07], &mut samples);
        assert_eq!(samples, [1, -1]);
        for format in
            [Format::MULAW_8000, Format::LINEAR16_8000, Format { encoding: Encoding::Alaw, rate: 8_000 }]
        {
            let mut silence = vec![];
            format.decode(&[format.silence(); 4], &mut silence);
            assert!(silence.iter().all(|sample| sample.abs() <= 8), "{format:?}");
        }
    }
}
