//! Lists of leads: searched and sorted, each by an index.
//!
//! What is looked for by its beginning, or by an attribute, is found by an index of its own while few leads fit:
//! no more than the limit is read. A campaign is walked in the order that is wanted, a window at a time.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::StoreError;
use super::leads::{Listed, ListedRow};
use super::paging::Direction;
use super::rows::{OutcomeRow, PriorityRow, StateRow};

/// The highest of all characters: what stands behind every text that begins as another does.
const LAST: char = char::MAX;
/// No number has more digits behind what it begins with.
const NINES: &str = "999999999999999";

/// A text as names are compared.
pub async fn lowered(conn: &mut PgConnection, text: &str) -> Result<String, StoreError> {
    Ok(sqlx::query_scalar!(r#"select lower($1) as "lowered!""#, text).fetch_one(conn).await?)
}

/// By what a lead is sorted among names: `None` if there is no such lead, or it has none.
pub async fn name_key(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_scalar!(
        "select lower(name) from leads where client_id = $1 and lead_id = $2",
        client.0,
        lead.0
    );
    Ok(found.fetch_optional(conn).await?.flatten())
}

/// Leads that have all of these terms: at most so many.
pub async fn with_terms(
    conn: &mut PgConnection,
    client: ClientId,
    terms: &[i64],
    limit: i64,
) -> Result<Vec<LeadId>, StoreError> {
    let mut tx = conn.begin().await?;
    if terms.len() == 1 {
        // Of a term that very many have, the index yields some at random, rather than all of which the first few are
        // taken. Far beyond the limit, so that of those that are few all are found; and with one term only, since of
        // several each would yield others.
        sqlx::query!("select set_config('gin_fuzzy_search_limit', $1, true)", (limit * 10).to_string())
            .fetch_one(&mut *tx)
            .await?;
    }
    // A term is of one campaign: nothing but the index serves, and nobody else's leads are read.
    let leads = sqlx::query_scalar!(
        "select lead_id from (
            select client_id, lead_id from leads where terms is not null and terms @> $2 limit $3) l
        where client_id = $1",
        client.0,
        terms,
        limit
    );
    let leads = leads.fetch_all(&mut *tx).await?.into_iter().map(LeadId).collect();
    tx.commit().await?;
    Ok(leads)
}

/// Leads whose number begins so, of whichever client: at most so many are looked at, and the client's are told. Says
/// whether there are more.
pub async fn with_phone(
    conn: &mut PgConnection,
    client: ClientId,
    prefix: &str,
    limit: i64,
) -> Result<(Vec<LeadId>, bool), StoreError> {
    let rows = sqlx::query!(
        "select client_id, lead_id from leads where phone is not null and phone >= $1 and phone <= $2 limit $3",
        prefix,
        format!("{prefix}{NINES}"),
        limit
    )
    .fetch_all(conn)
    .await?;
    let more = i64::try_from(rows.len()).is_ok_and(|found| found >= limit);
    let its = rows.into_iter().filter(|row| row.client_id == client.0);
    Ok((its.map(|row| LeadId(row.lead_id)).collect(), more))
}

/// Leads of a campaign whose name begins so, lowered: at most so many.
pub async fn with_name(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    prefix: &str,
    limit: i64,
) -> Result<Vec<LeadId>, StoreError> {
    let leads = sqlx::query_scalar!(
        r#"select lead_id from leads
        where campaign_id = $2 and name is not null and lower(name) collate "C" >= $3
            and lower(name) collate "C" < $4 and client_id = $1
        order by lower(name) collate "C", lead_id limit $5"#,
        client.0,
        campaign.0,
        prefix,
        format!("{prefix}{LAST}"),
        limit
    );
    Ok(leads.fetch_all(conn).await?.into_iter().map(LeadId).collect())
}

/// Reads leads with where they stand: those that `from` finds, in their order.
macro_rules! listed {
    ($conn:expr, $from:tt, $order:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            ListedRow,
            r#"select l.lead_id as "lead_id!", l.client_id as "client_id!", l.campaign_id as "campaign_id!", l.phone,
                l.name, l.zone, l.region, l.external_id, l.attributes as "attributes!",
                l.created_at as "created_at!", w.state as "state: StateRow", w.why, w.outcome as "outcome: OutcomeRow",
                w.priority as "priority: PriorityRow", w.wake_at, w.attempts, lower(l.name) as name_key, w.due_at
            from ("# + $from + ") l join workflows w on w.client_id = l.client_id and w.lead_id = l.lead_id order by " + $order
            $(, $argument)*
        )
        .fetch_all($conn)
        .await
    };
}

