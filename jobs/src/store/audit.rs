//! Who ordered what.

use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, new_id};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::paging::{Part, part};

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

/// Writes orders down, with the changes themselves.
pub async fn note_all(
    conn: &mut PgConnection,
    client: ClientId,
    entries: &[Entry<'_>],
    now: Moment,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = entries.iter().map(|_| new_id(now)).collect();
    let texts = |of: fn(&Entry<'_>) -> String| entries.iter().map(of).collect::<Vec<_>>();
    sqlx::query!(
        "insert into audit (client_id, audit_id, at, actor, action, subject, subject_id, reason, details)
        select $1, audit_id, $2, actor, action, subject, subject_id, reason, details
        from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::jsonb[])
            x (audit_id, actor, action, subject, subject_id, reason, details)",
        client.0,
        now,
        &ids,
        &texts(|of| of.actor.to_owned()),
        &texts(|of| of.action.to_owned()),
        &texts(|of| of.subject.to_owned()),
        &entries.iter().map(|of| of.id).collect::<Vec<_>>(),
        &entries.iter().map(|of| of.reason.map(str::to_owned)).collect::<Vec<_>>() as &[Option<String>],
        &entries.iter().map(|of| of.details.clone()).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An order as it was written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Its place in the record.
    pub id: Uuid,
    /// When.
    pub at: Moment,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// For what kind of thing.
    pub subject: String,
    /// Its id.
    pub subject_id: Uuid,
    /// In their words.
    pub reason: Option<String>,
    /// What changed.
    pub details: Value,
}

/// What is on record of a client: about one thing, or all; by one person, or all.
pub async fn list(
    conn: &mut PgConnection,
    client: ClientId,
    subject: Option<Uuid>,
    actor: Option<&str>,
    part: Part,
) -> Result<Vec<Written>, StoreError> {
    let rows = match (subject, actor) {
        (Some(subject), actor) => part!(
            Written,
            conn,
            part,
            "audit_id",
            "select audit_id as id, at, actor, action, subject, subject_id, reason, details from audit
            where client_id = $3 and subject_id = $4 and ($5::text is null or actor = $5)",
            client.0,
            subject,
            actor
        ),
        (None, Some(actor)) => part!(
            Written,
            conn,
            part,
            "audit_id",
            "select audit_id as id, at, actor, action, subject, subject_id, reason, details from audit
            where client_id = $3 and actor = $4",
            client.0,
            actor
        ),
        (None, None) => part!(
            Written,
            conn,
            part,
            "audit_id",
            "select audit_id as id, at, actor, action, subject, subject_id, reason, details from audit
            where client_id = $3",
            client.0
        ),
    };
    Ok(rows?)
}
