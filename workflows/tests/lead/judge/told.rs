//! Always explainable; and how the judge puts it.

use chrono::TimeDelta;
use outdial_workflows::attempt::{Attempt, Ledger, Revision};
use outdial_workflows::call::CallStatus;
use outdial_workflows::history::Event;
use outdial_workflows::ids::LeadId;
use outdial_workflows::input::Command;
use outdial_workflows::judge::{Judge, MOST_LISTED, Promise, Rule, Verdict};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::why::Why;
use uuid::Uuid;

use super::{Case, answered, caught, is};
use crate::life::number;
use crate::telling::{Step, seconds, steps};

#[test]
fn the_history_has_no_gaps_and_its_times_run_forward() {
    let gap = |case: &mut Case| case.record.events[2].seq += 1;
    caught(&answered(), gap, Rule::Sequence);
    let accepted_again = |case: &mut Case| case.insert(is("accepted"), Event::Accepted);
    caught(&answered(), accepted_again, Rule::Sequence);
    let backwards = |case: &mut Case| case.record.events[0].at += TimeDelta::hours(1);
    caught(&answered(), backwards, Rule::TimeOrder);
}

#[test]
fn the_rows_say_what_the_history_adds_up_to() {
    let attempts: [fn(&mut Attempt); 8] = [
        |attempt| attempt.ledger = Ledger::Refused,
        |attempt| attempt.counts = false,
        |attempt| attempt.status = CallStatus::Ringing,
        |attempt| attempt.revision = Revision(2),
        |attempt| attempt.dial_by += seconds(1),
        |attempt| attempt.reserved_at += seconds(1),
        |attempt| attempt.submission = None,
        |attempt| attempt.outcome = Some(Outcome::Busy),
    ];
    for change in attempts {
        caught(&answered(), |case| change(case.attempt(1)), Rule::RowsAgree);
    }
    let workflows: [fn(&mut Case); 7] = [
        |case| case.record.workflow.attempts += 1,
        |case| case.record.workflow.recorded = 0,
        |case| case.record.workflow.counted = 0,
        |case| case.record.workflow.forgiven = 1,
        |case| case.record.workflow.events += 1,
        |case| case.record.attempts.clear(),
        |case| case.remove(is("finished")),
    ];
    for change in workflows {
        caught(&answered(), change, Rule::RowsAgree);
    }
}

#[test]
fn a_finished_or_held_lead_gives_the_reason_that_its_history_gives() {
    let other_reason = |case: &mut Case| case.record.workflow.why = Why::CampaignEnded;
    caught(&answered(), other_reason, Rule::Reason);
    caught(&answered(), |case| case.record.workflow.outcome = Some(Outcome::Busy), Rule::Reason);
    caught(&[Step::Orders(Command::Pause)], |case| case.record.workflow.why = Why::NoZone, Rule::Reason);
    caught(&answered()[..3], |case| case.record.workflow.why = Why::New, Rule::Reason);
    caught(&[], |case| case.record.workflow.why = Why::OnCall { attempt: number(1) }, Rule::Reason);
    let twice = |case: &mut Case| {
        let reason = case.record.workflow.why.clone();
        case.insert(is("finished"), Event::Finished { outcome: Some(Outcome::Successful), reason });
    };
    caught(&answered(), twice, Rule::Reason);
    let forgotten = |case: &mut Case| {
        case.record.workflow.outcome = None;
        let place = case.place(is("finished"));
        if let Event::Finished { outcome, .. } = &mut case.record.events[place].event {
            *outcome = None;
        }
    };
    caught(&answered(), forgotten, Rule::Reason);
    // An amended outcome is the one that counts.
    let amended = steps(&[&answered(), &[Step::Reports(Outcome::SaleMade)]]);
    assert!(Case::of(&amended).judge().kept());
}

#[test]
fn a_verdict_is_a_sentence_and_each_finding_another() {
    let mut case = Case::of(&answered());
    insta::assert_snapshot!(case.judge().to_string(), @"Leads heard: 1, finished: 1, attempts: 1; all four promises were kept.");
    case.call_at("2026-01-12T13:30:00Z");
    case.record.quarantined = true;
    insta::assert_snapshot!(case.judge().to_string(), @r"
    Leads heard: 1, finished: 1, attempts: 1; not kept: never when we may not (broken: 1); warnings: 1.
    never when we may not: lead 00000000-0000-0000-0000-000000000004, attempt 1: it was submitted on Mon 12 Jan 2026 19:00:00 in Asia/Kolkata, outside the hours of revision 1
    warning: lead 00000000-0000-0000-0000-000000000004: it is in quarantine, finished; mend it and let it go
    ");
}

#[test]
fn a_verdict_names_what_could_not_be_read_and_vouches_for_the_rest_alone() {
    let case = Case::of(&answered());
    let mut judge = Judge::new(case.world.clone(), case.now);
    judge.lead(&case.record);
    let lead = LeadId(Uuid::from_u128(5));
    judge.unreadable(Some(lead), format!("row {lead} of workflows cannot be read: unknown variant"));
    judge.unreadable(None, "row 6 of accounts cannot be read: unknown field".into());
    let verdict = judge.finish();
    assert!(!verdict.kept());
    insta::assert_snapshot!(verdict.to_string(), @r"
    Leads heard: 1, finished: 1, attempts: 1; as far as it can be read, all four promises were kept; rows that cannot be read: 2.
    not judged: lead 00000000-0000-0000-0000-000000000005: row 00000000-0000-0000-0000-000000000005 of workflows cannot be read: unknown variant
    judged without: row 6 of accounts cannot be read: unknown field
    ");
    let written = serde_json::to_string(&verdict).expect("serialises");
    assert_eq!(serde_json::from_str::<Verdict>(&written).expect("reads back"), verdict);
}

#[test]
fn a_verdict_reads_back_as_what_was_written_and_counts_what_it_does_not_list() {
    let mut case = Case::of(&answered());
    case.world.rules.clear();
    let mut judge = Judge::new(case.world.clone(), case.now);
    for _ in 0..=MOST_LISTED {
        case.record.lead = LeadId(Uuid::from_u128(case.record.lead.0.as_u128() + 1));
        judge.lead(&case.record);
    }
    let verdict = judge.finish();
    assert_eq!(verdict.violations.len(), MOST_LISTED);
    assert!(verdict.counts[&Promise::NeverWhenWeMayNot] > MOST_LISTED as u64);
    let written = serde_json::to_string(&verdict).expect("serialises");
    assert_eq!(serde_json::from_str::<Verdict>(&written).expect("reads back"), verdict);
}
