//! Files of leads that came: listed, shown, undone. `sending` takes new ones in.

mod sending;

use outdial_jobs::import::{PROBLEMS_KEPT, Summary};
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::bulk::Operation;
use outdial_jobs::operations::imports::{self, Import, ImportState, Note, NoteKind};
use outdial_jobs::store::imports::Counts;
use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Backend, by};
use crate::client::{Call, Client, ClientError};

pub(in crate::cli) use sending::Sending;

/// As many notes as a page of them may hold.
const PAGE: usize = 200;

/// An import, as the API tells it.
#[derive(Deserialize)]
struct Told {
    id: Uuid,
    client: ClientId,
    campaign: CampaignId,
    name: String,
    state: ImportState,
    failed_for: Option<String>,
    line: i64,
    rows: i64,
    accepted: i64,
    duplicates: i64,
    consents: i64,
    problems: i64,
    rest_unread: bool,
    actor: String,
    reason: Option<String>,
    created_at: Moment,
    changed_at: Moment,
}

impl From<Told> for Import {
    fn from(told: Told) -> Self {
        let counts = Counts {
            rows: told.rows,
            accepted: told.accepted,
            duplicates: told.duplicates,
            consents: told.consents,
            problems: told.problems,
            rest_unread: told.rest_unread,
        };
        Self {
            client: told.client,
            id: told.id,
            campaign: told.campaign,
            name: told.name,
            // What the server alone needs to know.
            digest: None,
            options: Value::Null,
            leads: None,
            state: told.state,
            failed_for: told.failed_for,
            line: told.line,
            counts,
            actor: told.actor,
            reason: told.reason,
            created_at: told.created_at,
            changed_at: told.changed_at,
        }
    }
}

#[derive(Deserialize)]
struct Notes {
    items: Vec<Note>,
}

impl Backend<'_> {
    /// A campaign's imports, the latest first, at most so many.
    pub(in crate::cli) async fn imports(
        &self,
        (client, campaign): (ClientId, CampaignId),
        most: u32,
    ) -> anyhow::Result<Vec<Import>> {
        match self {
            Self::Database(app, _) => {
                Ok(imports::list(&app.engine, client, campaign, None, most.into()).await?)
            }
            Self::Server(server) => {
                let path = format!("/v1/campaigns/{campaign}/imports");
                let found: Vec<Told> = server.list(&path, &[], most as usize).await?;
                Ok(found.into_iter().map(Import::from).collect())
            }
        }
    }

    /// The import with this id.
    pub(in crate::cli) async fn import(&self, given: &str) -> anyhow::Result<Import> {
        match self {
            Self::Database(app, _) => Ok(imports::find(&app.engine, given).await?),
            Self::Server(server) => {
                let not_found = |_| OperationError::NotFound { kind: "import", given: given.to_owned() };
                Ok(read(server, Uuid::try_parse(given).map_err(not_found)?).await?)
            }
        }
    }

    /// What came of an import, with the first of its problems, and the one that ended the reading.
    pub(in crate::cli) async fn import_summary(&self, import: &Import) -> anyhow::Result<Summary> {
        match self {
            Self::Database(app, _) => Ok(imports::summary(&app.engine, import).await?),
            Self::Server(server) => Ok(summary(server, import).await?),
        }
    }

    /// What is noted about an import's rows behind the line `after`: the next of it, in order; nothing at the end.
    pub(in crate::cli) async fn import_notes(
        &self,
        import: &Import,
        only: Option<NoteKind>,
        after: i64,
    ) -> anyhow::Result<Vec<Note>> {
        match self {
            Self::Database(app, _) => Ok(imports::notes(&app.engine, import, only, after, 1_000).await?),
            Self::Server(server) => Ok(notes(server, import, only, after).await?),
        }
    }

    /// Undoes an import.
    pub(in crate::cli) async fn undo_import(
        &self,
        import: &Import,
        reason: Option<&str>,
    ) -> anyhow::Result<Operation> {
        match self {
            Self::Database(app, actor) => {
                Ok(imports::undo(&app.engine, &import.id.to_string(), by(actor, reason)).await?)
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/imports/{}/undo", import.id)).because(reason)?;
                Ok(server.read(&call).await?)
            }
        }
    }
}

async fn read(server: &Client, id: Uuid) -> Result<Import, ClientError> {
    Ok(server.get::<Told>(&format!("/v1/imports/{id}")).await?.into())
}

async fn notes(
    server: &Client,
    import: &Import,
    only: Option<NoteKind>,
    after: i64,
) -> Result<Vec<Note>, ClientError> {
    let call = Call::new(Method::GET, format!("/v1/imports/{}/notes", import.id));
    let call = call.query("cursor", after.to_string()).query("limit", PAGE.to_string());
    let call = match only {
        None => call,
        Some(NoteKind::Problem) => call.query("note", "problem"),
        Some(NoteKind::Duplicate) => call.query("note", "duplicate"),
    };
    Ok(server.read::<Notes>(&call).await?.items)
}

/// As [`imports::summary`] makes it.
async fn summary(server: &Client, import: &Import) -> Result<Summary, ClientError> {
    let problem = Some(NoteKind::Problem);
    let (mut problems, mut after): (Vec<Note>, i64) = (vec![], 0);
    while problems.len() < PROBLEMS_KEPT {
        let page = notes(server, import, problem, after).await?;
        let Some(last) = page.last() else { break };
        after = last.line;
        problems.extend(page);
    }
    problems.truncate(PROBLEMS_KEPT);
    if import.counts.rest_unread && problems.last().is_some_and(|last| last.line < import.line) {
        problems.pop();
        problems.extend(notes(server, import, problem, import.line - 1).await?.into_iter().take(1));
    }
    Ok(Summary::of(import, problems))
}
