//! Who ordered what.

use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, new_id};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// Who orders something, and why.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// Who.
    pub actor: &'a str,
    /// In their words.
    pub reason: Option<&'a str>,
}

/// One order, as it is written down.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Who.
    pub actor: &'a str,
    /// What.
    pub action: &'a str,
    /// For what kind of thing.
    pub subject: &'static str,
    /// Its id.
    pub id: Uuid,
    /// In their words.
    pub reason: Option<&'a str>,
    /// What changed.
    pub details: &'a Value,
}

/// Writes an order down, with the change itself.
pub async fn note(
    conn: &mut PgConnection,
    client: ClientId,
    entry: Entry<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into audit (client_id, audit_id, at, actor, action, subject, subject_id, reason, details)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        client.0,
        new_id(now),
        now,
        entry.actor,
        entry.action,
        entry.subject,
        entry.id,
        entry.reason,
        entry.details
    )
    .execute(conn)
    .await?;
    Ok(())
}
