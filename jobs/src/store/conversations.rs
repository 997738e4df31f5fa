//! Conversations of our own agent, while they are under way.

use outdial_workflows::Moment;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, CampaignId, ClientId, LeadId, NodeId};
use outdial_workflows::results::Turn;
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::StoreError;
use super::error::unreadable;
use super::rows::small;
use crate::media::telling::{Telling, What};

/// Begins a conversation. False if the call is held, or was: a call is held once.
pub async fn begin(
    conn: &mut PgConnection,
    AttemptRef { client, lead, number }: AttemptRef,
    node: NodeId,
    playbook: (&str, u32),
    now: Moment,
) -> Result<bool, StoreError> {
    let (name, version) = playbook;
    let begun = sqlx::query!(
        "insert into conversations (client_id, lead_id, number, node_id, playbook, version, began_at)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        client.0,
        lead.0,
        small(number.get()),
        node.0,
        name,
        i32::try_from(version).unwrap_or(i32::MAX),
        now
    )
    .execute(conn)
    .await?;
    Ok(begun.rows_affected() > 0)
}

/// Whose process holds a call's conversation; `None` if none is under way.
pub async fn holder(
    conn: &mut PgConnection,
    AttemptRef { client, lead, number }: AttemptRef,
) -> Result<Option<NodeId>, StoreError> {
    let node = sqlx::query_scalar!(
        "select node_id from conversations
        where client_id = $1 and lead_id = $2 and number = $3 and ended_at is null",
        client.0,
        lead.0,
        small(number.get())
    )
    .fetch_optional(conn)
    .await?;
    Ok(node.map(NodeId))
}

/// Whether a conversation of this call was ever begun.
pub async fn is_known(
    conn: &mut PgConnection,
    AttemptRef { client, lead, number }: AttemptRef,
) -> Result<bool, StoreError> {
    let known = sqlx::query_scalar!(
        r#"select exists (
            select from conversations where client_id = $1 and lead_id = $2 and number = $3) as "known!""#,
        client.0,
        lead.0,
        small(number.get())
    )
    .fetch_one(conn)
    .await?;
    Ok(known)
}

/// Keeps a turn as it ends, by its place among the conversation's, and tells whoever follows it.
pub async fn keep(
    conn: &mut PgConnection,
    AttemptRef { client, lead, number }: AttemptRef,
    place: u32,
    turn: &Turn,
) -> Result<(), StoreError> {
    let spoken = serde_json::to_value(turn).map_err(|problem| unreadable("turns", lead.0, problem))?;
    sqlx::query!(
        "insert into turns (client_id, lead_id, number, turn, spoken) values ($1, $2, $3, $4, $5)
        on conflict do nothing",
        client.0,
        lead.0,
        small(number.get()),
        i16::try_from(place).unwrap_or(i16::MAX),
        spoken
    )
    .execute(&mut *conn)
    .await?;
    let said = Telling { attempt: AttemptRef { client, lead, number }, what: What::Said };
    super::notify(conn, &said.payload()).await
}

