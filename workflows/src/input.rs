//! Everything that can happen to a workflow.

use std::num::NonZeroU16;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Moment;
use crate::attempt::{Attempt, BarrierVersion, Revision};
use crate::call::{CallFact, CallerId, CarrierTimes, DialReply, Found, Source};
use crate::gate::GateFacts;
use crate::history::Event;
use crate::ids::{AccountId, AttemptNumber};
use crate::money::Cost;
use crate::outcome::Outcome;
use crate::results::CallResults;
use crate::rules::Rules;
use crate::transfer::{Briefing, CannotTransfer, Transfer, TransferTo, TransferTold};
use crate::why::Why;
use crate::workflow::{Priority, Workflow};

/// One thing that happened, or that somebody wants to happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Input {
    /// Admission found a slot for this lead.
    Admit {
        /// The account that dials.
        account: AccountId,
        /// The number that it dials from; `None` if the campaign names none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller_id: Option<CallerId>,
    },
    /// Admission lost the number to another attempt.
    NumberBusy,
    /// A dial job asks whether it may send.
    Submit {
        /// Which attempt.
        attempt: AttemptNumber,
        /// Made by the asking process, which keeps it in memory only.
        token: Uuid,
        /// Whether the job's lease still holds.
        lease_held: bool,
    },
    /// Somebody asks whether the very same request may be sent once more, to a carrier that tells copies
    /// apart, in order to learn what became of the first.
    Resend {
        /// Which attempt.
        attempt: AttemptNumber,
        /// Whether the asking job's lease still holds.
        lease_held: bool,
    },
    /// The process that holds the token says that nothing was sent.
    NotSent {
        /// Which attempt.
        attempt: AttemptNumber,
        /// Its token.
        token: Uuid,
        /// Why not.
        cause: String,
    },
    /// The carrier's answer to the dial request.
    Replied {
        /// Which attempt.
        attempt: AttemptNumber,
        /// What it said.
        reply: DialReply,
    },
    /// News of a call.
    News {
        /// Which attempt.
        attempt: AttemptNumber,
        /// What is new.
        fact: CallFact,
        /// From where.
        source: Source,
    },
    /// The carrier was asked.
    Asked {
        /// Which attempt.
        attempt: AttemptNumber,
        /// When the question was put: an answer is no fresher than that, however late it is taken in.
        asked_at: Moment,
        /// What it said.
        answer: Found,
    },
    /// What came of the conversation.
    Verdict {
        /// Which attempt.
        attempt: AttemptNumber,
        /// What came of it.
        outcome: Outcome,
        /// Who says so.
        source: Source,
    },
    /// What a call cost.
    Priced {
        /// Which attempt.
        attempt: AttemptNumber,
        /// What its carrier says.
        cost: Cost,
    },
    /// A job asks whether it may have the carrier hand the call over.
    BeginTransfer {
        /// Which attempt.
        attempt: AttemptNumber,
        /// Which of its transfers.
        transfer: NonZeroU16,
        /// Whether the asking job's lease still holds.
        lease_held: bool,
        /// Whether the number that would ring is on a list of those not to be called.
        suppressed: bool,
    },
    /// What is learnt of a transfer.
    Transferred {
        /// Which attempt.
        attempt: AttemptNumber,
        /// Which of its transfers.
        transfer: NonZeroU16,
        /// What.
        told: TransferTold,
    },
    /// `wake_at` has come, or somebody believes so.
    Timer,
    /// A step's job ran out of tries.
    JobQuarantined {
        /// Its kind.
        kind: String,
        /// Its last error.
        error: String,
    },
    /// The campaign ended while the lead was not finished.
    CampaignEnded {
        /// Who ended it.
        actor: String,
        /// In their words.
        reason: Option<String>,
    },
    /// Consent of the lead's person was recorded.
    ConsentRecorded {
        /// Who recorded it.
        actor: String,
    },
    /// A person's order.
    Command {
        /// What is to be done.
        command: Command,
        /// Who.
        actor: String,
        /// In their words.
        reason: Option<String>,
        /// Whether it is for this lead alone, and goes on record so. An order for many is on record as one.
        #[serde(default)]
        alone: bool,
    },
}

/// News that names its call in the carrier's words alone, so that the attempt has to be found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum CallNews {
    /// As [`Input::News`].
    Fact {
        /// What is new.
        fact: CallFact,
        /// From where.
        source: Source,
    },
    /// As [`Input::Verdict`].
    Verdict {
        /// What came of it.
        outcome: Outcome,
        /// Who says so.
        source: Source,
    },
}

