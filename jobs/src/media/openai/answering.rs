//! An answer on its way.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use outdial_workflows::conversation::{Piece, ToolCall};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use super::Endpoint;
use super::wire::{CallPiece, Choice, Chunk, error_words};
use crate::media::http::reason;
use crate::providers::answer::Answer;
use crate::sse::{Events, TooLong};

/// The data that says that nothing comes any more.
const DONE: &str = "[DONE]";

/// How long the rest of a stream may take whose answer is complete. Without its end, a connection of HTTP/1.1 cannot
/// be used again, and the next answer waits for another.
const REST: Duration = Duration::from_secs(1);

/// A request, then the events of its body, then nothing. Dropping it hangs up.
pub(super) struct Answering {
    state: State,
    endpoint: Arc<Endpoint>,
    events: Events,
    pieces: VecDeque<Piece>,
    calls: Calls,
    /// Whether the model has said anything.
    said: bool,
}

enum State {
    Asking(RequestBuilder),
    Hearing(Response),
    Over,
}

impl Answering {
    pub(super) fn new(request: RequestBuilder, endpoint: Arc<Endpoint>) -> Self {
        Self {
            state: State::Asking(request),
            endpoint,
            events: Events::default(),
            pieces: VecDeque::new(),
            calls: Calls::default(),
            said: false,
        }
    }

    /// The next piece; nothing comes after the last.
    pub(super) async fn next(&mut self) -> Option<Piece> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Some(piece);
            }
            match mem::replace(&mut self.state, State::Over) {
                State::Asking(request) => self.ask(request).await,
                State::Hearing(response) => self.hear(response).await,
                State::Over => return None,
            }
        }
    }

    async fn ask(&mut self, request: RequestBuilder) {
        match request.send().await {
            Err(error) => self.fail(&format!("could not be reached: {}", reason(&error))),
            Ok(response) if response.status().is_success() => self.state = State::Hearing(response),
            Ok(response) => {
                let refused = self.endpoint.refused(&Answer::read(response).await);
                self.pieces.push_back(Piece::Failed(refused));
            }
        }
    }

    async fn hear(&mut self, mut response: Response) {
        let mut events = VecDeque::new();
        let read = match response.chunk().await {
            Err(error) => return self.fail(&format!("broke off: {}", reason(&error))),
            Ok(Some(bytes)) => self.events.read(&bytes, &mut events).map(|()| true),
            Ok(None) => {
                events.extend(self.events.end());
                Ok(false)
            }
        };
        if events.iter().any(|event| self.take(event)) {
            tokio::spawn(read_rest(response));
            return;
        }
        match read {
            Ok(true) => self.state = State::Hearing(response),
            Ok(false) => self.fail("broke off"),
            Err(TooLong) => self.fail("sent an event without an end"),
        }
    }

    /// Takes an event in; whether it was the last one.
    fn take(&mut self, event: &str) -> bool {
        if event.trim() == DONE {
            self.finish("stop");
            return true;
        }
        let Ok(chunk) = serde_json::from_str::<Chunk>(event) else {
            self.fail("sent something that is no chunk of an answer");
            return true;
        };
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            let words = error_words(&error).unwrap_or_else(|| "no reason".to_owned());
            self.fail(&format!("failed in the middle: {words}"));
            return true;
        }
        // We ask for one choice; the chunk that counts tokens has none.
        chunk.choices.into_iter().flatten().next().is_some_and(|choice| self.add(choice))
    }

    fn add(&mut self, choice: Choice) -> bool {
        let delta = choice.delta.unwrap_or_default();
        for text in [delta.content, delta.refusal].into_iter().flatten().filter(|text| !text.is_empty()) {
            self.said = true;
            self.pieces.push_back(Piece::Text(text));
        }
        for piece in delta.tool_calls.into_iter().flatten() {
            self.calls.add(piece);
        }
        let Some(finish) = choice.finish_reason else { return false };
        self.finish(&finish);
        true
    }

    /// Calls count even where the reason says `stop`, as it does for one that was asked for by name.
    fn finish(&mut self, reason: &str) {
        let cut_short = reason == "length";
        let calls = mem::take(&mut self.calls).into_whole();
        let calls: Vec<ToolCall> = calls.filter(|call| !cut_short || is_whole(call)).collect();
        match reason {
            "content_filter" => self.fail("was silenced by its provider's filter"),
            "length" if !self.said && calls.is_empty() => {
                self.fail("reached its limit before it said anything");
            }
            _ => {
                self.pieces.extend(calls.into_iter().map(Piece::Call));
                self.pieces.push_back(Piece::Done);
            }
        }
    }

    fn fail(&mut self, words: &str) {
        self.pieces.push_back(Piece::Failed(self.endpoint.failed(words)));
    }
}

