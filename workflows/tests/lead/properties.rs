//! Laws that hold in every life, whatever comes in, and in whatever order.

mod happenings;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU16;

use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, Ledger};
use outdial_workflows::call::{CallFact, CallId, Found, Source};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::{Answer, Command, Decision, Input, Run};
use outdial_workflows::judge::Rule;
use outdial_workflows::rules::Rules;
use outdial_workflows::workflow::{State, Workflow};
use proptest::prelude::*;
use uuid::Uuid;

use self::happenings::{Happening, facts, happen, happenings, some_rules};
use crate::life::{ACCOUNT, Life, number, rules};
use crate::telling::seconds;

/// The checks of the schema on `workflows`, under their names there.
fn workflow_row_is_taken(workflow: &Workflow) -> Result<(), &'static str> {
    let waits = matches!(workflow.state, State::Dialling | State::Calling | State::Settling);
    let Workflow { attempts, recorded, counted, forgiven, .. } = workflow;
    let small = [*attempts, workflow.refusals, workflow.failures, workflow.collisions, workflow.withdrawals];
    [
        ("workflows_waiting_has_a_time", workflow.state != State::Waiting || workflow.wake_at.is_some()),
        ("workflows_live_has_a_timer", !waits || workflow.wake_at.is_some()),
        ("workflows_finished_sleeps", workflow.state != State::Finished || workflow.wake_at.is_none()),
        (
            "workflows_outcome_only_when_finished",
            workflow.outcome.is_none() || workflow.state == State::Finished,
        ),
        ("workflows_finished_has_no_intent", workflow.intent.is_none() || workflow.state != State::Finished),
        ("workflows_counts_are_sane", counted <= attempts && forgiven <= counted && workflow.events >= 0),
        ("workflows_recorded_is_an_attempt", recorded <= attempts),
        ("smallint", small.iter().all(|n| i16::try_from(*n).is_ok())),
    ]
    .into_iter()
    .try_for_each(|(name, holds)| if holds { Ok(()) } else { Err(name) })
}

/// The checks of the schema on `attempts`, under their names there.
fn attempt_row_is_taken(attempt: &Attempt) -> Result<(), &'static str> {
    let unsent = matches!(attempt.ledger, Ledger::Reserved | Ledger::Withdrawn);
    let is_call = matches!(attempt.ledger, Ledger::Bound | Ledger::BoundLate);
    [
        ("attempts_nothing_is_sent_before_submission", unsent == attempt.submission.is_none()),
        ("attempts_only_calls_end", attempt.ended.is_none() || is_call),
        ("attempts_uncounted_rang_nobody", attempt.counts || unsent || attempt.ledger == Ledger::Refused),
        ("attempts_live_has_a_phone", attempt.phone.is_some() || !attempt.is_live()),
        ("attempts_only_calls_are_transferred", attempt.transfer.is_none() || is_call),
        ("smallint", i16::try_from(attempt.asked).is_ok()),
    ]
    .into_iter()
    .try_for_each(|(name, holds)| if holds { Ok(()) } else { Err(name) })
}

/// What holds of every run between two inputs.
fn is_sound(run: &Run) -> Result<(), TestCaseError> {
    let Run { workflow, attempts } = run;
    prop_assert_eq!(workflow_row_is_taken(workflow), Ok(()));
    for attempt in attempts {
        prop_assert_eq!(attempt_row_is_taken(attempt), Ok(()), "{:?}", attempt);
    }
    let live: Vec<&Attempt> = attempts.iter().filter(|attempt| attempt.is_live()).collect();
    prop_assert!(live.len() <= 1, "two live attempts");
    prop_assert!(live.iter().all(|attempt| attempt.number.get() == workflow.attempts), "an old one is live");
    let under_way = matches!(workflow.state, State::Dialling | State::Calling);
    prop_assert_eq!(under_way, live.len() == 1, "{:?} with {} live", workflow.state, live.len());
    prop_assert_eq!(usize::from(workflow.attempts), attempts.len());
    let with_outcome = attempts.iter().filter(|attempt| attempt.outcome.is_some());
    let recorded = with_outcome.map(|attempt| attempt.number.get()).max().unwrap_or(0);
    prop_assert_eq!(workflow.recorded, recorded);
    prop_assert!(
        workflow.state != State::Finished || workflow.outcome.is_some() || recorded == 0,
        "finished without the outcome of attempt {}",
        recorded
    );
    let counted = attempts.iter().filter(|attempt| attempt.counts).count();
    prop_assert_eq!(usize::from(workflow.counted), counted);
    Ok(())
}

