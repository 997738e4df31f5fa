//! `outdial leads import` and `outdial import`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use outdial_jobs::import::{self, Summary};
use outdial_jobs::operations::consents::ConsentSpec;
use outdial_jobs::operations::imports::{ImportState, Note, NoteKind};
use outdial_workflows::packs::ConsentLevel;
use serde_json::json;

use super::backend::{Backend, Sending, opened};
use super::consents::consent;
use super::exit::usage;
use super::orders::{confirmed, told};
use super::output::{Output, table};

#[derive(Args, Debug)]
pub(super) struct Import {
    /// The file, with a header line; `-` for standard input.
    file: PathBuf,
    /// The campaign, by name or id.
    #[arg(long)]
    campaign: String,
    #[command(flatten)]
    rows: RowFlags,
    /// Check the file, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Wait until the file has been taken in, as is usual.
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Through a server: leave once it has the file.
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
}

/// What is said of rows.
#[derive(Args, Debug)]
pub(super) struct RowFlags {
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
}

impl RowFlags {
    pub(super) fn options(&self) -> anyhow::Result<import::Options> {
        let (default_region, consent) = (self.region.clone(), self.consent()?);
        Ok(import::Options { default_region, consent, ..import::Options::default() })
    }

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

/// Takes a file in, or sends it.
pub(super) async fn import_file(
    to: &Backend<'_>,
    import: &Import,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let campaign = to.find_campaign(&import.campaign).await?;
    let options = import.rows.options()?;
    let name = import.file.display().to_string();
    let file = opened(&import.file)?;
    let bar = bar(output, file.metadata().map_or(0, |about| about.len()));
    let (dry_run, no_wait) = (import.dry_run, import.no_wait && !import.dry_run);
    if no_wait && matches!(to, Backend::Database(..)) {
        return Err(usage("--no-wait is for a server, which goes on by itself: leave it out"));
    }
    let sending = Sending { name: &name, file, options: &options, dry_run, no_wait, bar: bar.clone() };
    let taken = to.take_in(campaign, sending).await;
    bar.finish_and_clear();
    let summary = taken?;
    if let Some(id) = summary.import.filter(|_| no_wait) {
        output.say(format!("{name} is kept; `outdial import show {id}` says how far it is"), &summary);
        return Ok(ExitCode::SUCCESS);
    }
    output.say(&summary, &summary);
    let nothing = summary.accepted == 0 && summary.duplicates == 0 && summary.problems_total > 0;
    Ok(if nothing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// How much of the file was read.
fn bar(output: &Output, bytes: u64) -> ProgressBar {
    if output.json {
        return ProgressBar::hidden();
    }
    let template = "{bar:30} {percent}% of {total_bytes}, {msg} rows, {eta} to go";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style).with_message("0")
}

#[derive(Subcommand, Debug)]
pub(super) enum ImportCommand {
    /// Show a campaign's imports, the latest first.
    List {
        /// The campaign, by name or id.
        #[arg(long)]
        campaign: String,
        /// The most to show.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Say how far an import is and what came of it.
    Show {
        /// Its id.
        id: String,
    },
    /// Show what is wrong with its rows, as CSV: line, note, column, value, problem.
    Notes {
        /// Its id.
        id: String,
        /// Only rows that are no leads, or only those that added nothing.
        #[arg(long, value_name = "KIND", value_parser = note_kind)]
        only: Option<NoteKind>,
    },
    /// Undo an import: those of its leads that were never called end and can be imported anew, and the consents
    /// that it recorded end.
    Undo {
        /// Its id.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

fn note_kind(text: &str) -> Result<NoteKind, String> {
    match text {
        "problem" | "problems" => Ok(NoteKind::Problem),
        "duplicate" | "duplicates" => Ok(NoteKind::Duplicate),
        other => Err(format!("`{other}` is neither problem nor duplicate")),
    }
}

pub(super) async fn run(
    to: &Backend<'_>,
    command: ImportCommand,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    match command {
        ImportCommand::List { campaign, limit } => {
            let found = to.imports(to.find_campaign(&campaign).await?, limit).await?;
            let head = ["id", "name", "state", "rows", "accepted", "duplicates", "problems", "by", "at"];
            let rows = found.iter().map(|import| {
                let counts = &import.counts;
                let mut row =
                    vec![import.id.to_string(), import.name.clone(), import.state.name().to_owned()];
                let counts = [counts.rows, counts.accepted, counts.duplicates, counts.problems];
                row.extend(counts.map(|count| count.to_string()));
                row.push(import.actor.clone());
                row.push(import.created_at.format("%Y-%m-%d %H:%M UTC").to_string());
                row
            });
            let summaries: Vec<Summary> = found.iter().map(|import| Summary::of(import, vec![])).collect();
            output.say(table(&head, rows), &summaries);
        }
        ImportCommand::Show { id } => {
            let import = to.import(&id).await?;
            let summary = to.import_summary(&import).await?;
            let state = match (&import.failed_for, import.state) {
                (Some(why), _) => format!("failed: {why}"),
                (None, ImportState::Running | ImportState::Receiving) => {
                    format!("{}, now behind line {}", import.state.name(), import.line)
                }
                (None, state) => state.name().to_owned(),
            };
            output.say(format!("{}: {state}\n{summary}", import.name), &summary);
        }
        ImportCommand::Notes { id, only } => return notes(to, &id, only, output).await,
        ImportCommand::Undo { id, reason, yes } => {
            let import = to.import(&id).await?;
            let question = format!(
                "This ends the leads of {} that were not called yet, of {} accepted.",
                import.name, import.counts.accepted
            );
            if !yes && !confirmed(&question)? {
                bail!("nothing was changed");
            }
            let operation = to.undo_import(&import, reason.as_deref()).await?;
            output.say(told(&operation), &operation);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Page by page, so that any number will do: lines of JSON, or CSV.
async fn notes(
    to: &Backend<'_>,
    id: &str,
    only: Option<NoteKind>,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let import = to.import(id).await?;
    let (mut after, mut head) = (0, true);
    loop {
        let page = to.import_notes(&import, only, after).await?;
        let said = match output.json {
            true => lines(&page),
            false => rows(&page, head)?,
        };
        match std::io::stdout().lock().write_all(said.as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            written => written?,
        }
        let Some(last) = page.last() else { break };
        (after, head) = (last.line, false);
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(notes: &[Note]) -> String {
    notes.iter().map(|note| format!("{}\n", json!(note))).collect()
}

fn rows(notes: &[Note], head: bool) -> anyhow::Result<String> {
    let mut rows = csv::Writer::from_writer(vec![]);
    if head {
        rows.write_record(["line", "note", "column", "value", "problem"])?;
    }
    for note in notes {
        let kind = match note.note {
            NoteKind::Problem => "problem",
            NoteKind::Duplicate => "duplicate",
        };
        let (column, value) = (note.column.as_deref(), note.value.as_deref());
        rows.write_record([
            note.line.to_string().as_str(),
            kind,
            column.unwrap_or_default(),
            value.unwrap_or_default(),
            &note.problem,
        ])?;
    }
    Ok(String::from_utf8(rows.into_inner()?)?)
}
