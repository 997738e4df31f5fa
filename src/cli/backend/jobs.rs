//! Kinds of jobs.

use outdial_jobs::operations::Part;
use outdial_jobs::operations::jobs::{self, Failed, Fits, JobState, Listed};
use outdial_jobs::operations::kinds::{self, Kind};
use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Backend, by};
use crate::client::Call;

/// A job, as the API tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Told {
    pub(in crate::cli) id: Uuid,
    pub(in crate::cli) client: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) kind: Option<String>,
    pub(in crate::cli) state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) lead: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) attempt: Option<i16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) tries: Option<i16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) run_at: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) error: Option<String>,
    pub(in crate::cli) failed: Vec<Failed>,
    pub(in crate::cli) created_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) finished_at: Option<Moment>,
}

impl From<Listed> for Told {
    fn from(job: Listed) -> Self {
        Self {
            id: job.id,
            client: job.client.0,
            kind: job.kind,
            state: job.state.name().to_owned(),
            lead: job.lead.map(|lead| lead.0),
            attempt: job.attempt,
            tries: job.tries,
            run_at: job.run_at,
            error: job.error,
            failed: job.failed,
            created_at: job.created_at,
            finished_at: job.finished_at,
        }
    }
}

/// All kinds, as the API lists them.
#[derive(Deserialize)]
struct Kinds {
    items: Vec<Kind>,
}

impl Backend<'_> {
    /// A client's jobs that fit, the newest first, at most so many.
    pub(in crate::cli) async fn jobs(
        &self,
        client: ClientId,
        fits: Fits<'_>,
        most: usize,
    ) -> anyhow::Result<Vec<Told>> {
        match self {
            Self::Database(app, _) => {
                let part = Part::newest(i64::try_from(most).unwrap_or(i64::MAX));
                let found = jobs::list(&app.engine, client, fits, part).await?;
                Ok(found.into_iter().map(Into::into).collect())
            }
            Self::Server(server) => {
                let asked =
                    [("kind", fits.kind), ("state", fits.state.map(JobState::name)), ("error", fits.error)];
                let query: Vec<_> =
                    asked.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
                Ok(server.list(&format!("/v1/clients/{client}/jobs"), &query, most).await?)
            }
        }
    }

    /// A job.
    pub(in crate::cli) async fn job(&self, job: Uuid) -> anyhow::Result<Told> {
        match self {
            Self::Database(app, _) => Ok(jobs::get(&app.engine, job).await?.into()),
            Self::Server(server) => Ok(server.get(&format!("/v1/jobs/{job}")).await?),
        }
    }

    /// All kinds of jobs, and whether they are paused.
    pub(in crate::cli) async fn job_kinds(&self) -> anyhow::Result<Vec<Kind>> {
        match self {
            Self::Database(app, _) => Ok(kinds::list(&app.engine).await?),
            Self::Server(server) => {
                let Kinds { items } = server.read(&Call::get("/v1/job-kinds")).await?;
                Ok(items)
            }
        }
    }

    /// Has no process begin jobs of a kind.
    pub(in crate::cli) async fn pause_job_kind(
        &self,
        kind: &str,
        reason: Option<&str>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Database(app, actor) => Ok(kinds::pause(&app.engine, kind, by(actor, reason)).await?),
            Self::Server(server) => {
                let call = Call::post(format!("/v1/job-kinds/{kind}/pause")).because(reason)?;
                server.read::<IgnoredAny>(&call).await?;
                Ok(())
            }
        }
    }

    /// Has jobs of a kind begin again.
    pub(in crate::cli) async fn resume_job_kind(
        &self,
        kind: &str,
        reason: Option<&str>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Database(app, actor) => Ok(kinds::resume(&app.engine, kind, by(actor, reason)).await?),
            Self::Server(server) => {
                let call = Call::post(format!("/v1/job-kinds/{kind}/resume")).because(reason)?;
                server.read::<IgnoredAny>(&call).await?;
                Ok(())
            }
        }
    }
}
