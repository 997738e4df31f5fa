//! Whose turn it is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use outdial_workflows::ids::{AccountId, CampaignId, ClientId};

/// Whose turn it is: each process counts for itself, and so serves all evenly.
#[derive(Debug, Default)]
pub(in crate::engine) struct Turns {
    /// Which of a client's accounts was served last.
    accounts: Mutex<HashMap<ClientId, AccountId>>,
    /// Where a campaign's next call begins among its numbers.
    numbers: Mutex<HashMap<CampaignId, usize>>,
}

impl Turns {
    /// The account after the one that was served last goes first, so that none takes all of what the client's
    /// limits leave. Looks that served nobody change nothing: one comes after each that did.
    pub(super) fn order(&self, client: ClientId, accounts: &mut [AccountId]) {
        let turns = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = turns.get(&client) else { return };
        accounts.sort_unstable_by_key(|account| account.0);
        let after = accounts.partition_point(|account| account.0 <= last.0);
        accounts.rotate_left(after % accounts.len().max(1));
    }

    pub(super) fn account_was(&self, client: ClientId, account: AccountId) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(client, account);
    }

    pub(super) fn number_of(&self, campaign: CampaignId) -> usize {
        let turns = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        turns.get(&campaign).copied().unwrap_or_default()
    }

    pub(super) fn number_was(&self, campaign: CampaignId, place: usize) {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).insert(campaign, place.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn accounts_are_served_in_turn_however_many_looks_serve_nobody() {
        let (client, turns) = (ClientId(Uuid::from_u128(9)), Turns::default());
        let order = |accounts: &[u128]| {
            let mut accounts: Vec<_> = accounts.iter().map(|id| AccountId(Uuid::from_u128(*id))).collect();
            turns.order(client, &mut accounts);
            accounts.iter().map(|account| account.0.as_u128()).collect::<Vec<_>>()
        };
        let was = |id| turns.account_was(client, AccountId(Uuid::from_u128(id)));
        assert_eq!(order(&[1, 2, 3]), [1, 2, 3]);
        was(1);
        assert_eq!(order(&[1, 2, 3]), [2, 3, 1]);
        assert_eq!(order(&[1, 2, 3]), [2, 3, 1], "nobody was served meanwhile");
        was(3);
        assert_eq!(order(&[1, 2, 3]), [1, 2, 3]);
        was(2);
        assert_eq!(order(&[1, 3]), [3, 1], "the one that was served last is gone");
        assert_eq!(order(&[]), Vec::<u128>::new());
    }
}
