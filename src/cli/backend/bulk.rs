//! Orders for many leads, which are carried out in the background.

use outdial_jobs::operations::bulk::{self, Filter, Operation, Preview};
use outdial_jobs::operations::{OperationError, Part};
use outdial_workflows::ids::ClientId;
use outdial_workflows::input::Command;
use serde_json::json;
use uuid::Uuid;

use super::leads::ordered;
use super::names::tenants;
use super::{Backend, by};
use crate::client::Call;

impl Backend<'_> {
    /// How many leads an order would reach.
    pub(in crate::cli) async fn preview_order(
        &self,
        client: ClientId,
        filter: &Filter,
        command: Command,
    ) -> anyhow::Result<Preview> {
        match self {
            Self::Database(app, _) => Ok(bulk::preview(&app.engine, client, filter).await?),
            Self::Server(server) => {
                let mut body = ordered(&command);
                body["filter"] = json!(filter);
                body["dry_run"] = json!(true);
                Ok(server.read(&Call::post(format!("/v1/clients/{client}/operations")).json(body)).await?)
            }
        }
    }

    /// Orders something for all leads that fit.
    pub(in crate::cli) async fn order_many(
        &self,
        client: ClientId,
        filter: &Filter,
        command: Command,
        reason: Option<&str>,
    ) -> anyhow::Result<Operation> {
        match self {
            Self::Database(app, actor) => {
                Ok(bulk::order(&app.engine, client, filter, command, actor, reason).await?)
            }
            Self::Server(server) => {
                let mut body = ordered(&command);
                body["filter"] = json!(filter);
                let call = Call::post(format!("/v1/clients/{client}/operations")).because(reason)?;
                Ok(server.read(&call.json(body)).await?)
            }
        }
    }

    /// The latest orders of all clients, at most so many.
    pub(in crate::cli) async fn operations(&self, most: u8) -> anyhow::Result<Vec<Operation>> {
        match self {
            Self::Database(app, _) => Ok(bulk::list(&app.engine, None, Part::newest(most.into())).await?),
            Self::Server(server) => {
                let mut found: Vec<Operation> = vec![];
                for client in tenants(server).await? {
                    let path = format!("/v1/clients/{}/operations", client.id);
                    found.extend(server.list(&path, &[], most.into()).await?);
                }
                found.sort_by_key(|operation| std::cmp::Reverse(operation.id));
                found.truncate(most.into());
                Ok(found)
            }
        }
    }

    /// The order with this id.
    pub(in crate::cli) async fn operation(&self, given: &str) -> anyhow::Result<Operation> {
        match self {
            Self::Database(app, _) => Ok(bulk::find(&app.engine, given).await?),
            Self::Server(server) => Ok(server.get(&format!("/v1/operations/{}", id(given)?)).await?),
        }
    }

    /// Stops an order.
    pub(in crate::cli) async fn cancel_operation(&self, given: &str) -> anyhow::Result<Operation> {
        match self {
            Self::Database(app, actor) => Ok(bulk::cancel(&app.engine, given, by(actor, None)).await?),
            Self::Server(server) => {
                Ok(server.read(&Call::post(format!("/v1/operations/{}/cancel", id(given)?))).await?)
            }
        }
    }
}

fn id(given: &str) -> Result<Uuid, OperationError> {
    Uuid::try_parse(given)
        .map_err(|_| OperationError::NotFound { kind: "operation", given: given.to_owned() })
}
