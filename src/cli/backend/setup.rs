//! Clients and accounts.

use outdial_jobs::operations::{Part, setup};
use outdial_jobs::store;
use outdial_jobs::store::accounts::Account;
use outdial_workflows::ids::ClientId;
use serde::Deserialize;
use serde_json::json;

use super::Backend;
use super::names::{Tenant, tenants};
use crate::client::Call;

#[derive(Deserialize)]
struct Client {
    id: ClientId,
    name: String,
}

impl Backend<'_> {
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
