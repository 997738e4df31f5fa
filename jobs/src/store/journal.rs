//! What happened, in the order of commits.

use outdial_workflows::Moment;
use outdial_workflows::happening::CampaignEvent;
use outdial_workflows::history::{Event, Recorded};
use outdial_workflows::ids::{CampaignId, ClientId, LeadId, new_id};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;

/// A place in a client's journal: a transaction, and an entry of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The transaction's number.
    pub xid: i64,
    /// The entry.
    pub entry: i64,
}

/// An entry: which rows a commit appended to the history.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// The events, in their order: each with its lead.
    pub events: Vec<(LeadId, Recorded)>,
    /// What happened to a campaign as a whole; an entry with this has no other events.
    pub of_campaign: Option<Happened>,
}

/// What happened to a campaign as a whole.
#[derive(Clone, Debug)]
pub struct Happened {
    /// The event's id, the same for every subscriber.
    pub event: Uuid,
    /// The campaign.
    pub campaign: CampaignId,
    /// When.
    pub at: Moment,
    /// What.
    pub what: CampaignEvent,
}

/// Writes down what happened to a campaign as a whole, in the transaction in which it did.
pub async fn tell(
    conn: &mut PgConnection,
    (client, campaign): (ClientId, CampaignId),
    what: &CampaignEvent,
    now: Moment,
) -> Result<(), StoreError> {
    let happened =
        serde_json::to_value(what).map_err(|problem| unreadable("journal", campaign.0, problem))?;
    sqlx::query!(
        "insert into journal (client_id, at, leads, seqs, campaign_id, event_id, happened)
        values ($1, $2, '{}', '{}', $3, $4, $5)",
        client.0,
        now,
        campaign.0,
        new_id(now),
        happened
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The end of the journal as everybody sees it by now: what is committed later comes behind it.
pub async fn end(conn: &mut PgConnection) -> Result<Position, StoreError> {
    let xid =
        sqlx::query_scalar!(r#"select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as "xid!""#)
            .fetch_one(conn)
            .await?;
    Ok(Position { xid, entry: 0 })
}

/// Keeps positions comparable after the database was restored into another cluster, which counts its transactions
/// anew: what was written before then comes before everything that is written from now on.
pub async fn after_restore(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let ahead = sqlx::query_scalar!(
        r#"select exists (select from journal_cursors where xid > pg_snapshot_xmax(pg_current_snapshot())) as "ahead!""#
    )
    .fetch_one(&mut *conn)
    .await?;
    if !ahead {
        return Ok(0);
    }
    let moved = sqlx::query!(
        "with moved as (
            update journal set xid = '1' where xid >= pg_snapshot_xmax(pg_current_snapshot()) returning 1),
        cursors as (
            update journal_cursors set xid = '1' where xid >= pg_snapshot_xmax(pg_current_snapshot()) returning 1)
        select (select count(*) from moved) + (select count(*) from cursors) as \"moved!\""
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(moved.moved).unwrap_or_default())
}

/// A client's entries behind a position that nothing can turn up before any more: at most so many.
pub async fn behind(
    conn: &mut PgConnection,
    client: ClientId,
    after: Position,
    limit: i64,
) -> Result<Vec<Entry>, StoreError> {
    let rows = sqlx::query!(
        r#"with page as (
            select xid, entry, at, leads, seqs, campaign_id, event_id, happened from journal
            where client_id = $1 and (xid, entry) > ($2::text::xid8, $3)
                and xid < pg_snapshot_xmin(pg_current_snapshot())
            order by xid, entry limit $4)
        select page.xid::text::bigint as "xid!", page.entry as "entry!", x.lead_id as "lead_id?", x.seq as "seq?",
            page.at as "at!", e.events as "events?", page.campaign_id, page.event_id, page.happened
        from page left join lateral unnest(page.leads, page.seqs) with ordinality as x(lead_id, seq, nth) on true
        left join workflow_events e
            on e.client_id = $1 and e.lead_id = x.lead_id and e.seq = x.seq and e.at = page.at
        order by page.xid, page.entry, x.nth"#,
        client.0,
        after.xid.to_string(),
        after.entry,
        limit
    )
    .fetch_all(conn)
    .await?;
    let mut entries: Vec<Entry> = vec![];
    for row in rows {
        let position = Position { xid: row.xid, entry: row.entry };
        if entries.last().is_none_or(|last| last.position != position) {
            entries.push(Entry { position, events: vec![], of_campaign: None });
        }
        let Some(last) = entries.last_mut() else { continue };
        if let (Some(campaign), Some(event), Some(what)) = (row.campaign_id, row.event_id, row.happened) {
            let happened = |what| Happened { event, campaign: CampaignId(campaign), at: row.at, what };
            last.of_campaign = serde_json::from_value(what).ok().map(happened);
        }
        let (Some(lead), Some(first)) = (row.lead_id, row.seq) else { continue };
        // What cannot be read is of a newer version: its subscribers are told by those who can.
        let events = row.events.and_then(|events| serde_json::from_value::<Vec<Value>>(events).ok());
        last.events.extend((first..).zip(events.unwrap_or_default()).filter_map(|(seq, event)| {
            let event: Event = serde_json::from_value(event).ok()?;
            Some((LeadId(lead), Recorded { seq, at: row.at, event }))
        }));
    }
    Ok(entries)
}

/// Erases a client's entries of before `before`, the oldest first.
pub async fn erase(
    conn: &mut PgConnection,
    client: ClientId,
    before: Moment,
    limit: i64,
) -> Result<u64, StoreError> {
    let erased = sqlx::query!(
        "delete from journal j using (
            select client_id, xid, entry from (
                select client_id, xid, entry, at from journal where client_id = $1 order by xid, entry limit $3) oldest
            where at < $2) x
        where j.client_id = x.client_id and j.xid = x.xid and j.entry = x.entry",
        client.0,
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(erased.rows_affected())
}

/// A client's cursor, locked unless somebody holds it; `None` also if there is none.
pub async fn lock_cursor(conn: &mut PgConnection, client: ClientId) -> Result<Option<Position>, StoreError> {
    let row = sqlx::query!(
        r#"select xid::text::bigint as "xid!", entry from journal_cursors where client_id = $1
        for no key update skip locked"#,
        client.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Position { xid: row.xid, entry: row.entry }))
}

/// Moves a client's cursor on.
pub async fn move_cursor(conn: &mut PgConnection, client: ClientId, to: Position) -> Result<(), StoreError> {
    sqlx::query!(
        "update journal_cursors set xid = $2::text::xid8, entry = $3 where client_id = $1",
        client.0,
        to.xid.to_string(),
        to.entry
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Begins a client's cursor at the end, unless it has one.
pub async fn begin_cursor(conn: &mut PgConnection, client: ClientId) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into journal_cursors (client_id, xid, entry)
        values ($1, pg_snapshot_xmin(pg_current_snapshot()), 0) on conflict do nothing",
        client.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a client's cursor: it has no subscriber any more.
pub async fn end_cursor(conn: &mut PgConnection, client: ClientId) -> Result<(), StoreError> {
    sqlx::query!("delete from journal_cursors where client_id = $1", client.0).execute(conn).await?;
    Ok(())
}

/// Clients with a cursor.
pub async fn followed(conn: &mut PgConnection) -> Result<Vec<ClientId>, StoreError> {
    let clients: Vec<Uuid> = sqlx::query_scalar!("select client_id from journal_cursors order by client_id")
        .fetch_all(conn)
        .await?;
    Ok(clients.into_iter().map(ClientId).collect())
}
