//! A process that works: claimer, apalis workers, leases, timers, admission, sweeps.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use apalis::prelude::{Monitor, WorkerBuilder};
use chrono::TimeDelta;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use outdial_workflows::ids::new_id;
use outdial_workflows::input::Input;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::engine::wake::Signal;
use crate::engine::{Engine, Happened};
use crate::events;
use crate::jobs::{Ctx, JobError, registry};
use crate::media::telling::Telling;
use crate::node::Node;
use crate::queue::{Backlog, Claimer, Desk, Held, LeaseKeeper, Pace, Ticket};
use crate::store::queue::Claimed;
use crate::store::{self, PATIENCE, StoreError};
use crate::sweeps;
use crate::traces;

/// After this long without a notification the listener's connection is tried.
const QUIET: Duration = Duration::from_secs(10);

/// The kinds of job that a worker runs: those of the registry, or a test's own.
#[derive(Clone)]
pub struct Kinds {
    /// The kinds with their slots.
    pub slots: Vec<(&'static str, usize)>,
    /// How often one is tried; `None` for an unknown kind.
    pub tries: fn(&str) -> Option<i16>,
    /// Runs one.
    pub run: fn(String, serde_json::Value, Ctx) -> BoxFuture<'static, Result<(), JobError>>,
}

impl Kinds {
    /// The registry's.
    pub fn registered() -> Self {
        Self {
            slots: registry::SLOTS.to_vec(),
            tries: registry::tries,
            run: |kind, args, ctx| async move { registry::run(&kind, args, &ctx).await }.boxed(),
        }
    }
}

/// A running worker.
pub struct Worker {
    engine: Engine,
    drain: Duration,
    stop_claiming: CancellationToken,
    stop_leases: CancellationToken,
    running: TaskTracker,
    tasks: Vec<JoinHandle<()>>,
    leases: JoinHandle<()>,
    desk: Arc<Desk>,
}

impl Worker {
    /// Starts working. `lease_pool`: a small pool of its own for leases and the listener.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn start(engine: Engine, node: Node, lease_pool: PgPool) -> Result<Self, StoreError> {
        Self::start_with(engine, node, lease_pool, Kinds::registered(), Pace::default()).await
    }

    /// As [`Worker::start`], with other kinds and at another pace.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn start_with(
        engine: Engine,
        node: Node,
        lease_pool: PgPool,
        kinds: Kinds,
        pace: Pace,
    ) -> Result<Self, StoreError> {
        let (stop_claiming, stop_leases) = (CancellationToken::new(), CancellationToken::new());
        let hearing = Arc::new(AtomicBool::new(false));
        let held = Held::default();
        let (leases, stop) = (lease_pool.clone(), stop_leases.clone());
        let keeper = LeaseKeeper::new(engine.clone(), node, leases, held.clone(), pace, stop);
        store::in_time(keeper.begin()).await?;
        let leases = tokio::spawn(keeper.run());
        let listener =
            tokio::spawn(listen(engine.clone(), lease_pool, Arc::clone(&hearing), stop_claiming.clone()));
        let (desk, backlog) = Desk::new(&kinds.slots, held, pace.lease, stop_claiming.clone());
        let desk = Arc::new(desk);
        engine.serve_at(Arc::clone(&desk));
        let claimer = Claimer::new(engine.clone(), Arc::clone(&desk), pace, hearing, stop_claiming.clone());
        let running = TaskTracker::new();
        let workers =
            tokio::spawn(work(engine.clone(), backlog, kinds, running.clone(), stop_claiming.clone()));
        let claiming = tokio::spawn(claimer.run());
        let sweeping = tokio::spawn(sweeps::run(engine.clone(), stop_claiming.clone()));
        let telling = tokio::spawn(events::run(engine.clone(), stop_claiming.clone()));
        engine.start();
        let tasks = vec![listener, workers, claiming, sweeping, telling];
        Ok(Self { engine, drain: pace.drain, stop_claiming, stop_leases, running, tasks, leases, desk })
    }

    /// Stops claiming, lets running jobs finish, and gives the rest back. Leases are kept to the end.
    pub async fn drain(self) {
        self.stop_claiming.cancel();
        // Calls that are answered from here on are talked on elsewhere, where there is room.
        if let Err(error) = store::in_time(give_up_seats(&self.engine)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the process could not give up its seats"
            );
        }
        self.engine.stop_admitting().await;
        self.running.close();
        if tokio::time::timeout(self.drain, self.running.wait()).await.is_err() {
            tracing::warn!(
                jobs = self.running.len(),
                "some jobs did not finish in time; their leases will run out"
            );
        }
        // What was on its way to a worker that had stopped listening. Whoever began to send took his out; nobody
        // lays anything out any more.
        self.engine.clear_away();
        for task in self.tasks {
            let _ = tokio::time::timeout(Duration::from_secs(5), task).await;
        }
        let all_ended = self.running.is_empty();
        // A commit that claims a job holds its slot until it has handed the job out.
        if all_ended && tokio::time::timeout(PATIENCE, self.desk.emptied()).await.is_err() {
            tracing::warn!("a commit does not end; what it claimed is given back when its lease runs out");
        }
        if all_ended && let Err(error) = store::in_time(hand_back_unbegun(&self.engine)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "claimed jobs could not be given back; their leases will run out"
            );
        }
        self.engine.stop().await;
        self.stop_leases.cancel();
        let _ = self.leases.await;
    }
}

