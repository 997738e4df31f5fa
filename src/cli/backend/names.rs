//! What people call things, and what those are.
//!
//! Names are looked for in the lists of every client that the key may see. Something that looks like an id is
//! taken for one first.

use futures_util::stream::{StreamExt, TryStreamExt, iter};
use outdial_jobs::operations::{OperationError, campaigns, leads, setup};
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LeadId};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Backend;
use crate::client::{Call, Client, ClientError};

/// So many clients' lists are looked into at once.
const AT_ONCE: usize = 8;
/// Two would be too many already.
const ENOUGH: usize = 2;

/// Something, and whose it is.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Owned {
    id: Uuid,
    client: Uuid,
}

#[derive(Deserialize)]
struct Found {
    items: Vec<Owned>,
}

/// A client; it is nobody's.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Tenant {
    pub(super) id: ClientId,
}

impl Backend<'_> {
    /// The client with this id or name.
    pub(in crate::cli) async fn find_client(&self, given: &str) -> anyhow::Result<ClientId> {
        let server = match self {
            Self::Database(app, _) => return Ok(setup::find_client(&app.engine, given).await?),
            Self::Server(client) => client,
        };
        if let Some(found) = by_id::<Tenant>(server, "/v1/clients", given).await? {
            return Ok(found.id);
        }
        let found: Vec<Tenant> = server.list("/v1/clients", &[("name", given)], ENOUGH).await?;
        Ok(the_one("client", given, &found)?.id)
    }

    /// The campaign with this id or name, and whose it is.
    pub(in crate::cli) async fn find_campaign(&self, given: &str) -> anyhow::Result<(ClientId, CampaignId)> {
        match self {
            Self::Database(app, _) => Ok(campaigns::find(&app.engine, given).await?),
            Self::Server(server) => {
                let Owned { id, client } = owned(server, "campaign", given).await?;
                Ok((ClientId(client), CampaignId(id)))
            }
        }
    }

    /// The account with this id or name, and whose it is.
    pub(in crate::cli) async fn find_account(&self, given: &str) -> anyhow::Result<(ClientId, AccountId)> {
        match self {
            Self::Database(app, _) => Ok(setup::find_account(&app.engine, given).await?),
            Self::Server(server) => {
                let Owned { id, client } = owned(server, "account", given).await?;
                Ok((ClientId(client), AccountId(id)))
            }
        }
    }

    /// The lead with this id, external id or number, and whose it is.
    pub(in crate::cli) async fn find_lead(&self, given: &str) -> anyhow::Result<(ClientId, LeadId)> {
        match self {
            Self::Database(app, _) => {
                let person = leads::find(&app.engine, given).await?;
                Ok((person.client, person.lead))
            }
            Self::Server(server) => {
                let call = Call::new(Method::GET, "/v1/leads").query("named", given);
                let found: Found = server.read(&call).await?;
                let Owned { id, client } = the_one("lead", given, &found.items)?;
                Ok((ClientId(client), LeadId(id)))
            }
        }
    }
}

/// All clients that the key may see.
pub(super) async fn tenants(server: &Client) -> Result<Vec<Tenant>, ClientError> {
    server.list("/v1/clients", &[], usize::MAX).await
}

async fn owned(server: &Client, kind: &'static str, given: &str) -> anyhow::Result<Owned> {
    if let Some(found) = by_id(server, &format!("/v1/{kind}s"), given).await? {
        return Ok(found);
    }
    let paths = tenants(server).await?.into_iter().map(|client| format!("/v1/clients/{}/{kind}s", client.id));
    let lists = paths.map(async |path: String| server.list::<Owned>(&path, &[("name", given)], ENOUGH).await);
    let lists: Vec<_> = lists.collect();
    let found: Vec<Vec<Owned>> = iter(lists).buffered(AT_ONCE).try_collect().await?;
    Ok(the_one(kind, given, &found.concat())?)
}

/// What has this id, if it is one.
async fn by_id<T: DeserializeOwned>(
    server: &Client,
    path: &str,
    given: &str,
) -> Result<Option<T>, ClientError> {
    let Ok(id) = Uuid::try_parse(given) else { return Ok(None) };
    match server.get(&format!("{path}/{id}")).await {
        Ok(found) => Ok(Some(found)),
        Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Exactly one, or the reason why not, in the words of the database's own commands.
fn the_one<T: Copy>(kind: &'static str, given: &str, found: &[T]) -> Result<T, OperationError> {
    match found {
        [one] => Ok(*one),
        [] => Err(OperationError::NotFound { kind, given: given.to_owned() }),
        [_, ..] => Err(OperationError::Ambiguous { kind, given: given.to_owned() }),
    }
}
