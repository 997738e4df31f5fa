//! What is known of numbers, for the gate: set by set, and only what is needed.

use std::collections::HashMap;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::gate::{Consent, GateFacts, Needs, Tried, needs};
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::Rules;
use sqlx::PgConnection;

use crate::store::campaigns::CampaignFacts;
use crate::store::leads::Contact;
use crate::store::suppressions::Suppression;
use crate::store::{self, StoreError};

/// What the gate is told of a lead before anything is read of its number, and what must be.
pub(crate) fn before_numbers(
    campaign: &CampaignFacts,
    account_ready: bool,
    contact: &Contact,
    rules: Option<&Rules>,
) -> (GateFacts, Needs) {
    let facts = GateFacts {
        campaign: campaign.state,
        account_ready,
        account_emulated: campaign.emulated,
        zone: contact.zone.clone(),
        region: contact.region.clone(),
        phone: contact.phone.clone(),
        ..GateFacts::default()
    };
    let needs = needs(&facts, rules);
    (facts, needs)
}

/// What is known of some numbers of a client.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    suppressed: HashMap<String, Vec<Suppression>>,
    consents: HashMap<String, Vec<Consent>>,
    tried: HashMap<String, Tried>,
}

impl Numbers {
    /// Reads what the gate needs to know of these numbers.
    pub(crate) async fn read(
        conn: &mut PgConnection,
        client: ClientId,
        asked: &[(PhoneNumber, Needs)],
        now: Moment,
    ) -> Result<Self, StoreError> {
        let needing = |needs: fn(&Needs) -> bool| -> Vec<String> {
            asked.iter().filter(|(_, its)| needs(its)).map(|(phone, _)| phone.as_str().to_owned()).collect()
        };
        let mut numbers = Self::default();
        let all = needing(|_| true);
        if !all.is_empty() {
            for row in store::suppressions::of_phones(conn, client, &all).await? {
                numbers.suppressed.entry(row.phone.clone()).or_default().push(row);
            }
        }
        let consents = needing(|needs| needs.consents);
        if !consents.is_empty() {
            for row in store::consents::of_phones(conn, client, &consents).await? {
                numbers.consents.entry(row.phone.as_str().to_owned()).or_default().push(row.consent);
            }
        }
        let tried = needing(|needs| needs.tried);
        if !tried.is_empty() {
            let since = now - TimeDelta::days(Tried::DAYS);
            numbers.tried = store::attempts::tried(conn, client, &tried, since).await?.into_iter().collect();
        }
        Ok(numbers)
    }

    /// Adds what is known of a lead's number to the facts about the lead.
    pub(crate) fn add_to(&self, facts: &mut GateFacts, campaign: CampaignId) {
        let Some(phone) = facts.phone.as_ref().map(PhoneNumber::as_str) else { return };
        let applies = |row: &&Suppression| row.campaign.is_none_or(|bounded| bounded == campaign);
        let suppressed = self.suppressed.get(phone).into_iter().flatten();
        facts.suppressed = suppressed.filter(applies).map(|row| row.expires_at).collect();
        facts.consents = self.consents.get(phone).cloned().unwrap_or_default();
        facts.tried = self.tried.get(phone).cloned().unwrap_or_default();
    }
}