/// What holds of every step from one run to the next.
fn went_well(
    rules: &Rules,
    now: Moment,
    before: &Run,
    input: &Input,
    decision: &Decision,
) -> Result<(), TestCaseError> {
    let after = &decision.run;
    for old in &before.attempts {
        let Some(new) = after.attempt(old.number) else {
            return Err(TestCaseError::fail("an attempt vanished"));
        };
        prop_assert!(new.status.rank() >= old.status.rank(), "{:?} after {:?}", new.status, old.status);
        prop_assert!(leads_to(old.ledger, new.ledger), "{:?} to {:?}", old.ledger, new.ledger);
        prop_assert!(old.answered_at.is_none() || new.answered_at == old.answered_at);
        prop_assert!(
            old.ended.is_none() || new.ended.as_ref().map(|end| end.0) == old.ended.as_ref().map(|end| end.0)
        );
        prop_assert!(old.outcome.is_none() || new.outcome.is_some());
    }
    let added = i64::try_from(decision.events.len()).expect("few");
    prop_assert_eq!(after.workflow.events, before.workflow.events + added);
    prop_assert!(after.workflow.attempts >= before.workflow.attempts);
    if before.workflow.state == State::Finished && after.workflow.state != State::Finished {
        let retried = matches!(input, Input::Command { command: Command::Retry, .. });
        prop_assert!(retried, "only a person revives a finished lead");
    }
    if let Answer::Reserved(number) = decision.answer {
        let allowed = rules.retry.max_attempts.get();
        prop_assert!(before.workflow.tried() < allowed, "attempt {} of {}", number, allowed);
    }
    if after.workflow.withdrawals > before.workflow.withdrawals {
        // Each pause is at least as long as that after the withdrawal before it.
        let pause = after.workflow.wake_at.expect("it waits") - now;
        let least = seconds(1 << before.workflow.withdrawals.min(16)).min(seconds(600));
        prop_assert_eq!(pause, least);
    }
    if let Answer::Send(_) = decision.answer {
        prop_assert_eq!(after.workflow.withdrawals, 0);
    }
    if let Input::Submit { lease_held: false, .. } | Input::BeginTransfer { lease_held: false, .. } = input {
        prop_assert_eq!(&decision.answer, &Answer::LeaseLost);
        prop_assert_eq!(before, after);
    }
    if matches!(decision.answer, Answer::Declined(_) | Answer::NoTransfer(_)) {
        prop_assert_eq!(before, after);
    }
    Ok(())
}

/// Whether one decision may take an attempt so far: along the edges of the ledger, perhaps
/// over several.
fn leads_to(from: Ledger, to: Ledger) -> bool {
    use Ledger::{Absent, Bound, BoundLate, Refused, Reserved, Submitted, Unknown, Withdrawn};
    from == to
        || match from {
            Reserved => matches!(to, Withdrawn | Submitted),
            Submitted => matches!(to, Bound | Refused | Unknown),
            Unknown => matches!(to, Bound | Refused | Absent),
            Refused | Absent => to == BoundLate,
            Withdrawn | Bound | BoundLate => false,
        }
}

/// A go-ahead is given for a reservation, or again to the one who had it; never to two.
fn sent_once(
    sent: &mut HashMap<AttemptNumber, Uuid>,
    before: &Run,
    input: &Input,
    answer: &Answer,
) -> Result<(), TestCaseError> {
    let (Answer::Send(attempt), Input::Submit { token, .. }) = (answer, input) else { return Ok(()) };
    let ledger = before.attempt(*attempt).map(|attempt| attempt.ledger);
    match sent.insert(*attempt, *token) {
        None => prop_assert_eq!(ledger, Some(Ledger::Reserved)),
        Some(first) => {
            prop_assert_eq!(first, *token, "two may send attempt {}", attempt);
            prop_assert_eq!(ledger, Some(Ledger::Submitted));
        }
    }
    Ok(())
}

