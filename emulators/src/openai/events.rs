//! A streamed answer as events, each at its time.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::{
    answer::Quirk,
    config::Pacing,
    error,
    produce::{Piece, Produced},
    wire::{self, Head},
};
use crate::service::paced::Act;

/// A step of the stream, and what of the answer has been sent with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) act: Act,
    pub(super) text: String,
    pub(super) tokens: usize,
}

impl From<Act> for Step {
    fn from(act: Act) -> Self {
        Self { act, text: String::new(), tokens: 0 }
    }
}

/// Writes the events.
struct Writer<'a> {
    head: &'a Head,
    quirks: &'a [Quirk],
    line_end: &'static str,
    steps: Vec<Step>,
}

/// All steps of a stream. `first` passes before the first of them.
pub(super) fn steps(
    head: &Head,
    produced: &Produced,
    usage: Value,
    quirks: &[Quirk],
    pacing: &Pacing,
    first: Duration,
) -> Vec<Step> {
    let line_end = if quirks.contains(&Quirk::Comments) { "\r\n" } else { "\n" };
    let mut writer = Writer { head, quirks, line_end, steps: vec![Act::Wait(first).into()] };
    if writer.write(produced, pacing.gap()) {
        writer.finish(produced, usage);
    }
    match quirks
        .iter()
        .find_map(|quirk| if let Quirk::SplitBytes { size } = quirk { Some(*size) } else { None })
    {
        Some(size) => split(writer.steps, size.max(1)),
        None => writer.steps,
    }
}

impl Writer<'_> {
    /// The pieces; `false` if a quirk ends the stream before its end.
    fn write(&mut self, produced: &Produced, gap: Duration) -> bool {
        if !matches!(produced.pieces.first(), Some(Piece::Call { .. })) {
            self.event(&self.head.chunk(&wire::opening(), None));
        }
        let mut sent = 0;
        for (place, piece) in produced.pieces.iter().enumerate() {
            if piece.tokens() > 0 && !self.strike(sent) {
                return false;
            }
            if sent > 0 {
                self.steps.push(Act::Wait(gap).into());
            }
            self.event(&self.head.chunk(&wire::delta(piece, place == 0), None));
            if let Some(last) = self.steps.last_mut() {
                last.tokens = piece.tokens();
                last.text = if let Piece::Text(text) = piece { text.clone() } else { String::new() };
            }
            sent += piece.tokens();
        }
        self.strike(sent)
    }

    /// Whatever goes wrong after so many tokens; `false` if that is the end.
    fn strike(&mut self, sent: usize) -> bool {
        for quirk in self.quirks {
            match quirk {
                Quirk::MalformedChunk { after_tokens } if *after_tokens == sent => {
                    self.line("data: {\"id\":\"chatcmpl-\",\"choices\":[{\"ind");
                }
                Quirk::EmptyChoices { after_tokens } if *after_tokens == sent => {
                    self.event(&self.head.empty_chunk());
                }
                Quirk::ErrorEvent { after_tokens } if *after_tokens == sent => {
                    self.event(&error::event());
                    return false;
                }
                Quirk::NamedErrorEvent { after_tokens } if *after_tokens == sent => {
                    self.line(&format!("event: error{}data: {}", self.line_end, error::event()));
                    return false;
                }
                Quirk::Pause { after_tokens, length } if *after_tokens == sent => {
                    self.steps.push(Act::Wait(*length).into());
                }
                Quirk::Stall { after_tokens } if *after_tokens == sent => {
                    self.steps.push(Act::Hang.into());
                    return false;
                }
                Quirk::Cut { after_tokens } if *after_tokens == sent => {
                    self.steps.push(Act::Cut.into());
                    return false;
                }
                Quirk::EndEarly { after_tokens } if *after_tokens == sent => return false,
                _ => {}
            }
        }
        true
    }

    fn finish(&mut self, produced: &Produced, usage: Value) {
        self.event(&self.head.chunk(&serde_json::json!({}), Some(produced.finish.name())));
        if self.head.include_usage {
            let mut last = self.head.empty_chunk();
            last["usage"] = usage;
            self.event(&last);
        }
        self.line("data: [DONE]");
    }

    fn event(&mut self, value: &Value) {
        self.line(&format!("data: {value}"));
    }

    fn line(&mut self, line: &str) {
        let end = self.line_end;
        let comment = if self.quirks.contains(&Quirk::Comments) {
            format!(": emulated{end}{end}")
        } else {
            String::new()
        };
        self.steps.push(Act::Send(Bytes::from(format!("{comment}{line}{end}{end}"))).into());
    }
}

