//! What one dial of a number leads to: what the phone does, and what the carrier does wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mix;
use crate::{
    carrier::{self, Phone, Quirk},
    media::{Caller, Keypress, Line, Says},
    millis,
};

/// One dial, from the request to the last callback. All times are nominal unless they say real.
///
/// ```
/// use outdial_emulators::exotel::{Outcome, Scenario};
/// let read: Scenario = serde_json::from_str(
///     r#"{"outcome": {"answered": {"talk_ms": 9000}},
///         "quirks": ["reordered_callbacks", {"duplicate_callbacks": {"extra": 2}}]}"#,
/// ).expect("a scenario");
/// assert_eq!(read.quirks.len(), 2);
/// assert!(matches!(read.outcome, Outcome::Answered { .. }));
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
    /// What the bot hears, if the call is answered and has one.
    #[serde(default)]
    pub caller: Caller,
}

/// What the phone does once it has rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Somebody, or a voicemail, answers: on the wire the two are alike.
    Answered {
        /// Time until they hang up; a bot that closes its socket ends the call before.
        #[serde(rename = "talk_ms", with = "millis")]
        talk: Duration,
    },
    /// Rings out.
    NoAnswer,
    /// Engaged.
    Busy,
    /// Invalid number or a carrier's failure.
    Failed,
    /// Cancelled on the carrier's side, which only some documents mention.
    Canceled,
    /// Nothing is heard of it again: no callback, and details say `in-progress` until ring timeout
    /// and time limit (30 s and 4 h unless given) have both passed, then `failed`.
    Silent,
}

impl Scenario {
    fn new(outcome: Outcome) -> Self {
        Self { outcome, ring: carrier::usual_ring(), quirks: Vec::new(), caller: Caller::default() }
    }

    /// Answered, and hung up after `talk`.
    pub fn answered(talk: Duration) -> Self {
        Self::new(Outcome::Answered { talk })
    }

    /// Cancelled by the carrier.
    pub fn canceled() -> Self {
        Self::new(Outcome::Canceled)
    }

    /// The same with this audio from the far end.
    pub fn saying(mut self, says: Says) -> Self {
        self.caller.says = says;
        self
    }

    /// The same, taken by somebody who says and does this.
    pub fn with_caller(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    /// The same with these lines from the far end.
    pub fn talking(self, lines: impl IntoIterator<Item = Line>) -> Self {
        self.saying(Says::Lines(lines.into_iter().collect()))
    }

    /// The same with one more key pressed.
    pub fn pressing(mut self, digit: char, after: Duration) -> Self {
        self.caller.presses.push(Keypress { after, digit });
        self
    }
}

carrier::scenario!(Scenario, Outcome, mix::scenario);
