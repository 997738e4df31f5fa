//! Shares the seats for conversations out among clients.

use std::time::Duration;

use chrono::TimeDelta;
use outdial_workflows::ids::ClientId;
use outdial_workflows::seats::share_out;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::store::{self, Failure, StoreError};

/// How often. A client whose first lead becomes due while others have every seat waits for so long, and for a call to end.
const EVERY: Duration = Duration::from_secs(1);
/// How long a grant holds that nobody renews: until then whoever picks up may find nobody, if every process that holds
/// conversations is gone.
const HOLDS: TimeDelta = TimeDelta::seconds(20);
/// A grant that stays as it is is renewed so long before it ends.
const RENEWED_BEFORE: TimeDelta = TimeDelta::seconds(10);

/// Runs until told to stop, where conversations are held: without such a process there is nothing to share.
pub(super) async fn run(engine: Engine, stop: CancellationToken) {
    if engine.reception().is_none() {
        return;
    }
    loop {
        match store::in_time(share(&engine)).await {
            Ok(()) => {}
            // A round of admission takes its time.
            Err(error) if error.failure() == Failure::Conflict => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "seats could not be shared out");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn share(engine: &Engine) -> Result<(), StoreError> {
    let mut conn = engine.pool().acquire().await?;
    let mut tx = store::seats::begin(&mut conn).await?;
    if !store::seats::alone(&mut tx).await? {
        return Ok(());
    }
    let clients = store::seats::clients(&mut tx).await?;
    if clients.is_empty() {
        return Ok(());
    }
    // Nobody admits meanwhile by a grant that is about to shrink.
    for client in &clients {
        store::admission::alone(&mut tx, ClientId(*client)).await?;
    }
    let now = engine.now_in(&mut tx).await?;
    let seats = store::seats::of_fleet(&mut tx, now).await?;
    let standing = store::seats::standing(&mut tx, &clients, seats, now).await?;
    let grants = share_out(seats, &standing);
    let raised = store::seats::grant(&mut tx, &clients, &grants, (now + RENEWED_BEFORE, now + HOLDS)).await?;
    for client in raised {
        store::notify(&mut tx, &Signal::ADMISSION.payload(client)).await?;
    }
    Ok(tx.commit().await?)
}