/// The same bytes in pieces of `size`; what was sent counts with the piece that ends it, or a later one.
fn split(steps: Vec<Step>, size: usize) -> Vec<Step> {
    let mut pieces: Vec<Step> = Vec::new();
    let mut rest: Vec<u8> = Vec::new();
    let (mut text, mut tokens) = (String::new(), 0);
    for step in steps {
        match step.act {
            Act::Send(bytes) => {
                rest.extend_from_slice(&bytes);
                text.push_str(&step.text);
                tokens += step.tokens;
                let whole = rest.len() - rest.len() % size;
                let tail = rest.split_off(whole);
                pieces.extend(rest.chunks(size).map(|piece| Act::Send(Bytes::copy_from_slice(piece)).into()));
                rest = tail;
            }
            Act::Wait(_) => pieces.push(step.act.into()),
            Act::Hang | Act::Cut => {
                pieces.push(Act::Send(Bytes::from(std::mem::take(&mut rest))).into());
                pieces.push(step.act.into());
            }
        }
        if let Some(last) = pieces.last_mut().filter(|last| matches!(last.act, Act::Send(_))) {
            last.text.push_str(&std::mem::take(&mut text));
            last.tokens += std::mem::take(&mut tokens);
        }
    }
    if !rest.is_empty() {
        pieces.push(Step { act: Act::Send(Bytes::from(rest)), text, tokens });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openai::produce::Finish;

    fn written(quirks: &[Quirk]) -> Vec<Step> {
        let head = Head {
            number: 1,
            created: 0,
            model: "m".into(),
            service_tier: "default",
            include_usage: true,
            obfuscation: false,
        };
        let pieces = ["Näm", "aste"].map(|text| Piece::Text(text.into())).to_vec();
        let produced = Produced { pieces, finish: Finish::Stop };
        let pacing = Pacing { tokens_per_second: Some(10), ..Pacing::default() };
        steps(&head, &produced, json!({}), quirks, &pacing, Duration::from_millis(300))
    }

    fn bytes(steps: &[Step]) -> String {
        let sent = steps
            .iter()
            .filter_map(|step| if let Act::Send(bytes) = &step.act { Some(&bytes[..]) } else { None });
        String::from_utf8(sent.collect::<Vec<_>>().concat()).expect("UTF-8")
    }

    #[test]
    fn tokens_wait_for_their_turn() {
        let waits: Vec<_> = written(&[])
            .into_iter()
            .filter_map(|step| if let Act::Wait(time) = step.act { Some(time.as_millis()) } else { None })
            .collect();
        assert_eq!(waits, [300, 100]);
    }

    #[test]
    fn splitting_changes_no_byte_and_loses_no_count() {
        let whole = written(&[]);
        for size in [1, 7, 10_000] {
            let split = written(&[Quirk::SplitBytes { size }]);
            assert_eq!(bytes(&split), bytes(&whole));
            assert_eq!(split.iter().map(|step| step.tokens).sum::<usize>(), 2);
            assert_eq!(split.iter().map(|step| step.text.as_str()).collect::<String>(), "Nämaste");
        }
    }

    #[test]
    fn what_goes_wrong_goes_wrong_after_its_tokens() {
        let done = |steps: &[Step]| bytes(steps).contains("[DONE]");
        let cut = written(&[Quirk::Cut { after_tokens: 1 }]);
        assert_eq!(cut.last().map(|step| &step.act), Some(&Act::Cut));
        assert!(bytes(&cut).contains("Näm") && !bytes(&cut).contains("aste"));
        for quirk in [Quirk::Stall { after_tokens: 2 }, Quirk::EndEarly { after_tokens: 0 }] {
            assert!(!done(&written(&[quirk])));
        }
        assert!(done(&written(&[Quirk::EmptyChoices { after_tokens: 1 }, Quirk::Cut { after_tokens: 9 }])));
    }
}
