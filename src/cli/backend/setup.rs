//! Clients and accounts.

use outdial_jobs::operations::setup::AccountSpec;
use outdial_jobs::operations::{Part, setup};
use outdial_jobs::providers::AccountCheck;
use outdial_jobs::providers::exotel::{Credentials, Settings};
use outdial_jobs::store;
use outdial_jobs::store::accounts::Account;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::limits::Limit;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::names::{Tenant, tenants};
use super::{Backend, by};
use crate::client::Call;

#[derive(Deserialize)]
struct Client {
    id: ClientId,
    name: String,
}

#[derive(Deserialize)]
struct Made {
    id: AccountId,
}

/// What a test of an account found, as the API tells it.
#[derive(Deserialize)]
struct Tested {
    ok: bool,
    message: String,
}

/// An account to be made.
pub(in crate::cli) struct NewAccount<'a> {
    pub(in crate::cli) name: &'a str,
    pub(in crate::cli) base_url: &'a Url,
    pub(in crate::cli) credentials: Credentials,
    pub(in crate::cli) settings: Settings,
    pub(in crate::cli) limits: Vec<Limit>,
    pub(in crate::cli) without_default_limits: bool,
}

impl Backend<'_> {
    /// Makes an account. The carrier is not asked.
    pub(in crate::cli) async fn add_account(
        &self,
        client: ClientId,
        new: NewAccount<'_>,
    ) -> anyhow::Result<AccountId> {
        let NewAccount { name, base_url, credentials, settings, limits, without_default_limits } = new;
        match self {
            Self::Database(app, actor) => {
                let spec =
                    AccountSpec { name, base_url, credentials, settings, limits, without_default_limits };
                Ok(setup::add_account(&app.engine, client, spec, by(actor, None)).await?)
            }
            Self::Server(server) => {
                let Credentials { account_sid, api_key, api_token } = credentials;
                let call = Call::post(format!("/v1/clients/{client}/accounts")).json(json!({
                    "name": name, "base_url": base_url, "settings": settings, "limits": limits,
                    "without_default_limits": without_default_limits,
                    "credentials": {
                        "account_sid": account_sid, "api_key": api_key, "api_token": api_token.expose_secret(),
                    },
                }));
                Ok(server.read::<Made>(&call).await?.id)
            }
        }
    }

    /// Asks an account's carrier whether it takes its credentials.
    pub(in crate::cli) async fn check_account(
        &self,
        (client, account): (ClientId, AccountId),
    ) -> anyhow::Result<AccountCheck> {
        match self {
            Self::Database(app, _) => Ok(setup::check_account(&app.engine, client, account).await?),
            Self::Server(server) => {
                let Tested { ok, message } =
                    server.read(&Call::post(format!("/v1/accounts/{account}/test"))).await?;
                Ok(AccountCheck { ok, message })
            }
        }
    }

    /// Makes a client.
    pub(in crate::cli) async fn create_client(&self, name: &str) -> anyhow::Result<ClientId> {
        match self {
            Self::Database(app, _) => Ok(setup::create_client(&app.engine, name).await?),
            Self::Server(server) => {
                let call = Call::post("/v1/clients").json(json!({ "name": name }));
                Ok(server.read::<Tenant>(&call).await?.id)
            }
        }
    }

    /// The clients with their names, in no order.
    pub(in crate::cli) async fn clients(&self) -> anyhow::Result<Vec<(ClientId, String)>> {
        match self {
            Self::Database(app, _) => {
                let mut conn = app.engine.pool().acquire().await?;
                Ok(store::clients::list(&mut conn).await?)
            }
            Self::Server(server) => {
                let found: Vec<Client> = server.list("/v1/clients", &[], usize::MAX).await?;
                Ok(found.into_iter().map(|client| (client.id, client.name)).collect())
            }
        }
    }

    /// Accounts, the newest first, of one client or of all; at most so many.
    pub(in crate::cli) async fn accounts(
        &self,
        client: Option<ClientId>,
        most: usize,
    ) -> anyhow::Result<Vec<Account>> {
        let server = match self {
            Self::Database(app, _) => {
                let part = Part::newest(i64::try_from(most).unwrap_or(i64::MAX));
                return Ok(setup::accounts(&app.engine, client, part).await?);
            }
            Self::Server(server) => server,
        };
        let clients = match client {
            Some(client) => vec![client],
            None => tenants(server).await?.into_iter().map(|client| client.id).collect(),
        };
        let mut found: Vec<Account> = vec![];
        for client in clients {
            found.extend(server.list(&format!("/v1/clients/{client}/accounts"), &[], most).await?);
        }
        // Ids begin with the time at which they were made.
        found.sort_by_key(|account| std::cmp::Reverse(account.id));
        found.truncate(most);
        Ok(found)
    }
}
