//! What came of a call, put right by somebody who knows better.

use outdial_workflows::ids::DialKey;
use outdial_workflows::input::{Answer, Command, Input};
use outdial_workflows::outcome::Outcome;
use serde_json::json;

use super::{By, OperationError, attempts};
use crate::engine::Engine;
use crate::store;
use crate::store::audit::Entry;

/// Records another outcome of an attempt that is over. It causes no call: whoever is to be called again is retried. An
/// outcome after which nobody is called again ends the lead; `do_not_call` suppresses its number, and taking it back
/// does not lift that.
///
/// # Errors
/// If there is no such attempt, nothing is recorded of it yet, or no reason is given: the record is what people
/// are judged by.
pub async fn correct(
    engine: &Engine,
    key: DialKey,
    outcome: Outcome,
    by: By<'_>,
) -> Result<(), OperationError> {
    let reason = by.reason.map(str::trim).filter(|reason| !reason.is_empty());
    let reason = reason.ok_or_else(|| OperationError::Invalid {
        place: "reason".into(),
        problem: "say why the record is wrong: the reason is kept with it".into(),
    })?;
    let before = attempts::get(engine, key).await?;
    let input = Input::Command {
        command: Command::Correct { attempt: key.0.number, outcome },
        actor: by.actor.to_owned(),
        reason: Some(reason.to_owned()),
    };
    match engine.input(key.0.client, key.0.lead, input, None).await?.answer {
        Answer::Declined(why) => return Err(OperationError::NotPossible(why)),
        _ if before.outcome == Some(outcome) => return Ok(()),
        _ => {}
    }
    // The lead's history has it by the commit; here it stands among what else was ordered.
    let details = json!({
        "attempt": key.0.number,
        "before": { "outcome": before.outcome.map(Outcome::name) },
        "after": { "outcome": outcome.name() },
    });
    store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let now = engine.now_in(&mut conn).await?;
        let entry = Entry {
            actor: by.actor,
            action: "correct",
            subject: "lead",
            id: key.0.lead.0,
            reason: Some(reason),
            details: &details,
        };
        store::audit::note(&mut conn, key.0.client, entry, now).await?;
        Ok::<_, OperationError>(())
    })
    .await
}
