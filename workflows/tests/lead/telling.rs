//! Stories: steps as people would tell them, and what came of each in a line.

use std::fmt::Write as _;
use std::num::NonZeroU16;

use chrono::TimeDelta;
use chrono_tz::Asia::Kolkata;
use outdial_workflows::Moment;
use outdial_workflows::call::{
    CallEnd, CallFact, CallId, CallResult, CallStatus, DialReply, Found, Refusal, RefusalKind, Source, Talk,
};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::history::Event;
use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::{Answer, Command, Decision, Input, JobOrder};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::retry::Delay;
use outdial_workflows::rules::Rules;
use outdial_workflows::transfer::TransferTold;
use outdial_workflows::workflow::State;
use uuid::Uuid;

use crate::life::{ACCOUNT, Life, number};

/// What happens next. Where a step needs an attempt, it is the latest.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Time passes: `90s`, `2h`.
    Wait(&'static str),
    /// Time passes until the lead is due, and somebody comes: admission or the timer.
    Wake,
    /// Admission comes.
    Admit,
    /// The timer fires.
    Timer,
    /// A worker asks whether it may send.
    Submit,
    /// Another worker asks: its token differs.
    SubmitElsewhere,
    /// A worker asks whose lease was lost.
    SubmitTooLate,
    /// The worker that may send says that it did not.
    NotSent,
    /// Another worker says so.
    NotSentElsewhere,
    /// The carrier accepts the request.
    Accepted,
    /// The carrier turns it down.
    Refused(RefusalKind),
    /// The connection drops after the request.
    Dropped,
    /// A webhook: it rings.
    Rings,
    /// A webhook: somebody answered.
    Connects,
    /// A webhook: it is over.
    Ends(CallResult),
    /// A webhook about an earlier attempt: it is over.
    EndsLate(u16, CallResult),
    /// A webhook names another call for this attempt.
    EndsAs(&'static str, CallResult),
    /// Asked, the carrier says that the call is over.
    Found(CallResult),
    /// Asked, the carrier does not list the call; conclusive after ten minutes.
    NotListed,
    /// The carrier could not be asked.
    NoAnswer,
    /// A worker asks whether the same request may be sent once more, where the carrier tells copies apart for
    /// fifty seconds.
    Resend,
    /// A webhook: what the conversation yielded, as JSON.
    Yields(&'static str),
    /// Somebody reports what came of it.
    Reports(Outcome),
    /// Somebody reports what came of an earlier attempt.
    ReportsLate(u16, Outcome),
    /// Admission lost the number to another lead.
    NumberBusy,
    /// A person orders.
    Orders(Command),
    /// A worker asks whether it may have the call handed over; with `false`, one whose lease was lost.
    BeginsTransfer(u16, bool),
    /// A worker asks that when the number to be rung is on a list of those not to be called.
    BeginsForbiddenTransfer(u16),
    /// It is learnt what came of a transfer.
    Transfers(u16, TransferTold),
    /// A person puts the number on the list.
    Suppress,
    /// A person edits the campaign's rules.
    Rules(&'static str),
    /// The campaign is paused or let go.
    Campaign(CampaignState),
    /// The campaign ended, and its leads are being finished.
    CampaignEnds,
    /// A person corrects the zone.
    Zone(&'static str),
    /// A step's job ran out of tries.
    Quarantined(&'static str),
}

/// Admission, second look, and the carrier's yes.
pub(crate) const DIAL: [Step; 3] = [Step::Admit, Step::Submit, Step::Accepted];

/// Steps behind one another.
pub(crate) fn steps(parts: &[&[Step]]) -> Vec<Step> {
    parts.concat()
}

/// What happened to a lead under these rules. The judge hears it, too.
pub(crate) fn story(rules: &str, steps: &[Step]) -> String {
    let (life, told) = lived(crate::life::rules(rules), steps);
    let verdict = life.judged();
    assert!(verdict.kept(), "{verdict}\n{told}");
    told
}

/// The same, for stories in which a carrier goes wrong.
pub(crate) fn lived(rules: Rules, steps: &[Step]) -> (Life, String) {
    let mut life = Life::new(rules);
    let told = tell(&mut life, steps);
    (life, told)
}

/// Goes through the steps, and tells what came of each, and where the lead stands in the end.
pub(crate) fn tell(life: &mut Life, steps: &[Step]) -> String {
    let mut told = String::new();
    for step in steps {
        if let Some(line) = take(life, step) {
            writeln!(told, "{line}").expect("a string takes all");
        }
    }
    let workflow = &life.run.workflow;
    writeln!(told, "{}: {}", workflow.state.name(), workflow.why).expect("a string takes all");
    told
}

/// The token of the worker that usually asks.
pub(crate) fn token(attempt: AttemptNumber) -> Uuid {
    Uuid::from_u128(100 + u128::from(attempt.get()))
}

fn take(life: &mut Life, step: &Step) -> Option<String> {
    let latest = AttemptNumber::new(life.run.workflow.attempts).unwrap_or(AttemptNumber::FIRST);
    let actor = || "asha".to_owned();
    let news = |attempt, fact| Input::News { attempt, fact, source: Source::Webhook };
    let input = match step {
        Step::Wait(time) => {
            let time: Delay = time.parse().expect("a delay");
            life.pass(time.length());
            return None;
        }
        Step::Wake => {
            life.now = life.run.workflow.wake_at.expect("somebody will come").max(life.now);
            match life.run.workflow.state {
                State::Waiting => Input::Admit { account: ACCOUNT, caller_id: None },
                _ => Input::Timer,
            }
        }
        Step::Admit => Input::Admit { account: ACCOUNT, caller_id: None },
        Step::Timer => Input::Timer,
        Step::Submit => Input::Submit { attempt: latest, token: token(latest), lease_held: true },
        Step::SubmitElsewhere => {
            Input::Submit { attempt: latest, token: Uuid::from_u128(7), lease_held: true }
        }
        Step::SubmitTooLate => Input::Submit { attempt: latest, token: token(latest), lease_held: false },
        Step::NotSent => not_sent(latest, token(latest)),
        Step::NotSentElsewhere => not_sent(latest, Uuid::from_u128(7)),
        Step::Accepted => {
            Input::Replied { attempt: latest, reply: DialReply::Bound { call_id: call_of(latest) } }
        }
        Step::Refused(kind) => {
            let refusal = Refusal { kind: *kind, cause: "as the carrier put it".into() };
            Input::Replied { attempt: latest, reply: DialReply::Refused(refusal) }
        }
        Step::Dropped => {
            let cause = "the connection dropped".into();
            Input::Replied { attempt: latest, reply: DialReply::Unknown { cause } }
        }
        Step::Rings => news(latest, CallFact::progress(Some(call_of(latest)), CallStatus::Ringing)),
        Step::Connects => news(latest, CallFact::progress(Some(call_of(latest)), CallStatus::Connected)),
        Step::Ends(result) => news(latest, over(call_of(latest), *result)),
        Step::EndsLate(earlier, result) => news(number(*earlier), over(call_of(number(*earlier)), *result)),
        Step::EndsAs(call, result) => news(latest, over(CallId((*call).into()), *result)),
        Step::Found(result) => Input::Asked {
            attempt: latest,
            asked_at: life.now,
            answer: Found::Call(over(call_of(latest), *result)),
        },
        Step::NotListed => {
            let answer = Found::NotSeen { conclusive_after_ms: 600_000 };
            Input::Asked { attempt: latest, asked_at: life.now, answer }
        }
        Step::NoAnswer => {
            let answer = Found::CannotTell { cause: "503".into() };
            Input::Asked { attempt: latest, asked_at: life.now, answer }
        }
        Step::Resend => {
            life.resend_within = Some(seconds(50));
            Input::Resend { attempt: latest, lease_held: true }
        }
        Step::Yields(results) => {
            let results = serde_json::from_str(results).expect("results");
            let fact = CallFact::progress(Some(call_of(latest)), CallStatus::Connected);
            news(latest, CallFact { results: Some(results), ..fact })
        }
        Step::Reports(outcome) => reported(latest, *outcome),
        Step::ReportsLate(earlier, outcome) => reported(number(*earlier), *outcome),
        Step::NumberBusy => Input::NumberBusy,
        Step::Orders(command) => {
            Input::Command { command: command.clone(), actor: actor(), reason: None, alone: true }
        }
        Step::BeginsTransfer(which, lease_held) => {
            let transfer = NonZeroU16::new(*which).expect("not zero");
            Input::BeginTransfer { attempt: latest, transfer, lease_held: *lease_held, suppressed: false }
        }
        Step::BeginsForbiddenTransfer(which) => {
            let transfer = NonZeroU16::new(*which).expect("not zero");
            Input::BeginTransfer { attempt: latest, transfer, lease_held: true, suppressed: true }
        }
        Step::Transfers(which, told) => {
            let transfer = NonZeroU16::new(*which).expect("not zero");
            Input::Transferred { attempt: latest, transfer, told: told.clone() }
        }
        Step::Suppress => {
            life.suppress(None);
            return Some(format!("{} the number is suppressed", clock(life.now)));
        }
        Step::Rules(text) => {
            life.revise(crate::life::rules(text));
            return Some(format!("{} the rules are {text}", clock(life.now)));
        }
        Step::Campaign(state) => {
            life.campaign(*state);
            return Some(format!("{} the campaign is {}", clock(life.now), state.name()));
        }
        Step::CampaignEnds => {
            life.campaign(CampaignState::Ended);
            Input::CampaignEnded { actor: actor(), reason: None }
        }
        Step::Zone(zone) => {
            life.gate.zone = Some((*zone).into());
            return Some(format!("{} the zone is {zone}", clock(life.now)));
        }
        Step::Quarantined(kind) => {
            Input::JobQuarantined { kind: (*kind).into(), error: "it panicked".into() }
        }
    };
    let at = clock(life.now);
    let decision = life.tell(&input);
    Some(format!("{at} {}: {}", in_words(step), came_to(&decision, life.now)))
}

pub(crate) fn call_of(attempt: AttemptNumber) -> CallId {
    CallId(format!("call-{attempt}"))
}

pub(crate) fn over(call: CallId, result: CallResult) -> CallFact {
    let talk = (result == CallResult::Answered).then_some(Talk::from_seconds(42));
    CallFact::ended(Some(call), CallEnd { result, talk, cause: None })
}

fn not_sent(attempt: AttemptNumber, token: Uuid) -> Input {
    Input::NotSent { attempt, token, cause: "the deadline passed".into() }
}

fn reported(attempt: AttemptNumber, outcome: Outcome) -> Input {
    Input::Verdict { attempt, outcome, source: Source::Stream }
}

/// `NotSentElsewhere` as `not sent elsewhere`, with what it carries.
fn in_words(step: &Step) -> String {
    if let Step::Orders(command) = step {
        return format!("orders {command}");
    }
    if let Step::Yields(_) = step {
        return "yields results".to_owned();
    }
    let mut words = String::new();
    for letter in format!("{step:?}").chars() {
        match letter {
            '(' => words.push(' '),
            ')' | '"' | '{' | '}' | ',' => {}
            letter if letter.is_uppercase() && !words.is_empty() && !words.ends_with(' ') => {
                words.push(' ');
                words.extend(letter.to_lowercase());
            }
            letter => words.extend(letter.to_lowercase()),
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn came_to(decision: &Decision, now: Moment) -> String {
    let mut parts: Vec<String> = decision.events.iter().filter_map(terse).collect();
    parts.extend(answered(&decision.answer));
    for job in &decision.jobs {
        match job {
            JobOrder::Dial(_) => {}
            JobOrder::HangUp(attempt) => parts.push(format!("hang up {attempt}")),
            JobOrder::Transfer(attempt, which) => parts.push(format!("transfer {which} of {attempt}")),
            JobOrder::AwaitStatus(attempt) => parts.push(format!("ask about {attempt}")),
        }
    }
    if let Some(rest) = &decision.rest {
        parts.push(match rest.until {
            Some(until) => format!("account rests for {} s", (until - now).num_seconds()),
            None => "account held".to_owned(),
        });
    }
    if parts.is_empty() {
        parts.push("nothing new".into());
    }
    let workflow = &decision.run.workflow;
    let until = workflow.wake_at.map(|at| format!(" until {}", clock(at))).unwrap_or_default();
    format!("{} → {}{until}", parts.join(", "), workflow.state.name())
}

fn answered(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Noted | Answer::Reserved(_) | Answer::Done => None,
        Answer::NotAdmitted(why) => Some(format!("not admitted ({why})")),
        Answer::Send(attempt) => Some(format!("SEND {attempt}")),
        Answer::DoNotSend(why) => Some(format!("do not send ({why})")),
        Answer::LeaseLost => Some("lease lost".into()),
        Answer::Deferred => Some("deferred".into()),
        Answer::Declined(why) => Some(format!("declined ({why})")),
        Answer::Transfer(transfer) => Some(format!("ASK for transfer {}", transfer.number)),
        Answer::NoTransfer(why) => Some(format!("declined ({why})")),
    }
}

/// The event in a few words; `None` where answer or state already say it.
fn terse(event: &Event) -> Option<String> {
    Some(match event {
        Event::Postponed { .. } | Event::Commanded { .. } | Event::PersonEdited { .. } => return None,
        Event::Reserved { attempt, .. } => format!("reserved {attempt}"),
        Event::Withdrawn { attempt, .. } => format!("withdrawn {attempt}"),
        Event::Submitted { attempt, .. } => format!("submitted {attempt}"),
        Event::Bound { attempt, .. } => format!("bound {attempt}"),
        Event::Refused { attempt, .. } => format!("refused {attempt}"),
        Event::BecameUnknown { attempt, .. } => format!("unknown {attempt}"),
        Event::Asked { .. } => "no news".into(),
        Event::Priced { cost, .. } => format!("cost {cost}"),
        Event::Absent { attempt } => format!("absent {attempt}"),
        Event::BoundLate { attempt, .. } => format!("ALERT bound late {attempt}"),
        Event::SecondCall { attempt, .. } => format!("ALERT second call {attempt}"),
        Event::Progressed { status, .. } => status.name().into(),
        Event::Ended { attempt, result, .. } => format!("ended {attempt} ({})", result.outcome()),
        Event::TransferAsked { transfer, .. } => format!("transfer {transfer} asked for"),
        Event::Transferred { transfer, told, .. } => {
            format!("transfer {transfer} {}", told.state().name().replace('_', " "))
        }
        Event::Reported { .. } => "reported".into(),
        Event::Results { attempt, .. } => format!("results {attempt}"),
        Event::Resent { attempt, .. } => format!("resent {attempt}"),
        Event::OutcomeRecorded { attempt, outcome } => format!("recorded {attempt} ({outcome})"),
        Event::OutcomeAmended { attempt, outcome } => format!("amended {attempt} ({outcome})"),
        Event::RetryScheduled { at, .. } => format!("again {}", clock(*at)),
        Event::Suppressed { .. } => "suppressed".into(),
        Event::Held { .. } => "held".into(),
        Event::Finished { outcome, .. } => match outcome {
            Some(outcome) => format!("finished ({outcome})"),
            None => "finished (no outcome)".into(),
        },
        Event::Accepted | Event::JobQuarantined { .. } => event.to_string(),
    })
}

/// The clock in Kolkata.
pub(crate) fn clock(at: Moment) -> String {
    at.with_timezone(&Kolkata).format("%a %H:%M:%S").to_string()
}

/// Whole seconds.
pub(crate) fn seconds(n: i64) -> TimeDelta {
    TimeDelta::seconds(n)
}
