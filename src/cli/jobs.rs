//! `outdial job`: kinds of jobs.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::backend::Backend;
use super::output::{Output, table};

#[derive(Subcommand, Debug)]
pub(super) enum JobCommand {
    /// List the kinds of jobs, and which are paused.
    Kinds,
    /// Have no process begin jobs of a kind until it is resumed. Those that run go on.
    Pause {
        /// The kind, as deliver.v1.
        kind: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Have jobs of a kind begin again.
    Resume {
        /// The kind, as deliver.v1.
        kind: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(super) async fn run(to: &Backend<'_>, command: JobCommand, output: &Output) -> anyhow::Result<ExitCode> {
    match command {
        JobCommand::Kinds => {
            let kinds = to.job_kinds().await?;
            let rows = kinds.iter().map(|kind| {
                let state = match (&kind.paused_at, &kind.paused_by) {
                    (Some(at), Some(by)) => format!("paused since {at} by {by}"),
                    _ => String::new(),
                };
                vec![
                    kind.kind.clone(),
                    kind.slots.to_string(),
                    state,
                    kind.reason.clone().unwrap_or_default(),
                ]
            });
            output.say(table(&["kind", "slots a process", "", "why"], rows), &kinds);
        }
        JobCommand::Pause { kind, reason } => {
            to.pause_job_kind(&kind, reason.as_deref()).await?;
            let value = json!({ "kind": kind, "paused": true });
            output.say(format!("{kind}: paused; those that run go on, and what is queued waits"), &value);
        }
        JobCommand::Resume { kind, reason } => {
            to.resume_job_kind(&kind, reason.as_deref()).await?;
            output.say(format!("{kind}: goes on"), &json!({ "kind": kind, "paused": false }));
        }
    }
    Ok(ExitCode::SUCCESS)
}
