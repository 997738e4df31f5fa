//! What happened to a lead, as its append-only history tells it.
//!
//! Events hold ids, times and reasons, and no personal data, so that erasing a
//! person rewrites nothing.

use std::num::NonZeroU16;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::attempt::{BarrierVersion, Revision};
use crate::call::{CallId, CallResult, CallStatus, Found, RefusalKind, Source, Talk};
use crate::gate::Kept;
use crate::ids::{AccountId, AttemptNumber};
use crate::money::Cost;
use crate::outcome::Outcome;
use crate::transfer::TransferTold;
use crate::why::Why;

/// The steps in which people think of a lead's life. Each event belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Deciding when.
    Schedule,
    /// Reserving, committing and sending.
    Dial,
    /// Learning what became of it.
    AwaitStatus,
    /// Deciding to try again.
    Retry,
    /// Writing down what came of it.
    RecordOutcome,
    /// A person stepped in.
    Operate,
}

impl Step {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Dial => "dial",
            Self::AwaitStatus => "await_status",
            Self::Retry => "retry",
            Self::RecordOutcome => "record_outcome",
            Self::Operate => "operate",
        }
    }
}

/// A part of what is known of a lead's person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonPart {
    /// The number they are called on.
    Number,
    /// What they are called.
    Name,
    /// The zone by whose clock they live.
    Zone,
    /// Where they are.
    Region,
    /// What else is known of them.
    Attributes,
}

