//! People to call: their personal data.

use std::collections::BTreeMap;

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::template::Values;
use outdial_workflows::workflow::{Priority, State};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;
use super::paging::{Direction, Part};
use super::rows::{OutcomeRow, PriorityRow, StateRow};

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

/// What agents may be told of a person before a call.
#[derive(Clone, Debug, Default)]
pub struct Briefing {
    /// The name.
    pub name: Option<String>,
    /// What the list's owner calls the lead.
    pub external_id: Option<String>,
    /// The list's other columns.
    pub attributes: Value,
    /// The campaign's name.
    pub campaign_name: String,
    /// The client's name.
    pub client_name: String,
}

impl Briefing {
    /// The attributes as texts: agents are told nothing else.
    pub fn attribute_texts(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let fields = self.attributes.as_object().into_iter().flatten();
        fields.map(|(name, value)| (name.clone(), text(value))).collect()
    }

    /// What texts are filled with. `attributes` are those of [`Self::attribute_texts`].
    pub fn values<'a>(
        &'a self,
        phone: &'a PhoneNumber,
        attributes: &'a BTreeMap<String, String>,
    ) -> Values<'a> {
        Values {
            lead_name: self.name.as_deref(),
            lead_phone: phone.as_str(),
            lead_external_id: self.external_id.as_deref(),
            attributes,
            campaign_name: &self.campaign_name,
            client_name: &self.client_name,
        }
    }
}

/// What agents may be told of these people.
pub async fn briefings(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<Vec<(LeadId, Briefing)>, StoreError> {
    let rows = sqlx::query!(
        r#"select l.lead_id as "lead_id!", l.name, l.external_id, l.attributes, c.name as campaign_name,
            t.name as client_name
        from (select $1::uuid as client_id, lead_id from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join leads l on l.client_id = x.client_id and l.lead_id = x.lead_id
        join campaigns c on c.client_id = l.client_id and c.campaign_id = l.campaign_id
        join clients t on t.client_id = l.client_id"#,
        client.0,
        leads
    )
    .fetch_all(conn)
    .await?;
    let briefing = |name, external_id, attributes, campaign_name, client_name| Briefing {
        name,
        external_id,
        attributes,
        campaign_name,
        client_name,
    };
    Ok(rows
        .into_iter()
        .map(|row| {
            let told =
                briefing(row.name, row.external_id, row.attributes, row.campaign_name, row.client_name);
            (LeadId(row.lead_id), told)
        })
        .collect())
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
    /// What it is found by that has its attributes.
    pub terms: Vec<i64>,
}

/// Writes leads; those that the campaign has already are left out. Returns the ids that were written.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    leads: &[NewLead],
    import: Option<Uuid>,
    now: Moment,
) -> Result<Vec<LeadId>, StoreError> {
    let written = sqlx::query_scalar!(
        "insert into leads (client_id, campaign_id, created_at, import_id, lead_id, phone, name, zone,
            external_id, attributes, dedupe_key, region, terms)
        select $1, $2, $3, $12, x.lead_id, x.phone, x.name, x.zone, x.external_id, x.attributes, x.dedupe_key, x.region,
            x.terms::bigint[]
        from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[], $10::text[], $11::text[],
                $13::text[])
            as x(lead_id, phone, name, zone, external_id, attributes, dedupe_key, region, terms)
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
        &leads.iter().map(|lead| lead.region.clone()).collect::<Vec<_>>() as &[Option<String>],
        import,
        // Arrays of arrays would all have to be of one length.
        &leads.iter().map(|lead| array(&lead.terms)).collect::<Vec<_>>() as &[Option<String>]
    )
    .fetch_all(conn)
    .await?;
    Ok(written.into_iter().map(LeadId).collect())
}

