//! The accounts' carriers, opened once and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use outdial_workflows::ids::{AccountId, ClientId};
use sqlx::PgConnection;
use url::Url;

use crate::providers::{CannotOpen, SharedCarrier, http_client};
use crate::seal::{self, SealKey};
use crate::store::accounts::StoredAccount;
use crate::store::{self, StoreError};

/// An account that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// It does not exist.
    #[error("there is no account {0}")]
    NoSuchAccount(AccountId),
    /// Its credentials cannot be opened.
    #[error(transparent)]
    Sealed(#[from] seal::CannotOpen),
    /// What is stored of it does not fit its carrier.
    #[error("the account cannot be opened: {0}")]
    Unreadable(#[from] CannotOpen),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opened carriers, by account and its edit count.
pub struct Carriers {
    key: SealKey,
    http: reqwest::Client,
    opened: Mutex<HashMap<(ClientId, AccountId), (i32, SharedCarrier)>>,
    /// When it was last looked whether an account is stored anew.
    looked: Mutex<HashMap<(ClientId, AccountId), Option<Instant>>>,
}

/// See [`Carriers::renewed`].
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Carriers {
    pub(super) fn new(key: SealKey) -> Self {
        let http = http_client().expect("the TLS library takes its own defaults");
        Self { key, http, opened: Mutex::default(), looked: Mutex::default() }
    }

    /// The client that all carriers share.
    pub(crate) fn http(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// The carrier of an account at this edit count.
    ///
    /// # Errors
    /// If the account does not exist or cannot be opened.
    pub async fn get(
        &self,
        conn: &mut PgConnection,
        client: ClientId,
        account: AccountId,
        version: i32,
    ) -> Result<SharedCarrier, AccountError> {
        if let Some(carrier) = self.kept(client, account, version) {
            return Ok(carrier);
        }
        let stored = store::accounts::read(conn, client, account).await?;
        let stored = stored.ok_or(AccountError::NoSuchAccount(account))?;
        let carrier = self.open(client, &stored)?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert((client, account), (stored.version, Arc::clone(&carrier)));
        Ok(carrier)
    }

    /// The account's carrier, if what is stored by now is newer than what was opened before. Looks at most
    /// once in [`LOOK_AGAIN`] for an account, so that forged webhooks cost no look-ups.
    pub(super) async fn renewed(
        &self,
        conn: &mut PgConnection,
        client: ClientId,
        account: AccountId,
    ) -> Result<Option<SharedCarrier>, AccountError> {
        let known = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let last = looked.entry((client, account)).or_insert(None);
            if last.is_some_and(|at| at.elapsed() < LOOK_AGAIN) {
                return Ok(None);
            }
            *last = Some(Instant::now());
            let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.get(&(client, account)).map_or(0, |(version, _)| *version)
        };
        match self.get(conn, client, account, known.saturating_add(1)).await {
            Ok(carrier) if self.kept(client, account, known.saturating_add(1)).is_some() => Ok(Some(carrier)),
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn kept(&self, client: ClientId, account: AccountId, version: i32) -> Option<SharedCarrier> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, carrier) = opened.get(&(client, account))?;
        (*kept >= version).then(|| Arc::clone(carrier))
    }

    /// What is stored of an account's credentials, on its way to an adapter.
    pub(crate) fn plain(&self, client: ClientId, stored: &StoredAccount) -> Result<Vec<u8>, AccountError> {
        Ok(self.key.open(client, stored.id, &stored.credentials)?)
    }

    /// Opens what is stored, without keeping it.
    ///
    /// # Errors
    /// If its credentials cannot be opened or its parts cannot be read.
    pub fn open(&self, client: ClientId, stored: &StoredAccount) -> Result<SharedCarrier, AccountError> {
        let credentials = self.key.open(client, stored.id, &stored.credentials)?;
        let base_url = Url::parse(&stored.base_url)
            .map_err(|problem| CannotOpen { place: "address", problem: problem.to_string() })?;
        let open = stored.provider.registered().open;
        Ok(open(self.http(), base_url, &credentials, &stored.settings)?)
    }
}
