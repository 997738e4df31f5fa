//! When what happened, and what lies between.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use outdial_jobs::engine::Happened;
use outdial_workflows::ids::LeadId;
use serde::Serialize;

/// Everything that was noted during a run.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Steps that were queued and whose handlers have not started.
    queued: HashMap<LeadId, Instant>,
    pub(super) pickups: Vec<Duration>,
    pub(super) dials: Vec<Instant>,
    pub(super) freed: Vec<Instant>,
    pub(super) webhooks: Vec<Duration>,
    pub(super) finished: usize,
    pub(super) last_finished: Option<Instant>,
}

/// Takes notes, from all threads.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    notes: Mutex<Notes>,
}

impl Recorder {
    pub(super) fn hear(&self, happened: Happened) {
        self.hear_at(happened, Instant::now());
    }

    fn hear_at(&self, happened: Happened, at: Instant) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        match happened {
            Happened::JobQueued(lead) => drop(notes.queued.insert(lead, at)),
            Happened::JobBegun(lead) => {
                // One that another process took over, or that began before its commit was told of.
                if let Some(queued) = notes.queued.remove(&lead) {
                    notes.pickups.push(at.saturating_duration_since(queued));
                }
            }
            Happened::Dialling => notes.dials.push(at),
            Happened::SlotFreed => notes.freed.push(at),
            Happened::Finished => {
                notes.finished += 1;
                notes.last_finished = Some(at);
            }
        }
    }

    pub(super) fn webhook_taken(&self, within: Duration) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).webhooks.push(within);
    }

    pub(super) fn finished(&self) -> usize {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).finished
    }

    /// How many requests have been sent.
    pub(super) fn dials(&self) -> usize {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).dials.len()
    }

    pub(super) fn take(&self) -> Notes {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Notes {
    /// From a slot's becoming free to the dial that takes it. Slots are all alike: the first dials
    /// take the `slots` that were free from the beginning, and from then on the first to be freed
    /// is the first to be taken.
    pub(super) fn slot_waits(&mut self, slots: usize) -> Vec<Duration> {
        self.dials.sort_unstable();
        self.freed.sort_unstable();
        let taken = self.dials.iter().skip(slots).zip(&self.freed);
        taken.map(|(dial, freed)| dial.saturating_duration_since(*freed)).collect()
    }
}

/// A distribution, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) count: usize,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Percentiles {
    /// `None` of nothing.
    pub(super) fn of(mut values: Vec<Duration>) -> Option<Self> {
        values.sort_unstable();
        let at = |percent| rank(values.len(), percent).map(|rank| milliseconds(values[rank]));
        Some(Self {
            count: values.len(),
            p50_ms: at(50)?,
            p95_ms: at(95)?,
            p99_ms: at(99)?,
            max_ms: at(100)?,
        })
    }
}

/// Where among `count` sorted values the smallest one stands that `percent` of them do not exceed:
/// the nearest-rank method, which only ever names a value that was measured.
fn rank(count: usize, percent: usize) -> Option<usize> {
    (count * percent).div_ceil(100).checked_sub(1)
}

/// To a thousandth.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() {
        let of = |values: &[u64]| Percentiles::of(values.iter().copied().map(ms).collect());
        assert_eq!(of(&[]), None);
        let one = Percentiles { count: 1, p50_ms: 7.0, p95_ms: 7.0, p99_ms: 7.0, max_ms: 7.0 };
        assert_eq!(of(&[7]), Some(one));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        let of_hundred = Percentiles { count: 100, p50_ms: 50.0, p95_ms: 95.0, p99_ms: 99.0, max_ms: 100.0 };
        assert_eq!(of(&hundred), Some(of_hundred));
        let of_four = Percentiles { count: 4, p50_ms: 2.0, p95_ms: 9.0, p99_ms: 9.0, max_ms: 9.0 };
        assert_eq!(of(&[9, 1, 2, 3]), Some(of_four));
    }

    #[test]
    fn the_first_slot_to_be_freed_is_the_first_to_be_taken_again() {
        let began = Instant::now();
        let at = |value| began + ms(value);
        let mut notes = Notes {
            dials: vec![at(0), at(1), at(60), at(55), at(90)],
            freed: vec![at(51), at(50), at(88), at(120)],
            ..Notes::default()
        };
        assert_eq!(notes.slot_waits(2), [ms(5), ms(9), ms(2)]);
    }

    #[test]
    fn a_pickup_lasts_from_the_jobs_commit_to_its_handler() {
        let (recorder, began) = (Recorder::default(), Instant::now());
        let (a, b) = (LeadId(Uuid::from_u128(1)), LeadId(Uuid::from_u128(2)));
        recorder.hear_at(Happened::JobQueued(a), began);
        recorder.hear_at(Happened::JobBegun(b), began + ms(1));
        recorder.hear_at(Happened::JobBegun(a), began + ms(3));
        recorder.hear_at(Happened::Finished, began + ms(9));
        let notes = recorder.take();
        assert_eq!((notes.pickups, notes.finished), (vec![ms(3)], 1));
    }
}
