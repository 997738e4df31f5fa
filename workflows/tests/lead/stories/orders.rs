//! What people order, in every state.

use insta::assert_snapshot;
use outdial_workflows::call::{CallResult, RefusalKind};
use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::Command;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::Priority;

use crate::telling::{DIAL, Step, steps, story};

/// A way into each state.
fn every_state() -> Vec<(&'static str, Vec<Step>)> {
    let over = |result| steps(&[&DIAL, &[Step::Ends(result)]]);
    vec![
        ("waiting", vec![]),
        ("held", vec![Step::Zone("Asia/Bangalore"), Step::Admit, Step::Zone("Asia/Kolkata")]),
        ("reserved", vec![Step::Admit]),
        ("submitted", vec![Step::Admit, Step::Submit]),
        ("unknown", vec![Step::Admit, Step::Submit, Step::Dropped]),
        ("calling", DIAL.to_vec()),
        ("settling", over(CallResult::Answered)),
        ("waiting again", over(CallResult::NoAnswer)),
        ("finished", over(CallResult::InvalidNumber)),
    ]
}

/// What each state answers to an order, and to what follows.
pub(super) fn in_every_state(order: &Step) -> String {
    let mut all = String::new();
    for (name, way) in every_state() {
        let told = story(r#"{"settle_ms": 60000}"#, &steps(&[&way, std::slice::from_ref(order)]));
        let lines: Vec<&str> = told.lines().skip(way.len()).collect();
        all.push_str(&format!("[{name}]\n{}\n", lines.join("\n")));
    }
    all
}

#[test]
fn a_lead_is_paused_in_every_state() {
    assert_snapshot!(in_every_state(&Step::Orders(Command::Pause)), @r"
    [waiting]
    Mon 12:00:00 orders pause: held → held until Mon 12:00:00
    held: held by asha
    [held]
    Mon 12:00:00 orders pause: held → held until Mon 12:00:00
    held: held by asha
    [reserved]
    Mon 12:00:00 orders pause: withdrawn 1, held → held until Mon 12:00:00
    held: held by asha
    [submitted]
    Mon 12:00:00 orders pause: deferred → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders pause: deferred → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders pause: deferred → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders pause: deferred → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 orders pause: held → held until Mon 14:00:00
    held: held by asha
    [finished]
    Mon 12:00:00 orders pause: declined (the lead is finished: invalid number) → finished
    finished: invalid number
    ");
}

#[test]
fn a_lead_is_rescheduled_in_every_state_without_a_call() {
    let at = "2026-01-13T05:00:00Z".parse().expect("a time");
    assert_snapshot!(in_every_state(&Step::Orders(Command::Reschedule { at })), @r"
    [waiting]
    Mon 12:00:00 orders reschedule: nothing new → waiting until Tue 10:30:00
    waiting: rescheduled by asha for 2026-01-13 05:00 UTC
    [held]
    Mon 12:00:00 orders reschedule: nothing new → held until Tue 10:30:00
    held: the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone
    [reserved]
    Mon 12:00:00 orders reschedule: withdrawn 1 → waiting until Tue 10:30:00
    waiting: rescheduled by asha for 2026-01-13 05:00 UTC
    [submitted]
    Mon 12:00:00 orders reschedule: declined (a call is under way: attempt 1 is being sent to the carrier) → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders reschedule: declined (a call is under way: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known) → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders reschedule: declined (a call is under way: attempt 1 is with the carrier) → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders reschedule: declined (a call is under way: attempt 1 is over; results may come until 06:31:00 UTC) → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 orders reschedule: nothing new → waiting until Tue 10:30:00
    waiting: rescheduled by asha for 2026-01-13 05:00 UTC
    [finished]
    Mon 12:00:00 orders reschedule: declined (the lead is finished: invalid number) → finished
    finished: invalid number
    ");
}

#[test]
fn a_rescheduled_lead_is_called_then_and_not_before() {
    let at = "2026-01-12T07:30:00Z".parse().expect("a time");
    let told = [
        Step::Orders(Command::Reschedule { at }),
        Step::Wait("59m"),
        Step::Admit,
        Step::Wait("1m"),
        Step::Admit,
    ];
    assert_snapshot!(story("{}", &told), @r"
    Mon 12:00:00 orders reschedule: nothing new → waiting until Mon 13:00:00
    Mon 12:59:00 admit: not admitted (rescheduled by asha for 2026-01-12 07:30 UTC) → waiting until Mon 13:00:00
    Mon 13:00:00 admit: reserved 1 → dialling until Mon 13:00:05
    dialling: attempt 1 is reserved and about to be dialled
    ");
}

#[test]
fn a_lead_whose_import_is_undone_ends_unless_it_was_called() {
    assert_snapshot!(in_every_state(&Step::Orders(Command::Undo)), @r"
    [waiting]
    Mon 12:00:00 orders undo: finished (no outcome) → finished
    finished: its import was undone by asha
    [held]
    Mon 12:00:00 orders undo: finished (no outcome) → finished
    finished: its import was undone by asha
    [reserved]
    Mon 12:00:00 orders undo: withdrawn 1, finished (no outcome) → finished
    finished: its import was undone by asha
    [submitted]
    Mon 12:00:00 orders undo: declined (it was called: attempt 1 is being sent to the carrier) → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders undo: declined (it was called: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known) → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders undo: declined (it was called: attempt 1 is with the carrier) → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders undo: declined (it was called: attempt 1 is over; results may come until 06:31:00 UTC) → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 orders undo: declined (it was called: attempt 1 ended with no answer; trying again) → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    [finished]
    Mon 12:00:00 orders undo: declined (it was called: invalid number) → finished
    finished: invalid number
    ");
}

#[test]
fn a_lead_whose_import_was_undone_is_not_tried_again() {
    let told = [Step::Orders(Command::Undo), Step::Orders(Command::Undo), Step::Orders(Command::Retry)];
    assert_snapshot!(story("{}", &told), @r"
    Mon 12:00:00 orders undo: finished (no outcome) → finished
    Mon 12:00:00 orders undo: nothing new → finished
    Mon 12:00:00 orders retry: declined (its import was undone by asha; import it anew) → finished
    finished: its import was undone by asha
    ");
}

#[test]
fn a_priority_is_changed_in_every_state_but_the_last() {
    let order = Command::Prioritise { priority: Priority::Urgent };
    assert_snapshot!(in_every_state(&Step::Orders(order)), @r"
    [waiting]
    Mon 12:00:00 orders prioritise as urgent: nothing new → waiting until Mon 12:00:00
    waiting: accepted, and due
    [held]
    Mon 12:00:00 orders prioritise as urgent: nothing new → held until Mon 12:00:00
    held: the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone
    [reserved]
    Mon 12:00:00 orders prioritise as urgent: nothing new → dialling until Mon 12:00:05
    dialling: attempt 1 is reserved and about to be dialled
    [submitted]
    Mon 12:00:00 orders prioritise as urgent: nothing new → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders prioritise as urgent: nothing new → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders prioritise as urgent: nothing new → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders prioritise as urgent: nothing new → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 orders prioritise as urgent: nothing new → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    [finished]
    Mon 12:00:00 orders prioritise as urgent: declined (the lead is finished: invalid number) → finished
    finished: invalid number
    ");
}

#[test]
fn a_lead_is_resumed_in_every_state() {
    assert_snapshot!(in_every_state(&Step::Orders(Command::Resume)), @r"
    [waiting]
    Mon 12:00:00 orders resume: declined (the lead is not held) → waiting until Mon 12:00:00
    waiting: accepted, and due
    [held]
    Mon 12:00:00 orders resume: nothing new → waiting until Mon 12:00:00
    waiting: resumed by asha
    [reserved]
    Mon 12:00:00 orders resume: declined (the lead is not held) → dialling until Mon 12:00:05
    dialling: attempt 1 is reserved and about to be dialled
    [submitted]
    Mon 12:00:00 orders resume: declined (the lead is not held) → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders resume: declined (the lead is not held) → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders resume: declined (the lead is not held) → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders resume: declined (the lead is not held) → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 orders resume: declined (the lead is not held) → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    [finished]
    Mon 12:00:00 orders resume: declined (the lead is finished: invalid number) → finished
    finished: invalid number
    ");
}

#[test]
fn a_lead_is_cancelled_in_every_state() {
    assert_snapshot!(in_every_state(&Step::Orders(Command::Cancel)), @r"
    [waiting]
    Mon 12:00:00 orders cancel: finished (no outcome) → finished
    finished: cancelled by asha
    [held]
    Mon 12:00:00 orders cancel: finished (no outcome) → finished
    finished: cancelled by asha
    [reserved]
    Mon 12:00:00 orders cancel: withdrawn 1, finished (no outcome) → finished
    finished: cancelled by asha
    [submitted]
    Mon 12:00:00 orders cancel: deferred → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders cancel: deferred → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders cancel: deferred → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders cancel: deferred → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 orders cancel: finished (no answer) → finished
    finished: cancelled by asha
    [finished]
    Mon 12:00:00 orders cancel: declined (the lead is finished: invalid number) → finished
    finished: invalid number
    ");
}

#[test]
fn a_lead_is_retried_in_every_state() {
    assert_snapshot!(in_every_state(&Step::Orders(Command::Retry)), @r"
    [waiting]
    Mon 12:00:00 orders retry: nothing new → waiting until Mon 12:00:00
    waiting: retried by asha
    [held]
    Mon 12:00:00 orders retry: nothing new → waiting until Mon 12:00:00
    waiting: retried by asha
    [reserved]
    Mon 12:00:00 orders retry: declined (a call is under way: attempt 1 is reserved and about to be dialled) → dialling until Mon 12:00:05
    dialling: attempt 1 is reserved and about to be dialled
    [submitted]
    Mon 12:00:00 orders retry: declined (a call is under way: attempt 1 is being sent to the carrier) → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders retry: declined (a call is under way: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known) → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders retry: declined (a call is under way: attempt 1 is with the carrier) → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders retry: recorded 1 (successful), finished (successful) → waiting until Mon 12:00:00
    waiting: retried by asha
    [waiting again]
    Mon 12:00:00 orders retry: nothing new → waiting until Mon 12:00:00
    waiting: retried by asha
    [finished]
    Mon 12:00:00 orders retry: nothing new → waiting until Mon 12:00:00
    waiting: retried by asha
    ");
}

#[test]
fn a_campaign_ends_in_every_state() {
    assert_snapshot!(in_every_state(&Step::CampaignEnds), @r"
    [waiting]
    Mon 12:00:00 campaign ends: finished (no outcome) → finished
    finished: the campaign has ended
    [held]
    Mon 12:00:00 campaign ends: finished (no outcome) → finished
    finished: the campaign has ended
    [reserved]
    Mon 12:00:00 campaign ends: withdrawn 1, finished (no outcome) → finished
    finished: the campaign has ended
    [submitted]
    Mon 12:00:00 campaign ends: nothing new → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 campaign ends: nothing new → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 campaign ends: nothing new → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 campaign ends: nothing new → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 campaign ends: finished (no answer) → finished
    finished: the campaign has ended
    [finished]
    Mon 12:00:00 campaign ends: nothing new → finished
    finished: invalid number
    ");
}

#[test]
fn a_pause_during_a_call_is_carried_out_after_it() {
    let paused = [Step::Orders(Command::Pause), Step::Ends(CallResult::NoAnswer), Step::Wait("1h")];
    let resumed = [Step::Orders(Command::Resume), Step::Wake];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &paused, &resumed])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 orders pause: deferred → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00, held → held until Mon 14:00:00
    Mon 13:00:00 orders resume: nothing new → waiting until Mon 14:00:00
    Mon 14:00:00 wake: reserved 2 → dialling until Mon 14:00:05
    dialling: attempt 2 is reserved and about to be dialled
    ");
    // A call that settles the matter leaves nothing to hold.
    let answered = [Step::Orders(Command::Pause), Step::Ends(CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &answered])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 orders pause: deferred → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    finished: successful
    ");
    let let_go =
        [Step::Orders(Command::Pause), Step::Orders(Command::Resume), Step::Ends(CallResult::NoAnswer)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &let_go])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 orders pause: deferred → calling until Mon 12:01:00
    Mon 12:00:00 orders resume: nothing new → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    ");
}

#[test]
fn a_cancel_during_a_call_is_carried_out_after_it_and_not_undone_by_a_pause() {
    let cancelled = [
        Step::Orders(Command::Cancel),
        Step::Orders(Command::Pause),
        Step::Orders(Command::Resume),
        Step::Ends(CallResult::NoAnswer),
    ];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &cancelled])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 orders cancel: deferred → calling until Mon 12:01:00
    Mon 12:00:00 orders pause: deferred → calling until Mon 12:01:00
    Mon 12:00:00 orders resume: declined (the lead is not held) → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), finished (no answer) → finished
    finished: cancelled by asha
    ");
}

#[test]
fn what_came_of_an_attempt_is_not_forgotten_for_a_later_one_that_called_nobody() {
    let unanswered = [Step::Wait("1m"), Step::Ends(CallResult::NoAnswer), Step::Wake];
    let withdrawn =
        [Step::Orders(Command::Cancel), Step::Wait("1h"), Step::ReportsLate(1, Outcome::Voicemail)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &unanswered, &withdrawn])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:01:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:01:00 → waiting until Mon 14:01:00
    Mon 14:01:00 wake: reserved 2 → dialling until Mon 14:01:05
    Mon 14:01:00 orders cancel: withdrawn 2, finished (no answer) → finished
    Mon 15:01:00 reports late 1 voicemail: reported, amended 1 (voicemail) → finished
    finished: cancelled by asha
    ");
    let refused = [Step::Submit, Step::Orders(Command::Cancel), Step::Refused(RefusalKind::NotSent)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &unanswered, &refused])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:01:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:01:00 → waiting until Mon 14:01:00
    Mon 14:01:00 wake: reserved 2 → dialling until Mon 14:01:05
    Mon 14:01:00 submit: submitted 2, SEND 2 → dialling until Mon 14:01:20
    Mon 14:01:00 orders cancel: deferred → dialling until Mon 14:01:20
    Mon 14:01:00 refused not sent: refused 2, finished (no answer) → finished
    finished: cancelled by asha
    ");
    let ended = steps(&[&DIAL, &unanswered, &[Step::CampaignEnds]]);
    let told = story("{}", &ended);
    assert_snapshot!(told.lines().skip(5).collect::<Vec<_>>().join("\n"), @r"
    Mon 14:01:00 campaign ends: withdrawn 2, finished (no answer) → finished
    finished: the campaign has ended
    ");
}

#[test]
fn a_lead_that_its_campaigns_end_ends_after_the_call_says_so() {
    let told = story("{}", &steps(&[&DIAL, &[Step::CampaignEnds, Step::Ends(CallResult::NoAnswer)]]));
    assert_snapshot!(told.lines().skip(3).collect::<Vec<_>>().join("\n"), @r"
    Mon 12:00:00 campaign ends: nothing new → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), finished (no answer) → finished
    finished: the campaign has ended
    ");
}

#[test]
fn a_pause_does_not_stop_the_asking() {
    let lost = [Step::Admit, Step::Submit, Step::Dropped, Step::Orders(Command::Pause)];
    let asked = [Step::Wake, Step::NotListed, Step::Wait("15m"), Step::Timer, Step::NotListed];
    assert_snapshot!(story("{}", &steps(&[&lost, &asked])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 dropped: unknown 1 → dialling until Mon 12:00:05
    Mon 12:00:00 orders pause: deferred → dialling until Mon 12:00:05
    Mon 12:00:05 wake: ask about 1 → dialling until Mon 12:01:05
    Mon 12:00:05 not listed: no news → dialling until Mon 12:00:10
    Mon 12:15:05 timer: ask about 1 → dialling until Mon 12:16:05
    Mon 12:15:05 not listed: no news, absent 1, recorded 1 (unknown), again Mon 14:15:05, held → held until Mon 14:15:05
    held: held by asha
    ");
}

#[test]
fn a_person_may_grant_the_attempts_anew() {
    let once = r#"{"retry": {"max_attempts": 1}}"#;
    let again = [
        Step::Orders(Command::Retry),
        Step::Wake,
        Step::Submit,
        Step::Accepted,
        Step::Ends(CallResult::Busy),
    ];
    let used_up = steps(&[&DIAL, &[Step::Ends(CallResult::NoAnswer)], &again]);
    assert_snapshot!(story(once, &used_up), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), finished (no answer) → finished
    Mon 12:00:00 orders retry: nothing new → waiting until Mon 12:00:00
    Mon 12:00:00 wake: reserved 2 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 2, SEND 2 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 2 → calling until Mon 12:01:00
    Mon 12:00:00 ends busy: ended 2 (busy), recorded 2 (busy), finished (busy) → finished
    finished: all 1 attempts are used up; the last ended with busy
    ");
}

#[test]
fn a_lead_that_had_as_many_attempts_as_its_edited_rules_allow_is_finished() {
    const TWICE: &str = r#"{"retry": {"max_attempts": 2}}"#;
    const ONCE: &str = r#"{"retry": {"max_attempts": 1}}"#;
    let unanswered = steps(&[&DIAL, &[Step::Ends(CallResult::NoAnswer)]]);
    // At night, too: there is nothing left to wait for.
    let night = [Step::Rules(ONCE), Step::Wait("9h"), Step::Admit, Step::Orders(Command::Retry), Step::Wake];
    assert_snapshot!(story(TWICE, &steps(&[&unanswered, &night])), @r#"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 12:00:00 the rules are {"retry": {"max_attempts": 1}}
    Mon 21:00:00 admit: finished (no answer), not admitted (its rules allow no further attempt by now: 1 made, 1 allowed) → finished
    Mon 21:00:00 orders retry: nothing new → waiting until Mon 21:00:00
    Mon 21:00:00 wake: not admitted (outside calling hours in Asia/Kolkata, which open Tue 13 Jan 10:00) → waiting until Tue 10:00:00
    waiting: outside calling hours in Asia/Kolkata, which open Tue 13 Jan 10:00
    "#);
    let reserved = [Step::Wake, Step::Rules(ONCE), Step::Submit, Step::Wake];
    assert_snapshot!(story(TWICE, &steps(&[&unanswered, &reserved])), @r#"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 14:00:00 wake: reserved 2 → dialling until Mon 14:00:05
    Mon 14:00:00 the rules are {"retry": {"max_attempts": 1}}
    Mon 14:00:00 submit: withdrawn 2, do not send (its rules allow no further attempt by now: 1 made, 1 allowed) → waiting until Mon 14:00:01
    Mon 14:00:01 wake: finished (no answer), not admitted (its rules allow no further attempt by now: 1 made, 1 allowed) → finished
    finished: its rules allow no further attempt by now: 1 made, 1 allowed
    "#);
    let sent = [Step::Wake, Step::Submit, Step::Rules(TWICE), Step::Submit, Step::Rules(ONCE), Step::Submit];
    assert_snapshot!(story(TWICE, &steps(&[&unanswered, &sent])), @r#"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 14:00:00 wake: reserved 2 → dialling until Mon 14:00:05
    Mon 14:00:00 submit: submitted 2, SEND 2 → dialling until Mon 14:00:20
    Mon 14:00:00 the rules are {"retry": {"max_attempts": 2}}
    Mon 14:00:00 submit: SEND 2 → dialling until Mon 14:00:20
    Mon 14:00:00 the rules are {"retry": {"max_attempts": 1}}
    Mon 14:00:00 submit: refused 2, again Mon 14:01:00, do not send (its rules allow no further attempt by now: 1 made, 1 allowed) → waiting until Mon 14:01:00
    waiting: attempt 2 was turned down and does not count: its rules allow no further attempt by now: 1 made, 1 allowed
    "#);
}

#[test]
fn a_retry_while_results_may_come_ends_the_settling_first() {
    let settling = r#"{"settle_ms": 60000}"#;
    let retried = [Step::Ends(CallResult::Answered), Step::Orders(Command::Retry), Step::Wake, Step::Submit];
    assert_snapshot!(story(settling, &steps(&[&DIAL, &retried])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful) → settling until Mon 12:01:00
    Mon 12:00:00 orders retry: recorded 1 (successful), finished (successful) → waiting until Mon 12:00:00
    Mon 12:00:00 wake: reserved 2 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 2, SEND 2 → dialling until Mon 12:00:20
    dialling: attempt 2 is being sent to the carrier
    ");
}

#[test]
fn a_call_is_ended_in_the_states_that_have_one() {
    assert_snapshot!(in_every_state(&Step::Orders(Command::HangUp)), @r"
    [waiting]
    Mon 12:00:00 orders hang up: declined (no call is under way: accepted, and due) → waiting until Mon 12:00:00
    waiting: accepted, and due
    [held]
    Mon 12:00:00 orders hang up: declined (no call is under way: the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone) → held until Mon 12:00:00
    held: the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone
    [reserved]
    Mon 12:00:00 orders hang up: declined (no call is under way: attempt 1 is reserved and about to be dialled) → dialling until Mon 12:00:05
    dialling: attempt 1 is reserved and about to be dialled
    [submitted]
    Mon 12:00:00 orders hang up: deferred, hang up 1 → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders hang up: deferred, hang up 1 → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders hang up: hang up 1 → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders hang up: declined (no call is under way: attempt 1 is over; results may come until 06:31:00 UTC) → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 orders hang up: declined (no call is under way: attempt 1 ended with no answer; trying again) → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    [finished]
    Mon 12:00:00 orders hang up: declined (no call is under way: invalid number) → finished
    finished: invalid number
    ");
}

#[test]
fn an_outcome_is_corrected_in_every_state_in_which_there_is_one() {
    let attempt = AttemptNumber::FIRST;
    let order = Command::Correct { attempt, outcome: Outcome::NotInterested };
    assert_snapshot!(in_every_state(&Step::Orders(order)), @r"
    [waiting]
    Mon 12:00:00 orders correct attempt 1 to not interested: declined (the lead has no attempt 1) → waiting until Mon 12:00:00
    waiting: accepted, and due
    [held]
    Mon 12:00:00 orders correct attempt 1 to not interested: declined (the lead has no attempt 1) → held until Mon 12:00:00
    held: the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone
    [reserved]
    Mon 12:00:00 orders correct attempt 1 to not interested: declined (attempt 1 has no outcome yet: attempt 1 is reserved and about to be dialled; correct it once there is one) → dialling until Mon 12:00:05
    dialling: attempt 1 is reserved and about to be dialled
    [submitted]
    Mon 12:00:00 orders correct attempt 1 to not interested: declined (attempt 1 has no outcome yet: attempt 1 is being sent to the carrier; correct it once there is one) → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    [unknown]
    Mon 12:00:00 orders correct attempt 1 to not interested: declined (attempt 1 has no outcome yet: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known; correct it once there is one) → dialling until Mon 12:00:05
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    [calling]
    Mon 12:00:00 orders correct attempt 1 to not interested: declined (attempt 1 has no outcome yet: attempt 1 is with the carrier; correct it once there is one) → calling until Mon 12:01:00
    calling: attempt 1 is with the carrier
    [settling]
    Mon 12:00:00 orders correct attempt 1 to not interested: declined (attempt 1 has no outcome yet: attempt 1 is over; results may come until 06:31:00 UTC; correct it once there is one) → settling until Mon 12:01:00
    settling: attempt 1 is over; results may come until 06:31:00 UTC
    [waiting again]
    Mon 12:00:00 orders correct attempt 1 to not interested: amended 1 (not interested), finished (not interested) → finished
    finished: not interested
    [finished]
    Mon 12:00:00 orders correct attempt 1 to not interested: amended 1 (not interested) → finished
    finished: not interested
    ");
}

#[test]
fn a_correction_causes_no_call_and_is_noted_once() {
    let attempt = AttemptNumber::FIRST;
    let corrects = |outcome| Step::Orders(Command::Correct { attempt, outcome });
    let told = [
        Step::Ends(CallResult::NoAnswer),
        corrects(Outcome::Successful),
        corrects(Outcome::Successful),
        corrects(Outcome::NoAnswer),
        corrects(Outcome::DoNotCall),
        Step::Wait("3h"),
    ];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &told])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 12:00:00 orders correct attempt 1 to successful: amended 1 (successful), finished (successful) → finished
    Mon 12:00:00 orders correct attempt 1 to successful: nothing new → finished
    Mon 12:00:00 orders correct attempt 1 to no answer: amended 1 (no answer) → finished
    Mon 12:00:00 orders correct attempt 1 to do not call: suppressed, amended 1 (do not call) → finished
    finished: do not call
    ");
}
