//! Workers that are killed and frozen at any moment.

use std::time::Duration;

use chrono::TimeDelta;
use outdial_jobs::providers::exotel::Settings;
use outdial_workflows::history::Event;
use outdial_workflows::ids::DialKey;
use outdial_workflows::limits::Limit;
use rand::RngExt;
use rustix::process::Signal;

use super::cluster::TestDb;
use super::process::ready;
use super::world::{World, anything, settings, well_behaved};

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
    frozen_again_and_again(Load { leads: 5_000, at_once: 100, times: 40 }).await;
}

#[tokio::test]
async fn limits_hold_to_the_call_with_three_nodes_that_are_killed_and_come_back() {
    limits_under_kills(Load { leads: 150, at_once: 12, times: 6 }).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn limits_hold_to_the_call_with_three_nodes_that_are_killed_for_a_long_time() {
    limits_under_kills(Load { leads: 5_000, at_once: 30, times: 60 }).await;
}

/// Everything that has to do with time between processes is as in production.
#[tokio::test]
async fn a_worker_frozen_before_it_sends_is_overtaken_once_its_leases_ran_out_and_sends_nothing_more() {
    let Settings { silence_ms, .. } = Settings::default();
    let database = TestDb::new().await;
    let world = World::with(database.url(), 10, Settings { silence_ms, ..settings() }).await;
    world.add_leads(well_behaved(30)).await;
    let ear = world.ear();
    ready(world.port()).await;
    let frozen = world.mute_worker(&["--crash-at", "place.before_send:5:freeze"]);
    world.start().await;
    frozen.frozen().await;
    let leases = world.leases().await;
    let dials = world.carrier.dials();
    let sent = |lead, number| {
        let key = |text: &String| text.parse::<DialKey>().map(|DialKey(key)| (key.lead, key.number));
        dials.keys.keys().any(|dialled| key(dialled) == Ok((lead, number)))
    };
    let other = world.mute_worker(&[]);
    // All of them, also those that the frozen one had in its hands.
    let all = world.all_finished(Duration::from_secs(90)).await;
    println!("frozen with {} leases: all finished {all:.1?} later", leases.len());
    let mut taken_over = 0;
    for record in world.records().await {
        for recorded in &record.events {
            let Event::BecameUnknown { attempt, .. } = recorded.event else { continue };
            let lease = leases.iter().find(|(lead, number, _)| (*lead, *number) == (record.lead, attempt));
            if let Some((lead, number, until)) = lease.filter(|(lead, number, _)| !sent(*lead, *number)) {
                assert!(recorded.at >= *until, "{lead} {number}: taken at {} of {until}", recorded.at);
                taken_over += 1;
            }
        }
    }
    assert!(taken_over >= 1, "at least the request that it was about to send");
    let before = world.carrier.dials().timeline.len();
    frozen.signal(Signal::CONT);
    // It works on: it renews what it holds, finds that it holds nothing, and stops in peace.
    frozen.stop().await;
    assert_eq!(world.carrier.dials().timeline.len(), before, "what it was about to send never leaves");
    world.assert_promises_kept().await;
    world.assert_nothing_left_late().await;
    other.stop().await;
    ear.stop().await;
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

/// By the carrier's own count: how many calls were under way at once, and when each was placed.
async fn limits_under_kills(load: Load) {
    let (max, per_ms) = (load.at_once * 3 / 4, 400);
    let limits = vec![Limit::Concurrent { max: load.at_once }, Limit::Rate { max, per_ms }];
    let database = TestDb::new().await;
    let world = World::limited(database.url(), limits, settings()).await;
    world.add_leads(anything(load.leads)).await;
    world.start().await;
    let ear = world.ear();
    ready(world.port()).await;
    let mut nodes = [world.mute_worker(&[]), world.mute_worker(&[]), world.mute_worker(&[])];
    for n in 1..=load.times {
        let share = load.leads as i64 * i64::from(n) / i64::from(2 * load.times);
        world.finished_more_than(share.max(world.finished().await)).await;
        let moment = any_moment(700).await;
        nodes.rotate_left(1);
        let [first, ..] = &mut nodes;
        std::mem::replace(first, world.mute_worker(&[])).kill_9();
        println!("kill {n}, {moment:.1?} after an outcome: {} finished", world.finished().await);
    }
    let rest = world.all_finished(Duration::from_secs(60) * load.times.div_ceil(4)).await;
    let dials = world.carrier.dials();
    let most = dials.totals.live_max;
    assert!(most <= u64::from(load.at_once), "{most} calls at once, and {} may be", load.at_once);
    let window = TimeDelta::milliseconds(per_ms.into());
    let over = dials.timeline.windows(max as usize + 1);
    let over: Vec<_> = over.filter(|dials| dials[max as usize].at - dials[0].at < window).collect();
    assert!(over.is_empty(), "more than {max} calls in {per_ms} ms: {over:#?}");
    let placed = dials.totals.accepted;
    println!("{placed} calls, at most {most} of {} at once; the rest took {rest:.1?}", load.at_once);
    world.assert_promises_kept().await;
    for node in nodes {
        node.stop().await;
    }
    ear.stop().await;
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
pub(super) async fn any_moment(up_to_ms: u64) -> Duration {
    let moment = Duration::from_millis(rand::rng().random_range(0..up_to_ms));
    tokio::time::sleep(moment).await;
    moment
}
