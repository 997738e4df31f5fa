//! The queue: claims jobs for this process, keeps their leases, and hands them to
//! apalis workers through a backend of our own.
//!
//! apalis's own Postgres storage is not used; ARCHITECTURE.md says what was seen of
//! it. Ours claims no more than there are free slots, renews every lease of the
//! process in one statement, also while it drains, and never yields an error.

mod backend;
mod claimer;
mod desk;
mod held;
mod lease;

pub use backend::{Backlog, Ticket};
pub use claimer::Claimer;
pub use desk::{Desk, Slot};
pub use held::{Held, Holding};
pub use lease::LeaseKeeper;

use std::time::Duration;

use chrono::TimeDelta;

/// How fast the queue notices things. The default is for production; tests go faster.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long a claimed job stays ours without a renewal.
    ///
    /// Three renewals: one may be lost and one may be slow before another node may take the job.
    /// With the fallback claim, a dead node's work is taken over within 15 s.
    pub lease: TimeDelta,
    /// How often leases are renewed.
    pub renew: Duration,
    /// How often jobs are looked for without a signal. Leases that ran out are found by this.
    pub fallback: Duration,
    /// The same while the listener is away.
    pub fallback_deaf: Duration,
    /// The same once that found nothing and nobody gave a signal, unless a job is to run or a lease to run
    /// out before.
    pub idle: Duration,
    /// How long a drain waits for running jobs. A dial request takes at most the send deadline and
    /// the request timeout, 12 s together.
    pub drain: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            lease: TimeDelta::seconds(12),
            renew: Duration::from_secs(4),
            fallback: Duration::from_millis(2_500),
            fallback_deaf: Duration::from_secs(1),
            idle: Duration::from_secs(30),
            drain: Duration::from_secs(20),
        }
    }
}
