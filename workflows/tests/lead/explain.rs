//! Why a lead has not been called, and when it will be.

use chrono::TimeDelta;
use insta::assert_snapshot;
use outdial_workflows::call::{CallResult, RefusalKind};
use outdial_workflows::explain::{AccountStop, Explanation, Known, Story, explain};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::Command;
use outdial_workflows::limits::{Bound, Room};
use outdial_workflows::outcome::Outcome;

use crate::life::{Life, rules};
use crate::telling::{DIAL, Step, lived, seconds, steps, tell};

/// The explanation after these steps, with what else is known.
fn asked<'a>(life: &'a Life, change: impl FnOnce(&mut Known<'a>)) -> Explanation {
    let story = Story {
        workflow: &life.run.workflow,
        quarantined: false,
        attempts: &life.run.attempts,
        events: &life.events,
    };
    let mut known = Known {
        gate: &life.gate,
        rules: Some(&life.rules),
        account_stopped: None,
        account_rests_until: None,
        account_room: None,
        campaign_room: None,
        client_room: None,
        numbers_room: None,
        seats: None,
        ahead: None,
    };
    change(&mut known);
    explain(&story, &known, life.now)
}

/// State, what is next and what is to do, without the history.
fn short(life: &Life) -> String {
    shortened(asked(life, |_| ()))
}

fn shortened(mut explanation: Explanation) -> String {
    explanation.history.clear();
    explanation.to_string()
}

fn after(told: &[Step]) -> Life {
    lived(rules("{}"), told).0
}

fn unanswered() -> Vec<Step> {
    steps(&[&DIAL, &[Step::Wait("30s"), Step::Ends(CallResult::NoAnswer)]])
}

