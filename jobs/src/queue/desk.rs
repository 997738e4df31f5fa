//! Where claimed jobs are handed to this process's workers, whoever claimed them.
//!
//! A commit that queues a step may claim it in the same statement, if this process has a free slot:
//! the job then needs no second look and no second write before it runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Backlog, Held, Ticket};
use crate::store::queue::Claimed;

/// The slots of a process, and the way to its workers.
#[derive(Debug)]
pub struct Desk {
    kinds: BTreeMap<&'static str, Slots>,
    tickets: mpsc::Sender<Ticket>,
    held: Held,
    lease: TimeDelta,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Slots {
    all: Arc<Semaphore>,
    /// Whether jobs of this kind may be waiting in the queue: those that are born later must not
    /// take the slots that they wait for.
    crowded: AtomicBool,
}

impl Desk {
    /// A desk for these kinds with their slots, and where its tickets come out. After `stop` it gives
    /// no more slots.
    pub fn new(
        kinds: &[(&'static str, usize)],
        held: Held,
        lease: TimeDelta,
        stop: CancellationToken,
    ) -> (Self, Backlog) {
        // No ticket without a slot: there is always room.
        let (tickets, backlog) = mpsc::channel(kinds.iter().map(|(_, slots)| slots).sum::<usize>().max(1));
        let slots = |n| Slots { all: Arc::new(Semaphore::new(n)), crowded: AtomicBool::new(false) };
        let kinds = kinds.iter().map(|(kind, n)| (*kind, slots(*n))).collect();
        (Self { kinds, tickets, held, lease, stop }, Backlog::new(backlog))
    }

    /// How long a claim holds without a renewal.
    pub fn lease(&self) -> TimeDelta {
        self.lease
    }

    /// A slot for a new job of this kind, unless all are taken, others wait for them, or the process is
    /// stopping.
    pub fn slot(&self, kind: &str) -> Option<OwnedSemaphorePermit> {
        let slots = self.kinds.get(kind)?;
        if self.stop.is_cancelled() || slots.crowded.load(Ordering::Relaxed) {
            return None;
        }
        let slot = Arc::clone(&slots.all).try_acquire_owned().ok();
        slots.crowded.fetch_or(slot.is_none(), Ordering::Relaxed);
        slot
    }

    /// Told before the queue is looked at for this kind, and again if that filled every free slot, so
    /// that more may wait.
    pub(super) fn crowd(&self, kind: &str, more_may_wait: bool) {
        if let Some(slots) = self.kinds.get(kind) {
            slots.crowded.store(more_may_wait, Ordering::Relaxed);
        }
    }

    /// The kinds with their slots, free or not.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&'static str, &Arc<Semaphore>)> {
        self.kinds.iter().map(|(kind, slots)| (*kind, &slots.all))
    }

    /// Gives a job that this process has claimed to a worker.
    pub fn hand_out(&self, claimed: Claimed, slot: OwnedSemaphorePermit) {
        let holding = self.held.hold(claimed.lease.token);
        if self.tickets.try_send(Ticket { claimed, holding, slot }).is_err() {
            tracing::warn!("a job was claimed while the workers were ending; its lease will run out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_later_does_not_take_the_slot_that_others_wait_for() {
        let (stop, lease) = (CancellationToken::new(), TimeDelta::seconds(12));
        let (desk, _backlog) = Desk::new(&[("dial", 1)], Held::default(), lease, stop.clone());
        let first = desk.slot("dial").expect("free");
        assert!(desk.slot("dial").is_none(), "taken; the job waits in the queue");
        drop(first);
        assert!(desk.slot("dial").is_none(), "it is for the one that waits");
        desk.crowd("dial", true);
        assert!(desk.slot("dial").is_none(), "the queue filled every slot: more may wait");
        desk.crowd("dial", false);
        assert!(desk.slot("dial").is_some());
        assert!(desk.slot("unknown").is_none());
        stop.cancel();
        assert!(desk.slot("dial").is_none(), "a stopping process begins nothing");
    }
}
