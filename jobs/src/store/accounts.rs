//! Accounts with carriers.

use outdial_workflows::Moment;
use outdial_workflows::breaker::Breaker;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::limits::Reads;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::paging::{Part, part};
use super::rows::ProviderRow;
use crate::providers::{Provider, webhook_path};

/// An account as it is stored, its credentials still sealed.
#[derive(Clone, Debug)]
pub struct StoredAccount {
    /// The account.
    pub id: AccountId,
    /// Its name, unique within the client.
    pub name: String,
    /// The carrier.
    pub provider: Provider,
    /// Where the carrier is reached.
    pub base_url: String,
    /// Whether that is on this machine.
    pub emulated: bool,
    /// Sealed.
    pub credentials: Vec<u8>,
    /// What the adapter needs besides.
    pub settings: Value,
    /// Its limits.
    pub limits: Value,
    /// Whether it may dial at all.
    pub enabled: bool,
    /// Its edit count.
    pub version: i32,
    /// Until when it rests, and why.
    pub resting: Option<(Moment, String)>,
}

/// Reads an account.
pub async fn read(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
) -> Result<Option<StoredAccount>, StoreError> {
    let row = sqlx::query!(
        r#"select name, provider as "provider: ProviderRow", base_url, emulated, credentials, settings, limits,
            enabled, version, resting_until, resting_cause
        from accounts where client_id = $1 and account_id = $2"#,
        client.0,
        account.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| StoredAccount {
        id: account,
        name: row.name,
        provider: row.provider.into(),
        base_url: row.base_url,
        emulated: row.emulated,
        credentials: row.credentials,
        settings: row.settings,
        limits: row.limits,
        enabled: row.enabled,
        version: row.version,
        resting: row.resting_until.zip(row.resting_cause),
    }))
}

/// Accounts whose id or name is `text`, over all clients.
pub async fn find(conn: &mut PgConnection, text: &str) -> Result<Vec<(ClientId, AccountId)>, StoreError> {
    let rows = sqlx::query!(
        "select client_id, account_id from accounts where account_id = $1 or name = $2 limit 10",
        Uuid::try_parse(text).ok(),
        text
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (ClientId(row.client_id), AccountId(row.account_id))).collect())
}

/// The account of a client that has this name.
pub async fn named(
    conn: &mut PgConnection,
    client: ClientId,
    name: &str,
) -> Result<Option<AccountId>, StoreError> {
    let account = sqlx::query_scalar!(
        "select account_id from accounts where client_id = $1 and name = $2",
        client.0,
        name
    )
    .fetch_optional(conn)
    .await?;
    Ok(account.map(AccountId))
}

/// All accounts that are not disabled.
pub async fn enabled(conn: &mut PgConnection) -> Result<Vec<(ClientId, AccountId)>, StoreError> {
    let rows =
        sqlx::query!("select client_id, account_id from accounts where enabled").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (ClientId(row.client_id), AccountId(row.account_id))).collect())
}

/// An account as people see it: without credentials.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The tenant.
    pub client: ClientId,
    /// Its name, unique within the client.
    pub name: String,
    /// The carrier.
    pub provider: Provider,
    /// Where the carrier is reached.
    pub base_url: String,
    /// Whether that is on this machine.
    pub emulated: bool,
    /// Its limits.
    pub limits: Value,
    /// Whether it may dial at all.
    pub enabled: bool,
    /// Who has it paused.
    pub paused_by: Option<String>,
    /// Until when it rests.
    pub resting_until: Option<Moment>,
    /// In the carrier's words.
    pub resting_cause: Option<String>,
    /// Where its webhooks are to be sent, below our public address, if somebody has to enter that at the carrier.
    pub webhook_path: Option<String>,
    /// Since when its carrier turns it down; nothing is dialled from it meanwhile.
    pub held_at: Option<Moment>,
    /// In the carrier's words.
    pub held_cause: Option<String>,
    /// How many calls at once the carrier says that it lets the account have.
    pub carrier_calls: Option<i32>,
    /// When it was made.
    pub created_at: Moment,
}

