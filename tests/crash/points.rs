//! A worker that dies at each effect of a dial in turn.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;

use outdial_jobs::crash::POINTS;
use rustix::process::Signal;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use super::cluster::TestDb;
use super::world::{World, every_fate};

/// So many deaths are died at once: each mostly waits.
const AT_ONCE: usize = 5;

#[tokio::test]
async fn a_worker_that_dies_at_any_effect_of_a_dial_is_replaced_and_nobody_is_called_twice() {
    LocalSet::new().run_until(die_in_turn()).await;
}

async fn die_in_turn() {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut deaths = JoinSet::new();
    for (point, nth) in POINTS.iter().flat_map(|point| [(*point, 1), (*point, 5)]) {
        let turns = Arc::clone(&turns);
        deaths.spawn_local(async move {
            let _turn = turns.acquire_owned().await.expect("nobody closes it");
            dies_at(point, nth).await;
        });
    }
    let mut failed = 0;
    while let Some(death) = deaths.join_next().await {
        failed += usize::from(death.is_err());
    }
    assert_eq!(failed, 0, "see above for which");
}

async fn dies_at(point: &str, nth: u32) {
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
