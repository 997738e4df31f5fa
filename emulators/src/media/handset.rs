//! The caller's phone: what it sends, what it plays, and what was said on it.

use std::time::Duration;

use super::{Caller, Conversation, When, cue::Cues, earpiece::Earpiece, mouth::Mouth, playout::Playout};
use crate::{audio::Encoding, speech::Letter};

/// One caller's end of a stream. A stream may have several sockets, one after the other; all that is said
/// of time here is nominal and since the socket opened, and what is kept is since the first one did.
#[derive(Debug)]
pub(crate) struct Handset {
    mouth: Mouth,
    /// `None` where the codec is not one that can be understood.
    earpiece: Option<Earpiece>,
    playout: Playout,
    cues: Cues,
    conversation: Conversation,
    hangs_up: Option<When>,
    frame: Duration,
    /// Frames sent on this socket.
    frames: u32,
    /// How long the sockets before this one were open.
    before: Duration,
    latest: Duration,
    /// When the bot's audio was last cleared, until something is heard that came after.
    cleared: Option<Duration>,
    changed: bool,
}

impl Handset {
    /// Sends frames of this length and so many samples a second; hears audio in this encoding and rate.
    pub(crate) fn new(caller: &Caller, frame: Duration, rate: u32, hears: Option<(Encoding, u32)>) -> Self {
        Self {
            mouth: Mouth::new(&caller.says, rate),
            earpiece: hears.map(|(encoding, rate)| Earpiece::new(encoding, rate)),
            playout: Playout::default(),
            cues: Cues::default(),
            conversation: Conversation::default(),
            hangs_up: caller.hangs_up.clone(),
            frame,
            frames: 0,
            before: Duration::ZERO,
            latest: Duration::ZERO,
            cleared: None,
            changed: false,
        }
    }

    /// Goes on with another socket. What the last one left unplayed is lost.
    pub(crate) fn reconnect(&mut self) {
        self.clear(self.latest);
        self.before += self.frame * self.frames;
        self.before = self.before.max(self.latest);
        (self.frames, self.latest) = (0, Duration::ZERO);
    }

    /// The next frame, if it ends by `now`: its number, from 0, and samples.
    pub(crate) fn next_frame(&mut self, now: Duration) -> Option<(u32, Vec<i16>)> {
        let (number, until) = (self.frames, self.frame * (self.frames + 1));
        if now < until {
            return None;
        }
        // What was played before the frame ends may be what is answered in it.
        self.play(until);
        let stretch = (self.before + self.frame * number, self.before + until);
        let turns = self.conversation.turns.len();
        let spoke = !self.mouth.is_done();
        let samples = self.mouth.frame(stretch, &mut self.cues, &mut self.conversation);
        self.changed |= spoke || turns < self.conversation.turns.len();
        self.frames += 1;
        Some((number, samples))
    }

    /// The bot's audio, which takes `length` to play.
    pub(crate) fn queue(&mut self, audio: &[u8], length: Duration, now: Duration) {
        let start = self.playout.queue(length, self.before + now);
        if let Some(earpiece) = &mut self.earpiece {
            earpiece.queue(audio, start);
        }
    }

    /// The bot's mark, which falls due when all that is queued has been played.
    pub(crate) fn mark(&mut self, name: String, now: Duration) {
        self.playout.mark(name, self.before + now);
    }

    /// The next mark that has fallen due.
    pub(crate) fn due(&mut self, now: Duration) -> Option<String> {
        self.playout.due(self.before + now)
    }

    /// Drops what is queued, and returns the marks that waited for it.
    pub(crate) fn clear(&mut self, now: Duration) -> Vec<String> {
        self.play(now);
        if let Some(earpiece) = &mut self.earpiece {
            earpiece.clear();
        }
        self.cleared = Some(self.before + now);
        self.playout.clear(self.before + now)
    }

    /// Plays what is queued until `now`.
    pub(crate) fn play(&mut self, now: Duration) {
        self.latest = self.latest.max(now);
        let now = self.before + now;
        let heard = self.earpiece.as_mut().map(|earpiece| earpiece.play(now)).unwrap_or_default();
        heard.into_iter().for_each(|letter| self.hear(letter));
    }

    fn hear(&mut self, letter: Letter) {
        // The character that was cut off is told only after the clear.
        let middle = (letter.start + letter.end) / 2;
        let anew = self.cleared.take_if(|cleared| *cleared < middle).is_some();
        self.cues.hear(letter, anew);
        self.conversation.add_letter(letter, anew);
        self.changed = true;
    }

    /// Whether the caller, who has said all there is to say, hangs up by now.
    pub(crate) fn hangs_up(&self, now: Duration) -> bool {
        let Some(when) = &self.hangs_up else { return false };
        self.mouth.is_done() && self.cues.met(when, self.before + now)
    }

    /// What was said so far, if that has changed since the last time.
    pub(crate) fn news(&mut self) -> Option<Conversation> {
        std::mem::take(&mut self.changed).then(|| self.conversation.clone())
    }

    /// All that was said until `now`, when the socket closed.
    pub(crate) fn end(&mut self, now: Duration) -> Conversation {
        self.play(now);
        if let Some(letter) = self.earpiece.as_mut().and_then(Earpiece::end) {
            self.hear(letter);
        }
        self.conversation.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{media::Line, speech};

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn queue(handset: &mut Handset, text: &str, now: u64) {
        let audio = Encoding::Mulaw.encode(&speech::say(text, 8000));
        let length = speech::CHARACTER * u32::try_from(text.len()).expect("a short text");
        handset.queue(&audio, length, ms(now));
    }

    fn frames(handset: &mut Handset, until: u64) -> u32 {
        (0..until).step_by(20).map(|now| u32::from(handset.next_frame(ms(now + 20)).is_some())).sum()
    }

    #[test]
    fn what_follows_a_clear_at_once_is_another_turn_and_is_answered() {
        let caller = Caller::saying([Line::once_heard("o", "No!"), Line::in_answer("Yes.")]);
        let mut handset = Handset::new(&caller, ms(20), 8000, Some((Encoding::Mulaw, 8000)));
        queue(&mut handset, "Hello, hello, hello.", 0);
        handset.mark("hello".into(), ms(0));
        // Forty milliseconds into the e of the second hello, which is enough of it to be heard.
        assert_eq!(frames(&mut handset, 520), 26);
        assert_eq!(handset.due(ms(520)), None);
        assert_eq!(handset.clear(ms(520)), ["hello"]);
        queue(&mut handset, "Sorry.", 520);
        frames(&mut handset, 4000);
        let told = handset.news().expect("something was said");
        assert_eq!(told.to_string(), "bot: Hello, he\ncaller: No!\nbot: Sorry.\ncaller: Yes.");
        assert_eq!(handset.news(), None, "and nothing since");
    }

    #[test]
    fn whoever_has_lines_left_does_not_hang_up() {
        let caller = Caller::saying([Line::at(ms(100), "No.")]);
        let caller = caller.hanging_up(When::At { after: ms(50) });
        let mut handset = Handset::new(&caller, ms(20), 8000, None);
        frames(&mut handset, 260);
        assert!(!handset.hangs_up(ms(260)), "the last of three characters is still to be said");
        frames(&mut handset, 280);
        assert!(handset.hangs_up(ms(280)));
    }
}
