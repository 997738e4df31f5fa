//! When what is said of a channel's words: interim results, finals, ends of speech and of utterances.
//!
//! Pure, and in time of the audio alone.

use std::time::Duration;

use super::words::Word;
use crate::speech::{Letter, Tick};

/// A shorter silence does not make the sound after it a new start of speech.
const QUIET: Duration = Duration::from_millis(100);
/// How long before a tick's time its window began.
const WINDOW: Duration = Duration::from_millis(20);

/// What a client asked for, and what the emulated service does by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) interim_every: Option<Duration>,
    pub(super) endpointing: Option<Duration>,
    pub(super) utterance_end: Option<Duration>,
    pub(super) vad_events: bool,
    pub(super) stretch_max: Duration,
    pub(super) finalize_ends_speech: bool,
}

/// Something to tell the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    SpeechStarted { at: Duration },
    Results(Results),
    UtteranceEnd { last_word_end: Duration },
}

/// A stretch of audio and its words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Results {
    pub(super) start: Duration,
    pub(super) duration: Duration,
    pub(super) words: Vec<Word>,
    pub(super) is_final: bool,
    pub(super) speech_final: bool,
    pub(super) from_finalize: bool,
}

/// What a final result says of itself.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    speech_final: bool,
    from_finalize: bool,
}

/// One channel.
#[derive(Debug)]
pub(super) struct Transcriber {
    rules: Rules,
    now: Duration,
    /// Until where finals have told everything.
    told: Duration,
    next_interim: Duration,
    /// Whole words after `told`, and one that may go on.
    words: Vec<Word>,
    saying: Option<Word>,
    last_letter: Duration,
    sounding: bool,
    quiet_since: Option<Duration>,
    /// Words were said since speech ended last.
    unended: bool,
    /// Words were said since the last `UtteranceEnd`.
    unclosed: bool,
}

