//! `outdial demo`: a campaign from a CSV to its outcomes, on this machine alone.
//!
//! Everything is the real thing but the carrier: a private Postgres, the engine, its
//! workers and webhooks, and an emulator that speaks Exotel's protocol on a socket.
//! Nobody is called, and nothing is left behind.

pub mod people;
mod report;
mod stage;
mod watch;

use std::io::Cursor;
use std::path::PathBuf;
use std::process::ExitCode;

use outdial_jobs::operations::imports::{self, Sent};
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_jobs::operations::{By, campaigns, leads};
use outdial_workflows::ids::DialKey;
use tokio::time::Instant;

use crate::config::Global;
use outdial_jobs::import;
use stage::Stage;

/// The leads that come with the program.
const SAMPLE: &[u8] = include_bytes!("leads.csv");

/// What a demo may be told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Make this many fictional people instead of the sample.
    #[arg(long, value_name = "N", conflicts_with = "csv")]
    leads: Option<u32>,
    /// Read leads from this file. They are not called: the carrier is emulated.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// End when every lead is finished, instead of waiting for Ctrl-C.
    #[arg(long)]
    exit_when_done: bool,
    /// The most calls at once.
    #[arg(long, value_name = "N")]
    max_concurrent: Option<u32>,
}

/// Runs the demo. Fails if a promise was broken.
///
/// # Errors
/// Whatever keeps it from running.
pub async fn run(global: &Global, args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let screen = watch::Screen::new(json);
    // Ctrl-C ends the demo at any moment, and what was set up by then is taken down again.
    let mut stop = std::pin::pin!(crate::app::stop_signal());
    let stage = tokio::select! {
        stage = Stage::set(global, args, &screen) => stage?,
        () = &mut stop => return Ok(stopped(&screen)),
    };
    let run = async {
        load(&stage, args, &screen).await?;
        campaigns::order(
            &stage.app.engine,
            stage.client,
            stage.campaign,
            campaigns::Order::Start,
            "the demo",
            None,
        )
        .await?;
        watch::until_finished(&stage, &screen).await?;
        let elapsed = began.elapsed();
        let dials = stage.carrier.dials();
        let evidence = Evidence { dials: counted(&dials), strict: true };
        let verdict = judging::judge(&stage.app.engine, &evidence, |_| ()).await?;
        let status = campaigns::status(&stage.app.engine, stage.client, stage.campaign).await?;
        let report = report::Report::new(&status, &dials, &verdict, elapsed);
        let story = stage.most_telling_lead().await?;
        report.show(&screen, &verdict, story.as_ref());
        anyhow::Ok(verdict.kept())
    };
    let kept = tokio::select! {
        kept = run => Some(kept),
        () = &mut stop => None,
    };
    if matches!(kept, Some(Ok(_))) && !args.exit_when_done && !json {
        screen.say(&format!("\nServing on {} until Ctrl-C.", stage.address));
        stop.await;
    }
    stage.strike().await?;
    match kept {
        Some(Ok(true)) => Ok(ExitCode::SUCCESS),
        Some(Ok(false)) => Ok(ExitCode::FAILURE),
        Some(Err(error)) => Err(error),
        None => Ok(stopped(&screen)),
    }
}

/// As shells have it: 128, and the number of the interrupt.
fn stopped(screen: &watch::Screen) -> ExitCode {
    screen.say("\nstopped");
    ExitCode::from(130)
}

/// Brings the leads in.
async fn load(stage: &Stage, args: &Args, screen: &watch::Screen) -> anyhow::Result<()> {
    let engine = &stage.app.engine;
    if let Some(n) = args.leads {
        let mut people = people::generate(n);
        loop {
            let page: Vec<leads::LeadSpec> = people.by_ref().take(leads::PAGE).collect();
            if page.is_empty() {
                return Ok(());
            }
            leads::accept(engine, stage.client, stage.campaign, &page).await?;
            screen.loading(page.len());
        }
    }
    let options = import::Options { default_region: Some("IN".into()), ..import::Options::default() };
    let (client, campaign, by) = (stage.client, stage.campaign, By { actor: "the demo", reason: None });
    let sent = |name| Sent { client, campaign, name, options: &options, by };
    let import = match &args.csv {
        Some(path) => imports::file(engine, sent("csv"), std::fs::File::open(path)?, |_| ()).await?,
        None => imports::file(engine, sent("sample"), Cursor::new(SAMPLE), |_| ()).await?,
    };
    let summary = imports::summary(engine, &import).await?;
    screen.say(&summary.to_string());
    anyhow::ensure!(summary.accepted > 0, "there is nobody to call in this file");
    Ok(())
}

/// The carrier's own count, by our keys.
fn counted(dials: &outdial_emulators::exotel::Dials) -> Vec<(DialKey, u32)> {
    let known = dials.keys.iter().filter_map(|(key, count)| Some((key.parse().ok()?, count.accepted)));
    known.filter(|(_, accepted)| *accepted > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_read_without_a_problem() {
        let options = import::Options { default_region: Some("IN".into()), ..import::Options::default() };
        let leads: Vec<import::Row> =
            import::read(SAMPLE, &options).expect("a file").collect::<Result<_, _>>().expect("leads");
        let numbers: std::collections::HashSet<_> = leads.iter().map(|row| row.spec.phone.clone()).collect();
        assert_eq!((leads.len(), numbers.len()), (24, 24));
        for row in &leads {
            let number = row.spec.phone.as_str();
            let fictional = number.starts_with("+9110000000") || number.contains("55501");
            assert!(fictional && row.spec.name.is_some() && row.spec.zone.is_some(), "line {}", row.line);
            assert!(
                ["email", "property_type", "location", "budget"]
                    .iter()
                    .all(|name| row.spec.attributes.contains_key(*name))
            );
        }
    }
}
