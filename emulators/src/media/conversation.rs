//! Who said what, as the person on the phone heard it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    millis,
    speech::{Letter, PAUSE},
};

/// A pause as long as this parts two turns although nobody spoke in it.
const TURN_PAUSE: Duration = Duration::from_secs(1);

/// One of the two who talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// Whoever hosts the stream.
    Bot,
    /// The person on the phone.
    Caller,
}

/// What one of them said in one go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who.
    pub speaker: Speaker,
    /// What was said so far: of the bot, what has been played.
    pub text: String,
    /// When it began, in nominal time since the stream did.
    #[serde(rename = "start_ms", with = "millis")]
    pub start: Duration,
    /// When the last of it ended.
    #[serde(rename = "end_ms", with = "millis")]
    pub end: Duration,
}

/// All turns, by when they began. Written out it has a line for each, such as `bot: Hello?`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Conversation {
    /// In the order in which they began.
    pub turns: Vec<Turn>,
}

impl Conversation {
    /// All that the caller heard, its turns parted by spaces.
    pub fn heard(&self) -> String {
        self.all_of(Speaker::Bot)
    }

    /// All that the caller said, likewise.
    pub fn said(&self) -> String {
        self.all_of(Speaker::Caller)
    }

    fn all_of(&self, speaker: Speaker) -> String {
        let turns = self.turns.iter().filter(|turn| turn.speaker == speaker);
        turns.map(|turn| turn.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The caller begins a line.
    pub(super) fn begin_line(&mut self, at: Duration) {
        self.turns.push(Turn { speaker: Speaker::Caller, text: String::new(), start: at, end: at });
    }

    /// The caller's line goes on.
    pub(super) fn add_to_line(&mut self, text: &str, until: Duration) {
        let line = self.turns.iter_mut().rfind(|turn| turn.speaker == Speaker::Caller);
        if let Some(line) = line {
            line.text.push_str(text);
            line.end = until;
        }
    }

    /// The bot has been heard to say this, at these times since the stream began; `anew` after a clear.
    pub(super) fn add_letter(&mut self, letter: Letter, anew: bool) {
        let Letter { character, start, end } = letter;
        let last = self.turns.iter().rposition(|turn| turn.speaker == Speaker::Bot);
        if let Some(index) = last.filter(|index| !anew && self.goes_on(*index, start)) {
            let turn = &mut self.turns[index];
            if start.saturating_sub(turn.end) >= PAUSE && !turn.text.ends_with(' ') && character != ' ' {
                turn.text.push(' ');
            }
            turn.text.push(character);
            turn.end = end;
            return;
        }
        if character == ' ' {
            // Between two sentences, which are two turns now.
            return;
        }
        let place = self.turns.partition_point(|turn| turn.start <= start);
        self.turns.insert(place, Turn { speaker: Speaker::Bot, text: character.into(), start, end });
    }

    /// Whether what the bot says at `start` belongs to its turn there: the caller ends it by speaking, once
    /// it pauses.
    fn goes_on(&self, index: usize, start: Duration) -> bool {
        let pause = start.saturating_sub(self.turns[index].end);
        let answered = self.turns[index + 1..].iter().any(|turn| turn.start < start);
        pause < if answered { PAUSE } else { TURN_PAUSE }
    }
}

impl fmt::Display for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bot => "bot",
            Self::Caller => "caller",
        })
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, turn) in self.turns.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}: {}", turn.speaker, turn.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says `text` from `from_ms` on, a character every 60 ms.
    fn say(conversation: &mut Conversation, text: &str, from_ms: u64) {
        for (nth, character) in (0..).zip(text.chars()) {
            let start = Duration::from_millis(from_ms + nth * 60);
            conversation
                .add_letter(Letter { character, start, end: start + Duration::from_millis(60) }, false);
        }
    }

    #[test]
    fn the_bot_takes_a_new_turn_after_a_second_or_after_the_caller() {
        let mut conversation = Conversation::default();
        say(&mut conversation, "One.", 0);
        say(&mut conversation, "Two.", 900);
        say(&mut conversation, "Three.", 2300);
        conversation.begin_line(Duration::from_millis(2400));
        conversation.add_to_line("Yes.", Duration::from_millis(2640));
        say(&mut conversation, "Four.", 2800);
        assert_eq!(
            conversation.to_string(),
            "bot: One. Two.\nbot: Three.\ncaller: Yes.\nbot: Four.",
            "{conversation:?}"
        );
        assert_eq!(conversation.heard(), "One. Two. Three. Four.");
        assert_eq!(conversation.said(), "Yes.");
    }

    #[test]
    fn words_that_the_caller_talks_over_stay_one_turn() {
        let mut conversation = Conversation::default();
        say(&mut conversation, "The pri", 0);
        conversation.begin_line(Duration::from_millis(420));
        say(&mut conversation, "ce is", 420);
        conversation.add_to_line("Stop!", Duration::from_millis(720));
        assert_eq!(conversation.to_string(), "bot: The price is\ncaller: Stop!");
    }
}
