//! Requests that are carried out once, however often they are sent: by keys that their senders choose.

use chrono::TimeDelta;
use outdial_workflows::ids::{AccountId, ClientId};
use uuid::Uuid;

use crate::engine::Engine;
use crate::store::idempotency::Standing;
use crate::store::{self, StoreError};

/// A request that nobody has answered for so long was cut off, with the process that carried it out.
const CUT_OFF_AFTER: TimeDelta = TimeDelta::minutes(1);

/// How long answers are kept.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// A request under its sender's key: whose API key it came with, and what the sender calls it.
pub type Name<'a> = (Uuid, &'a str);

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is to be carried out, and then [`answered`] or [`forget`] be called.
    New,
    /// Somebody is carrying it out.
    UnderWay,
    /// Another request was sent under this name.
    Another,
    /// It was answered so: an HTTP status and what was kept.
    Answered(u16, Vec<u8>),
}

/// Begins a request.
///
/// # Errors
/// The database.
pub async fn begin(engine: &Engine, name: Name<'_>, fingerprint: &[u8]) -> Result<Begun, StoreError> {
    let standing = store::in_time(async {
        let mut session = engine.sessions().take().await?;
        let now = engine.now_in(&mut session).await?;
        let standing =
            store::idempotency::begin(&mut session, name, fingerprint, now, now - CUT_OFF_AFTER).await?;
        session.done();
        Ok::<_, StoreError>(standing)
    });
    Ok(match standing.await? {
        Standing::New => Begun::New,
        Standing::UnderWay => Begun::UnderWay,
        Standing::Another => Begun::Another,
        Standing::Answered { status, answer } => {
            let (client, account) = bound_to(name);
            // Sealed with another key: nobody can say any more what the answer was.
            engine
                .key()
                .open(client, account, &answer)
                .map_or(Begun::Another, |answer| Begun::Answered(status, answer))
        }
    })
}

/// Keeps the answer. It may name people, or hold a key that is told once: it is sealed.
///
/// # Errors
/// The database.
pub async fn answered(engine: &Engine, name: Name<'_>, status: u16, answer: &[u8]) -> Result<(), StoreError> {
    let (client, account) = bound_to(name);
    let sealed = engine.key().seal(client, account, answer);
    store::in_time(async {
        let mut session = engine.sessions().take().await?;
        store::idempotency::answered(&mut session, name, status, &sealed).await?;
        session.done();
        Ok(())
    })
    .await
}

/// Forgets a request that failed for no fault of its own.
///
/// # Errors
/// The database.
pub async fn forget(engine: &Engine, name: Name<'_>) -> Result<(), StoreError> {
    store::in_time(async {
        let mut session = engine.sessions().take().await?;
        store::idempotency::forget(&mut session, name).await?;
        session.done();
        Ok(())
    })
    .await
}

/// An answer opens only for whom it was sealed.
fn bound_to((api_key, _): Name<'_>) -> (ClientId, AccountId) {
    (ClientId(Uuid::nil()), AccountId(api_key))
}
