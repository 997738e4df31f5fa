//! What is known of single numbers that accounts call from.

use outdial_workflows::Moment;
use outdial_workflows::breaker::Breaker;
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::{AccountId, ClientId};
use sqlx::PgConnection;

use super::StoreError;

/// What is known of a number.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Number {
    /// The number, as campaigns name it.
    pub number: CallerId,
    /// Its limits, as stored.
    pub limits: serde_json::Value,
    /// How its breaker stands.
    #[serde(flatten)]
    pub breaker: Breaker,
    /// Why it rests, in the carrier's words.
    pub resting_cause: Option<String>,
}

/// What is known of an account's numbers.
pub async fn of_account(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
) -> Result<Vec<Number>, StoreError> {
    let rows = sqlx::query!(
        "select number, limits, failing, trips, resting_until, resting_cause from numbers
        where client_id = $1 and account_id = $2 order by number",
        client.0,
        account.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Number {
            number: CallerId(row.number),
            limits: row.limits,
            breaker: super::rows::breaker(row.failing, row.trips, row.resting_until),
            resting_cause: row.resting_cause,
        })
        .collect())
}

/// Makes a number's row, if it is missing.
pub async fn make(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    number: &CallerId,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into numbers (client_id, account_id, number) values ($1, $2, $3) on conflict do nothing",
        client.0,
        account.0,
        number.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks a number's row, and reads its breaker; `None` if it has no row.
pub async fn lock_breaker(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    number: &CallerId,
) -> Result<Option<Breaker>, StoreError> {
    let row = sqlx::query!(
        "select failing, trips, resting_until from numbers
        where client_id = $1 and account_id = $2 and number = $3 for no key update",
        client.0,
        account.0,
        number.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| super::rows::breaker(row.failing, row.trips, row.resting_until)))
}

/// Writes back what [`lock_breaker`] read. `cause`: why it rests, if it does.
pub async fn set_breaker(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    number: &CallerId,
    breaker: &Breaker,
    cause: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update numbers set failing = $4, trips = $5, resting_until = $6,
            resting_cause = case when $6::timestamptz is null then null
                when resting_until is not distinct from $6 then resting_cause else $7 end
        where client_id = $1 and account_id = $2 and number = $3",
        client.0,
        account.0,
        number.0,
        super::rows::small(breaker.failing),
        super::rows::small(breaker.trips),
        breaker.resting_until,
        cause
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets a number's limits, from `now` on.
pub async fn limit(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    number: &CallerId,
    limits: &serde_json::Value,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into numbers (client_id, account_id, number, limits, limits_since) values ($1, $2, $3, $4, $5)
        on conflict (client_id, account_id, number)
            do update set limits = excluded.limits, limits_since = excluded.limits_since",
        client.0,
        account.0,
        number.0,
        limits,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
