//! A worker that dies at each effect of a dial in turn.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use outdial_jobs::crash::POINTS;
use rustix::process::Signal;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use super::cluster::TestDb;
use super::world::{World, every_fate};

/// So many processes live at once, as the server takes 200 connections. Each mostly waits.
static PROCESSES: Semaphore = Semaphore::const_new(8);

/// Past the lease of [`QUICK`], past the permit to send, and long enough for the other to conclude that
/// nothing was sent and to dial again: what leaves after that would be a second call.
const FROZEN_FOR: Duration = Duration::from_secs(8);
/// Leases of 1.5 s.
const QUICK: [&str; 2] = ["--pace-lease-ms", "1500"];

#[tokio::test]
async fn a_worker_that_dies_at_any_effect_of_a_dial_is_replaced_and_nobody_is_called_twice() {
    LocalSet::new().run_until(in_turn(1, dies_at)).await;
}

#[tokio::test]
async fn a_worker_that_is_frozen_at_any_effect_of_a_dial_is_overtaken_and_calls_nobody_again() {
    LocalSet::new().run_until(in_turn(2, freezes_at)).await;
}

/// Each point, at the first time and at a later one.
async fn in_turn<F: Future<Output = ()> + 'static>(processes: u32, happens_at: fn(&'static str, u32) -> F) {
    let mut happenings = JoinSet::new();
    for (point, nth) in POINTS.iter().flat_map(|point| [(*point, 1), (*point, 5)]) {
        happenings.spawn_local(async move {
            let _turn = PROCESSES.acquire_many(processes).await.expect("nobody closes it");
            happens_at(point, nth).await;
        });
    }
    let mut failed = 0;
    while let Some(happened) = happenings.join_next().await {
        failed += usize::from(happened.is_err());
    }
    assert_eq!(failed, 0, "see above for which");
}

async fn freezes_at(point: &'static str, nth: u32) {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 2).await;
    world.add_leads(every_fate()).await;
    let at = format!("{point}:{nth}:freeze");
    // It hears the carrier too, so that it comes by every point.
    let armed = world.worker(&["--crash-at", &at, QUICK[0], QUICK[1]]);
    world.start().await;
    armed.frozen().await;
    let before = world.finished().await;
    let other = world.mute_worker(&QUICK);
    tokio::time::sleep(FROZEN_FOR).await;
    let meanwhile = world.finished().await - before;
    armed.signal(Signal::CONT);
    let all = world.all_finished(Duration::from_secs(60)).await;
    println!("{at}: {meanwhile} finished meanwhile, all {all:.1?} after it went on");
    world.assert_promises_kept().await;
    world.assert_nothing_left_late().await;
    armed.stop().await;
    other.stop().await;
}

async fn dies_at(point: &'static str, nth: u32) {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 2).await;
    world.add_leads(every_fate()).await;
    let at = format!("{point}:{nth}");
    let mut armed = world.worker(&["--crash-at", &at]);
    world.start().await;
    let died = armed.end(Duration::from_secs(30)).await.value;
    assert_eq!(died.signal(), Some(Signal::KILL.as_raw()), "{at}: {died}\n{}", armed.said());
    let before = world.finished().await;
    let replacement = world.worker(&[]);
    let first_outcome = world.finished_more_than(before).await;
    let all = world.all_finished(Duration::from_secs(60)).await;
    println!("{at}: first outcome {first_outcome:.1?} after the restart, the last {all:.1?} later");
    world.assert_promises_kept().await;
    replacement.stop().await;
}
