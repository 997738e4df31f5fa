//! Retries: when a lead is tried again, after what, and how often.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use outdial_workflows::Moment;
use outdial_workflows::outcome::Outcome::{self, *};
use outdial_workflows::retry::{Backoff, Delay, LONGEST_PAUSE, Percent, Retry, RetryInput, RetryPolicy};
use proptest::prelude::*;
use proptest::sample::select;

const OUTCOMES: [Outcome; 13] = [
    Successful,
    AppointmentScheduled,
    QualifiedLead,
    SaleMade,
    NotInterested,
    NoAnswer,
    Voicemail,
    WrongNumber,
    DoNotCall,
    Failed,
    Busy,
    InvalidNumber,
    Unknown,
];

fn now() -> Moment {
    DateTime::<Utc>::from_timestamp(1_772_442_000, 0).expect("a day in 2026")
}

fn policy(text: &str) -> RetryPolicy {
    serde_json::from_str(text).expect("a test's policy")
}

/// A lead that meets these outcomes in turn, with chance at rest.
fn story(policy: &RetryPolicy, outcomes: &[Outcome]) -> String {
    let mut told = String::new();
    let mut failures = 0;
    for (attempts, outcome) in (1..).zip(outcomes) {
        failures = if *outcome == Failed { failures + 1 } else { 0 };
        let input = RetryInput { attempts, failures, chance: 0, now: now() };
        let next = match policy.next_after(*outcome, input) {
            Retry::At(at) => format!("again in {}m", (at - now()).num_minutes()),
            Retry::UsedUp => "attempts used up".to_owned(),
            Retry::NotRetried => "not tried again".to_owned(),
        };
        writeln!(told, "{attempts} {outcome:?}: {next}").expect("a string takes all");
    }
    told
}

