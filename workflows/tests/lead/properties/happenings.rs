//! Whatever may happen to a lead, in proportions that lead somewhere.

use std::num::NonZeroU16;

use chrono::TimeDelta;
use outdial_workflows::call::{
    CallEnd, CallFact, CallId, CallResult, CallStatus, DialReply, Found, Refusal, RefusalKind, Source, Talk,
};
use outdial_workflows::gate::{CampaignState, Consent};
use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::{Command, Decision, Input, Run};
use outdial_workflows::money::Cost;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::packs::ConsentLevel;
use outdial_workflows::rules::Rules;
use outdial_workflows::transfer::TransferTold;
use outdial_workflows::workflow::Priority;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::life::{ACCOUNT, Life, number, rules};
use crate::telling::seconds;

/// Something happens around the lead, or to it.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Pass(i64),
    /// Until the lead is due.
    Wake,
    /// It is due, admitted and submitted, if it may be.
    Dial,
    Tell(Input),
    Campaign(CampaignState),
    Account(bool),
    /// The rules are edited to allow so many attempts.
    Attempts(u16),
    Suppress(Option<i64>),
    Zone(Option<&'static str>),
    /// The person takes consent back.
    Revoke,
    /// And gives it anew.
    Consent,
}

/// Stands for the latest attempt, whichever that will be.
pub(super) const LATEST: u16 = 1_000;
/// Stands for the one before it.
pub(super) const EARLIER: u16 = 1_001;

/// Mostly the latest attempt, sometimes an earlier one or one that does not exist.
pub(super) fn attempts() -> impl Strategy<Value = AttemptNumber> {
    prop_oneof![16 => Just(LATEST), 3 => Just(EARLIER), 1 => Just(1), 1 => Just(9)].prop_map(number)
}

/// Two workers.
pub(super) fn tokens() -> impl Strategy<Value = Uuid> {
    prop_oneof![4 => Just(1), 1 => Just(2)].prop_map(Uuid::from_u128)
}

/// The call's own name, none, or a second call's.
pub(super) fn call_ids() -> impl Strategy<Value = Option<CallId>> {
    prop_oneof![8 => Just(Some("call")), 3 => Just(None), 1 => Just(Some("another"))]
        .prop_map(|name| name.map(|name| CallId(name.into())))
}

pub(super) fn facts() -> impl Strategy<Value = CallFact> {
    use CallResult::{Answered, Busy, Failed, InvalidNumber, Lost, NoAnswer, Voicemail};
    let statuses = select(vec![
        CallStatus::Scheduled,
        CallStatus::Initiated,
        CallStatus::Ringing,
        CallStatus::Connected,
        CallStatus::InProgress,
        CallStatus::Completed,
    ]);
    let results = select(vec![Answered, NoAnswer, NoAnswer, Busy, Voicemail, Failed, InvalidNumber, Lost]);
    prop_oneof![
        (call_ids(), statuses).prop_map(|(call_id, status)| CallFact::progress(call_id, status)),
        (call_ids(), results, any::<Option<u16>>()).prop_map(|(call_id, result, talk)| {
            let talk = talk.map(|seconds| Talk::from_seconds(seconds.into()));
            CallFact::ended(call_id, CallEnd { result, talk, cause: None })
        }),
    ]
}

pub(super) fn replies() -> impl Strategy<Value = DialReply> {
    let kinds = select(vec![
        RefusalKind::NotSent,
        RefusalKind::TooLate,
        RefusalKind::Throttled { retry_after_ms: None },
        RefusalKind::Throttled { retry_after_ms: Some(u32::MAX) },
        RefusalKind::AccountUnusable,
        RefusalKind::InvalidNumber,
        RefusalKind::Barred,
        RefusalKind::Rejected,
    ]);
    prop_oneof![
        4 => Just(DialReply::Bound { call_id: CallId("call".into()) }),
        2 => kinds.prop_map(|kind| DialReply::Refused(Refusal { kind, cause: "no".into() })),
        2 => Just(DialReply::Unknown { cause: "dropped".into() }),
    ]
}

pub(super) fn answers() -> impl Strategy<Value = Found> {
    prop_oneof![
        facts().prop_map(Found::Call),
        select(vec![0, 600_000]).prop_map(|conclusive_after_ms| Found::NotSeen { conclusive_after_ms }),
        Just(Found::CannotTell { cause: "503".into() }),
    ]
}

