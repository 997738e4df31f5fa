//! `outdial sheet`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use outdial_jobs::import::Options;
use outdial_jobs::operations::consents::ConsentSpec;
use outdial_jobs::operations::imports::ImportState;
use outdial_jobs::operations::sheets::SheetResult;
use serde_json::json;

use super::backend::{Backend, Linked, Said};
use super::imports::RowFlags;
use super::output::{Output, table};

#[derive(Subcommand, Debug)]
pub(super) enum SheetCommand {
    /// Take a campaign's leads from a Google Sheet, now and whenever it is refreshed.
    Link(Link),
    /// Show a campaign's sheets, and what came of their last refresh.
    List {
        /// The campaign, by name or id.
        #[arg(long)]
        campaign: String,
        /// The most to show.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Change when a sheet is refreshed by itself, and what is said of its rows; what no flag names stays. Under
    /// another region or consent all of it is taken in anew at once.
    Edit(Box<Edit>),
    /// Read a sheet now, and take in what is new.
    Refresh {
        /// Its id.
        id: String,
        /// Wait until it is done. Needs a running `outdial serve`.
        #[arg(long)]
        wait: bool,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Read a sheet no more. Its leads stay.
    Unlink {
        /// Its id.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Link {
    /// Its address, copied from the browser with the tab open that is meant. Share it with anyone who has the link.
    link: String,
    /// The campaign, by name or id.
    #[arg(long)]
    campaign: String,
    #[command(flatten)]
    rows: RowFlags,
    /// When it is refreshed by itself: second, minute, hour, day of month, month, weekday, as '0 0 * * * *'.
    #[arg(long)]
    cron: Option<String>,
    /// By whose clock, as Asia/Kolkata; UTC unless told.
    #[arg(long, requires = "cron")]
    zone: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Edit {
    /// Its id.
    id: String,
    #[command(flatten)]
    rows: RowFlags,
    /// When it is refreshed by itself from now on: second, minute, hour, day of month, month, weekday, as '0 0 * * * *'.
    #[arg(long)]
    cron: Option<String>,
    /// By whose clock, as Asia/Kolkata.
    #[arg(long)]
    zone: Option<String>,
    /// Refresh it by itself no more.
    #[arg(long, conflicts_with_all = ["cron", "zone"])]
    no_cron: bool,
    /// Say nothing any more of the country of numbers without a country code.
    #[arg(long, conflicts_with = "region")]
    no_region: bool,
    /// Say nothing any more of what the people agreed to. Consents that were recorded stay.
    #[arg(long, conflicts_with = "consent")]
    no_consent: bool,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

impl Edit {
    async fn run(self, to: &Backend<'_>, output: &Output) -> anyhow::Result<()> {
        let given = self.rows.options()?;
        let before = to.sheet(&self.id).await?;
        let consent = before.consent.clone().map(serde_json::from_value::<ConsentSpec>).transpose();
        let options = Options {
            default_region: given.default_region.or(before.region.clone().filter(|_| !self.no_region)),
            consent: match given.consent {
                Some(consent) => Some(consent),
                None if self.no_consent => None,
                None => consent.context("what it says of consent cannot be read by this version")?,
            },
            ..Options::default()
        };
        let kept = |kept: &Option<String>| kept.clone().filter(|_| !self.no_cron);
        let (cron, zone) = (self.cron.or(kept(&before.cron)), self.zone.or(kept(&before.zone)));
        let said = Said { options, cron: cron.as_deref(), zone: zone.as_deref() };
        let after = to.change_sheet(&self.id, &said, self.reason.as_deref()).await?;
        let when = match (&after.cron, after.next_at) {
            (Some(cron), Some(at)) => {
                let at = at.format("%Y-%m-%d %H:%M UTC");
                format!("it is refreshed by `{cron}`, the next time at {at}")
            }
            _ => "it is refreshed when it is asked for".to_owned(),
        };
        let anew = match after.refreshing && !before.refreshing {
            true => "; all of it is taken in anew",
            false => "",
        };
        output.say(format!("{when}{anew}"), &after);
        Ok(())
    }
}

pub(super) async fn run(
    to: &Backend<'_>,
    command: SheetCommand,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    match command {
        SheetCommand::Link(link) => {
            let campaign = to.find_campaign(&link.campaign).await?;
            let (cron, zone) = (link.cron.as_deref(), link.zone.as_deref());
            let said = Said { options: link.rows.options()?, cron, zone };
            let linked = to.link_sheet(campaign, &link.link, &said, link.reason.as_deref()).await?;
            let text = format!("linked as {}; `outdial serve` takes it in", linked.id);
            output.say(text, &linked);
        }
        SheetCommand::List { campaign, limit } => {
            let found = to.sheets(to.find_campaign(&campaign).await?, limit).await?;
            let head = ["id", "sheet", "last read", "what came of it", "next"];
            output.say(table(&head, found.iter().map(row)), &found);
        }
        SheetCommand::Edit(edit) => edit.run(to, output).await?,
        SheetCommand::Refresh { id, wait, reason } => {
            let asked = to.refresh_sheet(&id, reason.as_deref()).await?;
            if !wait {
                output.say("asked for; `outdial serve` carries it out", &asked);
                return Ok(ExitCode::SUCCESS);
            }
            let done = ended(to, &id).await?;
            output.say(told(&done), &done);
            let failed = done.last_error.is_some() || done.import_failed_for.is_some();
            return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        SheetCommand::Unlink { id, reason } => {
            to.unlink_sheet(&id, reason.as_deref()).await?;
            output.say("unlinked; its leads stay", &json!({ "unlinked": id }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The sheet once its refresh is over, and the import that it began. One that failed is not waited for until it
/// is tried again.
async fn ended(to: &Backend<'_>, id: &str) -> anyhow::Result<Linked> {
    loop {
        let sheet = to.sheet(id).await?;
        let importing = matches!(sheet.import_state, Some(ImportState::Receiving | ImportState::Running));
        if sheet.failures > 0 || !sheet.refreshing && !importing {
            return Ok(sheet);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn row(sheet: &Linked) -> Vec<String> {
    let time = |at: Option<outdial_workflows::Moment>| {
        at.map_or_else(|| "—".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
    };
    let name = sheet.title.as_ref().unwrap_or(&sheet.link).clone();
    vec![sheet.id.to_string(), name, time(sheet.last_at), told(sheet), time(sheet.next_at)]
}

/// What came of the last look at it.
fn told(sheet: &Linked) -> String {
    let again = if sheet.refreshing { "; it is tried again by itself" } else { "" };
    match (sheet.last_result, &sheet.last_error, &sheet.import_failed_for) {
        (None, _, _) => "not read yet".to_owned(),
        (Some(_), Some(error), _) => format!("{error}{again}"),
        (Some(_), None, Some(why)) => format!("no row of it could be read: {why}"),
        (Some(SheetResult::Unchanged), None, None) => "unchanged".to_owned(),
        (Some(SheetResult::TakenIn | SheetResult::Failed), None, None) => {
            let import = sheet.import.map(|import| import.to_string()).unwrap_or_default();
            format!("taken in as import {import}")
        }
    }
}
