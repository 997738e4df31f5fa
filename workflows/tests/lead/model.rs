//! All interleavings of one lead with two workers, a carrier and a person, step by step.
//!
//! Every step of the lead is the real `decide`. Around it, in small: a queue of one dial
//! job with a lease, two workers that may crash or freeze anywhere, a carrier that accepts,
//! refuses, or loses requests and answers, webhooks that come twice, late or never, and a
//! person who pauses, cancels and suppresses.

mod checks;
mod steps;

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, BarrierVersion, Ledger, Revision};
use outdial_workflows::call::{CallResult, CarrierTimes};
use outdial_workflows::decide::decide;
use outdial_workflows::gate::{CampaignState, GateFacts};
use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::{Context, Decision, Input, JobOrder, Run};
use outdial_workflows::rules::Rules;
use uuid::Uuid;

use crate::life::{Life, rules};

/// So many attempts are looked at; a lead that waits for another is let be.
const ATTEMPTS: u16 = 2;

/// A carrier's silence is conclusive after this, and the first question comes later still,
/// so that each doubt is one question long.
const CONCLUSIVE_MS: i64 = 600_000;
const TIMES: CarrierTimes = CarrierTimes {
    silence: TimeDelta::seconds(20),
    ask_first: TimeDelta::seconds(700),
    poll_first: TimeDelta::seconds(700),
    ask_cap: TimeDelta::seconds(700),
};
/// Bytes may leave so long after the commit.
const SEND_WITHIN: TimeDelta = TimeDelta::seconds(2);

/// How many misfortunes of each kind are looked at together.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    crashes: u8,
    /// Leases that run out under a worker that lives.
    freezes: u8,
    /// Commits that happen and whose answer is lost.
    cuts: u8,
    orders: u8,
}

#[derive(Clone, Debug)]
struct Model {
    rules: Rules,
    bounds: Bounds,
}

/// What a worker knows and is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Worker {
    Idle,
    /// It holds, or believes to hold, the job; it has not sent.
    Claimed {
        attempt: u16,
        token: u8,
    },
    /// It was told to send.
    MaySend {
        attempt: u16,
        token: u8,
        until: Moment,
    },
    /// It has sent, and waits for the answer.
    Sent {
        attempt: u16,
    },
    /// It has the answer, or gave up waiting.
    Answered {
        attempt: u16,
        reply: Reply,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reply {
    Bound,
    Refused,
    Nothing,
}

/// The dial job in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Job {
    attempt: u16,
    owner: Option<usize>,
}

/// What the carrier did for an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Carrier {
    calls: u8,
    over: Option<CallResult>,
}

/// A webhook under way. Once sent it may arrive any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Webhook {
    Rings(u16),
    Over(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Order {
    PauseCampaign,
    ResumeCampaign,
    /// The rules are edited to allow a single attempt.
    AllowOne,
    Suppress,
    Pause,
    Resume,
    Cancel,
    Retry,
}

/// One thing that may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// Time goes on until the lead is due: admission or the timer.
    Wake,
    /// The status job asks the carrier.
    Ask,
    Claim(usize),
    Submit(usize),
    /// It commits, and the worker does not hear of it.
    SubmitCut(usize),
    Send(usize),
    GiveUp(usize),
    /// The request reaches the carrier, which accepts it. The answer may be lost.
    Accept {
        answer_arrives: bool,
    },
    Refuse,
    /// The request never arrives.
    Lose,
    TimeOut(usize),
    Report(usize),
    Crash(usize),
    LeaseRunsOut,
    Ring(u16),
    HangUp(u16, CallResult),
    Deliver(Webhook),
    Say(Order),
}

#[derive(Clone, Debug, PartialEq)]
struct World {
    run: Run,
    now: Moment,
    barrier: BarrierVersion,
    paused: bool,
    allows_one: bool,
    suppressed: bool,
    job: Option<Job>,
    workers: [Worker; 2],
    /// A status job waits.
    asking: bool,
    /// A request is on its way: whose, and for which attempt.
    request: Option<(usize, u16)>,
    carrier: [Carrier; ATTEMPTS as usize],
    webhooks: BTreeSet<Webhook>,
    tokens: u8,
    crashes: u8,
    freezes: u8,
    cuts: u8,
    said: BTreeSet<Order>,
    /// A go-ahead was given although a pause, a suppression or an edit that forbade it had been answered.
    sent_although_forbidden: bool,
}

