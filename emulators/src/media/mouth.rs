//! What the stream hears of the caller, frame by frame.

use std::{collections::VecDeque, f64::consts::TAU, time::Duration};

use bytes::Bytes;

use super::{BEEP, Conversation, Line, Says, cue::Cues};
use crate::speech::{Voice, samples_in};

/// Loudness of tones, about a quarter of full scale.
const AMPLITUDE: f64 = 8000.0;
const HUM_HZ: f64 = 220.0;
const BEEP_HZ: f64 = 1000.0;

/// The caller's voice, or what is in its place. Times are nominal, from the start of the stream.
#[derive(Debug)]
pub(super) struct Mouth {
    rate: u32,
    sound: Sound,
}

#[derive(Debug)]
enum Sound {
    Silence,
    Tone { hz: f64 },
    Hum { until: Duration },
    Recording(Bytes),
    Talk(Talk),
}

/// Lines, one after the other.
#[derive(Debug)]
struct Talk {
    waiting: VecDeque<Line>,
    voice: Voice,
    /// Characters of the line that are still to be said.
    saying: VecDeque<char>,
    /// Samples of those that have been begun, and which they are.
    begun: VecDeque<i16>,
    character: Option<char>,
    /// Whether a line is under way.
    speaks: bool,
    /// Whether a beep is to follow.
    beeps: bool,
}

impl Mouth {
    pub(super) fn new(says: &Says, rate: u32) -> Self {
        let sound = match says {
            Says::Silence => Sound::Silence,
            Says::Tone { hz } => Sound::Tone { hz: *hz },
            Says::Voicemail { greeting } => Sound::Hum { until: *greeting },
            Says::Pcm(samples) => Sound::Recording(samples.clone()),
            Says::Machine { greeting } => {
                Sound::Talk(Talk::new([Line::at(Duration::ZERO, greeting)].into(), true, rate))
            }
            Says::Lines(lines) => Sound::Talk(Talk::new(lines.clone().into(), false, rate)),
        };
        Self { rate, sound }
    }

    /// The samples from `from` until `until`, which follow those of the last call.
    pub(super) fn frame(
        &mut self,
        (from, until): (Duration, Duration),
        cues: &mut Cues,
        conversation: &mut Conversation,
    ) -> Vec<i16> {
        let rate = self.rate;
        let (first, end) = (samples_in(from, rate), samples_in(until, rate));
        match &mut self.sound {
            Sound::Silence => vec![0; end - first],
            Sound::Tone { hz } => (first..end).map(|at| tone(*hz, at, rate)).collect(),
            Sound::Hum { until } => (first..end).map(|at| voicemail(*until, at, rate)).collect(),
            Sound::Recording(samples) => (first..end).map(|at| recorded(samples, at)).collect(),
            Sound::Talk(talk) => talk.frame((from, until), end - first, rate, cues, conversation),
        }
    }

    /// Whether all lines have been said.
    pub(super) fn is_done(&self) -> bool {
        match &self.sound {
            Sound::Silence | Sound::Tone { .. } | Sound::Hum { .. } | Sound::Recording(_) => true,
            Sound::Talk(talk) => talk.waiting.is_empty() && !talk.speaks,
        }
    }
}

impl Talk {
    fn new(waiting: VecDeque<Line>, beeps: bool, rate: u32) -> Self {
        let (saying, begun) = (VecDeque::new(), VecDeque::new());
        Self { waiting, voice: Voice::new(rate), saying, begun, character: None, speaks: false, beeps }
    }

    fn frame(
        &mut self,
        (from, until): (Duration, Duration),
        count: usize,
        rate: u32,
        cues: &mut Cues,
        conversation: &mut Conversation,
    ) -> Vec<i16> {
        if !self.speaks
            && let Some(line) = self.waiting.pop_front_if(|line| cues.met(&line.when, from))
        {
            self.speaks = true;
            self.saying = line.text.chars().collect();
            cues.begin_line(from);
            conversation.begin_line(from);
        }
        if !self.speaks {
            return vec![0; count];
        }
        let mut said = String::new();
        let mut samples: Vec<i16> = Vec::with_capacity(count);
        while samples.len() < count && self.fill(&mut said, rate) {
            let more = (count - samples.len()).min(self.begun.len());
            samples.extend(self.begun.drain(..more));
        }
        if self.begun.is_empty() {
            said.extend(self.character.take());
        }
        if !said.is_empty() {
            conversation.add_to_line(&said, until);
        }
        if self.begun.is_empty() && self.saying.is_empty() && !self.beeps {
            self.speaks = false;
            cues.end_line(until);
        }
        samples.resize(count, 0);
        samples
    }