/// Mostly the first.
fn transfers() -> impl Strategy<Value = NonZeroU16> {
    prop_oneof![4 => Just(1), 1 => Just(2)].prop_map(|number| NonZeroU16::new(number).expect("not zero"))
}

fn told_of_transfers() -> impl Strategy<Value = TransferTold> {
    select(vec![
        TransferTold::UnderWay,
        TransferTold::Done,
        TransferTold::Refused { cause: "no".into() },
        TransferTold::Unknown { cause: "dropped".into() },
    ])
}

pub(super) fn inputs() -> impl Strategy<Value = Input> {
    let source = Source::Webhook;
    prop_oneof![
        4 => Just(Input::Admit { account: ACCOUNT, caller_id: None }),
        6 => (attempts(), tokens(), prop::bool::weighted(0.9))
            .prop_map(|(attempt, token, lease_held)| Input::Submit { attempt, token, lease_held }),
        2 => (attempts(), tokens())
            .prop_map(|(attempt, token)| Input::NotSent { attempt, token, cause: "late".into() }),
        10 => (attempts(), replies()).prop_map(|(attempt, reply)| Input::Replied { attempt, reply }),
        10 => (attempts(), facts()).prop_map(move |(attempt, fact)| Input::News { attempt, fact, source }),
        8 => (attempts(), answers()).prop_map(|(attempt, answer)| Input::Asked { attempt, asked_at: outdial_workflows::Moment::MAX_UTC, answer }),
        3 => (attempts(), select(Outcome::ALL.to_vec()))
            .prop_map(move |(attempt, outcome)| Input::Verdict { attempt, outcome, source }),
        1 => (attempts(), 0_i64..3_000_000)
            .prop_map(|(attempt, micros)| Input::Priced { attempt, cost: Cost { micros } }),
        3 => (attempts(), transfers(), prop::bool::weighted(0.9), prop::bool::weighted(0.1)).prop_map(
            |(attempt, transfer, lease_held, suppressed)| {
                Input::BeginTransfer { attempt, transfer, lease_held, suppressed }
            }
        ),
        3 => (attempts(), transfers(), told_of_transfers())
            .prop_map(|(attempt, transfer, told)| Input::Transferred { attempt, transfer, told }),
        6 => Just(Input::Timer),
        1 => Just(Input::NumberBusy),
        1 => Just(Input::ConsentRecorded { actor: "asha".into() }),
        1 => Just(Input::JobQuarantined { kind: "dial.v1".into(), error: "panic".into() }),
    ]
}

/// What people order, letting go more often than holding.
pub(super) fn orders() -> impl Strategy<Value = Input> {
    let soon = "2026-01-12T07:00:00Z".parse().expect("a time");
    let commands = [
        Command::Pause,
        Command::Resume,
        Command::Resume,
        Command::Cancel,
        Command::Retry,
        Command::Retry,
        Command::Reschedule { at: soon },
        Command::Prioritise { priority: Priority::Urgent },
        Command::Prioritise { priority: Priority::Low },
        Command::Undo,
        Command::HangUp,
        Command::Correct { attempt: AttemptNumber::FIRST, outcome: Outcome::DoNotCall },
        Command::Correct { attempt: AttemptNumber::FIRST, outcome: Outcome::NoAnswer },
        Command::Transfer { to: "+14155550123".parse().expect("a number"), briefing: None },
        Command::Transfer { to: "+14155550123".parse().expect("a number"), briefing: None },
    ];
    select(commands.to_vec()).prop_map(|command| Input::Command {
        command,
        actor: "asha".into(),
        reason: None,
        alone: true,
    })
}

pub(super) fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let ended = Input::CampaignEnded { actor: "asha".into(), reason: None };
    let happening = prop_oneof![
        120 => inputs().prop_map(Happening::Tell),
        40 => Just(Happening::Dial),
        40 => Just(Happening::Wake),
        25 => select(vec![1, 4, 5, 19, 60, 600, 7_200, 40_000]).prop_map(Happening::Pass),
        16 => orders().prop_map(Happening::Tell),
        4 => select(vec![CampaignState::Running, CampaignState::Running, CampaignState::Paused])
            .prop_map(Happening::Campaign),
        4 => prop::bool::weighted(0.7).prop_map(Happening::Account),
        3 => (1_u16..4).prop_map(Happening::Attempts),
        2 => select(vec![Some(100), Some(100_000), None]).prop_map(Happening::Suppress),
        2 => select(vec![Some("Asia/Kolkata"), Some("Mars"), None]).prop_map(Happening::Zone),
        2 => Just(Happening::Revoke),
        2 => Just(Happening::Consent),
        1 => Just(Happening::Tell(ended)),
    ];
    prop::collection::vec(happening, 1..60)
}

