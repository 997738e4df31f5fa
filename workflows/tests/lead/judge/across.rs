//! What only shows across leads: numbers in use, and limits.

use chrono::TimeDelta;
use outdial_workflows::attempt::Revision;
use outdial_workflows::call::{CallResult, CallerId, RefusalKind};
use outdial_workflows::history::{Event, Recorded};
use outdial_workflows::ids::LeadId;
use outdial_workflows::judge::{Bounds, Judge, LeadRecord, Rule, Verdict, World};
use outdial_workflows::limits::Limit;
use outdial_workflows::money::{Cost, Minor};
use uuid::Uuid;

use crate::life::{ACCOUNT, CAMPAIGN, CLIENT, Life, rules};
use crate::telling::{DIAL, Step, lived, seconds, steps};

/// Several leads with one call each: lead `n` calls number `n` from `from` to `until`
/// seconds after noon, and submits at once.
fn crowd(calls: &[(u128, i64, i64)], change: impl FnOnce(&mut World, &mut [LeadRecord])) -> Verdict {
    let mut world = World::default();
    let mut records = Vec::new();
    for (place, (phone, from, until)) in (0..).zip(calls) {
        let mut life = Life::new(rules("{}"));
        life.pass(seconds(*from));
        crate::telling::tell(&mut life, &DIAL);
        life.pass(seconds(until - from));
        crate::telling::tell(&mut life, &[Step::Ends(CallResult::Answered)]);
        let mut record = life.record();
        record.lead = LeadId(Uuid::from_u128(1_000 + place));
        let phone = format!("+9198765{phone:05}").parse().expect("a number");
        record.attempts[0].phone = Some(phone);
        records.push(record);
        world = life.world();
    }
    change(&mut world, &mut records);
    let mut judge = Judge::new(world, crate::life::monday_noon() + TimeDelta::hours(1));
    for record in records.iter().rev() {
        judge.lead(record);
    }
    judge.finish()
}

fn broken(verdict: &Verdict) -> Vec<(Rule, u128)> {
    verdict.violations.iter().map(|finding| (finding.rule, finding.lead.0.as_u128() - 1_000)).collect()
}

#[test]
fn one_number_has_one_live_attempt() {
    let calls = |second| [(7, 0, 30), (7, second, second + 30), (8, 0, 30)];
    assert_eq!(broken(&crowd(&calls(29), |_, _| ())), [(Rule::OneLiveNumber, 1)]);
    assert_eq!(broken(&crowd(&calls(30), |_, _| ())), []);
    // Another client may call the same person.
    let elsewhere = |_: &mut World, records: &mut [LeadRecord]| {
        records[1].client = outdial_workflows::ids::ClientId(Uuid::from_u128(99));
    };
    assert_eq!(broken(&crowd(&calls(29), elsewhere)), []);
    // A long call holds its number also after a shorter one.
    let nested = [(7, 0, 100), (7, 10, 20), (7, 50, 60)];
    let twice = [(Rule::OneLiveNumber, 1), (Rule::OneLiveNumber, 2)];
    assert_eq!(broken(&crowd(&nested, |_, _| ())), twice);
}

#[test]
fn no_more_are_live_at_once_than_an_account_or_a_campaign_allows() {
    let calls = [(1, 0, 30), (2, 10, 40), (3, 20, 50), (4, 40, 60)];
    let account = |max| {
        move |world: &mut World, _: &mut [LeadRecord]| {
            world.accounts.get_mut(&ACCOUNT).expect("the account").bounds.limits =
                vec![Limit::Concurrent { max }];
        }
    };
    assert_eq!(broken(&crowd(&calls, account(3))), []);
    assert_eq!(broken(&crowd(&calls, account(2))), [(Rule::Concurrent, 2)]);
    let campaign = |world: &mut World, _: &mut [LeadRecord]| {
        let rules = world.rules.get_mut(&(CAMPAIGN, Revision(1))).expect("the revision");
        rules.limits = vec![Limit::Concurrent { max: 2 }];
    };
    assert_eq!(broken(&crowd(&calls, campaign)), [(Rule::Concurrent, 2)]);
}

#[test]
fn no_more_are_live_at_once_than_a_client_or_a_number_allows_since_it_does() {
    let calls = [(1, 0, 30), (2, 10, 40), (3, 20, 50), (4, 40, 60)];
    let most_two = |since| Bounds { limits: vec![Limit::Concurrent { max: 2 }], since };
    let client = |before_the_third: Option<TimeDelta>| {
        move |world: &mut World, records: &mut [LeadRecord]| {
            let since = before_the_third.map(|before| records[2].attempts[0].reserved_at - before);
            world.clients.insert(CLIENT, most_two(since));
        }
    };
    assert_eq!(broken(&crowd(&calls, client(None))), [(Rule::Concurrent, 2)]);
    let before = TimeDelta::milliseconds(1);
    assert_eq!(broken(&crowd(&calls, client(Some(before)))), [(Rule::Concurrent, 2)]);
    assert_eq!(broken(&crowd(&calls, client(Some(TimeDelta::zero())))), [], "it was reserved before");
    let number = |from: [u8; 4]| {
        move |world: &mut World, records: &mut [LeadRecord]| {
            for (record, number) in records.iter_mut().zip(from) {
                record.attempts[0].caller_id = Some(CallerId(format!("+1202555010{number}")));
            }
            world.numbers.insert((ACCOUNT, CallerId("+12025550101".into())), most_two(None));
        }
    };
    assert_eq!(broken(&crowd(&calls, number([1, 1, 1, 1]))), [(Rule::Concurrent, 2)]);
    assert_eq!(broken(&crowd(&calls, number([1, 2, 1, 1]))), []);
    assert_eq!(broken(&crowd(&calls, number([2, 2, 2, 2]))), [], "no limit is known of that number");
}