/// A transfer is asked of the carrier once, and only in a conversation.
fn transferred_once(
    asked: &mut HashSet<(AttemptNumber, NonZeroU16)>,
    before: &Run,
    input: &Input,
    answer: &Answer,
) -> Result<(), TestCaseError> {
    let (Answer::Transfer(transfer), Some(number)) = (answer, input.attempt()) else { return Ok(()) };
    prop_assert!(matches!(input, Input::BeginTransfer { suppressed: false, .. }), "{:?}", input);
    prop_assert!(asked.insert((number, transfer.number)), "transfer {} is asked for twice", transfer.number);
    prop_assert!(before.attempt(number).is_some_and(Attempt::is_in_conversation));
    Ok(())
}

/// News, answers, replies and reports are facts: told again, they change nothing more.
fn is_fact(input: &Input) -> bool {
    match input {
        Input::News { .. } | Input::Replied { .. } | Input::Verdict { .. } | Input::Transferred { .. } => {
            true
        }
        Input::Asked { answer, .. } => matches!(answer, Found::Call(_)),
        _ => false,
    }
}

/// What a carrier that makes a second call, or one that it had denied, brings about.
fn is_the_carriers(rule: Rule) -> bool {
    matches!(rule, Rule::OneCall | Rule::LateCall)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_life_keeps_the_laws(rules in some_rules(), happenings in happenings(), chance: u64) {
        let mut life = Life::new(rules);
        life.chance = chance;
        let (mut sent, mut asked) = (HashMap::new(), HashSet::new());
        for happening in &happenings {
            for (before, input, decision) in happen(&mut life, happening) {
                is_sound(&decision.run)?;
                went_well(&life.rules, life.now, &before, &input, &decision)?;
                sent_once(&mut sent, &before, &input, &decision.answer)?;
                transferred_once(&mut asked, &before, &input, &decision.answer)?;
            }
        }
    }

    #[test]
    fn a_fact_told_twice_is_no_news(rules in some_rules(), happenings in happenings()) {
        let mut life = Life::new(rules);
        for happening in &happenings {
            for (_, input, _) in happen(&mut life, happening) {
                let mut again = life.clone();
                if !is_fact(&input) {
                    continue;
                }
                let second = again.tell(&input);
                prop_assert!(second.events.is_empty(), "{:?}: {:?}", input, second.events);
                prop_assert_eq!(&again.run.workflow.state, &life.run.workflow.state);
                prop_assert!(second.suppress.is_none() && second.rest.is_none());
            }
        }
    }

    #[test]
    fn the_judge_finds_that_every_life_kept_the_promises(rules in some_rules(), happenings in happenings()) {
        let mut life = Life::new(rules);
        for happening in &happenings {
            // The judge knows a lead's zone as it is now, so it stays as it is here.
            if !matches!(happening, Happening::Zone(_)) {
                happen(&mut life, happening);
            }
        }
        // Nobody minded the timers.
        life.now = life.now.min(life.run.workflow.wake_at.unwrap_or(life.now));
        let verdict = life.judged();
        let mut found = verdict.violations.iter();
        let ours = found.find(|found| !is_the_carriers(found.rule));
        prop_assert!(ours.is_none(), "{verdict}\n{:#?}", life.events);
    }

    /// Facts about one call, in any order, leave the ledger in the same state. How it ended
    /// is what was heard first, so the order matters for that alone.
    #[test]
    fn the_order_of_facts_does_not_matter_to_the_ledger(
        facts in prop::collection::vec(facts(), 1..6).prop_shuffle(),
        order in any::<u64>(),
    ) {
        let calling = || {
            let mut life = Life::new(rules("{}"));
            life.tell(&Input::Admit { account: ACCOUNT, caller_id: None });
            life.tell(&Input::Submit { attempt: number(1), token: Uuid::from_u128(1), lease_held: true });
            life
        };
        let about_our_call = |fact: &CallFact| CallFact { call_id: Some(CallId("call".into())), ..fact.clone() };
        let facts: Vec<CallFact> = facts.iter().map(about_our_call).collect();
        let tell_all = |facts: &[CallFact]| {
            let mut life = calling();
            for fact in facts {
                let source = Source::Webhook;
                life.tell(&Input::News { attempt: number(1), fact: fact.clone(), source });
            }
            let attempt = life.run.attempt(number(1)).expect("it was dialled").clone();
            (attempt.ledger, attempt.ended.is_some(), attempt.call_id.clone(), attempt.is_live())
        };
        let mut shuffled = facts.clone();
        let places = shuffled.len();
        for place in (1..places).rev() {
            let other = usize::try_from(order.rotate_left(u32::try_from(place).expect("few")) % (place as u64 + 1));
            shuffled.swap(place, other.expect("few"));
        }
        prop_assert_eq!(tell_all(&facts), tell_all(&shuffled));
    }

    /// Whatever happened, a lead whose timers are minded and whose campaign goes on is done,
    /// put aside, or suppressed in the end.
    #[test]
    fn every_life_ends(rules in some_rules(), happenings in happenings()) {
        let mut life = Life::new(rules);
        for happening in &happenings {
            happen(&mut life, happening);
        }
        life.gate.campaign = CampaignState::Running;
        life.gate.account_ready = true;
        life.gate.zone = Some("Asia/Kolkata".into());
        for _ in 0..1_000 {
            let workflow = life.run.workflow.clone();
            let Some(wake_at) = workflow.wake_at.filter(|_| workflow.state != State::Held) else { return Ok(()) };
            life.now = life.now.max(wake_at);
            match workflow.state {
                State::Waiting => {
                    let admitted = life.tell(&Input::Admit { account: ACCOUNT, caller_id: None });
                    if let Answer::Reserved(attempt) = admitted.answer {
                        life.tell(&Input::Submit { attempt, token: Uuid::from_u128(3), lease_held: true });
                    }
                }
                _ => {
                    life.tell(&Input::Timer);
                    let attempt = number(life.run.workflow.attempts);
                    let answer = Found::NotSeen { conclusive_after_ms: 600_000 };
                    life.tell(&Input::Asked { attempt, asked_at: life.now, answer });
                }
            }
        }
        prop_assert!(false, "still {:?}: {}", life.run.workflow.state, life.run.workflow.why);
    }
}

