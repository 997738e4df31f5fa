//! The queue: claims jobs for this process, keeps their leases, and hands them to
//! apalis workers through the [`backend`].
//!
//! apalis's own Postgres storage is not used; ARCHITECTURE.md says what was seen of
//! it. Ours claims no more than there are free slots, renews every lease of the
//! process in one statement, also while it drains, and never yields an error.

mod backend;
mod claimer;
mod lease;

pub use backend::{Backlog, Ticket};
pub use claimer::Claimer;
pub use lease::LeaseKeeper;

use chrono::TimeDelta;

/// How long a claimed job stays ours without a renewal.
///
/// Three renewals: one may be lost and one may be slow before another node may take
/// the job. With the fallback claim every 2.5 s, a dead node's work is taken over within 15 s.
pub const LEASE: TimeDelta = TimeDelta::seconds(12);
/// How often leases are renewed.
pub const RENEW: std::time::Duration = std::time::Duration::from_secs(4);
/// How often jobs are looked for without a signal. Leases that ran out are found by this.
pub const FALLBACK: std::time::Duration = std::time::Duration::from_millis(2_500);
/// The same while the listener is away.
pub const FALLBACK_DEAF: std::time::Duration = std::time::Duration::from_secs(1);