#[test]
fn a_lowered_limit_binds_those_that_were_reserved_under_it() {
    let calls = [(1, 0, 30), (2, 1, 30), (3, 2, 30), (4, 40, 60), (5, 41, 60)];
    let lowered = |third_on: i32| {
        move |world: &mut World, records: &mut [LeadRecord]| {
            let mut tight = rules("{}");
            tight.limits = vec![Limit::Concurrent { max: 1 }, Limit::per_second(1)];
            world.rules.insert((CAMPAIGN, Revision(2)), tight);
            for record in &mut records[usize::try_from(third_on).expect("a place")..] {
                record.attempts[0].revision = Revision(2);
                for recorded in &mut record.events {
                    if let Event::Reserved { revision, .. } = &mut recorded.event {
                        *revision = Revision(2);
                    }
                }
            }
        }
    };
    assert_eq!(broken(&crowd(&calls[..4], lowered(3))), []);
    let verdict = crowd(&calls, lowered(3));
    assert_eq!(broken(&verdict), [(Rule::Concurrent, 4)], "{verdict}");
}

#[test]
fn no_window_holds_more_requests_than_a_rate_allows() {
    let calls = [(1, 0, 30), (2, 4, 30), (3, 9, 30), (4, 10, 30)];
    let rate = |max, per_ms| {
        move |world: &mut World, _: &mut [LeadRecord]| {
            world.accounts.get_mut(&ACCOUNT).expect("the account").bounds.limits =
                vec![Limit::Rate { max, per_ms }];
        }
    };
    assert_eq!(broken(&crowd(&calls, rate(3, 10_000))), []);
    assert_eq!(broken(&crowd(&calls, rate(3, 10_001))), [(Rule::Rate, 3)]);
    assert_eq!(broken(&crowd(&calls, rate(1, 1_001))), [(Rule::Rate, 3)]);
}

#[test]
fn a_request_that_was_never_sent_counts_for_no_rate() {
    let told = [Step::Admit, Step::Submit, Step::NotSent, Step::Wake, Step::Submit, Step::Accepted];
    let (life, _) = lived(rules(r#"{"limits": [{"limit": "rate", "max": 1, "per_ms": 3600000}]}"#), &told);
    assert!(life.judged().kept(), "{}", life.judged());
    let told = [Step::Admit, Step::Submit, Step::Refused(RefusalKind::Throttled { retry_after_ms: None })];
    let told = steps(&[&told, &[Step::Wake, Step::Submit, Step::Accepted]]);
    let (life, _) = lived(rules(r#"{"limits": [{"limit": "rate", "max": 1, "per_ms": 3600000}]}"#), &told);
    assert_eq!(life.judged().violations[0].rule, Rule::Rate);
}

#[test]
fn no_day_spends_more_than_a_limit_allows_reckoned_by_what_was_known_of_costs() {
    let calls = [(1, 0, 30), (2, 10, 40), (3, 50, 80)];
    // A call is taken to cost 3.00; of the first it becomes known at a second what it cost.
    let spend = |per_day, known: Option<(i64, i64)>| {
        move |world: &mut World, records: &mut [LeadRecord]| {
            let (per_day, per_call, zone) = (Minor(per_day), Minor(300), chrono_tz::Tz::UTC);
            world.accounts.get_mut(&ACCOUNT).expect("the account").bounds.limits =
                vec![Limit::Spend { per_day, per_call, zone }];
            let Some((second, micros)) = known else { return };
            let (record, cost) = (&mut records[0], Cost { micros });
            let at = crate::life::monday_noon() + TimeDelta::seconds(second);
            let (seq, attempt) = (record.workflow.events + 1, record.attempts[0].number);
            record.events.push(Recorded { seq, at, event: Event::Priced { attempt, cost } });
            record.workflow.events = seq;
            record.attempts[0].cost = Some(cost);
        }
    };
    assert_eq!(broken(&crowd(&calls, spend(900, None))), []);
    assert_eq!(broken(&crowd(&calls, spend(899, None))), [(Rule::Spending, 2)]);
    assert_eq!(broken(&crowd(&calls, spend(700, Some((45, 1_000_000))))), [], "the first cost 1.00");
    assert_eq!(
        broken(&crowd(&calls, spend(700, Some((51, 1_000_000))))),
        [(Rule::Spending, 2)],
        "not yet known"
    );
    // What costs more than it was taken to is held against nobody who may not have known.
    assert_eq!(broken(&crowd(&calls, spend(900, Some((45, 9_000_000))))), []);
}

#[test]
fn what_was_turned_down_costs_nothing() {
    let calls = [(1, 0, 30), (2, 10, 40)];
    let spend = |world: &mut World, _: &mut [LeadRecord]| {
        let (per_day, per_call, zone) = (Minor(300), Minor(300), chrono_tz::Tz::UTC);
        world.accounts.get_mut(&ACCOUNT).expect("the account").bounds.limits =
            vec![Limit::Spend { per_day, per_call, zone }];
    };
    assert_eq!(broken(&crowd(&calls, spend)), [(Rule::Spending, 1)]);
    let turned_down = |world: &mut World, records: &mut [LeadRecord]| {
        spend(world, records);
        let mut life = Life::new(rules("{}"));
        let refused = [Step::Wake, Step::Submit, Step::Refused(RefusalKind::Rejected)];
        crate::telling::tell(&mut life, &refused);
        let (lead, phone) = (records[0].lead, records[0].attempts[0].phone.clone());
        records[0] = life.record();
        records[0].lead = lead;
        records[0].attempts[0].phone = phone;
    };
    assert_eq!(broken(&crowd(&calls, turned_down)), []);
}
