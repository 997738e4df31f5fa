//! What carriers tell us about a call, in our own words.

use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::money::Cost;
use crate::outcome::Outcome;
use crate::results::CallResults;

/// The carrier's name for a call. Opaque.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub String);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that calls come from, as the carrier's account knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallerId(pub String);

impl fmt::Display for CallerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a call has come. Only ever moves towards the end; see [`CallStatus::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// Reserved here; nothing has been sent.
    Scheduled,
    /// The dial request was committed to and may have been sent.
    Initiated,
    /// The carrier says that the phone rings.
    Ringing,
    /// Somebody or something answered.
    Connected,
    /// The conversation has begun.
    InProgress,
    /// The call ran its course, answered or not.
    Completed,
    /// The call could not be made.
    Failed,
    /// The call was given up before it was made.
    Cancelled,
}

impl CallStatus {
    /// Where the status stands on the way to the end; the three ends share a rank.
    pub fn rank(self) -> u8 {
        match self {
            Self::Scheduled => 0,
            Self::Initiated => 1,
            Self::Ringing => 2,
            Self::Connected => 3,
            Self::InProgress => 4,
            Self::Completed | Self::Failed | Self::Cancelled => 5,
        }
    }

    /// True for the three ends.
    pub fn is_final(self) -> bool {
        self.rank() == Self::Completed.rank()
    }

    /// The later of the two. What is final stays, and news from the past changes nothing.
    #[must_use]
    pub fn advance(self, to: Self) -> Self {
        if to.rank() > self.rank() { to } else { self }
    }

    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::Connected => "connected",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How a call ended, as the carrier saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// The called side picked up.
    Answered,
    /// It rang until the carrier gave up, or the person let it.
    NoAnswer,
    /// The line was engaged, or the call was declined.
    Busy,
    /// A machine picked up, and the carrier could tell.
    Voicemail,
    /// The carrier could not put the call through.
    Failed,
    /// The carrier says that there is no such number.
    InvalidNumber,
    /// The carrier accepted the call and then lost track of it.
    Lost,
}

impl CallResult {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Voicemail => "voicemail",
            Self::Failed => "failed",
            Self::InvalidNumber => "invalid_number",
            Self::Lost => "lost",
        }
    }

    /// The outcome when nobody reports anything more particular.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Answered => Outcome::Successful,
            Self::NoAnswer => Outcome::NoAnswer,
            Self::Busy => Outcome::Busy,
            Self::Voicemail => Outcome::Voicemail,
            Self::Failed => Outcome::Failed,
            Self::InvalidNumber => Outcome::InvalidNumber,
            Self::Lost => Outcome::Unknown,
        }
    }

    /// The final status of a call that ended so.
    pub fn status(self) -> CallStatus {
        match self {
            Self::Answered | Self::NoAnswer | Self::Busy | Self::Voicemail => CallStatus::Completed,
            Self::Failed | Self::InvalidNumber | Self::Lost => CallStatus::Failed,
        }
    }
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEnd {
    /// How it ended.
    pub result: CallResult,
    /// How long the two sides were connected; `None` if the carrier did not say.
    pub talk: Option<Talk>,
    /// The carrier's own word for the reason, for people to read.
    pub cause: Option<String>,
}

/// Time spent connected, in whole milliseconds. Never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Talk {
    /// Milliseconds.
    pub ms: u32,
}

impl Talk {
    /// From whole seconds, as carriers bill; capped at about 49 days.
    pub fn from_seconds(seconds: u32) -> Self {
        Self { ms: seconds.saturating_mul(1_000) }
    }

    /// As a span of time.
    pub fn delta(self) -> TimeDelta {
        TimeDelta::milliseconds(i64::from(self.ms))
    }
}

/// Who told us something about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The answer to the dial request itself.
    Reply,
    /// The carrier's webhook.
    Webhook,
    /// The carrier's media stream.
    Stream,
    /// The agent that holds the conversation.
    Agent,
    /// We asked.
    Poll,
    /// A person, or a program on a person's behalf.
    Operator,
}

impl Source {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Webhook => "webhook",
            Self::Stream => "stream",
            Self::Agent => "agent",
            Self::Poll => "poll",
            Self::Operator => "operator",
        }
    }
}

/// One piece of news about a call. News is idempotent: it may come twice, late,
/// and in any order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFact {
    /// The carrier's name for the call, where the news bears it.
    pub call_id: Option<CallId>,
    /// How far the call has come.
    pub status: CallStatus,
    /// When the called side picked up, if the carrier says.
    pub answered_at: Option<Moment>,
    /// Set once the call is over.
    pub end: Option<CallEnd>,
    /// Whether a mailbox's tone was just heard, behind its greeting.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tone: bool,
    /// Where a recording lies, if there is one.
    pub recording_url: Option<String>,
    /// What the call cost, if the carrier says so with the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What the conversation yielded, as far as it is told here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Box<CallResults>>,
}

impl CallFact {
    /// News of a call under way.
    pub fn progress(call_id: Option<CallId>, status: CallStatus) -> Self {
        Self {
            call_id,
            status,
            answered_at: None,
            end: None,
            tone: false,
            recording_url: None,
            cost: None,
            results: None,
        }
    }

    /// News of a call's end.
    pub fn ended(call_id: Option<CallId>, end: CallEnd) -> Self {
        let status = end.result.status();
        Self { end: Some(end), ..Self::progress(call_id, status) }
    }

    /// Whether the person asked not to be called again.
    pub fn forbids(&self) -> bool {
        self.results.as_ref().is_some_and(|results| results.outcome() == Some(Outcome::DoNotCall))
    }
}

/// What the carrier answered to a dial request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum DialReply {
    /// Accepted, under this name.
    Bound {
        /// The carrier's name for the call.
        call_id: CallId,
    },
    /// Turned down before anything rang.
    Refused(Refusal),
    /// The request may have taken effect: ask before anything else is dialled.
    Unknown {
        /// What happened, for people to read.
        cause: String,
    },
}

/// A dial request that certainly rang no phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Whose trouble it is.
    pub kind: RefusalKind,
    /// What the carrier said, without credentials or phone numbers.
    pub cause: String,
}

/// Whose trouble a refusal is, and so what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The bytes never left; the carrier knows nothing of it.
    NotSent,
    /// As [`Self::NotSent`], and only because we ourselves were too late: the carrier was not even tried.
    TooLate,
    /// Too many requests. `retry_after_ms` as the carrier asked, if it did.
    Throttled {
        /// Milliseconds to wait before this account dials again.
        retry_after_ms: Option<u32>,
    },
    /// The account may not dial: wrong key, no balance, suspended.
    AccountUnusable,
    /// The carrier does not take this number.
    InvalidNumber,
    /// The carrier may not call this person: a registry it heeds names the number.
    Barred,
    /// The carrier turns this request down, and would do so again.
    Rejected,
    /// What the request says of our side is wrong: a number that the account does not own, an agent
    /// that does not exist, a variable without a value. Nothing about the person.
    Misconfigured,
}

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nobody is to blame: try the lead again after the refusal backoff.
    RetryLater,
    /// Keep the account from dialling for a while, and try the lead again later.
    RestAccount(TimeDelta),
    /// Keep the account from dialling until the carrier takes it again, and try the lead again later.
    HoldAccount,
    /// The lead ends with this outcome.
    GiveUp(Outcome),
    /// Put the lead aside until somebody has mended what is wrong, and resumes it.
    Hold,
}

impl RefusalKind {
    /// How long an account rests after a 429 that names no time. Exotel's limit
    /// counts a minute, so a quarter of one frees a quarter of it.
    pub const REST_THROTTLED: TimeDelta = TimeDelta::seconds(15);

    /// What to do about it.
    pub fn remedy(self) -> Remedy {
        match self {
            Self::NotSent | Self::TooLate => Remedy::RetryLater,
            Self::Throttled { retry_after_ms } => Remedy::RestAccount(
                retry_after_ms.map_or(Self::REST_THROTTLED, |ms| TimeDelta::milliseconds(ms.into())),
            ),
            Self::AccountUnusable => Remedy::HoldAccount,
            Self::InvalidNumber => Remedy::GiveUp(Outcome::InvalidNumber),
            Self::Barred | Self::Rejected => Remedy::GiveUp(Outcome::Failed),
            Self::Misconfigured => Remedy::Hold,
        }
    }

    /// Whether the carrier saw the request.
    pub fn was_seen(self) -> bool {
        match self {
            Self::NotSent | Self::TooLate => false,
            Self::Throttled { .. }
            | Self::AccountUnusable
            | Self::InvalidNumber
            | Self::Barred
            | Self::Rejected
            | Self::Misconfigured => true,
        }
    }
}

/// What the carrier says when asked about a call that may not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Found {
    /// It exists; here is the latest about it.
    Call(CallFact),
    /// It is not in the carrier's lists. That is proof of absence only once the
    /// request is older than `conclusive_after_ms`.
    NotSeen {
        /// Milliseconds after submission from which silence is conclusive.
        conclusive_after_ms: i64,
    },
    /// The carrier could not be asked, or could not say.
    CannotTell {
        /// What happened, for people to read.
        cause: String,
    },
}

/// How patient to be with a carrier. Adapters know these; tests and the demo lower them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarrierTimes {
    /// A submitted request without any result becomes unknown after this. Longer
    /// than the send deadline and the request timeout together, so that a live
    /// sender has always had its say.
    pub silence: TimeDelta,
    /// The first question about an unknown dial, after it became unknown. Doubles up to `ask_cap`.
    pub ask_first: TimeDelta,
    /// The first question about an accepted call, after it was accepted. Doubles up to `ask_cap`.
    pub poll_first: TimeDelta,
    /// The longest pause between two questions.
    pub ask_cap: TimeDelta,
}

impl CarrierTimes {
    /// The pause before question `asked + 1`, given the pause before the first.
    pub fn pause(&self, first: TimeDelta, asked: u16) -> TimeDelta {
        let doubled = first.checked_mul(1 << asked.min(20)).unwrap_or(self.ask_cap);
        doubled.min(self.ask_cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [CallStatus; 8] = [
        CallStatus::Scheduled,
        CallStatus::Initiated,
        CallStatus::Ringing,
        CallStatus::Connected,
        CallStatus::InProgress,
        CallStatus::Completed,
        CallStatus::Failed,
        CallStatus::Cancelled,
    ];

    #[test]
    fn a_status_only_moves_forward_and_its_end_stays() {
        for from in ALL {
            for to in ALL {
                let reached = from.advance(to);
                assert!(reached.rank() >= from.rank());
                if from.is_final() {
                    assert_eq!(reached, from);
                }
            }
        }
    }

    #[test]
    fn questions_to_the_carrier_grow_rarer_up_to_the_cap() {
        let times = CarrierTimes {
            silence: TimeDelta::seconds(20),
            ask_first: TimeDelta::seconds(5),
            poll_first: TimeDelta::seconds(60),
            ask_cap: TimeDelta::seconds(60),
        };
        let pauses: Vec<i64> =
            (0..6).map(|asked| times.pause(times.ask_first, asked).num_seconds()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        assert_eq!(times.pause(times.ask_first, u16::MAX), times.ask_cap);
    }
}
