//! Our own turn while it is spoken: which sentences, how much of each was heard.

use std::time::Duration;

use super::{CallTime, SentenceId};

/// The sentences of a turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Speech {
    sentences: Vec<Sentence>,
    /// When the last sentence that is over was.
    over_at: Option<CallTime>,
}

#[derive(Clone, Debug)]
struct Sentence {
    id: SentenceId,
    text: String,
    /// Whether it is said to the end whatever the person says.
    firm: bool,
    /// Which request of the turn it answers.
    round: usize,
    asked: CallTime,
    sounding: Option<CallTime>,
    played: Duration,
    of: Option<Duration>,
    /// When anything was told of it last.
    told: CallTime,
    over: bool,
    /// Whether it was tried once more.
    again: bool,
}

/// How fast people read aloud, in characters a second: about 150 words a minute, of six characters with their space.
/// Only for sentences whose length the voice has not told yet.
const CHARS_A_SECOND: f64 = 15.0;

impl Speech {
    pub(super) fn say(&mut self, id: SentenceId, text: &str, firm: bool, round: usize, at: CallTime) {
        self.sentences.push(Sentence {
            id,
            text: text.to_owned(),
            firm,
            round,
            asked: at,
            sounding: None,
            played: Duration::ZERO,
            of: None,
            told: at,
            over: false,
            again: false,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }

    /// Whether all that was to be said has been heard.
    pub(super) fn is_over(&self) -> bool {
        self.sentences.iter().all(|sentence| sentence.over)
    }

    /// Whether what is being said is said to the end.
    pub(super) fn is_firm(&self) -> bool {
        self.sentences.iter().any(|sentence| !sentence.over && sentence.firm)
    }

    /// When it began to sound.
    pub(super) fn began(&self) -> Option<CallTime> {
        self.sentences.iter().filter_map(|sentence| sentence.sounding).min()
    }

    /// The first sentence sounds. Tells whether it is the first of the turn.
    pub(super) fn sounding(&mut self, id: SentenceId, at: CallTime) -> bool {
        let first = self.began().is_none();
        let Some(sentence) = self.get(id) else { return false };
        sentence.sounding.get_or_insert(at);
        sentence.told = at;
        first
    }

    pub(super) fn played(&mut self, id: SentenceId, played: Duration, of: Option<Duration>, at: CallTime) {
        if let Some(sentence) = self.get(id) {
            sentence.sounding.get_or_insert(at);
            sentence.played = sentence.played.max(played);
            sentence.of = of.or(sentence.of);
            sentence.told = at;
        }
    }

    pub(super) fn over(&mut self, id: SentenceId, at: CallTime) {
        if let Some(sentence) = self.get(id) {
            sentence.sounding.get_or_insert(at);
            sentence.over = true;
            self.over_at = Some(at);
        }
    }

    /// A sentence did not come: its words, to be said once more under another name; `None` if that was done already,
    /// or if it is not one of ours.
    pub(super) fn again(&mut self, id: SentenceId, new: SentenceId, at: CallTime) -> Again {
        let Some(sentence) = self.get(id).filter(|sentence| !sentence.over) else { return Again::Forgotten };
        if sentence.again {
            return Again::InVain;
        }
        sentence.again = true;
        sentence.id = new;
        sentence.asked = at;
        sentence.sounding = None;
        Again::Say(sentence.text.clone())
    }

    /// What the next sentence is waited for, and until when.
    pub(super) fn due(&self, patience: Duration) -> Option<(CallTime, Due)> {
        let next = self.sentences.iter().find(|sentence| !sentence.over)?;
        Some(match next.sounding {
            None => {
                let since = next.asked.max(self.over_at.unwrap_or_default());
                (since.plus(patience), Due::Sound(next.id))
            }
            Some(_) => {
                let rest = next.length().saturating_sub(next.played);
                (next.told.plus(rest).plus(patience), Due::End(next.id))
            }
        })
    }

    /// When its first sentence was wanted.
    pub(super) fn first_asked(&self) -> Option<CallTime> {
        self.sentences.first().map(|sentence| sentence.asked)
    }

    /// The last round that anything of it belongs to.
    pub(super) fn last_round(&self) -> Option<usize> {
        self.sentences.iter().map(|sentence| sentence.round).max()
    }

    /// The words of a round, whether heard or not.
    pub(super) fn text(&self, round: usize) -> String {
        let of_round = self.sentences.iter().filter(|sentence| sentence.round == round);
        of_round.map(|sentence| sentence.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The words that were heard: of one round, or of all.
    pub(super) fn heard(&self, round: Option<usize>) -> String {
        let sentences =
            self.sentences.iter().filter(|sentence| round.is_none_or(|round| sentence.round == round));
        let heard = sentences.map(Sentence::heard).filter(|text| !text.is_empty());
        heard.collect::<Vec<_>>().join(" ")
    }

    fn get(&mut self, id: SentenceId) -> Option<&mut Sentence> {
        self.sentences.iter_mut().find(|sentence| sentence.id == id)
    }
}

/// What a sentence is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Its first sound.
    Sound(SentenceId),
    /// Its end: it sounds, and should have been over.
    End(SentenceId),
}

/// What becomes of a sentence that did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It is said once more.
    Say(String),
    /// It was, and did not come again.
    InVain,
    /// Nobody waits for it.
    Forgotten,
}

impl Sentence {
    /// How long it sounds, as far as that is known.
    fn length(&self) -> Duration {
        // A count of characters of a sentence is far below the numbers that a float cannot hold.
        #[expect(clippy::cast_precision_loss, reason = "a sentence is short")]
        let estimated = || Duration::from_secs_f64(self.text.chars().count() as f64 / CHARS_A_SECOND);
        self.of.unwrap_or_else(estimated)
    }

    /// The whole words that fit into what was played.
    fn heard(&self) -> &str {
        if self.over {
            return &self.text;
        }
        let chars = self.text.chars().count();
        let whole = self.length().as_secs_f64();
        let share = if whole > 0.0 { (self.played.as_secs_f64() / whole).min(1.0) } else { 0.0 };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a short text's length"
        )]
        let upto = (chars as f64 * share).floor() as usize;
        let cut = self.text.char_indices().nth(upto).map_or(self.text.len(), |(at, _)| at);
        let head = &self.text[..cut];
        let rest = &self.text[cut..];
        // In the middle of a word, the word was not heard.
        if rest.is_empty() || rest.starts_with(char::is_whitespace) {
            return head.trim_end();
        }
        head.rfind(char::is_whitespace).map_or("", |space| head[..space].trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_cut_at_whole_words() {
        let text = "The flat has two bedrooms and a balcony.";
        let heard = |played_ms: u64, of_ms: Option<u64>| {
            let mut speech = Speech::default();
            speech.say(SentenceId(1), text, false, 0, CallTime::ms(0));
            let of = of_ms.map(Duration::from_millis);
            speech.played(SentenceId(1), Duration::from_millis(played_ms), of, CallTime::ms(played_ms));
            speech.heard(None)
        };
        assert_eq!(heard(0, Some(2_000)), "");
        assert_eq!(heard(500, Some(2_000)), "The flat");
        assert_eq!(heard(1_000, Some(2_000)), "The flat has two");
        assert_eq!(heard(2_000, Some(2_000)), text);
        assert_eq!(heard(1_000, None), "The flat has");
    }

    #[test]
    fn a_sentence_of_which_nothing_more_is_told_is_waited_for_no_longer_than_it_lasts() {
        let mut speech = Speech::default();
        speech.say(SentenceId(1), "The flat is sold.....", false, 0, CallTime::ms(0));
        speech.sounding(SentenceId(1), CallTime::ms(200));
        let patience = Duration::from_secs(3);
        assert_eq!(speech.due(patience), Some((CallTime::ms(200 + 1_400 + 3_000), Due::End(SentenceId(1)))));
        let of = Some(Duration::from_millis(1_000));
        speech.played(SentenceId(1), Duration::from_millis(400), of, CallTime::ms(600));
        assert_eq!(speech.due(patience), Some((CallTime::ms(600 + 600 + 3_000), Due::End(SentenceId(1)))));
    }

    #[test]
    fn a_sentence_is_tried_once_more_and_no_more() {
        let mut speech = Speech::default();
        speech.say(SentenceId(1), "Hello.", false, 0, CallTime::ms(0));
        assert_eq!(
            speech.due(Duration::from_secs(3)),
            Some((CallTime::ms(3_000), Due::Sound(SentenceId(1))))
        );
        assert_eq!(
            speech.again(SentenceId(1), SentenceId(2), CallTime::ms(3_000)),
            Again::Say("Hello.".into())
        );
        assert_eq!(speech.again(SentenceId(1), SentenceId(3), CallTime::ms(3_001)), Again::Forgotten);
        assert_eq!(speech.again(SentenceId(2), SentenceId(3), CallTime::ms(6_000)), Again::InVain);
    }
}
