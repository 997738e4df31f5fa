//! From the carrier's yes to the outcome, and to what follows.

use insta::assert_snapshot;
use outdial_workflows::call::{CallFact, CallResult, CallStatus, Source};
use outdial_workflows::input::{Command, Input};
use outdial_workflows::money::Cost;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::results::CallResults;

use crate::life::{number, rules};
use crate::telling::{DIAL, Step, lived, steps, story};

/// The lead is dialled when it is due, and the call ends so.
fn call(result: CallResult) -> Vec<Step> {
    vec![Step::Wake, Step::Submit, Step::Accepted, Step::Wait("30s"), Step::Ends(result)]
}

const SETTLING: &str = r#"{"settle_ms": 60000}"#;

#[test]
fn somebody_answers_the_first_call() {
    let whole =
        [Step::Rings, Step::Wait("10s"), Step::Connects, Step::Wait("42s"), Step::Ends(CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &whole])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 rings: ringing → calling until Mon 12:01:00
    Mon 12:00:10 connects: connected → calling until Mon 12:01:00
    Mon 12:00:52 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    finished: successful
    ");
}

#[test]
fn nobody_answers_three_times_and_the_night_lies_between() {
    let evening =
        [&[Step::Wait("5h")][..], &call(CallResult::NoAnswer), &[Step::Wake], &call(CallResult::NoAnswer)];
    assert_snapshot!(story("{}", &steps(&[&steps(&evening), &call(CallResult::NoAnswer)])), @r"
    Mon 17:00:00 wake: reserved 1 → dialling until Mon 17:00:05
    Mon 17:00:00 submit: submitted 1, SEND 1 → dialling until Mon 17:00:20
    Mon 17:00:00 accepted: bound 1 → calling until Mon 17:01:00
    Mon 17:00:30 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 19:00:30 → waiting until Mon 19:00:30
    Mon 19:00:30 wake: not admitted (outside calling hours in Asia/Kolkata, which open Tue 13 Jan 10:00) → waiting until Tue 10:00:00
    Tue 10:00:00 wake: reserved 2 → dialling until Tue 10:00:05
    Tue 10:00:00 submit: submitted 2, SEND 2 → dialling until Tue 10:00:20
    Tue 10:00:00 accepted: bound 2 → calling until Tue 10:01:00
    Tue 10:00:30 ends no answer: ended 2 (no answer), recorded 2 (no answer), again Tue 12:00:30 → waiting until Tue 12:00:30
    Tue 12:00:30 wake: reserved 3 → dialling until Tue 12:00:35
    Tue 12:00:30 submit: submitted 3, SEND 3 → dialling until Tue 12:00:50
    Tue 12:00:30 accepted: bound 3 → calling until Tue 12:01:30
    Tue 12:01:00 ends no answer: ended 3 (no answer), recorded 3 (no answer), finished (no answer) → finished
    finished: all 3 attempts are used up; the last ended with no answer
    ");
}

#[test]
fn a_busy_line_is_tried_again_after_four_hours() {
    assert_snapshot!(story("{}", &steps(&[&call(CallResult::Busy), &call(CallResult::Voicemail)])), @r"
    Mon 12:00:00 wake: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:30 ends busy: ended 1 (busy), recorded 1 (busy), again Mon 16:00:30 → waiting until Mon 16:00:30
    Mon 16:00:30 wake: reserved 2 → dialling until Mon 16:00:35
    Mon 16:00:30 submit: submitted 2, SEND 2 → dialling until Mon 16:00:50
    Mon 16:00:30 accepted: bound 2 → calling until Mon 16:01:30
    Mon 16:01:00 ends voicemail: ended 2 (voicemail), recorded 2 (voicemail), again Mon 18:01:00 → waiting until Mon 18:01:00
    waiting: attempt 2 ended with voicemail; trying again
    ");
}

#[test]
fn a_carriers_failures_are_tried_again_after_ever_longer_times() {
    let failures: Vec<Step> = (0..5).flat_map(|_| call(CallResult::Failed)).collect();
    assert_snapshot!(story(r#"{"retry": {"max_attempts": 5}}"#, &failures), @r"
    Mon 12:00:00 wake: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:30 ends failed: ended 1 (failed), recorded 1 (failed), again Mon 12:01:30 → waiting until Mon 12:01:30
    Mon 12:01:30 wake: reserved 2 → dialling until Mon 12:01:35
    Mon 12:01:30 submit: submitted 2, SEND 2 → dialling until Mon 12:01:50
    Mon 12:01:30 accepted: bound 2 → calling until Mon 12:02:30
    Mon 12:02:00 ends failed: ended 2 (failed), recorded 2 (failed), again Mon 12:04:00 → waiting until Mon 12:04:00
    Mon 12:04:00 wake: reserved 3 → dialling until Mon 12:04:05
    Mon 12:04:00 submit: submitted 3, SEND 3 → dialling until Mon 12:04:20
    Mon 12:04:00 accepted: bound 3 → calling until Mon 12:05:00
    Mon 12:04:30 ends failed: ended 3 (failed), recorded 3 (failed), again Mon 12:08:30 → waiting until Mon 12:08:30
    Mon 12:08:30 wake: reserved 4 → dialling until Mon 12:08:35
    Mon 12:08:30 submit: submitted 4, SEND 4 → dialling until Mon 12:08:50
    Mon 12:08:30 accepted: bound 4 → calling until Mon 12:09:30
    Mon 12:09:00 ends failed: ended 4 (failed), recorded 4 (failed), again Mon 12:17:00 → waiting until Mon 12:17:00
    Mon 12:17:00 wake: reserved 5 → dialling until Mon 12:17:05
    Mon 12:17:00 submit: submitted 5, SEND 5 → dialling until Mon 12:17:20
    Mon 12:17:00 accepted: bound 5 → calling until Mon 12:18:00
    Mon 12:17:30 ends failed: ended 5 (failed), recorded 5 (failed), finished (failed) → finished
    finished: all 5 attempts are used up; the last ended with failed
    ");
}

#[test]
fn a_number_that_does_not_exist_is_not_tried_again() {
    assert_snapshot!(story("{}", &call(CallResult::InvalidNumber)), @r"
    Mon 12:00:00 wake: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:30 ends invalid number: ended 1 (invalid number), recorded 1 (invalid number), finished (invalid number) → finished
    finished: invalid number
    ");
}

#[test]
fn a_call_without_news_is_asked_about_until_it_is_over() {
    let asking = [
        Step::Wake,
        Step::NoAnswer,
        Step::Wake,
        Step::NotListed,
        Step::Wake,
        Step::Found(CallResult::Answered),
    ];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &asking])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:01:00 wake: ask about 1 → calling until Mon 12:02:00
    Mon 12:01:00 no answer: no news → calling until Mon 12:02:00
    Mon 12:02:00 wake: ask about 1 → calling until Mon 12:03:00
    Mon 12:02:00 not listed: no news → calling until Mon 12:03:00
    Mon 12:03:00 wake: ask about 1 → calling until Mon 12:04:00
    Mon 12:03:00 found answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    finished: successful
    ");
}

#[test]
fn a_call_that_the_carrier_forgot_ends_as_unknown() {
    let forgotten = [Step::Wait("11m"), Step::Timer, Step::NotListed];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &forgotten])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:11:00 timer: ask about 1 → calling until Mon 12:12:00
    Mon 12:11:00 not listed: no news, ended 1 (unknown), recorded 1 (unknown), again Mon 14:11:00 → waiting until Mon 14:11:00
    waiting: attempt 1 ended with unknown; trying again
    ");
}

#[test]
fn news_that_comes_twice_or_in_the_wrong_order_changes_nothing() {
    let muddle = [
        Step::Connects,
        Step::Rings,
        Step::Connects,
        Step::Ends(CallResult::Answered),
        Step::Ends(CallResult::Answered),
        Step::Ends(CallResult::NoAnswer),
        Step::Rings,
        Step::Found(CallResult::Answered),
        Step::Timer,
    ];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &muddle])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 connects: connected → calling until Mon 12:01:00
    Mon 12:00:00 rings: nothing new → calling until Mon 12:01:00
    Mon 12:00:00 connects: nothing new → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    Mon 12:00:00 ends answered: nothing new → finished
    Mon 12:00:00 ends no answer: nothing new → finished
    Mon 12:00:00 rings: nothing new → finished
    Mon 12:00:00 found answered: nothing new → finished
    Mon 12:00:00 timer: nothing new → finished
    finished: successful
    ");
}

