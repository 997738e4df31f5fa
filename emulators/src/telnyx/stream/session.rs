//! One open socket, from `connected` to its close. A single timer paces all that is sent.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{self, Instant, MissedTickBehavior},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    Socket, Stream, StreamEnd, StreamReport, Word,
    audio::{self, FRAME},
    playout::Playout,
    settings::{Mode, Settings},
    wire::{Complaint, FromBot, INVALID_MEDIA, MALFORMED, RATE_LIMIT, Script},
};
use crate::{
    carrier::Paced as _,
    clock, millis,
    telnyx::{call::Call, config::Config, scenario::Says},
};

/// Shortest real time between two ticks; at high speeds several frames go out per tick.
const TICK_MIN: Duration = Duration::from_millis(10);
/// Real time in which a bot must take a message, and in which a closing handshake must end.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

const CHUNK_MIN: Duration = Duration::from_millis(20);
const CHUNK_MAX: Duration = Duration::from_secs(30);
/// How long an MP3 plays is guessed from its size, at 32 kbit/s.
const MP3_BYTES_PER_SECOND: u32 = 4000;
/// At most one MP3 may come in this time.
const MP3_GAP: Duration = Duration::from_secs(1);

/// The bot can no longer be reached.
struct Gone;

pub(super) struct Session {
    call: Call,
    settings: Settings,
    says: Says,
    breaks_after: Option<Duration>,
    config: Arc<Config>,
    script: Script,
    playout: Playout,
    report: StreamReport,
    frames: u32,
    last_mp3: Option<Duration>,
    began: Instant,
}

impl Session {
    pub(super) fn new(
        stream: &Stream,
        config: Arc<Config>,
        script: Script,
        report: StreamReport,
        breaks_after: Option<Duration>,
    ) -> Self {
        Self {
            call: stream.call.clone(),
            settings: stream.settings.clone(),
            says: stream.says.clone(),
            breaks_after,
            config,
            script,
            playout: Playout::default(),
            report,
            frames: 0,
            last_mp3: None,
            began: Instant::now(),
        }
    }

    /// Talks until somebody ends it; `true` if that was in good order.
    pub(super) async fn run(
        mut self,
        mut socket: Socket,
        words: &mut mpsc::UnboundedReceiver<Word>,
    ) -> (bool, Script, StreamReport) {
        let end = self.converse(&mut socket, words).await;
        let clean = matches!(end, Ok(StreamEnd::Carrier | StreamEnd::Bot));
        let end = end.unwrap_or(StreamEnd::Bot);
        self.report.ended_by = end;
        if end == StreamEnd::Carrier {
            let stop = self.script.stop(&self.call);
            // A bot that has gone by now misses nothing.
            let _ = send(&mut socket, &stop).await;
        }
        if end != StreamEnd::Broken {
            close(&mut socket).await;
        }
        (clean, self.script, self.report)
    }

