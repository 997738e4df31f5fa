//! Kinds of jobs.

use outdial_jobs::operations::kinds::{self, Kind};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Backend, by};
use crate::client::Call;

/// All kinds, as the API lists them.
#[derive(Deserialize)]
struct Kinds {
    items: Vec<Kind>,
}

impl Backend<'_> {
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
