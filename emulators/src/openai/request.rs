//! A request's body (§1), as far as an answer depends on it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What is asked. Fields that change nothing are checked by name only.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Ask {
    pub(super) model: String,
    pub(super) messages: Vec<Message>,
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    pub(super) max_completion_tokens: Option<u32>,
    pub(super) max_tokens: Option<u32>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) frequency_penalty: Option<f64>,
    pub(super) presence_penalty: Option<f64>,
    pub(super) n: Option<u32>,
    pub(super) stop: Option<Stop>,
    pub(super) tools: Option<Vec<Tool>>,
    pub(super) tool_choice: Option<Value>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) response_format: Option<ResponseFormat>,
    pub(super) service_tier: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct StreamOptions {
    pub(super) include_usage: Option<bool>,
    pub(super) include_obfuscation: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Stop {
    One(String),
    Any(Vec<String>),
}

/// A message of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Message {
    pub(super) role: String,
    pub(super) content: Option<Content>,
    pub(super) tool_calls: Option<Vec<Called>>,
    pub(super) tool_call_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Value>),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Called {
    pub(super) id: String,
    pub(super) function: CalledFunction,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct CalledFunction {
    pub(super) name: String,
    pub(super) arguments: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Tool {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) function: Option<Function>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Option<Map<String, Value>>,
    pub(super) strict: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ResponseFormat {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) json_schema: Option<JsonSchema>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct JsonSchema {
    pub(super) name: String,
    pub(super) schema: Option<Value>,
    pub(super) strict: Option<bool>,
}

impl Message {
    /// What it says, its parts joined.
    pub(super) fn text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => {
                parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("")
            }
        }
    }
}

impl Ask {
    pub(super) fn tools(&self) -> &[Tool] {
        self.tools.as_deref().unwrap_or_default()
    }

    pub(super) fn streams(&self) -> bool {
        self.stream == Some(true)
    }

    pub(super) fn options(&self) -> StreamOptions {
        self.stream_options.unwrap_or_default()
    }

    /// The tool that must be called, if one is named.
    pub(super) fn forced_tool(&self) -> Option<&str> {
        self.tool_choice.as_ref()?.get("function")?.get("name")?.as_str()
    }

    pub(super) fn schema(&self) -> Option<&JsonSchema> {
        self.response_format.as_ref()?.json_schema.as_ref()
    }

    /// The most tokens an answer may have.
    pub(super) fn answer_max(&self) -> Option<usize> {
        let asked = self.max_completion_tokens.or(self.max_tokens)?;
        usize::try_from(asked).ok()
    }

    pub(super) fn stops(&self) -> &[String] {
        match &self.stop {
            None => &[],
            Some(Stop::One(stop)) => std::slice::from_ref(stop),
            Some(Stop::Any(stops)) => stops,
        }
    }
}
