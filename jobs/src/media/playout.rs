//! What of our audio is sent when, and how much of it was heard.
//!
//! Sent by an absolute clock: whatever is late is caught up with, and what waits at the carrier stays below its
//! [`lead`](super::wire::Dialect::lead), so that little is left to be dropped when the person interrupts. Marks tell
//! what was played.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use outdial_workflows::conversation::{CallTime, Heard, SentenceId};

use super::audio::Format;
use super::wire::Dialect;

/// A mark behind so much of a sentence: what a cut transcript is exact to.
const MARK_EVERY: Duration = Duration::from_millis(200);

/// Sends the sentences of a call, one behind the other.
#[derive(Debug)]
pub struct Playout {
    format: Format,
    /// Bytes of a message.
    frame: usize,
    lead: Duration,
    sentences: VecDeque<Sentence>,
    /// Until when the carrier has something to play.
    sounds_until: CallTime,
    /// Marks whose answer is awaited.
    marks: VecDeque<Mark>,
    marked: u64,
}

#[derive(Debug)]
struct Sentence {
    id: SentenceId,
    /// What was not sent yet.
    audio: VecDeque<Bytes>,
    waiting: usize,
    sent: usize,
    /// Sent since the last mark.
    unmarked: usize,
    /// Whether the voice has given all of it.
    whole: bool,
}

#[derive(Debug)]
struct Mark {
    number: u64,
    sentence: SentenceId,
    played: Duration,
    of: Option<Duration>,
    /// Whether it is behind the sentence's end.
    last: bool,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Send {
    /// Audio.
    Media(Bytes),
    /// A mark of this name.
    Mark(String),
}

impl Playout {
    /// Nothing to say yet.
    pub fn new(dialect: Dialect) -> Self {
        let format = dialect.format();
        Self {
            format,
            frame: format.bytes_in(dialect.frame()),
            lead: dialect.lead(),
            sentences: VecDeque::new(),
            sounds_until: CallTime::default(),
            marks: VecDeque::new(),
            marked: 0,
        }
    }

    /// A sentence is to be said, behind those that are.
    pub fn say(&mut self, id: SentenceId) {
        self.sentences.push_back(Sentence::new(id));
    }

    /// A sentence is to be said in the place of another, of which no more is said.
    pub fn say_instead(&mut self, of: SentenceId, id: SentenceId) {
        match self.sentences.iter_mut().find(|sentence| sentence.id == of) {
            Some(sentence) => *sentence = Sentence::new(id),
            None => self.say(id),
        }
    }

    /// Audio of it; what is not to be said any more is dropped.
    pub fn push(&mut self, id: SentenceId, audio: Bytes) {
        if let Some(sentence) = self.sentences.iter_mut().find(|sentence| sentence.id == id) {
            sentence.waiting += audio.len();
            sentence.audio.push_back(audio);
        }
    }

    /// There is no more of it. Tells whether there was any.
    pub fn finish(&mut self, id: SentenceId) -> bool {
        let Some(sentence) = self.sentences.iter_mut().find(|sentence| sentence.id == id) else {
            return true;
        };
        sentence.whole = true;
        sentence.waiting + sentence.sent > 0
    }

    /// Nothing is to be said any more, and nothing of what was sent is awaited. Tells whether the carrier still has
    /// something to play.
    pub fn hush(&mut self, now: CallTime) -> bool {
        self.sentences.clear();
        self.marks.clear();
        let sounds = self.sounds_until > now;
        self.sounds_until = now;
        sounds
    }

    /// Whether all was sent and its playing is known.
    pub fn is_idle(&self) -> bool {
        self.sentences.is_empty() && self.marks.is_empty()
    }

