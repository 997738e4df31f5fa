//! The judge: sound histories pass, and each rule catches the history that breaks it.

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, BarrierVersion, Ledger, Revision, Submission};
use outdial_workflows::calendar::Calendar;
use outdial_workflows::call::{CallId, CallResult, CallStatus, RefusalKind, Source};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::history::{Event, Recorded};
use outdial_workflows::ids::{AttemptRef, DialKey, LeadId};
use outdial_workflows::input::Command;
use outdial_workflows::judge::{
    Judge, LeadRecord, MOST_LISTED, Promise, Rule, SuppressionRecord, Verdict, World,
};
use outdial_workflows::limits::Limit;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;
use uuid::Uuid;

use crate::life::{ACCOUNT, CAMPAIGN, CLIENT, LEAD, Life, number, rules};
use crate::telling::{DIAL, Step, lived, seconds, steps, token};

/// What a case spoils: everything that the judge is shown about one lead.
struct Case {
    record: LeadRecord,
    world: World,
    now: Moment,
}

impl Case {
    fn of(told: &[Step]) -> Self {
        let (life, _) = lived(rules("{}"), told);
        Self { record: life.record(), world: life.world(), now: life.now }
    }

    fn judge(&self) -> Verdict {
        let mut judge = Judge::new(self.world.clone(), self.now);
        judge.lead(&self.record);
        judge.finish()
    }

    fn attempt(&mut self, n: u16) -> &mut Attempt {
        &mut self.record.attempts[usize::from(n) - 1]
    }

    /// Puts an event behind the first that `after` picks, at the same time, and counts it.
    fn insert(&mut self, after: impl Fn(&Event) -> bool, event: Event) {
        let place = self.place(after) + 1;
        let at = self.record.events[place - 1].at;
        self.record.events.insert(place, Recorded { seq: 0, at, event });
        self.renumber();
    }

    fn remove(&mut self, which: impl Fn(&Event) -> bool) {
        let place = self.place(which);
        self.record.events.remove(place);
        self.renumber();
    }

    fn place(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.record.events.iter().position(|recorded| which(&recorded.event)).expect("the event is there")
    }

    fn renumber(&mut self) {
        for (seq, recorded) in (1..).zip(&mut self.record.events) {
            recorded.seq = seq;
        }
        self.record.workflow.events = i64::try_from(self.record.events.len()).expect("a short history");
    }

    /// Moves the whole first call to another time of the day.
    fn call_at(&mut self, at: &str) {
        let at: Moment = at.parse().expect("a time");
        let attempt = self.attempt(1);
        attempt.reserved_at = at;
        attempt.dial_by = at + seconds(5);
        attempt.submission = Some(Submission { at, token: token(number(1)) });
        attempt.ended = attempt.ended.take().map(|(_, end)| (at, end));
        for recorded in &mut self.record.events {
            recorded.at = at;
            if let Event::Reserved { dial_by, .. } = &mut recorded.event {
                *dial_by = at + seconds(5);
            }
        }
    }
}

fn answered() -> Vec<Step> {
    steps(&[&DIAL, &[Step::Wait("30s"), Step::Ends(CallResult::Answered)]])
}

/// Nobody answered at noon, somebody did at two.
fn reached_later() -> Vec<Step> {
    let second =
        [Step::Wake, Step::Submit, Step::Accepted, Step::Wait("1m"), Step::Ends(CallResult::Answered)];
    steps(&[&DIAL, &[Step::Wait("30s"), Step::Ends(CallResult::NoAnswer)], &second])
}

/// Absent by noon, dialled again at two.
fn concluded_absent() -> Vec<Step> {
    let lost = [Step::Admit, Step::Submit, Step::Dropped, Step::Wait("15m"), Step::NotListed];
    steps(&[&lost, &[Step::Wake, Step::Submit, Step::Accepted, Step::Ends(CallResult::Answered)]])
}

fn is(name: &'static str) -> impl Fn(&Event) -> bool {
    move |event| event.name() == name
}

/// Spoils a sound case, and expects the judge to name the rule; the sound one must pass.
fn caught(told: &[Step], spoil: impl FnOnce(&mut Case), rule: Rule) {
    let verdict = spoilt(told, spoil);
    assert!(verdict.violations.iter().any(|finding| finding.rule == rule), "{rule:?} not found: {verdict}");
    assert!(verdict.counts.contains_key(&rule.promise()));
    assert!(!verdict.kept());
}