/// Notes where a conversation is recorded.
pub async fn recorded(
    conn: &mut PgConnection,
    AttemptRef { client, lead, number }: AttemptRef,
    place: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set recording = $4 where client_id = $1 and lead_id = $2 and number = $3",
        client.0,
        lead.0,
        small(number.get()),
        place
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Where the latest recorded conversation with a lead lies; `None` if none was recorded.
pub async fn recording(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
) -> Result<Option<String>, StoreError> {
    let recording = sqlx::query_scalar!(
        r#"select recording as "recording!" from conversations
        where client_id = $1 and lead_id = $2 and recording is not null order by number desc limit 1"#,
        client.0,
        lead.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(recording)
}

/// Where the recorded conversation of an attempt lies; `None` if it was not recorded.
pub async fn recording_of(
    conn: &mut PgConnection,
    AttemptRef { client, lead, number }: AttemptRef,
) -> Result<Option<String>, StoreError> {
    let recording = sqlx::query_scalar!(
        "select recording from conversations where client_id = $1 and lead_id = $2 and number = $3",
        client.0,
        lead.0,
        small(number.get())
    )
    .fetch_optional(conn)
    .await?;
    Ok(recording.flatten())
}

/// Adds what was found out.
pub async fn note(
    conn: &mut PgConnection,
    AttemptRef { client, lead, number }: AttemptRef,
    known: Map<String, Value>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set known = known || $4
        where client_id = $1 and lead_id = $2 and number = $3 and ended_at is null",
        client.0,
        lead.0,
        small(number.get()),
        Value::Object(known)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A conversation that is under way, in a list.
#[derive(Clone, Debug)]
pub struct UnderWay {
    /// The attempt whose call it is.
    pub attempt: AttemptRef,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The process that holds it, by its name; `None` if it is gone.
    pub node: Option<String>,
    /// The playbook.
    pub playbook: String,
    /// Its version.
    pub version: u32,
    /// When it began.
    pub began_at: Moment,
    /// How many turns there were.
    pub turns: u32,
    /// What the latest answer took, in milliseconds.
    pub latency_ms: Option<u32>,
}

/// The conversations that are under way, of a client or of all, the latest first; at most 1,000.
pub async fn under_way(
    conn: &mut PgConnection,
    client: Option<ClientId>,
) -> Result<Vec<UnderWay>, StoreError> {
    let rows = sqlx::query!(
        r#"select c.client_id, c.lead_id, c.number, w.campaign_id, n.name as "node?", c.playbook, c.version,
            c.began_at, t.turns as "turns!", t.latency_ms as "latency_ms?"
        from conversations c
        join workflows w on w.client_id = c.client_id and w.lead_id = c.lead_id
        left join nodes n on n.node_id = c.node_id
        cross join lateral (
            select count(*) as turns,
                (array_agg((spoken #>> '{latency,total_ms}')::bigint order by turn desc)
                    filter (where spoken ? 'latency'))[1] as latency_ms
            from turns t where t.client_id = c.client_id and t.lead_id = c.lead_id and t.number = c.number) t
        where c.ended_at is null and ($1::uuid is null or c.client_id = $1)
        order by c.began_at desc limit 1000"#,
        client.map(|client| client.0)
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().filter_map(|row| {
        let number = u16::try_from(row.number).ok().and_then(AttemptNumber::new)?;
        Some(UnderWay {
            attempt: AttemptRef { client: ClientId(row.client_id), lead: LeadId(row.lead_id), number },
            campaign: CampaignId(row.campaign_id),
            node: row.node,
            playbook: row.playbook,
            version: u32::try_from(row.version).unwrap_or_default(),
            began_at: row.began_at,
            turns: u32::try_from(row.turns).unwrap_or_default(),
            latency_ms: row.latency_ms.and_then(|ms| u32::try_from(ms).ok()),
        })
    });
    Ok(found.collect())
}

/// A conversation that is under way, as far as it is known.
#[derive(Clone, Debug)]
pub struct Underway {
    /// The playbook.
    pub playbook: String,
    /// Its version.
    pub version: u32,
    /// What was found out.
    pub known: Map<String, Value>,
    /// When it began.
    pub began_at: Moment,
    /// What was said.
    pub turns: Vec<Turn>,
}

/// A conversation; `None` if there is none, or it has ended.
pub async fn underway(
    conn: &mut PgConnection,
    AttemptRef { client, lead, number }: AttemptRef,
) -> Result<Option<Underway>, StoreError> {
    let found = sqlx::query!(
        "select playbook, version, known, began_at from conversations
        where client_id = $1 and lead_id = $2 and number = $3 and ended_at is null",
        client.0,
        lead.0,
        small(number.get())
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = found else { return Ok(None) };
    let turns = turns(conn, client, lead, number).await?;
    let Value::Object(known) = row.known else {
        return Err(unreadable("conversations", lead.0, "what is known is no object"));
    };
    let version = u32::try_from(row.version).unwrap_or_default();
    Ok(Some(Underway { playbook: row.playbook, version, known, began_at: row.began_at, turns }))
}

async fn turns(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
) -> Result<Vec<Turn>, StoreError> {
    let rows = sqlx::query_scalar!(
        "select spoken from turns where client_id = $1 and lead_id = $2 and number = $3 order by turn",
        client.0,
        lead.0,
        small(number.get())
    )
    .fetch_all(conn)
    .await?;
    let read =
        |spoken| serde_json::from_value(spoken).map_err(|problem| unreadable("turns", lead.0, problem));
    rows.into_iter().map(read).collect()
}

/// Ends a conversation whose yield is recorded. False if it had ended.
pub async fn end(
    conn: &mut PgConnection,
    AttemptRef { client, lead, number }: AttemptRef,
    now: Moment,
) -> Result<bool, StoreError> {
    let number = small(number.get());
    let ended = sqlx::query!(
        "update conversations set ended_at = $4
        where client_id = $1 and lead_id = $2 and number = $3 and ended_at is null",
        client.0,
        lead.0,
        number,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from turns where client_id = $1 and lead_id = $2 and number = $3",
        client.0,
        lead.0,
        number
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected() > 0)
}
