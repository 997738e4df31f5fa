//! Listening to calls that are under way.

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::attempt::Attempt;
use outdial_workflows::ids::{AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::transfer::CannotTransfer;
use serde_json::json;
use uuid::Uuid;

use super::{By, OperationError, calls, leads};
use crate::engine::Engine;
use crate::providers::{ListenIn, Listener};
use crate::store;
use crate::store::audit::Entry;

/// How long somebody has to begin to listen. Whoever listens by then may go on until the call ends.
const BEGINS_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Lets somebody listen to the call that is under way with a lead, without being heard by anybody. It is recorded who
/// asked for it. Tells until when they may begin.
///
/// # Errors
/// If the client has no such lead, no call is under way, or its carrier has no way to.
pub async fn listen(
    engine: &Engine,
    client: ClientId,
    lead: LeadId,
    by: By<'_>,
) -> Result<(ListenIn, Moment), OperationError> {
    let of = leads::get(engine, lead).await?;
    if of.client != client {
        return Err(OperationError::NotFound { kind: "call", given: lead.to_string() });
    }
    let attempt = calls::latest_attempt(engine, client, lead).await?.filter(Attempt::is_live);
    let attempt = attempt.ok_or(CannotTransfer::NoCall)?;
    let carrier = engine.carrier(client, attempt.account).await?.ok_or(CannotTransfer::NoCall)?;
    let now = engine.now().await?;
    let until = now + BEGINS_WITHIN;
    let key = DialKey(AttemptRef { client, lead, number: attempt.number });
    let identity = format!("listener-{}", Uuid::new_v4().simple());
    let listener = Listener { key, identity: &identity, name: "Supervisor", now, until };
    let listens = carrier.listen(&listener).map_err(OperationError::NoWay)?;
    store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let details = json!({ "attempt": attempt.number });
        let entry = Entry {
            actor: by.actor,
            action: "listen",
            subject: "call",
            id: lead.0,
            reason: by.reason,
            details: &details,
        };
        store::audit::note(&mut conn, client, entry, now).await
    })
    .await?;
    Ok((listens, until))
}
