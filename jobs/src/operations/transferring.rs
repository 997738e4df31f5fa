//! Handing calls that are under way to somebody else.

use outdial_workflows::attempt::{Attempt, Revision};
use outdial_workflows::ids::{AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::input::{Answer, Command, Input};
use outdial_workflows::transfer::{Briefing, CannotTransfer, NoBriefing, NoTransferTo, Transfer, TransferTo};

use super::{By, OperationError, calls, leads};
use crate::engine::Engine;
use crate::providers::{Question, Requests, SharedCarrier};
use crate::reads;
use crate::store::ledger::Made;
use crate::store::{self, StoreError};

/// Has the call that is under way with a lead handed to somebody else. Once this returns, the order is
/// committed; the carrier is asked by a job, once, and the lead's story tells what came of it. Whom it goes to is told
/// the briefing as they answer, and is put through then.
///
/// # Errors
/// If the client has no such lead, `to` is no place to hand a call to, or the person's own or a suppressed
/// number; and if no call is under way that was answered and is not being transferred already, or its carrier
/// has no way to.
pub async fn transfer(
    engine: &Engine,
    (client, lead): (ClientId, LeadId),
    to: &str,
    briefing: Option<Briefing>,
    by: By<'_>,
) -> Result<(), OperationError> {
    let of = leads::get(engine, lead).await?;
    if of.client != client {
        return Err(OperationError::NotFound { kind: "call", given: lead.to_string() });
    }
    let to: TransferTo = to.parse().map_err(|problem: NoTransferTo| not_there(&problem))?;
    refuse_suppressed(engine, &of, &to).await?;
    let attempt = calls::latest_attempt(engine, client, lead).await?.filter(Attempt::is_live);
    let attempt = attempt.ok_or(CannotTransfer::NoCall)?;
    let carrier = engine.carrier(client, attempt.account).await?;
    let carrier = carrier.ok_or(CannotTransfer::NoCall)?;
    let rules = engine.rules(client, of.campaign, attempt.revision).await?;
    if let Some(why) = rules.as_ref().and_then(|rules| carrier.cannot_transfer(&rules.agent)) {
        return Err(OperationError::NoWay(why));
    }
    if briefing.is_some()
        && let Some(why) = rules.and_then(|rules| carrier.cannot_brief(&rules.agent))
    {
        return Err(OperationError::NoWay(why));
    }
    if !attempt.is_in_conversation() {
        look(engine, &of, &attempt, &carrier).await?;
    }
    let input = Input::Command {
        command: Command::Transfer { to, briefing },
        actor: by.actor.to_owned(),
        reason: by.reason.map(str::to_owned),
        alone: true,
    };
    match engine.input(client, lead, input, None).await?.answer {
        Answer::NoTransfer(why @ CannotTransfer::OwnNumber) => Err(not_there(&why)),
        Answer::NoTransfer(why) => Err(why.into()),
        Answer::Declined(why) => Err(OperationError::NotPossible(why)),
        _ => Ok(()),
    }
}

/// What whom a call goes to is to be told first, as it was written.
///
/// # Errors
/// If nothing is to be said, or too much.
pub fn briefing(text: &str) -> Result<Briefing, OperationError> {
    text.parse().map_err(|problem: NoBriefing| OperationError::Invalid {
        place: "briefing".into(),
        problem: problem.to_string(),
    })
}

/// Whether whom this call is handed to can be told something first.
///
/// # Errors
/// The database.
pub async fn can_brief(engine: &Engine, made: &Made) -> Result<bool, OperationError> {
    let client = made.key.0.client;
    let (Some(carrier), Some(rules)) = (
        engine.carrier(client, made.account).await?,
        engine.rules(client, made.campaign, Revision(made.revision)).await?,
    ) else {
        return Ok(false);
    };
    Ok(carrier.cannot_transfer(&rules.agent).or(carrier.cannot_brief(&rules.agent)).is_none())
}

/// The latest order to hand an attempt's call over, and what came of it.
///
/// # Errors
/// The database.
pub(crate) async fn latest(
    engine: &Engine,
    AttemptRef { client, lead, number }: AttemptRef,
) -> Result<Option<Transfer>, StoreError> {
    let number = i16::try_from(number.get()).unwrap_or(i16::MAX);
    let loaded = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::attempts::load(&mut conn, client, &[lead.0], &[number]).await
    });
    let attempt = loaded.await?.pop().transpose().map_err(|(_, error)| error)?;
    Ok(attempt.and_then(|(_, attempt)| attempt.transfer))
}

fn not_there(problem: &dyn std::error::Error) -> OperationError {
    OperationError::Invalid { place: "to".into(), problem: problem.to_string() }
}

/// A transfer rings whom it goes to. Whoever is not to be called is not called so, either.
async fn refuse_suppressed(
    engine: &Engine,
    of: &leads::Listed,
    to: &TransferTo,
) -> Result<(), OperationError> {
    let Some(number) = to.number() else { return Ok(()) };
    let suppressed = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let now = engine.now_in(&mut conn).await?;
        let phones = [number.as_str().to_owned()];
        let listed = store::suppressions::of_phones(&mut conn, of.client, &phones).await?;
        Ok::<_, OperationError>(listed.iter().any(|row| row.forbids(of.campaign, now)))
    });
    match suppressed.await? {
        true => Err(OperationError::Invalid {
            place: "to".into(),
            problem: "the number is on the client's suppression list, and is not to be called".into(),
        }),
        false => Ok(()),
    }
}

/// Some carriers tell of an answer only when asked, and others' news may be late: so that an order is not
/// refused for that, the carrier is asked first, within what may be read of it.
async fn look(
    engine: &Engine,
    of: &leads::Listed,
    attempt: &Attempt,
    carrier: &SharedCarrier,
) -> Result<(), OperationError> {
    let (Some(call), Some(phone)) = (&attempt.call_id, &attempt.phone) else { return Ok(()) };
    let Some(rules) = engine.rules(of.client, of.campaign, attempt.revision).await? else { return Ok(()) };
    let most = carrier.most_reads(Some(call));
    let held = reads::hold(engine, of.client, attempt.account, most, carrier.reads());
    let Ok((now, held)) = store::in_time(held).await? else { return Ok(()) };
    let requests = Requests::default();
    let key = DialKey(AttemptRef { client: of.client, lead: of.lead, number: attempt.number });
    let question = Question { key, attempt, rules: &rules, phone, now, requests: &requests, others: &[] };
    let answer = carrier.status(call, &question).await;
    let settled = reads::settle(engine, of.client, attempt.account, held, requests.count());
    store::in_time(settled).await?;
    let asked = Input::Asked { attempt: attempt.number, asked_at: now, answer };
    engine.input(of.client, of.lead, asked, None).await?;
    Ok(())
}
