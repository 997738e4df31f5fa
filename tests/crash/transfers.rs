//! Workers die, and stand still, as they have a call handed over: whoever replaces them does not ask again.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use outdial_jobs::providers::Permit;
use outdial_workflows::transfer::TransferState;
use rustix::process::Signal;

use super::cluster::TestDb;
use super::world::World;

#[tokio::test]
async fn a_worker_that_dies_before_it_asks_for_a_transfer_is_replaced_and_nobody_is_asked() {
    dies_at("transfer.before_send", 0).await;
}

#[tokio::test]
async fn a_worker_that_dies_once_it_has_asked_for_a_transfer_is_replaced_and_nobody_is_asked_again() {
    dies_at("transfer.after_send", 1).await;
}

async fn dies_at(point: &'static str, asked: u32) {
    let database = TestDb::new().await;
    let world = World::with_a_conversation(database.url()).await;
    let mut armed = world.worker(&["--crash-at", &format!("{point}:1")]);
    world.start().await;
    world.order_transfer().await;
    let died = armed.end(Duration::from_secs(30)).await.value;
    assert_eq!(died.signal(), Some(Signal::KILL.as_raw()), "{point}: {died}\n{}", armed.said());
    let replacement = world.worker(&[]);
    world.transfer_stands(TransferState::Unknown).await;
    world.all_finished(Duration::from_secs(90)).await;
    assert_eq!(world.transfers_asked(), asked, "{point}");
    world.assert_promises_kept().await;
    replacement.stop().await;
}

#[tokio::test]
async fn a_worker_that_stood_still_before_it_asked_for_a_transfer_does_not_ask_late() {
    let database = TestDb::new().await;
    let world = World::with_a_conversation(database.url()).await;
    let quick = ["--pace-lease-ms", "1500"];
    let frozen = world.worker(&["--crash-at", "transfer.before_send:1:freeze", quick[0], quick[1]]);
    world.start().await;
    world.order_transfer().await;
    frozen.frozen().await;
    let other = world.mute_worker(&quick);
    world.transfer_stands(TransferState::Unknown).await;
    tokio::time::sleep(Permit::VALID_FOR).await;
    frozen.signal(Signal::CONT);
    // It finds its permit run out, and knows better than the other that nothing was sent.
    world.transfer_stands(TransferState::Refused).await;
    world.all_finished(Duration::from_secs(90)).await;
    assert_eq!(world.transfers_asked(), 0);
    world.assert_promises_kept().await;
    frozen.stop().await;
    other.stop().await;
}
