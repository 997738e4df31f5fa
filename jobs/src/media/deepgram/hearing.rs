//! From results to what is told.

use super::wire::Results;
use crate::media::services::Recognised;

/// What was told of the utterance that goes on.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// The words that may change, as they were told last.
    interim: String,
    /// Whether words were told since the last end.
    open: bool,
}

impl Hearing {
    /// What a result tells, in order. An end may come with no words of its own.
    pub(super) fn hear(&mut self, results: &Results) -> Vec<Recognised> {
        let text = results.transcript();
        let confirmed = results.is_final && !text.is_empty();
        let mut told = Vec::new();
        // Nothing in the place of something takes that back.
        if confirmed || text != self.interim {
            self.open |= !text.is_empty();
            told.push(Recognised::Words { text: text.to_owned(), confirmed });
        }
        self.interim = if results.is_final { String::new() } else { text.to_owned() };
        if results.speech_final {
            told.extend(self.end());
        }
        told
    }

    /// The end of an utterance, unless it was told already: the two signs for it follow each other.
    pub(super) fn end(&mut self) -> Option<Recognised> {
        std::mem::take(&mut self.open).then_some(Recognised::Ended)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(hearing: &mut Hearing, text: &str, is_final: bool, speech_final: bool) -> Vec<String> {
        let results = json!({
            "is_final": is_final, "speech_final": speech_final,
            "channel": { "alternatives": [{ "transcript": text }] },
        });
        let results = serde_json::from_value(results).expect("results");
        hearing.hear(&results).into_iter().map(line).collect()
    }

    fn line(recognised: Recognised) -> String {
        match recognised {
            Recognised::Words { text, confirmed: true } => format!("confirmed: {text}"),
            Recognised::Words { text, confirmed: false } => format!("perhaps: {text}"),
            Recognised::Ended => "ended".to_owned(),
            Recognised::Failed(why) => format!("failed: {why}"),
        }
    }

    #[test]
    fn words_are_told_as_they_change_and_an_end_once() {
        let mut hearing = Hearing::default();
        assert_eq!(told(&mut hearing, "", false, false), [""; 0]);
        assert_eq!(told(&mut hearing, "I want", false, false), ["perhaps: I want"]);
        assert_eq!(told(&mut hearing, "I want", false, false), [""; 0]);
        assert_eq!(told(&mut hearing, "I went out", true, false), ["confirmed: I went out"]);
        assert_eq!(told(&mut hearing, "", true, true), ["ended"]);
        assert!(hearing.end().is_none());
        assert_eq!(told(&mut hearing, "", true, true), [""; 0]);
    }

    #[test]
    fn words_that_come_to_nothing_are_taken_back() {
        let mut hearing = Hearing::default();
        assert_eq!(told(&mut hearing, "Hm", false, false), ["perhaps: Hm"]);
        assert_eq!(told(&mut hearing, "", true, false), ["perhaps: "]);
        assert_eq!(told(&mut hearing, "Yes.", true, true), ["confirmed: Yes.", "ended"]);
        assert_eq!(told(&mut hearing, "Yes.", true, false), ["confirmed: Yes."]);
        assert_eq!(hearing.end(), Some(Recognised::Ended));
    }
}
