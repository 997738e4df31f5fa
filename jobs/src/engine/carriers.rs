//! The accounts' carriers, opened once and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use outdial_workflows::ids::{AccountId, ClientId};
use sqlx::PgConnection;
use url::Url;

use crate::providers::exotel::{self, Exotel};
use crate::providers::{Provider, SharedCarrier};
use crate::seal::{CannotOpen, SealKey};
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
    Sealed(#[from] CannotOpen),
    /// What is stored of it does not fit its carrier.
    #[error("the account's {what} cannot be read: {problem}")]
    Unreadable {
        /// Which part.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opened carriers, by account and its edit count.
pub struct Carriers {
    key: SealKey,
    http: reqwest::Client,
    opened: Mutex<HashMap<(ClientId, AccountId), (i32, SharedCarrier)>>,
}

impl Carriers {
    pub(super) fn new(key: SealKey) -> Self {
        let http = exotel::http_client().expect("the TLS library takes its own defaults");
        Self { key, http, opened: Mutex::default() }
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

    fn kept(&self, client: ClientId, account: AccountId, version: i32) -> Option<SharedCarrier> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, carrier) = opened.get(&(client, account))?;
        (*kept >= version).then(|| Arc::clone(carrier))
    }

    /// Opens what is stored, without keeping it.
    ///
    /// # Errors
    /// If its credentials cannot be opened or its parts cannot be read.
    pub fn open(&self, client: ClientId, stored: &StoredAccount) -> Result<SharedCarrier, AccountError> {
        let credentials = self.key.open(client, stored.id, &stored.credentials)?;
        let unreadable = |what, problem: String| AccountError::Unreadable { what, problem };
        let base_url = Url::parse(&stored.base_url);
        let base_url = base_url.map_err(|problem| unreadable("address", problem.to_string()))?;
        match stored.provider {
            Provider::Exotel => {
                let credentials = serde_json::from_slice(&credentials);
                let credentials =
                    credentials.map_err(|problem| unreadable("credentials", problem.to_string()))?;
                let settings = serde_json::from_value(stored.settings.clone());
                let settings = settings.map_err(|problem| unreadable("settings", problem.to_string()))?;
                let carrier = Exotel::new(self.http(), base_url, credentials, settings);
                let carrier = carrier.map_err(|problem| unreadable("settings", problem.to_string()))?;
                Ok(Arc::new(carrier))
            }
        }
    }
}
