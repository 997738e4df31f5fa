//! `outdial suppression`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use outdial_jobs::operations::suppressions::{Added, Whose};
use outdial_workflows::Moment;
use outdial_workflows::phone::PhoneNumber;
use serde_json::json;

use super::backend::{Backend, Entered};
use super::leads::spinner;
use super::orders::moment;
use super::output::{Output, table};

#[derive(Subcommand, Debug)]
pub(super) enum SuppressionCommand {
    /// Put a number on a list: once this has answered it is not dialled. Calls under way go on.
    Add {
        /// The number, with + and its country code.
        phone: String,
        /// Where this comes from, kept with the number.
        #[arg(long, default_value = "operator")]
        source: String,
        #[command(flatten)]
        entry: Entry,
    },
    /// Take a number off a list. Leads that ended because of it stay ended until they are retried.
    Remove {
        /// The number, with + and its country code.
        phone: String,
        #[command(flatten)]
        list: Chosen,
    },
    /// Show what is in force, the newest first.
    List {
        #[command(flatten)]
        list: Chosen,
        /// This number alone.
        #[arg(long)]
        phone: Option<String>,
        /// The most to show.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Put the numbers of a file on a list: a CSV with a phone column, or one number on each line. Bad rows
    /// are reported and the good ones go on; the same file twice changes nothing.
    Import {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// The country of numbers without a country code, as IN.
        #[arg(long, value_name = "REGION")]
        region: Option<String>,
        /// Where this comes from, kept with each number. Without it, the file's name.
        #[arg(long)]
        source: Option<String>,
        #[command(flatten)]
        entry: Entry,
    },
}

/// Which list.
#[derive(Args, Debug)]
pub(super) struct Chosen {
    /// That of this client, for all of its campaigns, by name or id.
    #[arg(long, required_unless_present = "campaign")]
    client: Option<String>,
    /// That of this campaign alone, by name or id.
    #[arg(long, conflicts_with = "client")]
    campaign: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Entry {
    #[command(flatten)]
    list: Chosen,
    /// Until when: as 2026-01-14T10:00:00+05:30, or as 30days for thirty days from now. Without it, for good.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Chosen {
    async fn whose(&self, to: &Backend<'_>) -> anyhow::Result<Whose> {
        match (&self.campaign, &self.client) {
            (Some(given), _) => {
                let (client, campaign) = to.find_campaign(given).await?;
                Ok(Whose { client, campaign: Some(campaign) })
            }
            (None, Some(given)) => Ok(Whose { client: to.find_client(given).await?, campaign: None }),
            (None, None) => {
                bail!("say whose list is meant: --client, or --campaign for that of one campaign")
            }
        }
    }
}

impl Entry {
    async fn until(&self, to: &Backend<'_>) -> anyhow::Result<Option<Moment>> {
        match &self.until {
            Some(given) => Ok(Some(moment(given, to.now().await?)?)),
            None => Ok(None),
        }
    }
}

pub(super) async fn run(
    to: &Backend<'_>,
    command: SuppressionCommand,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    match command {
        SuppressionCommand::Add { phone, source, entry } => {
            let (whose, until) = (entry.list.whose(to).await?, entry.until(to).await?);
            let phone = PhoneNumber::parse(&phone, None)?;
            let entered = Entered { source: &source, until, reason: entry.list.reason.as_deref() };
            let added = to.suppress(whose, &phone, entered).await?;
            let text = match added {
                Added { added: 1.., .. } => "on the list: it is not dialled",
                Added { extended: 1.., .. } => "on the list for longer: it is not dialled",
                Added { .. } => "it was on the list already, for as long or longer",
            };
            output.say(text, &added);
        }
        SuppressionCommand::Remove { phone, list } => {
            let whose = list.whose(to).await?;
            let phone = PhoneNumber::parse(&phone, None)?;
            let removed = to.lift_suppression(whose, &phone, list.reason.as_deref()).await?;
            let text = if removed { "off the list" } else { "it was not on that list" };
            output.say(text, &json!({ "removed": removed }));
        }
        SuppressionCommand::List { list, phone, limit } => {
            let whose = list.whose(to).await?;
            let phone = phone.map(|phone| PhoneNumber::parse(&phone, None)).transpose()?;
            let found = to.suppressions(whose, phone.as_ref(), limit as usize).await?;
            let time = |at: Moment| at.format("%Y-%m-%d %H:%M UTC").to_string();
            let rows = found.iter().map(|entry| {
                let campaign = entry.campaign.map_or("all".to_owned(), |campaign| campaign.to_string());
                let until = entry.expires_at.map_or("for good".to_owned(), time);
                let (source, actor) = (entry.source.clone(), entry.actor.clone());
                vec![entry.phone.clone(), campaign, time(entry.created_at), until, source, actor]
            });
            let head = ["number", "campaign", "since", "until", "source", "by"];
            output.say(table(&head, rows), &found);
        }
        SuppressionCommand::Import { file, region, source, entry } => {
            let whose = entry.list.whose(to).await?;
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
            let source = source.or(name).unwrap_or_default();
            let until = entry.until(to).await?;
            let entered = Entered { source: &source, until, reason: entry.list.reason.as_deref() };
            let bar = spinner(output, "numbers read");
            let taken = to.suppress_file(whose, &file, region, entered, &bar).await;
            bar.finish_and_clear();
            let taken = taken?;
            output.say(&taken, &taken);
            return Ok(if taken.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
    }
    Ok(ExitCode::SUCCESS)
}
