//! Audio that is not recognised for good yet, and would have to be sent again on another socket.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::media::audio::Format;

/// How much is kept at most. Final results come every few seconds; what is older than this would be answered too
/// late to be worth it.
const KEPT_MAX: Duration = Duration::from_secs(30);

/// The audio behind the last final result.
#[derive(Debug)]
pub(super) struct Replay {
    format: Format,
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// Where the first piece begins, in bytes since the socket's first.
    begins: usize,
}

impl Replay {
    pub(super) fn new(format: Format) -> Self {
        Self { format, pieces: VecDeque::new(), bytes: 0, begins: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Keeps audio; whether the oldest had to go for it.
    pub(super) fn keep(&mut self, audio: Bytes) -> bool {
        self.bytes += audio.len();
        self.pieces.push_back(audio);
        let most = self.format.bytes_in(KEPT_MAX);
        let too_much = self.bytes.saturating_sub(most);
        self.forget(too_much);
        too_much > 0
    }

    /// All of it, for a socket whose time begins with it.
    pub(super) fn again(&mut self) -> impl Iterator<Item = Bytes> {
        self.begins = 0;
        self.pieces.iter().cloned()
    }

    /// Everything up to here, in time of the socket, is recognised.
    pub(super) fn recognised(&mut self, until: Duration) {
        let until = self.format.bytes_in(until);
        self.forget(until.saturating_sub(self.begins));
    }

    fn forget(&mut self, bytes: usize) {
        let mut left = bytes.min(self.bytes);
        self.begins += left;
        self.bytes -= left;
        while let Some(first) = self.pieces.front_mut().filter(|_| left > 0) {
            if first.len() > left {
                drop(first.split_to(left));
                return;
            }
            left -= first.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn kept(replay: &mut Replay) -> Vec<u8> {
        replay.again().flatten().collect()
    }

    #[test]
    fn what_is_recognised_is_not_sent_again_and_the_rest_is_to_the_byte() {
        let mut replay = Replay::new(Format::MULAW_8000);
        for piece in 0..4 {
            replay.keep(Bytes::from(vec![piece; 160]));
        }
        // Up to the middle of the second piece.
        replay.recognised(ms(30));
        replay.recognised(ms(30));
        let rest: Vec<u8> = [[1; 80].as_slice(), &[2; 160], &[3; 160]].concat();
        assert_eq!(kept(&mut replay), rest);
        // The time of the next socket begins with what it is sent.
        replay.recognised(ms(10));
        assert_eq!(kept(&mut replay), [[2; 160], [3; 160]].concat());
        replay.recognised(ms(900));
        assert!(replay.is_empty());
        // Nor does a time that was told too late, or was too long, take what came after.
        replay.keep(Bytes::from_static(&[7]));
        replay.recognised(ms(40));
        assert_eq!(kept(&mut replay), [7]);
    }

    #[test]
    fn the_oldest_goes_when_there_is_too_much() {
        let mut replay = Replay::new(Format::MULAW_8000);
        let second = |value| Bytes::from(vec![value; 8_000]);
        assert!((0..30).all(|value| !replay.keep(second(value))));
        assert!(replay.keep(second(30)));
        let kept = kept(&mut replay);
        assert_eq!((kept.len(), kept[0]), (240_000, 1));
    }
}
