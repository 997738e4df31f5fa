//! An explanation as lines of text: why, what comes next, and the history as a timeline.

use std::fmt::{self, Write};

use super::{Explanation, Line};
use crate::workflow::State;

/// Where the words of a history line begin: after the time and the longest step name.
const WORDS_AT: usize = 26;

/// Lines are not made narrower than this, however narrow the terminal: beside the time and the step
/// a sentence would become a column of words.
const NARROWEST: usize = 60;

impl Explanation {
    /// The answer in lines of at most `columns`, wrapped between words. A line that goes on is
    /// indented; words longer than a line are left whole.
    pub fn text(&self, columns: usize) -> String {
        let mut text = Text { written: String::new(), columns: columns.max(NARROWEST) };
        text.say(&self.headline(), 2);
        if let Some(next) = &self.next {
            let at = next.at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
            text.say(&format!("next: {}: {}", next.local.as_ref().unwrap_or(&at), next.what), 2);
        }
        if let Some(then) = &self.afterwards {
            text.say(&format!("then: {then}"), 2);
        }
        for change in &self.to_change {
            text.say(&format!("to do: {change}"), 2);
        }
        for row in &self.unreadable {
            text.say(&format!("not shown: {row}"), 2);
        }
        if let Some(since) = self.history_since {
            text.say(&format!("no longer kept: what happened before {}", since.format("%a %d %b %Y")), 2);
        }
        let mut day = None;
        for Line { at, step, text: words, .. } in &self.history {
            if day.replace(at.date_naive()) != Some(at.date_naive()) {
                text.say(&at.format("%a %d %b %Y, UTC").to_string(), 0);
            }
            let head = format!("{}  {:<14}", at.format("%H:%M:%S"), step.name());
            text.say(&format!("{head}  {words}"), WORDS_AT);
        }
        text.written
    }

    fn headline(&self) -> String {
        let state = self.state.map_or("unreadable", State::name);
        match self.outcome {
            Some(outcome) => format!("{state} as {outcome}: {}", self.why),
            None => format!("{state}: {}", self.why),
        }
    }
}

impl fmt::Display for Explanation {
    /// As [`Explanation::text`], without wrapping.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(usize::MAX))
    }
}

struct Text {
    written: String,
    columns: usize,
}

impl Text {
    /// One line, or several of which all but the first are indented.
    fn say(&mut self, line: &str, indent: usize) {
        let mut column = 0;
        for word in line.split_inclusive(' ') {
            let width = word.trim_end().chars().count();
            if column > indent && column + width > self.columns {
                self.end();
                // A string takes all that is written to it.
                let _ = write!(self.written, "{:indent$}", "");
                column = indent;
            }
            self.written.push_str(word);
            column += word.chars().count();
        }
        self.end();
    }

    fn end(&mut self) {
        self.written.truncate(self.written.trim_end().len());
        self.written.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str, columns: usize, indent: usize) -> String {
        let mut text = Text { written: String::new(), columns };
        text.say(line, indent);
        text.written
    }

    #[test]
    fn a_line_is_wrapped_between_words_and_goes_on_indented() {
        assert_eq!(said("one two three", 13, 2), "one two three\n");
        assert_eq!(said("one two three", 12, 2), "one two\n  three\n");
        assert_eq!(said("one two three four", 9, 4), "one two\n    three\n    four\n");
        assert_eq!(said("a  b", 80, 2), "a  b\n");
    }

    #[test]
    fn a_word_longer_than_a_line_is_left_whole() {
        assert_eq!(said("call 0123456789abcdef ended", 8, 2), "call\n  0123456789abcdef\n  ended\n");
    }
}
