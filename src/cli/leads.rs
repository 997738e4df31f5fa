//! `outdial leads`, `outdial lead` and `outdial judge`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use outdial_jobs::operations::consents::ConsentSpec;
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_jobs::operations::{campaigns, leads};
use outdial_workflows::input::{Answer, Command};
use outdial_workflows::packs::ConsentLevel;
use outdial_workflows::workflow::Priority;
use serde_json::json;

use super::consents::consent;
use super::orders::{Many, moment};
use super::output::{Output, columns};
use crate::app::App;
use outdial_jobs::import;

#[derive(Subcommand, Debug)]
pub(super) enum LeadsCommand {
    /// Import a CSV file into a campaign. Bad rows are reported and the good ones go in; the same
    /// file twice adds nothing.
    Import(Import),
    /// Hold leads until resumed. Calls under way go on.
    #[command(visible_alias = "hold")]
    Pause(Many),
    /// Let leads go again.
    #[command(visible_alias = "release")]
    Resume(Many),
    /// End leads. Calls under way go on, and no others follow.
    Cancel(Many),
    /// Try leads (again) now, with the policy's attempts granted anew.
    Retry(Many),
    /// Call leads at another time.
    Reschedule {
        /// When: as 2026-01-14T10:00:00+05:30, or as 2h for two hours from now.
        #[arg(long)]
        at: String,
        #[command(flatten)]
        leads: Many,
    },
    /// Change how soon leads are called among those that are due.
    Prioritise {
        /// The new priority: urgent, high, normal, low.
        #[arg(long)]
        to: Priority,
        #[command(flatten)]
        leads: Many,
    },
}

#[derive(Args, Debug)]
pub(super) struct Import {
    /// The file, with a header line.
    file: PathBuf,
    /// The campaign, by name or id.
    #[arg(long)]
    campaign: String,
    /// The country of numbers without a country code, as IN.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What the people agreed to, where their rows say nothing of it: express or written.
    #[arg(long, value_name = "LEVEL", value_parser = consent, requires = "consent_source")]
    consent: Option<ConsentLevel>,
    /// Where that can be proved, as 'form of 12 March'.
    #[arg(long, value_name = "TEXT", requires = "consent")]
    consent_source: Option<String>,
    /// When they agreed, as 2026-01-14T10:00:00+05:30 or 2026-01-14. Without it consent counts from now, and
    /// only for people who never took it back.
    #[arg(long, value_name = "TIME", requires = "consent")]
    consent_at: Option<String>,
    /// When it ends, written likewise.
    #[arg(long, value_name = "TIME", requires = "consent")]
    consent_expires: Option<String>,
    /// Check the file, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    fn consent(&self) -> anyhow::Result<Option<ConsentSpec>> {
        let Some(level) = self.consent else { return Ok(None) };
        let time = |given: &Option<String>| given.as_deref().map(import::moment).transpose();
        let consent = ConsentSpec {
            level,
            purpose: None,
            source: self.consent_source.clone().unwrap_or_default(),
            given_at: time(&self.consent_at).map_err(anyhow::Error::msg).context("--consent-at")?,
            expires_at: time(&self.consent_expires)
                .map_err(anyhow::Error::msg)
                .context("--consent-expires")?,
        };
        consent.check().map_err(anyhow::Error::msg)?;
        Ok(Some(consent))
    }
}

pub(super) async fn many(
    app: &App,
    command: LeadsCommand,
    actor: &str,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let (leads, command) = match command {
        LeadsCommand::Import(import) => return import_file(app, &import, actor, output).await,
        LeadsCommand::Pause(leads) => (leads, Command::Pause),
        LeadsCommand::Resume(leads) => (leads, Command::Resume),
        LeadsCommand::Cancel(leads) => (leads, Command::Cancel),
        LeadsCommand::Retry(leads) => (leads, Command::Retry),
        LeadsCommand::Reschedule { at, leads } => {
            (leads, Command::Reschedule { at: moment(&at, app.engine.now().await?)? })
        }
        LeadsCommand::Prioritise { to, leads } => (leads, Command::Prioritise { priority: to }),
    };
    leads.order(app, command, actor, output).await?;
    Ok(ExitCode::SUCCESS)
}