impl Transcriber {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            now: Duration::ZERO,
            told: Duration::ZERO,
            next_interim: rules.interim_every.unwrap_or_default(),
            words: Vec::new(),
            saying: None,
            last_letter: Duration::ZERO,
            sounding: false,
            quiet_since: None,
            unended: false,
            unclosed: false,
        }
    }

    /// Takes 10 ms more into account.
    pub(super) fn hear(&mut self, tick: Tick) -> Vec<News> {
        self.now = tick.at;
        let mut news = Vec::new();
        news.extend(self.sound(tick));
        if let Some(letter) = tick.letter {
            self.spell(letter);
        }
        news.extend(self.end_speech());
        news.extend(self.end_stretch());
        self.end_utterance(&mut news);
        news.extend(self.interim());
        news
    }

    /// Everything so far becomes final; `None` if all is.
    pub(super) fn finalize(&mut self) -> Option<News> {
        if self.now == self.told {
            return None;
        }
        let ends = self.rules.finalize_ends_speech && std::mem::take(&mut self.unended);
        Some(self.tell(self.now, Marks { speech_final: ends, from_finalize: true }))
    }

    /// What is left when the stream closes.
    pub(super) fn close(&mut self) -> Option<News> {
        if self.now == self.told {
            return None;
        }
        let ends = std::mem::take(&mut self.unended);
        Some(self.tell(self.now, Marks { speech_final: ends, ..Marks::default() }))
    }

    fn sound(&mut self, tick: Tick) -> Option<News> {
        if !tick.sound {
            let since = *self.quiet_since.get_or_insert(tick.at.saturating_sub(WINDOW));
            self.sounding &= tick.at - since < QUIET;
            return None;
        }
        self.quiet_since = None;
        let starts = !std::mem::replace(&mut self.sounding, true);
        let started = News::SpeechStarted { at: tick.at.saturating_sub(WINDOW) };
        (starts && self.rules.vad_events).then_some(started)
    }

    fn spell(&mut self, letter: Letter) {
        if letter.character.is_whitespace() || letter.is_after_pause(self.last_letter) {
            self.words.extend(self.saying.take());
        }
        self.last_letter = letter.end;
        if letter.character.is_whitespace() {
            return;
        }
        (self.unended, self.unclosed) = (true, true);
        let empty = || Word { said: String::new(), start: letter.start, end: letter.end };
        let word = self.saying.get_or_insert_with(empty);
        word.said.push(letter.character);
        word.end = letter.end;
    }

    /// Silence after words ends speech.
    fn end_speech(&mut self) -> Option<News> {
        let (patience, since) = (self.rules.endpointing?, self.quiet_since?);
        if !self.unended || self.now - since < patience {
            return None;
        }
        self.unended = false;
        Some(self.tell(self.now, Marks { speech_final: true, ..Marks::default() }))
    }

    /// What goes on for long becomes final in parts, between words if it can.
    fn end_stretch(&mut self) -> Option<News> {
        if self.now - self.told < self.rules.stretch_max {
            return None;
        }
        let until = self.saying.as_ref().map_or(self.now, |word| word.start);
        let until = if until > self.told { until } else { self.now };
        Some(self.tell(until, Marks::default()))
    }

    /// A gap between words, in silence or in noise, ends the utterance.
    fn end_utterance(&mut self, news: &mut Vec<News>) {
        let Some(gap) = self.rules.utterance_end else { return };
        if !self.unclosed || self.now - self.last_letter < gap {
            return;
        }
        self.unclosed = false;
        if !self.words.is_empty() || self.saying.is_some() {
            news.push(self.tell(self.now, Marks::default()));
        }
        news.push(News::UtteranceEnd { last_word_end: self.last_letter });
    }

    fn interim(&mut self) -> Option<News> {
        let every = self.rules.interim_every?;
        if self.now < self.next_interim {
            return None;
        }
        self.next_interim = self.now + every;
        let words = self.words.iter().chain(&self.saying).cloned().collect();
        let (start, duration) = (self.told, self.now - self.told);
        Some(News::Results(Results { start, duration, words, ..Results::default() }))
    }

    /// A final for everything up to `until`.
    fn tell(&mut self, until: Duration, marks: Marks) -> News {
        let mut words = std::mem::take(&mut self.words);
        if self.saying.as_ref().is_some_and(|word| word.start < until) {
            words.extend(self.saying.take());
        }
        let (start, duration) = (self.told, until - self.told);
        self.told = until;
        self.next_interim = until + self.rules.interim_every.unwrap_or_default();
        let Marks { speech_final, from_finalize } = marks;
        News::Results(Results { start, duration, words, is_final: true, speech_final, from_finalize })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deepgram::{
        hearing::{Hearing, Script},
        scenario::Spoken,
        words::{Style, transcript},
    };

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    const RULES: Rules = Rules {
        interim_every: Some(ms(1000)),
        endpointing: Some(ms(300)),
        utterance_end: Some(ms(1000)),
        vad_events: true,
        stretch_max: ms(5000),
        finalize_ends_speech: false,
    };

    /// What is told of these words in so much audio, a line each.
    fn story(rules: Rules, spoken: &[Spoken], audio: Duration) -> Vec<String> {
        let mut hearing = Hearing::Script(Script::new(spoken, 0, 8000));
        let samples = vec![0; crate::speech::samples_in(audio, 8000)];
        let mut transcriber = Transcriber::new(rules);
        let told = hearing.hear(&samples).into_iter().flat_map(|tick| transcriber.hear(tick));
        told.map(|news| line(&news)).collect()
    }

    fn line(news: &News) -> String {
        match news {
            News::SpeechStarted { at } => format!("{} speech started", at.as_millis()),
            News::UtteranceEnd { last_word_end } => {
                format!("utterance ended at {}", last_word_end.as_millis())
            }
            News::Results(results) => {
                let kind = match (results.is_final, results.speech_final, results.from_finalize) {
                    (false, ..) => "interim",
                    (true, false, false) => "final",
                    (true, true, _) => "speech final",
                    (true, false, true) => "finalized",
                };
                let words = transcript(&results.words, Style { punctuated: true, speakers: false });
                let (start, end) =
                    (results.start.as_millis(), (results.start + results.duration).as_millis());
                format!("{start}-{end} {kind}: {words}")
            }
        }
    }

    #[test]
    fn a_short_utterance_is_told_in_the_documented_order() {
        // 12 characters of 60 ms, from 500 ms to 1220 ms.
        let told = story(RULES, &[Spoken::new(ms(500), "Hello there.")], ms(2600));
        assert_eq!(
            told,
            [
                "490 speech started",
                "0-1000 interim: Hello th",
                "0-1520 speech final: Hello there.",
                "utterance ended at 1220",
                "1520-2520 interim: ",
            ]
        );
    }

    #[test]
    fn long_speech_is_told_in_finals_that_end_between_words() {
        let rules = Rules { interim_every: None, utterance_end: None, vad_events: false, ..RULES };
        let spoken = [Spoken::new(ms(0), "this goes on and on and on")];
        let told = story(Rules { stretch_max: ms(700), ..rules }, &spoken, ms(2000));
        assert_eq!(
            told,
            ["0-600 final: this goes", "600-1200 final: on and on", "1200-1860 speech final: and on"]
        );
    }

    #[test]
    fn without_endpointing_only_the_gap_between_words_tells() {
        let rules = Rules { endpointing: None, interim_every: None, vad_events: false, ..RULES };
        let told = story(rules, &[Spoken::new(ms(0), "Yes.")], ms(1500));
        assert_eq!(told, ["0-1240 final: Yes.", "utterance ended at 240"]);
    }

    #[test]
    fn silence_is_told_as_finals_without_words() {
        let rules = Rules { interim_every: None, ..RULES };
        assert_eq!(story(rules, &[], ms(11_000)), ["0-5000 final: ", "5000-10000 final: "]);
    }

    #[test]
    fn a_finalize_tells_all_once_and_speech_may_end_on_nothing_later() {
        let rules = Rules { interim_every: None, utterance_end: None, vad_events: false, ..RULES };
        let mut script = Hearing::Script(Script::new(&[Spoken::new(ms(0), "Yes.")], 0, 8000));
        let mut transcriber = Transcriber::new(rules);
        for tick in script.hear(&vec![0; 8 * 260]) {
            assert_eq!(transcriber.hear(tick), []);
        }
        let finalized = transcriber.finalize().map(|news| line(&news));
        assert_eq!(finalized.as_deref(), Some("0-260 finalized: Yes."));
        assert_eq!(transcriber.finalize(), None);
        let later: Vec<_> =
            script.hear(&vec![0; 8 * 400]).into_iter().flat_map(|tick| transcriber.hear(tick)).collect();
        assert_eq!(later.iter().map(line).collect::<Vec<_>>(), ["260-540 speech final: "]);
    }
}