fn warned(told: &[Step], spoil: impl FnOnce(&mut Case), rule: Rule) {
    let verdict = spoilt(told, spoil);
    assert!(verdict.kept(), "{verdict}");
    assert!(verdict.warnings.iter().any(|finding| finding.rule == rule), "{rule:?} not found: {verdict}");
}

fn spoilt(told: &[Step], spoil: impl FnOnce(&mut Case)) -> Verdict {
    let mut case = Case::of(told);
    let sound = case.judge();
    assert!(sound.kept() && sound.warned == 0, "the sound case: {sound}");
    spoil(&mut case);
    case.judge()
}

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
    let strict = |campaign| {
        let mut case = Case::of(&[]);
        case.world.campaigns.insert(CAMPAIGN, campaign);
        let mut judge = Judge::new(case.world.clone(), case.now + TimeDelta::minutes(3)).strict();
        judge.lead(&case.record);
        judge.finish()
    };
    assert_eq!(strict(CampaignState::Running).violations[0].rule, Rule::Stuck);
    assert!(strict(CampaignState::Paused).kept());
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

#[test]
fn calls_are_made_inside_the_hours() {
    // 10:00 to 19:00 in Kolkata are 04:30 to 13:30 UTC; the 18th is a Sunday.
    for closed in ["2026-01-12T04:29:59Z", "2026-01-12T13:30:00Z", "2026-01-18T08:00:00Z"] {
        caught(&answered(), |case| case.call_at(closed), Rule::Hours);
    }
    for open in ["2026-01-12T04:30:00Z", "2026-01-12T13:29:59Z", "2026-01-17T08:00:00Z"] {
        let verdict = spoilt(&answered(), |case| case.call_at(open));
        assert!(verdict.kept(), "{verdict}");
    }
}

#[test]
fn a_repeated_submission_is_judged_by_its_own_time() {
    let later = |case: &mut Case| {
        let attempt = case.attempt(1);
        attempt.submission = attempt.submission.map(|its| Submission { at: its.at + seconds(5), ..its });
    };
    caught(&answered(), later, Rule::DialBy);
}

#[test]
fn the_zone_is_the_leads_own_or_its_campaigns() {
    let named = |zone: &'static str| move |case: &mut Case| case.record.zone = Some(zone.into());
    caught(&answered(), named("America/New_York"), Rule::Zone); // 01:30 there
    warned(&answered(), named("Asia/Dubai"), Rule::Zone); // 10:30 there
    caught(&answered(), named("Asia/Bangalore"), Rule::Zone); // no such zone
    caught(&answered(), |case| case.record.zone = None, Rule::Zone);
    let by_campaign = |case: &mut Case| {
        case.record.zone = None;
        let rules = case.world.rules.get_mut(&(CAMPAIGN, Revision(1))).expect("the revision");
        rules.zone = Some(chrono_tz::Asia::Kolkata);
    };
    assert!(spoilt(&answered(), by_campaign).kept());
    let nameless = |case: &mut Case| {
        let place = case.place(is("reserved"));
        if let Event::Reserved { zone, .. } = &mut case.record.events[place].event {
            *zone = None;
        }
    };
    caught(&answered(), nameless, Rule::Zone);
}

#[test]
fn the_open_calendar_serves_emulated_accounts_only() {
    fn open(case: &mut Case, emulated: bool) {
        let rules = case.world.rules.get_mut(&(CAMPAIGN, Revision(1))).expect("the revision");
        rules.calendar = Calendar::Open;
        case.world.accounts.get_mut(&ACCOUNT).expect("the account").emulated = emulated;
    }
    caught(&answered(), |case| open(case, false), Rule::OpenCalendar);
    assert!(spoilt(&answered(), |case| open(case, true)).kept());
}

#[test]
fn rules_that_cannot_be_read_allow_nothing() {
    caught(&answered(), |case| case.world.rules.clear(), Rule::ReadableRules);
}

