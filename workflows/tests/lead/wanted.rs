//! What a reader of the design would expect and `decide` does not do yet. Each is ignored
//! with its reason; run them with `--ignored wanted`.

use outdial_workflows::call::{CallResult, CallStatus};
use outdial_workflows::input::Command;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;

use crate::life::{Life, rules};
use crate::telling::{DIAL, Step, lived, steps};

fn after(told: &[Step]) -> Life {
    lived(rules("{}"), told).0
}

/// Design, §6: "a late result that would have finished the lead finishes it". Today the lead
/// stays due, and a person who was spoken to is called again.
#[test]
fn a_call_that_turns_up_answered_leaves_no_reason_to_call_again() {
    let told = [
        Step::Admit,
        Step::Submit,
        Step::Dropped,
        Step::Wait("15m"),
        Step::NotListed,
        Step::Wait("1m"),
        Step::EndsLate(1, CallResult::Answered),
    ];
    let life = after(&told);
    assert_eq!(life.run.workflow.state, State::Finished);
    assert_eq!(life.run.workflow.outcome, Some(Outcome::Successful));
}

/// Today the lead's outcome is that of the last call, "no answer", and a person seems to have
/// cancelled it.
#[test]
fn a_lead_that_a_late_report_ends_has_the_outcome_of_that_report() {
    let told = [
        Step::Ends(CallResult::NoAnswer),
        Step::Wake,
        Step::Submit,
        Step::ReportsLate(1, Outcome::DoNotCall),
        Step::Accepted,
        Step::Ends(CallResult::NoAnswer),
    ];
    let life = after(&steps(&[&DIAL, &told]));
    assert_eq!(life.run.workflow.outcome, Some(Outcome::DoNotCall));
}

/// Today it says "cancelled by asha", who ended the campaign and may never have seen the lead,
/// and the history does not say that anything was ordered.
#[test]
fn a_lead_that_its_campaigns_end_ends_says_so() {
    let life = after(&steps(&[&DIAL, &[Step::CampaignEnds, Step::Ends(CallResult::NoAnswer)]]));
    assert_eq!(life.run.workflow.why, Why::CampaignEnded);
}

/// Today a lead that nobody answered, and that is cancelled while the next attempt is
/// reserved, is finished without an outcome.
#[test]
#[ignore = "only the latest attempt is looked at, and a withdrawn one has no outcome"]
fn a_withdrawn_attempt_does_not_hide_what_came_of_the_one_before() {
    let told = [Step::Ends(CallResult::NoAnswer), Step::Wake, Step::Orders(Command::Cancel)];
    let life = after(&steps(&[&DIAL, &told]));
    assert_eq!(life.run.workflow.outcome, Some(Outcome::NoAnswer));
}

#[test]
fn the_reason_of_a_finished_lead_follows_its_amended_outcome() {
    let told = [Step::Ends(CallResult::Answered), Step::Wait("1h"), Step::Reports(Outcome::SaleMade)];
    let life = after(&steps(&[&DIAL, &told]));
    assert_eq!(life.run.workflow.why, Why::Settled { outcome: Outcome::SaleMade });
}

/// Today each repetition of the same webhook writes another alert into the history.
#[test]
#[ignore = "the second call's name is not kept"]
fn a_second_call_raises_one_alert() {
    let twice = [Step::EndsAs("another", CallResult::Busy), Step::EndsAs("another", CallResult::Busy)];
    let life = after(&steps(&[&DIAL, &twice]));
    let alerts = life.events.iter().filter(|recorded| recorded.event.name() == "second_call");
    assert_eq!(alerts.count(), 1);
}

/// Today a call that is said to be completed, before its end is told, stays live with a final
/// status; the poll brings the end. Carriers that send both in one piece are not affected.
#[test]
fn a_status_is_final_only_once_the_call_has_ended() {
    let mut life = after(&DIAL);
    let fact = outdial_workflows::call::CallFact::progress(None, CallStatus::Completed);
    let source = outdial_workflows::call::Source::Webhook;
    let attempt = crate::life::number(1);
    life.tell(&outdial_workflows::input::Input::News { attempt, fact, source });
    assert!(!life.run.attempts[0].status.is_final() || life.run.attempts[0].ended.is_some());
}
