//! Ending calls that are under way, with an order that stops others or by themselves.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use outdial_workflows::ids::{AccountId, AttemptRef, ClientId, LeadId};
use outdial_workflows::input::{Answer, Command, Input};

use super::{By, OperationError};
use crate::engine::{Engine, EngineError};
use crate::store;
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
            entry.insert(carrier_ends_calls(engine, client, account).await?);
        }
    }
    let ours = ours(engine, client, calls.iter().map(|call| (call.lead, call.number))).await?;
    let (to_end, going_on): (Vec<&Underway>, Vec<&Underway>) = calls.iter().partition(|call| {
        can.get(&call.account).copied().unwrap_or_default() || ours.contains(&(call.lead, call.number))
    });
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

/// Whether there is a way to end a call: its carrier has one, or our own agent talks on it and stops.
///
/// # Errors
/// If the account cannot be opened.
pub async fn can_be_ended(
    engine: &Engine,
    call: AttemptRef,
    account: AccountId,
) -> Result<bool, OperationError> {
    if carrier_ends_calls(engine, call.client, account).await? {
        return Ok(true);
    }
    let calls = [(call.lead, call.number.get())];
    Ok(!ours(engine, call.client, calls.into_iter()).await?.is_empty())
}

async fn carrier_ends_calls(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
) -> Result<bool, OperationError> {
    Ok(engine.carrier(client, account).await?.is_some_and(|carrier| carrier.ends_calls()))
}

/// Those of these calls that our own agent talks on, or will.
async fn ours(
    engine: &Engine,
    client: ClientId,
    calls: impl Iterator<Item = (LeadId, u16)>,
) -> Result<HashSet<(LeadId, u16)>, OperationError> {
    let (leads, numbers): (Vec<_>, Vec<_>) =
        calls.map(|(lead, number)| (lead.0, i16::try_from(number).unwrap_or(i16::MAX))).unzip();
    let ours = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::attempts::ours(&mut conn, client, &leads, &numbers).await
    });
    Ok(ours.await?.into_iter().collect())
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
        alone: false,
    };
    match engine.input(client, lead, input, None).await {
        Ok(reply) => Ok(matches!(reply.answer, Answer::Done | Answer::Deferred)),
        Err(EngineError::Quarantined(_) | EngineError::NoSuchLead(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
