//! Reading a text from samples as they come.

use std::time::Duration;

use super::{
    chord::{self, Chord, Sound},
    samples_in,
};

/// What is listened to at once: the shortest stretch in which all tones can be told apart.
const WINDOW: Duration = Duration::from_millis(20);
/// From one window to the next.
const HOP: Duration = Duration::from_millis(10);
/// Windows that must agree on a character; two that lie across a border do not.
const AGREEING: u32 = 2;
/// A gap of so many windows within a character is a lost frame of 20 ms, not the character's end.
const LOST_MAX: u32 = 4;
/// The shortest silence that parts words; a lost frame of 20 ms does not.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// A character, and when it was said, from the first sample that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letter {
    /// What was said.
    pub character: char,
    /// Its beginning, to 10 ms.
    pub start: Duration,
    /// Its end, to 10 ms.
    pub end: Duration,
}

impl Letter {
    /// Whether the speaker paused between `until`, when they last said something, and this.
    pub(crate) fn is_after_pause(&self, until: Duration) -> bool {
        self.start.saturating_sub(until) >= PAUSE
    }
}

/// What ten more milliseconds brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Until when has been listened.
    pub at: Duration,
    /// Whether there was any sound.
    pub sound: bool,
    /// A character that has been said to its end.
    pub letter: Option<Letter>,
}

/// Listens; what it hears depends on the samples alone, not on how they come in pieces.
#[derive(Debug)]
pub struct Ear {
    rate: u32,
    /// Samples from `first` on that are still needed.
    samples: Vec<i16>,
    first: usize,
    /// Number of the next window.
    window: u32,
    saying: Option<Run>,
    said: Option<Run>,
}

/// Windows that hold the same chord.
#[derive(Debug, Clone, Copy)]
struct Run {
    chord: Chord,
    first: u32,
    last: u32,
    count: u32,
}

impl Run {
    fn goes_on(&self, chord: Chord, window: u32) -> bool {
        self.chord == chord && window - self.last <= LOST_MAX
    }

    fn letter(&self) -> Letter {
        let (start, end) = (HOP * self.first, HOP * self.last + WINDOW);
        Letter { character: self.chord.character, start, end }
    }
}

impl Ear {
    /// For samples at this rate.
    pub fn new(rate: u32) -> Self {
        Self { rate, samples: Vec::new(), first: 0, window: 0, saying: None, said: None }
    }

    /// Listens to more samples.
    pub fn hear(&mut self, samples: &[i16]) -> Vec<Tick> {
        self.samples.extend_from_slice(samples);
        let length = samples_in(WINDOW, self.rate);
        let mut ticks = Vec::new();
        loop {
            let start = samples_in(HOP * self.window, self.rate) - self.first;
            let Some(window) = self.samples.get(start..start + length) else { break };
            let sound = chord::listen(window, self.rate);
            ticks.push(self.note(sound));
        }
        let needed = samples_in(HOP * self.window, self.rate) - self.first;
        self.samples.drain(..needed.min(self.samples.len()));
        self.first += needed;
        ticks
    }

    /// The character that was being said when all samples have come.
    pub fn end(&mut self) -> Option<Tick> {
        let letter = self.finish()?;
        // As late as the last window, which time must not fall behind.
        let at = HOP * self.window + WINDOW - HOP;
        Some(Tick { at, sound: true, letter: Some(letter) })
    }

    fn note(&mut self, sound: Sound) -> Tick {
        let window = self.window;
        self.window += 1;
        let letter = match sound {
            Sound::Chord(chord) => self.note_chord(chord, window),
            // What has not yet been heard for long enough may go on after a lost frame.
            Sound::Silence if self.saying.is_some_and(|saying| saying.count >= AGREEING) => self.finish(),
            Sound::Noise if self.saying.is_some_and(|saying| window - saying.last > LOST_MAX) => {
                self.finish()
            }
            Sound::Silence | Sound::Noise => None,
        };
        Tick { at: HOP * window + WINDOW, sound: sound != Sound::Silence, letter }
    }

    fn note_chord(&mut self, chord: Chord, window: u32) -> Option<Letter> {
        if let Some(saying) = self.saying.as_mut().filter(|saying| saying.goes_on(chord, window)) {
            (saying.last, saying.count) = (window, saying.count + 1);
            return None;
        }
        if let Some(said) = self.said.as_mut().filter(|said| said.goes_on(chord, window)) {
            // The rest of a character that a lost frame has torn.
            said.last = window;
            return None;
        }
        let letter = self.finish();
        self.saying = Some(Run { chord, first: window, last: window, count: 1 });
        letter
    }

