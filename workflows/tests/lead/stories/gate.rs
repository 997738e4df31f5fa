//! What the gate says of leads, when their turn comes and when somebody orders.

use insta::assert_snapshot;
use outdial_workflows::call::CallResult;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::input::{Command, Input};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;

use crate::life::{ACCOUNT, Life, rules};
use crate::telling::{DIAL, Step, steps, story};

#[test]
fn nobody_is_retried_who_must_not_be_called() {
    let suppressed =
        [Step::Reports(Outcome::DoNotCall), Step::Ends(CallResult::Answered), Step::Orders(Command::Retry)];
    assert_snapshot!(story("{}", &steps(&[&DIAL, &suppressed])), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 reports do not call: reported, suppressed → calling until Mon 12:01:00
    Mon 12:00:00 ends answered: ended 1 (successful), recorded 1 (do not call), finished (do not call) → finished
    Mon 12:00:00 orders retry: declined (the number is on a suppression list) → finished
    finished: do not call
    ");
}

#[test]
fn a_suppressed_lead_is_finished_when_its_turn_comes() {
    assert_snapshot!(story("{}", &[Step::Suppress, Step::Admit]), @r"
    Mon 12:00:00 the number is suppressed
    Mon 12:00:00 admit: finished (do not call), not admitted (the number is on a suppression list) → finished
    finished: the number is on a suppression list
    ");
}

#[test]
fn a_lead_without_a_known_zone_is_held_until_somebody_mends_it() {
    let told = [
        Step::Zone("Asia/Bangalore"),
        Step::Admit,
        Step::Orders(Command::Resume),
        Step::Admit,
        Step::Zone("Asia/Kolkata"),
        Step::Orders(Command::Resume),
        Step::Wake,
    ];
    assert_snapshot!(story("{}", &told), @r"
    Mon 12:00:00 the zone is Asia/Bangalore
    Mon 12:00:00 admit: held, not admitted (the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone) → held until Mon 12:00:00
    Mon 12:00:00 orders resume: nothing new → waiting until Mon 12:00:00
    Mon 12:00:00 admit: held, not admitted (the time zone `Asia/Bangalore` is unknown, so the hours cannot be told; correct the lead's zone) → held until Mon 12:00:00
    Mon 12:00:00 the zone is Asia/Kolkata
    Mon 12:00:00 orders resume: nothing new → waiting until Mon 12:00:00
    Mon 12:00:00 wake: reserved 1 → dialling until Mon 12:00:05
    dialling: attempt 1 is reserved and about to be dialled
    ");
}

#[test]
fn a_lead_is_not_admitted_before_its_time_or_out_of_hours() {
    let early = steps(&[&DIAL, &[Step::Ends(CallResult::NoAnswer), Step::Admit, Step::Timer]]);
    assert_snapshot!(story("{}", &early), @r"
    Mon 12:00:00 admit: reserved 1 → dialling until Mon 12:00:05
    Mon 12:00:00 submit: submitted 1, SEND 1 → dialling until Mon 12:00:20
    Mon 12:00:00 accepted: bound 1 → calling until Mon 12:01:00
    Mon 12:00:00 ends no answer: ended 1 (no answer), recorded 1 (no answer), again Mon 14:00:00 → waiting until Mon 14:00:00
    Mon 12:00:00 admit: not admitted (attempt 1 ended with no answer; trying again) → waiting until Mon 14:00:00
    Mon 12:00:00 timer: nothing new → waiting until Mon 14:00:00
    waiting: attempt 1 ended with no answer; trying again
    ");
    assert_snapshot!(story("{}", &[Step::Wait("8h"), Step::Admit, Step::Wake]), @r"
    Mon 20:00:00 admit: not admitted (outside calling hours in Asia/Kolkata, which open Tue 13 Jan 10:00) → waiting until Tue 10:00:00
    Tue 10:00:00 wake: reserved 1 → dialling until Tue 10:00:05
    dialling: attempt 1 is reserved and about to be dialled
    ");
    let not_running = [Step::Campaign(CampaignState::Paused), Step::Admit];
    assert_snapshot!(story("{}", &not_running), @r"
    Mon 12:00:00 the campaign is paused
    Mon 12:00:00 admit: not admitted (the campaign is not running) → waiting until Mon 12:00:01
    waiting: the campaign is not running
    ");
}

#[test]
fn a_lead_held_for_want_of_consent_goes_on_once_some_is_recorded() {
    let held = |letting_go: &Input| {
        let mut life = Life::new(rules("{}"));
        let consents = std::mem::take(&mut life.gate.consents);
        life.tell(&Input::Admit { account: ACCOUNT, caller_id: None });
        assert!(matches!(life.run.workflow.why, Why::NeedsConsent { .. }), "{:?}", life.run.workflow.why);
        life.tell(letting_go);
        life.gate.consents = consents;
        life.tell(&Input::ConsentRecorded { actor: "asha".into() });
        life.tell(&Input::Admit { account: ACCOUNT, caller_id: None });
        life.run.workflow.state
    };
    assert_eq!(held(&Input::Timer), State::Dialling);
    // A person's hold is not undone by it.
    let pause = Input::Command { command: Command::Pause, actor: "asha".into(), reason: None, alone: true };
    assert_eq!(held(&pause), State::Held);
}
