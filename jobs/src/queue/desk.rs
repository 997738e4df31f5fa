//! Where claimed jobs are handed to this process's workers, whoever claimed them.
//!
//! A commit that queues a step may claim it in the same statement, if this process has a free slot:
//! the job then needs no second look and no second write before it runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Backlog, Held, Ticket};
use crate::store::queue::Claimed;

/// New jobs are made once a quarter of the slots is free: a look costs the same for one slot as for all.
const WORTH_A_LOOK: usize = 4;

/// The slots of a process, and the way to its workers.
#[derive(Debug)]
pub struct Desk {
    kinds: BTreeMap<&'static str, Slots>,
    tickets: mpsc::Sender<Ticket>,
    held: Held,
    lease: TimeDelta,
    stop: CancellationToken,
    freed: Arc<Notify>,
}

/// The right to run one job here; free again when it is dropped.
#[derive(Debug)]
pub struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.freed.notify_one();
    }
}

#[derive(Debug)]
struct Slots {
    all: Arc<Semaphore>,
    /// How many there are, free or not.
    count: usize,
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
        let slots =
            |count| Slots { all: Arc::new(Semaphore::new(count)), count, crowded: AtomicBool::new(false) };
        let kinds = kinds.iter().map(|(kind, n)| (*kind, slots(*n))).collect();
        let freed = Arc::new(Notify::new());
        (Self { kinds, tickets, held, lease, stop, freed }, Backlog::new(backlog))
    }

    /// How long a claim holds without a renewal.
    pub fn lease(&self) -> TimeDelta {
        self.lease
    }

    /// A slot for a new job of this kind, unless all are taken, others wait for them, or the process is
    /// stopping.
    pub fn slot(&self, kind: &str) -> Option<Slot> {
        let slots = self.kinds.get(kind)?;
        if self.stop.is_cancelled() || slots.crowded.load(Ordering::Relaxed) {
            return None;
        }
        let slot = self.take(slots);
        slots.crowded.fetch_or(slot.is_none(), Ordering::Relaxed);
        slot
    }

    /// The same for what cannot wait for its turn in the queue, whatever else waits: a look at the queue has every slot
    /// that is free for as long as it lasts, and they are waited for so long.
    pub async fn slot_within(&self, kind: &str, patience: Duration) -> Option<Slot> {
        let slots = self.kinds.get(kind)?;
        if self.stop.is_cancelled() {
            return None;
        }
        let permit =
            tokio::time::timeout(patience, Arc::clone(&slots.all).acquire_owned()).await.ok()?.ok()?;
        Some(Slot { permit: Some(permit), freed: Arc::clone(&self.freed) })
    }

    fn take(&self, slots: &Slots) -> Option<Slot> {
        let permit = Arc::clone(&slots.all).try_acquire_owned().ok()?;
        Some(Slot { permit: Some(permit), freed: Arc::clone(&self.freed) })
    }

    /// How many new jobs of this kind this process could run at once: all its free slots, once there are
    /// so many that it is worth the look at who could use them. `None` if it runs no such jobs.
    pub fn room(&self, kind: &str) -> Option<usize> {
        let slots = self.kinds.get(kind)?;
        let free = if self.stop.is_cancelled() { 0 } else { slots.all.available_permits() };
        Some(if free >= slots.count.div_ceil(WORTH_A_LOOK) { free } else { 0 })
    }

    /// The kinds, with how many slots are free, and how many there are.
    pub(crate) fn standing(&self) -> impl Iterator<Item = (&'static str, usize, usize)> {
        self.kinds.iter().map(|(kind, slots)| (*kind, slots.all.available_permits(), slots.count))
    }

    /// Waits until a slot was freed since the last call. For one caller.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Told before the queue is looked at for this kind, and again if that filled every free slot, so
    /// that more may wait.
    pub(super) fn crowd(&self, kind: &str, more_may_wait: bool) {
        if let Some(slots) = self.kinds.get(kind) {
            slots.crowded.store(more_may_wait, Ordering::Relaxed);
        }
    }

    /// Waits until no slot is taken. For a process that is stopping, and takes none any more.
    pub async fn emptied(&self) {
        for slots in self.kinds.values() {
            let all = u32::try_from(slots.count).unwrap_or(u32::MAX);
            let _ = slots.all.acquire_many(all).await;
        }
    }

    /// As many free slots for new jobs of this kind as there are, up to `most`; see [`Self::slot`].
    pub fn up_to(&self, kind: &str, most: usize) -> Vec<Slot> {
        std::iter::from_fn(|| self.slot(kind)).take(most).collect()
    }

    /// Takes every free slot, by kind; kinds without one are missing.
    pub(super) fn take_free(&self) -> BTreeMap<&'static str, Vec<Slot>> {
        let free = |slots| std::iter::from_fn(|| self.take(slots)).collect::<Vec<_>>();
        let each = self.kinds.iter().map(|(kind, slots)| (*kind, free(slots)));
        each.filter(|(_, slots)| !slots.is_empty()).collect()
    }

    /// The kinds with their slots, free or not.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&'static str, &Arc<Semaphore>)> {
        self.kinds.iter().map(|(kind, slots)| (*kind, &slots.all))
    }

    /// Gives a job that this process has claimed to a worker.
    pub fn hand_out(&self, claimed: Claimed, slot: Slot) {
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
    fn there_is_room_once_a_quarter_of_the_slots_is_free() {
        let (desk, _backlog) =
            Desk::new(&[("dial", 8)], Held::default(), TimeDelta::seconds(12), CancellationToken::new());
        let mut slots: Vec<Slot> = std::iter::from_fn(|| desk.slot("dial")).collect();
        assert_eq!((slots.len(), desk.room("dial")), (8, Some(0)));
        slots.pop();
        assert_eq!(desk.room("dial"), Some(0), "one of eight is not worth a look");
        slots.pop();
        assert_eq!(desk.room("dial"), Some(2));
        drop(slots);
        assert_eq!(desk.room("dial"), Some(8));
        assert_eq!(desk.room("unknown"), None);
    }

    #[tokio::test]
    async fn a_slot_that_a_look_at_the_queue_has_is_waited_for_and_one_that_is_taken_is_not_for_ever() {
        let (desk, _backlog) =
            Desk::new(&[("talk", 1)], Held::default(), TimeDelta::seconds(12), CancellationToken::new());
        let looking = desk.take_free();
        assert!(desk.slot("talk").is_none(), "from then on others are taken to wait");
        let (slot, ()) = tokio::join!(desk.slot_within("talk", Duration::MAX), async { drop(looking) });
        assert!(slot.is_some());
        assert!(desk.slot_within("talk", Duration::ZERO).await.is_none());
    }

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