    /// What is to be sent now, and what is to be told of it.
    pub fn due(&mut self, now: CallTime) -> (Vec<Send>, Vec<Heard>) {
        let (mut sends, mut heard) = (vec![], vec![]);
        while let Some(sentence) = self.sentences.front_mut() {
            let last = sentence.whole && sentence.waiting <= self.frame;
            if sentence.waiting < self.frame && !last {
                break;
            }
            let begin = self.sounds_until.max(now);
            if begin.since(now) + self.format.length_of(self.frame) > self.lead {
                break;
            }
            if sentence.waiting > 0 {
                if sentence.sent == 0 {
                    heard.push(Heard::Sounding(sentence.id));
                }
                let frame = sentence.take(self.frame, self.format.silence());
                self.sounds_until = begin.plus(self.format.length_of(frame.len()));
                sends.push(Send::Media(frame));
            }
            if last || self.format.length_of(sentence.unmarked) >= MARK_EVERY {
                sentence.unmarked = 0;
                self.marked += 1;
                let total = sentence.sent + sentence.waiting;
                self.marks.push_back(Mark {
                    number: self.marked,
                    sentence: sentence.id,
                    played: self.format.length_of(sentence.sent),
                    of: sentence.whole.then(|| self.format.length_of(total)),
                    last,
                });
                sends.push(Send::Mark(self.marked.to_string()));
            }
            if last {
                self.sentences.pop_front();
            }
        }
        (sends, heard)
    }

    /// When [`Playout::due`] has more to send, if no audio comes.
    pub fn wake_at(&self) -> Option<CallTime> {
        let sentence = self.sentences.front()?;
        let ready = sentence.waiting >= self.frame || sentence.whole;
        let room = self.lead.saturating_sub(self.format.length_of(self.frame));
        // The carrier has room for a frame once no more than this is left there.
        ready.then(|| CallTime::after(self.sounds_until.since(CallTime::after(room))))
    }

    /// A mark came back. Those before it did, too, whether or not they were told; of those that were dropped by a
    /// clear nothing is known any more.
    pub fn marked(&mut self, name: &str) -> Option<Heard> {
        let number: u64 = name.parse().ok()?;
        let at = self.marks.iter().position(|mark| mark.number == number)?;
        let Mark { sentence, played, of, last, .. } = self.marks.drain(..=at).next_back()?;
        Some(if last { Heard::Spoken(sentence) } else { Heard::Played { sentence, played, of } })
    }
}

impl Sentence {
    fn new(id: SentenceId) -> Self {
        Self { id, audio: VecDeque::new(), waiting: 0, sent: 0, unmarked: 0, whole: false }
    }

