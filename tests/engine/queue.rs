//! The queue: what is claimed is run once while its worker lives, and by another once it does not.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::FutureExt;
use futures_util::future::join_all;
use outdial_jobs::engine::Engine;
use outdial_jobs::jobs::{Ctx, JobError};
use outdial_jobs::node::{self, Node, Process};
use outdial_jobs::queue::Pace;
use outdial_jobs::store;
use outdial_jobs::store::queue::NewJob;
use outdial_jobs::worker::{Kinds, Worker};
use outdial_workflows::Moment;
use outdial_workflows::ids::{AttemptNumber, JobId, LeadId, NodeId};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::world::{self, World, names, soon, until};

const KIND: &str = "test.v1";
const OTHER: &str = "other.v1";
const TRIES: i16 = 3;

/// A lease short enough to run out many times in a test, and to be kept on a busy machine.
const LEASE: Duration = Duration::from_millis(600);

/// Never: what happens at this pace is not because somebody looked again.
const NEVER: Duration = Duration::from_secs(600);

pub(crate) fn pace() -> Pace {
    Pace {
        lease: TimeDelta::from_std(LEASE).expect("in range"),
        renew: LEASE / 4,
        fallback: Duration::from_millis(50),
        fallback_deaf: Duration::from_millis(50),
        idle: Duration::from_millis(50),
        drain: Duration::from_secs(20),
    }
}

/// As [`pace`], but nobody looks for jobs without a signal.
pub(crate) fn by_signal() -> Pace {
    Pace { fallback: NEVER, fallback_deaf: NEVER, idle: NEVER, ..pace() }
}

/// What the jobs of one test do and have done. Handlers are plain functions: they find it by its
/// name, which is among a job's arguments.
struct Lab {
    name: Uuid,
    world: World,
    began: Mutex<Vec<(u64, NodeId, Instant)>>,
    done: AtomicUsize,
    /// Jobs that wait for a permit, told by `"does": "wait"`.
    gate: Semaphore,
    running: Mutex<HashMap<NodeId, usize>>,
    most: AtomicUsize,
}

static LABS: LazyLock<Mutex<HashMap<Uuid, Arc<Lab>>>> = LazyLock::new(Mutex::default);

impl Lab {
    async fn new() -> Arc<Self> {
        let lab = Arc::new(Self {
            name: Uuid::new_v4(),
            world: World::new().await,
            began: Mutex::default(),
            done: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            running: Mutex::default(),
            most: AtomicUsize::new(0),
        });
        LABS.lock().expect("held for moments").insert(lab.name, Arc::clone(&lab));
        lab
    }

    /// A worker in a process of its own.
    async fn worker(&self, slots: usize, pace: Pace) -> Worker {
        let engine = self.world.another_engine().await;
        world::start(&self.world.db, engine, kinds(slots), pace).await
    }

    /// Queues jobs that do this, and announces them as another process would.
    async fn queue(&self, jobs: impl IntoIterator<Item = (u64, Value)>) {
        self.queue_steps(jobs.into_iter().map(|(job, does)| (job, does, KIND, None))).await;
    }

