//! `outdial leads`, `outdial lead` and `outdial judge`.

use std::num::NonZeroU16;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use outdial_jobs::operations::editing::{Edit, Edited};
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_workflows::history::PersonPart;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey};
use outdial_workflows::input::Command;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::transfer::{Briefing, TransferTo};
use outdial_workflows::workflow::Priority;
use serde_json::{Value, json};

use super::backend::Backend;
use super::imports;
use super::orders::{Many, moment};
use super::output::{Output, columns};
use crate::app::App;

#[derive(Subcommand, Debug)]
pub(super) enum LeadsCommand {
    /// Import a CSV file into a campaign. Bad rows are reported and the good ones go in; the same
    /// file twice adds nothing.
    Import(imports::Import),
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
    /// End their calls that are under way, as far as carriers can.
    HangUp(Many),
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

pub(super) async fn many(
    to: &Backend<'_>,
    command: LeadsCommand,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let (leads, command) = match command {
        LeadsCommand::Import(import) => return imports::import_file(to, &import, output).await,
        LeadsCommand::Pause(leads) => (leads, Command::Pause),
        LeadsCommand::Resume(leads) => (leads, Command::Resume),
        LeadsCommand::Cancel(leads) => (leads, Command::Cancel),
        LeadsCommand::Retry(leads) => (leads, Command::Retry),
        LeadsCommand::HangUp(leads) => (leads, Command::HangUp),
        LeadsCommand::Reschedule { at, leads } => {
            (leads, Command::Reschedule { at: moment(&at, to.now().await?)? })
        }
        LeadsCommand::Prioritise { to, leads } => (leads, Command::Prioritise { priority: to }),
    };
    leads.order(to, command, output).await?;
    Ok(ExitCode::SUCCESS)
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
    /// End its call that is under way, as far as the carrier can.
    HangUp(Target),
    /// Hand its call that is under way, once it was answered, to somebody else. The carrier is asked once;
    /// `lead explain` says what came of it.
    Transfer {
        /// To whom: a number in E.164, or a SIP address, as sip:desk@pbx.example.com.
        #[arg(long)]
        to: TransferTo,
        /// What they are told as they answer, before they are put through; the person does not hear it.
        #[arg(long)]
        briefing: Option<Briefing>,
        #[command(flatten)]
        target: Target,
    },
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
    /// Edit who its person is. Nobody is called for it; a new number is asked everything that any number is asked before
    /// the next call. What is given empty, as --name '', is taken away.
    Edit {
        /// The number, with + and its country code.
        #[arg(long)]
        phone: Option<String>,
        /// The name.
        #[arg(long)]
        name: Option<String>,
        /// The zone by whose clock the person lives, as Asia/Kolkata.
        #[arg(long)]
        zone: Option<String>,
        /// Where the person is, as US-FL.
        #[arg(long)]
        region: Option<String>,
        /// An attribute, as city=Pune; city= takes it away. Repeatable.
        #[arg(long = "attribute", value_name = "NAME=VALUE")]
        attributes: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Record another outcome of an attempt that is over. Nobody is called for it; an outcome after which nobody is
    /// called again ends the lead.
    Correct {
        /// What came of it, as not_interested.
        #[arg(long)]
        to: Outcome,
        /// Which attempt, counted from 1.
        #[arg(long, value_name = "N")]
        attempt: NonZeroU16,
        /// The lead's id, external id or number.
        lead: String,
        /// Why the record is wrong.
        #[arg(long)]
        reason: String,
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

pub(super) async fn one(to: &Backend<'_>, command: LeadCommand, output: &Output) -> anyhow::Result<ExitCode> {
    match command {
        LeadCommand::Explain { lead } => {
            let told = to.explain_lead(to.find_lead(&lead).await?).await?;
            output.say(told.text(columns()).trim_end(), &told);
            return Ok(if told.unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        LeadCommand::Pause(target) => target.order(to, Command::Pause, output).await?,
        LeadCommand::Resume(target) => target.order(to, Command::Resume, output).await?,
        LeadCommand::Cancel(target) => target.order(to, Command::Cancel, output).await?,
        LeadCommand::Retry(target) => target.order(to, Command::Retry, output).await?,
        LeadCommand::HangUp(target) => target.order(to, Command::HangUp, output).await?,
        LeadCommand::Transfer { to: whom, briefing, target } => {
            let (client, lead) = to.find_lead(&target.lead).await?;
            to.transfer_call((client, lead), &whom, briefing, target.reason.as_deref()).await?;
            let value = json!({ "lead": lead, "command": "transfer" });
            output.say(format!("transfer to {whom}: ordered; the carrier is being asked"), &value);
        }
        LeadCommand::Reschedule { at, target } => {
            let at = moment(&at, to.now().await?)?;
            target.order(to, Command::Reschedule { at }, output).await?;
        }
        LeadCommand::Prioritise { to: priority, target } => {
            target.order(to, Command::Prioritise { priority }, output).await?;
        }
        LeadCommand::Edit { phone, name, zone, region, attributes, target } => {
            let phone = phone.map(|phone| PhoneNumber::parse(&phone, None)).transpose()?;
            let attributes =
                attributes.iter().map(|given| attribute(given)).collect::<anyhow::Result<_>>()?;
            let given = |text: Option<String>| text.map(|text| Some(text).filter(|text| !text.is_empty()));
            let edit =
                Edit { phone, name: given(name), zone: given(zone), region: given(region), attributes };
            let whose = to.find_lead(&target.lead).await?;
            let edited = to.edit_person(whose, &edit, target.reason.as_deref()).await?;
            output.say(told(&edited), &edited);
        }
        LeadCommand::Correct { to: outcome, attempt, lead, reason } => {
            let (client, lead) = to.find_lead(&lead).await?;
            let number =
                AttemptNumber::new(attempt.get()).context("there are no more than 32,767 attempts")?;
            to.correct_outcome(DialKey(AttemptRef { client, lead, number }), outcome, &reason).await?;
            let value = json!({ "lead": lead, "attempt": attempt, "outcome": outcome.name() });
            output.say(format!("attempt {attempt} is recorded as {outcome}"), &value);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What reads as a number, as true, as false or as JSON is that; everything else is text.
fn attribute(given: &str) -> anyhow::Result<(String, Value)> {
    let named = given.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = named.with_context(|| format!("`{given}`: give a name and a value, as city=Pune"))?;
    let value = match value {
        "" => Value::Null,
        value => serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    };
    Ok((name.to_owned(), value))
}

fn told(edited: &Edited) -> String {
    let mut told = match edited.changed.as_slice() {
        [] => "all of it was so already".to_owned(),
        changed => format!("edited: {}", PersonPart::list(changed)),
    };
    if edited.suppressed {
        told += "; the number is suppressed: nobody calls it";
    }
    told
}

impl Target {
    async fn order(&self, to: &Backend<'_>, command: Command, output: &Output) -> anyhow::Result<()> {
        let (client, lead) = to.find_lead(&self.lead).await?;
        let deferred = to.order_lead((client, lead), command.clone(), self.reason.as_deref()).await?;
        let when = if deferred { ", once the call under way has resolved" } else { "" };
        let value = json!({ "lead": lead, "command": command.name(), "deferred": deferred });
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
