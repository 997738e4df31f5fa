//! Claims jobs: one statement for all kinds, no more of each than it has free slots.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Backlog, Pace, Ticket};
use crate::engine::Engine;
use crate::store::queue::Claimed;
use crate::store::{self, StoreError};

/// Claims jobs for this process.
pub struct Claimer {
    engine: Engine,
    slots: BTreeMap<&'static str, Arc<Semaphore>>,
    tickets: mpsc::Sender<Ticket>,
    /// Whether notifications come in.
    hearing: Arc<AtomicBool>,
    pace: Pace,
    stop: CancellationToken,
}

impl Claimer {
    /// A claimer for these kinds with their slots, and where its tickets come out.
    pub fn new(
        engine: Engine,
        kinds: &[(&'static str, usize)],
        pace: Pace,
        hearing: Arc<AtomicBool>,
        stop: CancellationToken,
    ) -> (Self, Backlog) {
        let slots: BTreeMap<_, _> =
            kinds.iter().map(|(kind, slots)| (*kind, Arc::new(Semaphore::new(*slots)))).collect();
        let (tickets, backlog) = mpsc::channel(kinds.iter().map(|(_, slots)| slots).sum::<usize>().max(1));
        (Self { engine, slots, tickets, hearing, pace, stop }, Backlog::new(backlog))
    }

    /// Runs until told to stop. It never fails: while the database is away it waits.
    pub async fn run(self) {
        loop {
            let full = match self.claim().await {
                Ok(full) => full,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "jobs could not be claimed");
                    false
                }
            };
            if full {
                continue;
            }
            let Pace { fallback, fallback_deaf, .. } = self.pace;
            let fallback = if self.hearing.load(Ordering::Relaxed) { fallback } else { fallback_deaf };
            tokio::select! {
                () = self.engine.hub().jobs() => {}
                () = tokio::time::sleep(fallback) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Claims once. True if there may be more at once: all of some kind's free slots were filled, and
    /// some slot is free again.
    async fn claim(&self) -> Result<bool, StoreError> {
        if self.stop.is_cancelled() {
            return Ok(false);
        }
        let mut permits = self.free_permits();
        if permits.is_empty() {
            return self.wait_for_a_slot().await;
        }
        let kinds: Vec<String> = permits.keys().map(|kind| (*kind).to_owned()).collect();
        let free: Vec<i64> =
            permits.values().map(|permits| i64::try_from(permits.len()).unwrap_or(i64::MAX)).collect();
        let mut conn = self.engine.pool().acquire().await?;
        let now = self.engine.now_in(&mut conn).await?;
        let until = now + self.pace.lease;
        let claimed = store::queue::claim(&mut conn, self.engine.node(), &kinds, &free, now, until).await?;
        drop(conn);
        let full = !claimed.is_empty();
        for claimed in claimed {
            self.hand_out(claimed, &mut permits).await;
        }
        Ok(full)
    }

    /// Takes every free permit; those that find no job go back when this is dropped.
    fn free_permits(&self) -> BTreeMap<&'static str, Vec<OwnedSemaphorePermit>> {
        let take = |slots: &Arc<Semaphore>| {
            std::iter::from_fn(|| Arc::clone(slots).try_acquire_owned().ok()).collect::<Vec<_>>()
        };
        self.slots
            .iter()
            .map(|(kind, slots)| (*kind, take(slots)))
            .filter(|(_, permits)| !permits.is_empty())
            .collect()
    }

    async fn wait_for_a_slot(&self) -> Result<bool, StoreError> {
        let any = self.slots.values().map(|slots| Box::pin(Arc::clone(slots).acquire_owned()));
        tokio::select! {
            _ = futures_util::future::select_all(any) => Ok(true),
            () = self.stop.cancelled() => Ok(false),
        }
    }

    async fn hand_out(
        &self,
        claimed: Claimed,
        permits: &mut BTreeMap<&'static str, Vec<OwnedSemaphorePermit>>,
    ) {
        let slot = permits.get_mut(claimed.kind.as_str()).and_then(Vec::pop);
        let Some(slot) = slot else {
            return tracing::error!(
                job.kind = claimed.kind,
                "a job was claimed without a slot; its lease will run out"
            );
        };
        if self.tickets.send(Ticket { claimed, slot }).await.is_err() {
            tracing::warn!("a job was claimed while the workers were ending; its lease will run out");
        }
    }
}