impl PersonPart {
    /// The name used in data and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Name => "name",
            Self::Zone => "zone",
            Self::Region => "region",
            Self::Attributes => "attributes",
        }
    }

    /// Some of them, for people.
    pub fn list(parts: &[Self]) -> String {
        parts.iter().map(|part| part.name()).collect::<Vec<_>>().join(", ")
    }

    /// Whether the rules of a call ask for it: those are other rules, maybe, once it is another.
    pub fn moves(self) -> bool {
        matches!(self, Self::Number | Self::Zone | Self::Region)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The lead was accepted.
    Accepted,
    /// The gate moved the lead to a later time.
    Postponed {
        /// To when.
        until: Moment,
        /// For which reason.
        reason: Why,
    },
    /// The gate, or a person, put the lead aside.
    Held {
        /// For which reason.
        reason: Why,
    },
    /// Admission took a slot and the number.
    Reserved {
        /// The new attempt.
        attempt: AttemptNumber,
        /// The rules it is made under.
        revision: Revision,
        /// The account it dials from.
        account: AccountId,
        /// The zone by whose clock times are shown; `None` for the open calendar.
        zone: Option<Tz>,
        /// By whose clocks and rules the person may be called; `None` for the open calendar.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Kept>,
        /// When it must have been submitted.
        dial_by: Moment,
    },
    /// Given up before anything was sent.
    Withdrawn {
        /// Which.
        attempt: AttemptNumber,
        /// For which reason.
        reason: Why,
    },
    /// Committed to: from now on its phone may ring.
    Submitted {
        /// Which.
        attempt: AttemptNumber,
        /// The client's barrier version at that moment.
        barrier: BarrierVersion,
    },
    /// The carrier accepted it.
    Bound {
        /// Which.
        attempt: AttemptNumber,
        /// The carrier's name for it, where known.
        call_id: Option<CallId>,
        /// How we learnt of it.
        source: Source,
    },
    /// The carrier certainly did not accept it.
    Refused {
        /// Which.
        attempt: AttemptNumber,
        /// Whose trouble it is.
        kind: RefusalKind,
        /// In the carrier's words, or ours.
        cause: String,
    },
    /// It cannot be known whether the request took effect.
    BecameUnknown {
        /// Which.
        attempt: AttemptNumber,
        /// What happened.
        cause: String,
    },
    /// The carrier was asked, and did not know of the call, or could not say.
    Asked {
        /// Which.
        attempt: AttemptNumber,
        /// What it said.
        answer: Found,
    },
    /// The carrier said what the call cost.
    Priced {
        /// Which.
        attempt: AttemptNumber,
        /// How much.
        cost: Cost,
    },
    /// The carrier has had all the time it allows, and knows no such call.
    Absent {
        /// Which.
        attempt: AttemptNumber,
    },
    /// News of a call that had been concluded not to exist. Alerted.
    BoundLate {
        /// Which.
        attempt: AttemptNumber,
        /// The carrier's name for it, where known.
        call_id: Option<CallId>,
    },
    /// The carrier names a second call for one attempt. Must be impossible; alerted.
    SecondCall {
        /// Which.
        attempt: AttemptNumber,
        /// The second call's name.
        call_id: CallId,
    },
    /// The call came further.
    Progressed {
        /// Which.
        attempt: AttemptNumber,
        /// How far.
        status: CallStatus,
        /// How we learnt of it.
        source: Source,
    },
    /// The call is over.
    Ended {
        /// Which.
        attempt: AttemptNumber,
        /// How it ended.
        result: CallResult,
        /// Time connected.
        talk: Option<Talk>,
        /// How we learnt of it.
        source: Source,
    },
    /// Somebody reported what came of the conversation.
    Reported {
        /// Which.
        attempt: AttemptNumber,
        /// What they reported.
        outcome: Outcome,
        /// Who.
        source: Source,
    },
    /// Results of the conversation came in; they lie beside the ledger.
    Results {
        /// Which.
        attempt: AttemptNumber,
        /// Who told.
        source: Source,
    },
    /// The same request was sent once more, to learn what became of the first.
    Resent {
        /// Which.
        attempt: AttemptNumber,
        /// The client's barrier version at that moment.
        barrier: BarrierVersion,
    },
    /// An attempt's outcome was recorded.
    OutcomeRecorded {
        /// Which.
        attempt: AttemptNumber,
        /// What came of it.
        outcome: Outcome,
    },
    /// A recorded outcome was amended by late news; nothing is dialled because of it.
    OutcomeAmended {
        /// Which.
        attempt: AttemptNumber,
        /// What it is now.
        outcome: Outcome,
    },
    /// Another attempt follows.
    RetryScheduled {
        /// Due from then on, not yet snapped to the calling window.
        at: Moment,
        /// For which reason.
        reason: Why,
    },
    /// The lead is done.
    Finished {
        /// What came of it; `None` if it ended before anything did.
        outcome: Option<Outcome>,
        /// For which reason.
        reason: Why,
    },
    /// The number was put on the client's suppression list.
    Suppressed {
        /// Because of which attempt.
        attempt: AttemptNumber,
    },
    /// A person stepped in.
    Commanded {
        /// What they asked for.
        command: String,
        /// Who.
        actor: String,
        /// In their words.
        reason: Option<String>,
        /// Whether it waits for the live attempt to resolve.
        deferred: bool,
    },
    /// Somebody put right who its person is. What was edited is not told here: histories name nobody.
    PersonEdited {
        /// What was edited; at least one.
        parts: Vec<PersonPart>,
        /// Who did it.
        actor: String,
        /// In their words.
        reason: Option<String>,
    },
    /// The carrier is asked, once, to hand the call to somebody else.
    TransferAsked {
        /// Which.
        attempt: AttemptNumber,
        /// Which of its transfers.
        transfer: NonZeroU16,
    },
    /// Something was learnt of a transfer.
    Transferred {
        /// Which.
        attempt: AttemptNumber,
        /// Which of its transfers.
        transfer: NonZeroU16,
        /// What.
        told: TransferTold,
    },
    /// A step's job ran out of tries and was put aside; the timers go on without it.
    JobQuarantined {
        /// The job's kind.
        kind: String,
        /// Its last error.
        error: String,
    },
}

