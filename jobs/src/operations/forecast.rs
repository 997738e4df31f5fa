//! How a campaign would go: played through on paper, with its own leads and rules.

use std::collections::BTreeMap;

use outdial_workflows::Moment;
use outdial_workflows::calendar::Calendar;
use outdial_workflows::gate::{GateFacts, whereabouts};
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::limits::{Limit, pooled};
use outdial_workflows::places::Whereabouts;
use outdial_workflows::rules::Rules;
use outdial_workflows::simulate::{Assumed, Crowd, Simulated, simulate as play};
use outdial_workflows::workflow::State;
use uuid::Uuid;

use super::{OperationError, bulk, campaigns};
use crate::engine::Engine;
use crate::store::bulk::{Place, Standing};
use crate::store::leads::Contact;
use crate::store::{self, StoreError};

/// Plays a campaign through from now on, as if it were started; nothing is written, and nobody is
/// called. `progress` is told how many leads have been read.
///
/// # Errors
/// If the campaign does not exist, or its rules or limits cannot be read.
pub async fn simulate(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    assumed: Assumed,
    mut progress: impl FnMut(u64),
) -> Result<Simulated, OperationError> {
    let (_, rules) = campaigns::rules(engine, client, campaign).await?;
    let limits = limits(engine, client, campaign, &rules).await?;
    let now = engine.now().await?;
    let mut crowds = Crowds { rules: &rules, now, due: BTreeMap::new(), held: BTreeMap::new() };
    let (mut after, mut read) = (Place(campaign, LeadId(Uuid::nil())), 0);
    loop {
        let (page, contacts) = page(engine, client, after, campaign).await?;
        let Some(last) = page.last() else { break };
        after = last.place;
        read += page.len() as u64;
        crowds.add(&page, contacts);
        progress(read);
    }
    let (rules, held) = (rules.clone(), crowds.held);
    let crowds = crowds.due.into_iter().map(|(place, due)| Crowd { place, due }).collect();
    let played = tokio::task::spawn_blocking(move || play(&rules, &limits, crowds, assumed, now));
    let mut played =
        played.await.map_err(|_| OperationError::NotPossible("the simulation broke off".into()))?;
    for (why, leads) in held {
        played.leads += leads;
        *played.held.entry(why).or_default() += leads;
    }
    Ok(played)
}

async fn page(
    engine: &Engine,
    client: ClientId,
    after: Place,
    campaign: CampaignId,
) -> Result<(Vec<Standing>, Vec<Contact>), StoreError> {
    store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let page = store::bulk::walk(&mut conn, client, after, campaign, bulk::PAGE).await?;
        let ids: Vec<Uuid> = page.iter().map(|lead| lead.place.1.0).collect();
        let contacts = store::leads::contacts(&mut conn, client, &ids).await?;
        Ok((page, contacts))
    })
    .await
}

/// All that hold for the campaign: its own, and those of its numbers, its account and its client.
async fn limits(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    rules: &Rules,
) -> Result<Vec<Limit>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let not_found = |kind| OperationError::NotFound { kind, given: campaign.to_string() };
    let facts = store::campaigns::facts(&mut conn, client, &[campaign.0]).await?.pop();
    let facts = facts.ok_or_else(|| not_found("campaign"))?;
    let account = store::accounts::read(&mut conn, client, facts.account).await?;
    let account = account.ok_or_else(|| not_found("account of campaign"))?;
    let clients = store::clients::limits(&mut conn, client).await?;
    let clients = clients.ok_or_else(|| not_found("client of campaign"))?;
    let numbers = store::numbers::of_account(&mut conn, client, facts.account).await?;
    let parsed = |limits: serde_json::Value, whose: &str| {
        let limits = serde_json::from_value::<Vec<Limit>>(limits);
        limits.map_err(|_| OperationError::NotPossible(format!("the limits of the {whose} cannot be read")))
    };
    let of_pool = rules.caller_ids.iter().map(|number| {
        let known = numbers.iter().find(|known| known.number == *number);
        known.map_or(Ok(vec![]), |known| parsed(known.limits.clone(), &format!("number {number}")))
    });
    let mut limits = pooled(&of_pool.collect::<Result<Vec<_>, _>>()?);
    limits.extend(parsed(account.limits, "account")?);
    limits.extend(parsed(clients, "client")?);
    limits.extend(rules.limits.iter().copied());
    Ok(limits)
}

/// Leads by where they may be.
struct Crowds<'a> {
    rules: &'a Rules,
    now: Moment,
    due: BTreeMap<Option<Whereabouts>, Vec<Moment>>,
    held: BTreeMap<String, u64>,
}

impl Crowds<'_> {
    fn add(&mut self, page: &[Standing], contacts: Vec<Contact>) {
        let standing: BTreeMap<LeadId, &Standing> = page.iter().map(|lead| (lead.place.1, lead)).collect();
        for contact in contacts {
            let Some(lead) = standing.get(&contact.lead) else { continue };
            match lead.state {
                State::Waiting => {
                    let due = lead.wake_at.unwrap_or(self.now).max(self.now);
                    self.wait(contact, due);
                }
                State::Held => self.hold(format!("held already: {}", lead.why.replace('_', " "))),
                State::Dialling | State::Calling | State::Settling | State::Finished => {}
            }
        }
    }

    fn wait(&mut self, contact: Contact, due: Moment) {
        if self.rules.calendar == Calendar::Open {
            return self.due.entry(None).or_default().push(due);
        }
        let facts = GateFacts {
            zone: contact.zone,
            region: contact.region,
            phone: contact.phone,
            ..GateFacts::default()
        };
        match whereabouts(&facts, self.rules.zone) {
            Ok(place) => self.due.entry(Some(place)).or_default().push(due),
            Err(why) => self.hold(why.to_string()),
        }
    }

    fn hold(&mut self, why: String) {
        *self.held.entry(why).or_default() += 1;
    }
}
