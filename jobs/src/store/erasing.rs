//! Erasing a person: what there is under a number, and emptying it.
//!
//! Rows that others stand on (leads, attempts) lose what tells who somebody is; the others go. Statements find them by the keys
//! of the person's leads. Where text has to be searched, the table is bounded: by a day (answers to repeated requests), a
//! week (webhooks), by what files of the person's campaigns were noted for, or by what people ordered.

use std::collections::BTreeMap;

use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, LeadId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// What stands in the way of erasing a lead now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The lead.
    pub lead: LeadId,
    /// Whether it may still be called, or is being called.
    pub open: bool,
    /// Whether it is in quarantine.
    pub quarantined: bool,
}

/// A certificate of what was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its id.
    pub id: Uuid,
    /// A hash of the number, made with the installation's key.
    pub number_hash: String,
    /// By whose order.
    pub actor: String,
    /// In their words.
    pub reason: Option<String>,
    /// When.
    pub at: Moment,
    /// How many rows were removed, or emptied of the person, by table; and files of recordings.
    pub erased: BTreeMap<String, u64>,
    /// How many rows with the number were kept, by table.
    pub kept: BTreeMap<String, u64>,
}

/// The person, as they are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// The number, as it is stored.
    pub phone: &'a str,
    /// The digits by which text is searched: the last ten.
    pub digits: &'a str,
    /// Their leads.
    pub leads: &'a [Uuid],
    /// Their calls.
    pub calls: &'a Calls,
}

/// Calls of a person: the attempts of their leads, and those on their number that were made for a lead whose number is another
/// by now.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    leads: Vec<Uuid>,
    numbers: Vec<i16>,
}

/// A client's leads with a number. Locks their workflows.
pub async fn leads(conn: &mut PgConnection, client: ClientId, phone: &str) -> Result<Vec<Lead>, StoreError> {
    let rows = sqlx::query!(
        r#"select w.lead_id, w.quarantined,
            w.state <> 'finished' or exists (
                select from attempts a where a.client_id = w.client_id and a.lead_id = w.lead_id and a.live) as "open!"
        from workflows w
        where w.client_id = $1 and w.lead_id in (select lead_id from leads where phone = $2 and client_id = $1)
        order by w.lead_id for no key update of w"#,
        client.0,
        phone
    )
    .fetch_all(conn)
    .await?;
    let lead = |id, open, quarantined| Lead { lead: LeadId(id), open, quarantined };
    Ok(rows.into_iter().map(|row| lead(row.lead_id, row.open, row.quarantined)).collect())
}

/// The calls of these leads, and those on a number.
pub async fn calls(
    conn: &mut PgConnection,
    client: ClientId,
    phone: &str,
    leads: &[Uuid],
) -> Result<Calls, StoreError> {
    let found = sqlx::query!(
        r#"select lead_id as "lead_id!", number as "number!" from attempts where client_id = $1 and lead_id = any($2)
        union select lead_id, number from attempts where phone = $3 and client_id = $1"#,
        client.0,
        leads,
        phone
    );
    let (leads, numbers) =
        found.fetch_all(conn).await?.into_iter().map(|row| (row.lead_id, row.number)).unzip();
    Ok(Calls { leads, numbers })
}

/// The recordings of our own of calls, below the directory of recordings.
pub async fn recordings(
    conn: &mut PgConnection,
    client: ClientId,
    calls: &Calls,
) -> Result<Vec<String>, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select recording as "recording!" from conversations
        where client_id = $1 and (lead_id, number) in (select * from unnest($2::uuid[], $3::smallint[]))
            and recording is not null"#,
        client.0,
        &calls.leads,
        &calls.numbers
    );
    Ok(found.fetch_all(conn).await?)
}

