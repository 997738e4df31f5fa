//! Never twice.

use outdial_workflows::attempt::{BarrierVersion, Ledger};
use outdial_workflows::call::{CallId, CallStatus, Source};
use outdial_workflows::history::{Event, Recorded};
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::judge::{Judge, Rule};
use outdial_workflows::outcome::Outcome;

use super::{Case, answered, caught, concluded_absent, is, reached_later, warned};
use crate::life::{CLIENT, LEAD, number};
use crate::telling::Step;

#[test]
fn an_attempt_is_submitted_once() {
    let again = |case: &mut Case| {
        case.insert(is("submitted"), Event::Submitted { attempt: number(1), barrier: BarrierVersion(0) });
    };
    caught(&answered(), again, Rule::OneSubmission);
}

#[test]
fn a_carrier_makes_one_call_for_an_attempt() {
    let second = |case: &mut Case| {
        case.insert(is("bound"), Event::SecondCall { attempt: number(1), call_id: CallId("other".into()) });
    };
    caught(&answered(), second, Rule::OneCall);
}

#[test]
fn a_late_call_is_a_warning_until_another_is_dialled() {
    fn late(case: &mut Case) {
        let after = case.place(|event| matches!(event, Event::Absent { .. })) + 1;
        let at = case.record.events[after].at;
        let event = Event::BoundLate { attempt: number(1), call_id: None };
        case.record.events.insert(after + 1, Recorded { seq: 0, at, event });
        case.renumber();
        case.attempt(1).ledger = Ledger::BoundLate;
    }
    caught(&concluded_absent(), late, Rule::LateCall);
    warned(&concluded_absent()[..5], late, Rule::LateCall);
}

#[test]
fn the_ledger_moves_along_its_edges_only() {
    let told = answered();
    caught(&told, |case| case.remove(is("submitted")), Rule::LedgerOrder);
    caught(&told, |case| case.remove(is("reserved")), Rule::LedgerOrder);
    caught(&told, |case| case.remove(is("bound")), Rule::LedgerOrder);
    let twice = |case: &mut Case| case.insert(is("bound"), Event::Absent { attempt: number(1) });
    caught(&told, twice, Rule::LedgerOrder);
    let back = |case: &mut Case| {
        let status = CallStatus::Ringing;
        case.insert(is("ended"), Event::Progressed { attempt: number(1), status, source: Source::Poll });
    };
    caught(&told, back, Rule::LedgerOrder);
    let recorded_twice = |case: &mut Case| {
        case.insert(is("ended"), Event::OutcomeRecorded { attempt: number(1), outcome: Outcome::Busy });
    };
    caught(&told, recorded_twice, Rule::LedgerOrder);
}

#[test]
fn a_lead_has_one_live_attempt() {
    // Without its end, the first attempt is still live when the second is reserved.
    caught(&reached_later(), |case| case.remove(is("ended")), Rule::OneLiveAttempt);
}

#[test]
fn the_carriers_own_count_is_heard() {
    let key = |n| DialKey(AttemptRef { client: CLIENT, lead: LEAD, number: number(n) });
    let counted = |told: &[Step], dials: &[(u16, u32)]| {
        let case = Case::of(told);
        let mut judge = Judge::new(case.world.clone(), case.now);
        for (n, count) in dials {
            judge.provider_dials(key(*n), *count);
        }
        judge.lead(&case.record);
        let verdict = judge.finish();
        let rules: Vec<Rule> = verdict.violations.iter().map(|finding| finding.rule).collect();
        (rules, verdict.warned)
    };
    assert_eq!(counted(&reached_later(), &[(1, 1), (2, 1)]), (vec![], 0));
    assert_eq!(counted(&reached_later(), &[(1, 2)]), (vec![Rule::ProviderDials], 0));
    assert_eq!(counted(&reached_later(), &[(3, 1)]), (vec![Rule::DialWithoutSubmission], 0));
    let reserved = [Step::Admit];
    assert_eq!(counted(&reserved, &[(1, 1)]), (vec![Rule::DialWithoutSubmission], 0));
    // Concluded not to have rung, although the carrier did dial.
    assert_eq!(counted(&concluded_absent(), &[(1, 1), (2, 1)]), (vec![Rule::LateCall], 0));
    assert_eq!(counted(&concluded_absent()[..5], &[(1, 1)]), (vec![], 1));
}

#[test]
fn a_lead_that_cannot_be_read_is_accused_only_of_what_the_carrier_counted_twice() {
    let key = |n| DialKey(AttemptRef { client: CLIENT, lead: LEAD, number: number(n) });
    let case = Case::of(&reached_later());
    let mut judge = Judge::new(case.world.clone(), case.now);
    judge.unreadable(Some(LEAD), "row 4 of attempts cannot be read: no such result".into());
    judge.provider_dials(key(1), 1);
    judge.provider_dials(key(2), 2);
    let verdict = judge.finish();
    assert!(!verdict.kept());
    insta::assert_snapshot!(verdict.to_string(), @r"
    Leads heard: 0, finished: 0, attempts: 0; not kept: never twice (broken: 1); rows that cannot be read: 1.
    not judged: lead 00000000-0000-0000-0000-000000000004: row 4 of attempts cannot be read: no such result
    never twice: lead 00000000-0000-0000-0000-000000000004, attempt 2: the carrier dialled 2 times
    ");
}
