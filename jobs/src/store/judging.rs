//! What the judge and explanations read: whole stories, page by page, and the world they are judged in.

use std::collections::HashMap;

use outdial_workflows::attempt::Revision;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LeadId};
use outdial_workflows::judge::{AccountWorld, LeadRecord, SuppressionRecord, World};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;
use super::rows::CampaignStateRow;

/// The rules, accounts and suppressions of all clients.
pub async fn world(conn: &mut PgConnection) -> Result<World, StoreError> {
    let mut world = World {
        rules: HashMap::new(),
        accounts: HashMap::new(),
        campaigns: HashMap::new(),
        suppressions: vec![],
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
    for row in sqlx::query!("select account_id, limits, emulated from accounts").fetch_all(&mut *conn).await?
    {
        let limits = serde_json::from_value(row.limits);
        let limits = limits.map_err(|problem| unreadable("accounts", row.account_id, problem))?;
        world.accounts.insert(AccountId(row.account_id), AccountWorld { limits, emulated: row.emulated });
    }
    let states = sqlx::query!(r#"select campaign_id, state as "state: CampaignStateRow" from campaigns"#);
    for row in states.fetch_all(&mut *conn).await? {
        world.campaigns.insert(CampaignId(row.campaign_id), row.state.into());
    }
    let rows = sqlx::query!(
        "select client_id, suppression_id, phone, campaign_id, created_at, expires_at, removed_at from suppressions"
    );
    for row in rows.fetch_all(conn).await? {
        world.suppressions.push(SuppressionRecord {
            client: ClientId(row.client_id),
            phone: row
                .phone
                .parse()
                .map_err(|problem| unreadable("suppressions", row.suppression_id, problem))?,
            campaign: row.campaign_id.map(CampaignId),
            created_at: row.created_at,
            expires_at: row.expires_at,
            removed_at: row.removed_at,
        });
    }
    Ok(world)
}

/// A page of whole stories of a client's leads after `after`; `only` bounds it to one lead.
pub async fn records(
    conn: &mut PgConnection,
    client: ClientId,
    after: LeadId,
    only: Option<LeadId>,
    limit: i64,
) -> Result<Vec<LeadRecord>, StoreError> {
    let seen = super::workflows::page(&mut *conn, client, after, only, limit).await?;
    let ids: Vec<Uuid> = seen.iter().map(|seen| seen.workflow.lead.0).collect();
    let contacts = super::leads::contacts(&mut *conn, client, &ids).await?;
    let mut contacts: HashMap<_, _> = contacts.into_iter().map(|contact| (contact.lead, contact)).collect();
    let mut attempts = by_lead(super::attempts::of_leads(&mut *conn, client, &ids).await?);
    let mut events = by_lead(super::events::of_leads(&mut *conn, client, &ids).await?);
    Ok(seen
        .into_iter()
        .map(|seen| {
            let lead = seen.workflow.lead;
            let contact = contacts.remove(&lead);
            let (phone, zone) = contact.map(|contact| (contact.phone, contact.zone)).unwrap_or_default();
            LeadRecord {
                client,
                lead,
                campaign: seen.workflow.campaign,
                phone,
                zone,
                workflow: seen.workflow,
                quarantined: seen.quarantined,
                attempts: attempts.remove(&lead).unwrap_or_default(),
                events: events.remove(&lead).unwrap_or_default(),
            }
        })
        .collect())
}

fn by_lead<T>(rows: Vec<(LeadId, T)>) -> HashMap<LeadId, Vec<T>> {
    let mut by_lead: HashMap<LeadId, Vec<T>> = HashMap::new();
    for (lead, row) in rows {
        by_lead.entry(lead).or_default().push(row);
    }
    by_lead
}
