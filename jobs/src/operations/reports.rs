//! What agents report of the conversations that they hold.

use outdial_workflows::call::{CallFact, CallStatus, Source};
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::input::Input;
use outdial_workflows::results::{CallResults, Turn};

use super::OperationError;
use crate::engine::{Engine, EngineError};
use crate::media::telling::{Telling, What};
use crate::store;

/// The most turns of one report.
pub const MOST_TURNS: usize = 1_000;

/// Takes in what was said. It may come in parts, late, and twice.
///
/// # Errors
/// If there is no such attempt.
pub async fn turns(engine: &Engine, call: DialKey, turns: Vec<Turn>) -> Result<(), OperationError> {
    let AttemptRef { client, lead, number } = call.0;
    known(engine, call).await?;
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    store::call_results::add_turns(&mut tx, client, (lead, number), turns, now).await?;
    let said = Telling { attempt: call.0, what: What::Said };
    store::notify(&mut tx, &said.payload()).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes in what a conversation yielded: it may say what came of the call, and a wish not to be called again
/// suppresses the number at once.
///
/// # Errors
/// If there is no such attempt.
pub async fn result(engine: &Engine, call: DialKey, results: CallResults) -> Result<(), OperationError> {
    let AttemptRef { client, lead, number } = call.0;
    known(engine, call).await?;
    let told = CallFact::progress(None, CallStatus::Initiated);
    let fact = CallFact { results: Some(Box::new(results)), ..told };
    let news = Input::News { attempt: number, fact, source: Source::Agent };
    match engine.input(client, lead, news, None).await {
        // Of a lead in quarantine it waits in the inbox.
        Ok(_) | Err(EngineError::Quarantined(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn known(engine: &Engine, call: DialKey) -> Result<(), OperationError> {
    let AttemptRef { client, lead, number } = call.0;
    let mut conn = engine.pool().acquire().await?;
    match store::attempts::account(&mut conn, client, lead, number).await? {
        Some(_) => Ok(()),
        None => Err(OperationError::NotFound { kind: "call", given: call.to_string() }),
    }
}