/// These leads, as far as they are of the campaign, in no order.
pub async fn of(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    leads: &[LeadId],
) -> Result<Vec<Listed>, StoreError> {
    let rows = listed!(
        conn,
        "select l.* from (
            select distinct $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join leads l on l.client_id = x.client_id and l.lead_id = x.lead_id where l.campaign_id = $3",
        "l.lead_id",
        client.0,
        &leads.iter().map(|lead| lead.0).collect::<Vec<_>>(),
        campaign.0
    )?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The next leads of a campaign behind `after`, in the order in which they were accepted.
pub async fn by_acceptance(
    conn: &mut PgConnection,
    (client, campaign): (ClientId, CampaignId),
    direction: Direction,
    after: Option<LeadId>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let rows = match direction {
        Direction::OldestFirst => listed!(
            conn,
            "select * from leads where campaign_id = $2 and lead_id > $3 and client_id = $1
            order by lead_id limit $4",
            "l.lead_id",
            client.0,
            campaign.0,
            after.map_or(Uuid::nil(), |lead| lead.0),
            limit
        ),
        Direction::NewestFirst => listed!(
            conn,
            "select * from leads where campaign_id = $2 and lead_id < $3 and client_id = $1
            order by lead_id desc limit $4",
            "l.lead_id desc",
            client.0,
            campaign.0,
            after.map_or(Uuid::max(), |lead| lead.0),
            limit
        ),
    }?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The next leads of a campaign behind `after`, by name; those without one are left out. `prefix`, lowered, is what
/// names begin with.
pub async fn by_name(
    conn: &mut PgConnection,
    (client, campaign): (ClientId, CampaignId),
    direction: Direction,
    prefix: &str,
    after: Option<(&str, LeadId)>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let end = format!("{prefix}{LAST}");
    let rows = match direction {
        Direction::OldestFirst => {
            let (name, lead) = after.map_or((prefix, Uuid::nil()), |(name, lead)| (name, lead.0));
            listed!(
                conn,
                r#"select * from leads where campaign_id = $2 and name is not null
                    and (lower(name) collate "C", lead_id) > ($3, $4) and lower(name) collate "C" < $5
                    and client_id = $1
                order by lower(name) collate "C", lead_id limit $6"#,
                r#"lower(l.name) collate "C", l.lead_id"#,
                client.0,
                campaign.0,
                name,
                lead,
                end,
                limit
            )
        }
        Direction::NewestFirst => {
            let (name, lead) = after.map_or((end.as_str(), Uuid::nil()), |(name, lead)| (name, lead.0));
            listed!(
                conn,
                r#"select * from leads where campaign_id = $2 and name is not null
                    and (lower(name) collate "C", lead_id) < ($3, $4) and lower(name) collate "C" >= $5
                    and client_id = $1
                order by lower(name) collate "C" desc, lead_id desc limit $6"#,
                r#"lower(l.name) collate "C" desc, l.lead_id desc"#,
                client.0,
                campaign.0,
                name,
                lead,
                prefix,
                limit
            )
        }
    }?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The next leads of a campaign behind `after` that wait, by when they are due: of each of its lanes and priorities as
/// many as are wanted, of which the first are taken.
pub async fn by_due_time(
    conn: &mut PgConnection,
    (client, campaign): (ClientId, CampaignId),
    direction: Direction,
    after: Option<(Moment, LeadId)>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let (due_at, lead) = after.map_or((None, None), |(due_at, lead)| (Some(due_at), Some(lead.0)));
    let rows = match direction {
        Direction::OldestFirst => listed!(
            conn,
            "select l.* from (
                select w.client_id, w.lead_id, w.due_at from (
                    select lane_id from lanes where campaign_id = $2 and client_id = $1 offset 0) x
                cross join unnest(enum_range(null::priority)) as p(priority)
                cross join lateral (
                    select client_id, lead_id, due_at from workflows
                    where client_id = $1 and lane_id = x.lane_id and priority = p.priority
                        and due_at >= coalesce($3::timestamptz, '-infinity')
                        and ($3::timestamptz is null or (due_at, lead_id) > ($3, $4::uuid))
                    order by due_at, lead_id limit $5) w
                order by w.due_at, w.lead_id limit $5) d
            join leads l on l.client_id = d.client_id and l.lead_id = d.lead_id",
            "w.due_at, l.lead_id",
            client.0,
            campaign.0,
            due_at,
            lead,
            limit
        ),
        Direction::NewestFirst => listed!(
            conn,
            "select l.* from (
                select w.client_id, w.lead_id, w.due_at from (
                    select lane_id from lanes where campaign_id = $2 and client_id = $1 offset 0) x
                cross join unnest(enum_range(null::priority)) as p(priority)
                cross join lateral (
                    select client_id, lead_id, due_at from workflows
                    where client_id = $1 and lane_id = x.lane_id and priority = p.priority
                        and due_at <= coalesce($3::timestamptz, 'infinity')
                        and ($3::timestamptz is null or (due_at, lead_id) < ($3, $4::uuid))
                    order by due_at desc, lead_id desc limit $5) w
                order by w.due_at desc, w.lead_id desc limit $5) d
            join leads l on l.client_id = d.client_id and l.lead_id = d.lead_id",
            "w.due_at desc, l.lead_id desc",
            client.0,
            campaign.0,
            due_at,
            lead,
            limit
        ),
    }?;
    Ok(rows.into_iter().map(Into::into).collect())
}
