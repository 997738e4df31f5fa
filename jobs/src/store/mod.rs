//! All SQL: one module an aggregate, one function a question, the statement in view
//! inside the function that owns it.
//!
//! Functions take a connection, so that the caller draws the transaction, and take
//! `now`. They return facts and guard updates; they decide nothing. Rows and row
//! enums turn into the types of `outdial-workflows` by exhaustive conversions.
//!
//! Statements over a batch of keys have the form `from (select $1 as client_id, * from unnest(…)
//! offset 0) x join t using (client_id, …)`. Were `client_id = $1` a condition on the table itself,
//! Postgres, which plans once and keeps the plan, would read all of the client's rows wherever it
//! believes them to be few: after a start with an empty table, and always in the queue, whose
//! statistics are taken while it is empty. Behind `offset 0` the client is a value to join by like
//! the other keys (distinct where a key may be named twice), and only the primary key serves: no other index of a large table that always applies
//! begins with the client (a test of the catalogue says so). [`PLANNING`] rules the other ways to join out.

pub mod accounts;
pub mod admission;
pub mod attempts;
pub mod audit;
pub mod barrier;
pub mod bulk;
pub mod call_results;
pub mod call_statistics;
pub mod campaigns;
pub mod clients;
pub mod consents;
pub mod conversations;
pub mod deliveries;
pub mod dial_requests;
pub mod erasing;
mod error;
pub mod events;
pub mod exports;
pub mod filters;
pub mod gauges;
pub mod idempotency;
pub mod imports;
pub mod inbox;
pub mod installation;
pub mod jobs;
pub mod journal;
pub mod judging;
pub mod keys;
pub mod kinds;
pub mod lanes;
pub mod lead_lists;
pub mod leads;
pub mod ledger;
pub mod measure;
pub mod nodes;
pub mod numbers;
pub mod paging;
mod patience;
pub mod pausing;
pub mod playbooks;
pub mod quarantine;
pub mod queue;
pub mod recurring;
pub mod retention;
mod rows;
pub mod schedules;
pub mod seats;
pub mod seed;
mod sessions;
pub mod sheets;
pub mod spending;
pub mod statistics;
pub mod strange_webhooks;
pub mod subscribers;
pub mod suppressions;
pub mod upkeep;
pub mod workflows;

pub use error::{Failure, StoreError};
pub use patience::{PATIENCE, in_time, pool_options, within};
pub use sessions::{Session, Sessions};

/// The channel on which commits announce work; see [`crate::engine::wake`].
pub const CHANNEL: &str = "outdial";

/// Settings of sessions that run these statements. All look rows up by their keys, a batch at a time:
/// a join that reads a table whole is right for none of them, at whatever size it was planned.
pub const PLANNING: [(&str, &str); 4] =
    [("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_seqscan", "off"), ("jit", "off")];

/// Announces something to all processes, with the commit.
pub async fn notify(conn: &mut sqlx::PgConnection, payload: &str) -> Result<(), StoreError> {
    sqlx::query!("select pg_notify($1, $2)", CHANNEL, payload).execute(conn).await?;
    Ok(())
}
