//! One open socket, from `connected` to its close. A single timer paces all that is sent.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use super::{
    News, Stream, StreamEnd, StreamReport, Word,
    settings::{Codec, Mode, Settings},
    wire::{Complaint, FromBot, INVALID_MEDIA, MALFORMED, RATE_LIMIT, Script},
};
use crate::{
    audio::Encoding,
    carrier::Paced as _,
    clock,
    media::{BotSocket, Caller, Came, Gone, Handset, ticks},
    millis,
    telnyx::{
        Hub,
        call::{Call, Letter},
        config::Config,
    },
};

/// Length of a frame that the caller's audio is sent in.
const FRAME: Duration = Duration::from_millis(20);

const CHUNK_MIN: Duration = Duration::from_millis(20);
const CHUNK_MAX: Duration = Duration::from_secs(30);
/// How long an MP3 plays is guessed from its size, at 32 kbit/s.
const MP3_BYTES_PER_SECOND: u32 = 4000;
/// At most one MP3 may come in this time.
const MP3_GAP: Duration = Duration::from_secs(1);

pub(super) struct Session {
    hub: Arc<Hub>,
    call: Call,
    settings: Settings,
    breaks_after: Option<Duration>,
    config: Arc<Config>,
    script: Script,
    handset: Handset,
    /// Whether the call has been told that the caller hangs up.
    left: bool,
    report: StreamReport,
    last_mp3: Option<Duration>,
    began: Instant,
}

/// The phone at the other end of a stream that is to be like this.
pub(super) fn handset(caller: &Caller, settings: &Settings) -> Handset {
    let hears = match settings.mode {
        Mode::Mp3 => None,
        Mode::Rtp => encoding(settings.said).map(|encoding| (encoding, settings.rate)),
    };
    Handset::new(caller, FRAME, settings.codec.rate(), hears)
}

/// `None` of a codec that is emulated by name only.
fn encoding(codec: Codec) -> Option<Encoding> {
    match codec {
        Codec::Pcmu => Some(Encoding::Mulaw),
        Codec::Pcma => Some(Encoding::Alaw),
        Codec::L16 => Some(Encoding::Linear16),
        Codec::Other(_) => None,
    }
}

impl Session {
    pub(super) fn new(
        stream: &Stream,
        config: &Arc<Config>,
        script: Script,
        handset: Handset,
        report: StreamReport,
        breaks_after: Option<Duration>,
    ) -> Self {
        Self {
            hub: Arc::clone(&stream.hub),
            call: stream.call.clone(),
            settings: stream.settings.clone(),
            breaks_after,
            config: Arc::clone(config),
            script,
            handset,
            left: false,
            report: StreamReport { ended_by: StreamEnd::Open, ..report },
            last_mp3: None,
            began: Instant::now(),
        }
    }

    /// Talks until somebody ends it; `true` if that was in good order.
    pub(super) async fn run(
        mut self,
        mut socket: BotSocket,
        words: &mut mpsc::UnboundedReceiver<Word>,
    ) -> (bool, Script, Handset, StreamReport) {
        let end = self.converse(&mut socket, words).await;
        let clean = matches!(end, Ok(StreamEnd::Carrier | StreamEnd::Bot));
        let end = end.unwrap_or(StreamEnd::Bot);
        self.report.ended_by = end;
        let now = self.now();
        self.report.conversation = self.handset.end(now);
        if end == StreamEnd::Carrier {
            let stop = self.script.stop(&self.call);
            // A bot that has gone by now misses nothing.
            let _ = socket.send(&stop).await;
        }
        if end != StreamEnd::Broken {
            socket.close().await;
        }
        (clean, self.script, self.handset, self.report)
    }

    async fn converse(
        &mut self,
        socket: &mut BotSocket,
        words: &mut mpsc::UnboundedReceiver<Word>,
    ) -> Result<StreamEnd, Gone> {
        socket.send(&json!({"event": "connected", "version": "1.0.0"})).await?;
        let start = self.script.start(&self.call, &self.settings);
        socket.send(&start).await?;
        self.began = Instant::now();
        let mut ticks = ticks(self.config.pace().wall(FRAME));
        loop {
            tokio::select! {
                word = words.recv() => match word {
                    Some(Word::Digit(digit)) => {
                        let dtmf = self.script.dtmf(digit, clock::now());
                        socket.send(&dtmf).await?;
                    }
                    Some(Word::Stop) | None => return Ok(StreamEnd::Carrier),
                },
                _ = ticks.tick() => {
                    if self.tick(socket).await? {
                        return Ok(StreamEnd::Broken);
                    }
                }
                came = socket.next() => match came? {
                    Came::Text(text) => self.hear(socket, &text).await?,
                    Came::Binary => self.complain(socket, MALFORMED).await?,
                    Came::Closed => return Ok(StreamEnd::Bot),
                },
            }
            self.publish();
        }
    }

