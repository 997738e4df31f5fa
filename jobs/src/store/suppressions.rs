//! Numbers that must not be called.

use std::collections::BTreeSet;

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId, new_id};
use outdial_workflows::phone::PhoneNumber;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::paging::{Part, part};

/// A suppression that is in force or will be.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// The number.
    pub phone: String,
    /// The campaign that it is bounded to.
    pub campaign: Option<CampaignId>,
    /// When it ends.
    pub expires_at: Option<Moment>,
}

impl Suppression {
    /// Whether it forbids calls of a campaign at this moment.
    pub fn forbids(&self, campaign: CampaignId, now: Moment) -> bool {
        self.campaign.is_none_or(|bounded| bounded == campaign) && self.expires_at.is_none_or(|at| now < at)
    }
}

/// The suppressions of these numbers.
pub async fn of_phones(
    conn: &mut PgConnection,
    client: ClientId,
    phones: &[String],
) -> Result<Vec<Suppression>, StoreError> {
    let rows = sqlx::query!(
        "select s.phone, campaign_id, expires_at
        from (select distinct $1::uuid as client_id, * from unnest($2::text[]) as x(phone) offset 0) x
        join suppressions s on s.client_id = x.client_id and s.phone = x.phone where removed_at is null",
        client.0,
        phones
    )
    .fetch_all(conn)
    .await?;
    let bounded = |campaign: Option<Uuid>| campaign.map(CampaignId);
    Ok(rows
        .into_iter()
        .map(|row| Suppression {
            phone: row.phone,
            campaign: bounded(row.campaign_id),
            expires_at: row.expires_at,
        })
        .collect())
}

/// Puts the numbers of these leads on the client's list for good, because of what a call yielded: those that they were
/// called on, too, since a number may have been edited after the call. The caller holds the barrier exclusively.
pub async fn from_results(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[LeadId],
    now: Moment,
) -> Result<(), StoreError> {
    let phones = sqlx::query_scalar!(
        r#"with x as materialized (
            select distinct $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id))
        select phone as "phone!" from x
        join leads l on l.client_id = x.client_id and l.lead_id = x.lead_id where phone is not null
        union
        select phone from x
        join attempts a on a.client_id = x.client_id and a.lead_id = x.lead_id where phone is not null"#,
        client.0,
        &leads.iter().map(|lead| lead.0).collect::<Vec<_>>()
    )
    .fetch_all(&mut *conn)
    .await?;
    let on = List { campaign: None, source: "call result", until: None };
    add(conn, client, on, &phones, "outdial", now).await?;
    Ok(())
}

/// What numbers are to be put on.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// The campaign that it is bounded to; `None` for the whole client.
    pub campaign: Option<CampaignId>,
    /// Where it came from.
    pub source: &'a str,
    /// When it ends for them by itself.
    pub until: Option<Moment>,
}

/// What came of putting numbers on a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Added {
    /// Numbers that were not on it.
    pub added: u64,
    /// Numbers that stay on it for longer.
    pub extended: u64,
    /// Numbers that were on it already, for as long or longer.
    pub already: u64,
}

/// Puts numbers on a list. The caller holds the barrier exclusively. What was on it for longer stays
/// so: a list that ends does not shorten a wish that does not.
pub async fn add(
    conn: &mut PgConnection,
    client: ClientId,
    on: List<'_>,
    phones: &[String],
    actor: &str,
    now: Moment,
) -> Result<Added, StoreError> {
    let phones: BTreeSet<&String> = phones.iter().collect();
    let phones: Vec<String> = phones.into_iter().cloned().collect();
    let campaign = on.campaign.map(|campaign| campaign.0);
    // What has ended is over: taken up again it would seem to have held all the time.
    sqlx::query!(
        "update suppressions set removed_at = expires_at
        where client_id = $1 and phone = any($2) and campaign_id is not distinct from $3
            and removed_at is null and expires_at <= $4",
        client.0,
        &phones,
        campaign,
        now
    )
    .execute(&mut *conn)
    .await?;
    let written = sqlx::query_scalar!(
        r#"insert into suppressions as s
            (client_id, suppression_id, phone, campaign_id, source, actor, created_at, expires_at)
        select $1, x.id, x.phone, $4, $5, $6, $7, $8 from unnest($2::uuid[], $3::text[]) as x(id, phone)
        on conflict (client_id, phone, campaign_id) where removed_at is null
            do update set expires_at = excluded.expires_at
            where s.expires_at < coalesce(excluded.expires_at, 'infinity')
        returning xmax = 0 as "new!""#,
        client.0,
        &phones.iter().map(|_| new_id(now)).collect::<Vec<_>>(),
        &phones,
        campaign,
        on.source,
        actor,
        now,
        on.until
    )
    .fetch_all(conn)
    .await?;
    let count = |wanted: bool| written.iter().filter(|new| **new == wanted).count() as u64;
    let already = (phones.len() - written.len()) as u64;
    Ok(Added { added: count(true), extended: count(false), already })
}

