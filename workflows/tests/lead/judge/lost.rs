//! Never lost.

use chrono::TimeDelta;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::judge::{Judge, Rule};
use outdial_workflows::workflow::State;

use super::{Case, answered, caught, is, warned};
use crate::life::CAMPAIGN;
use crate::telling::Step;

#[test]
fn a_timer_that_nobody_minds_is_a_lost_lead() {
    let told = &answered()[..4];
    caught(told, |case| case.now += TimeDelta::minutes(3), Rule::Timer);
    let patient = |case: &Case| {
        let mut judge = Judge::new(case.world.clone(), case.now).with_grace(TimeDelta::minutes(5));
        judge.lead(&case.record);
        judge.finish()
    };
    let mut case = Case::of(told);
    case.now += TimeDelta::minutes(3);
    assert!(patient(&case).kept());
    caught(told, |case| case.record.workflow.wake_at = None, Rule::Timer);
}

#[test]
fn only_a_strict_judge_asks_why_a_due_lead_waits() {
    let strict = |campaign, later| {
        let mut case = Case::of(&[]);
        case.world.campaigns.insert(CAMPAIGN, campaign);
        let mut judge = Judge::new(case.world.clone(), case.now + later).strict();
        judge.lead(&case.record);
        judge.finish()
    };
    let minutes = TimeDelta::minutes;
    assert_eq!(strict(CampaignState::Running, minutes(3)).violations[0].rule, Rule::Stuck);
    assert!(strict(CampaignState::Paused, minutes(3)).kept());
    // It is 20:00 by then, and nobody is called before the next morning at 10:00.
    assert!(strict(CampaignState::Running, minutes(8 * 60)).kept());
    assert!(strict(CampaignState::Running, minutes(22 * 60)).kept());
    assert!(!strict(CampaignState::Running, minutes(22 * 60 + 3)).kept());
    let mut case = Case::of(&[]);
    case.now += TimeDelta::minutes(3);
    assert!(case.judge().kept());
}

#[test]
fn a_finished_lead_has_no_live_attempt() {
    caught(&answered(), |case| case.attempt(1).ended = None, Rule::FinishedWhileLive);
    caught(&answered(), |case| case.remove(is("ended")), Rule::FinishedWhileLive);
}

#[test]
fn the_state_and_the_latest_attempt_tell_the_same_story() {
    for state in [State::Waiting, State::Held, State::Calling, State::Settling] {
        let told = [Step::Admit, Step::Submit];
        caught(&told, |case| case.record.workflow.state = state, Rule::StateFits);
    }
    caught(&answered(), |case| case.record.workflow.state = State::Dialling, Rule::StateFits);
}

#[test]
fn a_quarantined_lead_is_pointed_out() {
    warned(&answered()[..2], |case| case.record.quarantined = true, Rule::Quarantine);
}