    fn finish(&mut self) -> Option<Letter> {
        let saying = self.saying.take().filter(|saying| saying.count >= AGREEING)?;
        self.said = Some(saying);
        Some(saying.letter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audio::Encoding,
        speech::{self, Voice},
    };

    const TEXT: &str = "Hello, will you book two rooms? नमस्ते!";

    #[test]
    fn what_is_said_is_heard_through_every_codec_and_at_every_rate() {
        for encoding in [Encoding::Linear16, Encoding::Mulaw, Encoding::Alaw] {
            for rate in [8000, 16_000, 24_000] {
                let bytes = encoding.encode(&speech::say(TEXT, rate));
                assert_eq!(speech::heard(&encoding.decode(&bytes), rate), TEXT, "{encoding:?} {rate}");
            }
        }
    }

    #[test]
    fn it_is_heard_from_whatever_sample_on_and_in_whatever_pieces() {
        let samples = speech::say("balloon", 8000);
        for late in [1, 33, 77, 79] {
            let mut shifted = vec![0; late];
            shifted.extend(&samples);
            assert_eq!(speech::heard(&shifted, 8000), "balloon", "{late}");
        }
        let whole = Ear::new(8000).hear(&samples);
        let mut ear = Ear::new(8000);
        let pieces: Vec<Tick> = samples.chunks(37).flat_map(|piece| ear.hear(piece)).collect();
        assert_eq!(pieces, whole);
    }

    #[test]
    fn it_is_heard_when_it_is_quiet_or_resampled_badly() {
        let samples = speech::say(TEXT, 8000);
        let quiet: Vec<i16> = samples.iter().map(|sample| sample / 20).collect();
        assert_eq!(speech::heard(&quiet, 8000), TEXT);
        let between = |pair: &[i16]| [pair[0], i16::midpoint(pair[0], pair[1])];
        let doubled: Vec<i16> = samples.windows(2).flat_map(between).collect();
        assert_eq!(speech::heard(&doubled, 16_000), TEXT);
        let halved: Vec<i16> = speech::say(TEXT, 16_000).into_iter().step_by(2).collect();
        assert_eq!(speech::heard(&halved, 8000), TEXT);
    }

    #[test]
    fn a_lost_frame_in_a_character_neither_takes_nor_doubles_it() {
        let mut samples = speech::say("balloon", 8000);
        // 20 ms in the middle of the first l.
        samples[2 * 480 + 160..2 * 480 + 320].fill(0);
        assert_eq!(speech::heard(&samples, 8000), "balloon");
    }

    #[test]
    fn what_was_cut_off_is_heard_up_to_there() {
        let samples = speech::say("Hello there.", 8000);
        assert_eq!(speech::heard(&samples[..7 * 480 + 200], 8000), "Hello t");
        assert_eq!(speech::heard(&samples[7 * 480..], 8000), "here.");
    }

    #[test]
    fn characters_have_their_times_and_pauses_part_words() {
        let mut voice = Voice::new(8000);
        let mut samples = speech::silence(Duration::from_millis(200), 8000);
        samples.extend(voice.say("ab"));
        samples.extend(speech::silence(Duration::from_millis(300), 8000));
        samples.extend(voice.say("b"));
        let mut ear = Ear::new(8000);
        let mut ticks = ear.hear(&samples);
        ticks.extend(ear.end());
        let letters: Vec<Letter> = ticks.iter().filter_map(|tick| tick.letter).collect();
        let near = |time: Duration, ms: u64| time.abs_diff(Duration::from_millis(ms)) <= HOP;
        assert!(near(letters[0].start, 200) && near(letters[1].end, 320), "{letters:?}");
        assert!(near(letters[2].start, 620), "{letters:?}");
        assert_eq!(speech::written(letters), "ab b");
        let silent = ticks.iter().filter(|tick| !tick.sound).count();
        assert!((44..=50).contains(&silent), "{silent}");
    }

    #[test]
    fn the_speeds_that_voices_have_are_understood() {
        for speed in [0.7, 1.0, 1.2] {
            let samples = Voice::new(8000).at_speed(speed).say(TEXT);
            assert_eq!(speech::heard(&samples, 8000), TEXT, "{speed}");
        }
    }
}
