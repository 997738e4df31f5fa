//! What a model is told before a turn: who it is, where the conversation stands, what it may do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{Kind, LONGEST_TEXT, Script, Tool};

/// A tool as models are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSpec {
    /// Which.
    pub tool: Tool,
    /// What it does, and when to use it.
    pub about: &'static str,
    /// A JSON Schema of what it takes.
    pub parameters: Value,
}

/// How to talk on a telephone, whatever the playbook: models write for the eye if nobody stops them.
const SPOKEN: &str = "You are speaking on the telephone. Answer in one to three short sentences, in plain words that sound \
natural when read aloud: no lists, headings, emoji or symbols. Ask one question at a time. If you did not \
understand, say so and ask. Never invent facts, prices or promises: what you were not told, you do not know. \
Do not repeat your introduction.";

impl Script {
    /// The instructions for the next turn. `now` is the time where the person is, in words.
    pub fn instructions(&self, stage: usize, known: &BTreeMap<String, Value>, now: &str) -> String {
        let mut text = format!("{}\n\n{SPOKEN}\nSpeak {}.\nIt is {now}.\n", self.agent, self.language);
        // Writing to a string cannot fail.
        let _ = self.stage_told(&mut text, stage, known);
        for knowledge in &self.knowledge {
            let _ = write!(text, "\n# What you know: {}\n{}\n", knowledge.name, knowledge.text);
        }
        text
    }

    fn stage_told(
        &self,
        text: &mut String,
        stage: usize,
        known: &BTreeMap<String, Value>,
    ) -> std::fmt::Result {
        let Some(stage) = self.stages.get(stage) else { return Ok(()) };
        writeln!(text, "\n# Now: {}\n{}", stage.name, stage.goal)?;
        if !stage.prompt.is_empty() {
            writeln!(text, "{}", stage.prompt)?;
        }
        let open: Vec<_> = stage.collect.iter().filter(|name| !known.contains_key(*name)).collect();
        if !open.is_empty() {
            writeln!(text, "Find out, and note as soon as you hear it:")?;
            for name in open {
                let about = self.fields.get(name).map_or("", |field| field.about.as_str());
                writeln!(text, "- {name}: {about}")?;
            }
        }
        if !known.is_empty() {
            writeln!(text, "Known already; do not ask again:")?;
            for (name, value) in known {
                writeln!(
                    text,
                    "- {name}: {}",
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                )?;
            }
        }
        Ok(())
    }

    /// Whether a tool may be used in a stage.
    pub fn allows(&self, stage: usize, tool: Tool) -> bool {
        match tool {
            Tool::Note => !self.fields.is_empty(),
            Tool::EndCall | Tool::DoNotCall => true,
            Tool::CallBack | Tool::Transfer => {
                self.stages.get(stage).is_some_and(|stage| stage.tools.contains(&tool))
            }
        }
    }
}

/// The tools of a stage. Any field may be noted in any of them: people answer before they are asked.
pub fn tools(script: &Script, stage: usize) -> Vec<ToolSpec> {
    let allowed = Tool::ALL.into_iter().filter(|tool| script.allows(stage, *tool));
    let spec = |tool| {
        let (about, parameters) = match tool {
            Tool::Note => (
                "Note what the person has told you, as soon as they have. Go on talking, too.",
                noted(script),
            ),
            Tool::EndCall => (
                "End the call, after what you say now. Use it once the conversation is over, and say goodbye with it.",
                object(
                    &json!({ "reason": { "type": "string", "description": "Why, in a few words." } }),
                    &[],
                ),
            ),
            Tool::DoNotCall => (
                "The person does not want to be called again. Use it at once when they say so in any way.",
                object(&json!({}), &[]),
            ),
            Tool::CallBack => (
                "The person asks to be called at another time. Use it once you know when.",
                object(
                    &json!({ "at": { "type": "string",
                        "description": "The time, where the person is, as 2026-01-14T10:00." } }),
                    &["at"],
                ),
            ),
            Tool::Transfer => (
                "Hand the call to a person, who takes over after what you say now.",
                object(
                    &json!({ "briefing": { "type": "string", "description":
                        "What the colleague hears before they are put through, and the person does not: who the person \
                         is, what they want, what is settled. Two sentences." } }),
                    &[],
                ),
            ),
        };
        ToolSpec { tool, about, parameters }
    };
    allowed.map(spec).collect()
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn noted(script: &Script) -> Value {
    let properties: Map<String, Value> = script
        .fields
        .iter()
        .map(|(name, field)| {
            let mut schema = match &field.kind {
                Kind::Text => json!({ "type": "string", "maxLength": LONGEST_TEXT }),
                Kind::Number => json!({ "type": "number" }),
                Kind::YesNo => json!({ "type": "boolean" }),
                Kind::Date => json!({ "type": "string", "format": "date" }),
                Kind::Choice(choices) => json!({ "type": "string", "enum": choices }),
            };
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("description".into(), field.about.as_str().into());
            }
            (name.clone(), schema)
        })
        .collect();
    object(&Value::Object(properties), &[])
}
