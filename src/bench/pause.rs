//! `outdial bench pause`: how soon a pause has answered under load, and that nothing is submitted after it.

#![expect(clippy::print_stdout, reason = "this is where the bench speaks")]

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use outdial_jobs::operations::campaigns::{self, Order};
use outdial_jobs::operations::leads;
use outdial_jobs::store;
use serde::Serialize;

use super::recorder::Percentiles;
use super::stage::{Props, Stage};
use super::{Progress, STANDSTILL};
use crate::cli::table;
use crate::config::Global;
use crate::demo::people;

/// So many leads wait at any time, so that there is always somebody to dial.
const WAITING: usize = 3_000;
/// Each pause comes after so many further dials: the load is back by then.
const DIALS_BETWEEN: usize = 20;
/// After a pause has answered, whoever would still submit has so long to do it.
const HEED: Duration = Duration::from_millis(20);

/// How many trials, on how many nodes.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// How often the campaign is paused and resumed.
    #[arg(long, value_name = "N", default_value = "1000")]
    trials: NonZeroU32,
    /// Nodes that dial, each with an engine, workers and connections of its own.
    #[arg(long, value_name = "N", default_value = "3")]
    nodes: NonZeroU32,
    /// The most calls in flight.
    #[arg(long, value_name = "C", default_value_t = 200)]
    concurrency: u32,
}

/// The figures, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    trials: u32,
    nodes: u32,
    concurrency: u32,
    dials: usize,
    /// Dials while the campaign was running.
    dials_per_s: f64,
    /// From the order to its answer.
    pause: Option<Percentiles>,
    /// Attempts that were submitted after a pause had answered: a broken promise.
    submitted_after: i64,
    /// Calls under way that the pauses' answers named, on average.
    underway: f64,
}

pub(super) async fn run(global: &Global, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    let props = Props { concurrency: args.concurrency, nodes: args.nodes.get(), ..Props::default() };
    let stage = Stage::set(global, &props, progress).await?;
    let measured = measure(&stage, args, progress).await;
    stage.strike().await?;
    measured
}

async fn measure(stage: &Stage, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    progress.begin("pauses", args.trials.get());
    let accepted = AtomicUsize::new(0);
    let mut trials = std::pin::pin!(trials(stage, args, progress));
    let mut feeding = std::pin::pin!(feed(stage, &accepted));
    tokio::select! {
        report = &mut trials => report,
        failed = &mut feeding => {
            failed?;
            anyhow::bail!("there are no more people to call")
        }
    }
}

/// Keeps leads waiting.
async fn feed(stage: &Stage, accepted: &AtomicUsize) -> anyhow::Result<()> {
    let mut people = people::generate(people::MOST);
    loop {
        if accepted.load(Ordering::Relaxed) >= stage.recorder.finished() + WAITING {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let page: Vec<leads::LeadSpec> = people.by_ref().take(leads::PAGE).collect();
        if page.is_empty() {
            return Ok(());
        }
        leads::accept(&stage.app.engine, stage.client, stage.campaign, &page).await?;
        accepted.fetch_add(page.len(), Ordering::Relaxed);
    }
}

async fn trials(stage: &Stage, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    let order = async |order| {
        campaigns::order(&stage.app.engine, stage.client, stage.campaign, order, "the bench", None).await
    };
    order(Order::Start).await?;
    let (mut took, mut ran) = (vec![], Duration::ZERO);
    let (mut submitted_after, mut underway) = (0, 0_usize);
    for trial in 0..args.trials.get() {
        let running = Instant::now();
        under_load(stage).await?;
        let ordered = Instant::now();
        let paused = order(Order::Pause).await?;
        took.push(ordered.elapsed());
        ran += running.elapsed();
        anyhow::ensure!(paused.changed, "the campaign was paused already");
        let answered = stage.app.engine.now().await?;
        underway += paused.underway.len();
        tokio::time::sleep(HEED).await;
        let mut conn = stage.app.engine.pool().acquire().await?;
        submitted_after += store::measure::submitted_after(&mut conn, stage.client, answered).await?;
        drop(conn);
        order(Order::Resume).await?;
        progress.bar.set_position(u64::from(trial) + 1);
    }
    let dials = stage.recorder.dials();
    Ok(Report {
        trials: args.trials.get(),
        nodes: args.nodes.get(),
        concurrency: args.concurrency,
        dials,
        dials_per_s: super::report::per_s(dials, ran),
        pause: Percentiles::of(took),
        submitted_after,
        underway: super::report::rounded(super::report::counted(underway) / f64::from(args.trials.get())),
    })
}

/// Waits until calls are being placed again.
async fn under_load(stage: &Stage) -> anyhow::Result<()> {
    let (before, began) = (stage.recorder.dials(), Instant::now());
    while stage.recorder.dials() < before + DIALS_BETWEEN {
        anyhow::ensure!(began.elapsed() < STANDSTILL, "nobody was dialled for {} s", STANDSTILL.as_secs());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

impl Report {
    /// Whether nothing was submitted after a pause had answered.
    pub(super) fn is_sound(&self) -> bool {
        self.submitted_after == 0
    }

    pub(super) fn show(&self, json: bool) {
        if json {
            return println!("{}", serde_json::to_string(self).unwrap_or_default());
        }
        let pause = self.pause.map_or("not known".into(), |of| {
            format!(
                "p50 {:.1}, p95 {:.1}, p99 {:.1}, max {:.1} ms",
                of.p50_ms, of.p95_ms, of.p99_ms, of.max_ms
            )
        });
        let rows = [
            ("pauses", format!("{} on {} nodes", self.trials, self.nodes)),
            ("order to answer", pause),
            ("submitted after a pause had answered", self.submitted_after.to_string()),
            ("calls under way at a pause", format!("{:.1}", self.underway)),
            ("dials", format!("{}, {:.0}/s while running", self.dials, self.dials_per_s)),
        ];
        println!("{}", table(&["", "figure"], rows.map(|(name, value)| vec![name.to_owned(), value])));
    }
}