    /// Lets a test see what was said so far.
    fn publish(&mut self) {
        if let Some(conversation) = self.handset.news() {
            let report = StreamReport { conversation, ..self.report.clone() };
            self.hub.change(|world| world.note(&self.call, |call| call.stream = Some(report)));
        }
    }

    /// Sends all that has fallen due, and says whether the connection breaks now.
    async fn tick(&mut self, socket: &mut BotSocket) -> Result<bool, Gone> {
        let now = self.now();
        while let Some((number, samples)) = self.handset.next_frame(now) {
            for side in self.settings.track.sides() {
                self.send_frame(socket, side, number, &samples).await?;
            }
        }
        self.handset.play(now);
        self.return_marks(socket, now).await?;
        if !self.left && self.handset.hangs_up(now) {
            self.left = true;
            self.call.mailbox.post(Letter::Stream(News::CallerLeaves));
        }
        Ok(self.breaks_after.is_some_and(|after| after <= now))
    }

    async fn send_frame(
        &mut self,
        socket: &mut BotSocket,
        side: &str,
        number: u32,
        samples: &[i16],
    ) -> Result<(), Gone> {
        let Some(encoding) = encoding(self.settings.codec) else { return Ok(()) };
        // What we say ourselves comes back as silence.
        let payload = match side {
            "inbound" => encoding.encode(samples),
            _ => encoding.encode(&vec![0; samples.len()]),
        };
        let timestamp = millis::whole(FRAME * number);
        let media = self.script.media(side, u64::from(number) + 1, timestamp, &payload);
        self.report.frames_sent += 1;
        socket.send(&media).await
    }

    async fn hear(&mut self, socket: &mut BotSocket, text: &str) -> Result<(), Gone> {
        let now = self.now();
        match serde_json::from_str::<FromBot>(text) {
            Ok(FromBot::Media { media }) => match media.audio() {
                Some(audio) => self.play(socket, &audio, now).await?,
                None => self.complain(socket, INVALID_MEDIA).await?,
            },
            Ok(FromBot::Mark { mark }) => {
                self.report.marks_received += 1;
                self.handset.mark(mark.name, now);
                self.return_marks(socket, now).await?;
            }
            Ok(FromBot::Clear) => {
                self.report.clears += 1;
                for name in self.handset.clear(now) {
                    self.return_mark(socket, &name).await?;
                }
            }
            Err(_) => self.complain(socket, MALFORMED).await?,
        }
        Ok(())
    }

    async fn play(&mut self, socket: &mut BotSocket, audio: &[u8], now: Duration) -> Result<(), Gone> {
        let length = match self.settings.mode {
            Mode::Rtp => self.settings.said.bytes_per_second(self.settings.rate),
            Mode::Mp3 if self.last_mp3.is_some_and(|last| now < last + MP3_GAP) => {
                return self.complain(socket, RATE_LIMIT).await;
            }
            Mode::Mp3 => {
                self.last_mp3 = Some(now);
                Some(MP3_BYTES_PER_SECOND)
            }
        };
        let whole = u32::try_from(audio.len()).unwrap_or(u32::MAX);
        // A chunk of a codec that is known by name only counts as the shortest there may be.
        let length = length.map_or(CHUNK_MIN, |rate| Duration::from_secs(1) * whole / rate);
        self.report.frames_received += 1;
        self.report.bytes_received += u64::from(whole);
        if self.settings.mode == Mode::Rtp {
            self.report.frames_too_short += u32::from(length < CHUNK_MIN);
            self.report.frames_too_long += u32::from(length > CHUNK_MAX);
        }
        self.handset.queue(audio, length, now);
        Ok(())
    }

    async fn complain(&mut self, socket: &mut BotSocket, complaint: Complaint) -> Result<(), Gone> {
        self.report.nonsense += 1;
        let error = self.script.error(complaint, "The message was not understood and is ignored.");
        socket.send(&error).await
    }

    async fn return_marks(&mut self, socket: &mut BotSocket, now: Duration) -> Result<(), Gone> {
        while let Some(name) = self.handset.due(now) {
            self.return_mark(socket, &name).await?;
        }
        Ok(())
    }

    async fn return_mark(&mut self, socket: &mut BotSocket, name: &str) -> Result<(), Gone> {
        self.report.marks_returned += 1;
        let mark = self.script.mark(name);
        socket.send(&mark).await
    }

    /// Nominal time since the stream began.
    fn now(&self) -> Duration {
        self.config.pace().nominal(self.began.elapsed())
    }
}