    async fn queue_steps(
        &self,
        jobs: impl IntoIterator<Item = (u64, Value, &'static str, Option<(LeadId, AttemptNumber)>)>,
    ) {
        let now = self.world.database_time().await;
        let new = |(job, does, kind, step)| {
            let args = json!({ "lab": self.name, "job": job, "does": does });
            NewJob { id: JobId::new(now), kind, step, args, priority: 2, born_claimed: None }
        };
        let jobs: Vec<NewJob> = jobs.into_iter().map(new).collect();
        let mut tx = self.world.db.pool().begin().await.expect("a transaction");
        store::queue::insert(&mut tx, self.world.client, &jobs, now).await.expect("queued");
        store::notify(&mut tx, &format!("j:{}", self.world.client)).await.expect("announced");
        tx.commit().await.expect("committed");
    }

    /// How often each job has begun.
    fn begun(&self) -> BTreeMap<u64, usize> {
        let mut begun = BTreeMap::new();
        for (job, ..) in self.began.lock().expect("held for moments").iter() {
            *begun.entry(*job).or_default() += 1;
        }
        begun
    }

    async fn until_begun(&self, jobs: usize) {
        until("jobs to begin", async || self.began.lock().expect("held for moments").len() >= jobs).await;
    }

    async fn until_done(&self, jobs: usize) {
        until("jobs to be done", async || self.done.load(Ordering::SeqCst) >= jobs).await;
    }

    async fn end(self: Arc<Self>) {
        LABS.lock().expect("held for moments").remove(&self.name);
        let lab = Arc::into_inner(self).expect("no job runs any more");
        lab.world.end().await;
    }
}

fn kinds(slots: usize) -> Kinds {
    Kinds {
        slots: vec![(KIND, slots), (OTHER, 1)],
        tries: |_| Some(TRIES),
        run: |_, args, ctx| run(args, ctx).boxed(),
    }
}

async fn run(args: Value, ctx: Ctx) -> Result<(), JobError> {
    let name: Uuid = serde_json::from_value(args["lab"].clone()).expect("a lab");
    let job = args["job"].as_u64().expect("a job");
    let lab = Arc::clone(&LABS.lock().expect("held for moments")[&name]);
    let node = ctx.engine.node();
    lab.began.lock().expect("held for moments").push((job, node, Instant::now()));
    let running = {
        let mut running = lab.running.lock().expect("held for moments");
        let running = running.entry(node).or_default();
        *running += 1;
        *running
    };
    lab.most.fetch_max(running, Ordering::SeqCst);
    let _running =
        scope(|| *lab.running.lock().expect("held for moments").get_mut(&node).expect("it runs") -= 1);
    let nth = lab.begun()[&job];
    match args["does"].as_str() {
        Some("wait") => drop(lab.gate.acquire().await),
        Some("panic") => panic!("job {job} is like that"),
        Some("fail") => return Err(JobError::Panicked("it failed".into())),
        Some("fail once") if nth == 1 => return Err(JobError::Panicked("it failed".into())),
        Some("later") if nth <= 5 => return Err(JobError::Later(Duration::from_millis(20))),
        _ => {
            let ms = args["does"].as_u64().unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }
    finish(&ctx).await?;
    lab.done.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

async fn finish(ctx: &Ctx) -> Result<(), JobError> {
    let mut conn = ctx.engine.pool().acquire().await.map_err(store::StoreError::from)?;
    let now = ctx.engine.now_in(&mut conn).await?;
    Ok(store::queue::finish(&mut conn, ctx.lease.client, &[ctx.lease], now).await?)
}

/// Runs `end` at the end of a scope, however that is left.
fn scope(end: impl FnOnce()) -> impl Drop {
    struct Scope<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Scope<F> {
        fn drop(&mut self) {
            if let Some(end) = self.0.take() {
                end();
            }
        }
    }
    Scope(Some(end))
}

/// Lets a node that is no process of ours claim everything, with leases until `lease_until`.
async fn claim_for(lab: &Lab, node: &Node, lease_until: Moment) {
    let mut conn = lab.world.db.pool().acquire().await.expect("a connection");
    let now = lab.world.database_time().await;
    store::nodes::announce(&mut conn, node, now).await.expect("announced");
    let claimed = store::queue::claim(&mut conn, node.id, &[KIND.to_owned()], &[100], now, lease_until).await;
    assert!(!claimed.expect("claimed").is_empty());
}

fn node_of(process: Process) -> Node {
    Node {
        id: NodeId(Uuid::new_v4()),
        name: "a test".into(),
        process,
        roles: vec![],
        seats: 0,
        address: None,
        wall: node::wall,
    }
}

#[tokio::test]
async fn live_workers_never_lose_a_prefetched_or_long_running_job() {
    let lab = Lab::new().await;
    let workers = [lab.worker(2, pace()).await, lab.worker(2, pace()).await];
    let length = 4 * u64::try_from(LEASE.as_millis()).expect("in range") / 2;
    lab.queue((0..8).map(|job| (job, json!(length)))).await;
    lab.until_done(8).await;
    assert_eq!(lab.begun(), (0..8).map(|job| (job, 1)).collect());
    assert_eq!(lab.most.load(Ordering::SeqCst), 2, "as many at once as there are slots");
    join_all(workers.map(Worker::drain)).await;
    lab.end().await;
}

#[tokio::test]
async fn a_job_that_runs_through_a_drain_keeps_its_lease() {
    let lab = Lab::new().await;
    let first = lab.worker(1, pace()).await;
    lab.queue([(0, json!("wait"))]).await;
    lab.until_begun(1).await;
    let second = lab.worker(1, pace()).await;
    let draining = tokio::spawn(first.drain());
    let lease = "select (extract(epoch from max(lease_until)) * 1000)::bigint from jobs";
    let was = lab.world.count(lease).await;
    let four = 4 * i64::try_from(LEASE.as_millis()).expect("in range");
    until("the lease to be renewed over and over", async || lab.world.count(lease).await > was + four).await;
    assert_eq!(lab.begun(), BTreeMap::from([(0, 1)]));
    lab.gate.add_permits(1);
    soon("the drain", draining).await.expect("it drains");
    assert_eq!(lab.done.load(Ordering::SeqCst), 1);
    second.drain().await;
    lab.end().await;
}

#[tokio::test]
async fn a_drained_worker_leaves_nothing_claimed() {
    let lab = Lab::new().await;
    for round in 0..30_u64 {
        let worker = lab.worker(4, pace()).await;
        lab.queue((0..20).map(|job| (round * 20 + job, json!(1)))).await;
        lab.until_begun(lab.done.load(Ordering::SeqCst) + 1).await;
        tokio::time::sleep(Duration::from_micros(round * 300)).await;
        worker.drain().await;
        let claimed = lab.world.count("select count(*) from jobs where lease_owner is not null").await;
        assert_eq!(claimed, 0, "round {round}");
    }
    let rest = lab.worker(4, pace()).await;
    lab.until_done(600).await;
    assert!(lab.begun().values().all(|begun| *begun == 1), "{:?}", lab.begun());
    rest.drain().await;
    lab.end().await;
}

#[tokio::test]
async fn the_work_of_a_dead_process_of_this_host_is_taken_over_at_once() {
    let lab = Lab::new().await;
    lab.queue([(0, json!(0))]).await;
    let this = Process::this();
    let dead = node_of(Process { started: this.started + 1, ..this });
    claim_for(&lab, &dead, lab.world.database_time().await + TimeDelta::hours(1)).await;
    // Not by looking again, nor by a lease that runs out.
    let worker = lab.worker(1, by_signal()).await;
    lab.until_done(1).await;
    let nodes = lab.world.count("select count(*) from nodes").await;
    assert_eq!(nodes, 1, "the dead process is gone from the list");
    worker.drain().await;
    lab.end().await;
}

#[tokio::test]
async fn the_work_of_another_host_is_taken_over_when_its_leases_run_out_and_not_before() {
    let lab = Lab::new().await;
    // Whether a process of another host is gone cannot be seen from here, whatever its number.
    let elsewhere = |host: &str| node_of(Process { host: host.into(), pid: 1, started: 1 });
    let lease_until = lab.world.database_time().await + TimeDelta::milliseconds(400);
    lab.queue((0..10).map(|job| (job, json!(0)))).await;
    claim_for(&lab, &elsewhere("another"), lease_until).await;
    lab.queue((10..20).map(|job| (job, json!(0)))).await;
    let distant = lab.world.database_time().await + TimeDelta::hours(1);
    claim_for(&lab, &elsewhere("a third"), distant).await;
    let workers = [lab.worker(4, pace()).await, lab.worker(4, pace()).await];
    lab.until_begun(1).await;
    assert!(lab.world.database_time().await >= lease_until);
    lab.until_done(10).await;
    // Whoever claims this has looked at the others too.
    lab.queue((20..22).map(|job| (job, json!(0)))).await;
    lab.until_done(12).await;
    let begun: Vec<u64> = lab.begun().into_keys().collect();
    assert_eq!(begun, (0..10).chain(20..22).collect::<Vec<u64>>(), "the third's leases hold");
    assert_eq!(lab.world.count("select count(*) from nodes").await, 4, "and nobody is taken for dead");
    lab.world.run("update jobs set lease_until = clock_timestamp()").await;
    lab.until_done(22).await;
    assert_eq!(lab.begun(), (0..22).map(|job| (job, 1)).collect());
    join_all(workers.map(Worker::drain)).await;
    lab.end().await;
}

#[tokio::test]
async fn a_frozen_workers_lease_that_nobody_took_is_its_own_again() {
    let lab = Lab::new().await;
    let worker = lab.worker(1, pace()).await;
    lab.queue([(0, json!("wait"))]).await;
    lab.until_begun(1).await;
    lab.world.run("update jobs set lease_until = now() - interval '1 hour'").await;
    let held = "select count(*) from jobs where lease_until > clock_timestamp()";
    until("the lease to be renewed", async || lab.world.count(held).await == 1).await;
    lab.gate.add_permits(1);
    lab.until_done(1).await;
    assert_eq!(lab.begun(), BTreeMap::from([(0, 1)]));
    worker.drain().await;
    lab.end().await;
}

#[tokio::test]
async fn a_job_that_somebody_else_took_is_not_finished_by_its_former_owner() {
    let lab = Lab::new().await;
    lab.queue([(0, json!(0))]).await;
    let now = lab.world.database_time().await;
    let mut conn = lab.world.db.pool().acquire().await.expect("a connection");
    let kind = [KIND.to_owned()];
    let mut take = async |now: Moment| {
        let until = now + TimeDelta::seconds(1);
        let mut claimed = store::queue::claim(&mut conn, NodeId(Uuid::new_v4()), &kind, &[1], now, until)
            .await
            .expect("claimed");
        claimed.pop()
    };
    let first = take(now).await.expect("it is free");
    assert!(take(now).await.is_none(), "it is taken");
    let second = take(now + TimeDelta::seconds(1)).await.expect("its lease has run out");
    assert_eq!((first.tries, second.tries), (1, 2));
    let client = lab.world.client;
    store::queue::finish(&mut conn, client, &[first.lease], now).await.expect("asked");
    assert_eq!(lab.world.count("select count(*) from jobs").await, 1);
    store::queue::finish(&mut conn, client, &[second.lease], now).await.expect("asked");
    drop(conn);
    lab.end().await;
}

#[tokio::test]
async fn work_is_picked_up_by_its_signal_even_after_a_burst_of_notifications() {
    let lab = Lab::new().await;
    let worker = lab.worker(1, by_signal()).await;
    until_heard(&lab).await;
    let burst = "select count(pg_notify('outdial', n || ':' || n)) from generate_series(1, 1000) n";
    assert_eq!(lab.world.count(burst).await, 1_000);
    let asked = Instant::now();
    lab.queue([(0, json!(0))]).await;
    lab.until_done(1).await;
    let began = lab.began.lock().expect("held for moments")[0].2;
    println!("picked up {:?} after it was queued", began - asked);
    worker.drain().await;
    lab.end().await;
}

#[tokio::test]
async fn a_cut_listener_hears_again_and_catches_up_on_what_it_missed() {
    let lab = Lab::new().await;
    let worker = lab.worker(1, by_signal()).await;
    for round in 0..3 {
        until_heard(&lab).await;
        let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and query ilike 'listen%'";
        assert_eq!(lab.world.count(cut).await, 1);
        lab.queue([(round, json!(0))]).await;
        lab.until_done(usize::try_from(round).expect("in range") + 1).await;
    }
    worker.drain().await;
    lab.end().await;
}

/// Waits until somebody listens for notifications.
async fn until_heard(lab: &Lab) {
    until_listening(lab, 1).await;
}

async fn until_listening(lab: &Lab, processes: i64) {
    let listening = "select count(*) from pg_stat_activity
        where datname = current_database() and query ilike 'listen%' and state = 'idle'";
    until("listeners to listen", async || lab.world.count(listening).await == processes).await;
}

#[tokio::test]
async fn a_freed_slot_is_filled_at_once_although_another_kind_has_free_ones() {
    let lab = Lab::new().await;
    let worker = lab.worker(1, by_signal()).await;
    lab.queue((0..5).map(|job| (job, json!(5)))).await;
    lab.until_done(5).await;
    worker.drain().await;
    lab.end().await;
}

#[tokio::test]
async fn a_panic_harms_no_other_job_and_after_its_tries_the_job_is_put_aside_and_its_lead_told() {
    let lab = Lab::new().await;
    let campaign = lab.world.draft(json!({})).await;
    let lead = lab.world.lead(campaign, "+919876543210").await;
    let worker = lab.worker(4, pace()).await;
    let step = Some((lead, AttemptNumber::FIRST));
    let healthy = (1..=50).map(|job| (job, json!(2), KIND, None));
    lab.queue_steps(healthy.chain([(0, json!("panic"), KIND, step)])).await;
    let record = lab.world.until(lead, |record| names(record).contains(&"job_quarantined")).await;
    assert_eq!(lab.done.load(Ordering::SeqCst), 50);
    let begun: Vec<Instant> = lab
        .began
        .lock()
        .expect("held for moments")
        .iter()
        .filter(|(job, ..)| *job == 0)
        .map(|(.., at)| *at)
        .collect();
    assert_eq!(begun.len(), 3);
    assert!(begun[1] - begun[0] >= Duration::from_secs(1) && begun[2] - begun[1] >= Duration::from_secs(2));
    let mut conn = lab.world.db.pool().acquire().await.expect("a connection");
    let aside = store::quarantine::open(&mut conn, 10).await.expect("listed");
    drop(conn);
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].job_kind.as_deref(), Some(KIND));
    assert!(aside[0].error.contains("job 0 is like that"), "{aside:?}");
    assert!(!record.quarantined, "the lead goes on by its timers");
    worker.drain().await;
    lab.world.run("update quarantine set released_at = now()").await;
    lab.end().await;
}

#[tokio::test]
async fn a_failed_job_runs_again_after_a_pause_and_one_that_asks_for_it_loses_no_try() {
    let lab = Lab::new().await;
    let worker = lab.worker(2, pace()).await;
    lab.queue([(0, json!("fail once")), (1, json!("later"))]).await;
    lab.until_done(2).await;
    assert_eq!(lab.begun(), BTreeMap::from([(0, 2), (1, 6)]));
    let began = lab.began.lock().expect("held for moments").clone();
    let first: Vec<Instant> = began.iter().filter(|(job, ..)| *job == 0).map(|(.., at)| *at).collect();
    assert!(first[1] - first[0] >= Duration::from_secs(1));
    worker.drain().await;
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_workers_claiming_at_once_none_claims_what_another_has() {
    let lab = Lab::new().await;
    lab.queue((0..2_000).map(|job| (job, json!(0)))).await;
    let claiming = (0..6).map(|_| {
        let pool = lab.world.db.pool().clone();
        tokio::spawn(async move {
            let (node, kind) = (NodeId(Uuid::new_v4()), [KIND.to_owned()]);
            let mut mine = vec![];
            loop {
                let mut conn = pool.acquire().await.expect("a connection");
                let now: Moment = sqlx::query_scalar("select clock_timestamp()")
                    .fetch_one(&mut *conn)
                    .await
                    .expect("the time");
                let until = now + TimeDelta::seconds(60);
                let claimed = store::queue::claim(&mut conn, node, &kind, &[7], now, until).await;
                let claimed = claimed.expect("claimed");
                assert!(claimed.len() <= 7, "no more than there are free slots");
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|claimed| claimed.lease.job));
            }
        })
    });
    let claimed: Vec<Vec<JobId>> =
        join_all(claiming).await.into_iter().map(|mine| mine.expect("it ends")).collect();
    let all: Vec<JobId> = claimed.into_iter().flatten().collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert_eq!(all.len(), 2_000);
    lab.world.run("delete from jobs").await;
    lab.end().await;
}

