//! From characters to words.

use std::time::Duration;

use serde_json::{Value, json};

/// How sure the emulator is of everything it hears.
pub(super) const CONFIDENCE: f64 = 0.99;

/// A word as it was said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) said: String,
    pub(super) start: Duration,
    pub(super) end: Duration,
}

/// How words are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// Capitals and punctuation are kept in the transcript.
    pub(super) punctuated: bool,
    /// Each word has a speaker, who is always the same.
    pub(super) speakers: bool,
}

impl Word {
    /// Without capitals and punctuation, unless it is nothing else.
    fn bare(&self) -> String {
        let bare = self.said.trim_matches(|c: char| c.is_ascii_punctuation());
        if bare.is_empty() { self.said.clone() } else { bare.to_lowercase() }
    }

    pub(super) fn shown(&self, style: Style, language: Option<&str>) -> Value {
        let mut shown = json!({
            "word": self.bare(), "start": seconds(self.start), "end": seconds(self.end), "confidence": CONFIDENCE,
        });
        if style.punctuated {
            shown["punctuated_word"] = json!(self.said);
        }
        if style.speakers {
            shown["speaker"] = json!(0);
        }
        if let Some(language) = language {
            shown["language"] = json!(language);
        }
        shown
    }
}

/// Words as a line of text.
pub(super) fn transcript(words: &[Word], style: Style) -> String {
    let shown = |word: &Word| if style.punctuated { word.said.clone() } else { word.bare() };
    words.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// Seconds, to the millisecond.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
