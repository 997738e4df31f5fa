//! `outdial suppression`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use outdial_jobs::operations::suppressions::{self, Added, Whose};
use outdial_jobs::operations::{By, Part, campaigns, setup};
use outdial_workflows::Moment;
use outdial_workflows::phone::PhoneNumber;
use serde::Serialize;
use serde_json::json;

use super::leads::spinner;
use super::orders::moment;
use super::output::{Output, table};
use crate::app::App;
use outdial_jobs::import::{self, PROBLEMS_KEPT, PROBLEMS_SHOWN, Problem};

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
        /// The file.
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
    async fn whose(&self, app: &App) -> anyhow::Result<Whose> {
        match (&self.campaign, &self.client) {
            (Some(given), _) => {
                let (client, campaign) = campaigns::find(&app.engine, given).await?;
                Ok(Whose { client, campaign: Some(campaign) })
            }
            (None, Some(given)) => {
                Ok(Whose { client: setup::find_client(&app.engine, given).await?, campaign: None })
            }
            (None, None) => {
                bail!("say whose list is meant: --client, or --campaign for that of one campaign")
            }
        }
    }
}

impl Entry {
    async fn until(&self, app: &App) -> anyhow::Result<Option<Moment>> {
        match &self.until {
            Some(given) => Ok(Some(moment(given, app.engine.now().await?)?)),
            None => Ok(None),
        }
    }
}

pub(super) async fn run(
    app: &App,
    command: SuppressionCommand,
    actor: &str,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    match command {
        SuppressionCommand::Add { phone, source, entry } => {
            let (whose, until) = (entry.list.whose(app).await?, entry.until(app).await?);
            let phone = PhoneNumber::parse(&phone, None)?;
            let by = By { actor, reason: entry.list.reason.as_deref() };
            let added = suppressions::add(&app.engine, whose, &[phone], &source, until, by).await?;
            let text = match added {
                Added { added: 1.., .. } => "on the list: it is not dialled",
                Added { extended: 1.., .. } => "on the list for longer: it is not dialled",
                Added { .. } => "it was on the list already, for as long or longer",
            };
            output.say(text, &added);
        }
        SuppressionCommand::Remove { phone, list } => {
            let whose = list.whose(app).await?;
            let phone = PhoneNumber::parse(&phone, None)?;
            let by = By { actor, reason: list.reason.as_deref() };
            let removed = suppressions::remove(&app.engine, whose, &phone, by).await?;
            let text = if removed { "off the list" } else { "it was not on that list" };
            output.say(text, &json!({ "removed": removed }));
        }
        SuppressionCommand::List { list, phone, limit } => {
            let whose = list.whose(app).await?;
            let phone = phone.map(|phone| PhoneNumber::parse(&phone, None)).transpose()?;
            let found =
                suppressions::list(&app.engine, whose, phone.as_ref(), Part::newest(limit.into())).await?;
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
            let whose = entry.list.whose(app).await?;
            let opened = std::fs::File::open(&file);
            let opened = opened.with_context(|| format!("cannot read {}", file.display()))?;
            let options = import::Options { default_region: region, ..import::Options::default() };
            let rows = import::read_numbers(opened, &options).with_context(|| file.display().to_string())?;
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
            let source = source.or(name).unwrap_or_default();
            let by = By { actor, reason: entry.list.reason.as_deref() };
            let until = entry.until(app).await?;
            let bar = spinner(output, "numbers read");
            let mut summary = Summary::default();
            let mut rows = rows.peekable();
            while rows.peek().is_some() {
                let page = summary.page(&mut rows);
                summary.count(suppressions::add(&app.engine, whose, &page, &source, until, by).await?);
                bar.set_position(summary.rows);
            }
            bar.finish_and_clear();
            output.say(&summary, &summary);
            let nothing = summary.problems_total > 0 && summary.problems_total == summary.rows;
            return Ok(if nothing || summary.rest_unread { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What came of a file of numbers.
#[derive(Clone, Debug, Default, Serialize)]
struct Summary {
    /// Rows read, good or bad.
    rows: u64,
    #[serde(flatten)]
    added: Added,
    /// Rows without a number.
    problems_total: u64,
    /// The first of them.
    problems: Vec<Problem>,
    /// Whether the file could not be read to its end.
    rest_unread: bool,
}

impl Summary {
    /// The numbers of the next rows.
    fn page(&mut self, rows: &mut impl Iterator<Item = Result<import::Row, Problem>>) -> Vec<PhoneNumber> {
        let mut page = vec![];
        for row in rows.take(suppressions::PAGE) {
            self.rows += 1;
            match row {
                Ok(row) => page.push(row.spec.phone),
                Err(problem) => {
                    self.problems_total += 1;
                    self.rest_unread |= problem.rest_unread;
                    if self.problems.len() < PROBLEMS_KEPT || problem.rest_unread {
                        self.problems.push(problem);
                    }
                }
            }
        }
        page
    }

    fn count(&mut self, page: Added) {
        self.added.added += page.added;
        self.added.extended += page.extended;
        self.added.already += page.already;
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Added { added, extended, already } = self.added;
        write!(f, "{} rows read: {added} numbers put on the list", self.rows)?;
        write!(f, ", {extended} for longer, {already} on it already; {} problems", self.problems_total)?;
        for problem in self.problems.iter().take(PROBLEMS_SHOWN) {
            write!(f, "\n  {problem}")?;
        }
        let shown = self.problems.len().min(PROBLEMS_SHOWN) as u64;
        if self.problems_total > shown {
            write!(f, "\n  and {} more", self.problems_total - shown)?;
        }
        Ok(())
    }
}
