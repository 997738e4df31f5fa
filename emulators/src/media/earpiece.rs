//! What the person on the phone hears of a bot's audio, as it is played to them.

use std::{collections::VecDeque, time::Duration};

use crate::{
    audio::Encoding,
    speech::{Ear, Letter, samples_in},
};

/// A longer pause is heard as one of this length, since nothing is to be heard in it.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Audio that waits to be played, and an ear for what was. Times are nominal, from the start of the
/// stream; inside they are counted in samples, lest rounding adds up.
#[derive(Debug)]
pub(super) struct Earpiece {
    encoding: Encoding,
    rate: u32,
    ear: Ear,
    waiting: VecDeque<Stretch>,
    /// Until when all has been played.
    played: usize,
    /// Of which the ear was spared so much.
    spared: usize,
    /// How long it has been quiet.
    quiet: usize,
}

#[derive(Debug)]
struct Stretch {
    start: usize,
    samples: Vec<i16>,
    /// Of which so many have been played.
    played: usize,
}

impl Earpiece {
    pub(super) fn new(encoding: Encoding, rate: u32) -> Self {
        let (ear, waiting) = (Ear::new(rate), VecDeque::new());
        Self { encoding, rate, ear, waiting, played: 0, spared: 0, quiet: 0 }
    }

    /// Audio that will be played from `start` on, when all before it has been.
    pub(super) fn queue(&mut self, audio: &[u8], start: Duration) {
        let start = samples_in(start, self.rate);
        self.waiting.push_back(Stretch { start, samples: self.encoding.decode(audio), played: 0 });
    }

    /// Plays what falls before `now`, and returns what was heard in it.
    pub(super) fn play(&mut self, now: Duration) -> Vec<Letter> {
        let now = samples_in(now, self.rate);
        let mut heard = Vec::new();
        while let Some(mut stretch) = self.waiting.pop_front_if(|stretch| stretch.start < now) {
            self.rest(stretch.start, &mut heard);
            let until = (now - stretch.start).min(stretch.samples.len());
            self.hear(&stretch.samples[stretch.played..until], &mut heard);
            self.quiet = 0;
            self.played = stretch.start + until;
            if until < stretch.samples.len() {
                stretch.played = until;
                self.waiting.push_front(stretch);
                return heard;
            }
        }
        self.rest(now, &mut heard);
        heard
    }

    /// Drops what was not yet played. What is played next does not go on where that stopped.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The character that was being said when the stream ended, if enough of it was.
    pub(super) fn end(&mut self) -> Option<Letter> {
        let letter = self.ear.end().and_then(|tick| tick.letter);
        letter.map(|letter| self.in_the_stream(letter))
    }

    /// There is nothing to play until then.
    fn rest(&mut self, until: usize, heard: &mut Vec<Letter>) {
        let pause = until.saturating_sub(self.played);
        let listened = pause.min(samples_in(PAUSE_MAX, self.rate).saturating_sub(self.quiet));
        self.hear(&vec![0; listened], heard);
        self.spared += pause - listened;
        self.quiet += pause;
        self.played = self.played.max(until);
    }

    fn hear(&mut self, samples: &[i16], heard: &mut Vec<Letter>) {
        let letters = self.ear.hear(samples).into_iter().filter_map(|tick| tick.letter);
        let letters: Vec<Letter> = letters.collect();
        heard.extend(letters.into_iter().map(|letter| self.in_the_stream(letter)));
    }

    /// A letter's times, which the ear counts by what it was given.
    fn in_the_stream(&self, letter: Letter) -> Letter {
        let spared = Duration::from_secs_f64(to_f64(self.spared) / f64::from(self.rate));
        Letter { start: letter.start + spared, end: letter.end + spared, ..letter }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a call has fewer than 2^52 samples")]
fn to_f64(samples: usize) -> f64 {
    samples as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn queued() -> Earpiece {
        let mut earpiece = Earpiece::new(Encoding::Mulaw, 8000);
        let audio = Encoding::Mulaw.encode(&speech::say("Hello there.", 8000));
        // Two frames that follow one another, within a character.
        earpiece.queue(&audio[..2000], ms(500));
        earpiece.queue(&audio[2000..], ms(750));
        earpiece
    }

    fn heard(earpiece: &mut Earpiece, until: Duration) -> Vec<Letter> {
        let mut letters = earpiece.play(until);
        letters.extend(earpiece.end());
        letters
    }

    fn words(earpiece: &mut Earpiece, until: Duration) -> String {
        speech::written(heard(earpiece, until))
    }

    #[test]
    fn what_was_queued_is_heard_once_it_was_played() {
        assert_eq!(words(&mut queued(), ms(500)), "");
        assert_eq!(words(&mut queued(), ms(500 + 720)), "Hello there.");
        let mut by_and_by = queued();
        let letters = (0..1300).step_by(7).flat_map(|now| by_and_by.play(ms(now)));
        // Its last character too, although nothing follows it.
        assert_eq!(speech::written(letters), "Hello there.");
    }

    #[test]
    fn what_was_cleared_is_never_heard_and_what_follows_is() {
        let mut earpiece = queued();
        let mut letters = earpiece.play(ms(500 + 300));
        earpiece.clear();
        earpiece.queue(&Encoding::Mulaw.encode(&speech::say("Sorry?", 8000)), ms(1000));
        letters.extend(heard(&mut earpiece, ms(9000)));
        assert_eq!(speech::written(letters), "Hello Sorry?");
    }

    #[test]
    fn words_have_the_times_of_the_stream_however_long_the_pause_before_them() {
        let mut earpiece = queued();
        earpiece.queue(&Encoding::Mulaw.encode(&speech::say("A", 8000)), ms(3_600_000));
        let letters = heard(&mut earpiece, ms(3_700_000));
        let near = |time: Duration, at: u64| time.abs_diff(ms(at)) <= ms(10);
        assert!(near(letters[0].start, 500) && near(letters[11].end, 1220), "{letters:?}");
        assert!(near(letters[12].start, 3_600_000), "{letters:?}");
    }
}
