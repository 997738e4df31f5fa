//! People to call: their personal data.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::phone::PhoneNumber;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;

/// What dialling needs of a person.
#[derive(Clone, Debug)]
pub struct Contact {
    /// The lead.
    pub lead: LeadId,
    /// The number; `None` once erased.
    pub phone: Option<PhoneNumber>,
    /// The zone as it was given.
    pub zone: Option<String>,
    /// The region as it was given.
    pub region: Option<String>,
}

/// A person who was read, or the lead whose row cannot be read.
pub type Loaded = Result<Contact, (LeadId, StoreError)>;

/// What dialling needs of these people.
pub async fn contacts(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<Vec<Contact>, StoreError> {
    let loaded = load(conn, client, leads).await?;
    loaded.into_iter().map(|contact| contact.map_err(|(_, error)| error)).collect()
}

/// The same, row by row.
pub async fn load(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<Vec<Loaded>, StoreError> {
    let rows = sqlx::query!(
        r#"select lead_id as "lead_id!", phone, zone, region
        from (select $1::uuid as client_id, lead_id from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join leads using (client_id, lead_id)"#,
        client.0,
        leads
    )
    .fetch_all(conn)
    .await?;
    let read = |id: Uuid, phone: Option<String>, zone, region| {
        let phone = phone.map(|phone| phone.parse()).transpose();
        let phone = phone.map_err(|problem| (LeadId(id), unreadable("leads", id, problem)))?;
        Ok(Contact { lead: LeadId(id), phone, zone, region })
    };
    Ok(rows.into_iter().map(|row| read(row.lead_id, row.phone, row.zone, row.region)).collect())
}

/// A lead to be accepted.
#[derive(Clone, Debug)]
pub struct NewLead {
    /// Its id.
    pub id: LeadId,
    /// The number.
    pub phone: PhoneNumber,
    /// The person's name.
    pub name: Option<String>,
    /// The person's zone.
    pub zone: Option<String>,
    /// The person's region.
    pub region: Option<String>,
    /// What the sender calls the lead.
    pub external_id: Option<String>,
    /// Further columns.
    pub attributes: Value,
    /// What makes it the same lead when it comes again.
    pub dedupe_key: String,
}

/// Writes leads; those that the campaign has already are left out. Returns the ids that were written.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    leads: &[NewLead],
    now: Moment,
) -> Result<Vec<LeadId>, StoreError> {
    let written = sqlx::query_scalar!(
        "insert into leads (client_id, campaign_id, created_at, lead_id, phone, name, zone,
            external_id, attributes, dedupe_key, region)
        select $1, $2, $3, x.* from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[],
                $10::text[], $11::text[])
            as x(lead_id, phone, name, zone, external_id, attributes, dedupe_key, region)
        on conflict (client_id, campaign_id, dedupe_key) do nothing returning lead_id",
        client.0,
        campaign.0,
        now,
        &leads.iter().map(|lead| lead.id.0).collect::<Vec<_>>(),
        &leads.iter().map(|lead| lead.phone.as_str().to_owned()).collect::<Vec<_>>(),
        &leads.iter().map(|lead| lead.name.clone()).collect::<Vec<_>>() as &[Option<String>],
        &leads.iter().map(|lead| lead.zone.clone()).collect::<Vec<_>>() as &[Option<String>],
        &leads.iter().map(|lead| lead.external_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        &leads.iter().map(|lead| lead.attributes.clone()).collect::<Vec<_>>(),
        &leads.iter().map(|lead| lead.dedupe_key.clone()).collect::<Vec<_>>(),
        &leads.iter().map(|lead| lead.region.clone()).collect::<Vec<_>>() as &[Option<String>]
    )
    .fetch_all(conn)
    .await?;
    Ok(written.into_iter().map(LeadId).collect())
}

/// A person as people see them.
#[derive(Clone, Debug)]
pub struct Person {
    /// The lead.
    pub lead: LeadId,
    /// The tenant.
    pub client: ClientId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The name.
    pub name: Option<String>,
    /// The number.
    pub phone: Option<String>,
    /// The zone as it was given.
    pub zone: Option<String>,
}

/// Leads whose id, external id or number is `text`.
pub async fn find(conn: &mut PgConnection, text: &str) -> Result<Vec<Person>, StoreError> {
    let rows = sqlx::query!(
        "select client_id, lead_id, campaign_id, name, phone, zone from leads
        where lead_id = $1 or phone = $2 or external_id = $2 order by lead_id limit 20",
        Uuid::try_parse(text).ok(),
        text
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Person {
            lead: LeadId(row.lead_id),
            client: ClientId(row.client_id),
            campaign: CampaignId(row.campaign_id),
            name: row.name,
            phone: row.phone,
            zone: row.zone,
        })
        .collect())
}
