//! Playing the bot's audio to the caller: when a mark falls due, and what `clear` takes away.

use std::{collections::VecDeque, time::Duration};

/// A byte count that does not fill the carrier's 20 ms grid is padded, with this audible gap.
const GRID: usize = 320;
const PADDING: Duration = Duration::from_millis(20);

/// Audio queued towards the caller. Times are nominal, from the start of the stream.
#[derive(Debug)]
pub(super) struct Playout {
    bytes_per_second: u32,
    /// When all that is queued will have been played.
    until: Duration,
    marks: VecDeque<(Duration, String)>,
}

impl Playout {
    pub(super) fn new(sample_rate: u32) -> Self {
        Self { bytes_per_second: sample_rate * 2, until: Duration::ZERO, marks: VecDeque::new() }
    }

    pub(super) fn queue(&mut self, bytes: usize, now: Duration) {
        let whole = u32::try_from(bytes).unwrap_or(u32::MAX);
        let length = Duration::from_secs(1) * whole / self.bytes_per_second;
        let padding = if bytes.is_multiple_of(GRID) { Duration::ZERO } else { PADDING };
        self.until = self.until.max(now) + length + padding;
    }

    pub(super) fn mark(&mut self, name: String, now: Duration) {
        self.marks.push_back((self.until.max(now), name));
    }

    /// Drops what was not yet played, and returns the marks that were waiting for it.
    pub(super) fn clear(&mut self, now: Duration) -> Vec<String> {
        self.until = self.until.min(now);
        self.marks.drain(..).map(|(_, name)| name).collect()
    }

    /// The next mark whose audio has been played.
    pub(super) fn due(&mut self, now: Duration) -> Option<String> {
        self.marks.pop_front_if(|(at, _)| *at <= now).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn a_mark_is_due_once_the_audio_before_it_has_been_played() {
        let mut playout = Playout::new(8000);
        playout.queue(3200, ms(50));
        playout.mark("a".into(), ms(50));
        assert_eq!(playout.due(ms(249)), None);
        assert_eq!(playout.due(ms(250)), Some("a".into()));
        assert_eq!(playout.due(ms(250)), None);
    }

    #[test]
    fn clear_takes_audio_and_its_marks_away() {
        let mut playout = Playout::new(8000);
        playout.queue(16_000, ms(0));
        playout.mark("a".into(), ms(0));
        assert_eq!(playout.clear(ms(100)), ["a"]);
        playout.mark("b".into(), ms(100));
        assert_eq!(playout.due(ms(100)), Some("b".into()));
    }

    #[test]
    fn an_odd_frame_costs_a_gap() {
        let mut playout = Playout::new(8000);
        playout.queue(100, ms(0));
        playout.mark("a".into(), ms(0));
        assert_eq!(playout.due(ms(26)), None);
        assert_eq!(playout.due(ms(27)), Some("a".into()));
    }
}
