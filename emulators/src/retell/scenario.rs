//! What one dial of a number leads to: what the phone does, what is said of it, and what goes wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{mix, reason::Reason, results::Results};
use crate::{
    carrier::{self, Phone, Quirk},
    millis,
};

/// One dial, from the request to the last webhook. All times are nominal unless they say real.
///
/// ```
/// use outdial_emulators::retell::{Outcome, Reason, Scenario};
/// let read: Scenario = serde_json::from_str(
///     r#"{"outcome": {"answered": {"talk_ms": 9000, "end": "agent_hangup"}},
///         "results": {"analysis": {"user_sentiment": "Positive"}},
///         "quirks": ["reordered_callbacks", {"duplicate_callbacks": {"extra": 2}}]}"#,
/// ).expect("a scenario");
/// assert_eq!(read.quirks.len(), 2);
/// assert!(matches!(read.outcome, Outcome::Answered { end: Reason::AgentHangup, .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What the phone does.
    pub outcome: Outcome,
    /// How long it rings before that.
    #[serde(rename = "ring_ms", with = "millis", default = "carrier::usual_ring")]
    pub ring: Duration,
    /// What goes wrong besides. Faults of the request play in this order, see [`Quirk`].
    #[serde(default)]
    pub quirks: Vec<Quirk>,
    /// A transfer in the middle of the talk, if the call is answered.
    #[serde(default)]
    pub transfer: Option<Transfer>,
    /// What the provider says of the call afterwards.
    #[serde(default)]
    pub results: Results,
}

/// What the phone does once it has rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Somebody, or something, answers.
    Answered {
        /// Time until it ends; `max_call_duration_ms` may end it before.
        #[serde(rename = "talk_ms", with = "millis")]
        talk: Duration,
        /// Why it ends.
        #[serde(default)]
        end: Reason,
    },
    /// Rings out: `dial_no_answer`.
    NoAnswer,
    /// Engaged: `dial_busy`.
    Busy,
    /// A failure on the way: `dial_failed`.
    Failed,
    /// Ends without being connected, for any reason.
    Unconnected(Reason),
    /// Nothing is heard of it again: no webhook, and `registered` until the longest ring and the
    /// longest call have both passed, then `error` with `registered_call_timeout`.
    Silent,
}

/// The agent hands the call over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Phone number or SIP URI.
    pub to: String,
    /// Whether somebody takes it: then the call ends there, else it goes on.
    pub bridged: bool,
    /// How long the other two talk.
    #[serde(rename = "lasts_ms", with = "millis", default = "usual_transfer")]
    pub lasts: Duration,
}

fn usual_transfer() -> Duration {
    Duration::from_secs(60)
}

impl Scenario {
    fn new(outcome: Outcome) -> Self {
        let (quirks, results) = (Vec::new(), Results::default());
        Self { outcome, ring: carrier::usual_ring(), quirks, transfer: None, results }
    }

    /// Answered, and hung up by the callee after `talk`.
    pub fn answered(talk: Duration) -> Self {
        Self::answered_until(Reason::UserHangup, talk)
    }

    /// Answered, and over after `talk` for this reason.
    pub fn answered_until(end: Reason, talk: Duration) -> Self {
        Self::new(Outcome::Answered { talk, end })
    }

    /// Never connected, for this reason.
    pub fn unconnected(reason: Reason) -> Self {
        Self::new(Outcome::Unconnected(reason))
    }

    /// The callee rejects the call.
    pub fn declined() -> Self {
        Self::unconnected(Reason::UserDeclined)
    }

    /// A voicemail answers and is recognised.
    pub fn voicemail() -> Self {
        Self::answered_until(Reason::VoicemailReached, Duration::from_secs(8))
    }

    /// A phone menu answers and is recognised.
    pub fn ivr() -> Self {
        Self::answered_until(Reason::IvrReached, Duration::from_secs(12))
    }

    /// Answered, and the callee does not want to be called again.
    pub fn dnc_requested(talk: Duration) -> Self {
        Self::answered_until(Reason::UserRequestedDnc, talk)
    }

    /// Answered, and handed over to `to` after `talk`.
    pub fn transferred(talk: Duration, to: &str) -> Self {
        let transfer = Transfer { to: to.to_owned(), bridged: true, lasts: usual_transfer() };
        Self::answered_until(Reason::CallTransfer, talk).transferring(transfer)
    }

    /// The same with a transfer half-way through the talk.
    pub fn transferring(self, transfer: Transfer) -> Self {
        Self { transfer: Some(transfer), ..self }
    }

    /// The same with other results.
    pub fn resulting(self, results: Results) -> Self {
        Self { results, ..self }
    }
}

carrier::scenario!(Scenario, Outcome, mix::scenario);
