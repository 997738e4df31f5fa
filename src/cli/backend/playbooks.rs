//! What our own agent says and asks in calls.

use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::playbooks::{self, Added, Listed};
use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use outdial_workflows::playbook::{Guide, Source, is_name};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Backend, by};
use crate::client::Call;

/// A version of a playbook, as the API tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Kept {
    pub(in crate::cli) name: String,
    pub(in crate::cli) version: u32,
    pub(in crate::cli) kind: Guide,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) created_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) created_by: Option<String>,
}

impl From<Listed> for Kept {
    fn from(Listed { name, version, guide, added }: Listed) -> Self {
        let (created_at, created_by) = added.unzip();
        Self { name, version, kind: guide, created_at, created_by }
    }
}

/// A playbook that was added, as the API tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct AddedPlaybook {
    #[serde(flatten)]
    pub(in crate::cli) kept: Kept,
    pub(in crate::cli) new: bool,
}

/// A playbook with what it says, as the API tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Whole {
    #[serde(flatten)]
    kept: Kept,
    #[serde(flatten)]
    pub(in crate::cli) source: Source,
}

/// Where a playbook is. What is no name would lead elsewhere.
fn path(client: ClientId, name: &str) -> Result<String, OperationError> {
    match is_name(name) {
        true => Ok(format!("/v1/clients/{client}/playbooks/{name}")),
        false => Err(OperationError::NotFound { kind: "playbook", given: name.to_owned() }),
    }
}

impl Backend<'_> {
    /// Adds a version of a playbook.
    pub(in crate::cli) async fn add_playbook(
        &self,
        client: ClientId,
        name: &str,
        source: &Source,
        reason: Option<&str>,
    ) -> anyhow::Result<AddedPlaybook> {
        match self {
            Self::Database(app, actor) => {
                let added =
                    playbooks::add(&app.engine, client, Some(name), source, by(actor, reason)).await?;
                let Added { version, is_new } = added;
                Ok(AddedPlaybook { kept: version.into(), new: is_new })
            }
            Self::Server(server) => {
                let body = json!({ "name": name, "text": source.text, "files": source.files });
                let call = Call::post(format!("/v1/clients/{client}/playbooks")).because(reason)?;
                Ok(server.read(&call.json(body)).await?)
            }
        }
    }

    /// A client's playbooks by name, at most so many.
    pub(in crate::cli) async fn playbooks(&self, client: ClientId, most: u32) -> anyhow::Result<Vec<Kept>> {
        match self {
            Self::Database(app, _) => {
                let found = playbooks::list(&app.engine, client, None, most.into()).await?;
                Ok(found.into_iter().map(Kept::from).collect())
            }
            Self::Server(server) => {
                Ok(server.list(&format!("/v1/clients/{client}/playbooks"), &[], most as usize).await?)
            }
        }
    }

    /// A playbook, in this version or the latest.
    pub(in crate::cli) async fn playbook(
        &self,
        client: ClientId,
        name: &str,
        version: Option<u32>,
    ) -> anyhow::Result<Whole> {
        match self {
            Self::Database(app, _) => {
                let (listed, source) = playbooks::show(&app.engine, client, name, version).await?;
                Ok(Whole { kept: listed.into(), source })
            }
            Self::Server(server) => {
                let call = Call::get(path(client, name)?);
                let call = match version {
                    Some(version) => call.query("version", version.to_string()),
                    None => call,
                };
                Ok(server.read(&call).await?)
            }
        }
    }

    /// The versions of a playbook, the newest first, at most so many.
    pub(in crate::cli) async fn playbook_versions(
        &self,
        client: ClientId,
        name: &str,
        most: u32,
    ) -> anyhow::Result<Vec<Kept>> {
        match self {
            Self::Database(app, _) => {
                let found = playbooks::versions(&app.engine, client, name, None, most.into()).await?;
                Ok(found.into_iter().map(Kept::from).collect())
            }
            Self::Server(server) => {
                let path = format!("{}/versions", path(client, name)?);
                Ok(server.list(&path, &[], most as usize).await?)
            }
        }
    }
}
