//! Answers as OpenAI writes them (§2, §3).

use serde_json::{Value, json};

use super::{
    produce::{Piece, Produced},
    request::Ask,
    validate,
};

/// What every part of an answer repeats.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) number: usize,
    /// Seconds since 1970.
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) service_tier: &'static str,
    pub(super) include_usage: bool,
    pub(super) obfuscation: bool,
}

impl Head {
    fn object(&self, kind: &str) -> Value {
        json!({
            "id": format!("chatcmpl-{:08}", self.number), "object": kind, "created": self.created,
            "model": self.model, "service_tier": self.service_tier, "system_fingerprint": "fp_emulated",
        })
    }

    /// The whole answer at once.
    pub(super) fn completion(&self, produced: &Produced, usage: Value) -> Value {
        let mut whole = self.object("chat.completion");
        whole["choices"] = json!([{
            "index": 0, "message": message(&produced.pieces), "logprobs": null,
            "finish_reason": produced.finish.name(),
        }]);
        whole["usage"] = usage;
        whole
    }

    /// A part of the answer.
    pub(super) fn chunk(&self, delta: &Value, finish: Option<&str>) -> Value {
        let mut chunk = self.object("chat.completion.chunk");
        chunk["choices"] = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        self.finished(chunk)
    }

    /// A part that holds nothing, as the one with the usage does.
    pub(super) fn empty_chunk(&self) -> Value {
        let mut chunk = self.object("chat.completion.chunk");
        chunk["choices"] = json!([]);
        self.finished(chunk)
    }

    fn finished(&self, mut chunk: Value) -> Value {
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        if self.obfuscation {
            // Its length varies, so that a chunk's own says little of the token in it.
            chunk["obfuscation"] = json!("x".repeat(chunk.to_string().len() % 7 + 1));
        }
        chunk
    }
}

/// A message of an assistant.
fn message(pieces: &[Piece]) -> Value {
    let (mut content, mut refusal) = (String::new(), String::new());
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => content.push_str(text),
            Piece::Refusal(text) => refusal.push_str(text),
            Piece::Call { id, name, .. } => calls.push((id.clone(), name.clone(), String::new())),
            Piece::Arguments { index, text } => calls[*index].2.push_str(text),
        }
    }
    let optional = |text: String| if text.is_empty() { Value::Null } else { text.into() };
    let silent = !calls.is_empty() || !refusal.is_empty();
    let content = if silent { optional(content) } else { content.into() };
    let mut message =
        json!({"role": "assistant", "content": content, "refusal": optional(refusal), "annotations": []});
    if !calls.is_empty() {
        let shown = calls.into_iter().map(|(id, name, arguments)| {
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        });
        message["tool_calls"] = shown.collect();
    }
    message
}

/// What the first chunk says besides, if the answer does not begin with a call.
pub(super) fn opening() -> Value {
    json!({"role": "assistant", "content": "", "refusal": null})
}

/// What a piece adds to the message.
pub(super) fn delta(piece: &Piece, first: bool) -> Value {
    match piece {
        Piece::Text(text) => json!({"content": text}),
        Piece::Refusal(text) => json!({"refusal": text}),
        Piece::Arguments { index, text } => {
            json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]})
        }
        Piece::Call { index, id, name } => {
            let function = json!({"name": name, "arguments": ""});
            let calls = json!([{"index": index, "id": id, "type": "function", "function": function}]);
            if first {
                json!({"role": "assistant", "content": null, "tool_calls": calls})
            } else {
                json!({"tool_calls": calls})
            }
        }
    }
}

/// Tokens of a request and its answer.
pub(super) fn usage(ask: &Ask, produced: &Produced) -> Value {
    let (prompt, completion) = (validate::prompt_tokens(ask), produced.tokens());
    json!({
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}