async fn give_up_seats(engine: &Engine) -> Result<(), StoreError> {
    if engine.reception().is_none() {
        return Ok(());
    }
    let mut conn = engine.pool().acquire().await?;
    store::nodes::give_up_seats(&mut conn, engine.node()).await
}

async fn hand_back_unbegun(engine: &Engine) -> Result<(), StoreError> {
    let mut tx = engine.pool().begin().await?;
    for client in store::queue::hand_back_all(&mut tx, engine.node()).await? {
        store::notify(&mut tx, &Signal::JOBS.payload(client)).await?;
    }
    Ok(tx.commit().await?)
}

/// The apalis side: one worker whose handler spawns each job elsewhere and waits for
/// it, so that a panic in one harms no other.
async fn work(engine: Engine, backlog: Backlog, kinds: Kinds, running: TaskTracker, stop: CancellationToken) {
    let handling = stop.clone();
    let monitor = Monitor::new()
        .register(move |_| {
            let (engine, kinds) = (engine.clone(), kinds.clone());
            let (running, stop) = (running.clone(), handling.clone());
            let handle = move |ticket: Ticket| {
                let task = running.spawn(run(engine.clone(), kinds.clone(), ticket, stop.clone()));
                async move {
                    let _ = task.await;
                }
            };
            WorkerBuilder::new("outdial").backend(backlog.clone()).build(handle)
        })
        .should_restart(|_, error| {
            tracing::error!(%error, "the worker ended and is started again");
            true
        });
    let stopped = async move {
        stop.cancelled().await;
        Ok(())
    };
    if let Err(error) = monitor.run_with_signal(stopped).await {
        tracing::error!(%error, "the workers ended");
    }
}

async fn run(engine: Engine, kinds: Kinds, ticket: Ticket, stop: CancellationToken) {
    // Its lease is renewed until the job is finished or given back.
    let Ticket { claimed, holding: _holding, slot } = ticket;
    if stop.is_cancelled() && !engine.has_laid_out(claimed.lease) {
        // Claimed but not begun: given back unharmed.
        give_back(&engine, &kinds, &claimed, &JobError::Later(Duration::ZERO)).await;
        return;
    }
    if let Some(lead) = claimed.lead {
        engine.tell(Happened::JobBegun(lead));
    }
    let ctx = Ctx { engine: engine.clone(), lease: claimed.lease };
    let began = Instant::now();
    let work = AssertUnwindSafe((kinds.run)(claimed.kind.clone(), claimed.args.clone(), ctx)).catch_unwind();
    let span = match claimed.lead {
        Some(lead) => {
            let (kind, job) = (claimed.kind.as_str(), claimed.lease.job);
            let span = tracing::debug_span!(target: traces::TARGET, "job", otel.name = kind, job.id = %job,
                lead.id = %lead, tries = claimed.tries);
            traces::in_trace_of(span, lead)
        }
        None => tracing::debug_span!(target: traces::TARGET, "job", otel.name = claimed.kind.as_str(),
            job.id = %claimed.lease.job),
    };
    let result =
        work.instrument(span).await.unwrap_or_else(|panic| Err(JobError::Panicked(words_of(panic.as_ref()))));
    drop(slot);
    let outcome = match &result {
        Ok(()) => "done",
        Err(JobError::Later(_)) => "later",
        Err(_) => "failed",
    };
    engine.metrics().job_ran(&claimed.kind, outcome, began.elapsed());
    if let Err(error) = result {
        give_back(&engine, &kinds, &claimed, &error).await;
    }
}

pub(crate) fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}