/// An engine's own signal and what other processes announce are the same thing.
#[tokio::test]
async fn jobs_run_in_the_order_of_their_priority() {
    let lab = Lab::new().await;
    let engine: Engine = lab.world.another_engine().await;
    lab.queue([(0, json!(0)), (1, json!(0)), (2, json!(0))]).await;
    lab.world.run("update jobs set priority = 3 - (args->>'job')::smallint").await;
    let worker = world::start(&lab.world.db, engine, kinds(1), pace()).await;
    lab.until_done(3).await;
    let order: Vec<u64> = lab.began.lock().expect("held for moments").iter().map(|(job, ..)| *job).collect();
    assert_eq!(order, [2, 1, 0]);
    worker.drain().await;
    lab.end().await;
}

#[tokio::test]
async fn what_a_stopping_process_gives_back_is_announced_and_taken_by_another_at_once() {
    let lab = Lab::new().await;
    let engine = lab.world.another_engine().await;
    let node = engine.node();
    let stopping = world::start(&lab.world.db, engine, kinds(1), by_signal()).await;
    let other = lab.worker(1, by_signal()).await;
    until_listening(&lab, 2).await;
    // Claimed and not begun: on its way to a worker.
    let mut tx = lab.world.db.pool().begin().await.expect("a transaction");
    let now = lab.world.database_time().await;
    let args = json!({ "lab": lab.name, "job": 0, "does": 0 });
    let job = NewJob { id: JobId::new(now), kind: KIND, step: None, args, priority: 2, born_claimed: None };
    store::queue::insert(&mut tx, lab.world.client, &[job], now).await.expect("queued");
    let until = now + TimeDelta::hours(1);
    let claimed = store::queue::claim(&mut tx, node, &[KIND.to_owned()], &[1], now, until).await;
    assert_eq!(claimed.expect("claimed").len(), 1);
    tx.commit().await.expect("committed");
    stopping.drain().await;
    lab.until_done(1).await;
    assert_ne!(lab.began.lock().expect("held for moments")[0].1, node);
    other.drain().await;
    lab.end().await;
}