async fn import_file(app: &App, import: &Import, actor: &str, output: &Output) -> anyhow::Result<ExitCode> {
    let (client, campaign) = campaigns::find(&app.engine, &import.campaign).await?;
    let file = std::fs::File::open(&import.file);
    let file = file.with_context(|| format!("cannot read {}", import.file.display()))?;
    let bar = spinner(output, "leads read");
    let (default_region, consent) = (import.region.clone(), import.consent()?);
    let options = import::Options { default_region, consent, ..import::Options::default() };
    let rows = import::read(file, &options).with_context(|| import.file.display().to_string())?;
    let progress = |summary: &import::Summary| bar.set_position(summary.rows);
    let summary =
        import::import(&app.engine, client, campaign, rows, import.dry_run, actor, progress).await?;
    bar.finish_and_clear();
    output.say(&summary, &summary);
    let nothing = summary.accepted == 0 && summary.duplicates == 0 && summary.problems_total > 0;
    Ok(if nothing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[derive(Subcommand, Debug)]
pub(super) enum LeadCommand {
    /// Say why a lead stands where it does, what happened so far, and what comes next. Exits with 1 if
    /// some of what is stored of it cannot be read; the rest is shown.
    Explain {
        /// Its id, external id or number.
        lead: String,
    },
    /// Hold it until resumed. A call under way goes on.
    #[command(visible_alias = "hold")]
    Pause(Target),
    /// Let it go again.
    #[command(visible_alias = "release")]
    Resume(Target),
    /// End it. A call under way goes on, and no other follows.
    Cancel(Target),
    /// Try it (again) now, with the policy's attempts granted anew.
    Retry(Target),
    /// Call it at another time.
    Reschedule {
        /// When: as 2026-01-14T10:00:00+05:30, or as 2h for two hours from now.
        #[arg(long)]
        at: String,
        #[command(flatten)]
        target: Target,
    },
    /// Change how soon it is called among those that are due.
    Prioritise {
        /// The new priority: urgent, high, normal, low.
        #[arg(long)]
        to: Priority,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Args, Debug)]
pub(super) struct Target {
    /// Its id, external id or number.
    lead: String,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn one(
    app: &App,
    command: LeadCommand,
    actor: &str,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    match command {
        LeadCommand::Explain { lead } => {
            let person = leads::find(&app.engine, &lead).await?;
            let told = judging::explain_lead(&app.engine, person.client, person.lead).await?;
            output.say(told.text(columns()).trim_end(), &told);
            return Ok(if told.unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        LeadCommand::Pause(target) => target.order(app, Command::Pause, actor, output).await?,
        LeadCommand::Resume(target) => target.order(app, Command::Resume, actor, output).await?,
        LeadCommand::Cancel(target) => target.order(app, Command::Cancel, actor, output).await?,
        LeadCommand::Retry(target) => target.order(app, Command::Retry, actor, output).await?,
        LeadCommand::Reschedule { at, target } => {
            let at = moment(&at, app.engine.now().await?)?;
            target.order(app, Command::Reschedule { at }, actor, output).await?;
        }
        LeadCommand::Prioritise { to, target } => {
            target.order(app, Command::Prioritise { priority: to }, actor, output).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Target {
    async fn order(&self, app: &App, command: Command, actor: &str, output: &Output) -> anyhow::Result<()> {
        let person = leads::find(&app.engine, &self.lead).await?;
        let reason = self.reason.as_deref();
        let answer = leads::order(&app.engine, person.client, person.lead, command, actor, reason).await?;
        let deferred = answer == Answer::Deferred;
        let when = if deferred { ", once the call under way has resolved" } else { "" };
        let value = json!({ "lead": person.lead, "command": command.name(), "deferred": deferred });
        output.say(format!("{command}: done{when}"), &value);
        Ok(())
    }
}

#[derive(Args, Debug)]
pub(super) struct JudgeArgs {
    /// Leads that are due and wait count as stuck: for a run that should have finished.
    #[arg(long)]
    strict: bool,
}

pub(super) async fn judge(app: &App, args: JudgeArgs, output: &Output) -> anyhow::Result<ExitCode> {
    let bar = spinner(output, "leads judged");
    let evidence = Evidence { strict: args.strict, ..Evidence::default() };
    let verdict = judging::judge(&app.engine, &evidence, |judged| bar.set_position(judged)).await?;
    bar.finish_and_clear();
    output.say(&verdict, &verdict);
    Ok(if verdict.kept() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn spinner(output: &Output, what: &'static str) -> ProgressBar {
    if output.json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} {msg} ({per_sec})");
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        .with_message(what)
}
