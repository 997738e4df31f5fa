//! Saying a text.

use std::time::Duration;

use super::{CHARACTER, chord::Chord, samples_in};

/// Says one piece of text after another.
#[derive(Debug, Clone)]
pub struct Voice {
    rate: u32,
    character: Duration,
    turn: bool,
    /// Characters said, and the samples they took: rounding must not add up.
    said: u32,
    samples: usize,
}

impl Voice {
    /// At normal speed, in samples a second.
    pub fn new(rate: u32) -> Self {
        Self { rate, character: CHARACTER, turn: false, said: 0, samples: 0 }
    }

    /// Faster (above 1) or slower. What is faster than 1.5 can no longer be understood.
    #[must_use]
    pub fn at_speed(self, speed: f64) -> Self {
        Self { character: CHARACTER.div_f64(speed), ..self }
    }

    /// How long a character lasts.
    pub fn character(&self) -> Duration {
        self.character
    }

    /// The samples of `text`.
    pub fn say(&mut self, text: &str) -> Vec<i16> {
        text.chars().flat_map(|character| self.say_character(character)).collect()
    }

    fn say_character(&mut self, character: char) -> Vec<i16> {
        self.said += 1;
        let until = samples_in(self.character * self.said, self.rate);
        let count = until - self.samples;
        self.samples = until;
        self.turn = !self.turn;
        Chord { character, turn: self.turn }.samples(count, self.rate).collect()
    }
}
