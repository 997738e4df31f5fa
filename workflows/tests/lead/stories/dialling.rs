//! From a free slot to the carrier's answer: crashes, doubts and refusals.

use insta::assert_snapshot;
use outdial_workflows::call::{CallResult, RefusalKind};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::Command;

use crate::life::rules;
use crate::telling::{DIAL, Step, lived, steps, story, tell};

/// Submitted, and then nobody knows.
const LOST: [Step; 3] = [Step::Admit, Step::Submit, Step::Dropped];

#[test]
fn a_webhook_resolves_a_doubtful_dial() {
    assert_snapshot!(story("{}", &steps(&[&LOST, &[Step::Ends(CallResult::NoAnswer)]])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:00:00 ends no answer: bound 1, ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    ");
}

#[test]
fn asking_the_carrier_resolves_a_doubtful_dial() {
    let asking = [Step::Wake, Step::NoAnswer, Step::Wake, Step::Found(CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&LOST, &asking])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:00:05 wake: ask about 1 → dialling until Mon 12:01:05
    Mon 12:00:05 no answer: no news → dialling until Mon 12:00:10
    Mon 12:00:10 wake: ask about 1 → dialling until Mon 12:01:10
    Mon 12:00:10 found answered: bound 1, ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    finished: successful
    ");
}

#[test]
fn a_dial_is_absent_only_after_all_the_time_that_the_carrier_allows() {
    let asking = [
        Step::Wake,
        Step::NotListed,
        Step::Wake,
        Step::NotListed,
        Step::Wait("10m"),
        Step::Timer,
        Step::NotListed,
    ];
    assert_snapshot!(story("{}", &steps(&[&LOST, &asking])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:00:05 wake: ask about 1 → dialling until Mon 12:01:05
    Mon 12:00:05 not listed: no news → dialling until Mon 12:00:10
    Mon 12:00:10 wake: ask about 1 → dialling until Mon 12:01:10
    Mon 12:00:10 not listed: no news → dialling until Mon 12:00:20
    Mon 12:10:10 timer: ask about 1 → dialling until Mon 12:11:10
    Mon 12:10:10 not listed: no news, absent 1, recorded 1 (unknown), again Mon 14:10:10 → waiting until Mon 14:10:10
    waiting: attempt 1 ended with unknown; trying again
    ");
}

#[test]
fn a_call_that_turns_up_after_all_raises_an_alert() {
    let late =
        [Step::Wait("15m"), Step::NotListed, Step::Wait("1m"), Step::EndsLate(1, CallResult::NoAnswer)];
    let (life, told) = lived(rules("{}"), &steps(&[&LOST, &late]));
    assert_snapshot!(told, @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:15:00 not listed: no news, absent 1, recorded 1 (unknown), again Mon 14:15:00 → waiting until Mon 14:15:00
    Mon 12:16:00 ends late 1 no answer: ALERT bound late 1, ended 1 (no answer), amended 1 (no answer) → waiting until Mon 14:15:00
    waiting: attempt 1 ended with unknown; trying again
    ");
    assert_snapshot!(life.judged(), @r"
    Leads heard: 1, finished: 0, attempts: 1; all four promises were kept; warnings: 1.
    warning: lead 00000000-0000-0000-0000-000000000004, attempt 1: it took place although it had been concluded that it did not
    ");
    let too_late = [
        Step::Wait("15m"),
        Step::NotListed,
        Step::Wake,
        Step::Submit,
        Step::EndsLate(1, CallResult::NoAnswer),
    ];
    let (life, told) = lived(rules("{}"), &steps(&[&LOST, &too_late]));
    assert_snapshot!(told, @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:15:00 not listed: no news, absent 1, recorded 1 (unknown), again Mon 14:15:00 → waiting until Mon 14:15:00
    Mon 14:15:00 wake: reserved 2 → dialling until Mon 14:15:05
    Mon 14:15:00 submit: submitted 2, SEND 2 → dialling until Mon 14:15:20
    Mon 14:15:00 ends late 1 no answer: ALERT bound late 1, ended 1 (no answer), amended 1 (no answer) → dialling until Mon 14:15:20
    dialling: attempt 2 is being sent to the carrier
    ");
    assert_snapshot!(life.judged(), @r"
    Leads heard: 1, finished: 0, attempts: 2; not kept: never twice (broken: 1).
    never twice: lead 00000000-0000-0000-0000-000000000004, attempt 1: two calls for one need: it took place after all, and attempt 2 was dialled too
    ");
}

#[test]
fn a_call_that_turns_up_answered_leaves_no_reason_to_call_again() {
    let late =
        [Step::Wait("15m"), Step::NotListed, Step::Wait("1m"), Step::EndsLate(1, CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&LOST, &late])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:15:00 not listed: no news, absent 1, recorded 1 (unknown), again Mon 14:15:00 → waiting until Mon 14:15:00
    Mon 12:16:00 ends late 1 answered: ALERT bound late 1, ended 1 (successful), amended 1 (successful), finished (successful) → finished
    finished: successful
    ");
}

#[test]
fn a_carrier_that_asks_for_a_pause_gets_it() {
    let throttled = Step::Refused(RefusalKind::Throttled { retry_after_ms: Some(300_000) });
    let twice = [Step::Admit, Step::Submit, throttled, Step::Wake, Step::Submit, Step::Accepted];
    assert_snapshot!(story("{}", &twice), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 refused throttled retry_after_ms: some 300000: refused 1, again Mon 12:05:00, account rests for 300 s → waiting until Mon 12:05:00
    Mon 12:05:00 wake: reserved 2 → dialling until Mon 12:05:05
    Mon 12:05:00 submit: submitted 2, SEND 2 → dialling until Mon 12:05:20
    Mon 12:05:00 accepted: bound 2 → calling until Mon 12:06:00
    calling: attempt 2 is with the carrier
    ");
}

#[test]
fn no_carrier_stops_an_account_for_more_than_a_day() {
    let throttled = Step::Refused(RefusalKind::Throttled { retry_after_ms: Some(u32::MAX) });
    assert_snapshot!(story("{}", &[Step::Admit, Step::Submit, throttled]), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 refused throttled retry_after_ms: some 4294967295: refused 1, again Tue 12:00:00, account rests for 86400 s → waiting until Tue 12:00:00
    waiting: attempt 1 was turned down and does not count: as the carrier put it
    ");
}

#[test]
fn refusals_in_a_row_are_tried_again_after_ever_longer_times_and_do_not_count() {
    let refused = [Step::Wake, Step::Submit, Step::Refused(RefusalKind::NotSent)];
    let told = steps(&[&refused, &refused, &refused, &refused]);
    assert_snapshot!(story(r#"{"retry": {"max_attempts": 1}}"#, &told), @r"
    Mon 12:00:00 wake: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 refused not sent: refused 1, again Mon 12:01:00 → waiting until Mon 12:01:00
    Mon 12:01:00 wake: reserved 2 → dialling until Mon 12:01:05
    Mon 12:01:00 submit: submitted 2, SEND 2 → dialling until Mon 12:01:20
    Mon 12:01:00 refused not sent: refused 2, again Mon 12:03:00 → waiting until Mon 12:03:00
    Mon 12:03:00 wake: reserved 3 → dialling until Mon 12:03:05
    Mon 12:03:00 submit: submitted 3, SEND 3 → dialling until Mon 12:03:20
    Mon 12:03:00 refused not sent: refused 3, again Mon 12:07:00 → waiting until Mon 12:07:00
    Mon 12:07:00 wake: reserved 4 → dialling until Mon 12:07:05
    Mon 12:07:00 submit: submitted 4, SEND 4 → dialling until Mon 12:07:20
    Mon 12:07:00 refused not sent: refused 4, again Mon 12:15:00 → waiting until Mon 12:15:00
    waiting: attempt 4 was turned down and does not count: as the carrier put it
    ");
}

#[test]
fn a_number_that_the_carrier_does_not_take_ends_the_lead() {
    let refused = [Step::Admit, Step::Submit, Step::Refused(RefusalKind::InvalidNumber)];
    assert_snapshot!(story("{}", &refused), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 refused invalid number: refused 1, recorded 1 (invalid number), finished (invalid number) → finished
    finished: attempt 1 was turned down and does not count: as the carrier put it
    ");
    let rejected = [Step::Admit, Step::Submit, Step::Refused(RefusalKind::Rejected)];
    assert_snapshot!(story("{}", &rejected), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 refused rejected: refused 1, recorded 1 (failed), finished (failed) → finished
    finished: attempt 1 was turned down and does not count: as the carrier put it
    ");
}

#[test]
fn wrong_credentials_hold_the_account_and_not_the_lead() {
    let refused = [Step::Admit, Step::Submit, Step::Refused(RefusalKind::AccountUnusable)];
    assert_snapshot!(story("{}", &refused), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 refused account unusable: refused 1, again Mon 12:01:00, account held → waiting until Mon 12:01:00
    waiting: attempt 1 was turned down and does not count: as the carrier put it
    ");
}

#[test]
fn a_refusal_that_comes_after_news_of_the_call_changes_nothing() {
    let refusal = Step::Refused(RefusalKind::Rejected);
    assert_snapshot!(story("{}", &[Step::Admit, Step::Submit, Step::Rings, refusal, Step::Dropped]), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 rings: bound 1, ringing → calling until Mon 12:01:00
    Mon 12:00:00 refused rejected: nothing new → calling until Mon 12:01:00
    Mon 12:00:00 dropped: nothing new → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    ");
}

#[test]
fn a_reservation_that_nobody_sends_is_withdrawn_by_the_timer() {
    let late = [Step::Admit, Step::Timer, Step::Wake, Step::Submit, Step::Wake];
    assert_snapshot!(story("{}", &late), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 timer: nothing new → dialling until Mon 12:00:05
    Mon 12:00:05 wake: withdrawn 1 → waiting until Mon 12:00:06
    Mon 12:00:05 submit: do not send (attempt 1 was not sent in time, and was withdrawn) → waiting until Mon 12:00:06
    Mon 12:00:06 wake: reserved 2 → dialling until Mon 12:00:11
    dialling: attempt 2 is reserved and about to be dialled
    ");
}

#[test]
fn a_queue_that_stands_still_lets_its_leads_rest_ever_longer_until_one_is_sent() {
    let idle: Vec<Step> = (0..12).flat_map(|_| [Step::Wake, Step::Wake]).collect();
    let told =
        story("{}", &steps(&[&idle, &[Step::Wake, Step::Submit, Step::NotSent, Step::Wake, Step::Wake]]));
    let withdrawn: Vec<&str> = told.lines().filter(|line| !line.contains("reserved")).collect();
    assert_snapshot!(withdrawn.join("\n"), @r"
    Mon 12:00:05 wake: withdrawn 1 → waiting until Mon 12:00:06
    Mon 12:00:11 wake: withdrawn 2 → waiting until Mon 12:00:13
    Mon 12:00:18 wake: withdrawn 3 → waiting until Mon 12:00:22
    Mon 12:00:27 wake: withdrawn 4 → waiting until Mon 12:00:35
    Mon 12:00:40 wake: withdrawn 5 → waiting until Mon 12:00:56
    Mon 12:01:01 wake: withdrawn 6 → waiting until Mon 12:01:33
    Mon 12:01:38 wake: withdrawn 7 → waiting until Mon 12:02:42
    Mon 12:02:47 wake: withdrawn 8 → waiting until Mon 12:04:55
    Mon 12:05:00 wake: withdrawn 9 → waiting until Mon 12:09:16
    Mon 12:09:21 wake: withdrawn 10 → waiting until Mon 12:17:53
    Mon 12:17:58 wake: withdrawn 11 → waiting until Mon 12:27:58
    Mon 12:28:03 wake: withdrawn 12 → waiting until Mon 12:38:03
    Mon 12:38:03 submit: submitted 13, SEND 13 → dialling until Mon 12:38:23
    Mon 12:38:03 not sent: refused 13, again Mon 12:39:03 → waiting until Mon 12:39:03
    Mon 12:39:08 wake: withdrawn 14 → waiting until Mon 12:39:09
    waiting: attempt 14 was not sent in time, and was withdrawn
    ");
    let in_the_end = story("{}", &idle);
    assert_snapshot!(in_the_end.lines().last().unwrap_or_default(), @"waiting: attempt 12 was not sent in time, and was withdrawn, as were the 11 before it; dial jobs wait too long, and the lead ever longer");
}

#[test]
fn a_lead_whose_attempt_numbers_are_used_up_is_put_aside() {
    let (mut life, _) = lived(rules("{}"), &[]);
    life.run.workflow.attempts = AttemptNumber::LAST.get();
    let tried = [Step::Admit, Step::Admit, Step::Orders(Command::Resume), Step::Admit];
    assert_snapshot!(tell(&mut life, &tried), @r"
    Mon 12:00:00 admit: held, not admitted (its 32767 attempt numbers are used up; cancel it, and import the person anew) → held until Mon 12:00:00
    Mon 12:00:00 admit: not admitted (its 32767 attempt numbers are used up; cancel it, and import the person anew) → held until Mon 12:00:00
    Mon 12:00:00 orders resume: nothing new → waiting until Mon 12:00:00
    Mon 12:00:00 admit: held, not admitted (its 32767 attempt numbers are used up; cancel it, and import the person anew) → held until Mon 12:00:00
    held: its 32767 attempt numbers are used up; cancel it, and import the person anew
    ");
}

#[test]
fn a_person_who_was_erased_is_put_aside() {
    let (mut life, _) = lived(rules("{}"), &[]);
    life.phone = None;
    assert_snapshot!(tell(&mut life, &[Step::Admit]), @r"
    Mon 12:00:00 admit: held, not admitted (the person was erased, and there is no number to call) → held until Mon 12:00:00
    held: the person was erased, and there is no number to call
    ");
}

#[test]
fn a_worker_that_comes_too_late_withdraws_the_reservation_itself() {
    assert_snapshot!(story("{}", &[Step::Admit, Step::Wait("5s"), Step::Submit]), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:05 submit: withdrawn 1, do not send (attempt 1 was not sent in time, and was withdrawn) → waiting until Mon 12:00:06
    waiting: attempt 1 was not sent in time, and was withdrawn
    ");
    // Reserved one second before the hours end, and too late two seconds after.
    let at_closing = [Step::Wait("6h59m59s"), Step::Admit, Step::Wait("1s"), Step::Submit, Step::Wake];
    assert_snapshot!(story("{}", &at_closing), @r"
    Mon 18:59:59 admit: reserved 1 → dialling until Mon 19:00:00
    Mon 19:00:00 submit: withdrawn 1, do not send (attempt 1 was not sent in time, and was withdrawn) → waiting until Mon 19:00:01
    Mon 19:00:01 wake: not admitted (outside calling hours in Asia/Kolkata, which open Tue 13 Jan 10:00) → waiting until Tue 10:00:00
    waiting: outside calling hours in Asia/Kolkata, which open Tue 13 Jan 10:00
    ");
}

#[test]
fn after_a_crash_between_commit_and_request_nobody_sends() {
    let rescued = [Step::Admit, Step::Submit, Step::Wait("12s"), Step::SubmitElsewhere, Step::Wake];
    assert_snapshot!(story("{}", &rescued), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:12 submit elsewhere: unknown 1, do not send (it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known) → dialling until Mon 12:00:17
    Mon 12:00:17 wake: ask about 1 → dialling until Mon 12:01:17
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    ");
    let nobody_comes = [Step::Admit, Step::Submit, Step::Wake];
    assert_snapshot!(story("{}", &nobody_comes), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:20 wake: unknown 1 → dialling until Mon 12:00:25
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    ");
}

#[test]
fn a_commit_that_was_cut_off_and_did_happen_is_sent_once() {
    let again = [Step::Admit, Step::Submit, Step::Wait("2s"), Step::Submit, Step::Accepted];
    assert_snapshot!(story("{}", &again), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:02 submit: SEND 1 → dialling until Mon 12:00:22
    Mon 12:00:02 accepted: bound 1 → calling until Mon 12:01:02
    calling: attempt 1 is with the carrier
    ");
    let too_late = [Step::Admit, Step::Submit, Step::Wait("5s"), Step::Submit];
    assert_snapshot!(story("{}", &too_late), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:05 submit: refused 1, again Mon 12:01:05, do not send (attempt 1 was not sent in time, and was withdrawn) → waiting until Mon 12:01:05
    waiting: attempt 1 was turned down and does not count: attempt 1 was not sent in time, and was withdrawn
    ");
    let paused_between = [Step::Admit, Step::Submit, Step::Campaign(CampaignState::Paused), Step::Submit];
    assert_snapshot!(story("{}", &paused_between), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 the campaign is paused
    Mon 12:00:00 submit: refused 1, again Mon 12:01:00, do not send (the campaign is not running) → waiting until Mon 12:01:00
    waiting: attempt 1 was turned down and does not count: the campaign is not running
    ");
}

#[test]
fn only_the_process_that_may_send_can_say_that_it_did_not() {
    let own = [Step::Admit, Step::Submit, Step::NotSentElsewhere, Step::NotSent];
    assert_snapshot!(story("{}", &own), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 not sent elsewhere: nothing new → dialling until Mon 12:00:20
    Mon 12:00:00 not sent: refused 1, again Mon 12:01:00 → waiting until Mon 12:01:00
    waiting: attempt 1 was turned down and does not count: the deadline passed
    ");
    let after_doubt = [Step::Admit, Step::Submit, Step::SubmitElsewhere, Step::NotSent];
    assert_snapshot!(story("{}", &after_doubt), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 submit elsewhere: unknown 1, do not send (it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known) → dialling until Mon 12:00:05
    Mon 12:00:00 not sent: refused 1, again Mon 12:01:00 → waiting until Mon 12:01:00
    waiting: attempt 1 was turned down and does not count: the deadline passed
    ");
}

#[test]
fn a_worker_that_lost_its_lease_may_not_send() {
    assert_snapshot!(story("{}", &[Step::Admit, Step::SubmitTooLate, Step::Submit]), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit too late: lease lost → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    ");
}

#[test]
fn what_forbids_calls_between_reservation_and_sending_stops_the_attempt() {
    let paused = [Step::Admit, Step::Campaign(CampaignState::Paused), Step::Submit, Step::Wake];
    assert_snapshot!(story("{}", &paused), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 the campaign is paused
    Mon 12:00:00 submit: withdrawn 1, do not send (the campaign is not running) → waiting until Mon 12:00:01
    Mon 12:00:01 wake: not admitted (the campaign is not running) → waiting until Mon 12:00:02
    waiting: the campaign is not running
    ");
    let suppressed = [Step::Admit, Step::Suppress, Step::Submit, Step::Wake];
    assert_snapshot!(story("{}", &suppressed), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 the number is suppressed
    Mon 12:00:00 submit: withdrawn 1, do not send (the number is on a suppression list) → waiting until Mon 12:00:01
    Mon 12:00:01 wake: finished (do not call), not admitted (the number is on a suppression list) → finished
    finished: the number is on a suppression list
    ");
    let paused_and_on = [
        Step::Admit,
        Step::Campaign(CampaignState::Paused),
        Step::Campaign(CampaignState::Running),
        Step::Submit,
    ];
    assert_snapshot!(story("{}", &paused_and_on), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 the campaign is paused
    Mon 12:00:00 the campaign is running
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    ");
}

#[test]
fn a_number_in_use_is_looked_at_again_ever_more_seldom() {
    let busy: Vec<Step> = (0..7).flat_map(|_| [Step::Wait("10m"), Step::NumberBusy]).collect();
    assert_snapshot!(story("{}", &steps(&[&busy, &[Step::Wait("10m")], &DIAL])), @r"
    Mon 12:10:00 number busy: not admitted (another call to the same number is under way) → waiting until Mon 12:10:30
    Mon 12:20:00 number busy: not admitted (another call to the same number is under way) → waiting until Mon 12:21:00
    Mon 12:30:00 number busy: not admitted (another call to the same number is under way) → waiting until Mon 12:32:00
    Mon 12:40:00 number busy: not admitted (another call to the same number is under way) → waiting until Mon 12:44:00
    Mon 12:50:00 number busy: not admitted (another call to the same number is under way) → waiting until Mon 12:58:00
    Mon 13:00:00 number busy: not admitted (another call to the same number is under way) → waiting until Mon 13:10:00
    Mon 13:10:00 number busy: not admitted (another call to the same number is under way) → waiting until Mon 13:20:00
    Mon 13:20:00 admit: reserved 1 → dialling until Mon 13:20:05
    Mon 13:20:00 submit: submitted 1, SEND 1 → dialling until Mon 13:20:20
    Mon 13:20:00 accepted: bound 1 → calling until Mon 13:21:00
    calling: attempt 1 is with the carrier
    ");
}

#[test]
fn a_busy_number_moves_only_leads_that_wait() {
    let anywhere = [
        &[Step::NumberBusy, Step::Wait("30s")][..],
        &DIAL,
        &[Step::NumberBusy, Step::Ends(CallResult::Answered), Step::NumberBusy],
    ];
    assert_snapshot!(story("{}", &steps(&anywhere)), @r"
    Mon 12:00:00 number busy: not admitted (another call to the same number is under way) → waiting until Mon 12:00:30
    Mon 12:00:30 admit: reserved 1 → dialling until Mon 12:00:35
    Mon 12:00:30 submit: submitted 1, SEND 1 → dialling until Mon 12:00:50
    Mon 12:00:30 accepted: bound 1 → calling until Mon 12:01:30
    Mon 12:00:30 number busy: not admitted (attempt 1 is with the carrier) → calling until Mon 12:01:30
    Mon 12:00:30 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    Mon 12:00:30 number busy: not admitted (successful) → finished
    finished: successful
    ");
}

#[test]
fn a_job_that_is_put_aside_leaves_its_lead_to_the_timers() {
    let stuck = [Step::Admit, Step::Quarantined("dial.v1"), Step::Wake, Step::Wake];
    assert_snapshot!(story("{}", &stuck), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 quarantined dial.v1: job dial.v1 put aside after its last try: it panicked → dialling until Mon 12:00:05
    Mon 12:00:05 wake: withdrawn 1 → waiting until Mon 12:00:06
    Mon 12:00:06 wake: reserved 2 → dialling until Mon 12:00:11
    dialling: attempt 2 is reserved and about to be dialled
    ");
}

#[test]
fn a_doubtful_dial_is_sent_once_more_while_the_carrier_tells_copies_apart_and_the_gate_is_open() {
    let asking = [Step::Resend, Step::Found(CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&LOST, &asking])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:00:00 resend: resent 1, SEND 1 → dialling until Mon 12:00:05
    Mon 12:00:00 found answered: bound 1, ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    finished: successful
    ");
    let stopped =
        [Step::Wait("1s"), Step::Suppress, Step::Resend, Step::Orders(Command::Cancel), Step::Resend];
    assert_snapshot!(story("{}", &steps(&[&LOST, &stopped])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:00:01 the number is suppressed
    Mon 12:00:01 resend: do not send (the number is on a suppression list) → dialling until Mon 12:00:05
    Mon 12:00:01 orders cancel: deferred → dialling until Mon 12:00:05
    Mon 12:00:01 resend: do not send (it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known) → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    ");
    let late = [Step::Wait("51s"), Step::Resend];
    assert_snapshot!(story("{}", &steps(&[&LOST, &late])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:00:51 resend: do not send (it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known) → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    ");
    assert_snapshot!(story("{}", &steps(&[&DIAL, &[Step::Resend]])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 resend: do not send (attempt 1 is with the carrier) → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    ");
}

#[test]
fn what_is_wrong_on_our_side_holds_the_lead_until_it_is_mended() {
    let mended = [
        Step::Admit,
        Step::Submit,
        Step::Refused(RefusalKind::Misconfigured),
        Step::Orders(Command::Resume),
        Step::Admit,
    ];
    assert_snapshot!(story("{}", &mended), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 refused misconfigured: refused 1, held → held
    Mon 12:00:00 orders resume: nothing new → waiting until Mon 12:00:00
    Mon 12:00:00 admit: reserved 2 → dialling until Mon 12:00:05
    dialling: attempt 2 is reserved and about to be dialled
    ");
}
