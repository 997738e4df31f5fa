//! Playing the bot's audio to the caller: when a mark falls due, and what `clear` takes away.

use std::{collections::VecDeque, time::Duration};

/// Audio queued towards the caller. Times are nominal, from the start of the stream.
#[derive(Debug, Default)]
pub(super) struct Playout {
    /// When all that is queued will have been played.
    until: Duration,
    marks: VecDeque<(Duration, String)>,
}

impl Playout {
    /// Queues audio, and says when it will begin to be played.
    pub(super) fn queue(&mut self, length: Duration, now: Duration) -> Duration {
        let start = self.until.max(now);
        self.until = start + length;
        start
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
        let mut playout = Playout::default();
        playout.queue(ms(200), ms(50));
        playout.mark("a".into(), ms(50));
        assert_eq!(playout.due(ms(249)), None);
        assert_eq!(playout.due(ms(250)), Some("a".into()));
        assert_eq!(playout.due(ms(250)), None);
    }

    #[test]
    fn clear_takes_the_audio_away_and_gives_its_marks_back() {
        let mut playout = Playout::default();
        playout.queue(ms(1000), ms(0));
        playout.mark("a".into(), ms(0));
        assert_eq!(playout.clear(ms(100)), ["a"]);
        playout.mark("b".into(), ms(100));
        assert_eq!(playout.due(ms(100)), Some("b".into()));
    }
}
