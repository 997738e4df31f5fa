//! Whether the moment for the caller's next line has come.

use std::time::Duration;

use super::When;
use crate::speech::{Letter, PAUSE};

/// What a caller goes by. Times are from the start of the stream.
#[derive(Debug, Default)]
pub(super) struct Cues {
    /// What the bot was heard to say since the line before began.
    heard: String,
    /// Whether it began to speak since then, rather than go on.
    begun: bool,
    /// When it was last heard.
    last_heard: Option<Duration>,
    line_began: Option<Duration>,
    line_ended: Duration,
}

impl Cues {
    pub(super) fn begin_line(&mut self, at: Duration) {
        self.heard.clear();
        self.begun = false;
        self.line_began = Some(at);
    }

    pub(super) fn end_line(&mut self, at: Duration) {
        self.line_ended = at;
    }

    /// What the bot says; `anew` after a clear.
    pub(super) fn hear(&mut self, letter: Letter, anew: bool) {
        let pauses = anew || self.last_heard.is_none_or(|last| letter.start.saturating_sub(last) >= PAUSE);
        if pauses && !self.heard.is_empty() && !self.heard.ends_with(' ') {
            self.heard.push(' ');
        }
        self.heard.push(letter.character);
        self.begun |= pauses && self.line_began.is_none_or(|began| letter.start >= began);
        self.last_heard = Some(letter.end);
    }

    pub(super) fn met(&self, when: &When, now: Duration) -> bool {
        match when {
            When::At { after } => *after <= now,
            When::Then { after } => self.line_ended + *after <= now,
            When::Heard(words) => self.heard.to_lowercase().contains(&words.to_lowercase()),
            When::Quiet { length } => self.begun && self.last_heard.is_some_and(|last| last + *length <= now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn hear(cues: &mut Cues, text: &str, from: u64) {
        for (nth, character) in (0..).zip(text.chars()) {
            let start = ms(from + nth * 60);
            cues.hear(Letter { character, start, end: start + ms(60) }, false);
        }
    }

    #[test]
    fn a_bot_that_never_spoke_is_never_answered() {
        let cues = Cues::default();
        assert!(!cues.met(&When::default(), ms(90_000)));
        assert!(cues.met(&When::At { after: ms(300) }, ms(300)));
        assert!(!cues.met(&When::Then { after: ms(300) }, ms(299)));
    }

    #[test]
    fn a_bot_that_is_interrupted_is_answered_when_it_speaks_anew() {
        let mut cues = Cues::default();
        hear(&mut cues, "The PRICE", 0);
        assert!(cues.met(&When::Heard("price".into()), ms(540)));
        assert!(cues.met(&When::Quiet { length: ms(300) }, ms(840)));
        cues.begin_line(ms(540));
        assert!(!cues.met(&When::Heard("price".into()), ms(540)));
        hear(&mut cues, " is", 540);
        cues.end_line(ms(900));
        assert!(!cues.met(&When::Quiet { length: ms(300) }, ms(2000)));
        hear(&mut cues, "Sorry.", 2000);
        assert!(!cues.met(&When::Quiet { length: ms(300) }, ms(2659)));
        assert!(cues.met(&When::Quiet { length: ms(300) }, ms(2660)));
    }
}
