//! What a model says, and what goes wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{millis, service::Reply};

/// What the next request meets, whatever it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    /// The answer; without one the rules give it.
    pub answer: Option<Answer>,
    /// What goes wrong, besides what the rule's own quirks do.
    pub quirks: Vec<Quirk>,
}

impl Turn {
    /// Answers with this.
    pub fn answering(answer: Answer) -> Self {
        Self { answer: Some(answer), quirks: Vec::new() }
    }

    /// Answers by the rules, but with something that goes wrong.
    pub fn with(quirk: Quirk) -> Self {
        Self { answer: None, quirks: vec![quirk] }
    }

    /// So many requests that are refused with this.
    pub fn refusing(times: usize, reply: &Reply) -> impl Iterator<Item = Self> {
        std::iter::repeat_n(Self::with(Quirk::Reply(reply.clone())), times)
    }
}

/// What a model says. Text comes before calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// Text.
    pub text: Option<String>,
    /// Text that is this value in JSON, in the key order of the schema asked for.
    pub json: Option<Value>,
    /// Why it will not say anything; nothing else is said then.
    pub refusal: Option<String>,
    /// Calls of tools, which need not be among those offered.
    pub tool_calls: Vec<ToolCall>,
}

impl Answer {
    /// Says this.
    pub fn text(text: &str) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// Gives this as JSON.
    pub fn json(value: Value) -> Self {
        Self { json: Some(value), ..Self::default() }
    }

    /// Refuses for this reason.
    pub fn refusing(why: &str) -> Self {
        Self { refusal: Some(why.into()), ..Self::default() }
    }

    /// Calls a tool with these arguments, which are sent as they stand.
    pub fn call(name: &str, arguments: &str) -> Self {
        Self::default().and_call(name, arguments)
    }

    /// Calls one more tool.
    #[must_use]
    pub fn and_call(mut self, name: &str, arguments: &str) -> Self {
        self.tool_calls.push(ToolCall { name: name.into(), arguments: arguments.into() });
        self
    }
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// Which tool.
    pub name: String,
    /// Its arguments, a JSON text that may be wrong.
    pub arguments: String,
}

/// What goes wrong. Those after a number of tokens count them over text and arguments; an answer with
/// fewer is over before. When an answer is not streamed, a cut or an early end gives none at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quirk {
    /// This instead of an answer.
    Reply(Reply),
    /// No byte ever comes.
    Hang,
    /// The first token comes later.
    SlowFirstToken {
        /// By this much nominal time.
        #[serde(rename = "by_ms", with = "millis")]
        by: Duration,
    },
    /// Nothing more comes, while the connection stays open.
    Stall {
        /// Tokens before.
        after_tokens: usize,
    },
    /// Nothing comes for a while, and then the rest.
    Pause {
        /// Tokens before.
        after_tokens: usize,
        /// For this much nominal time.
        #[serde(rename = "for_ms", with = "millis")]
        length: Duration,
    },
    /// The connection is reset.
    Cut {
        /// Tokens before.
        after_tokens: usize,
    },
    /// The stream ends in good order, but without its end: no finish reason, no `[DONE]`.
    EndEarly {
        /// Tokens before.
        after_tokens: usize,
    },
    /// An error comes as an event, and the stream ends.
    ErrorEvent {
        /// Tokens before.
        after_tokens: usize,
    },
    /// The same with a line `event: error` before it, as some gateways write it.
    NamedErrorEvent {
        /// Tokens before.
        after_tokens: usize,
    },
    /// An event comes that is no JSON.
    MalformedChunk {
        /// Tokens before.
        after_tokens: usize,
    },
    /// A chunk without choices comes.
    EmptyChoices {
        /// Tokens before.
        after_tokens: usize,
    },
    /// The answer is cut short with the finish reason `length`.
    Length {
        /// Tokens before.
        after_tokens: usize,
    },
    /// The answer is cut short with the finish reason `content_filter`.
    ContentFilter {
        /// Tokens before.
        after_tokens: usize,
    },
    /// The arguments of tools lack their end, though the finish reason is the usual one.
    MalformedArguments,
    /// The body comes in pieces of so many bytes, across events and characters.
    SplitBytes {
        /// Bytes of a piece.
        size: usize,
    },
    /// Comment lines and `\r\n` between events, as some gateways have them.
    Comments,
}