#[test]
fn an_explanation_tells_the_whole_story() {
    assert_snapshot!(asked(&after(&unanswered()), |_| ()), @r"
    waiting: attempt 1 ended with no answer; trying again
    next: Mon 12 Jan 2026 14:00:30 in Asia/Kolkata: may be called from then on
    Mon 12 Jan 2026, UTC
    06:30:00  schedule        lead accepted
    06:30:00  dial            attempt 1 reserved under revision 1, within calling hours in Asia/Kolkata, to be sent by 2026-01-12 06:30:05 UTC
    06:30:00  dial            attempt 1 committed to and sent
    06:30:00  dial            attempt 1 accepted by the carrier as call call-1
    06:30:30  await_status    attempt 1 ended: no answer
    06:30:30  record_outcome  attempt 1 recorded as no answer
    06:30:30  retry           due again at 2026-01-12 08:30:30 UTC: attempt 1 ended with no answer; trying again
    ");
}

#[test]
fn a_story_is_wrapped_to_the_terminal_and_each_day_is_named_once() {
    let second = [Step::Wake, Step::Submit, Step::Dropped, Step::Wake, Step::NotListed];
    let told = steps(&[&[Step::Wait("6h")], &unanswered(), &[Step::Wake], &second]);
    let explanation = asked(&after(&told), |_| ());
    assert_snapshot!(explanation.text(80), @r"
    dialling: it is not known whether attempt 2 reached the phone; the carrier is
      being asked, and nobody is dialled until it is known
    next: Tue 13 Jan 2026 10:00:10 in Asia/Kolkata: the carrier is asked, unless it
      reports first
    Mon 12 Jan 2026, UTC
    06:30:00  schedule        lead accepted
    12:30:00  dial            attempt 1 reserved under revision 1, within calling
                              hours in Asia/Kolkata, to be sent by 2026-01-12
                              12:30:05 UTC
    12:30:00  dial            attempt 1 committed to and sent
    12:30:00  dial            attempt 1 accepted by the carrier as call call-1
    12:30:30  await_status    attempt 1 ended: no answer
    12:30:30  record_outcome  attempt 1 recorded as no answer
    12:30:30  retry           due again at 2026-01-12 14:30:30 UTC: attempt 1 ended
                              with no answer; trying again
    14:30:30  schedule        postponed to 2026-01-13 04:30:00 UTC: outside calling
                              hours in Asia/Kolkata, which open Tue 13 Jan 10:00
    Tue 13 Jan 2026, UTC
    04:30:00  dial            attempt 2 reserved under revision 1, within calling
                              hours in Asia/Kolkata, to be sent by 2026-01-13
                              04:30:05 UTC
    04:30:00  dial            attempt 2 committed to and sent
    04:30:00  dial            attempt 2 unknown, the carrier will be asked: the
                              connection dropped
    04:30:05  await_status    asked about attempt 2: the carrier does not list it
    ");
    assert!(explanation.text(120).lines().all(|line| line.chars().count() <= 120));
    assert_eq!(explanation.text(0), explanation.text(60));
}

#[test]
fn each_state_says_what_comes_next() {
    let told: [(&str, Vec<Step>); 8] = [
        ("new", vec![]),
        ("reserved", vec![Step::Admit]),
        ("submitted", vec![Step::Admit, Step::Submit]),
        ("unknown", vec![Step::Admit, Step::Submit, Step::Dropped]),
        ("calling", DIAL.to_vec()),
        ("waiting", unanswered()),
        ("held", vec![Step::Orders(Command::Pause)]),
        ("finished", steps(&[&DIAL, &[Step::Ends(CallResult::Answered)]])),
    ];
    let all: String = told.iter().map(|(name, told)| format!("[{name}]\n{}", short(&after(told)))).collect();
    assert_snapshot!(all, @r"
    [new]
    waiting: accepted, and due
    next: Mon 12 Jan 2026 12:00:00 in Asia/Kolkata: due, and called when its turn comes
    [reserved]
    dialling: attempt 1 is reserved and about to be dialled
    next: Mon 12 Jan 2026 12:00:05 in Asia/Kolkata: if no worker has sent it by then, it is withdrawn and the lead waits again
    [submitted]
    dialling: attempt 1 is being sent to the carrier
    next: Mon 12 Jan 2026 12:00:20 in Asia/Kolkata: if the carrier has not answered by then, it is asked
    [unknown]
    dialling: it is not known whether attempt 1 reached the phone; the carrier is being asked, and nobody is dialled until it is known
    next: Mon 12 Jan 2026 12:00:05 in Asia/Kolkata: the carrier is asked, unless it reports first
    [calling]
    calling: attempt 1 is with the carrier
    next: Mon 12 Jan 2026 12:01:00 in Asia/Kolkata: the carrier is asked, unless it reports first
    [waiting]
    waiting: attempt 1 ended with no answer; trying again
    next: Mon 12 Jan 2026 14:00:30 in Asia/Kolkata: may be called from then on
    [held]
    held: held by asha
    to do: resume the lead
    [finished]
    finished as successful: successful
    to do: nothing; to call it again all the same, retry the lead
    ");
}

#[test]
fn a_call_is_told_for_when_the_hours_open() {
    let told = steps(&[&[Step::Wait("6h")], &unanswered()]); // Called at 18:00; two hours later it is closed.
    assert_snapshot!(short(&after(&told)), @r"
    waiting: attempt 1 ended with no answer; trying again
    next: Tue 13 Jan 2026 10:00:00 in Asia/Kolkata: may be called from then on; until then, outside calling hours in Asia/Kolkata, which open Tue 13 Jan 10:00
    ");
}

#[test]
fn a_suppression_that_ends_at_night_is_followed_by_the_hours() {
    let mut life = after(&[]);
    life.suppress(Some(life.now + TimeDelta::hours(10)));
    assert_snapshot!(short(&life), @r"
    waiting: accepted, and due
    next: Tue 13 Jan 2026 10:00:00 in Asia/Kolkata: may be called from then on; until then, outside calling hours in Asia/Kolkata, which open Tue 13 Jan 10:00
    ");
}

#[test]
fn what_is_switched_off_has_to_be_switched_on() {
    let mut life = after(&[]);
    life.gate.campaign = CampaignState::Paused;
    assert_snapshot!(short(&life), @r"
    waiting: accepted, and due
    to do: resume the campaign
    ");
    life.gate.campaign = CampaignState::Draft;
    assert_snapshot!(short(&life), @r"
    waiting: accepted, and due
    to do: start the campaign
    ");
    life.gate.campaign = CampaignState::Running;
    life.gate.account_ready = false;
    assert_snapshot!(short(&life), @r"
    waiting: accepted, and due
    to do: enable the carrier account
    ");
    assert_snapshot!(shortened(asked(&life, |known| known.account_stopped = Some(AccountStop::Paused))), @r"
    waiting: accepted, and due
    to do: resume the carrier account, or its client
    ");
    assert_snapshot!(shortened(asked(&life, |known| known.account_stopped = Some(AccountStop::TurnedDown))), @r"
    waiting: accepted, and due
    to do: have the carrier take the account again: its page says what is wrong; then test it, or give it other credentials
    ");
}

#[test]
fn a_resting_account_and_full_limits_say_when() {
    let mut life = after(&[]);
    let (soon, later) = (life.now + seconds(10), life.now + seconds(30));
    assert_snapshot!(shortened(asked(&life, |known| {
        known.account_room = Some(Room { free: 0, again: Some((soon, Bound::Rate)) });
    })), @r"
    waiting: accepted, and due
    next: Mon 12 Jan 2026 12:00:10 in Asia/Kolkata: may be called from then on; until then, the rate of calls of its account is used up
    ");
    assert_snapshot!(shortened(asked(&life, |known| {
        known.campaign_room = Some(Room { free: 0, again: None });
        known.ahead = Some(12);
    })), @r"
    waiting: accepted, and due
    next: Mon 12 Jan 2026 12:00:00 in Asia/Kolkata: due, and called when its turn comes; leads before it: 12
    to do: the limits of its campaign are used up: a call has to end, or the limit be raised
    ");
    life.gate.account_ready = false;
    assert_snapshot!(shortened(asked(&life, |known| known.account_rests_until = Some(later))), @r"
    waiting: accepted, and due
    next: Mon 12 Jan 2026 12:00:30 in Asia/Kolkata: may be called from then on; until then, its carrier account rests
    ");
    life.gate.account_ready = true;
    assert_snapshot!(shortened(asked(&life, |known| {
        known.client_room = Some(Room { free: 0, again: None });
        known.numbers_room = Some(Room { free: 0, again: Some((later, Bound::Rest)) });
    })), @r"
    waiting: accepted, and due
    next: Mon 12 Jan 2026 12:00:30 in Asia/Kolkata: may be called from then on; until then, its campaign's numbers rest or their rates are used up
    to do: the limits of its client are used up: a call has to end, or the limit be raised
    ");
}

#[test]
fn what_only_people_can_mend_is_named() {
    let mut life = after(&[Step::Zone("Asia/Bangalore"), Step::Admit]);
    assert_snapshot!(short(&life), @r"
    held: the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone
    to do: mend this, then resume the lead
    ");
    life.gate.zone = Some("Asia/Kolkata".into());
    assert_snapshot!(short(&life), @r"
    held: the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone
    to do: what held it has been mended: resume the lead
    ");
    life.suppress(None);
    assert_snapshot!(short(&life), @r"
    held: the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone
    to do: nothing: it cannot be called any more, for the number is on a suppression list
    ");
}

#[test]
fn a_lead_without_attempts_left_is_not_called_again() {
    assert_snapshot!(short(&after(&steps(&[&unanswered(), &[Step::Rules(r#"{"retry": {"max_attempts": 1}}"#)]]))), @r"
    waiting: attempt 1 ended with no answer; trying again
    to do: it will not be called, and finishes when its turn comes: its rules allow no further attempt by now: 1 made, 1 allowed
    ");
}

#[test]
fn a_lead_that_cannot_be_dialled_any_more_says_what_to_do() {
    let mut life = after(&[]);
    life.run.workflow.attempts = AttemptNumber::LAST.get();
    tell(&mut life, &[Step::Admit]);
    assert_snapshot!(short(&life), @"held: its 32767 attempt numbers are used up; cancel it, and import the person anew");
}

#[test]
fn a_suppressed_lead_is_not_called_and_an_order_waits_for_the_call() {
    assert_snapshot!(short(&after(&[Step::Suppress])), @r"
    waiting: accepted, and due
    to do: it will not be called, and finishes when its turn comes: the number is on a suppression list
    ");
    assert_snapshot!(short(&after(&steps(&[&DIAL, &[Step::Orders(Command::Cancel)]]))), @r"
    calling: attempt 1 is with the carrier
    next: Mon 12 Jan 2026 12:01:00 in Asia/Kolkata: the carrier is asked, unless it reports first
    then: once the attempt has resolved, the lead ends: cancelled by asha
    ");
    let finished = steps(&[&DIAL, &[Step::Reports(Outcome::DoNotCall), Step::Ends(CallResult::Answered)]]);
    assert_snapshot!(short(&after(&finished)), @"finished as do not call: do not call");
    assert_snapshot!(short(&after(&[Step::Admit, Step::Submit, Step::Refused(RefusalKind::NotSent)])), @r"
    waiting: attempt 1 was turned down and does not count: as the carrier put it
    next: Mon 12 Jan 2026 12:01:00 in Asia/Kolkata: may be called from then on
    ");
}

#[test]
fn a_quarantined_lead_says_so() {
    let life = after(&[]);
    let story = Story { workflow: &life.run.workflow, quarantined: true, attempts: &[], events: &[] };
    let known = Known {
        gate: &life.gate,
        rules: None,
        account_stopped: None,
        account_rests_until: None,
        account_room: None,
        campaign_room: None,
        client_room: None,
        numbers_room: None,
        seats: None,
        ahead: None,
    };
    assert_snapshot!(explain(&story, &known, life.now), @r"
    waiting: accepted, and due
    to do: it is in quarantine: see its error, mend it and release it
    ");
}

#[test]
fn an_explanation_reads_back_as_what_was_written() {
    let explanation = asked(&after(&unanswered()), |_| ());
    let written = serde_json::to_string(&explanation).expect("serialises");
    assert_eq!(serde_json::from_str::<Explanation>(&written).expect("reads back"), explanation);
}
