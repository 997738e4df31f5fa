//! What a conversation yielded, in one shape whatever the carrier.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Moment;
use crate::conversation::{CallTime, Ending, Latency, Spoken};
use crate::outcome::Outcome;

/// What a call yielded beyond its end. All of it may come late, in parts, and twice: what is
/// told later replaces what was told before, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallResults {
    /// Who said what, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<Turn>,
    /// The conversation in a few sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How the person sounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<Sentiment>,
    /// What the person wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// What it was about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Whether the carrier's analysis calls it a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successful: Option<bool>,
    /// Whether a machine answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voicemail: Option<bool>,
    /// Whether the person asked not to be called again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_not_call: Option<bool>,
    /// When the person asked to be called again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_back_at: Option<Moment>,
    /// How our own agent's conversation went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub course: Option<Course>,
    /// Which flow the call went through, and how far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowCourse>,
    /// What the agent's own analysis found, by the names that it was given.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub analysis: Map<String, Value>,
}

/// A call's way through a flow; which steps it passed, the transcript says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowCourse {
    /// The flow.
    pub flow: String,
    /// Which version of it.
    pub version: u32,
    /// How often the carrier asked how it goes on. What it asks once more is not recorded again.
    pub visits: u32,
    /// When it asked first: the transcript's times count from then.
    pub began_at: Moment,
}

/// One thing that somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who.
    pub speaker: Speaker,
    /// What.
    pub text: String,
    /// When they began, in milliseconds since the call was answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at_ms: Option<u32>,
    /// When they ended, likewise; told of our own agent's conversations, as is all that follows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until_ms: Option<u32>,
    /// Whether they were interrupted; the text is what was heard until then.
    #[serde(skip_serializing_if = "is_false", default)]
    pub interrupted: bool,
    /// The stage of the playbook.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stage: Option<String>,
    /// What the answer took, part by part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency: Option<Latency>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde asks for it.
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Turn {
    /// Something said, of which no more is known.
    pub fn said(speaker: Speaker, text: String, at_ms: Option<u32>) -> Self {
        Self { speaker, text, at_ms, until_ms: None, interrupted: false, stage: None, latency: None }
    }
}

impl From<Spoken> for Turn {
    fn from(spoken: Spoken) -> Self {
        let whole = |at: CallTime| u32::try_from(at.as_ms()).unwrap_or(u32::MAX);
        Self {
            speaker: spoken.speaker,
            text: spoken.text,
            at_ms: Some(whole(spoken.began)),
            until_ms: Some(whole(spoken.ended)),
            interrupted: spoken.interrupted,
            stage: Some(spoken.stage).filter(|stage| !stage.is_empty()),
            latency: spoken.latency,
        }
    }
}

/// How a conversation of our own agent went, as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// The playbook that it went by.
    pub playbook: String,
    /// Its version.
    pub version: u32,
    /// Why it ended.
    pub ending: Ending,
    /// How long it lasted, in milliseconds.
    pub lasted_ms: u32,
    /// Requests to the model that were made early, and not needed.
    pub speculated_in_vain: u32,
    /// When our first word was played, in milliseconds since our agent was on the line; absent if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_words_ms: Option<u32>,
    /// Whether a person answered, and was not spoken to within what the law of the place allows; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<bool>,
}

/// Who speaks in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// Our side.
    Agent,
    /// The person called.
    Person,
    /// Somebody the call was handed to.
    Other,
}

/// How a person sounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentiment {
    /// Pleased.
    Positive,
    /// Neither.
    Neutral,
    /// Displeased.
    Negative,
}

/// Flags of an analysis, and what each of them amounts to when it is true, the most binding first.
/// The names are those of the outcomes, and the ones that people give such fields.
const FLAGS: [(&str, Outcome); 12] = [
    ("do_not_call", Outcome::DoNotCall),
    ("dnc", Outcome::DoNotCall),
    ("opt_out", Outcome::DoNotCall),
    ("wrong_number", Outcome::WrongNumber),
    ("sale_made", Outcome::SaleMade),
    ("sold", Outcome::SaleMade),
    ("appointment_scheduled", Outcome::AppointmentScheduled),
    ("appointment_booked", Outcome::AppointmentScheduled),
    ("qualified_lead", Outcome::QualifiedLead),
    ("qualified", Outcome::QualifiedLead),
    ("not_interested", Outcome::NotInterested),
    ("voicemail", Outcome::Voicemail),
];