    /// Begins the next character when the last has been said; `false` if there is none.
    fn fill(&mut self, said: &mut String, rate: u32) -> bool {
        if !self.begun.is_empty() {
            return true;
        }
        said.extend(self.character.take());
        if let Some(character) = self.saying.pop_front() {
            self.character = Some(character);
            self.begun.extend(self.voice.say(character.encode_utf8(&mut [0; 4])));
        } else if std::mem::take(&mut self.beeps) {
            self.begun.extend((0..samples_in(BEEP, rate)).map(|at| tone(BEEP_HZ, at, rate)));
        }
        !self.begun.is_empty()
    }
}

fn voicemail(greeting: Duration, at: usize, rate: u32) -> i16 {
    if at < samples_in(greeting, rate) {
        tone(HUM_HZ, at, rate)
    } else if at < samples_in(greeting + BEEP, rate) {
        tone(BEEP_HZ, at, rate)
    } else {
        0
    }
}

fn recorded(samples: &[u8], at: usize) -> i16 {
    let pair = samples.get(2 * at..2 * at + 2);
    pair.map_or(0, |pair| i16::from_le_bytes([pair[0], pair[1]]))
}

#[expect(clippy::cast_possible_truncation, reason = "|sin| <= 1, so the product fits an i16")]
#[expect(clippy::cast_precision_loss, reason = "a call has fewer than 2^52 samples")]
fn tone(hz: f64, at: usize, rate: u32) -> i16 {
    let step = TAU * hz / f64::from(rate);
    ((step * at as f64).sin() * AMPLITUDE) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audio::Encoding, speech};

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    /// Frames of 100 ms at 8 kHz.
    fn frames(says: &Says, count: u64) -> (Vec<Vec<i16>>, Conversation) {
        let (mut mouth, mut cues) = (Mouth::new(says, 8000), Cues::default());
        let mut conversation = Conversation::default();
        let frames = (0..count)
            .map(|nth| mouth.frame((ms(nth * 100), ms(nth * 100 + 100)), &mut cues, &mut conversation));
        (frames.collect(), conversation)
    }

    #[test]
    fn a_frame_has_its_length_at_any_rate_and_of_any_sound() {
        let talk = Says::Lines(vec![Line::at(ms(20), "Hello")]);
        for rate in [8000, 16_000, 24_000] {
            for says in [&Says::Silence, &Says::Tone { hz: 440.0 }, &talk] {
                let mut mouth = Mouth::new(says, rate);
                let mut cues = Cues::default();
                for nth in 0..30 {
                    let stretch = (ms(nth * 20), ms(nth * 20 + 20));
                    let frame = mouth.frame(stretch, &mut cues, &mut Conversation::default());
                    assert_eq!(frame.len(), rate as usize / 50);
                }
            }
        }
    }

    #[test]
    fn a_recording_is_played_once_and_bit_exact() {
        let bytes: Vec<u8> = (0..2000u32).map(|n| n.to_le_bytes()[0]).collect();
        let (frames, _) = frames(&Says::Pcm(Bytes::from(bytes.clone())), 3);
        let played = Encoding::Linear16.encode(&frames.concat());
        assert_eq!(played[..2000], bytes);
        assert!(played[2000..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_voicemail_hums_then_beeps_then_listens() {
        let (frames, _) = frames(&Says::Voicemail { greeting: ms(200) }, 9);
        let loud: Vec<bool> = frames.iter().map(|frame| frame.iter().any(|sample| *sample != 0)).collect();
        assert_eq!(loud, [true, true, true, true, true, true, true, false, false]);
    }

    #[test]
    fn a_machine_says_its_greeting_then_beeps_then_listens() {
        let (frames, conversation) = frames(&Says::Machine { greeting: "Hi, beep.".into() }, 20);
        assert_eq!(speech::heard(&frames.concat(), 8000), "Hi, beep.");
        assert_eq!(conversation.said(), "Hi, beep.");
        let last = frames.concat().iter().rposition(|sample| *sample != 0).expect("a beep");
        let length = 9 * 480 + 4000;
        assert!((length - 8..length).contains(&last), "{last}");
    }

    #[test]
    fn lines_are_said_at_their_times_and_written_down_as_far_as_they_were_said() {
        let says = Says::Lines(vec![Line::at(ms(250), "Hello?"), Line::then(ms(400), "Who is it?")]);
        let (played, conversation) = frames(&says, 30);
        assert_eq!(speech::heard(&played.concat(), 8000), "Hello? Who is it?");
        assert_eq!(conversation.to_string(), "caller: Hello?\ncaller: Who is it?");
        // Begun with the frame after 250 ms; six characters take 360 ms, and so four frames.
        assert_eq!((conversation.turns[0].start, conversation.turns[0].end), (ms(300), ms(700)));
        assert_eq!(conversation.turns[1].start, ms(1100));
        assert_eq!(frames(&says, 5).1.said(), "Hel");
    }
}