/// Counters that grow for as long as a carrier is silent stay within their columns.
#[test]
fn a_carrier_that_is_silent_for_months_overflows_no_counter() {
    let mut life = Life::new(rules("{}"));
    life.tell(&Input::Admit { account: ACCOUNT, caller_id: None });
    life.tell(&Input::Submit { attempt: number(1), token: Uuid::from_u128(1), lease_held: true });
    life.tell(&Input::Timer);
    life.pass(seconds(20));
    life.tell(&Input::Timer);
    life.run.attempts[0].asked = 32_767;
    let answer = Found::CannotTell { cause: "503".into() };
    life.tell(&Input::Asked { attempt: number(1), asked_at: life.now, answer });
    assert_eq!(attempt_row_is_taken(&life.run.attempts[0]), Ok(()));
    let mut busy = Life::new(rules("{}"));
    busy.run.workflow.collisions = 32_767;
    busy.tell(&Input::NumberBusy);
    assert_eq!(workflow_row_is_taken(&busy.run.workflow), Ok(()));
    let mut undialled = Life::new(rules("{}"));
    undialled.run.workflow.withdrawals = 32_767;
    undialled.tell(&Input::Admit { account: ACCOUNT, caller_id: None });
    undialled.pass(seconds(5));
    undialled.tell(&Input::Timer);
    assert_eq!(workflow_row_is_taken(&undialled.run.workflow), Ok(()));
}