impl CallNews {
    /// The same, now that it is known which attempt made the call.
    pub fn of(self, attempt: AttemptNumber) -> Input {
        match self {
            Self::Fact { fact, source } => Input::News { attempt, fact, source },
            Self::Verdict { outcome, source } => Input::Verdict { attempt, outcome, source },
        }
    }
}

/// What a person may order for one lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Hold it until resumed. A call under way goes on.
    Pause,
    /// Let it go again.
    Resume,
    /// End it. A call under way goes on, and no other follows.
    Cancel,
    /// Try it (again) now, with the policy's attempts granted anew.
    Retry,
    /// Call it at this time, and not before. A call under way goes on.
    Reschedule {
        /// When. In the past, it is due at once.
        at: Moment,
    },
    /// Change how soon it is called among those that are due.
    Prioritise {
        /// The new priority.
        priority: Priority,
    },
    /// End the call that is under way, as far as its carrier can. What follows for the lead is decided as
    /// after any call.
    HangUp,
    /// Have the carrier hand the call that is under way to somebody else. What follows for the lead is decided as
    /// after any call.
    Transfer {
        /// To whom.
        to: TransferTo,
        /// What they are told before they are put through.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        briefing: Option<Briefing>,
    },
    /// End it as if it had never come, unless it was ever called: for what was imported by mistake.
    Undo,
    /// Record another outcome of an attempt that is over, as somebody who knows better says. It causes no call; one
    /// after which nobody is called again ends the lead.
    Correct {
        /// Which attempt.
        attempt: AttemptNumber,
        /// What came of it.
        outcome: Outcome,
    },
}

impl Command {
    /// The name used in data.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Reschedule { .. } => "reschedule",
            Self::Prioritise { .. } => "prioritise",
            Self::HangUp => "hang_up",
            Self::Transfer { .. } => "transfer",
            Self::Undo => "undo",
            Self::Correct { .. } => "correct",
        }
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prioritise { priority } => write!(f, "prioritise as {}", priority.name()),
            Self::Pause
            | Self::Resume
            | Self::Cancel
            | Self::Retry
            | Self::Reschedule { .. }
            | Self::Transfer { .. }
            | Self::Undo => f.write_str(self.name()),
            Self::HangUp => f.write_str("hang up"),
            Self::Correct { attempt, outcome } => write!(f, "correct attempt {attempt} to {outcome}"),
        }
    }
}

impl Input {
    /// The name used in data.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Admit { .. } => "admit",
            Self::NumberBusy => "number_busy",
            Self::Submit { .. } => "submit",
            Self::Resend { .. } => "resend",
            Self::NotSent { .. } => "not_sent",
            Self::Replied { .. } => "replied",
            Self::News { .. } => "news",
            Self::Asked { .. } => "asked",
            Self::Verdict { .. } => "verdict",
            Self::Priced { .. } => "priced",
            Self::BeginTransfer { .. } => "begin_transfer",
            Self::Transferred { .. } => "transferred",
            Self::Timer => "timer",
            Self::JobQuarantined { .. } => "job_quarantined",
            Self::CampaignEnded { .. } => "campaign_ended",
            Self::ConsentRecorded { .. } => "consent_recorded",
            Self::Command { .. } => "command",
        }
    }

    /// Whether it may forbid calls, so that its batch must take the client's
    /// barrier exclusively.
    pub fn may_forbid(&self) -> bool {
        match self {
            Self::Verdict { outcome, .. } => *outcome == Outcome::DoNotCall,
            Self::News { fact, .. } | Self::Asked { answer: Found::Call(fact), .. } => fact.forbids(),
            Self::Command { command, .. } => match command {
                Command::Pause | Command::Cancel | Command::Reschedule { .. } | Command::Undo => true,
                Command::Correct { outcome, .. } => *outcome == Outcome::DoNotCall,
                Command::Resume
                | Command::Retry
                | Command::Prioritise { .. }
                | Command::HangUp
                | Command::Transfer { .. } => false,
            },
            Self::Admit { .. }
            | Self::NumberBusy
            | Self::Submit { .. }
            | Self::NotSent { .. }
            | Self::Resend { .. }
            | Self::Replied { .. }
            | Self::Asked { .. }
            | Self::Priced { .. }
            | Self::BeginTransfer { .. }
            | Self::Transferred { .. }
            | Self::Timer
            | Self::JobQuarantined { .. }
            | Self::CampaignEnded { .. }
            | Self::ConsentRecorded { .. } => false,
        }
    }

    /// The attempt it names, if it names one.
    pub fn attempt(&self) -> Option<AttemptNumber> {
        match self {
            Self::Submit { attempt, .. }
            | Self::Resend { attempt, .. }
            | Self::NotSent { attempt, .. }
            | Self::Replied { attempt, .. }
            | Self::News { attempt, .. }
            | Self::Asked { attempt, .. }
            | Self::Priced { attempt, .. }
            | Self::BeginTransfer { attempt, .. }
            | Self::Transferred { attempt, .. }
            | Self::Verdict { attempt, .. }
            | Self::Command { command: Command::Correct { attempt, .. }, .. } => Some(*attempt),
            Self::Admit { .. }
            | Self::NumberBusy
            | Self::Timer
            | Self::JobQuarantined { .. }
            | Self::CampaignEnded { .. }
            | Self::ConsentRecorded { .. }
            | Self::Command { .. } => None,
        }
    }
}