fn is_whole(call: &ToolCall) -> bool {
    serde_json::from_str::<Value>(&call.arguments).is_ok()
}

async fn read_rest(mut response: Response) {
    let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
    let _ = tokio::time::timeout(REST, rest).await;
}

/// Calls that come in pieces.
#[derive(Debug, Default)]
struct Calls(Vec<(usize, ToolCall)>);

impl Calls {
    fn add(&mut self, piece: CallPiece) {
        let call = self.of(piece.index, piece.id.as_deref());
        let function = piece.function.unwrap_or_default();
        // A call says its id and name once, or again and again; its arguments piece by piece.
        call.id = piece.id.filter(|id| !id.is_empty()).unwrap_or_else(|| mem::take(&mut call.id));
        let name = function.name.filter(|name| !name.is_empty());
        call.name = name.unwrap_or_else(|| mem::take(&mut call.name));
        call.arguments.push_str(&function.arguments.unwrap_or_default());
    }

    /// The call that a piece belongs to: by its index; by its id where a server gives no index; else the last.
    fn of(&mut self, index: Option<usize>, id: Option<&str>) -> &mut ToolCall {
        let known = match (index, id) {
            (Some(index), _) => self.0.iter().position(|(known, _)| *known == index),
            (None, Some(id)) => self.0.iter().position(|(_, call)| call.id == id),
            (None, None) => self.0.len().checked_sub(1),
        };
        let place = known.unwrap_or_else(|| {
            let call = ToolCall { id: String::new(), name: String::new(), arguments: String::new() };
            self.0.push((index.unwrap_or(self.0.len()), call));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    /// Those that can be carried out and answered. One without an id gets one; the model sees no other.
    fn into_whole(self) -> impl Iterator<Item = ToolCall> {
        self.0.into_iter().filter(|(_, call)| !call.name.is_empty()).map(|(index, mut call)| {
            if call.id.is_empty() {
                call.id = format!("call_{index}");
            }
            call
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole(pieces: &[Value]) -> Vec<String> {
        let mut calls = Calls::default();
        for piece in pieces {
            calls.add(serde_json::from_value(piece.clone()).expect("a piece"));
        }
        let line = |call: ToolCall| format!("{} {}({})", call.id, call.name, call.arguments);
        calls.into_whole().map(line).collect()
    }

    #[test]
    fn calls_are_put_together_by_index_or_where_there_is_none_by_id() {
        for (pieces, calls) in [
            (
                vec![
                    json!({"index": 0, "id": "a", "function": {"name": "note", "arguments": ""}}),
                    json!({"index": 1, "id": "b", "function": {"name": "end_call", "arguments": "{"}}),
                    json!({"index": 0, "function": {"arguments": "{\"x\""}}),
                    json!({"index": 1, "function": {"arguments": "}"}}),
                    json!({"index": 0, "function": {"arguments": ":1}"}}),
                ],
                vec!["a note({\"x\":1})", "b end_call({})"],
            ),
            (
                vec![
                    json!({"id": "a", "function": {"name": "note", "arguments": "{}"}}),
                    json!({"id": "b", "function": {"name": "note", "arguments": "{"}}),
                    json!({"function": {"arguments": "}"}}),
                ],
                vec!["a note({})", "b note({})"],
            ),
            (
                vec![
                    json!({"index": 0, "id": "a", "function": {"name": "note", "arguments": "{"}}),
                    json!({"index": 0, "id": "", "function": {"name": "", "arguments": "}"}}),
                ],
                vec!["a note({})"],
            ),
            (vec![json!({"index": 3, "function": {"name": "note"}})], vec!["call_3 note()"]),
            (vec![json!({"index": 0, "id": "a", "function": {"arguments": "{}"}})], vec![]),
        ] {
            assert_eq!(whole(&pieces), calls, "{pieces:?}");
        }
    }
}
