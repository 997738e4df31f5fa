//! All SQL: one module an aggregate, one function a question, the statement in view
//! inside the function that owns it.
//!
//! Functions take a connection, so that the caller draws the transaction, and take
//! `now`. They return facts and guard updates; they decide nothing. Rows and row
//! enums turn into the types of `outdial-workflows` by exhaustive conversions.

pub mod accounts;
pub mod admission;
pub mod attempts;
pub mod audit;
pub mod barrier;
pub mod bulk;
pub mod campaigns;
pub mod clients;
mod error;
pub mod events;
pub mod inbox;
pub mod installation;
pub mod judging;
pub mod leads;
pub mod measure;
pub mod nodes;
mod patience;
pub mod pausing;
pub mod quarantine;
pub mod queue;
pub mod recurring;
mod rows;
pub mod schedules;
pub mod statistics;
pub mod suppressions;
pub mod upkeep;
pub mod workflows;

pub use error::{Failure, StoreError};
pub use patience::{PATIENCE, in_time, pool_options, within};

/// The channel on which commits announce work; see [`crate::engine::wake`].
pub const CHANNEL: &str = "outdial";

/// Announces something to all processes, with the commit.
pub async fn notify(conn: &mut sqlx::PgConnection, payload: &str) -> Result<(), StoreError> {
    sqlx::query!("select pg_notify($1, $2)", CHANNEL, payload).execute(conn).await?;
    Ok(())
}