/// Gives a job back with a backoff, or puts it into quarantine after its last try.
async fn give_back(engine: &Engine, kinds: &Kinds, claimed: &Claimed, error: &JobError) {
    let unharmed = error.is_unharmed();
    let last = (kinds.tries)(&claimed.kind).is_none_or(|tries| claimed.tries >= tries);
    let text = chain(error);
    if !matches!(error, JobError::Later(_)) {
        tracing::warn!(job.kind = claimed.kind, job.id = %claimed.lease.job, tries = claimed.tries, error = text,
            "a job failed");
    }
    let given = if last && !unharmed {
        quarantine(engine, claimed, &text).await
    } else {
        let pause = match error {
            JobError::Later(pause) => TimeDelta::from_std(*pause).unwrap_or(TimeDelta::seconds(1)),
            _ => backoff(claimed.tries),
        };
        store::in_time(hand_back(engine, claimed, pause, unharmed, &text)).await
    };
    if let Err(error) = given {
        tracing::warn!(job.id = %claimed.lease.job, error = &error as &dyn std::error::Error,
            "a job could not be given back; its lease will run out");
    }
}

/// One second, doubling to a minute.
fn backoff(tries: i16) -> TimeDelta {
    let doubled = 1_i64 << tries.saturating_sub(1).clamp(0, 6);
    TimeDelta::seconds(doubled.min(60))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

async fn hand_back(
    engine: &Engine,
    claimed: &Claimed,
    pause: TimeDelta,
    unharmed: bool,
    error: &str,
) -> Result<(), StoreError> {
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    let run_at = now + pause;
    let given = store::queue::hand_back(&mut tx, claimed.lease, run_at, unharmed, Some(error), now).await?;
    if given && pause.is_zero() {
        // Another process may take it at once, and should not have to look for it.
        store::notify(&mut tx, &Signal::JOBS.payload(claimed.lease.client)).await?;
    }
    Ok(tx.commit().await?)
}

/// Out of the queue, visible, and told to its workflow, whose timers go on without it.
async fn quarantine(engine: &Engine, claimed: &Claimed, error: &str) -> Result<(), StoreError> {
    let moved = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let now = engine.now_in(&mut conn).await?;
        store::quarantine::job(&mut conn, claimed.lease, new_id(now), error, now).await
    });
    let moved = moved.await?;
    if moved {
        engine.metrics().quarantined("job");
    }
    if let (true, Some(lead)) = (moved, claimed.lead) {
        let told = Input::JobQuarantined { kind: claimed.kind.clone(), error: error.to_owned() };
        if let Err(error) = engine.input(claimed.lease.client, lead, told, None).await {
            tracing::warn!(lead.id = %lead, %error, "a workflow could not be told that its job is in quarantine");
        }
    }
    Ok(())
}

/// Passes on what another process announced.
fn pass_on(engine: &Engine, payload: &str) {
    match Telling::parse(payload) {
        // Every process hears it; few are concerned.
        Some(telling) => drop(telling.reach(engine)),
        None => engine.hub().heard(payload),
    }
}

/// Hears what other processes announce, on a connection of its own.
async fn listen(engine: Engine, pool: PgPool, hearing: Arc<AtomicBool>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let heard = tokio::select! {
            heard = hear(&engine, &pool, &hearing) => heard,
            () = stop.cancelled() => return,
        };
        hearing.store(false, Ordering::Relaxed);
        if let Err(error) = heard {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "notifications are not heard; looking more often"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// A listener hears nothing when nothing is said, and also when its connection is gone without a word.
async fn still_there(listener: &mut PgListener) -> Result<(), StoreError> {
    sqlx::Executor::execute(listener, "").await?;
    Ok(())
}

async fn hear(engine: &Engine, pool: &PgPool, hearing: &AtomicBool) -> Result<(), StoreError> {
    let listener = store::in_time(async {
        // From a pool of its own: a listener that is given up says goodbye, and may wait for the answer.
        let own = store::pool_options(1).connect_lazy_with((*pool.connect_options()).clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(store::CHANNEL).await?;
        Ok::<_, StoreError>(listener)
    });
    let mut listener = listener.await?;
    hearing.store(true, Ordering::Relaxed);
    // What was announced before this moment was not heard.
    engine.hub().missed_some();
    loop {
        let Ok(heard) = tokio::time::timeout(QUIET, listener.try_recv()).await else {
            store::in_time(still_there(&mut listener)).await?;
            continue;
        };
        match heard? {
            Some(notification) => pass_on(engine, notification.payload()),
            // The connection was lost and made anew: something may have been missed.
            None => engine.hub().missed_some(),
        }
    }
}
