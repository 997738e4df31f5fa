//! What the handlers share.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Service;

/// The emulator's inside.
pub struct Hub<S: Service> {
    config: RwLock<Arc<S::Config>>,
    world: Mutex<World<S>>,
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Where clients reach us.
    pub(crate) origin: String,
    changed: watch::Sender<()>,
}

struct World<S: Service> {
    /// What the next requests meet, in order.
    steps: VecDeque<S::Step>,
    reports: Vec<S::Report>,
    /// Counts resets, so that what was under way then writes into no later report.
    era: u64,
}

/// A report that is still being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportId {
    era: u64,
    place: usize,
}

impl ReportId {
    /// How many requests came before, since the last reset.
    pub(crate) fn number(self) -> usize {
        self.place
    }
}

impl<S: Service> Hub<S> {
    pub(super) fn new(config: S::Config, origin: String) -> Self {
        Self {
            config: RwLock::new(Arc::new(config)),
            world: Mutex::new(World { steps: VecDeque::new(), reports: Vec::new(), era: 0 }),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            origin,
            changed: watch::channel(()).0,
        }
    }

    /// The settings now in force.
    pub(crate) fn config(&self) -> Arc<S::Config> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn configure(&self, config: S::Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    pub(super) fn script(&self, steps: impl IntoIterator<Item = S::Step>) {
        self.world().steps.extend(steps);
    }

    /// What this request meets, if that is scripted.
    pub(crate) fn next_step(&self) -> Option<S::Step> {
        self.world().steps.pop_front()
    }

    /// Begins a report.
    pub(crate) fn open(&self, report: S::Report) -> ReportId {
        let id = {
            let mut world = self.world();
            world.reports.push(report);
            ReportId { era: world.era, place: world.reports.len() - 1 }
        };
        self.changed.send_replace(());
        id
    }

    /// Goes on writing a report, unless it was forgotten.
    pub(crate) fn note(&self, id: ReportId, change: impl FnOnce(&mut S::Report)) {
        {
            let mut world = self.world();
            let current = world.era == id.era;
            if let Some(report) = world.reports.get_mut(id.place).filter(|_| current) {
                change(report);
            }
        }
        self.changed.send_replace(());
    }

    pub(super) fn reports(&self) -> Vec<S::Report> {
        self.world().reports.clone()
    }

    /// Returns once `holds` does.
    pub(super) async fn until(&self, holds: impl Fn(&[S::Report]) -> bool) -> Vec<S::Report> {
        let mut changed = self.changed.subscribe();
        loop {
            let reports = self.reports();
            if holds(&reports) || changed.changed().await.is_err() {
                return reports;
            }
        }
    }

    /// Forgets scripts and reports.
    pub(super) fn reset(&self) {
        let mut world = self.world();
        *world = World { steps: VecDeque::new(), reports: Vec::new(), era: world.era + 1 };
    }

    fn world(&self) -> MutexGuard<'_, World<S>> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