    /// The next frame; the last one is filled with silence, because carriers take whole frames only.
    fn take(&mut self, frame: usize, silence: u8) -> Bytes {
        let take = frame.min(self.waiting);
        self.waiting -= take;
        self.sent += take;
        self.unmarked += take;
        if take == frame && self.audio.front().is_some_and(|audio| audio.len() >= frame) {
            let first = self.audio.front_mut().map(|audio| audio.split_to(frame)).unwrap_or_default();
            self.audio.retain(|audio| !audio.is_empty());
            return first;
        }
        let mut bytes = BytesMut::with_capacity(frame);
        while bytes.len() < take {
            let Some(front) = self.audio.front_mut() else { break };
            let part = front.len().min(take - bytes.len());
            bytes.extend_from_slice(&front[..part]);
            front.advance(part);
            if front.is_empty() {
                self.audio.pop_front();
            }
        }
        bytes.resize(frame, silence);
        bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: SentenceId = SentenceId(1);
    const TWO: SentenceId = SentenceId(2);

    /// So much audio for Telnyx, of a byte each millisecond eight times.
    fn audio(ms: usize) -> Bytes {
        vec![7; ms * 8].into()
    }

    fn media(sends: &[Send]) -> usize {
        sends.iter().filter(|send| matches!(send, Send::Media(_))).count()
    }

    #[test]
    fn no_more_than_the_lead_waits_at_the_carrier_and_the_rest_follows_by_the_clock() {
        let mut playout = Playout::new(Dialect::Telnyx);
        playout.say(ONE);
        playout.push(ONE, audio(1_000));
        let (sends, heard) = playout.due(CallTime::ms(0));
        assert_eq!((media(&sends), heard), (10, vec![Heard::Sounding(ONE)]));
        assert_eq!(playout.wake_at(), Some(CallTime::ms(20)));
        assert_eq!(media(&playout.due(CallTime::ms(20)).0), 1);
        // Late by 60 ms: what was missed is caught up with.
        assert_eq!(media(&playout.due(CallTime::ms(100)).0), 4);
        assert_eq!(playout.wake_at(), Some(CallTime::ms(120)));
    }

    #[test]
    fn marks_tell_what_was_played() {
        let mut playout = Playout::new(Dialect::Telnyx);
        playout.say(ONE);
        playout.push(ONE, audio(200));
        let (sends, _) = playout.due(CallTime::ms(0));
        assert_eq!(sends.last(), Some(&Send::Mark("1".into())));
        playout.push(ONE, audio(110));
        assert!(playout.finish(ONE));
        playout.say(TWO);
        playout.push(TWO, audio(20));
        playout.finish(TWO);
        let (sends, heard) = playout.due(CallTime::ms(300));
        assert_eq!(heard, [Heard::Sounding(TWO)]);
        assert_eq!((media(&sends), playout.is_idle()), (7, false));
        let played = Heard::Played { sentence: ONE, played: Duration::from_millis(200), of: None };
        assert_eq!(playout.marked("1"), Some(played));
        assert_eq!((playout.marked("1"), playout.marked("x")), (None, None));
        // The mark between was lost on the way.
        assert_eq!(playout.marked("3"), Some(Heard::Spoken(TWO)));
        assert!(playout.is_idle());
    }

    #[test]
    fn whoever_is_hushed_says_no_more_and_is_told_of_no_old_marks() {
        let mut playout = Playout::new(Dialect::Exotel);
        playout.say(ONE);
        playout.push(ONE, vec![1; 16_000].into());
        let (sends, _) = playout.due(CallTime::ms(0));
        assert_eq!(
            sends.iter().map(|send| matches!(send, Send::Media(_))).collect::<Vec<_>>(),
            [true, false, true, false]
        );
        assert!(playout.hush(CallTime::ms(100)), "the carrier has something to drop");
        assert_eq!((playout.marked("1"), playout.due(CallTime::ms(500))), (None, (vec![], vec![])));
        assert!(!playout.hush(CallTime::ms(600)) && playout.is_idle());
        playout.push(ONE, vec![1; 16_000].into());
        assert_eq!(playout.wake_at(), None, "what comes late of a sentence that was dropped is dropped");
    }

    #[test]
    fn a_sentence_without_any_sound_is_told() {
        let mut playout = Playout::new(Dialect::Telnyx);
        playout.say(ONE);
        assert!(!playout.finish(ONE));
    }

    #[test]
    fn a_sentence_that_failed_is_said_again_in_its_place() {
        let mut playout = Playout::new(Dialect::Telnyx);
        playout.say(ONE);
        playout.push(ONE, audio(20));
        playout.say(TWO);
        playout.push(TWO, audio(20));
        playout.finish(TWO);
        assert_eq!(media(&playout.due(CallTime::ms(0)).0), 1);
        let again = SentenceId(3);
        playout.say_instead(ONE, again);
        playout.push(again, audio(20));
        playout.finish(again);
        let (_, heard) = playout.due(CallTime::ms(20));
        assert_eq!(heard, [Heard::Sounding(again), Heard::Sounding(TWO)]);
    }

    proptest! {
        #[test]
        fn all_audio_is_sent_once_in_order_in_whole_frames_and_never_too_early(
            pieces in prop::collection::vec(1_usize..700, 1..20),
            steps in prop::collection::vec(1_u64..150, 1..400),
        ) {
            let mut playout = Playout::new(Dialect::Telnyx);
            playout.say(ONE);
            let mut expected: Vec<u8> = vec![];
            let mut pieces = pieces.into_iter();
            let (mut sent, mut now, mut done) = (vec![], 0, false);
            for step in steps {
                match pieces.next() {
                    Some(length) => {
                        let piece: Vec<u8> = (0..length).map(|at| u8::try_from((expected.len() + at) % 251).unwrap_or(0)).collect();
                        expected.extend(&piece);
                        playout.push(ONE, piece.into());
                    }
                    None if !done => { playout.finish(ONE); done = true; }
                    None => {}
                }
                let at = CallTime::ms(now);
                for send in playout.due(at).0 {
                    if let Send::Media(frame) = send {
                        prop_assert_eq!(frame.len(), 160);
                        sent.extend(frame);
                    }
                }
                prop_assert!(playout.sounds_until.since(at) <= Duration::from_millis(200));
                prop_assert!(playout.wake_at().is_none_or(|wake| wake > at), "what is due was sent");
                now += step;
            }
            let common = sent.len().min(expected.len());
            prop_assert_eq!(&sent[..common], &expected[..common]);
            prop_assert!(sent[common..].iter().all(|byte| *byte == 0xff));
        }
    }
}
