//! Accounts and clients that people paused.

use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, ClientId};
use sqlx::PgConnection;

use super::StoreError;

/// What can be paused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pausable {
    /// All of a client's campaigns.
    Client(ClientId),
    /// All campaigns of an account.
    Account(ClientId, AccountId),
}

impl Pausable {
    /// The account, or else the whole client.
    pub fn of(client: ClientId, account: Option<AccountId>) -> Self {
        account.map_or(Self::Client(client), |account| Self::Account(client, account))
    }
}

/// Locks it. `None`: it does not exist; else who has it paused.
pub async fn lock(conn: &mut PgConnection, what: Pausable) -> Result<Option<Option<String>>, StoreError> {
    let paused_by =
        match what {
            Pausable::Client(client) => {
                sqlx::query_scalar!(
                    "select paused_by from clients where client_id = $1 for no key update",
                    client.0
                )
                .fetch_optional(conn)
                .await?
            }
            Pausable::Account(client, account) => sqlx::query_scalar!(
                "select paused_by from accounts where client_id = $1 and account_id = $2 for no key update",
                client.0,
                account.0
            )
            .fetch_optional(conn)
            .await?,
        };
    Ok(paused_by)
}

/// Pauses what is locked, or lets it go when nobody pauses it.
pub async fn set(
    conn: &mut PgConnection,
    what: Pausable,
    by: Option<&str>,
    reason: Option<&str>,
    resume_at: Option<Moment>,
) -> Result<(), StoreError> {
    match what {
        Pausable::Client(client) => {
            sqlx::query!(
                "update clients set paused_by = $2, paused_for = $3, resume_at = $4 where client_id = $1",
                client.0,
                by,
                reason,
                resume_at
            )
            .execute(conn)
            .await?
        }
        Pausable::Account(client, account) => {
            sqlx::query!(
                "update accounts set paused_by = $3, paused_for = $4, resume_at = $5
                where client_id = $1 and account_id = $2",
                client.0,
                account.0,
                by,
                reason,
                resume_at
            )
            .execute(conn)
            .await?
        }
    };
    Ok(())
}
