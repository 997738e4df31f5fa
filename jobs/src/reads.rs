//! Status reads of an account: set aside before a question, settled after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, ClientId};

use crate::engine::Engine;
use crate::store::{self, StoreError};

/// One at a time in this process for each account. Whoever waits for an account's row has a connection meanwhile: were it
/// not for this, the status jobs of one account would have the whole pool, and everybody else would wait for them.
#[derive(Debug, Default)]
pub(crate) struct OneByOne(Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<()>>>>);

impl OneByOne {
    async fn turn(&self, account: AccountId) -> tokio::sync::OwnedMutexGuard<()> {
        let turns =
            Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(account).or_default());
        turns.lock_owned().await
    }
}

/// Reads that were set aside in the window that began then.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    since: Option<Moment>,
    reads: u32,
}

/// Sets aside `reads` of at most `max` in a window of this length. Answers with the time, or with how long to
/// wait until there are as many.
pub(crate) async fn hold(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    reads: u32,
    (max, window): (u32, TimeDelta),
) -> Result<Result<(Moment, Held), Duration>, StoreError> {
    let _turn = engine.reads().turn(account).await;
    let mut tx = engine.pool().begin().await?;
    let stored = store::accounts::lock_reads(&mut tx, client, account).await?;
    let now = engine.now_in(&mut tx).await?;
    let reads = reads.min(max);
    match stored.hold(reads, max, window, now) {
        Ok(held) => {
            store::accounts::set_reads(&mut tx, client, account, held).await?;
            tx.commit().await?;
            Ok(Ok((now, Held { since: held.since, reads })))
        }
        Err(again_at) => Ok(Err((again_at - now).to_std().unwrap_or(Duration::from_secs(1)))),
    }
}

/// The question took `made` of them.
pub(crate) async fn settle(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    held: Held,
    made: u32,
) -> Result<(), StoreError> {
    let _turn = engine.reads().turn(account).await;
    let mut tx = engine.pool().begin().await?;
    let stored = store::accounts::lock_reads(&mut tx, client, account).await?;
    let settled = stored.settle(held.since, held.reads, made);
    store::accounts::set_reads(&mut tx, client, account, settled).await?;
    Ok(tx.commit().await?)
}