impl World {
    fn new(rules: &Rules) -> Self {
        let life = Life::new(rules.clone());
        Self {
            run: life.run,
            now: life.now,
            barrier: BarrierVersion(0),
            paused: false,
            allows_one: false,
            suppressed: false,
            job: None,
            workers: [Worker::Idle; 2],
            asking: false,
            request: None,
            carrier: [Carrier::default(); ATTEMPTS as usize],
            webhooks: BTreeSet::new(),
            tokens: 0,
            crashes: 0,
            freezes: 0,
            cuts: 0,
            said: BTreeSet::new(),
            sent_although_forbidden: false,
        }
    }

    /// How many attempts the rules allow by now.
    fn allowed(&self, rules: &Rules) -> u16 {
        if self.allows_one { 1 } else { rules.retry.max_attempts.get() }
    }

    /// Decides and commits.
    fn tell(&mut self, rules: &Rules, input: &Input) -> Decision {
        let mut rules = rules.clone();
        rules.retry.max_attempts = self.allowed(&rules).try_into().expect("not zero");
        let phone = Life::phone();
        let gate = GateFacts {
            campaign: if self.paused { CampaignState::Paused } else { CampaignState::Running },
            account_ready: true,
            account_emulated: true,
            suppressed: self.suppressed.then_some(None).into_iter().collect(),
            ..GateFacts::default()
        };
        let ctx = Context {
            now: self.now,
            chance: 0,
            rules: Some(&rules),
            revision: Revision(1),
            times: TIMES,
            resend_within: None,
            barrier: self.barrier,
            gate: Some(&gate),
            phone: Some(&phone),
        };
        let decision = decide(self.run.clone(), input, &ctx);
        self.run = decision.run.clone();
        for order in &decision.jobs {
            match order {
                JobOrder::Dial(attempt) => self.job = Some(Job { attempt: attempt.get(), owner: None }),
                JobOrder::AwaitStatus(_) => self.asking = true,
                JobOrder::HangUp(_) | JobOrder::Transfer(..) => {}
            }
        }
        decision
    }

    fn carrier(&mut self, attempt: u16) -> &mut Carrier {
        &mut self.carrier[usize::from(attempt) - 1]
    }

    fn attempt(&self, attempt: u16) -> Option<&Attempt> {
        self.run.attempt(AttemptNumber::new(attempt)?)
    }

    /// Milliseconds from now; what is long past is past.
    fn since(&self, at: Option<Moment>) -> Option<i64> {
        at.map(|at| (at - self.now).num_milliseconds().max(-CONCLUSIVE_MS))
    }
}

/// Two worlds are the same if what they may still do is: the hour does not matter under the
/// open calendar, nor when things happened that no decision looks back at, nor how often the
/// carrier was asked, since all pauses are as long.
impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let workflow = &self.run.workflow;
        let kind = std::mem::discriminant(&workflow.why);
        (workflow.state, kind, self.since(workflow.wake_at), workflow.attempts).hash(hasher);
        (workflow.recorded, workflow.counted, workflow.forgiven, workflow.withdrawals).hash(hasher);
        (workflow.refusals, workflow.outcome).hash(hasher);
        workflow.intent.as_ref().map(std::mem::discriminant).hash(hasher);
        for attempt in &self.run.attempts {
            (attempt.ledger, attempt.counts, attempt.barrier, attempt.status).hash(hasher);
            (attempt.outcome, attempt.verdict, &attempt.call_id).hash(hasher);
            attempt.ended.as_ref().map(|(_, end)| end.result).hash(hasher);
            if attempt.ledger == Ledger::Reserved {
                self.since(Some(attempt.dial_by)).hash(hasher);
            }
            let doubtful = matches!(attempt.ledger, Ledger::Submitted | Ledger::Unknown);
            if let Some(submission) = attempt.submission.filter(|_| doubtful) {
                (self.since(Some(submission.at)), submission.token).hash(hasher);
                self.since(Some(attempt.dial_by)).hash(hasher);
            }
        }
        (self.barrier, self.paused, self.allows_one, self.suppressed).hash(hasher);
        (self.job, self.asking, self.request).hash(hasher);
        for worker in &self.workers {
            match worker {
                Worker::MaySend { attempt, token, until } => {
                    (1, attempt, token, self.since(Some(*until))).hash(hasher);
                }
                other => (2, other).hash(hasher),
            }
        }
        (self.carrier, &self.webhooks, self.tokens, self.crashes, self.freezes).hash(hasher);
        (self.cuts, &self.said, self.sent_although_forbidden).hash(hasher);
    }
}

fn token(token: u8) -> Uuid {
    Uuid::from_u128(token.into())
}

fn model(bounds: Bounds) -> Model {
    let rules = rules(r#"{"calendar": "none", "retry": {"max_attempts": 2}}"#);
    Model { rules, bounds }
}
