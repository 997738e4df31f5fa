//! Files of leads that are taken in.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "import_state", rename_all = "snake_case")]
pub enum ImportState {
    /// Its content is coming in.
    Receiving,
    /// Its rows are being taken in, or wait to be.
    Running,
    /// Every row was dealt with.
    Done,
    /// No row of it could be read.
    Failed,
    /// It was undone: those of its leads that had not been called are ended.
    Undone,
}

impl ImportState {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Undone => "undone",
        }
    }
}

/// What came of some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows read, good or bad. Blank ones do not count.
    pub rows: i64,
    /// Leads that are new to the campaign.
    pub accepted: i64,
    /// Rows of leads that the campaign had already, or that stood in the file before.
    pub duplicates: i64,
    /// Consents that were not recorded before, of leads new or not.
    pub consents: i64,
    /// Rows that are no leads.
    pub problems: i64,
    /// Whether the file could not be read to its end.
    pub rest_unread: bool,
}

/// An import.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The tenant.
    pub client: ClientId,
    /// Its id.
    pub id: Uuid,
    /// The campaign.
    pub campaign: CampaignId,
    /// What its sender calls it.
    pub name: String,
    /// SHA-256 of its content, once that is there as a whole.
    pub digest: Option<Vec<u8>>,
    /// What its sender said of it.
    pub options: Value,
    /// Where it stands.
    pub state: ImportState,
    /// Why no row of it could be read.
    pub failed_for: Option<String>,
    /// The line on which the last row begins that was dealt with; 0 before the first.
    pub line: i64,
    /// What came of it so far.
    pub counts: Counts,
    /// The first and the last of its leads.
    pub leads: Option<(LeadId, LeadId)>,
    /// Who sent it.
    pub actor: String,
    /// In their words.
    pub reason: Option<String>,
    /// When it was begun.
    pub created_at: Moment,
    /// When it last moved.
    pub changed_at: Moment,
}

/// What a note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "import_note", rename_all = "snake_case")]
pub enum NoteKind {
    /// The row is no lead.
    Problem,
    /// The row added nothing.
    Duplicate,
}

/// A note about a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The line that the row begins on, counted from 1.
    pub line: i64,
    /// What it says.
    pub note: NoteKind,
    /// The column, under its name in the file; none if it is about the whole row.
    pub column: Option<String>,
    /// What stands there, if it helps.
    pub value: Option<String>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Writes a new import down.
