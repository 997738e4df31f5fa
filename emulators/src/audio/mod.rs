//! Samples and their encodings on the wire.

mod g711;

use serde::{Deserialize, Serialize};

pub(crate) use self::g711::{a_law, mu_law};

/// How samples become bytes. All are mono, or interleaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// 16 bits, signed, little endian, without a header.
    Linear16,
    /// G.711 µ-law, a byte a sample.
    Mulaw,
    /// G.711 A-law, a byte a sample.
    Alaw,
}

impl Encoding {
    /// Bytes a sample takes.
    pub fn sample_bytes(self) -> usize {
        match self {
            Self::Linear16 => 2,
            Self::Mulaw | Self::Alaw => 1,
        }
    }

    /// Samples as bytes.
    pub fn encode(self, samples: &[i16]) -> Vec<u8> {
        match self {
            Self::Linear16 => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            Self::Mulaw => samples.iter().map(|sample| mu_law(*sample)).collect(),
            Self::Alaw => samples.iter().map(|sample| a_law(*sample)).collect(),
        }
    }

    /// Bytes as samples. A last byte that makes no whole sample is left out.
    pub fn decode(self, bytes: &[u8]) -> Vec<i16> {
        match self {
            Self::Linear16 => {
                bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
            }
            Self::Mulaw => bytes.iter().map(|byte| g711::from_mu_law(*byte)).collect(),
            Self::Alaw => bytes.iter().map(|byte| g711::from_a_law(*byte)).collect(),
        }
    }
}
