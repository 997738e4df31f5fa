//! Clients, campaigns and accounts by name.
//!
//! Counting goes by ids, which are at hand wherever something is counted; people ask by name. So names are put in
//! their place when the metrics are read.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use outdial_workflows::ids::{CampaignId, ClientId};
use prometheus::proto::MetricFamily;
use uuid::Uuid;

/// So many campaigns are told apart by one process; what is counted of further ones stands together under
/// [`OTHERS`], so that no client can fill the memory of whoever keeps the metrics.
const CAMPAIGNS: usize = 500;
/// The name of all further ones.
const OTHERS: &str = "others";
/// Labels whose values are ids.
const NAMED: [&str; 4] = ["client", "campaign", "account", "of"];

/// What is known of names.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_id: Mutex<HashMap<String, String>>,
    campaigns: Mutex<HashSet<(ClientId, CampaignId)>>,
}

impl Names {
    /// The labels of a client and its campaign.
    pub(super) fn labels(&self, client: ClientId, campaign: CampaignId) -> (String, String) {
        let mut campaigns = self.campaigns.lock().unwrap_or_else(PoisonError::into_inner);
        let known = campaigns.contains(&(client, campaign))
            || (campaigns.len() < CAMPAIGNS && campaigns.insert((client, campaign)));
        match known {
            true => (client.to_string(), campaign.to_string()),
            false => (OTHERS.to_owned(), OTHERS.to_owned()),
        }
    }

    /// Campaigns that something is counted of and whose names are not known.
    pub(super) fn unknown(&self) -> Vec<(ClientId, CampaignId)> {
        let by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        let campaigns = self.campaigns.lock().unwrap_or_else(PoisonError::into_inner);
        campaigns.iter().filter(|(_, campaign)| !by_id.contains_key(&campaign.to_string())).copied().collect()
    }

    pub(super) fn learn(&self, names: impl IntoIterator<Item = (Uuid, String)>) {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        by_id.extend(names.into_iter().map(|(id, name)| (id.to_string(), name)));
    }

    /// Puts names for ids. What is not known stays an id.
    pub(super) fn put_into(&self, families: &mut [MetricFamily]) {
        let by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = families.iter_mut().flat_map(|family| family.mut_metric());
        for label in metrics.flat_map(|metric| metric.mut_label()) {
            if NAMED.contains(&label.name())
                && let Some(name) = by_id.get(label.value())
            {
                label.set_value(name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn campaigns_without_number_share_one_label() {
        let names = Names::default();
        let client = ClientId(Uuid::nil());
        let campaign = |n| CampaignId(Uuid::from_u128(n));
        for n in 0..500 {
            assert_eq!(names.labels(client, campaign(n)).1, campaign(n).to_string());
        }
        assert_eq!(names.labels(client, campaign(500)).1, "others");
        assert_eq!(names.labels(client, campaign(7)).1, campaign(7).to_string());
    }
}