#[test]
fn a_webhook_overtakes_the_answer_to_the_request() {
    let overtaken =
        [Step::Admit, Step::Submit, Step::Rings, Step::Ends(CallResult::NoAnswer), Step::Accepted];
    assert_snapshot!(story("{}", &overtaken), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 rings: bound 1, ringing → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 12:00:00 accepted: nothing new → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    ");
}

#[test]
fn news_before_anything_was_sent_is_nobodys_call_of_ours() {
    assert_snapshot!(story("{}", &[Step::Admit, Step::Ends(CallResult::Answered), Step::Submit]), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 ends answered: nothing new → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    dialling: attempt 1 is being sent to the carrier
    ");
}

#[test]
fn a_status_is_final_only_once_the_call_has_ended() {
    let mut life = lived(rules("{}"), &DIAL).0;
    let fact = CallFact::progress(None, CallStatus::Completed);
    life.tell(&Input::News { attempt: number(1), fact, source: Source::Webhook });
    let attempt = &life.run.attempts[0];
    assert_eq!((attempt.status.is_final(), &attempt.ended), (false, &None));
}

#[test]
fn a_second_call_for_one_attempt_raises_one_alert_and_is_not_followed() {
    let second = [
        Step::EndsAs("another", CallResult::Busy),
        Step::EndsAs("another", CallResult::Busy),
        Step::Ends(CallResult::Answered),
        Step::EndsAs("another", CallResult::Busy),
    ];
    let (life, told) = lived(rules("{}"), &steps(&[&DIAL, &second]));
    assert_snapshot!(told, @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends as another busy: ALERT second call 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends as another busy: nothing new → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    Mon 12:00:00 ends as another busy: nothing new → finished
    finished: successful
    ");
    assert_snapshot!(life.judged(), @r"
    Leads heard: 1, finished: 1, attempts: 1; not kept: never twice (broken: 1).
    never twice: lead 00000000-0000-0000-0000-000000000004, attempt 1: the carrier named a second call for it
    ");
}

#[test]
fn results_may_come_for_a_while_after_the_call() {
    let reported =
        [Step::Ends(CallResult::Answered), Step::Wait("20s"), Step::Reports(Outcome::AppointmentScheduled)];
    assert_snapshot!(story(SETTLING, &steps(&[&DIAL, &reported])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful) → settling until Mon 12:01:00
    Mon 12:00:20 reports appointment scheduled: reported, recorded 1 (appointment scheduled), finished (appointment scheduled) → finished
    finished: appointment scheduled
    ");
    let silent = [Step::Ends(CallResult::Answered), Step::Wake];
    assert_snapshot!(story(SETTLING, &steps(&[&DIAL, &silent])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful) → settling until Mon 12:01:00
    Mon 12:01:00 wake: recorded 1 (successful), finished (successful) → finished
    finished: successful
    ");
    let at_once = [Step::Reports(Outcome::NotInterested), Step::Ends(CallResult::Answered)];
    assert_snapshot!(story(SETTLING, &steps(&[&DIAL, &at_once])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 reports not interested: reported → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (not interested), finished (not interested) → finished
    finished: not interested
    ");
}

#[test]
fn who_asks_in_the_call_not_to_be_called_again_is_not() {
    let during = [Step::Reports(Outcome::DoNotCall), Step::Ends(CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &during])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 reports do not call: reported, suppressed → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (do not call), finished (do not call) → finished
    finished: do not call
    ");
}

#[test]
fn who_asks_later_not_to_be_called_again_is_not() {
    let after =
        [Step::Ends(CallResult::NoAnswer), Step::Wait("1h"), Step::ReportsLate(1, Outcome::DoNotCall)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &after])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 13:00:00 reports late 1 do not call: reported, suppressed, amended 1 (do not call), finished (do not call) → finished
    finished: do not call
    ");
    // Just when the next attempt was reserved.
    let meanwhile = [
        Step::Ends(CallResult::NoAnswer),
        Step::Wake,
        Step::ReportsLate(1, Outcome::DoNotCall),
        Step::Submit,
    ];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &meanwhile])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 14:00:00 wake: reserved 2 → dialling until Mon 14:00:05
    Mon 14:00:00 reports late 1 do not call: reported, suppressed, amended 1 (do not call), withdrawn 2, finished (do not call) → finished
    Mon 14:00:00 submit: do not send (do not call) → finished
    finished: do not call
    ");
    // Just when the next attempt was sent: its end decides nothing any more.
    let too_late = [
        Step::Ends(CallResult::NoAnswer),
        Step::Wake,
        Step::Submit,
        Step::ReportsLate(1, Outcome::DoNotCall),
        Step::Accepted,
        Step::Ends(CallResult::NoAnswer),
    ];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &too_late])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 14:00:00 wake: reserved 2 → dialling until Mon 14:00:05
    Mon 14:00:00 submit: submitted 2, SEND 2 → dialling until Mon 14:00:20
    Mon 14:00:00 reports late 1 do not call: reported, suppressed, amended 1 (do not call) → dialling until Mon 14:00:20
    Mon 14:00:00 accepted: bound 2 → calling until Mon 14:01:00
    Mon 14:00:00 ends no answer: ended 2 (no answer), recorded 2 (no answer), finished (do not call) → finished
    finished: do not call
    ");
}

#[test]
fn a_late_result_amends_the_record_without_another_call() {
    let better = [Step::Ends(CallResult::Answered), Step::Wait("1h"), Step::Reports(Outcome::SaleMade)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &better])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    Mon 13:00:00 reports sale made: reported, amended 1 (sale made) → finished
    finished: sale made
    ");
    let worse = [Step::Ends(CallResult::Answered), Step::Wait("1h"), Step::Reports(Outcome::Voicemail)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &worse])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    Mon 13:00:00 reports voicemail: reported, amended 1 (voicemail) → finished
    finished: voicemail
    ");
    let still_waiting =
        [Step::Ends(CallResult::NoAnswer), Step::Wait("1h"), Step::Reports(Outcome::Voicemail)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &still_waiting])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 13:00:00 reports voicemail: reported, amended 1 (voicemail) → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    ");
    let ends_the_wait =
        [Step::Ends(CallResult::NoAnswer), Step::Wait("1h"), Step::Reports(Outcome::WrongNumber)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &ends_the_wait])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 13:00:00 reports wrong number: reported, amended 1 (wrong number), finished (wrong number) → finished
    finished: wrong number
    ");
}

