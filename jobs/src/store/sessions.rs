//! Connections of those who always need one.
//!
//! A pool asks a connection whether it is still there each time that it is given back. Whoever takes
//! one hundreds of times a second would spend two round trips on that each time, so a few stay here
//! between their uses: only those whose last work succeeded and left no transaction open.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

use super::StoreError;

/// A few connections of a pool, kept open between their uses.
#[derive(Debug)]
pub struct Sessions {
    pool: PgPool,
    /// At most so many: a quarter of the pool's, so that the others find one meanwhile.
    most: usize,
    idle: Mutex<Vec<PoolConnection<Postgres>>>,
}

impl Sessions {
    /// None are kept yet.
    pub fn new(pool: PgPool) -> Self {
        let most = usize::try_from(pool.options().get_max_connections() / 4).unwrap_or_default();
        Self { pool, most, idle: Mutex::default() }
    }

    /// One that is kept, or else one of the pool's.
    ///
    /// # Errors
    /// If the pool has none in time.
    pub async fn take(&self) -> Result<Session<'_>, StoreError> {
        let kept = self.idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        Ok(Session { connection, suspected: Suspected(Some(self)) })
    }

    /// Gives all that are kept back to the pool, which asks whether they are still there.
    pub fn release(&self) {
        // Not under the lock: what a pool does with them is its affair.
        drop(std::mem::take(&mut *self.idle()));
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PoolConnection<Postgres>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. Dropped before its work is [done](Session::done) it is suspected, and goes back to
/// the pool with all that are kept: they lead to the same place.
#[derive(Debug)]
pub struct Session<'a> {
    connection: PoolConnection<Postgres>,
    suspected: Suspected<'a>,
}

#[derive(Debug)]
struct Suspected<'a>(Option<&'a Sessions>);

impl Session<'_> {
    /// The work succeeded, and no transaction is open.
    pub fn done(self) {
        let Self { connection, mut suspected } = self;
        let Some(sessions) = suspected.0.take() else { return };
        let mut idle = sessions.idle();
        if idle.len() < sessions.most && !sessions.pool.is_closed() {
            idle.push(connection);
        }
    }
}

impl Deref for Session<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Session<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Suspected<'_> {
    fn drop(&mut self) {
        if let Some(sessions) = self.0 {
            sessions.release();
        }
    }
}
