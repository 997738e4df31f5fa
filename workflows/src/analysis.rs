//! What a model is asked about a conversation afterwards, and what is made of its answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::outcome::Outcome;
use crate::playbook::{Field, Kind};
use crate::results::{CallResults, Sentiment, Speaker, Turn};

/// The name of the shape that is asked for.
pub const SCHEMA_NAME: &str = "call_analysis";

/// The outcomes that only a conversation can tell.
const OUTCOMES: [Outcome; 8] = [
    Outcome::Successful,
    Outcome::AppointmentScheduled,
    Outcome::QualifiedLead,
    Outcome::SaleMade,
    Outcome::NotInterested,
    Outcome::Voicemail,
    Outcome::WrongNumber,
    Outcome::DoNotCall,
];

/// No more keywords than this are kept.
const KEYWORDS_MAX: usize = 20;

/// The shape, as JSON Schema by the rules of strict structured output: all is required, nothing else is allowed.
pub fn schema(fields: &BTreeMap<String, Field>) -> Value {
    let fields: Map<String, Value> =
        fields.iter().map(|(name, field)| (name.clone(), field_schema(field))).collect();
    object(&json!({
        "outcome": { "type": "string", "enum": OUTCOMES.map(|outcome| outcome.name()) },
        "sentiment": { "type": "string", "enum": ["positive", "neutral", "negative"] },
        "intent": nullable(&json!({ "type": "string", "description": "What the person wants, in a few words." })),
        "summary": { "type": "string", "description": "The conversation in two or three sentences." },
        "keywords": { "type": "array", "items": { "type": "string" } },
        "qualified": nullable(&json!({ "type": "boolean",
            "description": "Whether the person is a fit for what was offered, and wants it; null if it cannot be told." })),
        "fields": object(&Value::Object(fields)),
    }))
}

fn field_schema(field: &Field) -> Value {
    let value = match &field.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Number => json!({ "type": "number" }),
        Kind::YesNo => json!({ "type": "boolean" }),
        Kind::Date => json!({ "type": "string", "description": "As 2026-01-14." }),
        Kind::Choice(choices) => json!({ "type": "string", "enum": choices }),
    };
    let mut schema = object(&json!({
        "value": nullable(&value),
        "turns": { "type": "array", "items": { "type": "integer" },
            "description": "The numbers of the turns that say so; none if the value is null." },
    }));
    schema["description"] = field.about.as_str().into();
    schema
}

fn nullable(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn object(properties: &Value) -> Value {
    let required: Vec<&str> =
        properties.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties })
}

/// What the model is told to do.
pub const INSTRUCTIONS: &str = "You are given the transcript of a telephone call that an agent made to a person. Fill in \
what the call says, and nothing that it does not say. `do_not_call` is the outcome whenever the person asked in any way \
not to be called again; `successful` is for conversations that nothing else describes. For each field give the value \
only if the person said it, with the numbers of the turns that prove it.";

