//! The dial ledger's row: one attempt, at most one call.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Moment;
use crate::call::{CallEnd, CallId, CallStatus, CallerId};
use crate::ids::{AccountId, AttemptNumber};
use crate::money::Cost;
use crate::outcome::Outcome;
use crate::phone::PhoneNumber;
use crate::transfer::{Transfer, TransferState};

/// Where an attempt stands between us and the carrier.
///
/// ```text
/// reserved → withdrawn | submitted → bound | refused | unknown → bound | refused | absent
/// absent, refused → bound late
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ledger {
    /// It holds a slot and the number; nothing may be sent yet.
    Reserved,
    /// Given up before anything was sent.
    Withdrawn,
    /// Committed to: the one process that holds the token may send, once.
    Submitted,
    /// The carrier accepted it.
    Bound,
    /// The carrier certainly did not.
    Refused,
    /// It cannot be known yet; the carrier is being asked.
    Unknown,
    /// The carrier has had all the time it allows, and knows no such call.
    Absent,
    /// News came of a call that had been concluded absent or refused. Recorded, alerted, never live.
    BoundLate,
}

impl Ledger {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Withdrawn => "withdrawn",
            Self::Submitted => "submitted",
            Self::Bound => "bound",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Absent => "absent",
            Self::BoundLate => "bound_late",
        }
    }
}

/// Counts the changes of a client that may forbid calls: a pause, a suppression, a
/// cancel. A reservation made under an older number is judged again before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BarrierVersion(pub i64);

/// A revision of a campaign's rules. Counts from 1; what is written never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub i32);

/// The commitment to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// When it was decided, by the database's clock.
    pub at: Moment,
    /// Known only to the process that may send.
    pub token: Uuid,
}

/// One row of the dial ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its place among the lead's attempts.
    pub number: AttemptNumber,
    /// The rules it was made under.
    pub revision: Revision,
    /// The account it dials from.
    pub account: AccountId,
    /// The number it dials from, picked from the campaign's; `None` if the campaign names none.
    pub caller_id: Option<CallerId>,
    /// The number dialled; `None` once the person was erased.
    pub phone: Option<PhoneNumber>,
    /// Where it stands.
    pub ledger: Ledger,
    /// Whether caps and retry limits see it.
    pub counts: bool,
    /// The client's barrier version when the facts were read.
    pub barrier: BarrierVersion,
    /// Nothing may be submitted from this moment on.
    pub dial_by: Moment,
    /// When it was reserved.
    pub reserved_at: Moment,
    /// Set from submission on.
    pub submission: Option<Submission>,
    /// When the request's result became known; from then on a rate window runs.
    pub replied_at: Option<Moment>,
    /// The carrier's name for the call.
    pub call_id: Option<CallId>,
    /// Another call that the carrier named for it, which must be impossible. Kept so that it
    /// raises one alert, however often it is told.
    pub second_call_id: Option<CallId>,
    /// How far the call has come.
    pub status: CallStatus,
    /// When the called side picked up.
    pub answered_at: Option<Moment>,
    /// When we learnt of the end, with what the carrier said.
    pub ended: Option<(Moment, CallEnd)>,
    /// What somebody reported about the conversation, if anybody did.
    pub verdict: Option<Outcome>,
    /// What was recorded in the end.
    pub outcome: Option<Outcome>,
    /// Where a recording lies.
    pub recording_url: Option<String>,
    /// How often the carrier was asked since the last news.
    pub asked: u16,
    /// What it cost, once the carrier has said.
    pub cost: Option<Cost>,
    /// The digest of the last results that were taken in, so that what is told twice is noted once.
    pub results: Option<i64>,
    /// The latest order to hand its call to somebody else.
    pub transfer: Option<Transfer>,
    /// Whether a person answered whom our own agent did not speak to in time; `None` where that is not known.
    pub abandoned: Option<bool>,
}

/// What an attempt takes of what may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spending {
    /// It may cost something; how much is not known.
    Open,
    /// It cost so much.
    Known(Cost),
}

impl Attempt {
    /// How long a reservation may wait for its dial job, in milliseconds: long
    /// enough for a busy queue, short enough that the facts it rests on are fresh.
    pub const RESERVED_FOR_MS: i64 = 5_000;

    /// A live attempt holds a slot and its number. It is one whose phone may ring
    /// now or later.
    pub fn is_live(&self) -> bool {
        match self.ledger {
            Ledger::Reserved | Ledger::Submitted | Ledger::Unknown => true,
            Ledger::Bound => self.ended.is_none(),
            Ledger::Withdrawn | Ledger::Refused | Ledger::Absent | Ledger::BoundLate => false,
        }
    }

    /// Whether its call was answered and is not over, as far as is known.
    pub fn is_in_conversation(&self) -> bool {
        self.ledger == Ledger::Bound && self.ended.is_none() && self.answered_at.is_some()
    }

    /// Whether its call was handed to somebody else.
    pub fn was_transferred(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.state == TransferState::Done)
    }

    /// What it takes of what may be spent; `None` if it certainly rang no phone.
    pub fn spending(&self) -> Option<Spending> {
        match self.ledger {
            Ledger::Withdrawn | Ledger::Refused | Ledger::Absent => None,
            Ledger::Reserved | Ledger::Submitted | Ledger::Unknown | Ledger::Bound | Ledger::BoundLate => {
                Some(self.cost.map_or(Spending::Open, Spending::Known))
            }
        }
    }

    /// What the end and the verdict amount to: the verdict where there is one.
    pub fn judged(&self) -> Outcome {
        let by_result = self.ended.as_ref().map(|(_, end)| end.result.outcome());
        self.verdict.or(by_result).unwrap_or(Outcome::Unknown)
    }
}
