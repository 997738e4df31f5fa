//! What one dial of a number leads to: what the phone does, and what the carrier does wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{hangup::Hangup, mix};
use crate::{
    carrier::{self, Phone, Quirk},
    media::{Caller, Keypress, Line, Says},
    millis,
};

/// One dial, from the request to the last webhook. All times are nominal.
///
/// ```
/// use outdial_emulators::telnyx::{Answerer, Outcome, Scenario};
/// let read: Scenario = serde_json::from_str(
///     r#"{"outcome": {"answered": {"talk_ms": 9000}}, "answerer": "machine_with_beep",
///         "quirks": ["reordered_callbacks", {"duplicate_callbacks": {"extra": 2}}]}"#,
/// ).expect("a scenario");
/// assert_eq!(read.answerer, Answerer::MachineWithBeep);
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
    /// Who answers, which answering machine detection finds out.
    #[serde(default)]
    pub answerer: Answerer,
    /// Time from the answer until detection has made up its mind.
    #[serde(rename = "detection_ms", with = "millis", default = "usual_detection")]
    pub detection: Duration,
    /// Time from the answer until a machine's greeting ends.
    #[serde(rename = "greeting_ms", with = "millis", default = "usual_greeting")]
    pub greeting: Duration,
    /// What the stream hears, if the call is answered and has one; keys are told to others too.
    #[serde(default)]
    pub caller: Caller,
    /// Why the call ended, where the outcome alone does not say enough.
    #[serde(default)]
    pub hangup: Option<Hangup>,
    /// Whether a recording that was asked for fails.
    #[serde(default)]
    pub recording_fails: bool,
    /// What is answered to the `<Gather>`s and `<Record>`s of a TeXML call, one each, in their order; to those behind the
    /// last, keys of `caller` alone.
    #[serde(default)]
    pub answers: Vec<Answer>,
}

/// What somebody does who is asked by a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// Presses keys, once all is said.
    Keys(String),
    /// Says something, once all is said.
    Words(String),
    /// Does nothing.
    Nothing,
    /// Hangs up.
    HangsUp,
}

fn usual_detection() -> Duration {
    Duration::from_secs(3)
}

fn usual_greeting() -> Duration {
    Duration::from_secs(8)
}

/// What the phone does once it has rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Somebody, or something, answers.
    Answered {
        /// Time until they hang up.
        #[serde(rename = "talk_ms", with = "millis")]
        talk: Duration,
    },
    /// Rings out.
    NoAnswer,
    /// Engaged.
    Busy,
    /// The call is declined.
    Rejected,
    /// No such number.
    Failed,
    /// Nothing is heard of it again after `call.initiated`: no webhook, and it stays alive until
    /// ring timeout and time limit have both passed.
    Silent,
}

/// Who answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answerer {
    /// Somebody at home.
    #[default]
    Human,
    /// Somebody at work; only premium detection can tell.
    Business,
    /// A voicemail that beeps after its greeting.
    MachineWithBeep,
    /// A voicemail without a beep.
    Machine,
    /// A phone that asks who is calling.
    Screening,
    /// A fax.
    Fax,
    /// Nobody speaks.
    Silence,
    /// Detection does not find out.
    NotSure,
}

impl Scenario {
    fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            ring: carrier::usual_ring(),
            quirks: Vec::new(),
            answerer: Answerer::default(),
            detection: usual_detection(),
            greeting: usual_greeting(),
            caller: Caller::default(),
            hangup: None,
            recording_fails: false,
            answers: Vec::new(),
        }
    }

    /// Answered, and hung up after `talk`.
    pub fn answered(talk: Duration) -> Self {
        Self::new(Outcome::Answered { talk })
    }

    /// Declined.
    pub fn rejected() -> Self {
        Self::new(Outcome::Rejected)
    }

    /// The same, answered by somebody or something else.
    pub fn by(self, answerer: Answerer) -> Self {
        Self { answerer, ..self }
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

    /// The same, with these answers to what a document asks.
    pub fn answering(self, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: answers.into_iter().collect(), ..self }
    }

    /// The same with these words for its end.
    pub fn hanging_up(self, hangup: Hangup) -> Self {
        Self { hangup: Some(hangup), ..self }
    }
}

carrier::scenario!(Scenario, Outcome, mix::scenario);
