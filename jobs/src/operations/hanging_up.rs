//! Ending calls that are under way, with an order that stops others or by themselves.

use std::collections::HashMap;

use futures_util::future::join_all;
use outdial_workflows::ids::{AccountId, ClientId, LeadId};
use outdial_workflows::input::{Answer, Command, Input};

use super::{By, OperationError};
use crate::engine::{Engine, EngineError};
use crate::store::attempts::Underway;

/// So many orders are under way at once: a few of the engine's batches.
const AT_ONCE: usize = 500;

/// What becomes of calls that are to be ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HungUp {
    /// Calls whose carrier is asked to end them.
    pub ending: usize,
    /// Calls that go on, because their carrier has no way to end them.
    pub going_on: usize,
    /// Calls that were over before they could be ended.
    pub over: usize,
}

/// Has these calls ended, as far as their carriers can. Once this returns, the orders are committed; carriers are
/// asked by jobs, again and again until a call is over.
///
/// # Errors
/// The database.
pub async fn hang_up(
    engine: &Engine,
    client: ClientId,
    calls: &[Underway],
    by: By<'_>,
) -> Result<HungUp, OperationError> {
    let mut can: HashMap<AccountId, bool> = HashMap::new();
    for account in calls.iter().map(|call| call.account) {
        if let std::collections::hash_map::Entry::Vacant(entry) = can.entry(account) {
            entry.insert(ends_calls(engine, client, account).await?);
        }
    }
    let (to_end, going_on): (Vec<&Underway>, Vec<&Underway>) =
        calls.iter().partition(|call| can.get(&call.account).copied().unwrap_or_default());
    let mut hung_up = HungUp { going_on: going_on.len(), ..HungUp::default() };
    for part in to_end.chunks(AT_ONCE) {
        let leads: Vec<LeadId> = part.iter().map(|call| call.lead).collect();
        for answer in join_all(leads.into_iter().map(|lead| order(engine, client, lead, by))).await {
            match answer? {
                true => hung_up.ending += 1,
                false => hung_up.over += 1,
            }
        }
    }
    Ok(hung_up)
}

/// Whether an account's carrier has a way to end calls.
///
/// # Errors
/// If the account cannot be opened.
pub async fn ends_calls(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
) -> Result<bool, OperationError> {
    Ok(engine.carrier(client, account).await?.is_some_and(|carrier| carrier.ends_calls()))
}

/// Whether there was still something to end.
async fn order(
    engine: &Engine,
    client: ClientId,
    lead: LeadId,
    By { actor, reason }: By<'_>,
) -> Result<bool, OperationError> {
    let input = Input::Command {
        command: Command::HangUp,
        actor: actor.to_owned(),
        reason: reason.map(str::to_owned),
    };
    match engine.input(client, lead, input, None).await {
        Ok(reply) => Ok(matches!(reply.answer, Answer::Done | Answer::Deferred)),
        Err(EngineError::Quarantined(_) | EngineError::NoSuchLead(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
