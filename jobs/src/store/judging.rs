//! What the judge and explanations read: whole stories, page by page, and the world they are judged in.

use std::collections::HashMap;

use outdial_workflows::attempt::{Attempt, Revision};
use outdial_workflows::call::CallerId;
use outdial_workflows::history::Recorded;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LeadId};
use outdial_workflows::judge::{AccountWorld, Bounds, LeadRecord, SuppressionRecord, World};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::workflow::Workflow;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;
use super::rows::{CampaignStateRow, Lenient};
use super::workflows::Seen;

/// The rules, accounts, suppressions and consents of all clients, and those rows of theirs that cannot be read.
pub async fn world(conn: &mut PgConnection) -> Result<(World, Vec<StoreError>), StoreError> {
    let mut unreadable_rows = vec![];
    let mut world = World {
        rules: HashMap::new(),
        accounts: HashMap::new(),
        clients: HashMap::new(),
        numbers: HashMap::new(),
        campaigns: HashMap::new(),
        suppressions: vec![],
        consents: Some(HashMap::new()),
    };
    for row in sqlx::query!("select campaign_id, revision, rules from campaign_revisions")
        .fetch_all(&mut *conn)
        .await?
    {
        // Rules that cannot be read are missing: an attempt made under them is then a violation.
        if let Ok(rules) = serde_json::from_value(row.rules) {
            world.rules.insert((CampaignId(row.campaign_id), Revision(row.revision)), rules);
        }
    }
    let mut bounds = |table, id, limits, since| {
        let limits = serde_json::from_value(limits).unwrap_or_else(|problem| {
            unreadable_rows.push(unreadable(table, id, problem));
            vec![]
        });
        Bounds { limits, since }
    };
    let rows = sqlx::query!("select account_id, limits, limits_since, emulated from accounts");
    for row in rows.fetch_all(&mut *conn).await? {
        let bounds = bounds("accounts", row.account_id, row.limits, row.limits_since);
        world.accounts.insert(AccountId(row.account_id), AccountWorld { bounds, emulated: row.emulated });
    }
    let rows = sqlx::query!("select client_id, limits, limits_since from clients where limits <> '[]'");
    for row in rows.fetch_all(&mut *conn).await? {
        let bounds = bounds("clients", row.client_id, row.limits, row.limits_since);
        world.clients.insert(ClientId(row.client_id), bounds);
    }
    let rows =
        sqlx::query!("select account_id, number, limits, limits_since from numbers where limits <> '[]'");
    for row in rows.fetch_all(&mut *conn).await? {
        let bounds = bounds("numbers", row.account_id, row.limits, row.limits_since);
        world.numbers.insert((AccountId(row.account_id), CallerId(row.number)), bounds);
    }
    let states =
        sqlx::query!(r#"select campaign_id, state as "state: Lenient<CampaignStateRow>" from campaigns"#);
    for row in states.fetch_all(&mut *conn).await? {
        match row.state.read("campaigns", row.campaign_id) {
            Ok(state) => drop(world.campaigns.insert(CampaignId(row.campaign_id), state.into())),
            Err(error) => unreadable_rows.push(error),
        }
    }
    let rows = sqlx::query!(
        "select client_id, suppression_id, phone, campaign_id, created_at, expires_at, removed_at from suppressions"
    );
    for row in rows.fetch_all(&mut *conn).await? {
        match row.phone.parse() {
            Ok(phone) => world.suppressions.push(SuppressionRecord {
                client: ClientId(row.client_id),
                phone,
                campaign: row.campaign_id.map(CampaignId),
                created_at: row.created_at,
                expires_at: row.expires_at,
                removed_at: row.removed_at,
            }),
            Err(problem) => {
                unreadable_rows.push(unreadable("suppressions", row.suppression_id, problem));
            }
        }
    }
    let consents = world.consents.get_or_insert_default();
    for row in super::consents::all(conn).await? {
        match row {
            Ok((client, row)) => consents.entry((client, row.phone)).or_default().push(row.consent),
            Err(error) => unreadable_rows.push(error),
        }
    }
    Ok((world, unreadable_rows))
}

/// What is stored of a lead, as far as this version can read it.
#[derive(Debug)]
pub struct Stored {
    /// The tenant.
    pub client: ClientId,
    /// The lead.
    pub lead: LeadId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The number; `None` once erased, or if it cannot be read.
    pub phone: Option<PhoneNumber>,
    /// The zone as it was given.
    pub zone: Option<String>,
    /// The region as it was given.
    pub region: Option<String>,
    /// The state; `None` if it cannot be read.
    pub workflow: Option<Workflow>,
    /// Whether it is in quarantine.
    pub quarantined: bool,
    /// Those attempts that can be read, by number.
    pub attempts: Vec<Attempt>,
    /// Those events that can be read, by seq.
    pub events: Vec<Recorded>,
    /// What cannot be read, each naming its row.
    pub unreadable: Vec<StoreError>,
}

impl Stored {
    /// The lead's whole record, if all of it can be read.
    ///
    /// # Errors
    /// What cannot be read: at least one row.
    pub fn whole(self) -> Result<LeadRecord, Vec<StoreError>> {
        match self.workflow {
            Some(workflow) if self.unreadable.is_empty() => Ok(LeadRecord {
                client: self.client,
                lead: self.lead,
                campaign: self.campaign,
                phone: self.phone,
                zone: self.zone,
                region: self.region,
                workflow,
                quarantined: self.quarantined,
                attempts: self.attempts,
                events: self.events,
            }),
            Some(_) | None => Err(self.unreadable),
        }
    }
}

/// A page of what is stored of a client's leads after `after`; `only` bounds it to one lead. A row
/// that cannot be read spoils its own lead alone. All of it is read as of one moment: leads go on meanwhile,
/// and a workflow of before an event would not agree with a history of after it.
pub async fn stored(
    conn: &mut PgConnection,
    client: ClientId,
    after: LeadId,
    only: Option<LeadId>,
    limit: i64,
) -> Result<Vec<Stored>, StoreError> {
    let mut moment = conn.begin_with("begin isolation level repeatable read, read only").await?;
    let seen = super::workflows::page(&mut moment, client, after, only, limit).await?;
    let ids: Vec<Uuid> = seen.iter().map(|seen| seen.lead.0).collect();
    let mut unreadable: HashMap<LeadId, Vec<StoreError>> = HashMap::new();
    let contacts = super::leads::load(&mut moment, client, &ids).await?.into_iter();
    let contacts = contacts.map(|contact| contact.map(|contact| (contact.lead, contact))).collect();
    let mut contacts = by_lead(contacts, &mut unreadable);
    let mut attempts = by_lead(super::attempts::of_leads(&mut moment, client, &ids).await?, &mut unreadable);
    let mut events = by_lead(super::events::of_leads(&mut moment, client, &ids).await?, &mut unreadable);
    moment.commit().await?;
    let mut stored = |seen: Seen| {
        let lead = seen.lead;
        let contact = contacts.remove(&lead).and_then(|mut contacts| contacts.pop());
        let told = contact.map(|contact| (contact.phone, contact.zone, contact.region));
        let (phone, zone, region) = told.unwrap_or_default();
        let mut unreadable = unreadable.remove(&lead).unwrap_or_default();
        let workflow = seen.workflow.map_err(|error| unreadable.insert(0, error)).ok();
        Stored {
            client,
            lead,
            campaign: seen.campaign,
            phone,
            zone,
            region,
            workflow,
            quarantined: seen.quarantined,
            attempts: attempts.remove(&lead).unwrap_or_default(),
            events: events.remove(&lead).unwrap_or_default(),
            unreadable,
        }
    };
    Ok(seen.into_iter().map(&mut stored).collect())
}

type Read<T> = Result<(LeadId, T), (LeadId, StoreError)>;

fn by_lead<T>(
    rows: Vec<Read<T>>,
    unreadable: &mut HashMap<LeadId, Vec<StoreError>>,
) -> HashMap<LeadId, Vec<T>> {
    let mut by_lead: HashMap<LeadId, Vec<T>> = HashMap::new();
    for row in rows {
        match row {
            Ok((lead, row)) => by_lead.entry(lead).or_default().push(row),
            Err((lead, error)) => unreadable.entry(lead).or_default().push(error),
        }
    }
    by_lead
}