/// Rules under which much happens.
pub(super) fn some_rules() -> impl Strategy<Value = Rules> {
    select(vec![
        r#"{"zone": "Asia/Kolkata"}"#,
        r#"{"zone": "Asia/Kolkata", "settle_ms": 60000}"#,
        r#"{"zone": "Asia/Kolkata", "retry": {"max_attempts": 50, "rules": {"no_answer": "1s", "busy": "1s", "unknown": "1s"}}}"#,
        r#"{"zone": "Asia/Kolkata", "settle_ms": 5000, "retry": {"max_attempts": 1}}"#,
    ])
    .prop_map(rules)
}

/// An input, with the run before it and what came of it.
pub(super) type Told = (Run, Input, Decision);

/// Lets it happen.
pub(super) fn happen(life: &mut Life, happening: &Happening) -> Vec<Told> {
    match happening {
        Happening::Pass(time) => life.pass(seconds(*time)),
        Happening::Wake => life.now = life.run.workflow.wake_at.map_or(life.now, |at| at.max(life.now)),
        Happening::Campaign(state) => life.campaign(*state),
        Happening::Account(ready) => life.gate.account_ready = *ready,
        Happening::Attempts(most) => {
            let mut rules = life.rules.clone();
            rules.retry.max_attempts = (*most).try_into().expect("not zero");
            life.revise(rules);
        }
        Happening::Suppress(time) => {
            // Time goes on between two commits, if little.
            life.pass(TimeDelta::microseconds(1));
            life.suppress(time.map(|time| life.now + seconds(time)));
        }
        Happening::Zone(zone) => {
            life.barrier.0 += 1;
            life.gate.zone = zone.map(str::to_owned);
        }
        Happening::Dial => {
            happen(life, &Happening::Wake);
            let submit =
                Input::Submit { attempt: number(LATEST), token: Uuid::from_u128(1), lease_held: true };
            let inputs = [Input::Admit { account: ACCOUNT, caller_id: None }, submit];
            return inputs.into_iter().map(|input| told(life, input)).collect();
        }
        Happening::Revoke => {
            life.pass(TimeDelta::microseconds(1));
            life.barrier.0 += 1;
            life.gate.consents.iter_mut().for_each(|consent| {
                consent.revoked_at.get_or_insert(life.now);
            });
        }
        Happening::Consent => {
            life.pass(TimeDelta::microseconds(1));
            let again = Consent {
                level: ConsentLevel::Express,
                purpose: None,
                source: "a form".into(),
                given_at: life.now,
                expires_at: None,
                revoked_at: None,
            };
            life.gate.consents.push(again);
            return vec![told(life, Input::ConsentRecorded { actor: "asha".into() })];
        }
        Happening::Tell(input) => {
            if matches!(input, Input::CampaignEnded { .. }) {
                life.campaign(CampaignState::Ended);
            }
            return vec![told(life, input.clone())];
        }
    }
    Vec::new()
}

pub(super) fn told(life: &mut Life, mut input: Input) -> Told {
    let before = life.run.clone();
    aim(&mut input, before.workflow.attempts);
    let decision = life.tell(&input);
    (before, input, decision)
}

/// Puts a number in the place of [`LATEST`] and [`EARLIER`].
pub(super) fn aim(input: &mut Input, latest: u16) {
    let attempt = match input {
        Input::Submit { attempt, .. }
        | Input::NotSent { attempt, .. }
        | Input::Replied { attempt, .. }
        | Input::News { attempt, .. }
        | Input::Asked { attempt, .. }
        | Input::Priced { attempt, .. }
        | Input::BeginTransfer { attempt, .. }
        | Input::Transferred { attempt, .. }
        | Input::Verdict { attempt, .. } => attempt,
        _ => return,
    };
    *attempt = match attempt.get() {
        LATEST => number(latest.max(1)),
        EARLIER => number(latest.saturating_sub(1).max(1)),
        _ => *attempt,
    };
}
