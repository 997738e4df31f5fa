//! What is due when, in one call.

use serde_json::Value;
use tokio::time::Instant;

/// Something that happens by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Due {
    /// An event is told.
    Tell(Topic, &'static str, Value),
    /// The far end presses a key.
    Press(char),
    /// Detection has found this out, after so many nominal milliseconds (TeXML).
    Detected(&'static str, u64),
    /// Nobody has pressed a key for too long.
    GatherTimeout,
    /// The prompt of a gathering ends, and the wait for keys begins.
    GatherBegins,
    /// The far end hangs up.
    CallerLeaves,
    /// The call has lasted as long as it may.
    TimeLimit,
}

/// What an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Speech,
    Playback,
    Detection,
}

/// Ordered by time, then by when it was noted.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    items: Vec<(Instant, u64, Due)>,
    noted: u64,
}

impl Agenda {
    pub(super) fn note(&mut self, at: Instant, due: Due) {
        self.noted += 1;
        let place = self.items.partition_point(|(other, _, _)| *other <= at);
        self.items.insert(place, (at, self.noted, due));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.items.first().map(|(at, _, _)| *at)
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        Some(self.items.remove(0).2)
    }

    /// Takes back all that `which` names, in order.
    pub(super) fn cancel(&mut self, which: impl Fn(&Due) -> bool) -> Vec<Due> {
        let (gone, kept) = std::mem::take(&mut self.items).into_iter().partition(|(_, _, due)| which(due));
        self.items = kept;
        let gone: Vec<(Instant, u64, Due)> = gone;
        gone.into_iter().map(|(_, _, due)| due).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_due_at_the_same_time_happens_in_the_order_noted() {
        let now = Instant::now();
        let mut agenda = Agenda::default();
        agenda.note(now + Duration::from_secs(1), Due::TimeLimit);
        agenda.note(now, Due::Press('1'));
        agenda.note(now, Due::Press('2'));
        agenda.note(now, Due::GatherTimeout);
        assert_eq!(agenda.cancel(|due| *due == Due::GatherTimeout), [Due::GatherTimeout]);
        assert_eq!(agenda.take_due(now), Some(Due::Press('1')));
        assert_eq!(agenda.take_due(now), Some(Due::Press('2')));
        assert_eq!(agenda.take_due(now), None);
        assert_eq!(agenda.next(), Some(now + Duration::from_secs(1)));
    }
}
