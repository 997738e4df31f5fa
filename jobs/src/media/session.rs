//! One conversation, held: what its machine wants is done, and what happens is told to it.
//!
//! ```text
//!              ┌ order ── voice detector ┐
//!  carrier ────┤                         ├──▶ conversation ──▶ model, voice ── playout ──▶ carrier
//!              └ recogniser ─────────────┘         └──▶ whoever stores what was said
//! ```

mod line;
mod streams;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use outdial_workflows::conversation::{Act, AskId, CallTime, Conversation, Ending, Heard, Piece, SentenceId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::line::Sent;
pub use self::line::{Line, LineEnds};
use self::streams::Streams;
use super::order::Order;
use super::playout::{Playout, Send};
use super::recording::Recording;
use super::services::{Model, Recognised, Recogniser, Voice, VoiceError};
use super::vad::{Noticed, VoiceDetector};
use super::wire::{Dialect, StreamEvent};
use crate::metrics::talk::Failures;

/// Audio that waits for the recogniser: ten seconds of the smallest frames. It is asked to read faster than that.
const UNRECOGNISED: usize = 500;

/// So many sentences are made at once: the one that is heard next, and the one behind it. Accounts of voices allow
/// few requests at a time, and what is cut off by an interruption was made in vain.
const MADE_AT_ONCE: usize = 2;

/// How much of what was said before a sentence its voice is told, in characters: enough for the melody.
const MELODY: usize = 200;

/// What the carrier has played is heard so much later at most, over networks with buffers of their own: the line is held
/// for so long behind our last word.
const TAIL: Duration = Duration::from_millis(300);

/// With whom a conversation is held.
pub struct Cast<'a> {
    /// Who listens.
    pub recogniser: &'a dyn Recogniser,
    /// Who answers.
    pub model: &'a dyn Model,
    /// Who speaks.
    pub voice: &'a dyn Voice,
}

/// What reaches a conversation from outside, and what it tells.
pub struct Surroundings {
    /// Sockets that take the place of the one before: the carrier tried again, or lost the other.
    pub lines: mpsc::Receiver<Line>,
    /// What is heard of the call elsewhere: who answered, that it is over, orders.
    pub heard: mpsc::Receiver<Heard>,
    /// What is to be stored or done, as it happens; bounded by the length of the call.
    pub acts: mpsc::UnboundedSender<Act>,
    /// What both sides are recorded by, if they are.
    pub recording: Option<Recording>,
}

/// What became of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Why it ended.
    pub ending: Ending,
    /// How long it lasted.
    pub lasted: Duration,
    /// Requests to the model that were made early, and not needed.
    pub speculated_in_vain: u32,
    /// How long the line was silent until our first word; `None` if there was none.
    pub first_words: Option<Duration>,
    /// Whether a person was not spoken to in time; `None` if a machine answered.
    pub abandoned: Option<bool>,
    /// Frames of the person's audio that never came, or too late.
    pub frames_lost: u64,
    /// How late we woke to send audio, or for another reason, at most.
    pub latest: Duration,
    /// How long each voice that interrupted us had been there when we fell silent.
    pub stops: Vec<Duration>,
    /// What failed, and was bridged or ended it.
    pub failures: Failures,
}

impl Held {
    /// A conversation that could not begin.
    pub fn never(why: impl Into<String>) -> Self {
        Self {
            ending: Ending::NotBegun(why.into()),
            lasted: Duration::ZERO,
            speculated_in_vain: 0,
            first_words: None,
            // Somebody is on the line, and we are not.
            abandoned: Some(true),
            frames_lost: 0,
            latest: Duration::ZERO,
            stops: vec![],
            failures: Failures::default(),
        }
    }
}

/// Holds a conversation on a line to its end. The line is given up when it returns, which closes the socket.
pub async fn hold(
    conversation: Conversation,
    dialect: Dialect,
    line: Line,
    cast: Cast<'_>,
    around: Surroundings,
) -> Held {
    let (audio, recognisable) = mpsc::channel(UNRECOGNISED);
    let mut session = Session {
        began: Instant::now(),
        conversation,
        dialect,
        line: Some(line),
        order: Order::default(),
        frames_lost: 0,
        detector: VoiceDetector::new(dialect.format()),
        audio: Some(audio),
        recognised: cast.recogniser.listen(recognisable),
        cast,
        playout: Playout::new(dialect),
        asks: Streams::default(),
        voices: Streams::default(),
        unmade: VecDeque::new(),
        before: String::new(),
        latest: Duration::ZERO,
        voice_since: None,
        stops: vec![],
        failures: Failures::default(),
        around,
    };
    session.hear(Heard::Connected);
    let ending = session.run().await;
    if session.line.is_some() && !matches!(ending, Ending::PersonLeft) {
        tokio::time::sleep(TAIL).await;
    }
    if let Some(recording) = session.around.recording.take()
        && let Err(error) = recording.end().await
    {
        tracing::error!(%error, "a conversation was not recorded to its end");
    }
    let lasted = session.began.elapsed();
    Held {
        ending,
        lasted,
        speculated_in_vain: session.conversation.speculated_in_vain(),
        first_words: session.conversation.first_words(),
        abandoned: session.conversation.is_abandoned(lasted),
        frames_lost: session.frames_lost + session.order.lost(),
        latest: session.latest,
        stops: session.stops,
        failures: session.failures,
    }
}

