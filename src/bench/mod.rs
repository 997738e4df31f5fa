//! `outdial bench`: what this machine carries, measured on the real thing.
//!
//! Nothing is left out and nothing is faked but the phones: leads are accepted, admitted,
//! dialled over HTTP, followed by webhooks and recorded, in a Postgres that is as durable as
//! one in service.

mod conversations;
mod cpu;
mod idle;
mod import;
mod memory;
mod pages;
mod pause;
mod provider;
mod recorder;
mod report;
mod stage;

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use indicatif::{ProgressBar, ProgressStyle};
use outdial_emulators::exotel::Account;
use outdial_jobs::operations::campaigns::{self, Order};
use outdial_jobs::operations::leads;
use outdial_jobs::providers::exotel::Credentials;
use outdial_jobs::store;
use secrecy::SecretString;
use url::Url;

use crate::config::Global;
use crate::demo::people;
use report::{Report, Usage};
use stage::{Props, Stage};

/// How often the progress is shown, and looked at for a run that stands still.
const LOOK: Duration = Duration::from_millis(100);

/// A run in which nothing finishes for so long has failed. Longer than any call here and
/// than the 30 s after which silence makes us ask the carrier.
const STANDSTILL: Duration = Duration::from_secs(60);

/// With `--rate`, leads come in at this beat.
const BEAT: Duration = Duration::from_millis(20);

/// What to measure.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Whole lead runs: accepted, dialled, answered, outcome recorded.
    ///
    /// Starts a private Postgres with every durable setting on (or uses DATABASE_URL, where it
    /// leaves a client named after the run), an emulated carrier in a process of its own, and in
    /// this process what `outdial serve` runs: engine, workers and the webhook route. The
    /// emulator answers every call and calls back about 50 ms after the dial. Use a release build.
    ///
    /// Figures: leads/s, from the first lead's acceptance to the last outcome; the rate at which
    /// leads were accepted and dials submitted; from a webhook's arrival to the commit of its
    /// outcome; from a slot's becoming free to the dial that takes it (with --concurrency and
    /// without --rate, so that leads wait for slots); from the commit of a job's row to the start of its
    /// handler; processor seconds a thousand leads, of the engine (this process), of Postgres
    /// (all of its processes) and of the carrier; bytes of write-ahead log a thousand leads; and
    /// the most dials for one key, by the carrier's count, which must be 1. Fails if it is not,
    /// or if a lead does not finish.
    LeadRuns(Args),
    /// A CSV into a campaign, and the campaign's start. Nobody is dialled.
    ///
    /// Figures: leads/s, from the opening of the file to the last page's commit; how long the order to
    /// start took; the most memory that this process held, quarter by quarter; bytes of write-ahead log.
    /// The file is made up as it is read. Fails if a lead is missing.
    Import(import::Args),
    /// Pauses under load, on several nodes: how soon each has answered, and whether anything was submitted
    /// after it. Fails if anything was.
    ///
    /// A campaign is kept dialling, paused, looked at, and resumed, again and again. Nodes are engines with
    /// workers and connections of their own, in this process.
    Pause(pause::Args),
    /// What nodes ask of the database when there is nothing to do.
    ///
    /// Statements are counted by the server's pg_stat_statements, which a DATABASE_URL's server must have
    /// loaded (shared_preload_libraries); a private one has.
    Idle(idle::Args),
    /// Conversations with our own agent, as those hear them who talk with it.
    ///
    /// The carrier, who plays the people, and the services that recognise, answer and speak run in this process, with
    /// set delays and at the pace of life; a process of its own, as `outdial serve` runs it, holds the conversations.
    /// Every person asks, interrupts the answer, goes on, and ends. Fails if a conversation does not go to its end.
    Conversations(conversations::Args),
    /// Every page and filter of the dashboard, the lists of the API and the metrics, on a database of millions.
    ///
    /// Leads are run with four emulated carriers, and multiplied with all that is stored of them, over half a year.
    /// Then everything is asked for again and again over HTTP, by one at a time. Figures: milliseconds to the last
    /// byte. Then the server tells the plans of all that was asked. Fails if a page is too slow, or reads a large table whole.
    ///
    /// Only on a private Postgres: indexes are dropped while it is filled. It needs some 4 GB of disk a million
    /// workflows.
    Pages(pages::Args),
}

