//! `outdial job`: kinds of jobs.

use std::process::ExitCode;

use clap::Subcommand;
use outdial_jobs::operations::jobs::{Fits, JobState};
use outdial_workflows::Moment;
use serde_json::json;
use uuid::Uuid;

use super::backend::Backend;
use super::output::{Output, table};

#[derive(Subcommand, Debug)]
pub(super) enum JobCommand {
    /// List a client's jobs: live and put aside; with --state done, dropped or discarded those that are over. They are kept
    /// for a week, if they failed before or are of no lead: a step that went well at once is told by its lead's history.
    List {
        /// Whose, by name or id.
        #[arg(long)]
        client: String,
        /// Only those of this kind, as deliver.v1.
        #[arg(long)]
        kind: Option<String>,
        /// Only those that stand so: waiting, running, backing_off, quarantined, done, dropped, discarded.
        #[arg(long)]
        state: Option<JobState>,
        /// Only those with this in an error.
        #[arg(long)]
        error: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        most: usize,
    },
    /// Show a job, with each of its tries that failed.
    Show {
        /// Its id.
        job: Uuid,
    },
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

fn at(at: Moment) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

pub(super) async fn run(to: &Backend<'_>, command: JobCommand, output: &Output) -> anyhow::Result<ExitCode> {
    match command {
        JobCommand::List { client, kind, state, error, most } => {
            let client = to.find_client(&client).await?;
            let fits = Fits { kind: kind.as_deref(), state, error: error.as_deref() };
            let jobs = to.jobs(client, fits, most).await?;
            let rows = jobs.iter().map(|job| {
                let tries = job.tries.map(|tries| tries.to_string()).unwrap_or_default();
                vec![
                    job.id.to_string(),
                    job.kind.clone().unwrap_or_else(|| "a lead put aside".into()),
                    job.state.clone(),
                    at(job.finished_at.or(job.run_at).unwrap_or(job.created_at)),
                    tries,
                    job.error.clone().unwrap_or_default(),
                ]
            });
            output.say(table(&["id", "kind", "state", "at", "tries", "error"], rows), &jobs);
        }
        JobCommand::Show { job } => {
            let job = to.job(job).await?;
            let mut text = format!(
                "{} {}\nqueued {}",
                job.kind.as_deref().unwrap_or("a lead put aside"),
                job.state,
                at(job.created_at)
            );
            if let Some(over) = job.finished_at {
                text += &format!(", over {}", at(over));
            }
            if let Some(lead) = job.lead {
                text += &format!("\nlead {lead}");
            }
            for failed in &job.failed {
                text += &format!("\ntry {} failed {}: {}", failed.number, at(failed.at), failed.error);
            }
            output.say(text, &job);
        }
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