/// Takes a number off a list. Returns the entries that this ended.
pub async fn remove(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: Option<CampaignId>,
    phone: &PhoneNumber,
    now: Moment,
) -> Result<Vec<Uuid>, StoreError> {
    let removed = sqlx::query_scalar!(
        "update suppressions set removed_at = $4
        where client_id = $1 and phone = $2 and campaign_id is not distinct from $3 and removed_at is null
            and (expires_at is null or expires_at > $4)
        returning suppression_id",
        client.0,
        phone.as_str(),
        campaign.map(|campaign| campaign.0),
        now
    )
    .fetch_all(conn)
    .await?;
    Ok(removed)
}

/// An entry as people see it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// The number.
    pub phone: String,
    /// The campaign that it is bounded to.
    pub campaign: Option<CampaignId>,
    /// Where it came from.
    pub source: String,
    /// Who put it there.
    pub actor: String,
    /// When.
    pub created_at: Moment,
    /// When it ends by itself.
    pub expires_at: Option<Moment>,
}

struct ListedRow {
    suppression_id: Uuid,
    phone: String,
    campaign_id: Option<Uuid>,
    source: String,
    actor: String,
    created_at: Moment,
    expires_at: Option<Moment>,
}

impl From<ListedRow> for Listed {
    fn from(row: ListedRow) -> Self {
        Self {
            id: row.suppression_id,
            phone: row.phone,
            campaign: row.campaign_id.map(CampaignId),
            source: row.source,
            actor: row.actor,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

/// What is in force at `now`, of the whole client and of its campaigns, or of one campaign alone.
pub async fn list(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: Option<CampaignId>,
    part: Part,
    now: Moment,
) -> Result<Vec<Listed>, StoreError> {
    let rows = match campaign {
        Some(campaign) => part!(
            ListedRow,
            conn,
            part,
            "suppression_id",
            "select suppression_id, phone, campaign_id, source, actor, created_at, expires_at from suppressions
            where client_id = $3 and campaign_id = $4 and removed_at is null
                and (expires_at is null or expires_at > $5)",
            client.0,
            campaign.0,
            now
        ),
        None => part!(
            ListedRow,
            conn,
            part,
            "suppression_id",
            "select suppression_id, phone, campaign_id, source, actor, created_at, expires_at from suppressions
            where client_id = $3 and removed_at is null and (expires_at is null or expires_at > $4)",
            client.0,
            now
        ),
    }?;
    Ok(rows.into_iter().map(Listed::from).collect())
}

/// The same of one number alone.
pub async fn of_phone(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: Option<CampaignId>,
    phone: &PhoneNumber,
    part: Part,
    now: Moment,
) -> Result<Vec<Listed>, StoreError> {
    let rows = part!(
        ListedRow,
        conn,
        part,
        "suppression_id",
        "select suppression_id, phone, campaign_id, source, actor, created_at, expires_at from suppressions
        where client_id = $3 and phone = $4 and ($5::uuid is null or campaign_id = $5) and removed_at is null
            and (expires_at is null or expires_at > $6)",
        client.0,
        phone.as_str(),
        campaign.map(|campaign| campaign.0),
        now
    )?;
    Ok(rows.into_iter().map(Listed::from).collect())
}

/// Ends an entry that is in force. Tells to which campaign it was bounded, if there was such an entry.
pub async fn lift(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    now: Moment,
) -> Result<Option<Option<CampaignId>>, StoreError> {
    let lifted = sqlx::query_scalar!(
        "update suppressions set removed_at = $3
        where client_id = $1 and suppression_id = $2 and removed_at is null
            and (expires_at is null or expires_at > $3)
        returning campaign_id",
        client.0,
        id,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(lifted.map(|campaign| campaign.map(CampaignId)))
}
