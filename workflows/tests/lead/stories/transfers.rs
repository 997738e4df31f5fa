//! Calls that are handed to somebody else, by order.

use insta::assert_snapshot;
use outdial_workflows::call::CallResult;
use outdial_workflows::input::Command;
use outdial_workflows::transfer::TransferTold;

use super::orders::in_every_state;
use crate::telling::{DIAL, Step, steps, story};

const COLLEAGUE: &str = "+14155550123";

fn to(whom: &str) -> Step {
    Step::Orders(Command::Transfer { to: whom.parse().expect("a place to transfer to"), briefing: None })
}

fn refused() -> TransferTold {
    TransferTold::Refused { cause: "the desk is engaged".into() }
}

fn lost() -> TransferTold {
    TransferTold::Unknown { cause: "the connection dropped".into() }
}

/// What came of these steps, from an answered call on.
fn from_an_answer(then: &[Step]) -> String {
    let way = steps(&[&DIAL, &[Step::Connects]]);
    let told = story("{}", &steps(&[&way, then]));
    told.lines().skip(way.len()).collect::<Vec<_>>().join("\n")
}

#[test]
fn only_a_call_that_was_answered_can_be_transferred() {
    assert_snapshot!(in_every_state(&to(COLLEAGUE)), @r"
    [waiting]
    Mon 12:00:00 orders transfer: declined (no call is under way, so that there is none to transfer) → waiting until Mon 12:00:00
    waiting: accepted, and due
    [held]
    Mon 12:00:00 orders transfer: declined (no call is under way, so that there is none to transfer) → held until Mon 12:00:00
    held: the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone
    [reserved]
    Mon 12:00:00 orders transfer: declined (no call is under way, so that there is none to transfer) → dialling until Mon 12:00:05
    dialling: attempt 1 is reserved and about to be dialled
    [submitted]
    Mon 12:00:00 orders transfer: declined (the call was not answered yet, as far as is known; order it once it was) → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders transfer: declined (the call was not answered yet, as far as is known; order it once it was) → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders transfer: declined (the call was not answered yet, as far as is known; order it once it was) → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders transfer: declined (no call is under way, so that there is none to transfer) → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 orders transfer: declined (no call is under way, so that there is none to transfer) → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    [finished]
    Mon 12:00:00 orders transfer: declined (no call is under way, so that there is none to transfer) → finished
    finished: invalid number
    ");
}

#[test]
fn the_carrier_is_asked_once_and_the_person_who_was_handed_over_was_reached() {
    let asked = [to(COLLEAGUE), Step::BeginsTransfer(1, true), Step::Transfers(1, TransferTold::UnderWay)];
    let handed_over = [Step::Transfers(1, TransferTold::Done), to(COLLEAGUE)];
    // Nobody tells how the call ended, which would have it called lost.
    let gone = [Step::Ends(CallResult::Lost)];
    assert_snapshot!(from_an_answer(&steps(&[&asked, &handed_over, &gone])), @r"
    Mon 12:00:00 orders transfer: transfer 1 of 1 → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 1 true: transfer 1 asked for, ASK for transfer 1 → calling until Mon 12:01:00
    Mon 12:00:00 transfers 1 under way: transfer 1 under way → calling until Mon 12:01:00
    Mon 12:00:00 transfers 1 done: transfer 1 done → calling until Mon 12:01:00
    Mon 12:00:00 orders transfer: declined (the call was transferred already) → calling until Mon 12:01:00
    Mon 12:00:00 ends lost: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    finished: successful
    ");
}

#[test]
fn whoever_finds_a_transfer_begun_does_not_ask_again() {
    assert_snapshot!(from_an_answer(&[
        to(COLLEAGUE),
        to(COLLEAGUE),
        Step::BeginsTransfer(1, false),
        Step::BeginsTransfer(1, true),
        Step::BeginsTransfer(1, true),
        Step::BeginsTransfer(1, true),
        // The one who was taken for gone has an answer after all.
        Step::Transfers(1, refused()),
        Step::Transfers(1, lost()),
    ]), @r"
    Mon 12:00:00 orders transfer: transfer 1 of 1 → calling until Mon 12:01:00
    Mon 12:00:00 orders transfer: declined (the call is being transferred already) → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 1 false: lease lost → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 1 true: transfer 1 asked for, ASK for transfer 1 → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 1 true: transfer 1 unknown → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 1 true: nothing new → calling until Mon 12:01:00
    Mon 12:00:00 transfers 1 refused cause: the desk is engaged: transfer 1 refused → calling until Mon 12:01:00
    Mon 12:00:00 transfers 1 unknown cause: the connection dropped: nothing new → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    ");
}

#[test]
fn a_call_that_was_not_transferred_goes_on_and_may_be_transferred_anew() {
    assert_snapshot!(from_an_answer(&[
        to(COLLEAGUE),
        Step::BeginsTransfer(1, true),
        Step::Transfers(1, refused()),
        to("sip:desk@pbx.example.com"),
        // A job of before.
        Step::BeginsTransfer(1, true),
        Step::BeginsTransfer(2, true),
        Step::Transfers(1, TransferTold::Done),
        Step::Transfers(2, lost()),
        to(COLLEAGUE),
    ]), @r"
    Mon 12:00:00 orders transfer: transfer 1 of 1 → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 1 true: transfer 1 asked for, ASK for transfer 1 → calling until Mon 12:01:00
    Mon 12:00:00 transfers 1 refused cause: the desk is engaged: transfer 1 refused → calling until Mon 12:01:00
    Mon 12:00:00 orders transfer: transfer 2 of 1 → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 1 true: nothing new → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 2 true: transfer 2 asked for, ASK for transfer 2 → calling until Mon 12:01:00
    Mon 12:00:00 transfers 1 done: nothing new → calling until Mon 12:01:00
    Mon 12:00:00 transfers 2 unknown cause: the connection dropped: transfer 2 unknown → calling until Mon 12:01:00
    Mon 12:00:00 orders transfer: transfer 3 of 1 → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    ");
}

#[test]
fn a_call_that_ends_before_the_carrier_was_asked_is_not_transferred() {
    let over = [to(COLLEAGUE), Step::Ends(CallResult::Answered), Step::BeginsTransfer(1, true)];
    assert_snapshot!(from_an_answer(&over), @r"
    Mon 12:00:00 orders transfer: transfer 1 of 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    Mon 12:00:00 begins transfer 1 true: transfer 1 refused → finished
    finished: successful
    ");
}

#[test]
fn what_came_of_a_transfer_is_told_even_after_the_call() {
    assert_snapshot!(from_an_answer(&[
        to(COLLEAGUE),
        Step::BeginsTransfer(1, true),
        Step::Ends(CallResult::Answered),
        Step::Transfers(1, TransferTold::Done),
        Step::Transfers(1, TransferTold::Done),
    ]), @r"
    Mon 12:00:00 orders transfer: transfer 1 of 1 → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 1 true: transfer 1 asked for, ASK for transfer 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    Mon 12:00:00 transfers 1 done: transfer 1 done → finished
    Mon 12:00:00 transfers 1 done: nothing new → finished
    finished: successful
    ");
}

#[test]
fn nobody_is_handed_to_themselves() {
    let own = crate::life::Life::phone();
    assert_snapshot!(from_an_answer(&[to(own.as_str())]), @r"
    Mon 12:00:00 orders transfer: declined (that is the number of the person in the call) → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    ");
}

#[test]
fn nobody_is_rung_by_a_transfer_who_was_put_on_the_list_since_it_was_ordered() {
    let listed = Step::BeginsForbiddenTransfer;
    assert_snapshot!(from_an_answer(&[
        to(COLLEAGUE),
        listed(1),
        to("+14155550188"),
        Step::BeginsTransfer(2, true),
        // Put on it once the carrier was asked, which nobody can undo.
        listed(2),
    ]), @r"
    Mon 12:00:00 orders transfer: transfer 1 of 1 → calling until Mon 12:01:00
    Mon 12:00:00 begins forbidden transfer 1: transfer 1 refused → calling until Mon 12:01:00
    Mon 12:00:00 orders transfer: transfer 2 of 1 → calling until Mon 12:01:00
    Mon 12:00:00 begins transfer 2 true: transfer 2 asked for, ASK for transfer 2 → calling until Mon 12:01:00
    Mon 12:00:00 begins forbidden transfer 2: transfer 2 unknown → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    ");
}
