//! When a person has finished: from voice, recognised words, and what the words look like.

use std::time::Duration;

use super::CallTime;
use super::timing::Timing;

/// Words that come later than this behind a voice were not said with it: recognisers take some hundred milliseconds.
const RECOGNISED_WITHIN: Duration = Duration::from_secs(2);

/// Follows one utterance of the person.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpointer {
    /// Words that stay as they are.
    confirmed: String,
    /// Words that the recogniser may still change.
    interim: String,
    /// When the utterance began.
    began: Option<CallTime>,
    /// Since when there is voice.
    voice_since: Option<CallTime>,
    /// How long the last voice lasted.
    voice_lasted: Duration,
    /// When there was voice last, while there is none.
    voice_until: Option<CallTime>,
    /// When words came last.
    words_at: Option<CallTime>,
    /// Whether the recogniser has heard the end of the utterance.
    ended: bool,
}

/// What a person said in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Utterance {
    pub(super) text: String,
    pub(super) began: CallTime,
    /// When the voice ended.
    pub(super) ended: CallTime,
}

impl Endpointer {
    pub(super) fn voice_began(&mut self, at: CallTime) {
        self.voice_since = Some(at);
        if self.is_empty() {
            self.began = Some(at);
        }
        self.ended = false;
    }

    pub(super) fn voice_ended(&mut self, at: CallTime) {
        if let Some(since) = self.voice_since.take() {
            self.voice_lasted = at.since(since);
        }
        self.voice_until = Some(at);
    }

    /// Words that may still change take the place of the former ones; final ones are put behind those that were.
    pub(super) fn words(&mut self, text: &str, confirmed: bool, at: CallTime) {
        let text = text.trim();
        if !text.is_empty() {
            if self.is_empty() && self.voice_since.is_none() && self.voice_behind(at).is_none() {
                // What was heard before was a cough.
                self.began = Some(at);
            }
            self.words_at = Some(at);
            self.began.get_or_insert(at);
            self.ended = false;
        }
        if confirmed {
            self.interim.clear();
            append(&mut self.confirmed, text);
        } else {
            text.clone_into(&mut self.interim);
        }
    }

    /// The recogniser has heard the end.
    pub(super) fn ended(&mut self) {
        self.ended = !self.is_empty();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.confirmed.is_empty() && self.interim.is_empty()
    }

    /// Whether all words that are there will stay.
    pub(super) fn is_settled(&self) -> bool {
        !self.confirmed.is_empty() && self.interim.is_empty()
    }

    pub(super) fn text(&self) -> String {
        let mut text = self.confirmed.clone();
        append(&mut text, &self.interim);
        text
    }

    /// Since when there has been voice without a pause.
    pub(super) fn voice_since(&self) -> Option<CallTime> {
        self.voice_since
    }

    /// How long the present voice has lasted, or the last one did.
    pub(super) fn voice_for(&self, at: CallTime) -> Duration {
        self.voice_since.map_or(self.voice_lasted, |since| at.since(since))
    }

    /// What was taken for finished was not: the person has gone on.
    pub(super) fn resume(&mut self, before: Utterance) {
        let mut text = before.text;
        append(&mut text, &self.confirmed);
        self.confirmed = text;
        self.began = Some(before.began);
    }

    pub(super) fn began(&self) -> Option<CallTime> {
        self.began
    }

    /// When the voice ended that words which came at that time were said with; `None` if there was none.
    fn voice_behind(&self, words_at: CallTime) -> Option<CallTime> {
        self.voice_until.filter(|until| words_at.since(*until) <= RECOGNISED_WITHIN)
    }

    /// When the utterance counts as finished if nothing more is heard.
    pub(super) fn ends_at(&self, timing: &Timing) -> Option<CallTime> {
        if self.is_empty() {
            return None;
        }
        let words_at = self.words_at?;
        if self.voice_since.is_some() {
            // Noise can pass for voice without end: then the recogniser's word counts.
            return self.ended.then(|| words_at.plus(timing.noise()));
        }
        let quiet = self.voice_behind(words_at).unwrap_or(words_at);
        let pause = if !self.interim.is_empty() && !self.ended {
            timing.unconfirmed()
        } else if is_finished(&self.text()) {
            timing.end_of_turn()
        } else {
            timing.unfinished()
        };
        Some(quiet.plus(pause))
    }

    /// What was said, if anything; the next utterance begins. Voice that goes on belongs to that.
    pub(super) fn take(&mut self, at: CallTime) -> Option<Utterance> {
        let voice_since = self.voice_since;
        let taken = std::mem::take(self);
        self.voice_since = voice_since;
        self.began = voice_since;
        let text = taken.text();
        let began = taken.began.unwrap_or(at);
        let words_at = taken.words_at.unwrap_or(at);
        let ended = taken.voice_behind(words_at).unwrap_or(words_at).max(began);
        (!text.is_empty()).then_some(Utterance { text, began, ended })
    }
}

fn append(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// Words that a sentence does not stop after: whoever says one goes on.
const GOES_ON: [&str; 34] = [
    "a", "about", "actually", "also", "an", "and", "at", "because", "but", "for", "from", "i", "if", "in",
    "is", "like", "my", "of", "on", "or", "our", "so", "that", "the", "their", "then", "to", "uh", "um",
    "we", "when", "which", "with", "your",
];
/// Answers that are whole without a full stop.
const WHOLE: [&str; 16] = [
    "bye", "correct", "hello", "hi", "nahi", "no", "nope", "ok", "okay", "right", "sure", "thanks", "yeah",
    "yep", "yes", "haan",
];

/// Whether a text looks like the whole of what somebody wants to say: it ends as sentences end, in the scripts of
/// the recognisers' languages, or is an answer of one word. A number may always go on.
fn is_finished(text: &str) -> bool {
    let text = text.trim_end();
    let stopped = text.ends_with(['.', '?', '!', '।', '。', '？', '！', '؟']);
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let last = last.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    if GOES_ON.contains(&last.as_str()) || last.chars().any(|c| c.is_ascii_digit()) {
        return false;
    }
    stopped || WHOLE.contains(&last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_whole_is_told_from_one_that_goes_on() {
        for whole in ["I want two bedrooms.", "Yes", "is it far?", "ठीक है।", "no, thanks"] {
            assert!(is_finished(whole), "{whole}");
        }
        for goes_on in [
            "I want to",
            "We are looking for a.",
            "because",
            "my number is 98765",
            "and, um,",
            "two bedrooms",
        ] {
            assert!(!is_finished(goes_on), "{goes_on}");
        }
    }

    #[test]
    fn words_that_may_change_take_the_place_of_the_former_ones() {
        let mut endpointer = Endpointer::default();
        for (text, confirmed) in [("I", false), ("I went", false), ("I want two", true), ("bed", false)] {
            endpointer.words(text, confirmed, CallTime::ms(100));
        }
        assert_eq!(endpointer.text(), "I want two bed");
        assert!(!endpointer.is_settled());
        endpointer.words("bedrooms.", true, CallTime::ms(300));
        assert!(endpointer.is_settled());
        let utterance = endpointer.take(CallTime::ms(900)).expect("words");
        assert_eq!((utterance.text.as_str(), utterance.began), ("I want two bedrooms.", CallTime::ms(100)));
        assert!(endpointer.is_empty() && endpointer.take(CallTime::ms(901)).is_none());
    }
}
