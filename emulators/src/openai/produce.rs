//! From an answer to the tokens that are sent of it.

use super::{
    answer::{Answer, Quirk},
    request::Ask,
    schema, tokens,
};

/// A piece of an answer. All but the beginning of a call are one token each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Refusal(String),
    /// A call begins.
    Call {
        index: usize,
        id: String,
        name: String,
    },
    Arguments {
        index: usize,
        text: String,
    },
}

impl Piece {
    pub(super) fn tokens(&self) -> usize {
        usize::from(!matches!(self, Self::Call { .. }))
    }
}

/// Why an answer is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
}

impl Finish {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
        }
    }
}

/// An answer as it will be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Produced {
    pub(super) pieces: Vec<Piece>,
    pub(super) finish: Finish,
}

impl Produced {
    pub(super) fn tokens(&self) -> usize {
        self.pieces.iter().map(Piece::tokens).sum()
    }
}

/// What is sent of `answer` to request `number`.
pub(super) fn produce(answer: &Answer, ask: &Ask, quirks: &[Quirk], number: usize) -> Produced {
    let mut produced = match &answer.refusal {
        Some(why) => {
            let pieces = tokens::split(why).into_iter().map(Piece::Refusal).collect();
            Produced { pieces, finish: Finish::Stop }
        }
        None => spoken(answer, ask, quirks, number),
    };
    if let Some(most) = ask.answer_max() {
        shorten(&mut produced, most, Finish::Length);
    }
    for quirk in quirks {
        match quirk {
            Quirk::Length { after_tokens } => shorten(&mut produced, *after_tokens, Finish::Length),
            Quirk::ContentFilter { after_tokens } => {
                shorten(&mut produced, *after_tokens, Finish::ContentFilter);
            }
            _ => {}
        }
    }
    produced
}

fn spoken(answer: &Answer, ask: &Ask, quirks: &[Quirk], number: usize) -> Produced {
    let mut pieces: Vec<Piece> = tokens::split(&text(answer, ask)).into_iter().map(Piece::Text).collect();
    let callable = ask.tool_choice.as_ref().is_none_or(|choice| choice != "none");
    let most = match (callable, ask.parallel_tool_calls) {
        (false, _) => 0,
        (true, Some(false)) => 1,
        (true, _) => usize::MAX,
    };
    let calls = answer.tool_calls.iter().take(most);
    for (index, call) in calls.enumerate() {
        let id = format!("call_{number:08}_{index}");
        pieces.push(Piece::Call { index, id, name: call.name.clone() });
        let whole = call.arguments.chars().count();
        let kept = if quirks.contains(&Quirk::MalformedArguments) { whole / 2 } else { whole };
        let arguments: String = call.arguments.chars().take(kept).collect();
        let arguments = tokens::split(&arguments).into_iter();
        pieces.extend(arguments.map(|text| Piece::Arguments { index, text }));
    }
    let called = pieces.iter().any(|piece| matches!(piece, Piece::Call { .. }));
    // A call that was forced by name finishes as text does.
    let finish = if called && ask.forced_tool().is_none() { Finish::ToolCalls } else { Finish::Stop };
    Produced { pieces, finish }
}

/// An answer's text up to the first stop sequence.
fn text(answer: &Answer, ask: &Ask) -> String {
    let schema = ask.schema().and_then(|schema| schema.schema.clone()).unwrap_or_default();
    let json = answer.json.as_ref().map(|value| schema::written(value, &schema));
    let mut text = json.or_else(|| answer.text.clone()).unwrap_or_default();
    let stop = ask.stops().iter().filter_map(|stop| text.find(stop.as_str())).min();
    text.truncate(stop.unwrap_or(text.len()));
    text
}

/// Leaves `most` tokens; what is within that stays as it is.
fn shorten(produced: &mut Produced, most: usize, finish: Finish) {
    if produced.tokens() <= most {
        return;
    }
    let mut left = most;
    produced.pieces.retain(|piece| {
        let fits = left >= piece.tokens() && left > 0;
        left -= piece.tokens().min(left);
        fits
    });
    produced.finish = finish;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(value: serde_json::Value) -> Ask {
        serde_json::from_value(value).expect("a request")
    }

    #[test]
    fn calls_come_after_text_with_their_arguments_in_fragments() {
        let answer = Answer { text: Some("One moment.".into()), ..Answer::call("end_call", r#"{"a":1}"#) };
        let produced = produce(&answer, &Ask::default(), &[], 3);
        let call = Piece::Call { index: 0, id: "call_00000003_0".into(), name: "end_call".into() };
        let arguments = |text: &str| Piece::Arguments { index: 0, text: text.into() };
        let text = |text: &str| Piece::Text(text.into());
        assert_eq!(
            produced.pieces,
            [text("One "), text("mome"), text("nt."), call, arguments(r#"{"a""#), arguments(":1}")]
        );
        assert_eq!((produced.finish, produced.tokens()), (Finish::ToolCalls, 5));
    }

    #[test]
    fn a_call_forced_by_name_finishes_with_stop_and_none_may_be_forbidden() {
        let answer = Answer::call("a", "{}").and_call("b", "{}");
        let named = ask(json!({"tool_choice": {"type": "function", "function": {"name": "a"}}}));
        assert_eq!(produce(&answer, &named, &[], 0).finish, Finish::Stop);
        assert_eq!(produce(&answer, &ask(json!({"tool_choice": "none"})), &[], 0).pieces, []);
        let one = produce(&answer, &ask(json!({"parallel_tool_calls": false})), &[], 0);
        assert_eq!(one.pieces.iter().filter(|piece| matches!(piece, Piece::Call { .. })).count(), 1);
    }

    #[test]
    fn an_answer_that_is_too_long_says_so_and_a_stop_does_not() {
        let long = Answer::text("abcdefghij");
        let short = produce(&long, &ask(json!({"max_completion_tokens": 2})), &[], 0);
        assert_eq!((short.tokens(), short.finish), (2, Finish::Length));
        let enough = produce(&long, &ask(json!({"max_completion_tokens": 3})), &[], 0);
        assert_eq!((enough.tokens(), enough.finish), (3, Finish::Stop));
        let stopped = produce(&long, &ask(json!({"stop": ["j", "fg"]})), &[], 0);
        assert_eq!(stopped.pieces, [Piece::Text("abcd".into()), Piece::Text("e".into())]);
    }
}
