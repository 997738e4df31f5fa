//! Workers whose database goes away, and whose way to it is cut.

use std::time::{Duration, Instant};

use super::cluster::{TestCluster, TestDb};
use super::process::ready;
use super::proxy::{Proxy, Target};
use super::world::{World, anything, well_behaved};

#[tokio::test]
async fn a_database_that_crashes_under_load_costs_nothing_but_time() {
    let cluster = TestCluster::own().await;
    let world = World::new(cluster.url(), 40).await;
    world.add_leads(anything(200)).await;
    world.start().await;
    let worker = world.worker(&[]);
    for n in 1..=2 {
        world.finished_more_than(world.finished().await + 10).await;
        let began = Instant::now();
        cluster.restart_immediate().await;
        let away = began.elapsed();
        let before = world.finished().await;
        let took = world.finished_more_than(before).await;
        println!("restart {n} of Postgres: {away:.1?} away; the next outcome {took:.1?} after it was back");
    }
    world.all_finished(Duration::from_secs(60)).await;
    world.assert_promises_kept().await;
    worker.stop().await;
}

#[tokio::test]
async fn connections_that_are_cut_again_and_again_cost_nothing_but_time() {
    const CUTTING: Duration = Duration::from_secs(4);
    let cluster = TestCluster::own().await;
    let world = World::new(cluster.url(), 40).await;
    world.add_leads(anything(200)).await;
    world.start().await;
    let worker = world.worker(&[]);
    world.finished_more_than(world.finished().await + 10).await;
    let began = Instant::now();
    let mut cut = 0;
    while began.elapsed() < CUTTING {
        cut += cluster.kill_connections().await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let before = world.finished().await;
    let took = world.finished_more_than(before).await;
    println!("{cut} connections cut in {CUTTING:?}: the next outcome {took:.1?} later");
    world.all_finished(Duration::from_secs(60)).await;
    world.assert_promises_kept().await;
    worker.stop().await;
}

#[tokio::test]
async fn a_commit_whose_answer_never_comes_is_neither_lost_nor_done_twice() {
    cut(Target::Commits, 7).await;
}

/// A claim above all: its job belongs to a process that has never heard of it.
#[tokio::test]
async fn a_statement_whose_answer_never_comes_leaves_nothing_undone() {
    cut(Target::Statements, 61).await;
}

#[tokio::test]
async fn a_database_that_falls_silent_is_asked_again_over_new_connections() {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 20).await;
    world.add_leads(well_behaved(100)).await;
    world.start().await;
    let proxy = Proxy::to(database.url(), Target::Nothing, 1).await;
    let worker = world.worker_over(proxy.url());
    world.finished_more_than(10).await;
    proxy.fall_silent();
    let before = world.finished().await;
    let took = world.finished_more_than(before).await;
    println!("connections gone without a word: the next outcome {took:.1?} later");
    world.all_finished(Duration::from_secs(60)).await;
    world.assert_promises_kept().await;
    worker.stop().await;
}

async fn cut(target: Target, every: u32) {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 20).await;
    world.add_leads(well_behaved(100)).await;
    world.start().await;
    let proxy = Proxy::to(database.url(), target, every).await;
    let worker = world.worker_over(proxy.url());
    ready(world.port()).await;
    proxy.begin();
    let all = world.all_finished(Duration::from_secs(90)).await;
    let cuts = proxy.cuts();
    println!("{target:?}: {cuts:?} over {all:.1?}");
    assert!(cuts.answered > 5 && cuts.unsent > 5, "they were cut: {cuts:?}");
    world.assert_promises_kept().await;
    worker.stop().await;
}
