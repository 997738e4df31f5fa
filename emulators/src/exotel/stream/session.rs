//! One open socket, from `connected` to its close. A single timer paces all that is sent.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::{self, Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::{
    Bounds, Socket, StreamEnd, StreamReport,
    audio::{self, FRAME},
    playout::Playout,
    target::Target,
    wire::{FromBot, Script},
};
use crate::{
    carrier::{Paced as _, Quirk},
    exotel::{
        call::Call,
        config::Config,
        scenario::{Keypress, Scenario},
    },
};

/// Shortest real time between two ticks; at high speeds several frames go out per tick.
const TICK_MIN: Duration = Duration::from_millis(10);
/// Real time in which a bot must take a message, and in which a closing handshake must end.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

const FRAME_MIN: usize = 3200;
const FRAME_MAX: usize = 100_000;
const FRAME_GRID: usize = 320;

/// The bot can no longer be reached.
struct Gone;

pub(super) struct Session<'a> {
    call: &'a Call,
    target: &'a Target,
    scenario: &'a Scenario,
    bounds: Bounds,
    breaks_after: Option<Duration>,
    config: Arc<Config>,
    script: Script,
    playout: Playout,
    presses: Vec<Keypress>,
    report: StreamReport,
    began: Instant,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        call: &'a Call,
        target: &'a Target,
        scenario: &'a Scenario,
        bounds: Bounds,
        config: Arc<Config>,
        report: StreamReport,
    ) -> Self {
        let mut presses = scenario.caller.presses.clone();
        presses.sort_by_key(|press| std::cmp::Reverse(press.after));
        let breaks_after = scenario.quirks.iter().find_map(|quirk| match quirk {
            Quirk::StreamBreaks { after } => Some(*after),
            _ => None,
        });
        Self {
            call,
            target,
            scenario,
            bounds,
            breaks_after,
            script: Script::new(Uuid::new_v4().simple().to_string(), &config.streams),
            config,
            playout: Playout::new(target.sample_rate),
            presses,
            report,
            began: Instant::now(),
        }
    }

    /// Talks until somebody ends it; returns how long that was, in nominal time.
    pub(super) async fn run(mut self, mut socket: Socket) -> (Duration, StreamReport) {
        let end = self.converse(&mut socket).await.unwrap_or(StreamEnd::Bot);
        let talked = self.now().min(self.bounds.caller_leaves).min(self.bounds.cut_off);
        self.report.ended_by = end;
        let reason = match end {
            StreamEnd::Caller => Some("callended"),
            StreamEnd::Limit => Some("stopped"),
            StreamEnd::Bot | StreamEnd::Broken | StreamEnd::Unreachable => None,
        };
        if let Some(reason) = reason {
            let stop = self.script.stop(self.call, reason);
            // A bot that has gone by now misses nothing.
            let _ = send(&mut socket, &stop).await;
        }
        if end != StreamEnd::Broken {
            close(&mut socket).await;
        }
        (talked, self.report)
    }

    async fn converse(&mut self, socket: &mut Socket) -> Result<StreamEnd, Gone> {
        send(socket, &json!({"event": "connected"})).await?;
        let start = self.script.start(self.call, self.target, &self.config.streams);
        send(socket, &start).await?;
        self.began = Instant::now();
        let mut tick = time::interval(self.config.pace().wall(FRAME).max(TICK_MIN));
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = self.call.base.nudge.notified() => return Ok(StreamEnd::Caller),
                _ = tick.tick() => {
                    if let Some(end) = self.tick(socket).await? {
                        return Ok(end);
                    }
                }
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.hear(socket, &text).await?,
                    Some(Ok(Message::Binary(_))) => self.report.nonsense += 1,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(StreamEnd::Bot),
                },
            }
        }
    }

    /// Sends all that has fallen due, and says whether the stream is over.
    async fn tick(&mut self, socket: &mut Socket) -> Result<Option<StreamEnd>, Gone> {
        let now = self.now();
        let last = now.min(self.bounds.caller_leaves).min(self.bounds.cut_off);
        while FRAME * (self.report.frames_sent + 1) <= last {
            let rate = self.target.sample_rate;
            let audio = audio::frame(&self.scenario.caller.says, self.report.frames_sent, rate);
            self.report.frames_sent += 1;
            let media = self.script.media(self.report.frames_sent.into(), FRAME, &audio);
            send(socket, &media).await?;
        }
        while let Some(press) = self.presses.pop_if(|press| press.after <= last) {
            let dtmf = self.script.dtmf(press.digit);
            send(socket, &dtmf).await?;
        }
        self.echo_marks(socket, now).await?;
        Ok(self.over(now))
    }

    fn over(&self, now: Duration) -> Option<StreamEnd> {
        if self.breaks_after.is_some_and(|after| after <= now) {
            Some(StreamEnd::Broken)
        } else if now >= self.bounds.caller_leaves {
            Some(StreamEnd::Caller)
        } else if now >= self.bounds.cut_off {
            Some(StreamEnd::Limit)
        } else {
            None
        }
    }

    async fn hear(&mut self, socket: &mut Socket, text: &str) -> Result<(), Gone> {
        let now = self.now();
        let message = serde_json::from_str::<FromBot>(text).ok();
        match message.filter(|message| self.script.is_mine(message.stream_sid())) {
            Some(FromBot::Media { media, .. }) => match media.bytes() {
                Some(bytes) => self.play(bytes, now),
                None => self.report.nonsense += 1,
            },
            Some(FromBot::Mark { mark, .. }) => {
                self.report.marks_received += 1;
                self.playout.mark(mark.name, now);
                self.echo_marks(socket, now).await?;
            }
            Some(FromBot::Clear { .. }) => self.clear(socket, now).await?,
            None => self.report.nonsense += 1,
        }
        Ok(())
    }

    fn play(&mut self, bytes: usize, now: Duration) {
        self.playout.queue(bytes, now);
        self.report.frames_received += 1;
        self.report.bytes_received += u64::try_from(bytes).unwrap_or(u64::MAX);
        self.report.frames_misaligned += u32::from(!bytes.is_multiple_of(FRAME_GRID));
        self.report.frames_too_small += u32::from(bytes < FRAME_MIN);
        self.report.frames_too_big += u32::from(bytes > FRAME_MAX);
    }

    async fn clear(&mut self, socket: &mut Socket, now: Duration) -> Result<(), Gone> {
        self.report.clears += 1;
        let dropped = self.playout.clear(now);
        if self.config.streams.clear_echoes_marks {
            for name in dropped {
                self.echo(socket, &name).await?;
            }
        }
        Ok(())
    }

    async fn echo_marks(&mut self, socket: &mut Socket, now: Duration) -> Result<(), Gone> {
        while let Some(name) = self.playout.due(now) {
            self.echo(socket, &name).await?;
        }
        Ok(())
    }

    async fn echo(&mut self, socket: &mut Socket, name: &str) -> Result<(), Gone> {
        self.report.marks_echoed += 1;
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
