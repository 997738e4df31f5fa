//! Keeps this process's leases, on a connection of its own.

use std::time::Duration;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::clocks::off_by;
use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Held, Pace};
use crate::clock::{Clock, DatabaseClock};
use crate::engine::Engine;
use crate::node::Node;
use crate::store::{self, StoreError};

/// Renews leases and shows that the process is there, until told to stop: after draining.
pub struct LeaseKeeper {
    engine: Engine,
    node: Node,
    /// A pool of its own, so that renewals do not wait behind work.
    pool: PgPool,
    held: Held,
    pace: Pace,
    stop: CancellationToken,
}

impl LeaseKeeper {
    /// A keeper for this process.
    pub fn new(
        engine: Engine,
        node: Node,
        pool: PgPool,
        held: Held,
        pace: Pace,
        stop: CancellationToken,
    ) -> Self {
        Self { engine, node, pool, held, pace, stop }
    }

    /// Announces the process, and takes over what dead processes of this host left.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn begin(&self) -> Result<(), StoreError> {
        let mut conn = self.pool.acquire().await?;
        let now = self.engine.now_in(&mut conn).await?;
        store::nodes::announce(&mut conn, &self.node, now).await?;
        self.compare_clocks(&mut conn).await?;
        let others = store::nodes::on_host(&mut conn, &self.node.process.host, self.node.id).await?;
        let gone: Vec<_> =
            others.into_iter().filter(|(_, process)| process.is_gone()).map(|(id, _)| id).collect();
        if !gone.is_empty() {
            let freed = store::queue::free_leases_of(&mut conn, &gone, now).await?;
            store::nodes::remove(&mut conn, &gone).await?;
            tracing::info!(
                processes = gone.len(),
                jobs = freed,
                "took over from dead processes of this host"
            );
        }
        Ok(())
    }

    /// Runs until told to stop.
    pub async fn run(self) {
        let renew = self.pace.renew;
        // A second try over another connection still comes in time.
        let renewed_within = (renew / 2).max(Duration::from_secs(1));
        let mut next = Instant::now();
        loop {
            if let Err(error) = store::within(renewed_within, self.renew()).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "leases could not be renewed");
                // Soon again: two more tries fit into a lease.
                next = Instant::now() + renew / 4;
            } else {
                // What is claimed meanwhile is renewed in time all the same.
                let pause = if self.held.is_empty() { renew * 2 } else { renew };
                next = (next + pause).max(Instant::now() + pause / 2);
            }
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.stop.cancelled() => break,
            }
        }
        if let Err(error) = store::in_time(self.leave()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the process could not take its leave");
        }
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let mut conn = self.pool.acquire().await?;
        let asked = (self.node.wall)();
        let now = self.engine.now_in(&mut conn).await?;
        let off_by = match self.engine.goes_by_the_database() {
            true => self.note_clock(asked, now),
            false => self.compare_clocks(&mut conn).await?,
        };
        let off_ms = i32::try_from(off_by.num_milliseconds()).unwrap_or(i32::MAX);
        match store::nodes::seen(&mut conn, self.node.id, now, off_ms).await? {
            Some(others) => self.engine.others_talk(others.talk),
            // Somebody took this process for dead while it stood still: it is not.
            None => store::nodes::announce(&mut conn, &self.node, now).await?,
        }
        let held = self.held.tokens();
        if !held.is_empty() {
            store::queue::renew(&mut conn, self.node.id, &held, now + self.pace.lease).await?;
        }
        Ok(())
    }

    /// Lets the engine know how far this machine's clock is off the database's.
    async fn compare_clocks(&self, conn: &mut PgConnection) -> Result<TimeDelta, StoreError> {
        let asked = (self.node.wall)();
        let theirs = DatabaseClock.now(conn).await?;
        Ok(self.note_clock(asked, theirs))
    }

    fn note_clock(&self, asked: Moment, theirs: Moment) -> TimeDelta {
        let off_by = off_by(asked, (self.node.wall)(), theirs);
        self.engine.note_clock(off_by);
        off_by
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let mut conn = self.pool.acquire().await?;
        store::nodes::remove(&mut conn, &[self.node.id.0]).await
    }
}
