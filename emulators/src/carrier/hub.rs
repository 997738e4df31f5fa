//! What the handlers and the calls share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Call as _, Protocol, Totals, World};

/// Webhook requests under way at once, over all calls. More wait their turn.
const WEBHOOKS_AT_ONCE: usize = 256;

/// The emulator's inside.
pub struct Hub<P: Protocol> {
    config: RwLock<Arc<P::Config>>,
    world: Mutex<World<P>>,
    /// Cancelled and replaced by a reset: calls live under it.
    era: Mutex<CancellationToken>,
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) http: reqwest::Client,
    pub(crate) webhooks: Semaphore,
    /// Where clients reach us.
    pub(crate) origin: String,
    changed: watch::Sender<()>,
}

impl<P: Protocol> Hub<P> {
    pub(super) fn new(config: P::Config, http: reqwest::Client, origin: String) -> Self {
        let stopping = CancellationToken::new();
        Self {
            config: RwLock::new(Arc::new(config)),
            world: Mutex::new(World::default()),
            era: Mutex::new(stopping.child_token()),
            stopping,
            tasks: TaskTracker::new(),
            http,
            webhooks: Semaphore::new(WEBHOOKS_AT_ONCE),
            origin,
            changed: watch::channel(()).0,
        }
    }

    /// The settings now in force.
    pub(crate) fn config(&self) -> Arc<P::Config> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn configure(&self, config: P::Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Reads without telling anybody.
    pub(crate) fn read(&self) -> MutexGuard<'_, World<P>> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world, and wakes whoever waits for a change.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World<P>) -> T) -> T {
        let result = change(&mut self.read());
        self.changed.send_replace(());
        result
    }

    /// Adds to the sums.
    pub(crate) fn count(&self, add: impl FnOnce(&mut Totals)) {
        self.change(|world| add(&mut world.counters.totals));
    }

    /// Returns once `holds` does.
    pub(super) async fn until(&self, holds: impl Fn(&Totals) -> bool) -> Totals {
        self.until_known(|world| Some(world.counters.totals).filter(&holds)).await
    }

    /// Returns what `find` finds, once it finds anything.
    pub(super) async fn until_known<T>(&self, find: impl Fn(&World<P>) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = find(&self.read()) {
                return found;
            }
            // The sender lives as long as we do.
            let _ = changed.changed().await;
        }
    }

    /// Lets a placed call take its course, in a task of its own.
    pub(crate) fn set_off(self: &Arc<Self>, call: P::Call, scenario: P::Scenario) {
        let life = P::live(self.clone(), call, scenario);
        self.spawn(life);
    }

    /// Runs until it is done, a reset, or the emulator's end.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let era = self.era.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.tasks.spawn(era.run_until_cancelled_owned(work));
    }

    /// Ends what a call waits for now; `false` if there is no such call.
    pub(crate) fn proceed(&self, id: &str) -> bool {
        self.read().by_id(id).map(|call| call.base().nudge.notify_one()).is_some()
    }

    /// Forgets everything but the config; calls under way vanish without a word.
    pub(super) fn reset(&self) {
        let mut era = self.era.lock().unwrap_or_else(PoisonError::into_inner);
        era.cancel();
        *era = self.stopping.child_token();
        self.change(|world| *world = World::default());
    }
}