impl Event {
    /// The name used in data.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Postponed { .. } => "postponed",
            Self::Held { .. } => "held",
            Self::Reserved { .. } => "reserved",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Submitted { .. } => "submitted",
            Self::Bound { .. } => "bound",
            Self::Refused { .. } => "refused",
            Self::BecameUnknown { .. } => "became_unknown",
            Self::Asked { .. } => "asked",
            Self::Priced { .. } => "priced",
            Self::Absent { .. } => "absent",
            Self::BoundLate { .. } => "bound_late",
            Self::SecondCall { .. } => "second_call",
            Self::Progressed { .. } => "progressed",
            Self::Ended { .. } => "ended",
            Self::Reported { .. } => "reported",
            Self::Results { .. } => "results",
            Self::Resent { .. } => "resent",
            Self::OutcomeRecorded { .. } => "outcome_recorded",
            Self::OutcomeAmended { .. } => "outcome_amended",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::Finished { .. } => "finished",
            Self::Suppressed { .. } => "suppressed",
            Self::Commanded { .. } => "commanded",
            Self::PersonEdited { .. } => "person_edited",
            Self::TransferAsked { .. } => "transfer_asked",
            Self::Transferred { .. } => "transferred",
            Self::JobQuarantined { .. } => "job_quarantined",
        }
    }

    /// Whether somebody edited where the person is, or on which number.
    pub fn moves_person(&self) -> bool {
        let Self::PersonEdited { parts, .. } = self else { return false };
        parts.iter().any(|part| part.moves())
    }

    /// The step it belongs to.
    pub fn step(&self) -> Step {
        match self {
            Self::Accepted | Self::Postponed { .. } | Self::Held { .. } => Step::Schedule,
            Self::Reserved { .. }
            | Self::Withdrawn { .. }
            | Self::Submitted { .. }
            | Self::Bound { .. }
            | Self::Refused { .. }
            | Self::BecameUnknown { .. }
            | Self::Resent { .. }
            | Self::BoundLate { .. }
            | Self::SecondCall { .. } => Step::Dial,
            Self::Asked { .. }
            | Self::Absent { .. }
            | Self::Progressed { .. }
            | Self::Ended { .. }
            | Self::JobQuarantined { .. } => Step::AwaitStatus,
            Self::RetryScheduled { .. } => Step::Retry,
            Self::Reported { .. }
            | Self::Results { .. }
            | Self::OutcomeRecorded { .. }
            | Self::OutcomeAmended { .. }
            | Self::Priced { .. }
            | Self::Suppressed { .. }
            | Self::Finished { .. } => Step::RecordOutcome,
            Self::Commanded { .. }
            | Self::PersonEdited { .. }
            | Self::TransferAsked { .. }
            | Self::Transferred { .. } => Step::Operate,
        }
    }

    /// The attempt it is about, if it is about one.
    pub fn attempt(&self) -> Option<AttemptNumber> {
        match self {
            Self::Reserved { attempt, .. }
            | Self::Withdrawn { attempt, .. }
            | Self::Submitted { attempt, .. }
            | Self::Bound { attempt, .. }
            | Self::Refused { attempt, .. }
            | Self::BecameUnknown { attempt, .. }
            | Self::Asked { attempt, .. }
            | Self::Priced { attempt, .. }
            | Self::Absent { attempt }
            | Self::BoundLate { attempt, .. }
            | Self::SecondCall { attempt, .. }
            | Self::Progressed { attempt, .. }
            | Self::Ended { attempt, .. }
            | Self::Reported { attempt, .. }
            | Self::Results { attempt, .. }
            | Self::Resent { attempt, .. }
            | Self::OutcomeRecorded { attempt, .. }
            | Self::OutcomeAmended { attempt, .. }
            | Self::TransferAsked { attempt, .. }
            | Self::Transferred { attempt, .. }
            | Self::Suppressed { attempt } => Some(*attempt),
            Self::Accepted
            | Self::Postponed { .. }
            | Self::Held { .. }
            | Self::RetryScheduled { .. }
            | Self::Finished { .. }
            | Self::Commanded { .. }
            | Self::PersonEdited { .. }
            | Self::JobQuarantined { .. } => None,
        }
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accepted => f.write_str("lead accepted"),
            Self::Postponed { until, reason } => write!(f, "postponed to {}: {reason}", clock(*until)),
            Self::Held { reason } => write!(f, "held: {reason}"),
            Self::Reserved { attempt, revision, dial_by, zone, kept, .. } => {
                let zones = kept.as_ref().map_or(zone.as_slice(), |kept| kept.place.zones());
                let zones: Vec<&str> = zones.iter().map(|zone| zone.name()).collect();
                let hours = match zones.is_empty() {
                    true => "the open calendar".to_owned(),
                    false => format!("calling hours in {}", zones.join(" and ")),
                };
                write!(
                    f,
                    "attempt {attempt} reserved under revision {}, within {hours}, to be sent by {}",
                    revision.0,
                    clock(*dial_by)
                )
            }
            Self::Withdrawn { attempt, reason } => write!(f, "attempt {attempt} withdrawn: {reason}"),
            Self::Submitted { attempt, .. } => write!(f, "attempt {attempt} committed to and sent"),
            Self::Bound { attempt, call_id: Some(call_id), .. } => {
                write!(f, "attempt {attempt} accepted by the carrier as call {call_id}")
            }
            Self::Bound { attempt, call_id: None, .. } => {
                write!(f, "attempt {attempt} accepted by the carrier")
            }
            Self::Refused { attempt, cause, .. } => write!(f, "attempt {attempt} turned down: {cause}"),
            Self::BecameUnknown { attempt, cause } => {
                write!(f, "attempt {attempt} unknown, the carrier will be asked: {cause}")
            }
            Self::Asked { attempt, answer } => match answer {
                Found::Call(_) => write!(f, "asked about attempt {attempt}: the carrier has the call"),
                Found::NotSeen { .. } => {
                    write!(f, "asked about attempt {attempt}: the carrier does not list it")
                }
                Found::CannotTell { cause } => {
                    write!(f, "asked about attempt {attempt}, without an answer: {cause}")
                }
            },
            Self::Results { attempt, .. } => write!(f, "results of attempt {attempt} came in"),
            Self::Resent { attempt, .. } => {
                write!(f, "the request of attempt {attempt} was sent once more, to learn what became of it")
            }
            Self::Priced { attempt, cost } => write!(f, "attempt {attempt} cost {cost}"),
            Self::Absent { attempt } => write!(f, "attempt {attempt} certainly never reached the carrier"),
            Self::BoundLate { attempt, .. } => {
                write!(
                    f,
                    "ALERT: the carrier made a call for attempt {attempt}, which had been concluded not to exist"
                )
            }
            Self::SecondCall { attempt, call_id } => {
                write!(f, "ALERT: the carrier names a second call for attempt {attempt}: {call_id}")
            }
            Self::Progressed { attempt, status, .. } => {
                write!(f, "attempt {attempt} {}", status.name().replace('_', " "))
            }
            Self::Ended { attempt, result, talk, .. } => {
                write!(f, "attempt {attempt} ended: {}", result.outcome())?;
                match talk {
                    Some(talk) if talk.ms > 0 => {
                        write!(f, ", {:.1} s connected", f64::from(talk.ms) / 1_000.0)
                    }
                    Some(_) | None => Ok(()),
                }
            }
            Self::Reported { attempt, outcome, .. } => write!(f, "reported for attempt {attempt}: {outcome}"),
            Self::OutcomeRecorded { attempt, outcome } => {
                write!(f, "attempt {attempt} recorded as {outcome}")
            }
            Self::OutcomeAmended { attempt, outcome } => write!(f, "attempt {attempt} amended to {outcome}"),
            Self::RetryScheduled { at, reason } => write!(f, "due again at {}: {reason}", clock(*at)),
            Self::Finished { outcome: Some(outcome), reason } => write!(f, "finished as {outcome}: {reason}"),
            Self::Finished { outcome: None, reason } => write!(f, "finished without a call: {reason}"),
            Self::Suppressed { attempt } => write!(f, "number suppressed, as asked in attempt {attempt}"),
            Self::Commanded { command, actor, reason, deferred } => {
                write!(f, "{command} by {actor}")?;
                if let Some(reason) = reason {
                    write!(f, ": {reason}")?;
                }
                if *deferred { f.write_str(" (once the call under way has resolved)") } else { Ok(()) }
            }
            Self::PersonEdited { parts, actor, reason } => {
                write!(f, "{} edited by {actor}", PersonPart::list(parts))?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
            }
            Self::TransferAsked { attempt, .. } => {
                write!(f, "the carrier is asked to transfer the call of attempt {attempt}")
            }
            Self::Transferred { attempt, told, .. } => match told {
                TransferTold::UnderWay => {
                    write!(
                        f,
                        "the carrier transfers the call of attempt {attempt}, and rings whom it goes to"
                    )
                }
                TransferTold::Done => write!(f, "the call of attempt {attempt} was transferred"),
                TransferTold::Refused { cause } => {
                    write!(f, "the call of attempt {attempt} was not transferred: {cause}")
                }
                TransferTold::Unknown { cause } => {
                    write!(
                        f,
                        "it is not known whether the call of attempt {attempt} was transferred: {cause}"
                    )
                }
            },
            Self::JobQuarantined { kind, error } => {
                write!(f, "job {kind} put aside after its last try: {error}")
            }
        }
    }
}

fn clock(at: Moment) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}

/// An event where it stands in its lead's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place, from 1, without gaps.
    pub seq: i64,
    /// When it was decided, by the database's clock.
    pub at: Moment,
    /// What happened.
    pub event: Event,
}