#[test]
fn what_a_call_cost_is_recorded_whenever_it_becomes_known_and_once_while_it_stays_the_same() {
    let (mut life, _) = lived(rules("{}"), &steps(&[&DIAL, &[Step::Ends(CallResult::Answered)]]));
    let mut told = |micros| {
        let cost = Cost { micros };
        let events = life.tell(&Input::Priced { attempt: number(1), cost }).events;
        (events.iter().map(ToString::to_string).collect::<Vec<_>>(), life.run.attempts[0].cost == Some(cost))
    };
    assert_eq!(told(600_000), (vec!["attempt 1 cost 0.60".into()], true));
    assert_eq!(told(600_000), (vec![], true));
    assert_eq!(told(1_200_000), (vec!["attempt 1 cost 1.20".into()], true));
}

#[test]
fn results_say_what_came_of_the_call_unless_somebody_has_said_so_before() {
    let sold = r#"{"summary": "Sold.", "analysis": {"outcome": "sale made"}}"#;
    let early = [Step::Yields(sold), Step::Ends(CallResult::Answered), Step::Yields(sold)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &early])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 yields results: results 1, reported, connected → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (sale made), finished (sale made) → finished
    Mon 12:00:00 yields results: nothing new → finished
    finished: sale made
    ");
    let late = [Step::Ends(CallResult::Answered), Step::Wait("20s"), Step::Yields(sold)];
    assert_snapshot!(story(SETTLING, &steps(&[&DIAL, &late])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful) → settling until Mon 12:01:00
    Mon 12:00:20 yields results: results 1, reported, recorded 1 (sale made), finished (sale made) → finished
    finished: sale made
    ");
    let corrected =
        [Step::Ends(CallResult::Answered), Step::Reports(Outcome::NotInterested), Step::Yields(sold)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &corrected])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    Mon 12:00:00 reports not interested: reported, amended 1 (not interested) → finished
    Mon 12:00:00 yields results: results 1 → finished
    finished: not interested
    ");
}