#[test]
fn an_unanswered_lead_is_called_until_its_attempts_are_used_up() {
    insta::assert_snapshot!(story(&RetryPolicy::default(), &[NoAnswer, Busy, Voicemail]), @r"
    1 NoAnswer: again in 120m
    2 Busy: again in 240m
    3 Voicemail: attempts used up
    ");
}

#[test]
fn failures_of_the_carrier_wait_longer_each_time() {
    let patient = policy(r#"{"max_attempts": 20}"#);
    let outcomes = [Failed, Failed, NoAnswer, Failed, Failed, Failed, Failed, Failed, Failed, Failed, Failed];
    insta::assert_snapshot!(story(&patient, &outcomes), @r"
    1 Failed: again in 1m
    2 Failed: again in 2m
    3 NoAnswer: again in 120m
    4 Failed: again in 1m
    5 Failed: again in 2m
    6 Failed: again in 4m
    7 Failed: again in 8m
    8 Failed: again in 16m
    9 Failed: again in 32m
    10 Failed: again in 60m
    11 Failed: again in 60m
    ");
}

#[test]
fn every_outcome_has_its_default() {
    let told: String = OUTCOMES.iter().map(|outcome| story(&RetryPolicy::default(), &[*outcome])).collect();
    insta::assert_snapshot!(told, @r"
    1 Successful: not tried again
    1 AppointmentScheduled: not tried again
    1 QualifiedLead: not tried again
    1 SaleMade: not tried again
    1 NotInterested: not tried again
    1 NoAnswer: again in 120m
    1 Voicemail: again in 120m
    1 WrongNumber: not tried again
    1 DoNotCall: not tried again
    1 Failed: again in 1m
    1 Busy: again in 240m
    1 InvalidNumber: not tried again
    1 Unknown: again in 120m
    ");
}

#[test]
fn a_final_outcome_is_not_tried_again_even_when_attempts_are_used_up() {
    let input = RetryInput { attempts: 9, failures: 0, chance: 0, now: now() };
    assert_eq!(RetryPolicy::default().next_after(DoNotCall, input), Retry::NotRetried);
    assert_eq!(RetryPolicy::default().next_after(NoAnswer, input), Retry::UsedUp);
}

#[test]
fn a_refusal_backs_off_but_never_sooner_than_the_provider_asks() {
    let wait = |refusals, pause: Option<TimeDelta>| {
        (RetryPolicy::default().after_refusal(refusals, pause, 0, now()) - now()).num_seconds()
    };
    assert_eq!([1, 2, 3, 6, 7, 8, u16::MAX].map(|n| wait(n, None)), [60, 120, 240, 1920, 3600, 3600, 3600]);
    assert_eq!(wait(0, None), 60);
    assert_eq!(wait(1, Some(TimeDelta::seconds(5))), 60);
    assert_eq!(wait(1, Some(TimeDelta::seconds(90))), 90);
    assert_eq!(wait(1, Some(TimeDelta::MAX)), LONGEST_PAUSE.num_seconds());
    assert_eq!(wait(1, Some(TimeDelta::MIN)), 60);
}

#[test]
fn what_a_policy_leaves_out_has_its_default() {
    assert_eq!(policy("{}"), RetryPolicy::default());
    let changed = policy(r#"{"rules": {"no_answer": "1h30m", "failed": "never"}}"#);
    insta::assert_snapshot!(story(&changed, &[NoAnswer, Busy]), @r"
    1 NoAnswer: again in 90m
    2 Busy: again in 240m
    ");
    insta::assert_snapshot!(serde_json::to_string(&changed).expect("a policy can be written"), @r#"{"max_attempts":3,"rules":{"busy":"4h","failed":"never","no_answer":"1h30m","not_interested":"never","unknown":"2h","voicemail":"2h"}}"#);
}

#[test]
fn a_policy_that_cannot_be_meant_says_where_and_what_to_do() {
    let cases = [
        r#"{"max_attempts": 0}"#,
        r#"{"max_attempts": -1}"#,
        r#"{"max_attempts": 2.5}"#,
        r#"{"max_attempts": 300}"#,
        r#"{"max_attempts": "3"}"#,
        r#"{"max_atempts": 3}"#,
        r#"{"rules": {"no_anser": "2h"}}"#,
        r#"{"rules": {"do_not_call": "2h"}}"#,
        r#"{"rules": {"no_answer": 7200}}"#,
        r#"{"rules": {"no_answer": "soon"}}"#,
        r#"{"rules": {"no_answer": "0s"}}"#,
        r#"{"rules": {"no_answer": "-2h"}}"#,
        r#"{"rules": {"no_answer": "2"}}"#,
        r#"{"rules": {"no_answer": ""}}"#,
        r#"{"rules": {"no_answer": "30m1h"}}"#,
        r#"{"rules": {"no_answer": "2000d"}}"#,
        r#"{"rules": {"no_answer": "99999999999999999999999d"}}"#,
        r#"{"rules": {"failed": {"first": "1h", "cap": "1m"}}}"#,
        r#"{"rules": {"failed": {"first": "0m", "cap": "1m"}}}"#,
        r#"{"rules": {"failed": {"first": "1m"}}}"#,
        r#"{"rules": {"failed": {"first": "1m", "cap": "1h", "jitter_percent": 51}}}"#,
        r#"{"rules": {"failed": {"first": "1m", "cap": "1h", "jitter": 10}}}"#,
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|case| serde_json::from_str::<RetryPolicy>(case).expect_err(case).to_string())
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    retry.max_attempts: 0 is not a number of attempts; give a whole number from 1 to 50
    retry.max_attempts: -1 is not a number of attempts; give a whole number from 1 to 50
    retry.max_attempts: 2.5 is not a number of attempts; give a whole number from 1 to 50
    retry.max_attempts: 300 is not a number of attempts; give a whole number from 1 to 50
    retry.max_attempts: "3" is not a number of attempts; give a whole number from 1 to 50
    retry: unknown field `max_atempts`, expected `max_attempts` or `rules` at line 1 column 14
    retry.rules: `no_anser` is not an outcome; rules exist for no_answer, busy, voicemail, failed, unknown, not_interested
    retry.rules.do_not_call: this outcome is final and never tried again; take the rule out
    retry.rules.no_answer: 7200 is not a rule; write "never", a delay such as "2h", or {"first": "1m", "cap": "1h", "jitter_percent": 20}
    retry.rules.no_answer: "soon" is not a delay; write numbers with units, such as 90s, 15m, 2h, 1h30m or 7d
    retry.rules.no_answer: a delay of 0 would try again at once and without end; give at least 1s
    retry.rules.no_answer: "-2h" is not a delay; write numbers with units, such as 90s, 15m, 2h, 1h30m or 7d
    retry.rules.no_answer: "2" is not a delay; write numbers with units, such as 90s, 15m, 2h, 1h30m or 7d
    retry.rules.no_answer: "" is not a delay; write numbers with units, such as 90s, 15m, 2h, 1h30m or 7d
    retry.rules.no_answer: "30m1h" is not a delay; write numbers with units, such as 90s, 15m, 2h, 1h30m or 7d
    retry.rules.no_answer: 2000d is too long; give at most 90d
    retry.rules.no_answer: 99999999999999999999999d is too long; give at most 90d
    retry.rules.failed: `cap` (1m) is shorter than `first` (1h); make it as long or longer
    retry.rules.failed.first: a delay of 0 would try again at once and without end; give at least 1s
    retry.rules.failed: {"first":"1m"} is not a rule; write "never", a delay such as "2h", or {"first": "1m", "cap": "1h", "jitter_percent": 20}
    retry.rules.failed: `jitter_percent` is 51; give a whole number from 0 to 50
    retry.rules.failed: {"cap":"1h","first":"1m","jitter":10} is not a rule; write "never", a delay such as "2h", or {"first": "1m", "cap": "1h", "jitter_percent": 20}
    "#);
}

fn delays() -> impl Strategy<Value = Delay> {
    let longest = Delay::MAX.length().num_seconds();
    (1..=longest).prop_map(|seconds| format!("{seconds}s").parse().expect("in bounds"))
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    (delays(), delays(), 0..=Percent::MOST).prop_map(|(a, b, jitter)| {
        let jitter = Percent::new(jitter).expect("in bounds");
        Backoff::new(a.min(b), a.max(b), jitter).expect("the cap is the longer one")
    })
}

proptest! {
    #[test]
    fn a_delay_is_read_back_as_it_was_written(delay in delays()) {
        prop_assert_eq!(delay.to_string().parse::<Delay>(), Ok(delay));
    }

    #[test]
    fn no_text_breaks_the_reading_of_delays(text in "[0-9dhms. -]{0,12}") {
        if let Ok(delay) = text.parse::<Delay>() {
            prop_assert!(delay <= Delay::MAX && delay.length() >= TimeDelta::seconds(1));
        }
    }

    #[test]
    fn a_backoff_stays_between_its_first_wait_less_jitter_and_its_cap(
        backoff in backoffs(), failures: u16, chance: u64,
    ) {
        let whole = backoff.wait(failures, 0);
        let wait = backoff.wait(failures, chance);
        prop_assert!(whole >= backoff.first().length() && whole <= backoff.cap().length());
        prop_assert!(wait <= whole);
        // To the millisecond below: whole × (100 − jitter) ÷ 100 ≤ wait.
        let kept = i64::from(100 - backoff.jitter().get());
        prop_assert!(whole.num_milliseconds() * kept <= wait.num_milliseconds() * 100);
        prop_assert!(wait >= TimeDelta::milliseconds(500));
    }

    #[test]
    fn waits_grow_with_failures_and_shrink_with_chance(
        backoff in backoffs(), a: u16, b: u16, c: u64, d: u64,
    ) {
        prop_assert!(backoff.wait(a.min(b), c) <= backoff.wait(a.max(b), c));
        prop_assert!(backoff.wait(a, c.max(d)) <= backoff.wait(a, c.min(d)));
    }

    #[test]
    fn a_retry_is_later_than_now_and_only_while_attempts_are_left(
        outcome in select(&OUTCOMES[..]), attempts: u16, failures: u16, chance: u64,
        at in -8_000_000_000_000_i64..8_200_000_000_000,
    ) {
        let policy = RetryPolicy::default();
        let now = DateTime::<Utc>::from_timestamp(at, 0).expect("a time that chrono knows");
        match policy.next_after(outcome, RetryInput { attempts, failures, chance, now }) {
            Retry::At(later) => prop_assert!(later > now && attempts < policy.max_attempts.get()),
            Retry::UsedUp => prop_assert!(attempts >= policy.max_attempts.get()),
            Retry::NotRetried => {}
        }
    }

    #[test]
    fn a_refusal_waits_at_least_the_pause_and_at_most_a_day(
        refusals: u16, pause in prop::option::of(-100_000_i64..200_000), chance: u64,
    ) {
        let pause = pause.map(TimeDelta::seconds);
        let wait = RetryPolicy::default().after_refusal(refusals, pause, chance, now()) - now();
        prop_assert!(wait >= TimeDelta::seconds(48) && wait <= LONGEST_PAUSE);
        prop_assert!(wait >= pause.unwrap_or_default().min(LONGEST_PAUSE));
    }

    #[test]
    fn even_at_the_end_of_time_nothing_overflows(refusals: u16, chance: u64) {
        let end = Moment::MAX_UTC;
        prop_assert_eq!(RetryPolicy::default().after_refusal(refusals, Some(TimeDelta::MAX), chance, end), end);
    }

    #[test]
    fn a_policy_is_read_back_as_it_was_written(after in delays(), backoff in backoffs()) {
        let mut policy = RetryPolicy::default();
        policy.rules.busy = outdial_workflows::retry::RetryRule::After(after);
        policy.rules.failed = outdial_workflows::retry::RetryRule::Backoff(backoff);
        let written = serde_json::to_string(&policy).expect("a policy can be written");
        prop_assert_eq!(serde_json::from_str::<RetryPolicy>(&written).expect("our own form"), policy);
    }
}