/// The fields of an analysis that may name the outcome outright.
const NAMING: [&str; 3] = ["outcome", "call_outcome", "disposition"];

impl CallResults {
    /// The outcome that the results amount to; `None` where they say nothing more particular than
    /// the call's end does.
    ///
    /// A wish not to be called again counts before anything else, wherever it is said.
    pub fn outcome(&self) -> Option<Outcome> {
        let named = || NAMING.iter().find_map(|field| outcome_named(self.analysis.get(*field)?));
        let flagged = || {
            let set = |name: &&str| self.analysis.get(*name).is_some_and(is_true);
            FLAGS.iter().find(|(name, _)| set(name)).map(|(_, outcome)| *outcome)
        };
        let wish = self.do_not_call == Some(true) || flagged() == Some(Outcome::DoNotCall);
        if wish {
            return Some(Outcome::DoNotCall);
        }
        let machine = || (self.voicemail == Some(true)).then_some(Outcome::Voicemail);
        named().or_else(flagged).or_else(machine)
    }

    /// Tells results apart, so that what is told twice is noted once.
    pub fn digest(&self) -> i64 {
        let mut hasher = DefaultHasher::new();
        serde_json::to_string(self).unwrap_or_default().hash(&mut hasher);
        hasher.finish().cast_signed()
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `Not interested`, `not-interested` and `not_interested` are one outcome.
fn outcome_named(value: &Value) -> Option<Outcome> {
    let text = value.as_str()?.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    text.parse().ok().filter(|outcome: &Outcome| outcome.is_told_by_agents())
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(set) => *set,
        Value::String(text) => matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "yes"),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(results: &Value) -> Option<&'static str> {
        let results: CallResults = serde_json::from_value(results.clone()).expect("results");
        results.outcome().map(Outcome::name)
    }

    #[test]
    fn an_analysis_may_name_the_outcome_or_say_it_by_a_flag() {
        for (results, says) in [
            (json!({}), None),
            (json!({"successful": false}), None),
            (json!({"analysis": {"outcome": "Not interested"}}), Some("not_interested")),
            (json!({"analysis": {"call_outcome": "sale-made"}}), Some("sale_made")),
            (json!({"analysis": {"qualified": "Yes"}}), Some("qualified_lead")),
            (json!({"analysis": {"qualified": false}}), None),
            (
                json!({"analysis": {"appointment_scheduled": true, "qualified": true}}),
                Some("appointment_scheduled"),
            ),
            (json!({"voicemail": true}), Some("voicemail")),
            (json!({"voicemail": true, "analysis": {"outcome": "sale_made"}}), Some("sale_made")),
            (json!({"analysis": {"outcome": "busy"}}), None),
            (json!({"analysis": {"outcome": "delighted"}}), None),
        ] {
            assert_eq!(outcome(&results), says, "{results}");
        }
    }

    #[test]
    fn a_wish_not_to_be_called_again_outweighs_everything() {
        for results in [
            json!({"do_not_call": true, "analysis": {"outcome": "sale_made"}}),
            json!({"analysis": {"outcome": "successful", "dnc": true}}),
            json!({"voicemail": true, "analysis": {"opt_out": "yes"}}),
        ] {
            assert_eq!(outcome(&results), Some("do_not_call"), "{results}");
        }
    }

    #[test]
    fn results_read_back_as_what_was_written_and_leave_out_what_is_not_known() {
        let results = CallResults { summary: Some("Short.".into()), ..CallResults::default() };
        let text = serde_json::to_value(&results).expect("serialises");
        assert_eq!(text, json!({"summary": "Short."}));
        assert_eq!(serde_json::from_value::<CallResults>(text).expect("results"), results);
        assert_eq!(results.digest(), results.clone().digest());
        assert_ne!(results.digest(), CallResults::default().digest());
    }
}