/// How large a run.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// How many leads to run.
    #[arg(long, value_name = "N", default_value = "5000")]
    leads: NonZeroU32,
    /// A carrier that speaks Exotel's protocol on this machine, instead of the emulator. It has to call back
    /// about each call: a run in which no lead finishes for a minute has failed.
    #[arg(long, value_name = "URL")]
    provider_url: Option<Url>,
    #[command(flatten)]
    credentials: Login,
    /// The most calls in flight; 0 sets no limit.
    #[arg(long, value_name = "C", default_value_t = 0)]
    concurrency: u32,
    /// Have so many further leads scheduled for tomorrow. They are loaded before the clock starts.
    #[arg(long, value_name = "M", default_value_t = 0)]
    backlog: u32,
    /// Accept so many leads a second, instead of all as fast as possible: for latencies below full load.
    #[arg(long, value_name = "R")]
    rate: Option<NonZeroU32>,
    /// Let the emulator report the answer, too: two callbacks a call instead of one at its end.
    #[arg(long, conflicts_with = "provider_url")]
    events: bool,
    /// Hold a snapshot open in another session all the while, as a long report or a forgotten transaction does.
    #[arg(long)]
    hold_snapshot: bool,
}

/// What the carrier at `--provider-url` knows us by; an emulator's, unless given.
#[derive(clap::Args, Clone, Debug)]
struct Login {
    /// That carrier's account SID.
    #[arg(long, env = "EXOTEL_ACCOUNT_SID", default_value = "acct1")]
    account_sid: String,
    /// Its API key.
    #[arg(long, env = "EXOTEL_API_KEY", hide_env_values = true, default_value = "key1")]
    api_key: String,
    /// Its API token.
    #[arg(long, env = "EXOTEL_API_TOKEN", hide_env_values = true, default_value = "token1")]
    api_token: SecretString,
}

impl Args {
    /// The emulator that we start has credentials of its own, whatever the environment holds.
    fn credentials(&self) -> Credentials {
        match &self.provider_url {
            Some(_) => {
                let Login { account_sid, api_key, api_token } = self.credentials.clone();
                Credentials { account_sid, api_key, api_token }
            }
            None => {
                let Account { sid, api_key, api_token } = Account::default();
                Credentials { account_sid: sid, api_key, api_token: api_token.into() }
            }
        }
    }
}

/// Measures.
///
/// # Errors
/// Whatever keeps it from running to its end.
pub async fn run(global: &Global, command: Command, json: bool) -> anyhow::Result<ExitCode> {
    let progress = Progress::new();
    let bar = progress.bar.clone();
    let work = async {
        let done = |sound: bool| if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        Ok(match command {
            Command::LeadRuns(args) => {
                let report = lead_runs(global, &args, &progress).await?;
                bar.finish_and_clear();
                report.show(json);
                done(report.is_sound())
            }
            Command::Import(args) => {
                let report = import::run(global, &args, &progress).await?;
                bar.finish_and_clear();
                report.show(json);
                done(report.is_sound())
            }
            Command::Pause(args) => {
                let report = pause::run(global, &args, &progress).await?;
                bar.finish_and_clear();
                report.show(json);
                done(report.is_sound())
            }
            Command::Conversations(args) => {
                let report = conversations::run(global, &args, &progress).await?;
                bar.finish_and_clear();
                report.show(json);
                done(report.is_sound())
            }
            Command::Pages(args) => {
                let report = pages::run(global, &args, &progress).await?;
                bar.finish_and_clear();
                report.show(json);
                done(report.is_sound())
            }
            Command::Idle(args) => {
                let report = idle::run(global, &args, &progress).await?;
                bar.finish_and_clear();
                report.show(json);
                ExitCode::SUCCESS
            }
        })
    };
    tokio::select! {
        done = work => done,
        // What was started ends with what holds it.
        () = crate::app::stop_signal() => Ok(STOPPED.into()),
    }
}

async fn lead_runs(global: &Global, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    let props = Props {
        provider_url: args.provider_url.as_ref(),
        credentials: args.credentials(),
        concurrency: args.concurrency,
        events: args.events,
        ..Props::default()
    };
    let stage = Stage::set(global, &props, progress).await?;
    let measured = measure(&stage, args, progress).await;
    stage.strike().await?;
    measured
}

/// As shells have it: 128, and the number of the interrupt.
const STOPPED: u8 = 130;

