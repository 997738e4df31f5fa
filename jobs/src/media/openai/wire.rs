//! The messages of chat completions (protocol notes, parts 1 to 3 and 5).

use std::collections::HashSet;

use outdial_workflows::conversation::{Message, Prompt, ToolCall};
use outdial_workflows::playbook::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

/// What is said of a tool whose result nobody has: each call has to be answered, or the request is refused.
const NO_RESULT: &str = "It is not known what came of it.";

/// A request for a streamed answer. It has nothing in it that compatible servers do not know.
pub(super) fn request(model: &str, prompt: &Prompt) -> Value {
    let mut request = json!({ "model": model, "stream": true, "messages": messages(prompt) });
    // An empty list is refused.
    if !prompt.tools.is_empty() {
        request["tools"] = prompt.tools.iter().map(tool).collect();
    }
    request
}

fn tool(ToolSpec { tool, about, parameters }: &ToolSpec) -> Value {
    let function = json!({ "name": tool.name(), "description": about, "parameters": parameters });
    json!({ "type": "function", "function": function })
}

/// Instructions are the system's: more servers know that role than the developer's.
fn messages(prompt: &Prompt) -> Vec<Value> {
    let system = |text: &str| json!({ "role": "system", "content": text });
    let mut written = vec![system(&prompt.instructions)];
    let mut answered = HashSet::new();
    for (place, message) in prompt.messages.iter().enumerate() {
        match message {
            Message::Person(text) => written.push(json!({ "role": "user", "content": text })),
            Message::Happened(text) => written.push(system(text)),
            Message::Agent { text, calls } if calls.is_empty() => {
                if !text.is_empty() {
                    written.push(json!({ "role": "assistant", "content": text }));
                }
            }
            Message::Agent { text, calls } => {
                written.push(called(text, calls));
                for call in calls {
                    let result = result_of(&call.id, &prompt.messages, place + 1);
                    let (at, text) = result.map_or((None, NO_RESULT), |(at, text)| (Some(at), text));
                    answered.extend(at);
                    written.push(json!({ "role": "tool", "tool_call_id": call.id, "content": text }));
                }
            }
            // It stands behind its call by now, wherever it came.
            Message::Result { .. } if answered.contains(&place) => {}
            Message::Result { text, .. } => written.push(system(text)),
        }
    }
    written
}

fn called(text: &str, calls: &[ToolCall]) -> Value {
    let call = |ToolCall { id, name, arguments }: &ToolCall| json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } });
    let content = if text.is_empty() { Value::Null } else { text.into() };
    let calls: Vec<Value> = calls.iter().map(call).collect();
    json!({ "role": "assistant", "content": content, "tool_calls": calls })
}

/// The result of a call, and its place. It stands before the same id is used anew, as by servers that count the calls
/// of each answer from 0.
fn result_of<'a>(id: &str, messages: &'a [Message], from: usize) -> Option<(usize, &'a str)> {
    let reused = |message: &Message| match message {
        Message::Agent { calls, .. } => calls.iter().any(|call| call.id == id),
        Message::Person(_) | Message::Result { .. } | Message::Happened(_) => false,
    };
    let later = messages.iter().enumerate().skip(from).take_while(|(_, message)| !reused(message));
    later.into_iter().find_map(|(place, message)| match message {
        Message::Result { call, text } if call == id => Some((place, text.as_str())),
        Message::Result { .. } | Message::Person(_) | Message::Agent { .. } | Message::Happened(_) => None,
    })
}

/// A piece of a streamed answer. Everything may be absent, and what is not known here is of no concern.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk {
    pub(super) choices: Option<Vec<Choice>>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    pub(super) delta: Option<Delta>,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    pub(super) content: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) tool_calls: Option<Vec<CallPiece>>,
}

/// The beginning of a call has its id and name, and every piece some of its arguments.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallPiece {
    pub(super) index: Option<usize>,
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionPiece>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionPiece {
    pub(super) name: Option<String>,
    pub(super) arguments: Option<String>,
}

/// A whole answer.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    pub(super) choices: Vec<WholeChoice>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WholeChoice {
    pub(super) message: WholeMessage,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WholeMessage {
    pub(super) content: Option<String>,
    pub(super) refusal: Option<String>,
}

/// What an error says: its code, else its type, and its message. Some servers have a text alone.
pub(super) fn error_words(error: &Value) -> Option<String> {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let words = match (text("code").or_else(|| text("type")), text("message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (code, message) => code.or(message).or(error.as_str())?.to_owned(),
    };
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> ToolCall {
        ToolCall { id: id.into(), name: "note".into(), arguments: "{}".into() }
    }

    fn agent(text: &str, calls: &[&str]) -> Message {
        Message::Agent { text: text.into(), calls: calls.iter().map(|id| call(id)).collect() }
    }

    fn result(call: &str, text: &str) -> Message {
        Message::Result { call: call.into(), text: text.into() }
    }

    /// A line a message: its role, what it calls or answers, and its text.
    fn told(messages: Vec<Message>) -> Vec<String> {
        let prompt = Prompt { instructions: "Be kind.".into(), messages, tools: vec![] };
        let line = |message: Value| {
            let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
            let ids: Vec<_> = calls.iter().map(|call| call["id"].as_str().unwrap_or("?")).collect();
            let id = message["tool_call_id"].as_str().map_or_else(|| ids.join("+"), str::to_owned);
            let text = message["content"].as_str().unwrap_or("-");
            format!("{} {id}: {text}", message["role"].as_str().unwrap_or("?"))
        };
        self::messages(&prompt).into_iter().map(line).collect()
    }

    #[test]
    fn a_conversation_is_told_in_the_roles_of_its_messages() {
        let told = told(vec![
            Message::Happened("They answered.".into()),
            agent("Hello.", &[]),
            agent("", &[]),
            Message::Person("Yes?".into()),
            agent("", &["a", "b"]),
            result("a", "ok"),
            result("b", "no"),
        ]);
        assert_eq!(
            told,
            [
                "system : Be kind.",
                "system : They answered.",
                "assistant : Hello.",
                "user : Yes?",
                "assistant a+b: -",
                "tool a: ok",
                "tool b: no",
            ]
        );
    }

    #[test]
    fn every_call_is_answered_at_once_whenever_its_result_came() {
        let told = told(vec![
            agent("One moment.", &["0", "1"]),
            Message::Person("Hm.".into()),
            result("0", "first"),
            agent("", &["0"]),
            result("0", "second"),
            result("0", "of nothing"),
        ]);
        assert_eq!(
            told[1..],
            [
                "assistant 0+1: One moment.",
                "tool 0: first",
                "tool 1: It is not known what came of it.",
                "user : Hm.",
                "assistant 0: -",
                "tool 0: second",
                "system : of nothing",
            ]
        );
    }

    #[test]
    fn errors_are_read_in_the_shapes_that_servers_have() {
        for (error, says) in [
            (
                json!({"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}),
                Some("rate_limit_exceeded: Slow down."),
            ),
            (
                json!({"message": "Sorry.", "type": "server_error", "param": null, "code": null}),
                Some("server_error: Sorry."),
            ),
            (json!({"message": "Sorry."}), Some("Sorry.")),
            (json!("overloaded"), Some("overloaded")),
            (json!(null), None),
        ] {
            assert_eq!(error_words(&error).as_deref(), says, "{error}");
        }
    }
}
