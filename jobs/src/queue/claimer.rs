//! Claims jobs: one statement for all kinds, no more of each than it has free slots.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::desk::Slot;
use super::{Desk, Pace};
use crate::engine::Engine;
use crate::store::queue::Claimed;
use crate::store::{self, StoreError};

/// Claims jobs for this process: those that were not claimed as they were queued.
pub struct Claimer {
    engine: Engine,
    desk: Arc<Desk>,
    /// Whether notifications come in.
    hearing: Arc<AtomicBool>,
    pace: Pace,
    stop: CancellationToken,
}

impl Claimer {
    /// A claimer for the kinds of this desk.
    pub fn new(
        engine: Engine,
        desk: Arc<Desk>,
        pace: Pace,
        hearing: Arc<AtomicBool>,
        stop: CancellationToken,
    ) -> Self {
        Self { engine, desk, hearing, pace, stop }
    }

    /// Runs until told to stop. It never fails: while the database is away it waits.
    pub async fn run(self) {
        // Whether the last wait ended without any signal.
        let mut idle = false;
        while !self.stop.is_cancelled() {
            let full = match self.claim().await {
                Ok(Claim::Some) => continue,
                Ok(Claim::None { full }) => full,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "jobs could not be claimed");
                    vec![]
                }
            };
            let patience = self.patience(idle).await;
            idle = false;
            tokio::select! {
                () = self.engine.hub().jobs() => {}
                () = a_free_slot(full) => {}
                () = tokio::time::sleep(patience) => idle = true,
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// How long to wait for a signal before looking again.
    async fn patience(&self, idle: bool) -> Duration {
        let Pace { fallback, fallback_deaf, idle: longest, .. } = self.pace;
        match (self.hearing.load(Ordering::Relaxed), idle) {
            (false, _) => fallback_deaf,
            (true, false) => fallback,
            (true, true) => self.until_next().await.map_or(fallback, |wait| wait.min(longest)),
        }
    }

    /// How long until a job is to run, or a lease runs out; [`Duration::MAX`] if there is neither.
    async fn until_next(&self) -> Result<Duration, StoreError> {
        let kinds: Vec<String> = self.desk.slots().map(|(kind, _)| kind.to_owned()).collect();
        let next = store::in_time(async {
            let mut session = self.engine.sessions().take().await?;
            let next = store::queue::next_at(&mut session, &kinds).await?;
            session.done();
            Ok::<_, StoreError>(next)
        });
        let Some(next) = next.await? else { return Ok(Duration::MAX) };
        let wait = next - self.engine.about_now().await?;
        Ok(wait.to_std().unwrap_or_default())
    }

    /// Claims once, for those kinds that have free slots.
    async fn claim(&self) -> Result<Claim, StoreError> {
        // Those that find no job go back when this is dropped.
        let mut free_slots = self.desk.take_free();
        let full = self.desk.slots().filter(|(kind, _)| !free_slots.contains_key(kind));
        let full = full.map(|(_, slots)| Arc::clone(slots)).collect();
        if free_slots.is_empty() {
            return Ok(Claim::None { full });
        }
        let kinds: Vec<String> = free_slots.keys().map(|kind| (*kind).to_owned()).collect();
        let free: Vec<i64> =
            free_slots.values().map(|slots| i64::try_from(slots.len()).unwrap_or(i64::MAX)).collect();
        kinds.iter().for_each(|kind| self.desk.crowd(kind, false));
        let claimed = store::in_time(async {
            let mut session = self.engine.sessions().take().await?;
            let now = self.engine.now_in(&mut session).await?;
            let until = now + self.pace.lease;
            let node = self.engine.node();
            let claimed = store::queue::claim(&mut session, node, &kinds, &free, now, until).await?;
            session.done();
            Ok::<_, StoreError>(claimed)
        });
        let claimed = claimed.await?;
        if claimed.is_empty() {
            return Ok(Claim::None { full });
        }
        for claimed in claimed {
            if claimed.rescued {
                self.engine.metrics().job_rescued(&claimed.kind);
            }
            self.hand_out(claimed, &mut free_slots);
        }
        let filled = free_slots.iter().filter(|(_, left)| left.is_empty());
        filled.for_each(|(kind, _)| self.desk.crowd(kind, true));
        Ok(Claim::Some)
    }

    fn hand_out(&self, claimed: Claimed, free: &mut BTreeMap<&'static str, Vec<Slot>>) {
        let slot = free.get_mut(claimed.kind.as_str()).and_then(Vec::pop);
        let Some(slot) = slot else {
            return tracing::error!(
                job.kind = claimed.kind,
                "a job was claimed without a slot; its lease will run out"
            );
        };
        self.desk.hand_out(claimed, slot);
    }
}

/// What came of one claim.
enum Claim {
    /// Jobs; there may be more at once.
    Some,
    /// None for the kinds that had free slots.
    None {
        /// The slots of the other kinds, for which nobody has looked.
        full: Vec<Arc<Semaphore>>,
    },
}

/// Resolves once one of these has a free slot; never, if there are none.
async fn a_free_slot(full: Vec<Arc<Semaphore>>) {
    if full.is_empty() {
        return std::future::pending().await;
    }
    let any = full.into_iter().map(|slots| Box::pin(slots.acquire_owned()));
    let _ = futures_util::future::select_all(any).await;
}