#[test]
fn nothing_is_submitted_too_late() {
    let late = |case: &mut Case| {
        let at = case.attempt(1).reserved_at;
        case.attempt(1).dial_by = at;
        let place = case.place(is("reserved"));
        if let Event::Reserved { dial_by, .. } = &mut case.record.events[place].event {
            *dial_by = at;
        }
    };
    caught(&answered(), late, Rule::DialBy);
}

#[test]
fn no_suppressed_number_is_called() {
    let suppressed = |change: fn(&mut SuppressionRecord)| {
        move |case: &mut Case| {
            let at = case.attempt(1).submission.expect("it was submitted").at;
            let mut record = SuppressionRecord {
                client: CLIENT,
                phone: Life::phone(),
                campaign: None,
                created_at: at - seconds(1),
                expires_at: None,
                removed_at: None,
            };
            change(&mut record);
            case.world.suppressions.push(record);
        }
    };
    caught(&answered(), suppressed(|_| ()), Rule::Suppression);
    caught(&answered(), suppressed(|record| record.created_at += seconds(1)), Rule::Suppression);
    caught(&answered(), suppressed(|record| record.campaign = Some(CAMPAIGN)), Rule::Suppression);
    let allowed: [fn(&mut SuppressionRecord); 5] = [
        |record| record.created_at += seconds(2),
        |record| record.expires_at = Some(record.created_at + seconds(1)),
        |record| record.removed_at = Some(record.created_at),
        |record| record.campaign = Some(outdial_workflows::ids::CampaignId(Uuid::from_u128(99))),
        |record| record.client = outdial_workflows::ids::ClientId(Uuid::from_u128(99)),
    ];
    for change in allowed {
        let verdict = spoilt(&answered(), suppressed(change));
        assert!(verdict.kept(), "{verdict}");
    }
}

#[test]
fn a_wish_not_to_be_called_that_was_spoken_in_the_call_comes_after_it() {
    let told = steps(&[&DIAL, &[Step::Reports(Outcome::DoNotCall), Step::Ends(CallResult::Answered)]]);
    assert!(Case::of(&told).judge().kept());
}

#[test]
fn after_an_order_to_stop_nothing_is_dialled() {
    let ordered = |command: &'static str| {
        move |case: &mut Case| {
            let event = Event::Commanded {
                command: command.into(),
                actor: "asha".into(),
                reason: None,
                deferred: false,
            };
            case.insert(is("reserved"), event);
        }
    };
    caught(&answered(), ordered("pause"), Rule::Orders);
    caught(&answered(), ordered("cancel"), Rule::Orders);
    let held = |case: &mut Case| case.insert(is("accepted"), Event::Held { reason: Why::NoZone });
    caught(&answered(), held, Rule::Orders);
    let finished = |case: &mut Case| {
        case.insert(is("accepted"), Event::Finished { outcome: None, reason: Why::CampaignEnded });
    };
    caught(&answered(), finished, Rule::Orders);
    for letting_go in [Command::Resume, Command::Retry] {
        let told = steps(&[&[Step::Orders(Command::Pause), Step::Orders(letting_go)], &answered()]);
        assert!(Case::of(&told).judge().kept());
    }
}

#[test]
fn a_lead_is_tried_no_more_often_than_its_rules_allow() {
    let once = |case: &mut Case| {
        let rules = case.world.rules.get_mut(&(CAMPAIGN, Revision(1))).expect("the revision");
        rules.retry.max_attempts = std::num::NonZeroU16::MIN;
    };
    caught(&reached_later(), once, Rule::MaxAttempts);
    // What a person grants anew does not count.
    let granted = steps(&[&answered(), &[Step::Orders(Command::Retry)], &answered()]);
    assert!(spoilt(&granted, once).kept());
}

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
    let workflows: [fn(&mut Case); 6] = [
        |case| case.record.workflow.attempts += 1,
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
    // An amended outcome is the one that counts.
    let amended = steps(&[&answered(), &[Step::Reports(Outcome::SaleMade)]]);
    assert!(Case::of(&amended).judge().kept());
}

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
            world.accounts.get_mut(&ACCOUNT).expect("the account").limits = vec![Limit::Concurrent { max }];
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
            world.accounts.get_mut(&ACCOUNT).expect("the account").limits = vec![Limit::Rate { max, per_ms }];
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