#[test]
fn a_wish_not_to_be_called_again_suppresses_the_number_whatever_was_reported() {
    let wish = r#"{"do_not_call": true}"#;
    let told = [Step::Reports(Outcome::SaleMade), Step::Yields(wish), Step::Ends(CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &told])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 reports sale made: reported → calling until Mon 12:01:00
    Mon 12:00:00 yields results: results 1, reported, suppressed, connected → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (do not call), finished (do not call) → finished
    finished: do not call
    ");
}

const TOMORROW: &str = r#"{"call_back_at": "2026-01-13T05:30:00Z"}"#;

#[test]
fn whoever_asks_to_be_called_again_is_called_at_that_time_whatever_the_policy_says() {
    let asked = [Step::Yields(TOMORROW), Step::Ends(CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &asked])), @r#"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 yields results: results 1, connected → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), again Tue 11:00:00 → waiting until Tue 11:00:00
    waiting: in attempt 1 the person asked to be called again at this time
    "#);
}

#[test]
fn a_wish_to_be_called_again_gives_way_to_one_never_to_be_called() {
    let both =
        [Step::Yields(TOMORROW), Step::Yields(r#"{"do_not_call": true}"#), Step::Ends(CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &both])), @r#"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 yields results: results 1, connected → calling until Mon 12:01:00
    Mon 12:00:00 yields results: results 1, reported, suppressed → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (do not call), finished (do not call) → finished
    finished: do not call
    "#);
}

#[test]
fn a_wish_to_be_called_again_waits_behind_a_hold_and_ends_with_a_cancel() {
    let held = [
        Step::Yields(TOMORROW),
        Step::Orders(Command::Pause),
        Step::Ends(CallResult::Answered),
        Step::Orders(Command::Resume),
    ];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &held])), @r#"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 yields results: results 1, connected → calling until Mon 12:01:00
    Mon 12:00:00 orders pause: deferred → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), again Tue 11:00:00, held → held until Tue 11:00:00
    Mon 12:00:00 orders resume: nothing new → waiting until Tue 11:00:00
    waiting: resumed by asha
    "#);
    let cancelled = [Step::Yields(TOMORROW), Step::Orders(Command::Cancel), Step::Ends(CallResult::Answered)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &cancelled])), @r#"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 yields results: results 1, connected → calling until Mon 12:01:00
    Mon 12:00:00 orders cancel: deferred → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    finished: cancelled by asha
    "#);
}

#[test]
fn a_wish_that_is_told_too_late_causes_no_call() {
    let late = [Step::Ends(CallResult::Answered), Step::Yields(TOMORROW)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &late])), @r#"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (successful), finished (successful) → finished
    Mon 12:00:00 yields results: results 1 → finished
    finished: successful
    "#);
}

#[test]
fn only_our_own_agent_says_of_a_call_that_nobody_spoke_in_it() {
    let failed = Outcome::Failed;
    let analysis = [("outcome".to_owned(), "failed".into())].into_iter().collect();
    let reported = CallResults { analysis, ..CallResults::default() };
    let fact =
        CallFact { results: Some(Box::new(reported)), ..CallFact::progress(None, CallStatus::Connected) };
    let news = Input::News { attempt: number(1), fact, source: Source::Agent };
    let missing = Input::Verdict { attempt: number(1), outcome: failed, source: Source::Agent };
    for (told, abandoned) in [(news, None), (missing, Some(true))] {
        let (mut life, _) = lived(rules("{}"), &DIAL);
        life.tell(&told);
        assert_eq!(life.record().attempts[0].abandoned, abandoned, "{told:?}");
    }
}
