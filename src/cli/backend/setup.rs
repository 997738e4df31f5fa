//! Clients and accounts.

use outdial_jobs::operations::setup::AccountSpec;
use outdial_jobs::operations::{Part, setup};
use outdial_jobs::providers::{AccountCheck, Provider};
use outdial_jobs::store;
use outdial_jobs::store::accounts::Account;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::limits::Limit;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
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

/// How a rotation went, as the API tells it.
#[derive(Deserialize)]
struct Rotated {
    test: Option<Tested>,
}

#[derive(Deserialize)]
struct Enabled {
    changed: bool,
}

/// Credentials on their way to the server.
fn plain(credentials: &SecretString) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(credentials.expose_secret())?)
}

/// An account to be made.
pub(in crate::cli) struct NewAccount<'a> {
    pub(in crate::cli) name: &'a str,
    pub(in crate::cli) provider: Provider,
    pub(in crate::cli) base_url: Option<&'a Url>,
    pub(in crate::cli) credentials: &'a SecretString,
    pub(in crate::cli) settings: Value,
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
        let NewAccount { name, provider, base_url, credentials, settings, limits, without_default_limits } =
            new;
        match self {
            Self::Database(app, actor) => {
                let credentials = credentials.clone();
                let spec = AccountSpec {
                    name,
                    provider,
                    base_url,
                    credentials,
                    settings,
                    limits,
                    without_default_limits,
                };
                Ok(setup::add_account(&app.engine, client, spec, by(actor, None)).await?)
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/clients/{client}/accounts")).json(json!({
                    "name": name, "provider": provider, "base_url": base_url, "settings": settings,
                    "limits": limits, "without_default_limits": without_default_limits,
                    "credentials": plain(credentials)?,
                }));
                Ok(server.read::<Made>(&call).await?.id)
            }
        }
    }

    /// The account with this id.
    pub(in crate::cli) async fn account(
        &self,
        (_, account): (ClientId, AccountId),
    ) -> anyhow::Result<Account> {
        match self {
            Self::Database(app, _) => Ok(setup::account(&app.engine, account).await?),
            Self::Server(server) => Ok(server.read(&Call::get(format!("/v1/accounts/{account}"))).await?),
        }
    }

    /// Replaces an account's credentials; unless `untested`, once the carrier takes them.
    pub(in crate::cli) async fn rotate_credentials(
        &self,
        (client, account): (ClientId, AccountId),
        credentials: &SecretString,
        untested: bool,
    ) -> anyhow::Result<Option<AccountCheck>> {
        match self {
            Self::Database(app, actor) => {
                let by = by(actor, None);
                let rotated =
                    setup::rotate_credentials(&app.engine, client, account, credentials, untested, by);
                Ok(rotated.await?)
            }
            Self::Server(server) => {
                let call = Call::put(format!("/v1/accounts/{account}/credentials"))
                    .json(json!({ "credentials": plain(credentials)?, "untested": untested }));
                let Rotated { test } = server.read(&call).await?;
                Ok(test.map(|Tested { ok, message }| AccountCheck { ok, message }))
            }
        }
    }

    /// Replaces what an account's adapter needs besides credentials.
    pub(in crate::cli) async fn change_settings(
        &self,
        (client, account): (ClientId, AccountId),
        settings: &Value,
    ) -> anyhow::Result<()> {
        match self {
            Self::Database(app, actor) => {
                let by = by(actor, None);
                Ok(setup::change_settings(&app.engine, client, account, settings, by).await?)
            }
            Self::Server(server) => {
                let call = Call::put(format!("/v1/accounts/{account}/settings")).json(settings.clone());
                server.read::<Value>(&call).await?;
                Ok(())
            }
        }
    }

    /// Lets an account dial, or not.
    pub(in crate::cli) async fn enable_account(
        &self,
        (client, account): (ClientId, AccountId),
        enabled: bool,
        reason: Option<&str>,
    ) -> anyhow::Result<bool> {
        match self {
            Self::Database(app, actor) => {
                let by = by(actor, reason);
                Ok(setup::enable_account(&app.engine, client, account, enabled, by).await?)
            }
            Self::Server(server) => {
                let word = if enabled { "enable" } else { "disable" };
                let call =
                    Call::post(format!("/v1/accounts/{account}/{word}")).json(json!({ "reason": reason }));
                Ok(server.read::<Enabled>(&call).await?.changed)
            }
        }
    }

    /// Asks an account's carrier whether it takes its credentials.
    pub(in crate::cli) async fn check_account(
        &self,
        (client, account): (ClientId, AccountId),
    ) -> anyhow::Result<AccountCheck> {
        match self {
            Self::Database(app, actor) => {
                Ok(setup::check_account(&app.engine, client, account, by(actor, None)).await?)
            }
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