async fn measure(stage: &Stage, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    load_backlog(stage, args, progress).await?;
    let (client, campaign) = (stage.client, stage.campaign);
    let mut holder = None;
    if args.hold_snapshot {
        let held = stage.app.engine.pool().begin().await?;
        let held = holder.insert(held);
        store::measure::hold_snapshot(held).await?;
    }
    campaigns::order(&stage.app.engine, client, campaign, Order::Start, "the bench", None).await?;
    progress.begin("leads finished", args.leads.get());
    let before = usage(stage).await?;
    let began = Instant::now();
    let accepted_within = tokio::try_join!(accept(stage, args), until_finished(stage, args, progress))?.0;
    let after = usage(stage).await?;
    drop(holder);
    Report::new(stage, args, began, accepted_within, &after.since(before)).await
}

/// The leads of the backlog are those behind the ones that are run.
async fn load_backlog(stage: &Stage, args: &Args, progress: &Progress) -> anyhow::Result<()> {
    if args.backlog == 0 {
        return Ok(());
    }
    progress.begin("leads scheduled for tomorrow", args.backlog);
    let engine = &stage.app.engine;
    let tomorrow = engine.now().await? + TimeDelta::days(1);
    let first = args.leads.get();
    let mut people = people::generate(first.saturating_add(args.backlog)).skip(first as usize);
    loop {
        let page: Vec<leads::LeadSpec> = people.by_ref().take(leads::PAGE).collect();
        if page.is_empty() {
            break;
        }
        leads::accept_due(engine, stage.client, stage.campaign, &page, Some(tomorrow), "the bench").await?;
        progress.bar.inc(page.len() as u64);
    }
    let mut conn = engine.pool().acquire().await?;
    store::measure::settle(&mut conn).await?;
    Ok(())
}

/// Brings the leads in, and tells how long that took.
async fn accept(stage: &Stage, args: &Args) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut people = people::generate(args.leads.get());
    let mut beat = tokio::time::interval(BEAT);
    let mut accepted = 0_usize;
    loop {
        let room = match args.rate {
            None => leads::PAGE,
            Some(rate) => {
                beat.tick().await;
                due_by(began.elapsed(), rate).saturating_sub(accepted).min(leads::PAGE)
            }
        };
        let page: Vec<leads::LeadSpec> = people.by_ref().take(room).collect();
        if page.is_empty() && room > 0 {
            return Ok(began.elapsed());
        }
        if !page.is_empty() {
            leads::accept(&stage.app.engine, stage.client, stage.campaign, &page).await?;
            accepted += page.len();
        }
    }
}

/// How many leads have come in after `elapsed` at `rate` a second.
fn due_by(elapsed: Duration, rate: NonZeroU32) -> usize {
    let due = elapsed.as_micros() * u128::from(rate.get()) / 1_000_000;
    usize::try_from(due).unwrap_or(usize::MAX)
}

async fn until_finished(stage: &Stage, args: &Args, progress: &Progress) -> anyhow::Result<()> {
    let (mut finished, mut moved) = (0, Instant::now());
    loop {
        let now = stage.recorder.finished();
        if now > finished {
            (finished, moved) = (now, Instant::now());
        }
        progress.bar.set_position(finished as u64);
        if finished >= args.leads.get() as usize {
            return Ok(());
        }
        anyhow::ensure!(
            moved.elapsed() < STANDSTILL,
            "{finished} of {} leads finished, and then none for {} s; OUTDIAL_LOG=warn may say why",
            args.leads,
            STANDSTILL.as_secs()
        );
        tokio::time::sleep(LOOK).await;
    }
}

async fn usage(stage: &Stage) -> anyhow::Result<Usage> {
    let mut conn = stage.app.engine.pool().acquire().await?;
    Ok(Usage {
        engine_s: cpu::own_s(),
        postgres_s: stage.postmaster.and_then(cpu::tree_s),
        provider_s: stage.provider.cpu_s(),
        wal_bytes: store::measure::wal_bytes(&mut conn).await?,
    })
}

/// The bar on standard error. Where that is no terminal, nothing is shown.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new() -> Self {
        let bar = ProgressBar::no_length();
        let style = ProgressStyle::with_template("{elapsed_precise} {bar:32} {pos}/{len} {msg}  {per_sec}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar }
    }

    fn step(&self, text: &'static str) {
        self.bar.set_message(text);
        self.bar.tick();
    }

    fn begin(&self, text: &'static str, length: u32) {
        self.bar.reset();
        self.bar.set_length(length.into());
        self.bar.set_message(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_rate_leads_come_in_evenly() {
        let rate = NonZeroU32::new(750).expect("not zero");
        let due = [0, 1, 2, 20, 1_000, 60_000].map(|ms| due_by(Duration::from_millis(ms), rate));
        assert_eq!(due, [0, 0, 1, 15, 750, 45_000]);
    }
}
