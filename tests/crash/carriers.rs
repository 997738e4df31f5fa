//! The same with every other carrier: workers die at each effect of a dial, and at any moment.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use outdial_emulators::carrier::{Forgery, Quirk};
use outdial_jobs::crash::{POINTS, POINTS_OF_COPIES};
use outdial_jobs::providers::Provider;
use rustix::process::Signal;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use super::cluster::TestDb;
use super::kills::any_moment;
use super::world::{World, anything};

/// A carrier, and of Telnyx by which of its products.
#[derive(Clone, Copy)]
enum By {
    Carrier(Provider),
    Texml,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Carrier(provider) => provider.name(),
            Self::Texml => "texml",
        }
    }

    async fn world(self, database: &str, at_once: u32) -> World {
        match self {
            Self::Carrier(provider) => World::of(database, provider, at_once).await,
            Self::Texml => World::of_texml(database, at_once).await,
        }
    }
}

/// So many processes live at once; see the points of Exotel.
static PROCESSES: Semaphore = Semaphore::const_new(6);

#[tokio::test]
async fn workers_with_exotel_whose_webhooks_misbehave_are_replaced_and_nobody_is_called_twice() {
    killed(By::Carrier(Provider::Exotel)).await;
}

#[tokio::test]
async fn workers_with_retell_that_die_are_replaced_and_nobody_is_called_twice() {
    dies(By::Carrier(Provider::Retell)).await;
    killed(By::Carrier(Provider::Retell)).await;
}

#[tokio::test]
async fn workers_with_telnyx_that_die_are_replaced_and_nobody_is_called_twice() {
    dies(By::Carrier(Provider::Telnyx)).await;
    killed(By::Carrier(Provider::Telnyx)).await;
}

#[tokio::test]
async fn workers_with_texml_that_die_are_replaced_and_nobody_is_called_twice() {
    dies(By::Texml).await;
    killed(By::Texml).await;
}

#[tokio::test]
async fn workers_with_livekit_that_die_are_replaced_and_nobody_is_called_twice() {
    dies(By::Carrier(Provider::LiveKit)).await;
    killed(By::Carrier(Provider::LiveKit)).await;
}

/// Killed at any moment, three times, while webhooks come twice, in reverse, late or never, and dials are taken
/// whose answers are lost.
async fn killed(by: By) {
    let database = TestDb::new().await;
    let world = by.world(database.url(), 20).await;
    world.add_leads(anything(60)).await;
    for wrong in [
        &[Quirk::DuplicateCallbacks { extra: 2 }][..],
        &[Quirk::ReorderedCallbacks],
        &[Quirk::LateCallbacks { by: Duration::from_secs(60) }],
        &[Quirk::NoCallbacks],
        &[Quirk::Forged(Forgery::Replayed)],
        &[Quirk::AcceptThenDrop],
        &[Quirk::AcceptThenDrop, Quirk::NoCallbacks],
        &[Quirk::Hang { accepted: true, times: 1 }, Quirk::DuplicateCallbacks { extra: 1 }],
    ] {
        world.add_answered(5, wrong).await;
    }
    world.start().await;
    let mut worker = world.worker(&[]);
    for n in 1..=3 {
        world.finished_more_than(world.finished().await).await;
        let moment = any_moment(1_000).await;
        worker.kill_9();
        let before = world.finished().await;
        worker = world.worker(&[]);
        let took = world.finished_more_than(before).await;
        println!("{}: kill {n} {moment:.1?} after an outcome, the next {took:.1?} after", by.name());
    }
    let rest = world.all_finished(Duration::from_secs(90)).await;
    println!("{}: the rest took {rest:.1?}", by.name());
    world.assert_promises_kept().await;
    worker.stop().await;
}

/// Killed at each effect in turn.
async fn dies(by: By) {
    let copies = match by {
        By::Carrier(Provider::Retell | Provider::Telnyx) => &POINTS_OF_COPIES[..],
        By::Carrier(Provider::Exotel | Provider::LiveKit) | By::Texml => &[],
    };
    let points = POINTS.iter().chain(copies).copied();
    // Another time, it is in the middle of something else.
    let times = match by {
        By::Texml => &[1, 4][..],
        By::Carrier(_) => &[1],
    };
    let each = async move {
        let mut deaths = JoinSet::new();
        for (point, nth) in points.flat_map(|point| times.iter().map(move |nth| (point, *nth))) {
            deaths.spawn_local(async move {
                let _turn = PROCESSES.acquire().await.expect("nobody closes it");
                dies_at(by, point, nth).await;
            });
        }
        let mut failed = 0;
        while let Some(died) = deaths.join_next().await {
            failed += usize::from(died.is_err());
        }
        assert_eq!(failed, 0, "see above for which");
    };
    LocalSet::new().run_until(each).await;
}

async fn dies_at(by: By, point: &'static str, nth: u32) {
    let database = TestDb::new().await;
    let world = by.world(database.url(), 2).await;
    if POINTS_OF_COPIES.contains(&point) {
        // One that is answered tells of itself where its stream comes to us.
        world.add_unheard_of().await;
    }
    match by {
        By::Texml => world.add_every_fate_at_telnyx().await,
        By::Carrier(_) => world.add_leads(anything(6)).await,
    }
    let at = format!("{point}:{nth}");
    let mut armed = world.worker(&["--crash-at", &at]);
    world.start().await;
    let died = armed.end(Duration::from_secs(30)).await.value;
    assert_eq!(died.signal(), Some(Signal::KILL.as_raw()), "{at}: {died}\n{}", armed.said());
    let replacement = world.worker(&[]);
    let all = world.all_finished(Duration::from_secs(90)).await;
    println!("{} {at}: all finished {all:.1?} after the restart", by.name());
    world.assert_promises_kept().await;
    replacement.stop().await;
}
