//! Attempts as people take them out, page by page.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use serde_json::Value;
use sqlx::PgConnection;

use super::StoreError;

/// An attempt with the lead that it is for and what its call yielded.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The lead.
    pub lead: LeadId,
    /// What its sender calls it.
    pub external_id: Option<String>,
    /// The person's name.
    pub name: Option<String>,
    /// The number that was called; `None` once the person was erased.
    pub phone: Option<String>,
    /// Its number among the lead's.
    pub number: i16,
    /// The number it came from.
    pub caller_id: Option<String>,
    /// Where it stands in the ledger, by name.
    pub ledger: String,
    /// The carrier's name for the call.
    pub call_id: Option<String>,
    /// How far the call came, by name.
    pub status: String,
    /// When it was reserved.
    pub reserved_at: Moment,
    /// When its request was committed to.
    pub submitted_at: Option<Moment>,
    /// When somebody answered.
    pub answered_at: Option<Moment>,
    /// When its end became known.
    pub ended_at: Option<Moment>,
    /// How it ended, by name.
    pub result: Option<String>,
    /// Time connected, in milliseconds.
    pub talk_ms: Option<i32>,
    /// The carrier's word for the reason.
    pub cause: Option<String>,
    /// What came of it, by name.
    pub outcome: Option<String>,
    /// Where its recording is.
    pub recording_url: Option<String>,
    /// What it cost, in millionths.
    pub cost_micros: Option<i64>,
    /// What else it yielded, by name.
    pub results: Option<Value>,
}

/// The attempts of the next leads of a campaign, and the last of these leads; `None` behind the last. A page is
/// a page of leads, of which some were never called.
pub async fn attempts(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    after: LeadId,
    leads: i64,
) -> Result<Option<(Vec<Exported>, LeadId)>, StoreError> {
    let last = sqlx::query_scalar!(
        "select lead_id from (
            select lead_id from leads where campaign_id = $2 and lead_id > $3 and client_id = $1
            order by lead_id limit $4) page
        order by lead_id desc limit 1",
        client.0,
        campaign.0,
        after.0,
        leads
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(last) = last else { return Ok(None) };
    let rows = sqlx::query!(
        r#"select l.lead_id as "lead_id!", l.external_id, l.name, a.phone, a.number, a.caller_id,
            a.ledger::text as "ledger!", a.call_id, a.status::text as "status!", a.reserved_at, a.submitted_at,
            a.answered_at, a.ended_at, a.result::text, a.talk_ms, a.cause, a.outcome::text, a.recording_url,
            a.cost_micros, r.results as "results?"
        from (
            select client_id, lead_id, external_id, name from leads
            where campaign_id = $2 and lead_id > $3 and lead_id <= $4 and client_id = $1 order by lead_id offset 0) l
        join attempts a on a.client_id = l.client_id and a.lead_id = l.lead_id
        left join call_results r on r.client_id = a.client_id and r.lead_id = a.lead_id and r.number = a.number
        order by l.lead_id, a.number"#,
        client.0,
        campaign.0,
        after.0,
        last
    )
    .fetch_all(conn)
    .await?;
    let exported = rows.into_iter().map(|row| Exported {
        lead: LeadId(row.lead_id),
        external_id: row.external_id,
        name: row.name,
        phone: row.phone,
        number: row.number,
        caller_id: row.caller_id,
        ledger: row.ledger,
        call_id: row.call_id,
        status: row.status,
        reserved_at: row.reserved_at,
        submitted_at: row.submitted_at,
        answered_at: row.answered_at,
        ended_at: row.ended_at,
        result: row.result,
        talk_ms: row.talk_ms,
        cause: row.cause,
        outcome: row.outcome,
        recording_url: row.recording_url,
        cost_micros: row.cost_micros,
        results: row.results,
    });
    Ok(Some((exported.collect(), LeadId(last))))
}