/// The transcript as the model reads it, its turns numbered from 1.
pub fn told(turns: &[Turn]) -> String {
    let mut text = String::new();
    for (number, turn) in (1..).zip(turns) {
        let who = match turn.speaker {
            Speaker::Agent => "agent",
            Speaker::Person => "person",
            Speaker::Other => "colleague",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{number}. {who}: {}", turn.text);
    }
    text
}

#[derive(Deserialize)]
struct Answer {
    outcome: String,
    sentiment: Option<Sentiment>,
    intent: Option<String>,
    summary: String,
    keywords: Vec<String>,
    qualified: Option<bool>,
    fields: BTreeMap<String, Found>,
}

#[derive(Deserialize)]
struct Found {
    value: Value,
    turns: Vec<usize>,
}

/// What the model's answer yields of a call with these turns. What was noted during the call stands: `known` wins over
/// what the model reads out of the transcript. A value without a turn of the person that proves it is left out.
///
/// # Errors
/// If the answer is not in the shape that was asked for.
pub fn read(
    answer: Value,
    fields: &BTreeMap<String, Field>,
    turns: &[Turn],
    known: &Map<String, Value>,
) -> Result<CallResults, serde_json::Error> {
    let answer: Answer = serde_json::from_value(answer)?;
    let mut analysis = Map::new();
    let mut evidence = Map::new();
    for (name, found) in answer.fields {
        let Some(field) = fields.get(&name) else { continue };
        let proof: Vec<usize> = found.turns.into_iter().filter(|turn| is_persons(turns, *turn)).collect();
        let Ok(value) = field.kind.check(&found.value) else { continue };
        if proof.is_empty() {
            continue;
        }
        evidence.insert(name.clone(), proof.into());
        if !known.contains_key(&name) {
            analysis.insert(name, value);
        }
    }
    analysis.insert("outcome".into(), answer.outcome.into());
    if let Some(qualified) = answer.qualified {
        analysis.insert("qualified".into(), qualified.into());
    }
    if !evidence.is_empty() {
        analysis.insert("evidence".into(), evidence.into());
    }
    let text = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(CallResults {
        summary: text(answer.summary),
        sentiment: answer.sentiment,
        intent: answer.intent.and_then(text),
        keywords: answer.keywords.into_iter().filter_map(text).take(KEYWORDS_MAX).collect(),
        analysis,
        ..CallResults::default()
    })
}

/// Whether a turn, counted from 1, is one of the person.
fn is_persons(turns: &[Turn], number: usize) -> bool {
    let turn = number.checked_sub(1).and_then(|at| turns.get(at));
    turn.is_some_and(|turn| turn.speaker == Speaker::Person)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> BTreeMap<String, Field> {
        let field = |about: &str, kind| Field { about: about.to_owned(), kind };
        BTreeMap::from([
            ("budget".to_owned(), field("What they would spend.", Kind::Number)),
            ("area".to_owned(), field("Where.", Kind::Choice(vec!["Hebbal".into(), "Whitefield".into()]))),
        ])
    }

    fn turns() -> Vec<Turn> {
        vec![
            Turn::said(Speaker::Agent, "Where?".into(), Some(0)),
            Turn::said(Speaker::Person, "Hebbal, up to 90 lakh.".into(), Some(2_000)),
        ]
    }

    fn answer(fields: &Value) -> Value {
        json!({
            "outcome": "qualified_lead", "sentiment": "positive", "intent": " buy ", "summary": "They want a flat.",
            "keywords": ["flat", ""], "qualified": true, "fields": fields,
        })
    }

    #[test]
    fn an_answer_becomes_results_with_what_proves_them() {
        let found = answer(&json!({
            "budget": { "value": "9000000", "turns": [2] }, "area": { "value": "hebbal", "turns": [1, 2] },
        }));
        let results = read(found, &fields(), &turns(), &Map::new()).expect("the shape");
        assert_eq!(results.outcome(), Some(Outcome::QualifiedLead));
        assert_eq!(
            (results.intent.as_deref(), results.keywords.as_slice()),
            (Some("buy"), &["flat".to_owned()][..])
        );
        assert_eq!(
            Value::Object(results.analysis),
            json!({ "outcome": "qualified_lead", "qualified": true, "budget": 9_000_000.0, "area": "Hebbal",
                "evidence": { "budget": [2], "area": [2] } })
        );
    }

    #[test]
    fn what_nobody_said_or_is_no_value_is_left_out_and_what_was_noted_stands() {
        let found = answer(&json!({
            "budget": { "value": 5, "turns": [1, 7, 0] }, "area": { "value": "Nowhere", "turns": [2] },
            "other": { "value": 1, "turns": [2] },
        }));
        let results = read(found, &fields(), &turns(), &Map::new()).expect("the shape");
        assert_eq!(
            Value::Object(results.analysis),
            json!({ "outcome": "qualified_lead", "qualified": true })
        );
        let known = Map::from_iter([("area".to_owned(), json!("Whitefield"))]);
        let found = answer(&json!({ "area": { "value": "Hebbal", "turns": [2] } }));
        let results = read(found, &fields(), &turns(), &known).expect("the shape");
        assert_eq!(results.analysis.get("area"), None);
    }

    #[test]
    fn an_answer_in_another_shape_is_none() {
        assert!(read(json!({ "outcome": "x" }), &fields(), &turns(), &Map::new()).is_err());
    }

    #[test]
    fn the_shape_requires_all_and_allows_nothing_else() {
        let schema = schema(&fields());
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["fields"]["required"], json!(["area", "budget"]));
        let area = &schema["properties"]["fields"]["properties"]["area"];
        assert_eq!(area["properties"]["value"]["anyOf"][0]["enum"], json!(["Hebbal", "Whitefield"]));
    }

    #[test]
    fn the_transcript_is_told_with_the_numbers_of_its_turns() {
        assert_eq!(told(&turns()), "1. agent: Where?\n2. person: Hebbal, up to 90 lakh.\n");
    }
}