/// Writes who a lead is anew. The caller holds the client's barrier exclusively.
pub async fn edit(conn: &mut PgConnection, client: ClientId, lead: &NewLead) -> Result<(), StoreError> {
    sqlx::query!(
        "update leads set phone = $3, name = $4, zone = $5, region = $6, attributes = $7, dedupe_key = $8,
            terms = $9::text::bigint[]
        where client_id = $1 and lead_id = $2",
        client.0,
        lead.id.0,
        lead.phone.as_str(),
        lead.name.as_deref(),
        lead.zone.as_deref(),
        lead.region.as_deref(),
        lead.attributes,
        lead.dedupe_key,
        array(&lead.terms)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// As Postgres writes an array; none if there is nothing in it.
fn array(terms: &[i64]) -> Option<String> {
    let each: Vec<String> = terms.iter().map(i64::to_string).collect();
    (!each.is_empty()).then(|| format!("{{{}}}", each.join(",")))
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

/// Leads whose id, external id or number is `text`. No key begins with any of them alone: ids are looked up
/// client by client, and external ids campaign by campaign. Those of one client, or of all.
pub async fn find(
    conn: &mut PgConnection,
    only: Option<ClientId>,
    text: &str,
) -> Result<Vec<Person>, StoreError> {
    let rows = sqlx::query!(
        r#"select client_id as "client_id!", lead_id as "lead_id!", campaign_id as "campaign_id!", name, phone, zone
        from (
            select l.* from (select client_id, $1::uuid as lead_id from clients offset 0) x
                join leads l on l.client_id = x.client_id and l.lead_id = x.lead_id
            union
            select * from leads where phone = $2
            union
            select l.* from (
                select client_id, campaign_id, 'id ' || $2 as dedupe_key from campaigns offset 0) x
                join leads l on l.campaign_id = x.campaign_id and l.dedupe_key = x.dedupe_key
                    and l.client_id = x.client_id
        ) found where $3::uuid is null or client_id = $3 order by lead_id limit 20"#,
        Uuid::try_parse(text).ok(),
        text,
        only.map(|client| client.0)
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

/// A lead as people see it in a list: the person, and where the workflow stands.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub lead: LeadId,
    /// The tenant.
    pub client: ClientId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The number; `None` once the person was erased.
    pub phone: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The zone as it was given.
    pub zone: Option<String>,
    /// The region as it was given.
    pub region: Option<String>,
    /// What the sender calls it.
    pub external_id: Option<String>,
    /// Whatever else the sender said of it.
    pub attributes: Value,
    /// When it was accepted.
    pub created_at: Moment,
    /// Where it stands.
    pub state: State,
    /// Why, as stored.
    pub why: Value,
    /// What came of it, once finished.
    pub outcome: Option<Outcome>,
    /// How soon it is called.
    pub priority: Priority,
    /// Waiting: due from then on. Under way: when its timer fires.
    pub wake_at: Option<Moment>,
    /// How many attempts were made.
    pub attempts: i16,
    /// The name as lists are sorted by it.
    pub name_key: Option<String>,
    /// Waiting, and not set aside: when it is due.
    pub due_at: Option<Moment>,
}

pub(super) struct ListedRow {
    pub(super) lead_id: Uuid,
    pub(super) client_id: Uuid,
    pub(super) campaign_id: Uuid,
    pub(super) phone: Option<String>,
    pub(super) name: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) region: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) attributes: Value,
    pub(super) created_at: Moment,
    pub(super) state: StateRow,
    pub(super) why: Value,
    pub(super) outcome: Option<OutcomeRow>,
    pub(super) priority: PriorityRow,
    pub(super) wake_at: Option<Moment>,
    pub(super) attempts: i16,
    pub(super) name_key: Option<String>,
    pub(super) due_at: Option<Moment>,
}

impl From<ListedRow> for Listed {
    fn from(row: ListedRow) -> Self {
        Self {
            lead: LeadId(row.lead_id),
            client: ClientId(row.client_id),
            campaign: CampaignId(row.campaign_id),
            phone: row.phone,
            name: row.name,
            zone: row.zone,
            region: row.region,
            external_id: row.external_id,
            attributes: row.attributes,
            created_at: row.created_at,
            state: row.state.into(),
            why: row.why,
            outcome: row.outcome.map(Into::into),
            priority: row.priority.into(),
            wake_at: row.wake_at,
            attempts: row.attempts,
            name_key: row.name_key,
            due_at: row.due_at,
        }
    }
}

/// The next `limit` leads of a campaign after `after`, in the order of their ids.
pub async fn page(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    after: LeadId,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let rows = sqlx::query_as!(
        ListedRow,
        r#"select l.lead_id, l.client_id, l.campaign_id, l.phone, l.name, l.zone, l.region, l.external_id,
            l.attributes, l.created_at, w.state as "state: StateRow", w.why, w.outcome as "outcome: OutcomeRow",
            w.priority as "priority: PriorityRow", w.wake_at, w.attempts,
            lower(l.name) as name_key, w.due_at
        from (
            select * from leads where campaign_id = $2 and lead_id > $3 and client_id = $1
            order by lead_id limit $4) l
        join workflows w on w.client_id = l.client_id and w.lead_id = l.lead_id
        order by l.lead_id"#,
        client.0,
        campaign.0,
        after.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Reads the leads of a part that this statement chooses, in the order of their ids.
macro_rules! chosen {
    ($conn:expr, $which:tt, $order:tt $(, $argument:expr)+ $(,)?) => {
        sqlx::query_as!(
            ListedRow,
            r#"select l.lead_id, l.client_id, l.campaign_id, l.phone, l.name, l.zone, l.region, l.external_id,
                l.attributes, l.created_at, w.state as "state: StateRow", w.why, w.outcome as "outcome: OutcomeRow",
                w.priority as "priority: PriorityRow", w.wake_at, w.attempts,
                lower(l.name) as name_key, w.due_at
            from (select * from leads where "# + $which + " order by lead_id " + $order + " limit $2) l
            join workflows w on w.client_id = l.client_id and w.lead_id = l.lead_id
            order by l.lead_id " + $order
            $(, $argument)+
        )
        .fetch_all($conn)
        .await
    };
}

/// The next `limit` leads of a client beyond `after`: all, or those of one campaign.
pub async fn of_client(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: Option<CampaignId>,
    direction: Direction,
    after: Option<LeadId>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let part = Part { direction, after: after.map(|lead| lead.0), limit };
    let (beyond, client) = (part.beyond(), client.0);
    let rows = match (direction, campaign) {
        (Direction::NewestFirst, None) => {
            chosen!(conn, "client_id = $3 and lead_id < $1", "desc", beyond, limit, client)?
        }
        (Direction::OldestFirst, None) => {
            chosen!(conn, "client_id = $3 and lead_id > $1", "asc", beyond, limit, client)?
        }
        (Direction::NewestFirst, Some(campaign)) => chosen!(
            conn,
            "campaign_id = $4 and lead_id < $1 and client_id = $3",
            "desc",
            beyond,
            limit,
            client,
            campaign.0
        )?,
        (Direction::OldestFirst, Some(campaign)) => chosen!(
            conn,
            "campaign_id = $4 and lead_id > $1 and client_id = $3",
            "asc",
            beyond,
            limit,
            client,
            campaign.0
        )?,
    };
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The lead of a campaign that was accepted under this key.
pub async fn with_key(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    key: &str,
) -> Result<Option<LeadId>, StoreError> {
    let lead = sqlx::query_scalar!(
        "select lead_id from leads where campaign_id = $2 and dedupe_key = $3 and client_id = $1",
        client.0,
        campaign.0,
        key
    )
    .fetch_optional(conn)
    .await?;
    Ok(lead.map(LeadId))
}

/// The lead with this id, over all clients.
pub async fn listed(conn: &mut PgConnection, lead: LeadId) -> Result<Option<Listed>, StoreError> {
    let row = sqlx::query_as!(
        ListedRow,
        r#"select l.lead_id, l.client_id, l.campaign_id, l.phone, l.name, l.zone, l.region, l.external_id,
            l.attributes, l.created_at, w.state as "state: StateRow", w.why, w.outcome as "outcome: OutcomeRow",
            w.priority as "priority: PriorityRow", w.wake_at, w.attempts,
            lower(l.name) as name_key, w.due_at
        from (select client_id, $1::uuid as lead_id from clients offset 0) x
        join leads l on l.client_id = x.client_id and l.lead_id = x.lead_id
        join workflows w on w.client_id = l.client_id and w.lead_id = l.lead_id"#,
        lead.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// How a lead stands, for whoever keeps a list of their own beside.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The lead.
    pub lead: LeadId,
    /// What the sender calls it.
    pub external_id: Option<String>,
    /// The number; `None` once the person was erased.
    pub phone: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// Where it stands.
    pub state: State,
    /// What came of it, once finished.
    pub outcome: Option<Outcome>,
    /// How many attempts were made.
    pub attempts: i16,
    /// What came of the last attempt of which that is known.
    pub last_result: Option<Outcome>,
    /// Waiting: due from then on. Under way: when its timer fires.
    pub wake_at: Option<Moment>,
    /// Why it stands so, as stored.
    pub why: Value,
    /// When its history last grew.
    pub updated_at: Option<Moment>,
}

/// The next `limit` leads of a campaign after `after`, in the order of their ids, with how they stand.
pub async fn standing(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    after: LeadId,
    limit: i64,
) -> Result<Vec<Standing>, StoreError> {
    let rows = sqlx::query!(
        r#"select l.lead_id, l.external_id, l.phone, l.name, w.state as "state: StateRow",
            w.outcome as "outcome: OutcomeRow", w.attempts, a.outcome as "last_result?: OutcomeRow", w.wake_at, w.why,
            e.at as "updated_at?"
        from (
            select * from leads where campaign_id = $2 and lead_id > $3 and client_id = $1
            order by lead_id limit $4) l
        join workflows w on w.client_id = l.client_id and w.lead_id = l.lead_id
        left join lateral (
            select outcome from attempts
            where client_id = l.client_id and lead_id = l.lead_id and outcome is not null
            order by number desc limit 1) a on true
        left join lateral (
            select at from workflow_events
            where client_id = l.client_id and lead_id = l.lead_id
            order by seq desc limit 1) e on true
        order by l.lead_id"#,
        client.0,
        campaign.0,
        after.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    let standing = rows.into_iter().map(|row| Standing {
        lead: LeadId(row.lead_id),
        external_id: row.external_id,
        phone: row.phone,
        name: row.name,
        state: row.state.into(),
        outcome: row.outcome.map(Into::into),
        attempts: row.attempts,
        last_result: row.last_result.map(Into::into),
        wake_at: row.wake_at,
        why: row.why,
        updated_at: row.updated_at,
    });
    Ok(standing.collect())
}
