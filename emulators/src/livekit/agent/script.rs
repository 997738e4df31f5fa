//! What an agent says in a call, and what it reports of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::millis;

/// What an agent does that was dispatched to the room of an answered call.
///
/// By default it is a short and happy conversation, reported once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentScript {
    /// What is said. Only what is said before the call ends is reported.
    pub turns: Vec<Turn>,
    /// What the agent makes of it; reported after the last turn, or at the end if that comes first.
    pub result: Option<AgentResult>,
    /// How it reports.
    pub reports: Reports,
    /// Time since the answer after which it fails: it leaves, and reports no more.
    #[serde(rename = "crashes_after_ms", with = "millis::optional")]
    pub crashes_after: Option<Duration>,
}

/// One thing that somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Who.
    pub role: Role,
    /// What.
    pub text: String,
    /// Time since the answer.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Our side.
    Agent,
    /// Whoever was called.
    User,
}

/// What an agent makes of a conversation. What is absent is not sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentResult {
    /// The outcome's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The conversation in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// `positive`, `neutral` or `negative`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<String>,
    /// What the person wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// What it was about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Whether the person asked not to be called again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_not_call: Option<bool>,
    /// Anything else.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub analysis: Map<String, Value>,
}

/// How an agent reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reports {
    /// Each turn as it is said, then the result.
    #[default]
    Once,
    /// Not at all.
    Never,
    /// Everything twice.
    Twice,
    /// All at once, after the call.
    Late {
        /// So long after its end.
        #[serde(rename = "by_ms", with = "millis")]
        by: Duration,
    },
}

impl Default for AgentScript {
    fn default() -> Self {
        Self {
            turns: vec![
                Turn::agent(500, "Hello, this is the clinic. You asked us to call about an appointment."),
                Turn::user(4000, "Yes, right. Do you have anything on Tuesday?"),
                Turn::agent(6500, "Tuesday at ten is free. Shall I book it?"),
                Turn::user(8500, "Yes, please."),
            ],
            result: Some(AgentResult::default_booking()),
            reports: Reports::Once,
            crashes_after: None,
        }
    }
}

impl AgentScript {
    /// The same with another result.
    pub fn concluding(self, result: AgentResult) -> Self {
        Self { result: Some(result), ..self }
    }

    /// The same, reported in another way.
    pub fn reporting(self, reports: Reports) -> Self {
        Self { reports, ..self }
    }

    /// The same until it crashes.
    pub fn crashing_after(self, after: Duration) -> Self {
        Self { crashes_after: Some(after), ..self }
    }
}

impl Turn {
    /// The agent says `text`, so many milliseconds after the answer.
    pub fn agent(at_ms: u64, text: &str) -> Self {
        Self { role: Role::Agent, text: text.into(), at: Duration::from_millis(at_ms) }
    }

    /// The callee does.
    pub fn user(at_ms: u64, text: &str) -> Self {
        Self { role: Role::User, text: text.into(), at: Duration::from_millis(at_ms) }
    }
}

impl AgentResult {
    fn default_booking() -> Self {
        Self {
            outcome: Some("appointment_scheduled".into()),
            summary: Some("The patient booked an appointment for Tuesday at ten.".into()),
            sentiment: Some("positive".into()),
            intent: Some("book_appointment".into()),
            keywords: vec!["appointment".into(), "Tuesday".into()],
            do_not_call: Some(false),
            analysis: Map::new(),
        }
    }

    /// Somebody who does not want to be called again.
    pub fn do_not_call() -> Self {
        Self {
            outcome: Some("do_not_call".into()),
            summary: Some("The person asked not to be called again.".into()),
            sentiment: Some("negative".into()),
            do_not_call: Some(true),
            ..Self::default()
        }
    }
}