/// Empties everything of the person. Returns how many rows of which table that changed.
pub async fn erase(
    conn: &mut PgConnection,
    client: ClientId,
    person: Person<'_>,
    now: Moment,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut erased = BTreeMap::new();
    let mut count = |table: &str, rows: u64| {
        if rows > 0 {
            *erased.entry(table.to_owned()).or_default() += rows;
        }
    };
    count("import_notes", import_notes(conn, client, person).await?);
    count("leads", lead_rows(conn, client, person, now).await?);
    count("attempts", attempts(conn, client, person).await?);
    macro_rules! of_calls {
        ($($table:literal)+) => {$(
            let gone = sqlx::query!(
                "delete from " + $table + " where client_id = $1
                    and (lead_id, number) in (select * from unnest($2::uuid[], $3::smallint[]))",
                client.0,
                &person.calls.leads,
                &person.calls.numbers
            );
            count($table, gone.execute(&mut *conn).await?.rows_affected());
        )+};
    }
    of_calls! { "call_results" "turns" "conversations" "dial_requests" }
    macro_rules! of_leads {
        ($($table:literal)+) => {$(
            let gone = sqlx::query!(
                "delete from " + $table + " where client_id = $1 and lead_id = any($2)",
                client.0,
                person.leads
            );
            count($table, gone.execute(&mut *conn).await?.rows_affected());
        )+};
    }
    of_leads! { "quarantine" "finished_jobs" }
    count("finished_jobs", errors(conn, client, person).await?);
    count("webhook_inbox", inbox(conn, client, person).await?);
    count("strange_webhooks", strange_webhooks(conn, client, person).await?);
    count("idempotency_keys", answers(conn, person).await?);
    let consents =
        sqlx::query!("delete from consents where phone = $2 and client_id = $1", client.0, person.phone);
    count("consents", consents.execute(&mut *conn).await?.rows_affected());
    count("audit", audit(conn, client, person).await?);
    count("bulk_operations", orders(conn, client, person).await?);
    Ok(erased)
}

/// What was noted of files that the person's campaigns were given.
async fn import_notes(
    conn: &mut PgConnection,
    client: ClientId,
    Person { digits, leads, .. }: Person<'_>,
) -> Result<u64, StoreError> {
    let emptied = sqlx::query!(
        "with person as (
            select campaign_id, lower(name) as name from leads where client_id = $1 and lead_id = any($2)),
        files as (
            select i.import_id from imports i
            where i.client_id = $1 and i.campaign_id in (select campaign_id from person))
        update import_notes n set value = null, problem = 'erased'
        where n.client_id = $1 and n.import_id in (select import_id from files)
            and (position($3 in regexp_replace(concat(n.value, ' ', n.problem), '[^0-9]', '', 'g')) > 0
                or lower(n.value) in (select name from person))",
        client.0,
        leads,
        digits
    );
    Ok(emptied.execute(conn).await?.rows_affected())
}

async fn lead_rows(
    conn: &mut PgConnection,
    client: ClientId,
    person: Person<'_>,
    now: Moment,
) -> Result<u64, StoreError> {
    let emptied = sqlx::query!(
        "update leads set phone = null, name = null, external_id = null, attributes = '{}', terms = null,
            dedupe_key = null, erased_at = $3
        where client_id = $1 and lead_id = any($2)",
        client.0,
        person.leads,
        now
    );
    Ok(emptied.execute(conn).await?.rows_affected())
}

async fn attempts(conn: &mut PgConnection, client: ClientId, person: Person<'_>) -> Result<u64, StoreError> {
    let emptied = sqlx::query!(
        "update attempts set phone = null, recording_url = null, cause = null,
            transfer_to = case when transfer_to is not null then 'sip:erased@erased.invalid' end, transfer_briefing = null
        where client_id = $1 and (lead_id, number) in (select * from unnest($2::uuid[], $3::smallint[]))",
        client.0,
        &person.calls.leads,
        &person.calls.numbers
    );
    Ok(emptied.execute(conn).await?.rows_affected())
}

/// What other jobs failed with, in the week that it is kept.
async fn errors(conn: &mut PgConnection, client: ClientId, person: Person<'_>) -> Result<u64, StoreError> {
    let emptied = sqlx::query!(
        "update finished_jobs set errors = null where client_id = $1 and position($2 in errors::text) > 0",
        client.0,
        person.digits
    );
    Ok(emptied.execute(conn).await?.rows_affected())
}

async fn inbox(conn: &mut PgConnection, client: ClientId, person: Person<'_>) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "delete from webhook_inbox
        where client_id = $1 and (lead_id = any($2) or position($3 in input::text) > 0)",
        client.0,
        person.leads,
        person.digits
    );
    Ok(gone.execute(conn).await?.rows_affected())
}