struct AccountRow {
    client_id: Uuid,
    account_id: Uuid,
    name: String,
    provider: ProviderRow,
    base_url: String,
    emulated: bool,
    limits: Value,
    enabled: bool,
    paused_by: Option<String>,
    resting_until: Option<Moment>,
    resting_cause: Option<String>,
    held_at: Option<Moment>,
    held_cause: Option<String>,
    carrier_calls: Option<i32>,
    created_at: Moment,
}

/// Accounts: of one client, or all; only one of them, or all.
pub async fn page(
    conn: &mut PgConnection,
    client: Option<ClientId>,
    only: Option<AccountId>,
    part: Part,
) -> Result<Vec<Account>, StoreError> {
    let rows = part!(
        AccountRow,
        conn,
        part,
        "account_id",
        r#"select client_id, account_id, name, provider as "provider: ProviderRow", base_url, emulated, limits,
            enabled, paused_by, resting_until, resting_cause, held_at, held_cause, carrier_calls, created_at
        from accounts where ($3::uuid is null or client_id = $3) and ($4::uuid is null or account_id = $4)"#,
        client.map(|client| client.0),
        only.map(|account| account.0)
    )?;
    Ok(rows
        .into_iter()
        .map(|row| (row.provider.into(), row))
        .map(|(provider, row): (Provider, _)| Account {
            id: AccountId(row.account_id),
            client: ClientId(row.client_id),
            name: row.name,
            provider,
            base_url: row.base_url,
            emulated: row.emulated,
            limits: row.limits,
            enabled: row.enabled,
            paused_by: row.paused_by,
            resting_until: row.resting_until,
            resting_cause: row.resting_cause,
            webhook_path: provider
                .registered()
                .webhooks_by_hand
                .then(|| webhook_path(provider, ClientId(row.client_id), AccountId(row.account_id))),
            held_at: row.held_at,
            held_cause: row.held_cause,
            carrier_calls: row.carrier_calls,
            created_at: row.created_at,
        })
        .collect())
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount<'a> {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: &'a str,
    /// The carrier.
    pub provider: Provider,
    /// Where the carrier is reached.
    pub base_url: &'a str,
    /// Whether that is on this machine.
    pub emulated: bool,
    /// Sealed.
    pub credentials: &'a [u8],
    /// What the adapter needs besides.
    pub settings: &'a Value,
    /// Its limits.
    pub limits: &'a Value,
}

/// Writes a new account.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    new: &NewAccount<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into accounts (client_id, account_id, name, provider, base_url, emulated, credentials, settings, limits, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        client.0,
        new.id.0,
        new.name,
        ProviderRow::from(new.provider) as ProviderRow,
        new.base_url,
        new.emulated,
        new.credentials,
        new.settings,
        new.limits,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets an account rest: admission passes it over until then.
