//! Changing what bounds a whole client, an account, or one of its numbers.

use outdial_workflows::call::CallerId;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::limits::Limit;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{By, OperationError};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::providers::caller_ids;
use crate::store;
use crate::store::audit::Entry;
use crate::store::numbers::Number;

/// Whose limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limited {
    /// All of a client's dialling together.
    Client,
    /// An account.
    Account(AccountId),
    /// One number of an account, over all of its campaigns.
    Number(AccountId, CallerId),
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Changed {
    /// As they were.
    pub before: Vec<Limit>,
    /// As they are.
    pub after: Vec<Limit>,
}

/// Reads limits.
///
/// # Errors
/// If the client or account does not exist, or the limits cannot be read.
pub async fn read(engine: &Engine, client: ClientId, whose: &Limited) -> Result<Vec<Limit>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    stored(&mut conn, client, whose).await
}

/// Sets limits as [`change`] does, if those that there are satisfy `expected`.
///
/// # Errors
/// As [`change`], and if they do not.
pub async fn replace(
    engine: &Engine,
    client: ClientId,
    whose: &Limited,
    expected: impl Fn(&[Limit]) -> bool,
    after: &[Limit],
    by: By<'_>,
) -> Result<Changed, OperationError> {
    // Limits that cannot be kept are wrong, whatever there was before.
    check(whose, after)?;
    let replaced = |before: Vec<Limit>| match expected(&before) {
        true => Ok(after.to_vec()),
        false => {
            let text = "the limits were changed meanwhile; read them again";
            Err(OperationError::EditedMeanwhile(text.into()))
        }
    };
    change_if(engine, client, whose, replaced, by).await
}

/// Changes limits; once this returns, every reservation on any node keeps the new ones. Calls that are
/// under way go on, even where there are more than may be now. `change` makes the new list from the old.
///
/// # Errors
/// If the client or account does not exist, a limit cannot be kept, or the old ones cannot be read.
pub async fn change(
    engine: &Engine,
    client: ClientId,
    whose: &Limited,
    change: impl Fn(Vec<Limit>) -> Vec<Limit>,
    by: By<'_>,
) -> Result<Changed, OperationError> {
    change_if(engine, client, whose, |before| Ok(change(before)), by).await
}

async fn change_if(
    engine: &Engine,
    client: ClientId,
    whose: &Limited,
    change: impl Fn(Vec<Limit>) -> Result<Vec<Limit>, OperationError>,
    by: By<'_>,
) -> Result<Changed, OperationError> {
    let mut tx = engine.pool().begin().await?;
    // Every round of admission holds this lock while it counts and reserves.
    store::admission::alone(&mut tx, client).await?;
    let before = stored(&mut tx, client, whose).await?;
    let after = change(before.clone())?;
    check(whose, &after)?;
    let now = engine.now_in(&mut tx).await?;
    let value = serde_json::to_value(&after).unwrap_or_default();
    let (subject, id, number) = match whose {
        Limited::Client => {
            store::clients::limit(&mut tx, client, &value, now).await?;
            ("client", client.0, None)
        }
        Limited::Account(account) => {
            store::accounts::limit(&mut tx, client, *account, &value, now).await?;
            ("account", account.0, None)
        }
        Limited::Number(account, number) => {
            store::numbers::limit(&mut tx, client, *account, number, &value, now).await?;
            ("account", account.0, Some(number))
        }
    };
    let details = json!({ "number": number, "before": before, "after": after });
    let entry = Entry { actor: by.actor, action: "limit", subject, id, reason: by.reason, details: &details };
    store::audit::note(&mut tx, client, entry, now).await?;
    store::notify(&mut tx, &CHANGED.payload(client)).await?;
    tx.commit().await.map_err(store::StoreError::from)?;
    engine.hub().signal(client, CHANGED);
    Ok(Changed { before, after })
}

/// Whether these limits can be kept.
fn check(whose: &Limited, limits: &[Limit]) -> Result<(), OperationError> {
    for limit in limits {
        let checked = limit.check();
        checked.map_err(|problem| OperationError::Invalid { place: "limit".into(), problem })?;
        if matches!((limit, whose), (Limit::Spend { .. }, Limited::Number(..))) {
            let problem = "what calls from one number cost is not counted apart; bound the spending of its \
                           account, of a campaign or of the client";
            return Err(OperationError::Invalid { place: "limit".into(), problem: problem.into() });
        }
    }
    Ok(())
}

/// There may be room where there was none.
const CHANGED: Signal = Signal { jobs: false, admission: true };

async fn stored(
    conn: &mut PgConnection,
    client: ClientId,
    whose: &Limited,
) -> Result<Vec<Limit>, OperationError> {
    let value = stored_value(conn, client, whose).await?;
    serde_json::from_value(value)
        .map_err(|problem| OperationError::NotPossible(format!("the limits cannot be read: {problem}")))
}

/// The most characters of a number that calls come from.
const NUMBER_CHARS: usize = 64;

async fn stored_value(
    conn: &mut PgConnection,
    client: ClientId,
    whose: &Limited,
) -> Result<Value, OperationError> {
    let not_found = |kind, given: String| OperationError::NotFound { kind, given };
    match whose {
        Limited::Client => {
            let limits = store::clients::limits(conn, client).await?;
            limits.ok_or_else(|| not_found("client", client.to_string()))
        }
        Limited::Account(account) => {
            let account_row = store::accounts::read(conn, client, *account).await?;
            Ok(account_row.ok_or_else(|| not_found("account", account.to_string()))?.limits)
        }
        Limited::Number(account, number) => {
            let fits = (1..=NUMBER_CHARS).contains(&number.0.chars().count());
            if number.0.trim() != number.0 || !fits {
                let problem = format!("`{number}` is not a number; give it as campaigns name it");
                return Err(OperationError::Invalid { place: "number".into(), problem });
            }
            let account_row = store::accounts::read(conn, client, *account).await?;
            let account_row = account_row.ok_or_else(|| not_found("account", account.to_string()))?;
            caller_ids::check(account_row.provider, number).map_err(|problem| OperationError::Invalid {
                place: "number".into(),
                problem: problem.to_string(),
            })?;
            let known = store::numbers::of_account(conn, client, *account).await?;
            let known = known.into_iter().find(|known| known.number == *number);
            Ok(known.map_or_else(|| json!([]), |known| known.limits))
        }
    }
}

/// What is known of an account's numbers: those with limits of their own, or with a breaker that was
/// ever touched.
///
/// # Errors
/// If the database cannot be asked.
pub async fn numbers(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
) -> Result<Vec<Number>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::numbers::of_account(&mut conn, client, account).await?)
}
