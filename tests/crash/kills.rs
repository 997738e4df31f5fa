//! Workers that are killed and frozen at any moment.

use std::time::Duration;

use rand::RngExt;
use rustix::process::Signal;

use super::cluster::TestDb;
use super::process::ready;
use super::world::{World, anything};

/// How hard it is.
struct Load {
    leads: usize,
    at_once: u32,
    times: u32,
}

#[tokio::test]
async fn workers_killed_at_any_moment_lose_nothing_and_call_nobody_twice() {
    killed_again_and_again(Load { leads: 300, at_once: 40, times: 4 }).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn workers_killed_for_a_long_time_lose_nothing_and_call_nobody_twice() {
    killed_again_and_again(Load { leads: 5_000, at_once: 100, times: 60 }).await;
}

#[tokio::test]
async fn a_worker_frozen_for_longer_than_its_leases_calls_nobody_again() {
    frozen_again_and_again(Load { leads: 200, at_once: 40, times: 3 }).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_worker_frozen_for_a_long_time_calls_nobody_again() {
    frozen_again_and_again(Load { leads: 2_000, at_once: 100, times: 40 }).await;
}

async fn killed_again_and_again(load: Load) {
    let database = TestDb::new().await;
    let world = World::new(database.url(), load.at_once).await;
    world.add_leads(anything(load.leads)).await;
    world.start().await;
    let mut worker = world.worker(&[]);
    for n in 1..=load.times {
        world.finished_more_than(world.finished().await).await;
        let moment = any_moment(1_500).await;
        worker.kill_9();
        let before = world.finished().await;
        worker = world.worker(&[]);
        let took = world.finished_more_than(before).await;
        println!(
            "kill {n}, {moment:.1?} after an outcome: {before} finished, the next {took:.1?} after the kill"
        );
    }
    let rest = world.all_finished(Duration::from_secs(60) * (load.times / 4)).await;
    println!("killed {} times: the rest took {rest:.1?}", load.times);
    world.assert_promises_kept().await;
    worker.stop().await;
}

/// The frozen one is woken while another does its work: what it was about to send must not leave.
async fn frozen_again_and_again(load: Load) {
    const PACE: [&str; 2] = ["--pace-lease-ms", "1500"];
    let database = TestDb::new().await;
    let world = World::new(database.url(), load.at_once).await;
    world.add_leads(anything(load.leads)).await;
    world.start().await;
    let ear = world.ear();
    ready(world.port()).await;
    let mut workers = [world.mute_worker(&PACE), world.mute_worker(&PACE)];
    for n in 1..=load.times {
        world.finished_more_than(world.finished().await).await;
        let moment = any_moment(800).await;
        let before = world.finished().await;
        workers[0].signal(Signal::STOP);
        // Past the lease, and past the permit to send.
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        let meanwhile = world.finished().await - before;
        workers[0].signal(Signal::CONT);
        println!("freeze {n}, {moment:.1?} after an outcome: {meanwhile} finished meanwhile");
        workers.swap(0, 1);
    }
    let rest = world.all_finished(Duration::from_secs(60) * load.times.div_ceil(4)).await;
    println!("frozen {} times: the rest took {rest:.1?}", load.times);
    world.assert_promises_kept().await;
    for worker in workers {
        worker.stop().await;
    }
    ear.stop().await;
}

/// Lets a little time pass, to meet a process anywhere in its work.
async fn any_moment(up_to_ms: u64) -> Duration {
    let moment = Duration::from_millis(rand::rng().random_range(0..up_to_ms));
    tokio::time::sleep(moment).await;
    moment
}