struct Session<'a> {
    began: Instant,
    conversation: Conversation,
    dialect: Dialect,
    /// `None` while the carrier's socket is lost.
    line: Option<Line>,
    order: Order,
    /// On lines before.
    frames_lost: u64,
    detector: VoiceDetector,
    /// `None` once nothing is recognised any more.
    audio: Option<mpsc::Sender<Bytes>>,
    recognised: BoxStream<'static, Recognised>,
    cast: Cast<'a>,
    playout: Playout,
    asks: Streams<AskId, Piece>,
    voices: Streams<SentenceId, Result<Bytes, VoiceError>>,
    /// Sentences whose voice waits for those before them.
    unmade: VecDeque<(SentenceId, String)>,
    /// What was said before, for the melody of what follows.
    before: String,
    latest: Duration,
    /// Since when the person's side has had voice.
    voice_since: Option<CallTime>,
    stops: Vec<Duration>,
    failures: Failures,
    around: Surroundings,
}

impl Session<'_> {
    async fn run(&mut self) -> Ending {
        loop {
            if let Some(ending) = self.act() {
                return ending;
            }
            self.play();
            let wake = self.wake_at();
            tokio::select! {
                // What is to be sent goes first: the person hears it when it is late.
                biased;
                late = until(wake) => {
                    self.latest = self.latest.max(late);
                    self.hear(Heard::Time);
                }
                event = Line::next(&mut self.line) => self.arrived(event),
                Some(recognised) = self.recognised.next(), if self.audio.is_some() => self.recognised(recognised),
                (sentence, audio) = self.voices.next() => self.voiced(sentence, audio),
                (ask, piece) = self.asks.next() => self.replied(ask, piece),
                Some(heard) = self.around.heard.recv() => self.hear(heard),
                Some(line) = self.around.lines.recv() => self.replaced(line),
            }
        }
    }

    fn now(&self) -> CallTime {
        CallTime::after(self.began.elapsed())
    }

    fn hear(&mut self, heard: Heard) {
        let now = self.now();
        self.conversation.hear(heard, now);
    }

    fn wake_at(&self) -> Option<Instant> {
        let wakes = [self.conversation.wake_at(), self.playout.wake_at().filter(|_| self.line.is_some())];
        let first = wakes.into_iter().flatten().min()?;
        Some(self.began + first.since(CallTime::default()))
    }

    /// Does what the conversation wants, until it wants nothing more; its ending, if that is what it wants.
    fn act(&mut self) -> Option<Ending> {
        while let Some(act) = self.conversation.next_act() {
            match act {
                Act::Ask { id, prompt, fallback, .. } => {
                    self.asks.push(id, self.cast.model.answer(&prompt, fallback));
                }
                Act::Abandon(id) => self.asks.drop(id),
                Act::Say { id, text, instead_of: None } => {
                    self.playout.say(id);
                    self.unmade.push_back((id, text));
                }
                Act::Say { id, text, instead_of: Some(failed) } => {
                    self.voices.drop(failed);
                    self.unmade.retain(|(unmade, _)| *unmade != failed);
                    self.playout.say_instead(failed, id);
                    self.unmade.push_front((id, text));
                }
                Act::Hush => self.hush(),
                Act::End(ending) => return Some(ending),
                told @ (Act::Keep(_)
                | Act::Note { .. }
                | Act::Suppress
                | Act::CallBack { .. }
                | Act::Transfer { .. }
                | Act::FollowTransfer) => {
                    // Whoever stores it may be gone before the call is: it tells so itself.
                    let _ = self.around.acts.send(told);
                }
            }
        }
        self.make();
        None
    }

    /// Has the next sentences spoken.
    fn make(&mut self) {
        while self.voices.len() < MADE_AT_ONCE {
            let Some((id, text)) = self.unmade.pop_front() else { return };
            let speaking = self.cast.voice.speak(&text, &self.before);
            self.voices.push(id, speaking);
            if !self.before.is_empty() {
                self.before.push(' ');
            }
            self.before.push_str(&text);
            let too_long = self.before.chars().count().saturating_sub(MELODY);
            self.before = self.before.chars().skip(too_long).collect();
        }
    }

    fn hush(&mut self) {
        self.voices.clear();
        self.unmade.clear();
        self.before.clear();
        let now = self.now();
        if let Some(recording) = &mut self.around.recording {
            recording.hush(now);
        }
        if self.playout.hush(now) {
            self.stops.extend(self.voice_since.map(|since| now.since(since)));
            let clear = self.line.as_ref().map(|line| self.dialect.clear(&line.stream_id));
            self.send(clear);
        }
    }

    /// Sends what is due.
    fn play(&mut self) {
        let now = self.now();
        if self.line.is_none() {
            return;
        }
        let (sends, heard) = self.playout.due(now);
        for send in sends {
            if let (Send::Media(audio), Some(recording)) = (&send, &mut self.around.recording) {
                recording.ours(audio, now);
            }
            let message = self.line.as_ref().map(|line| match &send {
                Send::Media(audio) => self.dialect.media(&line.stream_id, audio),
                Send::Mark(name) => self.dialect.mark(&line.stream_id, name),
            });
            self.send(message);
        }
        heard.into_iter().for_each(|heard| self.hear(heard));
    }

    fn send(&mut self, message: Option<String>) {
        let (Some(line), Some(message)) = (&self.line, message) else { return };
        match line.send(message) {
            Sent::Taken => {}
            Sent::Gone => self.lost(),
        }
    }

    fn arrived(&mut self, event: Option<StreamEvent>) {
        match event {
            Some(StreamEvent::Media { audio, chunk, .. }) => {
                for frame in self.order.push(chunk, audio) {
                    self.frame(frame);
                }
            }
            Some(StreamEvent::Dtmf { digit }) => self.hear(Heard::Key(digit)),
            Some(StreamEvent::Mark { name }) => {
                if let Some(heard) = self.playout.marked(&name) {
                    self.hear(heard);
                }
            }
            Some(StreamEvent::Refused { problem }) => {
                tracing::warn!(problem, "the carrier did not take something that we sent");
            }
            Some(StreamEvent::Stop { .. }) => self.hear(Heard::Left),
            Some(
                StreamEvent::Connected
                | StreamEvent::Start { .. }
                | StreamEvent::Ours
                | StreamEvent::Other { .. },
            ) => {}
            None => self.lost(),
        }
    }

    fn frame(&mut self, frame: Bytes) {
        let now = self.now();
        if let Some(recording) = &mut self.around.recording {
            recording.person(&frame, now);
        }
        for noticed in self.detector.hear(&frame) {
            let (ago, voice) = match noticed {
                Noticed::Began => (VoiceDetector::BEGINS_AFTER, true),
                Noticed::Ended => (VoiceDetector::ENDS_AFTER, false),
            };
            self.voice_since = voice.then_some(now.before(ago));
            self.hear(if voice { Heard::VoiceBegan { ago } } else { Heard::VoiceEnded { ago } });
        }
        if let Some(audio) = &self.audio
            && audio.try_send(frame).is_err()
        {
            tracing::warn!("audio was dropped, because the recogniser does not take it");
        }
    }

    fn recognised(&mut self, recognised: Recognised) {
        match recognised {
            Recognised::Words { text, confirmed } => self.hear(Heard::Words { text, confirmed }),
            Recognised::Ended => self.hear(Heard::UtteranceEnded),
            Recognised::Failed(problem) => {
                self.audio = None;
                self.failures.recogniser += 1;
                self.hear(Heard::Deaf(problem));
            }
        }
    }

    fn voiced(&mut self, sentence: SentenceId, audio: Option<Result<Bytes, VoiceError>>) {
        match audio {
            Some(Ok(audio)) => self.playout.push(sentence, audio),
            Some(Err(error)) => {
                tracing::warn!(%error, "a sentence was not spoken");
                self.unspoken(sentence);
            }
            None if self.playout.finish(sentence) => {}
            None => self.unspoken(sentence),
        }
    }

    fn unspoken(&mut self, sentence: SentenceId) {
        self.failures.voice += 1;
        self.hear(Heard::SpeechFailed(sentence));
    }

    fn replied(&mut self, ask: AskId, piece: Option<Piece>) {
        if let Some(piece) = piece {
            self.failures.model += u64::from(matches!(piece, Piece::Failed(_)));
            self.hear(Heard::Replied { ask, piece });
        }
    }

    /// The carrier's socket is gone.
    fn lost(&mut self) {
        if self.line.take().is_some() {
            let now = self.now();
            if let Some(recording) = &mut self.around.recording {
                recording.hush(now);
            }
            self.playout.hush(now);
            self.hear(Heard::StreamLost);
        }
    }

    /// Another socket takes its place.
    fn replaced(&mut self, line: Line) {
        self.lost();
        self.line = Some(line);
        self.frames_lost += self.order.lost();
        self.order = Order::default();
        self.hear(Heard::StreamBack);
    }
}

/// Waits until then, and tells how much later it is by now.
async fn until(instant: Option<Instant>) -> Duration {
    match instant {
        Some(instant) => {
            tokio::time::sleep_until(instant).await;
            instant.elapsed()
        }
        None => std::future::pending().await,
    }
}
