//! Dial requests that were submitted with their reservation, until a worker of this process sends them.
//!
//! Only here is it known that they were not sent yet: what is left when the process ends is said so.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use uuid::Uuid;

use super::{ToSend, Unsent};

/// By the tokens of the dial jobs' leases: whoever runs the job takes the request out, and may send it
/// within [`VALID_FOR`](crate::providers::Permit::VALID_FOR) of the time beside it.
#[derive(Default)]
pub(super) struct LaidOut {
    requests: Mutex<HashMap<Uuid, (ToSend, Instant)>>,
}

impl LaidOut {
    pub(super) fn put(&self, lease: Uuid, request: ToSend, seen: Instant) {
        self.lock().insert(lease, (request, seen));
    }

    pub(super) fn take(&self, lease: Uuid) -> Option<(ToSend, Instant)> {
        self.lock().remove(&lease)
    }

    pub(super) fn has(&self, lease: Uuid) -> bool {
        self.lock().contains_key(&lease)
    }

    pub(super) fn take_all(&self) -> Vec<Unsent> {
        self.lock().drain().map(|(_, (request, _))| request.unsent()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, (ToSend, Instant)>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
