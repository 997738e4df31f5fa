//! News that waits in the inbox: of leads in quarantine, and of calls by their carrier's
//! name that no attempt bears yet.

use outdial_workflows::call::CallId;
use outdial_workflows::ids::{ClientId, new_id};
use outdial_workflows::input::CallNews;

use super::{Engine, EngineError};
use crate::store::inbox::{CallOf, Waiting};
use crate::store::{self, StoreError};

/// The most of each kind that one sweep takes in.
const PAGE: i64 = 1_000;

/// Keeps news of a call, and has it given to the attempt that made the call, if one is known.
pub(super) async fn take(engine: &Engine, of: &CallOf<'_>, news: &CallNews) -> Result<(), EngineError> {
    store::in_time(async {
        let mut conn = engine.inner.pool.acquire().await?;
        let now = engine.inner.clock.now(&mut conn).await?;
        store::inbox::keep_unmatched(&mut conn, new_id(now), of, news, now).await
    })
    .await?;
    // Looked for only now that it is kept: whoever binds an attempt meanwhile finds it, or is found here.
    follow_meanwhile(engine, of.client, vec![of.call.clone()]);
    Ok(())
}

/// Not waited for: what it finds goes through the client's next batch.
pub(super) fn follow_meanwhile(engine: &Engine, client: ClientId, calls: Vec<CallId>) {
    let following = engine.clone();
    engine.inner.tasks.spawn(async move { follow(&following, client, &calls).await });
}

/// Takes in what was kept of these calls, whose attempts are bound. What fails is left to the sweep.
async fn follow(engine: &Engine, client: ClientId, calls: &[CallId]) {
    let taken = async {
        let waiting = store::in_time(async {
            let mut session = engine.inner.sessions.take().await?;
            let waiting = store::inbox::matched_calls(&mut session, client, calls).await?;
            session.done();
            Ok::<_, StoreError>(waiting)
        });
        take_in(engine, waiting.await?).await
    };
    if let Err(error) = taken.await {
        tracing::warn!(client.id = %client, error = &error as &dyn std::error::Error,
            "news kept of calls was not taken in; the sweep tries again");
    }
}

/// Takes in all that can be. Returns how much that was.
pub(super) async fn sweep(engine: &Engine) -> Result<u64, StoreError> {
    let waiting = store::in_time(async {
        let mut conn = engine.inner.pool.acquire().await?;
        let mut waiting = store::inbox::workable(&mut conn, PAGE).await?;
        waiting.extend(store::inbox::matched(&mut conn, PAGE).await?);
        Ok::<_, StoreError>(waiting)
    });
    take_in(engine, waiting.await?).await
}

/// News is idempotent, so that dying between its commit and the note that it was taken in costs nothing.
async fn take_in(engine: &Engine, waiting: Vec<Waiting>) -> Result<u64, StoreError> {
    let mut taken = 0;
    for Waiting { client, id, lead, input } in waiting {
        let input = match input {
            Ok(input) => input,
            Err(error) => {
                tracing::error!(inbox.id = %id, %error, "kept news cannot be read by this version; it stays");
                continue;
            }
        };
        match engine.input_unless_resting(client, lead, input).await {
            // Of a lead that was put aside it was kept anew, under the lead.
            Some(Ok(_) | Err(EngineError::Quarantined(_))) => taken += 1,
            None => continue,
            Some(Err(error)) => {
                tracing::warn!(inbox.id = %id, error = &error as &dyn std::error::Error, "kept news was not taken in");
                continue;
            }
        }
        store::in_time(async {
            let mut conn = engine.inner.pool.acquire().await?;
            let now = engine.inner.clock.now(&mut conn).await?;
            store::inbox::applied(&mut conn, client, id, now).await
        })
        .await?;
    }
    Ok(taken)
}