async fn strange_webhooks(
    conn: &mut PgConnection,
    client: ClientId,
    person: Person<'_>,
) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "delete from strange_webhooks where client_id = $1 and position($2 in body) > 0",
        client.0,
        person.digits
    );
    Ok(gone.execute(conn).await?.rows_affected())
}

async fn answers(conn: &mut PgConnection, person: Person<'_>) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "delete from idempotency_keys where position(convert_to($1, 'UTF8') in answer) > 0",
        person.digits
    );
    Ok(gone.execute(conn).await?.rows_affected())
}

/// Who ordered what stays on record; whom it was about does not.
async fn audit(conn: &mut PgConnection, client: ClientId, person: Person<'_>) -> Result<u64, StoreError> {
    // What a person's data was before an edit, and what it is.
    let edits = sqlx::query!(
        r#"update audit set details = '{"erased": true}'
        where client_id = $1 and subject_id = any($2) and subject = 'lead' and action = 'edit'"#,
        client.0,
        person.leads
    );
    let edits = edits.execute(&mut *conn).await?.rows_affected();
    let emptied = sqlx::query!(
        "update audit set details = replace(details::text, $2, 'erased')::jsonb, reason = replace(reason, $2, 'erased')
        where client_id = $1 and (position($2 in details::text) > 0 or position($2 in reason) > 0)",
        client.0,
        person.phone
    );
    Ok(edits + emptied.execute(conn).await?.rows_affected())
}

async fn orders(conn: &mut PgConnection, client: ClientId, person: Person<'_>) -> Result<u64, StoreError> {
    let emptied = sqlx::query!(
        "update bulk_operations
        set filter = replace(filter::text, $2, 'erased')::jsonb, reason = replace(reason, $2, 'erased')
        where client_id = $1 and (position($2 in filter::text) > 0 or position($2 in reason) > 0)",
        client.0,
        person.phone
    );
    Ok(emptied.execute(conn).await?.rows_affected())
}

/// Takes the number off lists that do not forbid calls to it any more, or, if `all`, off all. Returns how many entries
/// went, and how many are kept.
pub async fn unlist(
    conn: &mut PgConnection,
    client: ClientId,
    phone: &str,
    all: bool,
    now: Moment,
) -> Result<(u64, u64), StoreError> {
    let gone = sqlx::query!(
        "delete from suppressions
        where client_id = $1 and phone = $2 and ($3 or removed_at is not null or expires_at <= $4)",
        client.0,
        phone,
        all,
        now
    );
    let gone = gone.execute(&mut *conn).await?.rows_affected();
    let kept = sqlx::query_scalar!(
        r#"select count(*) as "count!" from suppressions where client_id = $1 and phone = $2"#,
        client.0,
        phone
    );
    Ok((gone, kept.fetch_one(conn).await?.unsigned_abs()))
}

/// Keeps a certificate.
pub async fn certify(
    conn: &mut PgConnection,
    client: ClientId,
    certificate: &Certificate,
) -> Result<(), StoreError> {
    let Certificate { id, number_hash, actor, reason, at, erased, kept } = certificate;
    sqlx::query!(
        "insert into erasures (client_id, erasure_id, number_hash, actor, reason, at, erased, kept)
        values ($1, $2, $3, $4, $5, $6, $7, $8)",
        client.0,
        id,
        number_hash,
        actor,
        reason.as_deref(),
        at,
        serde_json::json!(erased),
        serde_json::json!(kept)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The certificates for a number, by its hash, the oldest first.
pub async fn certificates(
    conn: &mut PgConnection,
    client: ClientId,
    number_hash: &str,
) -> Result<Vec<Certificate>, StoreError> {
    let rows = sqlx::query!(
        "select erasure_id, number_hash, actor, reason, at, erased, kept from erasures
        where number_hash = $2 and client_id = $1 order by erasure_id",
        client.0,
        number_hash
    )
    .fetch_all(conn)
    .await?;
    let counts = |value: serde_json::Value| serde_json::from_value(value).unwrap_or_default();
    let certificates = rows.into_iter().map(|row| Certificate {
        id: row.erasure_id,
        number_hash: row.number_hash,
        actor: row.actor,
        reason: row.reason,
        at: row.at,
        erased: counts(row.erased),
        kept: counts(row.kept),
    });
    Ok(certificates.collect())
}