#[tokio::test]
async fn a_renewal_waits_for_no_job_that_is_being_finished() {
    let world = World::new().await;
    let now = world.database_time().await;
    let args = json!({});
    let job = || NewJob {
        id: JobId::new(now),
        kind: KIND,
        step: None,
        args: args.clone(),
        priority: 2,
        born_claimed: None,
    };
    let pool = world.db.pool();
    let mut conn = pool.acquire().await.expect("a connection");
    store::queue::insert(&mut conn, world.client, &[job(), job()], now).await.expect("queued");
    let node = NodeId(Uuid::new_v4());
    let until = now + TimeDelta::seconds(12);
    let claimed = store::queue::claim(&mut conn, node, &[KIND.to_owned()], &[2], now, until).await;
    let [one, other] = claimed.expect("claimed").try_into().expect("both");
    let mut finishing = pool.begin().await.expect("a transaction");
    store::queue::finish(&mut finishing, world.client, &[one.lease], now).await.expect("finished");
    let tokens = [one.lease.token, other.lease.token];
    let renewed = store::queue::renew(&mut conn, node, &tokens, until + TimeDelta::seconds(4)).await;
    assert_eq!(renewed.expect("renewed"), [other.lease.token]);
    finishing.rollback().await.expect("taken back");
    let renewed = store::queue::renew(&mut conn, node, &tokens, until + TimeDelta::seconds(8)).await;
    assert_eq!(renewed.expect("renewed").len(), 2);
    store::queue::finish(&mut conn, world.client, &[one.lease, other.lease], now).await.expect("finished");
    drop(conn);
    world.end().await;
}
