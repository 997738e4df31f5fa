//! How long the database may take to answer, and what becomes of connections on which it does not.
//!
//! A machine that loses its power or its network says no goodbye: whoever waits for its answer
//! waits for ever. So each unit of work has an end, and a connection that stays silent is given up,
//! together with all that are as old: they lead to the same place.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sqlx::Connection;
use sqlx::postgres::PgPoolOptions;

use super::StoreError;

/// The longest that one unit of work may take. A commit of two hundred inputs takes some fifty milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that is given back answers within this, or is given up.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long a caller waits for a connection of a pool.
const ACQUIRED_WITHIN: Duration = Duration::from_secs(10);

/// Ends work with the database that does not end by itself. What it had not committed is undone;
/// whether a commit that was under way happened is not known.
///
/// # Errors
/// The work's own, or [`StoreError::Silent`].
pub fn in_time<T, E: From<StoreError>>(
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    within(PATIENCE, work)
}

/// As [`in_time`], with another limit.
///
/// # Errors
/// The work's own, or [`StoreError::Silent`].
pub fn within<T, E: From<StoreError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    // A deciding transaction is a large future; whoever waits for it need not be.
    let work = tokio::time::timeout(limit, Box::pin(work));
    async move { work.await.unwrap_or_else(|_| Err(StoreError::Silent { limit }.into())) }
}

/// A pool that gives silent connections up.
pub fn pool_options(connections: u32) -> PgPoolOptions {
    let silence = Silence::default();
    let heard = silence.clone();
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRED_WITHIN)
        .test_before_acquire(false)
        .before_acquire(move |_, meta| {
            let old = silence.met_by(meta.age);
            // Refused, it is closed without being asked anything.
            async move { Ok(!old) }.boxed()
        })
        .after_release(move |connection, _| {
            let heard = heard.clone();
            async move {
                match tokio::time::timeout(ANSWERS_WITHIN, connection.ping()).await {
                    Ok(answered) => answered.map(|()| true),
                    Err(_) => {
                        heard.now();
                        Err(silent())
                    }
                }
            }
            .boxed()
        })
}

/// When a connection of a pool was last found silent.
#[derive(Clone, Default)]
struct Silence(Arc<Mutex<Option<Instant>>>);

impl Silence {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection of this age was there when one was found silent.
    fn met_by(&self, age: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < age)
    }
}

fn silent() -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the database does not answer").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_that_were_there_are_suspected() {
        let silence = Silence::default();
        assert!(!silence.met_by(Duration::from_secs(60)), "nothing was silent yet");
        silence.now();
        assert!(silence.met_by(Duration::from_secs(60)));
        assert!(!silence.met_by(Duration::ZERO), "made since");
    }

    #[tokio::test]
    async fn work_without_an_end_is_ended() {
        let endless = std::future::pending::<Result<(), StoreError>>();
        let ended = within(Duration::from_millis(1), endless).await;
        assert!(matches!(ended, Err(StoreError::Silent { .. })));
    }
}
