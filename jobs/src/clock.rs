//! Where time comes from.

use std::sync::Mutex;
use std::time::SystemTime;

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_workflows::Moment;
use sqlx::PgConnection;

use crate::store::StoreError;

/// This machine's clock: for what is about the world outside and decides nothing here, such as whether a
/// signature is stale. Tests that set the engine's clock leave it alone, as carriers' clocks do.
pub fn wall() -> Moment {
    SystemTime::now().into()
}

/// Tells the time inside a transaction, after its locks are held.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment.
    async fn now(&self, conn: &mut PgConnection) -> Result<Moment, StoreError>;

    /// Whether it is the database's own, so that a reading of it is a reading of that.
    fn is_the_databases(&self) -> bool {
        false
    }
}

/// The database's clock: one clock for all nodes.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseClock;

#[async_trait]
impl Clock for DatabaseClock {
    async fn now(&self, conn: &mut PgConnection) -> Result<Moment, StoreError> {
        let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(conn).await?;
        Ok(now)
    }

    fn is_the_databases(&self) -> bool {
        true
    }
}

/// A clock that stands where it is put, for tests.
#[derive(Debug)]
pub struct SetClock(Mutex<Moment>);

impl SetClock {
    /// A clock that stands at `at`.
    pub fn at(at: Moment) -> Self {
        Self(Mutex::new(at))
    }

    /// Where it stands.
    pub fn read(&self) -> Moment {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Moves it on.
    pub fn advance(&self, by: TimeDelta) {
        let mut at = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *at += by;
    }
}

#[async_trait]
impl Clock for SetClock {
    async fn now(&self, _: &mut PgConnection) -> Result<Moment, StoreError> {
        Ok(self.read())
    }
}
