//! Breakers: what carriers answer decides whether their accounts and numbers go on dialling.
//!
//! Heard after the commit that took the answers in: lost in a crash, the next answers say it again.

use std::collections::BTreeSet;

use outdial_workflows::Moment;
use outdial_workflows::breaker::{Breaker, Guarded, Heard};
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::{AccountId, ClientId};
use sqlx::{Connection, PgConnection};

use super::Engine;
use super::wake::Signal;
use crate::store::{self, StoreError};

/// A carrier's answer to a dial request.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) account: AccountId,
    pub(super) number: Option<CallerId>,
    pub(super) heard: Heard,
    /// In the carrier's words.
    pub(super) cause: String,
}

/// Takes these answers in, in their order.
pub(super) async fn hear(engine: &Engine, client: ClientId, answers: &[Answered]) {
    if answers.is_empty() {
        return;
    }
    match store::in_time(hear_all(engine, client, answers)).await {
        Ok(false) => {}
        Ok(true) => engine.hub().signal(client, CLOSED),
        Err(error) => tracing::warn!(client.id = %client, error = &error as &dyn std::error::Error,
            "answers of a carrier could not be told to its breakers"),
    }
}

/// Where dialling is free again.
const CLOSED: Signal = Signal { jobs: false, admission: true };

/// Tells whether one closed. Accounts are locked before numbers, and each in its order.
async fn hear_all(engine: &Engine, client: ClientId, answers: &[Answered]) -> Result<bool, StoreError> {
    let mut session = engine.inner.sessions.take().await?;
    let mut tx = session.begin().await?;
    let mut closed = false;
    let accounts: BTreeSet<AccountId> = answers.iter().map(|answer| answer.account).collect();
    for account in &accounts {
        let Some(mut breaker) = store::accounts::lock_breaker(&mut tx, client, *account).await? else {
            continue;
        };
        let now = engine.inner.clock.now(&mut tx).await?;
        let before = breaker;
        let heard = answers.iter().filter(|answer| answer.account == *account);
        if let Some(cause) = run(&mut breaker, Guarded::Account, heard, now) {
            tracing::warn!(account.id = %account, until = ?breaker.resting_until, cause,
                "the breaker of a carrier account opens");
            store::accounts::set_breaker(&mut tx, client, *account, &breaker, &cause).await?;
        } else if breaker != before {
            store::accounts::set_breaker(&mut tx, client, *account, &breaker, "").await?;
        }
        closed |= before.trips > 0 && breaker.trips == 0;
    }
    let numbers: BTreeSet<(AccountId, &CallerId)> =
        answers.iter().filter_map(|answer| Some((answer.account, answer.number.as_ref()?))).collect();
    for (account, number) in numbers {
        let of_it = |answer: &&Answered| answer.account == account && answer.number.as_ref() == Some(number);
        closed |=
            hear_number(engine, &mut tx, (client, account, number), answers.iter().filter(of_it)).await?;
    }
    if closed {
        store::notify(&mut tx, &CLOSED.payload(client)).await?;
    }
    tx.commit().await?;
    session.done();
    Ok(closed)
}

async fn hear_number<'a>(
    engine: &Engine,
    conn: &mut PgConnection,
    (client, account, number): (ClientId, AccountId, &CallerId),
    heard: impl Iterator<Item = &'a Answered> + Clone,
) -> Result<bool, StoreError> {
    let fresh = Breaker::default();
    if heard.clone().any(|answer| fresh.may_change(Guarded::Number, answer.heard)) {
        store::numbers::make(conn, client, account, number).await?;
    }
    let Some(mut breaker) = store::numbers::lock_breaker(conn, client, account, number).await? else {
        return Ok(false);
    };
    let now = engine.inner.clock.now(conn).await?;
    let before = breaker;
    if let Some(cause) = run(&mut breaker, Guarded::Number, heard, now) {
        tracing::warn!(account.id = %account, %number, until = ?breaker.resting_until, cause,
            "the breaker of a number opens");
        store::numbers::set_breaker(conn, client, account, number, &breaker, &cause).await?;
    } else if breaker != before {
        store::numbers::set_breaker(conn, client, account, number, &breaker, "").await?;
    }
    Ok(before.trips > 0 && breaker.trips == 0)
}

/// Why it opened, if it did.
fn run<'a>(
    breaker: &mut Breaker,
    guarded: Guarded,
    answers: impl Iterator<Item = &'a Answered>,
    now: Moment,
) -> Option<String> {
    let mut opened = None;
    for answer in answers {
        if breaker.hear(guarded, answer.heard, now) {
            let failing = breaker.failing;
            opened = Some(format!("{failing} calls in a row came to nothing; the last: {}", answer.cause));
        }
    }
    opened.filter(|_| breaker.resting_until.is_some())
}
