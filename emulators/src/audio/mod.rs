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

/// Bytes that come in pieces which may split a sample, or the samples of one moment: what is not whole
/// waits for the next piece.
#[derive(Debug)]
pub(crate) struct Decoder {
    encoding: Encoding,
    /// Bytes of one moment, over all channels.
    moment: usize,
    odd: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new(encoding: Encoding, channels: u16) -> Self {
        let moment = encoding.sample_bytes() * usize::from(channels);
        Self { encoding, moment, odd: Vec::new() }
    }

    pub(crate) fn decode(&mut self, piece: &[u8]) -> Vec<i16> {
        let mut bytes = std::mem::take(&mut self.odd);
        bytes.extend_from_slice(piece);
        let whole = bytes.len() - bytes.len() % self.moment;
        self.odd = bytes.split_off(whole);
        self.encoding.decode(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_that_two_pieces_share_is_read_whole() {
        let samples: Vec<i16> = (-300..300).map(|n| n * 100).collect();
        let bytes = Encoding::Linear16.encode(&samples);
        let mut decoder = Decoder::new(Encoding::Linear16, 2);
        let pieces: Vec<Vec<i16>> = bytes.chunks(7).map(|piece| decoder.decode(piece)).collect();
        assert!(pieces.iter().all(|piece| piece.len() % 2 == 0), "both channels of a moment come together");
        assert_eq!(pieces.concat(), samples);
    }
}