pub async fn rest(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    until: Moment,
    cause: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update accounts set resting_until = greatest(resting_until, $3), resting_cause = $4
        where client_id = $1 and account_id = $2",
        client.0,
        account.0,
        until,
        cause
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Holds an account: nothing is dialled from it until [`release`]. One that is held stays as it is.
pub async fn hold(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    cause: &str,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update accounts set held_at = $3, held_cause = $4, held_checked_at = $3
        where client_id = $1 and account_id = $2 and held_at is null",
        client.0,
        account.0,
        now,
        cause
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets an account dial again that its carrier had turned down. Tells whether it was held.
pub async fn release(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update accounts set held_at = null, held_cause = null, held_checked_at = null
        where client_id = $1 and account_id = $2 and held_at is not null",
        client.0,
        account.0
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Held accounts that were last looked at before `before`. They are noted as looked at now.
pub async fn held_unchecked(
    conn: &mut PgConnection,
    before: Moment,
    now: Moment,
) -> Result<Vec<(ClientId, AccountId)>, StoreError> {
    let rows = sqlx::query!(
        "update accounts set held_checked_at = $2
        where held_at is not null and held_checked_at < $1 returning client_id, account_id",
        before,
        now
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (ClientId(row.client_id), AccountId(row.account_id))).collect())
}

/// Notes how many calls at once the carrier lets the account have. Tells whether that is news.
pub async fn allow_calls(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    calls: Option<u32>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update accounts set carrier_calls = $3
        where client_id = $1 and account_id = $2 and carrier_calls is distinct from $3",
        client.0,
        account.0,
        calls.map(|calls| i32::try_from(calls).unwrap_or(i32::MAX))
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces an account's sealed credentials. Whoever opened it before opens it anew.
pub async fn set_credentials(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    credentials: &[u8],
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update accounts set credentials = $3, version = version + 1
        where client_id = $1 and account_id = $2",
        client.0,
        account.0,
        credentials
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces what an account's adapter needs besides credentials.
pub async fn set_settings(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    settings: &Value,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update accounts set settings = $3, version = version + 1
        where client_id = $1 and account_id = $2",
        client.0,
        account.0,
        settings
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets an account dial, or not. Tells whether that is a change; `None` if there is no such account.
pub async fn enable(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    enabled: bool,
) -> Result<Option<bool>, StoreError> {
    let before = sqlx::query_scalar!(
        "select enabled from accounts where client_id = $1 and account_id = $2 for no key update",
        client.0,
        account.0
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(before) = before else { return Ok(None) };
    if before != enabled {
        sqlx::query!(
            "update accounts set enabled = $3 where client_id = $1 and account_id = $2",
            client.0,
            account.0,
            enabled
        )
        .execute(conn)
        .await?;
    }
    Ok(Some(before != enabled))
}

/// Locks the account's row, and reads its breaker; `None` if it is gone.
pub async fn lock_breaker(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
) -> Result<Option<Breaker>, StoreError> {
    let row = sqlx::query!(
        "select failing, trips, resting_until from accounts
        where client_id = $1 and account_id = $2 for no key update",
        client.0,
        account.0
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
    breaker: &Breaker,
    cause: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update accounts set failing = $3, trips = $4, resting_until = $5,
            resting_cause = case when $5::timestamptz is null then null
                when resting_until is not distinct from $5 then resting_cause else $6 end
        where client_id = $1 and account_id = $2",
        client.0,
        account.0,
        super::rows::small(breaker.failing),
        super::rows::small(breaker.trips),
        breaker.resting_until,
        cause
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets an account's limits, from `now` on. Tells whether it exists.
pub async fn limit(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    limits: &Value,
    now: Moment,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update accounts set limits = $3, limits_since = $4 where client_id = $1 and account_id = $2",
        client.0,
        account.0,
        limits,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks the account's row, and reads its status reads. An account that is gone has none.
pub async fn lock_reads(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
) -> Result<Reads, StoreError> {
    let row = sqlx::query!(
        "select reads_since, reads, reads_held from accounts
        where client_id = $1 and account_id = $2 for no key update",
        client.0,
        account.0
    )
    .fetch_optional(conn)
    .await?;
    let number = |n| u32::try_from(n).unwrap_or(0); // The schema keeps it from being negative.
    let reads = row.map(|row| Reads {
        since: row.reads_since,
        made: number(row.reads),
        held: number(row.reads_held),
    });
    Ok(reads.unwrap_or_default())
}

/// Writes back what [`lock_reads`] read.
pub async fn set_reads(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    reads: Reads,
) -> Result<(), StoreError> {
    let number = |n| i32::try_from(n).unwrap_or(i32::MAX);
    sqlx::query!(
        "update accounts set reads_since = $3, reads = $4, reads_held = $5
        where client_id = $1 and account_id = $2",
        client.0,
        account.0,
        reads.since,
        number(reads.made),
        number(reads.held)
    )
    .execute(conn)
    .await?;
    Ok(())
}
