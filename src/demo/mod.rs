//! `outdial demo`: a campaign from a CSV to its outcomes, on this machine alone.
//!
//! Everything is the real thing but the carrier: a private Postgres, the engine, its
//! workers and webhooks, and emulators that speak the carriers' protocols on sockets.
//! Nobody is called, and nothing is left behind.

pub mod people;
mod report;
mod stage;
mod talk;
mod watch;

use std::io::Cursor;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use outdial_emulators::carrier::Dials;
use outdial_jobs::operations::imports::{self, Sent};
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::operations::{By, campaigns, leads};
use outdial_jobs::providers::{NotAProvider, Provider};
use outdial_workflows::ids::DialKey;
use secrecy::ExposeSecret as _;
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
    /// The carrier that is played: exotel, retell, telnyx, livekit, or all of them, each with a campaign of its own.
    #[arg(long, default_value = "exotel", value_name = "CARRIER")]
    provider: Which,
    /// Hold one conversation instead: an emulated person talks with our own agent, live in the terminal.
    #[arg(long, conflicts_with_all = ["leads", "csv", "max_concurrent"])]
    media: bool,
    /// End when every lead is finished, instead of waiting for Ctrl-C.
    #[arg(long)]
    exit_when_done: bool,
    /// The most calls at once.
    #[arg(long, value_name = "N")]
    max_concurrent: Option<u32>,
    /// The address to serve on meanwhile, metrics among the rest; a port of 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
}

/// Which carriers are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    One(Provider),
    All,
}

impl Which {
    fn all(&self) -> &[Provider] {
        match self {
            Self::One(provider) => std::slice::from_ref(provider),
            Self::All => Provider::ALL,
        }
    }
}

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            one => one.parse().map(Self::One).map_err(|error: NotAProvider| format!("{error}, and all")),
        }
    }
}

/// Runs the demo. Fails if a promise was broken.
///
/// # Errors
/// Whatever keeps it from running.
pub async fn run(global: &Global, args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.csv.is_none() || args.provider != Which::All,
        "a file goes with one carrier: leave out --csv, or name the carrier"
    );
    let began = Instant::now();
    let screen = watch::Screen::new(json);
    // Ctrl-C ends the demo at any moment, and what was set up by then is taken down again.
    let mut stop = std::pin::pin!(crate::app::stop_signal());
    let stage = tokio::select! {
        stage = Stage::set(global, args, &screen) => stage?,
        () = &mut stop => return Ok(stopped(&screen)),
    };
    let run = async {
        if args.media {
            return talk::run(&stage, &screen).await;
        }
        load(&stage, args, &screen).await?;
        for part in &stage.parts {
            let start = campaigns::Order::Start;
            campaigns::order(&stage.app.engine, stage.client, part.campaign, start, "the demo", None).await?;
        }
        watch::until_finished(&stage, &screen).await?;
        let elapsed = began.elapsed();
        let dials: Vec<Dials> = stage.parts.iter().map(|part| part.carrier.dials()).collect();
        let evidence = Evidence { dials: dials.iter().flat_map(counted).collect(), strict: true };
        let verdict = judging::judge(&stage.app.engine, &evidence, |_| ()).await?;
        let mut rows = vec![];
        for (part, dials) in stage.parts.iter().zip(&dials) {
            let status = campaigns::status(&stage.app.engine, stage.client, part.campaign).await?;
            rows.push((part.carrier.provider(), status, dials));
        }
        let report = report::Report::new(&rows, &verdict, elapsed);
        let story = stage.most_telling_lead().await?;
        report.show(&screen, &verdict, story.as_ref());
        anyhow::Ok(verdict.kept())
    };
    let kept = tokio::select! {
        kept = run => Some(kept),
        () = &mut stop => None,
    };
    if matches!(kept, Some(Ok(_))) && !args.exit_when_done && !json {
        let spec = KeySpec { name: "the demo", role: Role::Admin, client: None, expires_at: None };
        let by = By { actor: "the demo", reason: None };
        let (_, token) = keys::create(&stage.app.engine, spec, by).await?;
        let (address, token) = (&stage.address, token.expose_secret());
        screen.say(&format!("\nThe dashboard is at {address}admin until Ctrl-C; sign in with {token}"));
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
            for (at, part) in stage.parts.iter().enumerate() {
                // Each carrier has its share of the people.
                let share: Vec<leads::LeadSpec> =
                    page.iter().skip(at).step_by(stage.parts.len()).cloned().collect();
                leads::accept(engine, stage.client, part.campaign, &share).await?;
            }
            screen.loading(page.len());
        }
    }
    let options = import::Options { default_region: Some("IN".into()), ..import::Options::default() };
    let [part] = stage.parts.as_slice() else { return share_sample(stage, &options, screen).await };
    let (client, campaign, by) = (stage.client, part.campaign, By { actor: "the demo", reason: None });
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

/// Gives each carrier its share of the people: in two campaigns they would wait for each other's calls.
async fn share_sample(
    stage: &Stage,
    options: &import::Options,
    screen: &watch::Screen,
) -> anyhow::Result<()> {
    let people: Vec<leads::LeadSpec> =
        import::read(SAMPLE, options)?.map(|row| row.map(|row| row.spec)).collect::<Result<_, _>>()?;
    for (at, part) in stage.parts.iter().enumerate() {
        let share: Vec<leads::LeadSpec> =
            people.iter().skip(at).step_by(stage.parts.len()).cloned().collect();
        leads::accept(&stage.app.engine, stage.client, part.campaign, &share).await?;
        screen.loading(share.len());
    }
    Ok(())
}

/// The carrier's own count, by our keys.
fn counted(dials: &Dials) -> Vec<(DialKey, u32)> {
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
