//! What the handlers and the calls share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    call::{Call, Zone},
    config::Config,
    counters::Totals,
    life,
    scenario::Scenario,
    world::World,
};

/// Callback requests under way at once, over all calls. More wait their turn.
const CALLBACKS_AT_ONCE: usize = 256;

pub(super) struct Hub {
    config: RwLock<Arc<Config>>,
    world: Mutex<World>,
    /// Cancelled and replaced by a reset: calls live under it.
    era: Mutex<CancellationToken>,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) http: reqwest::Client,
    pub(super) callbacks: Semaphore,
    /// Where clients reach us.
    pub(super) origin: String,
    changed: watch::Sender<()>,
}

impl Hub {
    pub(super) fn new(config: Config, http: reqwest::Client, origin: String) -> Self {
        let stopping = CancellationToken::new();
        Self {
            config: RwLock::new(Arc::new(config)),
            world: Mutex::default(),
            era: Mutex::new(stopping.child_token()),
            stopping,
            tasks: TaskTracker::new(),
            http,
            callbacks: Semaphore::new(CALLBACKS_AT_ONCE),
            origin,
            changed: watch::channel(()).0,
        }
    }

    pub(super) fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn configure(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    pub(super) fn zone(&self) -> Zone {
        Zone::new(self.config().reads.zone_minutes)
    }

    /// Reads without telling anybody.
    pub(super) fn read(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world, and wakes whoever waits for a change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.read());
        self.changed.send_replace(());
        result
    }

    /// Adds to the sums.
    pub(super) fn count(&self, add: impl FnOnce(&mut Totals)) {
        self.change(|world| add(&mut world.counters.totals));
    }

    /// Returns once `holds` does.
    pub(super) async fn until(&self, holds: impl Fn(&Totals) -> bool) -> Totals {
        let mut changed = self.changed.subscribe();
        loop {
            let totals = self.read().counters.totals;
            if holds(&totals) {
                return totals;
            }
            if changed.changed().await.is_err() {
                return totals;
            }
        }
    }

    /// Lets a placed call take its course, in a task of its own.
    pub(super) fn set_off(self: &Arc<Self>, call: Call, scenario: Scenario) {
        let era = self.era.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let life = life::live(self.clone(), call, scenario);
        self.tasks.spawn(era.run_until_cancelled_owned(life));
    }

    /// Ends what a call waits for now; `false` if there is no such call.
    pub(super) fn proceed(&self, sid: &str) -> bool {
        self.read().by_sid(sid).map(|call| call.nudge.notify_one()).is_some()
    }

    /// Forgets everything but the config; calls under way vanish without a word.
    pub(super) fn reset(&self) {
        let mut era = self.era.lock().unwrap_or_else(PoisonError::into_inner);
        era.cancel();
        *era = self.stopping.child_token();
        self.change(|world| *world = World::default());
    }
}
