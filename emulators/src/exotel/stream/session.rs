//! One open socket, from `connected` to its close. A single timer paces all that is sent.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Bounds, StreamEnd, StreamReport,
    target::Target,
    wire::{FromBot, Script},
};
use crate::{
    audio::Encoding,
    carrier::{Paced as _, Quirk},
    exotel::{Hub, call::Call, config::Config, scenario::Scenario},
    media::{BotSocket, Came, Gone, Handset, Keypress, ticks},
};

/// Length of a frame that the caller's audio is sent in.
const FRAME: Duration = Duration::from_millis(100);

const FRAME_MIN: usize = 3200;
const FRAME_MAX: usize = 100_000;
/// A byte count that does not fill the carrier's 20 ms grid is padded, with this audible gap.
const FRAME_GRID: usize = 320;
const PADDING: Duration = Duration::from_millis(20);

pub(super) struct Session<'a> {
    hub: &'a Hub,
    call: &'a Call,
    target: &'a Target,
    bounds: Bounds,
    breaks_after: Option<Duration>,
    config: Arc<Config>,
    script: Script,
    handset: Handset,
    presses: Vec<Keypress>,
    report: StreamReport,
    began: Instant,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        hub: &'a Hub,
        call: &'a Call,
        target: &'a Target,
        scenario: &Scenario,
        bounds: Bounds,
        report: StreamReport,
    ) -> Self {
        let (config, rate) = (hub.config(), target.sample_rate);
        let mut presses = scenario.caller.presses.clone();
        presses.sort_by_key(|press| std::cmp::Reverse(press.after));
        let breaks_after = scenario.quirks.iter().find_map(|quirk| match quirk {
            Quirk::StreamBreaks { after } => Some(*after),
            _ => None,
        });
        Self {
            hub,
            call,
            target,
            bounds,
            breaks_after,
            script: Script::new(Uuid::new_v4().simple().to_string(), &config.streams),
            config,
            handset: Handset::new(&scenario.caller, FRAME, rate, Some((Encoding::Linear16, rate))),
            presses,
            report: StreamReport { ended_by: StreamEnd::Open, ..report },
            began: Instant::now(),
        }
    }

    /// Talks until somebody ends it; returns how long that was, in nominal time.
    pub(super) async fn run(mut self, mut socket: BotSocket) -> (Duration, StreamReport) {
        let end = self.converse(&mut socket).await.unwrap_or(StreamEnd::Bot);
        let talked = self.now().min(self.bounds.caller_leaves).min(self.bounds.cut_off);
        self.report.ended_by = end;
        self.report.conversation = self.handset.end(talked);
        let reason = match end {
            StreamEnd::Caller => Some("callended"),
            StreamEnd::Limit => Some("stopped"),
            StreamEnd::Open | StreamEnd::Bot | StreamEnd::Broken | StreamEnd::Unreachable => None,
        };
        if let Some(reason) = reason {
            let stop = self.script.stop(self.call, reason);
            // A bot that has gone by now misses nothing.
            let _ = socket.send(&stop).await;
        }
        if end != StreamEnd::Broken {
            socket.close().await;
        }
        (talked, self.report)
    }

    async fn converse(&mut self, socket: &mut BotSocket) -> Result<StreamEnd, Gone> {
        socket.send(&json!({"event": "connected"})).await?;
        let start = self.script.start(self.call, self.target, &self.config.streams);
        socket.send(&start).await?;
        self.began = Instant::now();
        let mut ticks = ticks(self.config.pace().wall(FRAME));
        loop {
            tokio::select! {
                () = self.call.base.nudge.notified() => return Ok(StreamEnd::Caller),
                _ = ticks.tick() => {
                    if let Some(end) = self.tick(socket).await? {
                        return Ok(end);
                    }
                }
                came = socket.next() => match came? {
                    Came::Text(text) => self.hear(socket, &text).await?,
                    Came::Binary => self.report.nonsense += 1,
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
            self.hub.change(|world| world.note(self.call, |call| call.stream = Some(report)));
        }
    }

    /// Sends all that has fallen due, and says whether the stream is over.
    async fn tick(&mut self, socket: &mut BotSocket) -> Result<Option<StreamEnd>, Gone> {
        let now = self.now();
        let last = now.min(self.bounds.caller_leaves).min(self.bounds.cut_off);
        while let Some((_, samples)) = self.handset.next_frame(last) {
            self.report.frames_sent += 1;
            let audio = Encoding::Linear16.encode(&samples);
            let media = self.script.media(self.report.frames_sent.into(), FRAME, &audio);
            socket.send(&media).await?;
        }
        while let Some(press) = self.presses.pop_if(|press| press.after <= last) {
            let dtmf = self.script.dtmf(press.digit);
            socket.send(&dtmf).await?;
        }
        self.handset.play(last);
        self.echo_marks(socket, now).await?;
        Ok(self.over(now))
    }

    fn over(&self, now: Duration) -> Option<StreamEnd> {
        if self.breaks_after.is_some_and(|after| after <= now) {
            Some(StreamEnd::Broken)
        } else if now >= self.bounds.caller_leaves || self.handset.hangs_up(now) {
            Some(StreamEnd::Caller)
        } else if now >= self.bounds.cut_off {
            Some(StreamEnd::Limit)
        } else {
            None
        }
    }

    async fn hear(&mut self, socket: &mut BotSocket, text: &str) -> Result<(), Gone> {
        let now = self.now();
        let message = serde_json::from_str::<FromBot>(text).ok();
        match message.filter(|message| self.script.is_mine(message.stream_sid())) {
            Some(FromBot::Media { media, .. }) => match media.audio() {
                Some(audio) => self.play(&audio, now),
                None => self.report.nonsense += 1,
            },
            Some(FromBot::Mark { mark, .. }) => {
                self.report.marks_received += 1;
                self.handset.mark(mark.name, now);
                self.echo_marks(socket, now).await?;
            }
            Some(FromBot::Clear { .. }) => self.clear(socket, now).await?,
            None => self.report.nonsense += 1,
        }
        Ok(())
    }

    fn play(&mut self, audio: &[u8], now: Duration) {
        let bytes = audio.len();
        self.handset.queue(audio, length(bytes, self.target.sample_rate), now);
        self.report.frames_received += 1;
        self.report.bytes_received += u64::try_from(bytes).unwrap_or(u64::MAX);
        self.report.frames_misaligned += u32::from(!bytes.is_multiple_of(FRAME_GRID));
        self.report.frames_too_small += u32::from(bytes < FRAME_MIN);
        self.report.frames_too_big += u32::from(bytes > FRAME_MAX);
    }

    async fn clear(&mut self, socket: &mut BotSocket, now: Duration) -> Result<(), Gone> {
        self.report.clears += 1;
        let dropped = self.handset.clear(now);
        if self.config.streams.clear_echoes_marks {
            for name in dropped {
                self.echo(socket, &name).await?;
            }
        }
        Ok(())
    }

    async fn echo_marks(&mut self, socket: &mut BotSocket, now: Duration) -> Result<(), Gone> {
        while let Some(name) = self.handset.due(now) {
            self.echo(socket, &name).await?;
        }
        Ok(())
    }

    async fn echo(&mut self, socket: &mut BotSocket, name: &str) -> Result<(), Gone> {
        self.report.marks_echoed += 1;
        let mark = self.script.mark(name);
        socket.send(&mark).await
    }

    /// Nominal time since the stream began.
    fn now(&self) -> Duration {
        self.config.pace().nominal(self.began.elapsed())
    }
}

/// How long so many bytes take to play.
fn length(bytes: usize, sample_rate: u32) -> Duration {
    let whole = u32::try_from(bytes).unwrap_or(u32::MAX);
    let padding = if bytes.is_multiple_of(FRAME_GRID) { Duration::ZERO } else { PADDING };
    Duration::from_secs(1) * whole / (sample_rate * 2) + padding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_frame_costs_a_gap() {
        assert_eq!(length(3200, 8000), Duration::from_millis(200));
        assert_eq!(length(100, 8000), Duration::from_micros(6250 + 20_000));
    }
}
