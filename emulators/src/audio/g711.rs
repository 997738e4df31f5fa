//! G.711: a sample in eight bits, by a logarithm of two kinds.

/// What µ-law adds before it takes the logarithm.
const BIAS: u32 = 0x84;

/// A sample in µ-law.
pub(crate) fn mu_law(sample: i16) -> u8 {
    const CLIP: u32 = 32_635;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = u32::from(sample.unsigned_abs()).min(CLIP) + BIAS;
    // The bias makes bit 7 the lowest that can lead.
    let exponent = 24 - magnitude.leading_zeros();
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | low_byte((exponent << 4) | mantissa))
}

/// A sample in A-law.
pub(crate) fn a_law(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0, !sample) } else { (0x80, sample) };
    let magnitude = u32::from(magnitude.unsigned_abs());
    let coded = if magnitude < 256 {
        magnitude >> 4
    } else {
        let exponent = 24 - magnitude.leading_zeros();
        (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)
    };
    (sign | low_byte(coded)) ^ 0x55
}

/// The sample that a byte of µ-law stands for.
pub(super) fn from_mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let (exponent, mantissa) = (u32::from(byte >> 4) & 7, u32::from(byte & 0x0f));
    let magnitude = (((mantissa << 3) + BIAS) << exponent) - BIAS;
    signed(magnitude, byte & 0x80 != 0)
}

/// The sample that a byte of A-law stands for: the middle of what is coded alike.
pub(super) fn from_a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = (u32::from(byte >> 4) & 7, u32::from(byte & 0x0f));
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    signed(magnitude, byte & 0x80 == 0)
}

fn signed(magnitude: u32, negative: bool) -> i16 {
    let magnitude = i16::try_from(magnitude).unwrap_or(i16::MAX);
    if negative { -magnitude } else { magnitude }
}

fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_writes_its_reference_points() {
        let mu: Vec<_> = [0, -1, 32_767, -32_768, 1000].map(mu_law).to_vec();
        assert_eq!(mu, [0xff, 0x7f, 0x80, 0x00, 0xce]);
        let a: Vec<_> = [0, -1, 32_767, -32_768, 1000].map(a_law).to_vec();
        assert_eq!(a, [0xd5, 0x55, 0xaa, 0x2a, 0xfa]);
    }

    #[test]
    fn what_is_read_is_written_the_same_again() {
        for byte in 0..=255 {
            assert_eq!(a_law(from_a_law(byte)), byte, "A-law {byte:#x}");
            // µ-law has two zeros, of which a sample can be only one.
            let kept = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(mu_law(from_mu_law(byte)), kept, "µ-law {byte:#x}");
        }
    }
}
