//! `outdial sheet`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use outdial_jobs::operations::imports::ImportState;
use outdial_jobs::operations::sheets::{self, NewLink, Sheet, SheetResult, Times};
use outdial_jobs::operations::{By, campaigns};
use serde_json::json;

use super::imports::RowFlags;
use super::output::{Output, table};
use crate::app::App;

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

pub(super) async fn run(
    app: &App,
    command: SheetCommand,
    actor: &str,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    match command {
        SheetCommand::Link(link) => {
            let (client, campaign) = campaigns::find(&app.engine, &link.campaign).await?;
            let options = link.rows.options()?;
            let times = Times::given(link.cron.as_deref(), link.zone.as_deref())?;
            let by = By { actor, reason: link.reason.as_deref() };
            let new = NewLink { client, campaign, link: &link.link, options: &options, times, by };
            let linked = sheets::link(&app.engine, new).await?;
            let text = format!("linked as {}; `outdial serve` takes it in", linked.id);
            output.say(text, &linked);
        }
        SheetCommand::List { campaign, limit } => {
            let (client, campaign) = campaigns::find(&app.engine, &campaign).await?;
            let found = sheets::list(&app.engine, client, campaign, None, limit.into()).await?;
            let head = ["id", "sheet", "last read", "what came of it", "next"];
            output.say(table(&head, found.iter().map(row)), &found);
        }
        SheetCommand::Refresh { id, wait, reason } => {
            let by = By { actor, reason: reason.as_deref() };
            let asked = sheets::refresh_now(&app.engine, &id, by).await?;
            if !wait {
                output.say("asked for; `outdial serve` carries it out", &asked);
                return Ok(ExitCode::SUCCESS);
            }
            let done = ended(app, &id).await?;
            output.say(told(&done), &done);
            let failed = done.last_error.is_some() || done.import_failed_for.is_some();
            return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        SheetCommand::Unlink { id, reason } => {
            sheets::unlink(&app.engine, &id, By { actor, reason: reason.as_deref() }).await?;
            output.say("unlinked; its leads stay", &json!({ "unlinked": id }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The sheet once its refresh is over, and the import that it began. One that failed is not waited for until it
/// is tried again.
async fn ended(app: &App, id: &str) -> anyhow::Result<Sheet> {
    loop {
        let sheet = sheets::find(&app.engine, id).await?;
        let importing = matches!(sheet.import_state, Some(ImportState::Receiving | ImportState::Running));
        if sheet.failures > 0 || sheet.refresh.is_none() && !importing {
            return Ok(sheet);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn row(sheet: &Sheet) -> Vec<String> {
    let time = |at: Option<outdial_workflows::Moment>| {
        at.map_or_else(|| "—".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
    };
    let name = sheet.last_title.as_ref().unwrap_or(&sheet.link).clone();
    vec![sheet.id.to_string(), name, time(sheet.last_at), told(sheet), time(sheet.next_at)]
}

/// What came of the last look at it.
fn told(sheet: &Sheet) -> String {
    let again = if sheet.refresh.is_some() { "; it is tried again by itself" } else { "" };
    match (sheet.last_result, &sheet.last_error, &sheet.import_failed_for) {
        (None, _, _) => "not read yet".to_owned(),
        (Some(_), Some(error), _) => format!("{error}{again}"),
        (Some(_), None, Some(why)) => format!("no row of it could be read: {why}"),
        (Some(SheetResult::Unchanged), None, None) => "unchanged".to_owned(),
        (Some(SheetResult::TakenIn | SheetResult::Failed), None, None) => {
            let import = sheet.last_import.map(|import| import.to_string()).unwrap_or_default();
            format!("taken in as import {import}")
        }
    }
}
