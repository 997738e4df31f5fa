//! News that cannot be taken in yet.

use outdial_workflows::Moment;
use outdial_workflows::call::CallId;
use outdial_workflows::ids::{AccountId, AttemptNumber, ClientId, LeadId};
use outdial_workflows::input::{CallNews, Input};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;
use super::rows::ProviderRow;
use crate::providers::Provider;

/// A piece of news to be kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its id.
    pub id: Uuid,
    /// The lead it is about.
    pub lead: LeadId,
    /// The attempt it is about.
    pub number: Option<i16>,
    /// The input as it was.
    pub input: Value,
}

/// Keeps news of leads that cannot be worked on now.
pub async fn keep(
    conn: &mut PgConnection,
    client: ClientId,
    provider: Provider,
    kept: &[Kept],
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into webhook_inbox (client_id, provider, received_at, inbox_id, lead_id, number, input)
        select $1, $2, $3, x.* from unnest($4::uuid[], $5::uuid[], $6::smallint[], $7::jsonb[])
            as x(inbox_id, lead_id, number, input)",
        client.0,
        ProviderRow::from(provider) as ProviderRow,
        now,
        &kept.iter().map(|row| row.id).collect::<Vec<_>>(),
        &kept.iter().map(|row| row.lead.0).collect::<Vec<_>>(),
        &kept.iter().map(|row| row.number).collect::<Vec<_>>() as &[Option<i16>],
        &kept.iter().map(|row| row.input.clone()).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps news of a call that no attempt is known to have made, under the carrier's name for it.
pub async fn keep_unmatched(
    conn: &mut PgConnection,
    id: Uuid,
    of: &CallOf<'_>,
    news: &CallNews,
    now: Moment,
) -> Result<(), StoreError> {
    let input = serde_json::to_value(news).map_err(|problem| unreadable("webhook_inbox", id, problem))?;
    sqlx::query!(
        "insert into webhook_inbox (client_id, inbox_id, account_id, provider, call_id, input, received_at)
        values ($1, $2, $3, $4, $5, $6, $7)",
        of.client.0,
        id,
        of.account.0,
        ProviderRow::from(of.provider) as ProviderRow,
        of.call.0,
        input,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A call by its carrier's name, which is unique within an account.
#[derive(Clone, Copy, Debug)]
pub struct CallOf<'a> {
    /// The tenant.
    pub client: ClientId,
    /// The account.
    pub account: AccountId,
    /// Its carrier.
    pub provider: Provider,
    /// The carrier's name for the call.
    pub call: &'a CallId,
}

/// Kept news that can be taken in.
#[derive(Debug)]
pub struct Waiting {
    /// The tenant.
    pub client: ClientId,
    /// Its id.
    pub id: Uuid,
    /// The lead it is about.
    pub lead: LeadId,
    /// The news, or why this version cannot read it.
    pub input: Result<Input, StoreError>,
}

/// News kept for leads that can be worked on again, oldest first.
pub async fn workable(conn: &mut PgConnection, limit: i64) -> Result<Vec<Waiting>, StoreError> {
    let rows = sqlx::query!(
        r#"select i.client_id, i.inbox_id, i.lead_id as "lead_id!", i.input from webhook_inbox i
        join workflows w on w.client_id = i.client_id and w.lead_id = i.lead_id and not w.quarantined
        where i.applied_at is null order by i.received_at limit $1"#,
        limit
    )
    .fetch_all(conn)
    .await?;
    let waiting = rows.into_iter().map(|row| Waiting {
        client: ClientId(row.client_id),
        id: row.inbox_id,
        lead: LeadId(row.lead_id),
        input: serde_json::from_value(row.input)
            .map_err(|problem| unreadable("webhook_inbox", row.inbox_id, problem)),
    });
    Ok(waiting.collect())
}

struct MatchedRow {
    client_id: Uuid,
    inbox_id: Uuid,
    lead_id: Uuid,
    number: i16,
    input: Value,
}

impl From<MatchedRow> for Waiting {
    fn from(row: MatchedRow) -> Self {
        let read = || {
            let bad = |problem: String| unreadable("webhook_inbox", row.inbox_id, problem);
            let number = u16::try_from(row.number).ok().and_then(AttemptNumber::new);
            let number = number.ok_or_else(|| bad(format!("attempt {}", row.number)))?;
            let news = serde_json::from_value::<CallNews>(row.input.clone());
            Ok(news.map_err(|problem| bad(problem.to_string()))?.of(number))
        };
        Self { client: ClientId(row.client_id), id: row.inbox_id, lead: LeadId(row.lead_id), input: read() }
    }
}

/// News kept under names of calls that attempts have been bound to since, oldest first.
pub async fn matched(conn: &mut PgConnection, limit: i64) -> Result<Vec<Waiting>, StoreError> {
    let rows = sqlx::query_as!(
        MatchedRow,
        "select i.client_id, i.inbox_id, a.lead_id, a.number, i.input from webhook_inbox i
        join attempts a on a.client_id = i.client_id and a.account_id = i.account_id and a.call_id = i.call_id
        where i.applied_at is null and i.lead_id is null order by i.received_at limit $1",
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The same for these calls of one client.
pub async fn matched_calls(
    conn: &mut PgConnection,
    client: ClientId,
    calls: &[CallId],
) -> Result<Vec<Waiting>, StoreError> {
    let rows = sqlx::query_as!(
        MatchedRow,
        "select i.client_id, i.inbox_id, a.lead_id, a.number, i.input from webhook_inbox i
        join attempts a on a.client_id = i.client_id and a.account_id = i.account_id and a.call_id = i.call_id
        where i.client_id = $1 and i.call_id = any($2) and i.applied_at is null and i.lead_id is null
        order by i.received_at",
        client.0,
        &calls.iter().map(|call| call.0.clone()).collect::<Vec<_>>()
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Notes that kept news was taken in.
pub async fn applied(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update webhook_inbox set applied_at = $3 where client_id = $1 and inbox_id = $2",
        client.0,
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
