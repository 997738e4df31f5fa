//! Which leases somebody in this process works under.
//!
//! Only those are renewed. A claim whose answer was lost with its connection stands in the
//! table under this node, and nobody here knows of it: its lease must run out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

/// The tokens of this process's leases. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct Held {
    tokens: Arc<Mutex<HashSet<Uuid>>>,
}

impl Held {
    /// Holds a lease until the answer is dropped.
    pub fn hold(&self, token: Uuid) -> Holding {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(token);
        Holding { held: self.clone(), token }
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// All that are held now.
    pub fn tokens(&self) -> Vec<Uuid> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// A lease that is worked under.
#[derive(Debug)]
pub struct Holding {
    held: Held,
    token: Uuid,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.held.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}
