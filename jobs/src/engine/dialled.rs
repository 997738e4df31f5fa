//! Which carrier has the calls that this process placed, so that their webhooks need no look-up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use outdial_workflows::ids::AttemptRef;

use crate::providers::SharedCarrier;

/// Entries are taken out when their attempts resolve. One that resolves in another process stays;
/// with so many, all are forgotten, and the ledger is asked again.
const MOST: usize = 50_000;

/// The carriers of live attempts.
#[derive(Default)]
pub(super) struct Dialled {
    carriers: Mutex<HashMap<AttemptRef, SharedCarrier>>,
}

impl Dialled {
    pub(super) fn placed(&self, attempt: AttemptRef, carrier: SharedCarrier) {
        let mut carriers = self.lock();
        if carriers.len() >= MOST {
            carriers.clear();
        }
        carriers.insert(attempt, carrier);
    }

    pub(super) fn resolved(&self, attempts: impl Iterator<Item = AttemptRef>) {
        let mut carriers = self.lock();
        attempts.for_each(|attempt| drop(carriers.remove(&attempt)));
    }

    pub(super) fn carrier(&self, attempt: AttemptRef) -> Option<SharedCarrier> {
        self.lock().get(&attempt).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptRef, SharedCarrier>> {
        self.carriers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