    async fn converse(
        &mut self,
        socket: &mut Socket,
        words: &mut mpsc::UnboundedReceiver<Word>,
    ) -> Result<StreamEnd, Gone> {
        send(socket, &json!({"event": "connected", "version": "1.0.0"})).await?;
        let start = self.script.start(&self.call, &self.settings);
        send(socket, &start).await?;
        self.began = Instant::now();
        let mut tick = time::interval(self.config.pace().wall(FRAME).max(TICK_MIN));
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                word = words.recv() => match word {
                    Some(Word::Digit(digit)) => {
                        let dtmf = self.script.dtmf(digit, clock::now());
                        send(socket, &dtmf).await?;
                    }
                    Some(Word::Stop) | None => return Ok(StreamEnd::Carrier),
                },
                _ = tick.tick() => {
                    if self.tick(socket).await? {
                        return Ok(StreamEnd::Broken);
                    }
                }
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.hear(socket, &text).await?,
                    Some(Ok(Message::Binary(_))) => self.complain(socket, MALFORMED).await?,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Close(_))) => return Ok(StreamEnd::Bot),
                    Some(Err(_)) | None => return Err(Gone),
                },
            }
        }
    }

    /// Sends all that has fallen due, and says whether the connection breaks now.
    async fn tick(&mut self, socket: &mut Socket) -> Result<bool, Gone> {
        let now = self.now();
        while FRAME * (self.frames + 1) <= now {
            for side in self.settings.track.sides() {
                self.send_frame(socket, side).await?;
            }
            self.frames += 1;
        }
        self.return_marks(socket, now).await?;
        Ok(self.breaks_after.is_some_and(|after| after <= now))
    }

    async fn send_frame(&mut self, socket: &mut Socket, side: &str) -> Result<(), Gone> {
        // What we say ourselves comes back as silence.
        let says = if side == "inbound" { &self.says } else { &Says::Silence };
        let Some(payload) = audio::frame(says, self.frames, self.settings.codec) else { return Ok(()) };
        let timestamp = millis::whole(FRAME * self.frames);
        let media = self.script.media(side, u64::from(self.frames) + 1, timestamp, &payload);
        self.report.frames_sent += 1;
        send(socket, &media).await
    }

    async fn hear(&mut self, socket: &mut Socket, text: &str) -> Result<(), Gone> {
        let now = self.now();
        match serde_json::from_str::<FromBot>(text) {
            Ok(FromBot::Media { media }) => match media.bytes() {
                Some(bytes) => self.play(socket, bytes, now).await?,
                None => self.complain(socket, INVALID_MEDIA).await?,
            },
            Ok(FromBot::Mark { mark }) => {
                self.report.marks_received += 1;
                self.playout.mark(mark.name, now);
                self.return_marks(socket, now).await?;
            }
            Ok(FromBot::Clear) => {
                self.report.clears += 1;
                for name in self.playout.clear(now) {
                    self.return_mark(socket, &name).await?;
                }
            }
            Err(_) => self.complain(socket, MALFORMED).await?,
        }
        Ok(())
    }

    async fn play(&mut self, socket: &mut Socket, bytes: usize, now: Duration) -> Result<(), Gone> {
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
        let whole = u32::try_from(bytes).unwrap_or(u32::MAX);
        // A chunk of a codec that is known by name only counts as the shortest there may be.
        let length = length.map_or(CHUNK_MIN, |rate| Duration::from_secs(1) * whole / rate);
        self.report.frames_received += 1;
        self.report.bytes_received += u64::from(whole);
        if self.settings.mode == Mode::Rtp {
            self.report.frames_too_short += u32::from(length < CHUNK_MIN);
            self.report.frames_too_long += u32::from(length > CHUNK_MAX);
        }
        self.playout.queue(length, now);
        Ok(())
    }

    async fn complain(&mut self, socket: &mut Socket, complaint: Complaint) -> Result<(), Gone> {
        self.report.nonsense += 1;
        let error = self.script.error(complaint, "The message was not understood and is ignored.");
        send(socket, &error).await
    }

    async fn return_marks(&mut self, socket: &mut Socket, now: Duration) -> Result<(), Gone> {
        while let Some(name) = self.playout.due(now) {
            self.return_mark(socket, &name).await?;
        }
        Ok(())
    }

    async fn return_mark(&mut self, socket: &mut Socket, name: &str) -> Result<(), Gone> {
        self.report.marks_returned += 1;
        let mark = self.script.mark(name);
        send(socket, &mark).await
    }

    /// Nominal time since the stream began.
    fn now(&self) -> Duration {
        self.config.pace().nominal(self.began.elapsed())
    }
}

async fn send(socket: &mut Socket, message: &Value) -> Result<(), Gone> {
    let sent = socket.send(Message::text(message.to_string()));
    match time::timeout(SEND_TIMEOUT, sent).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

/// Says goodbye properly, and does not wait long for the answer.
async fn close(socket: &mut Socket) {
    let goodbye = async {
        let _ = socket.close(None).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = time::timeout(CLOSE_TIMEOUT, goodbye).await;
}
