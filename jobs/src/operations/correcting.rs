//! What came of a call, put right by somebody who knows better.

use outdial_workflows::ids::DialKey;
use outdial_workflows::input::{Answer, Command, Input};
use outdial_workflows::outcome::Outcome;

use super::{By, OperationError, attempts};
use crate::engine::Engine;

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
    attempts::get(engine, key).await?;
    let order = Input::Command {
        command: Command::Correct { attempt: key.0.number, outcome },
        actor: by.actor.to_owned(),
        reason: Some(reason.to_owned()),
        alone: true,
    };
    match engine.input(key.0.client, key.0.lead, order, None).await?.answer {
        Answer::Declined(why) => Err(OperationError::NotPossible(why)),
        _ => Ok(()),
    }
}
