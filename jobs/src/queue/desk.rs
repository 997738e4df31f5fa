//! Where claimed jobs are handed to this process's workers, whoever claimed them.
//!
//! A commit that queues a step may claim it in the same statement, if this process has a free slot:
//! the job then needs no second look and no second write before it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Backlog, Held, Ticket};
use crate::store::queue::Claimed;

/// The slots of a process, and the way to its workers.
#[derive(Debug)]
pub struct Desk {
    slots: BTreeMap<&'static str, Arc<Semaphore>>,
    tickets: mpsc::Sender<Ticket>,
    held: Held,
    lease: TimeDelta,
    stop: CancellationToken,
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
        let slots: BTreeMap<_, _> =
            kinds.iter().map(|(kind, slots)| (*kind, Arc::new(Semaphore::new(*slots)))).collect();
        // No ticket without a slot: there is always room.
        let (tickets, backlog) = mpsc::channel(kinds.iter().map(|(_, slots)| slots).sum::<usize>().max(1));
        (Self { slots, tickets, held, lease, stop }, Backlog::new(backlog))
    }

    /// How long a claim holds without a renewal.
    pub fn lease(&self) -> TimeDelta {
        self.lease
    }

    /// A slot for a job of this kind, unless all are taken or the process is stopping.
    pub fn slot(&self, kind: &str) -> Option<OwnedSemaphorePermit> {
        if self.stop.is_cancelled() {
            return None;
        }
        Arc::clone(self.slots.get(kind)?).try_acquire_owned().ok()
    }

    /// The kinds with their slots, free or not.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&'static str, &Arc<Semaphore>)> {
        self.slots.iter().map(|(kind, slots)| (*kind, slots))
    }

    /// Gives a job that this process has claimed to a worker.
    pub fn hand_out(&self, claimed: Claimed, slot: OwnedSemaphorePermit) {
        let holding = self.held.hold(claimed.lease.token);
        if self.tickets.try_send(Ticket { claimed, holding, slot }).is_err() {
            tracing::warn!("a job was claimed while the workers were ending; its lease will run out");
        }
    }
}
