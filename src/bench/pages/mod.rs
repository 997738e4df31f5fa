//! `outdial bench pages`: how soon the dashboard, the lists and the metrics answer on a database of millions.

mod asked;
mod cast;
mod plans;
mod report;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use outdial_jobs::operations::By;
use outdial_jobs::operations::campaigns::{self, Order};
use outdial_jobs::operations::subscribers;
use outdial_jobs::store;
use outdial_jobs::store::seed::{Amounts, Slice};
use sqlx::PgConnection;
use tokio::sync::Mutex;

use super::Progress;
use super::stage::{Props, Stage};
use crate::config::Global;
use asked::{Asked, Asker};
use plans::Plans;
pub(super) use report::Report;
use report::{Counts, Page};

/// Leads that are multiplied at once: a transaction a table.
const SLICE: i64 = 100_000;
/// Sessions that multiply at once: Postgres takes a core for each.
const SESSIONS: usize = 2;
/// Deltas that are rolled up at once.
const ROLLED_UP: i64 = 200_000;
const BY: By<'static> = By { actor: "the bench", reason: None };

/// How much, and how often.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// How many workflows there are, each with its lead, its history of three rows on average, and its attempts.
    #[arg(long, value_name = "N", default_value = "300000")]
    workflows: NonZeroU32,
    /// How many jobs stand in the queue; a tenth of the workflows, if nothing else is said.
    #[arg(long, value_name = "N")]
    jobs: Option<u32>,
    /// How often each page is asked for.
    #[arg(long, value_name = "N", default_value = "20")]
    rounds: NonZeroU32,
}

impl Args {
    fn amounts(&self) -> Amounts {
        let workflows = i64::from(self.workflows.get());
        let jobs = self.jobs.map_or(workflows / 10, i64::from);
        Amounts { workflows, jobs, others: workflows / 20 }
    }
}

pub(super) async fn run(global: &Global, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    anyhow::ensure!(
        global.database_url.is_none(),
        "this bench fills its database and drops indexes meanwhile; leave out the database's URL, and it starts one of its own"
    );
    let settings = [
        ("session_preload_libraries", "auto_explain"),
        // Filling writes as much as it can; the figures are of reading.
        ("max_wal_size", "8GB"),
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("shared_buffers", "1GB"),
        ("autovacuum", "off"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut stage = Stage::set(global, &Props { settings, ..Props::default() }, progress).await?;
    let measured = measure(&mut stage, args, progress).await;
    stage.strike().await?;
    measured
}

async fn measure(stage: &mut Stage, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    let parts = cast::play(stage, progress).await?;
    stage.rest().await;
    let campaigns: Vec<_> = parts.iter().map(|part| part.campaign).collect();
    for part in parts {
        part.stop().await;
    }
    let began = Instant::now();
    let engine = stage.app.engine.clone();
    let spec = subscribers::Spec {
        url: "https://events.example.com/outdial".into(),
        description: "the CRM".into(),
        types: vec![],
        campaigns: vec![],
    };
    let (subscriber, _) = subscribers::create(&engine, stage.client, &spec, BY).await?;
    multiply(stage, args.amounts(), subscriber.id, progress).await?;
    let seeded = began.elapsed();
    let mut conn = engine.pool().acquire().await?;
    let counts = Counts::of(store::seed::counted(&mut conn).await?, store::seed::bytes(&mut conn).await?);
    // Of all states in which a campaign is.
    campaigns::order(&engine, stage.client, campaigns[1], Order::Pause, "the bench", Some("lunch")).await?;
    let asker = Asker::sign_in(stage).await?;
    let asked = asked::everything(stage, &campaigns, subscriber.id).await?;
    let pages = ask(&asker, &asked, args, progress).await?;
    let plans = Plans::watch(stage, &mut conn).await?;
    progress.begin("plans", u32::try_from(asked.len())?);
    let mut whole = vec![];
    for one in &asked {
        whole.extend(plans.whole_reads_of(one, &asker).await?);
        progress.bar.inc(1);
    }
    let explained = plans.explained();
    Ok(Report::new(counts, seeded, pages, explained, whole))
}

/// Multiplies the models until there are as many of everything as are wanted.
async fn multiply(
    stage: &Stage,
    amounts: Amounts,
    subscriber: uuid::Uuid,
    progress: &Progress,
) -> anyhow::Result<()> {
    let engine = &stage.app.engine;
    let mut sessions = vec![];
    for _ in 0..SESSIONS {
        sessions.push(store::seed::session(engine.pool().acquire().await?).await?);
    }
    let mut first = sessions.pop().context("a session")?;
    store::seed::make_months(&mut first, engine.now().await?).await?;
    let indexes = store::seed::drop_indexes(&mut first).await?;
    sessions.push(first);
    progress.begin("leads multiplied", u32::try_from(amounts.workflows)?);
    let slices: Vec<Slice> = (0..amounts.workflows)
        .step_by(usize::try_from(SLICE)?)
        .map(|first| Slice { first, count: SLICE.min(amounts.workflows - first), of: amounts.workflows })
        .collect();
    in_parallel(&mut sessions, slices, async |conn, slice| {
        store::seed::copy(conn, slice).await?;
        progress.bar.inc(u64::try_from(slice.count)?);
        Ok(())
    })
    .await?;
    progress.step("filling the queue, and what people look up");
    store::seed::fill_others(&mut sessions[0], stage.client, subscriber, amounts).await?;
    while store::statistics::roll_up(&mut sessions[0], ROLLED_UP).await? > 0 {}
    while store::call_statistics::roll_up(&mut sessions[0], ROLLED_UP).await? > 0 {}
    progress.begin("indexes made", u32::try_from(indexes.len())?);
    in_parallel(&mut sessions, indexes, async |conn, index| {
        store::seed::make_index(conn, &index).await?;
        progress.bar.inc(1);
        Ok(())
    })
    .await?;
    progress.step("letting the server learn what it holds");
    store::seed::settle(&mut sessions[0]).await?;
    Ok(())
}

/// Does all of them, one a session at a time.
async fn in_parallel<T>(
    sessions: &mut [PgConnection],
    all: Vec<T>,
    work: impl AsyncFn(&mut PgConnection, T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let left = Mutex::new(all.into_iter());
    let each = sessions.iter_mut().map(|conn| async {
        loop {
            let Some(next) = left.lock().await.next() else { return anyhow::Ok(()) };
            work(conn, next).await?;
        }
    });
    futures_util::future::try_join_all(each).await?;
    Ok(())
}

async fn ask(asker: &Asker, asked: &[Asked], args: &Args, progress: &Progress) -> anyhow::Result<Vec<Page>> {
    progress.begin("pages", u32::try_from(asked.len())?);
    let mut pages = vec![];
    for one in asked {
        let mut took: Vec<Duration> = vec![];
        for _ in 0..args.rounds.get() {
            tokio::time::sleep(one.apart).await;
            took.push(asker.get(one).await?);
        }
        pages.push(Page::new(one, took));
        progress.bar.inc(1);
    }
    Ok(pages)
}