/// A workflow with those of its attempts that matter: the latest, the latest with an outcome, and
/// the ones that inputs name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The lead's state.
    pub workflow: Workflow,
    /// Rows of the dial ledger.
    pub attempts: Vec<Attempt>,
}

impl Run {
    /// The attempt with this number, if it is loaded.
    pub fn attempt(&self, number: AttemptNumber) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.number == number)
    }

    /// The latest attempt, if there is one.
    pub fn latest(&self) -> Option<&Attempt> {
        self.attempt(AttemptNumber::new(self.workflow.attempts)?)
    }

    /// What came of the latest attempt that came to anything, as amended since.
    pub fn last_outcome(&self) -> Option<Outcome> {
        self.attempt(AttemptNumber::new(self.workflow.recorded)?)?.outcome
    }

    /// The live attempt, if there is one. Only the latest can be live.
    pub fn live(&self) -> Option<&Attempt> {
        self.latest().filter(|attempt| attempt.is_live())
    }
}

/// What is known besides the run itself.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The time, read after the rows were locked.
    pub now: Moment,
    /// A random number, for jitter.
    pub chance: u64,
    /// The campaign's present rules; `None` if this version cannot read them.
    pub rules: Option<&'a Rules>,
    /// Their revision.
    pub revision: Revision,
    /// How patient to be with the carrier.
    pub times: CarrierTimes,
    /// How long after its submission the same request may be sent once more, where the carrier tells
    /// copies apart; `None` where it does not.
    pub resend_within: Option<TimeDelta>,
    /// The client's barrier version.
    pub barrier: BarrierVersion,
    /// What the gate needs; read for admissions and submissions. Without it nothing is dialled.
    pub gate: Option<&'a GateFacts>,
    /// The lead's number, for a new attempt.
    pub phone: Option<&'a crate::phone::PhoneNumber>,
}

/// A step that touches the outside, to be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobOrder {
    /// Send the dial request.
    Dial(AttemptNumber),
    /// Ask the carrier what became of it.
    AwaitStatus(AttemptNumber),
    /// Ask the carrier to end its call.
    HangUp(AttemptNumber),
    /// Ask the carrier to hand its call to somebody else, in this transfer of the call.
    Transfer(AttemptNumber, NonZeroU16),
}

/// What the asker is told, once the decision is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Taken in; it may have changed nothing.
    Noted,
    /// A slot and the number are held for this attempt.
    Reserved(AttemptNumber),
    /// Not admitted, for this reason.
    NotAdmitted(Why),
    /// The asking process may send this attempt's request, once, within the send deadline.
    Send(AttemptNumber),
    /// Nothing may be sent, for this reason.
    DoNotSend(Why),
    /// The job's lease was lost; whoever holds it now decides.
    LeaseLost,
    /// The order is carried out.
    Done,
    /// The order is carried out once the live attempt has resolved.
    Deferred,
    /// The order cannot be carried out, for this reason.
    Declined(String),
    /// The asking process may have the carrier hand the call over, once.
    Transfer(Transfer),
    /// The call cannot be handed over, for this reason.
    NoTransfer(CannotTransfer),
}

/// What follows from one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The workflow and its attempts as they now are.
    pub run: Run,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What to queue.
    pub jobs: Vec<JobOrder>,
    /// What conversations yielded, in the order in which it was told.
    pub results: Vec<(AttemptNumber, CallResults)>,
    /// Whether the lead's number goes on the client's suppression list.
    pub suppress: Option<AttemptNumber>,
    /// Whether an account is to rest, until when, and why.
    pub rest: Option<Rest>,
    /// What the asker is told.
    pub answer: Answer,
}

/// An account that is not to dial for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Which.
    pub account: AccountId,
    /// Until when; `None` until its carrier takes it again.
    pub until: Option<Moment>,
    /// In the carrier's words.
    pub cause: String,
}
