//! What Outdial does: it reads, asks, and carries decisions out.
//!
//! Every choice is made in `outdial-workflows`; this crate loads what a decision
//! needs, commits what it says in one transaction, and runs the steps that touch
//! the outside. It refuses to know HTTP routes, pages and the command line.
//!
//! - [`engine`]: takes inputs per client, folds and commits them in batches; admission; timers.
//! - [`queue`]: the jobs table behind apalis workers, with leases.
//! - [`events`]: the world is told what happened.
//! - [`import`]: leads out of CSV files.
//! - [`jobs`]: one file per kind of job.
//! - [`sweeps`]: what runs again and again, from `schedules`.
//! - [`media`]: conversations of an agent of ours.
//! - [`mod@metrics`]: what is counted, and what stands, for Prometheus.
//! - [`providers`]: one folder per carrier.
//! - [`sheets`]: shared Google Sheets, read as CSV.
//! - [`store`]: all SQL.
//! - [`traces`]: one a lead.

pub mod clock;
pub mod crash;
pub mod engine;
pub mod events;
pub mod import;
pub mod jobs;
pub mod media;
pub mod metrics;
pub mod node;
pub mod operations;
pub mod providers;
pub mod queue;
mod reads;
pub mod seal;
pub mod sheets;
pub mod sse;
pub mod store;
pub mod sweeps;
pub mod tls;
pub mod traces;
pub mod worker;
