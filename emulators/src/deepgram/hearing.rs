//! Where the words of a channel come from. Both sources tell them in ticks of 10 ms of audio.

use std::{collections::VecDeque, time::Duration};

use super::scenario::Spoken;
use crate::speech::{CHARACTER, Ear, Letter, Tick};

/// As the ear's.
const HOP: Duration = Duration::from_millis(10);
const WINDOW: Duration = Duration::from_millis(20);

/// What hears a channel.
#[derive(Debug)]
pub(super) enum Hearing {
    Audio(Ear),
    Script(Script),
}

impl Hearing {
    pub(super) fn hear(&mut self, samples: &[i16]) -> Vec<Tick> {
        match self {
            Self::Audio(ear) => ear.hear(samples),
            Self::Script(script) => script.hear(samples.len()),
        }
    }

    /// What was being said when the audio ended.
    pub(super) fn end(&mut self) -> Option<Tick> {
        match self {
            Self::Audio(ear) => ear.end(),
            Self::Script(_) => None,
        }
    }
}

/// Hears what it is told to as audio comes, whatever that holds.
#[derive(Debug)]
pub(super) struct Script {
    rate: u32,
    samples: u64,
    window: u32,
    letters: VecDeque<Letter>,
    /// Stretches with sound.
    spoken: Vec<(Duration, Duration)>,
}

impl Script {
    pub(super) fn new(spoken: &[Spoken], channel: u16, rate: u32) -> Self {
        let mut spoken: Vec<&Spoken> = spoken.iter().filter(|spoken| spoken.channel == channel).collect();
        spoken.sort_by_key(|spoken| spoken.at);
        let letters = spoken.iter().flat_map(|spoken| letters(spoken)).collect();
        let stretch = |spoken: &&Spoken| (spoken.at, spoken.at + length(&spoken.text));
        Self { rate, samples: 0, window: 0, letters, spoken: spoken.iter().map(stretch).collect() }
    }

    fn hear(&mut self, samples: usize) -> Vec<Tick> {
        self.samples += u64::try_from(samples).unwrap_or(u64::MAX);
        let audio = Duration::from_nanos(self.samples * 1_000_000_000 / u64::from(self.rate));
        let mut ticks = Vec::new();
        while HOP * self.window + WINDOW <= audio {
            let at = HOP * self.window + WINDOW;
            let sound = self.spoken.iter().any(|(start, end)| *start < at && at - WINDOW < *end);
            ticks.push(Tick { at, sound, letter: self.letters.pop_front_if(|letter| letter.end < at) });
            self.window += 1;
        }
        ticks
    }
}

fn length(text: &str) -> Duration {
    CHARACTER * u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

fn letters(spoken: &Spoken) -> impl Iterator<Item = Letter> {
    let at = spoken.at;
    (0u32..).zip(spoken.text.chars()).map(move |(place, character)| {
        let start = at + CHARACTER * place;
        Letter { character, start, end: start + CHARACTER }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech;

    #[test]
    fn a_script_is_heard_as_the_same_words_in_the_audio_would_be() {
        let at = Duration::from_millis(400);
        let mut samples = speech::silence(at, 8000);
        samples.extend(speech::say("Hello there", 8000));
        samples.extend(speech::silence(Duration::from_millis(300), 8000));
        let heard = Ear::new(8000).hear(&samples);
        let scripted = Script::new(&[Spoken::new(at, "Hello there")], 0, 8000).hear(samples.len());
        assert_eq!(scripted.len(), heard.len());
        let letters = |ticks: &[Tick]| ticks.iter().filter_map(|tick| tick.letter).collect::<Vec<_>>();
        for (one, other) in letters(&scripted).iter().zip(letters(&heard)) {
            assert_eq!(one.character, other.character);
            assert!(one.end.abs_diff(other.end) <= HOP, "{one:?} {other:?}");
        }
        let sounds = |ticks: &[Tick]| ticks.iter().filter(|tick| tick.sound).count();
        assert!(sounds(&scripted).abs_diff(sounds(&heard)) <= 2);
    }
}