pub async fn insert(conn: &mut PgConnection, new: &Import) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into imports (client_id, import_id, campaign_id, name, digest, options, state, actor, reason,
            created_at, changed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        new.client.0,
        new.id,
        new.campaign.0,
        new.name,
        new.digest,
        new.options,
        new.state as ImportState,
        new.actor,
        new.reason,
        new.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds what came of a page, behind the line on which the page began. Tells whether it was still there: else
/// somebody else is at it.
pub async fn advance(
    conn: &mut PgConnection,
    (client, id): (ClientId, Uuid),
    (from, to): (i64, i64),
    page: &Counts,
    leads: &[LeadId],
    now: Moment,
) -> Result<bool, StoreError> {
    let advanced = sqlx::query!(
        "update imports set line = $4, rows = rows + $5, accepted = accepted + $6, duplicates = duplicates + $7,
            consents = consents + $8, problems = problems + $9, first_lead = coalesce(first_lead, $10),
            last_lead = coalesce($11, last_lead), rest_unread = $12, changed_at = $13
        where client_id = $1 and import_id = $2 and state = 'running' and line = $3",
        client.0,
        id,
        from,
        to,
        page.rows,
        page.accepted,
        page.duplicates,
        page.consents,
        page.problems,
        leads.iter().min().map(|lead| lead.0),
        leads.iter().max().map(|lead| lead.0),
        page.rest_unread,
        now
    )
    .execute(conn)
    .await?;
    Ok(advanced.rows_affected() == 1)
}

/// Moves an import on from one state to another. Tells whether it stood there.
pub async fn turn(
    conn: &mut PgConnection,
    (client, id): (ClientId, Uuid),
    (from, to): (ImportState, ImportState),
    failed_for: Option<&str>,
    now: Moment,
) -> Result<bool, StoreError> {
    let turned = sqlx::query!(
        "update imports set state = $4, failed_for = $5, changed_at = $6
        where client_id = $1 and import_id = $2 and state = $3",
        client.0,
        id,
        from as ImportState,
        to as ImportState,
        failed_for,
        now
    )
    .execute(conn)
    .await?;
    Ok(turned.rows_affected() == 1)
}

/// Its content is there as a whole, and this is its digest.
pub async fn received(
    conn: &mut PgConnection,
    (client, id): (ClientId, Uuid),
    digest: &[u8],
    now: Moment,
) -> Result<bool, StoreError> {
    let received = sqlx::query!(
        "update imports set state = 'running', digest = $3, changed_at = $4
        where client_id = $1 and import_id = $2 and state = 'receiving'",
        client.0,
        id,
        digest,
        now
    )
    .execute(conn)
    .await?;
    Ok(received.rows_affected() == 1)
}

/// The import of a campaign with this content that was begun and not ended.
pub async fn unfinished(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    digest: &[u8],
) -> Result<Option<Import>, StoreError> {
    let row = sqlx::query_as!(
        ImportRow,
        r#"select client_id, import_id, campaign_id, name, digest, options, state as "state: ImportState",
            failed_for, line, rows, accepted, duplicates, consents, problems, rest_unread, first_lead, last_lead,
            actor, reason, created_at, changed_at
        from imports
        where campaign_id = $2 and client_id = $1 and state = 'running' and digest = $3
        order by import_id limit 1"#,
        client.0,
        campaign.0,
        digest
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// The import with this id, over all clients.
pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Import>, StoreError> {
    let row = sqlx::query_as!(
        ImportRow,
        r#"select i.client_id, i.import_id, campaign_id, name, digest, options, state as "state: ImportState",
            failed_for, line, rows, accepted, duplicates, consents, problems, rest_unread, first_lead, last_lead,
            actor, reason, i.created_at, i.changed_at
        from (select client_id, $1::uuid as import_id from clients offset 0) x
        join imports i on i.client_id = x.client_id and i.import_id = x.import_id"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// The imports of a campaign before `before`, the latest first.
pub async fn list(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Import>, StoreError> {
    let rows = sqlx::query_as!(
        ImportRow,
        r#"select client_id, import_id, campaign_id, name, digest, options, state as "state: ImportState",
            failed_for, line, rows, accepted, duplicates, consents, problems, rest_unread, first_lead, last_lead,
            actor, reason, created_at, changed_at
        from imports
        where campaign_id = $2 and client_id = $1 and ($3::uuid is null or import_id < $3)
        order by import_id desc limit $4"#,
        client.0,
        campaign.0,
        before,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

struct ImportRow {
    client_id: Uuid,
    import_id: Uuid,
    campaign_id: Uuid,
    name: String,
    digest: Option<Vec<u8>>,
    options: Value,
    state: ImportState,
    failed_for: Option<String>,
    line: i64,
    rows: i64,
    accepted: i64,
    duplicates: i64,
    consents: i64,
    problems: i64,
    rest_unread: bool,
    first_lead: Option<Uuid>,
    last_lead: Option<Uuid>,
    actor: String,
    reason: Option<String>,
    created_at: Moment,
    changed_at: Moment,
}

impl From<ImportRow> for Import {
    fn from(row: ImportRow) -> Self {
        let ImportRow { rows, accepted, duplicates, consents, problems, rest_unread, .. } = row;
        Self {
            client: ClientId(row.client_id),
            id: row.import_id,
            campaign: CampaignId(row.campaign_id),
            name: row.name,
            digest: row.digest,
            options: row.options,
            state: row.state,
            failed_for: row.failed_for,
            line: row.line,
            counts: Counts { rows, accepted, duplicates, consents, problems, rest_unread },
            leads: row.first_lead.zip(row.last_lead).map(|(first, last)| (LeadId(first), LeadId(last))),
            actor: row.actor,
            reason: row.reason,
            created_at: row.created_at,
            changed_at: row.changed_at,
        }
    }
}

/// Notes what is to be said about rows.
pub async fn note(
    conn: &mut PgConnection,
    (client, id): (ClientId, Uuid),
    notes: &[Note],
) -> Result<(), StoreError> {
    if notes.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into import_notes (client_id, import_id, line, note, column_name, value, problem)
        select $1, $2, x.* from unnest($3::bigint[], $4::import_note[], $5::text[], $6::text[], $7::text[])
            as x(line, note, column_name, value, problem)",
        client.0,
        id,
        &notes.iter().map(|note| note.line).collect::<Vec<_>>(),
        &notes.iter().map(|note| note.note).collect::<Vec<_>>() as &[NoteKind],
        &notes.iter().map(|note| note.column.clone()).collect::<Vec<_>>() as &[Option<String>],
        &notes.iter().map(|note| note.value.clone()).collect::<Vec<_>>() as &[Option<String>],
        &notes.iter().map(|note| note.problem.clone()).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is noted about rows behind `after`, in their order.
pub async fn notes(
    conn: &mut PgConnection,
    (client, id): (ClientId, Uuid),
    kind: Option<NoteKind>,
    after: i64,
    limit: i64,
) -> Result<Vec<Note>, StoreError> {
    let notes = sqlx::query_as!(
        Note,
        r#"select line, note as "note: NoteKind", column_name as "column", value, problem from import_notes
        where client_id = $1 and import_id = $2 and line > $4 and ($3::import_note is null or note = $3)
        order by line limit $5"#,
        client.0,
        id,
        kind as Option<NoteKind>,
        after,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(notes)
}

/// Keeps a piece of an import's content.
pub async fn keep(
    conn: &mut PgConnection,
    (client, id): (ClientId, Uuid),
    part: i32,
    content: &[u8],
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into import_parts (client_id, import_id, part, content) values ($1, $2, $3, $4)",
        client.0,
        id,
        part,
        content
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A piece of an import's content; `None` behind the last.
pub async fn part(
    conn: &mut PgConnection,
    (client, id): (ClientId, Uuid),
    part: i32,
) -> Result<Option<Vec<u8>>, StoreError> {
    let content = sqlx::query_scalar!(
        "select content from import_parts where client_id = $1 and import_id = $2 and part = $3",
        client.0,
        id,
        part
    )
    .fetch_optional(conn)
    .await?;
    Ok(content)
}

/// Erases an import's content, which nobody needs any more.
pub async fn erase_parts(conn: &mut PgConnection, (client, id): (ClientId, Uuid)) -> Result<(), StoreError> {
    sqlx::query!("delete from import_parts where client_id = $1 and import_id = $2", client.0, id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Gives up on imports that began to come in before `before` and have not come whole, a few at a time.
pub async fn abandon(conn: &mut PgConnection, before: Moment, now: Moment) -> Result<u64, StoreError> {
    let abandoned = sqlx::query!(
        "with abandoned as (
            update imports i set state = 'failed', changed_at = $2,
                failed_for = 'the rest of the file did not come; send it again'
            from (select client_id, import_id from imports where state = 'receiving' and changed_at < $1
                order by changed_at limit 20 for update skip locked) x
            where i.client_id = x.client_id and i.import_id = x.import_id
            returning i.client_id, i.import_id)
        delete from import_parts p using abandoned a
        where p.client_id = a.client_id and p.import_id = a.import_id",
        before,
        now
    )
    .execute(conn)
    .await?;
    Ok(abandoned.rows_affected())
}

/// Lets leads whose import was undone be imported anew: they are not what makes others duplicates any more.
pub async fn free_undone(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update leads l set dedupe_key = 'undone ' || l.lead_id
        from (select distinct $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join workflows w using (client_id, lead_id)
        where l.client_id = x.client_id and l.lead_id = x.lead_id and w.state = 'finished'
            and w.why->>'why' = 'undone' and l.dedupe_key <> 'undone ' || l.lead_id",
        client.0,
        leads
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends consents that an import recorded, of those after `after`: a page in the order of their ids. The caller
/// holds the barrier exclusively. Returns the last of the page; `None` when there are no more.
pub async fn end_consents(
    conn: &mut PgConnection,
    (client, id): (ClientId, Uuid),
    (after, last): (Uuid, Uuid),
    limit: i64,
    now: Moment,
) -> Result<Option<Uuid>, StoreError> {
    let page = sqlx::query!(
        "select consent_id, import_id from consents
        where client_id = $1 and consent_id > $2 and consent_id <= $3 order by consent_id limit $4",
        client.0,
        after,
        last,
        limit
    )
    .fetch_all(&mut *conn)
    .await?;
    let its: Vec<Uuid> =
        page.iter().filter(|row| row.import_id == Some(id)).map(|row| row.consent_id).collect();
    sqlx::query!(
        // Apart by a microsecond each: two that were told apart by their end alone stay two.
        "update consents c set expires_at = greatest($3 - x.nth * interval '1 microsecond', given_at + interval '1 microsecond')
        from (select $1::uuid as client_id, * from unnest($2::uuid[]) with ordinality as x(consent_id, nth) offset 0) x
        where c.client_id = x.client_id and c.consent_id = x.consent_id
            and (c.expires_at is null or c.expires_at > $3)",
        client.0,
        &its,
        now
    )
    .execute(conn)
    .await?;
    Ok(page.last().map(|row| row.consent_id))
}
