//! One `stream-input` socket, from its upgrade to its close (§3).

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    Hub,
    buffer::{Buffer, Wish},
    config::Config,
    error::{Refusal, on_socket},
    format::Format,
    http::admit,
    report::SpeechEnd,
    request::VoiceSettings,
    scenario::{Quirk, delay},
    synthesis::{Piece, Synthesizer},
};
use crate::{
    service::{Paced as _, ReportId},
    socket::Wire,
};

/// Real time in which a closing handshake must end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest reason that fits a close frame (RFC 6455, §5.5).
const REASON_MAX: usize = 123;
/// How a socket closes after an error.
const POLICY: u16 = 1008;

const UNREADABLE: &str =
    "Could not parse input message, make sure it is a json and follows the schema outlined in protocol.";

/// What an upgrade asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    pub(super) format: Format,
    pub(super) inactivity: Duration,
    pub(super) auto: bool,
}

/// A socket that is about to open.
pub(super) struct Socket {
    pub(super) hub: Arc<Hub>,
    pub(super) config: Arc<Config>,
    pub(super) wire: Wire,
    pub(super) report: ReportId,
    /// The first message must bring the key.
    pub(super) needs_key: bool,
    /// Or why it is closed at once.
    pub(super) opened: Result<Opened, Refusal>,
    pub(super) quirks: Vec<Quirk>,
}

/// A client's message. The first has settings.
#[derive(Debug, Deserialize)]
struct FromClient {
    text: String,
    try_trigger_generation: Option<bool>,
    flush: Option<bool>,
    voice_settings: Option<VoiceSettings>,
    generation_config: Option<GenerationConfig>,
    #[serde(alias = "xi_api_key", rename = "xi-api-key")]
    key: Option<String>,
}

#[derive(Debug, Deserialize)]
struct GenerationConfig {
    chunk_length_schedule: Option<Vec<usize>>,
}

/// How a socket is left.
struct Leave {
    end: SpeechEnd,
    close: Option<(u16, String)>,
}

impl Leave {
    fn gone() -> Self {
        Self { end: SpeechEnd::Cancelled, close: None }
    }
}

/// Something to send at its time.
struct Due {
    at: Instant,
    message: Value,
    /// The audio in it.
    piece: Option<Piece>,
}

struct Running {
    socket: WebSocket,
    hub: Arc<Hub>,
    config: Arc<Config>,
    wire: Wire,
    report: ReportId,
    quirks: Vec<Quirk>,
    format: Format,
    inactivity: Duration,
    /// `None` until the first message has come.
    voice: Option<Synthesizer>,
    buffer: Buffer,
    needs_key: bool,
    outbox: VecDeque<Due>,
    idle_at: Instant,
    /// The text is over; what is in the outbox is still sent.
    ending: bool,
    stalled: bool,
}

impl Socket {
    pub(super) async fn run(self, socket: WebSocket) {
        let stopping = self.hub.stopping.clone();
        stopping.run_until_cancelled(self.open(socket)).await;
    }

    async fn open(self, mut socket: WebSocket) {
        let opened = match self.opened {
            Ok(opened) => opened,
            Err(refusal) => {
                let told = on_socket(refusal.code(), &refusal.message());
                let _ = socket.send(Message::text(told.to_string())).await;
                let end = SpeechEnd::Refused { status: POLICY };
                self.hub.note(self.report, |report| report.ended = Some(end));
                return close(&mut socket, POLICY, &refusal.message()).await;
            }
        };
        let running = Running {
            socket,
            idle_at: Instant::now() + self.config.pace().wall(opened.inactivity),
            buffer: Buffer::new(self.config.trigger_min, opened.auto),
            stalled: self.quirks.contains(&Quirk::Hang),
            hub: self.hub,
            config: self.config,
            wire: self.wire,
            report: self.report,
            quirks: self.quirks,
            format: opened.format,
            inactivity: opened.inactivity,
            voice: None,
            needs_key: self.needs_key,
            outbox: VecDeque::new(),
            ending: false,
        };
        running.run().await;
    }
}

impl Running {
    async fn run(mut self) {
        let leave = self.converse().await;
        self.hub.note(self.report, |report| report.ended = Some(leave.end));
        if let Some((code, reason)) = leave.close {
            close(&mut self.socket, code, &reason).await;
        }
    }

    async fn converse(&mut self) -> Leave {
        loop {
            if self.ending && self.outbox.is_empty() && !self.stalled {
                return Leave { end: SpeechEnd::Spoken, close: Some((1000, String::new())) };
            }
            let due = self.outbox.front().map(|due| due.at);
            let left = tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.read(&text).await,
                    Some(Ok(Message::Binary(_))) => Some(self.refuse("invalid_input_message", UNREADABLE).await),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Some(Leave::gone()),
                },
                () = sleep_until(due.unwrap_or(self.idle_at)), if due.is_some() => self.send_due().await,
                () = sleep_until(self.idle_at), if !self.ending => Some(self.idle()),
            };
            if let Some(leave) = left {
                return leave;
            }
        }
    }

    async fn read(&mut self, text: &str) -> Option<Leave> {
        self.idle_at = Instant::now() + self.config.pace().wall(self.inactivity);
        let Ok(message) = serde_json::from_str::<FromClient>(text) else {
            return Some(self.refuse("invalid_input_message", UNREADABLE).await);
        };
        if self.ending {
            return None;
        }
        if self.voice.is_none() {
            return match self.begin(message) {
                Ok(()) => None,
                Err((error, why)) => Some(self.refuse(error, &why).await),
            };
        }
        let refusal = |quirk: &Quirk| matches!(quirk, Quirk::SocketError { .. });
        if let Some(Quirk::SocketError { error, message, .. }) = self.due_quirk(refusal) {
            return Some(self.refuse(&error, &message).await);
        }
        self.take(&message);
        None
    }

    /// The first message: one space, and what is to be known of the voice.
    fn begin(&mut self, message: FromClient) -> Result<(), (&'static str, String)> {
        let told = |refusal: &Refusal| (refusal.code(), refusal.message());
        if self.needs_key {
            admit(message.key.as_deref(), &self.config).map_err(|refusal| told(&refusal))?;
        }
        let settings = message.voice_settings.unwrap_or_default();
        settings.check().map_err(|refusal| told(&refusal))?;
        let schedule = message.generation_config.and_then(|config| config.chunk_length_schedule);
        let scheduled = schedule.is_none_or(|schedule| self.buffer.schedule(schedule));
        if message.text != " " || !scheduled {
            return Err(("invalid_input_message", UNREADABLE.to_owned()));
        }
        self.voice = Some(Synthesizer::new(self.format, settings.speed(), self.config.leading_silence));
        Ok(())
    }

    fn take(&mut self, message: &FromClient) {
        let wish = Wish {
            trigger: message.try_trigger_generation == Some(true),
            flush: message.flush == Some(true),
        };
        // A space alone is there to keep the socket open.
        let text = if message.text == " " { "" } else { message.text.as_str() };
        self.hub.note(self.report, |report| report.text.push_str(text));
        let mut stretch = self.buffer.add(text, wish);
        if message.text.is_empty() {
            let rest = self.buffer.take();
            stretch = stretch.or(rest);
            self.ending = true;
        }
        if let Some(stretch) = stretch {
            self.generate(&stretch);
        }
        if self.ending {
            let last =
                json!({"audio": null, "isFinal": true, "normalizedAlignment": null, "alignment": null});
            let at = self.outbox.back().map_or_else(Instant::now, |due| due.at);
            self.outbox.push_back(Due { at, message: last, piece: None });
        }
    }

    /// Speaks a stretch; its pieces are due one after the other, after all that is due before.
    fn generate(&mut self, stretch: &str) {
        let Some(voice) = &mut self.voice else { return };
        let (pace, pacing) = (self.config.pace(), &self.config.pacing);
        let begun = Instant::now() + pace.wall(pacing.first_byte + delay(&self.quirks));
        let mut at = self.outbox.back().map_or(begun, |due| due.at.max(begun));
        for piece in voice.speak(stretch) {
            if self.quirks.contains(&Quirk::NullAudio) {
                self.outbox.push_back(Due {
                    at,
                    message: json!({"audio": null, "isFinal": null}),
                    piece: None,
                });
            }
            let alignment = if self.quirks.contains(&Quirk::NoAlignment) {
                Value::Null
            } else {
                piece.socket_alignment()
            };
            let message = json!({
                "audio": piece.base64(), "isFinal": null,
                "normalizedAlignment": alignment, "alignment": alignment,
            });
            let making = pace.wall(pacing.making(piece.length()));
            self.outbox.push_back(Due { at, message, piece: Some(piece) });
            at += making;
        }
    }

    async fn send_due(&mut self) -> Option<Leave> {
        let due = self.outbox.pop_front()?;
        if self.stalled {
            return None;
        }
        while let Some(quirk) = self.due_quirk(|_| true) {
            if let Some(leave) = self.suffer(quirk).await {
                return Some(leave);
            }
            if self.stalled {
                return None;
            }
        }
        if self.socket.send(Message::text(due.message.to_string())).await.is_err() {
            return Some(Leave::gone());
        }
        if let Some(piece) = due.piece {
            let format = self.format;
            self.hub.note(self.report, |report| {
                report.bytes += u64::try_from(piece.audio.len()).unwrap_or(u64::MAX);
                report.audio = format.length(report.bytes);
                report.spoken.push_str(&piece.text);
            });
        }
        None
    }

    /// What goes wrong next, now that so much audio has been sent. It strikes once.
    fn due_quirk(&mut self, which: impl Fn(&Quirk) -> bool) -> Option<Quirk> {
        let mut sent = Duration::ZERO;
        self.hub.note(self.report, |report| sent = report.audio);
        let due = |quirk: &Quirk| which(quirk) && quirk.after().is_some_and(|after| after <= sent);
        let place = self.quirks.iter().position(due)?;
        Some(self.quirks.remove(place))
    }

    async fn suffer(&mut self, quirk: Quirk) -> Option<Leave> {
        match quirk {
            Quirk::Stall { .. } => {
                self.stalled = true;
                None
            }
            Quirk::Cut { .. } => {
                self.wire.cut();
                // The write that fails is what resets the connection.
                let _ = self.socket.send(Message::Ping(Bytes::new())).await;
                Some(Leave { end: SpeechEnd::Cut, close: None })
            }
            Quirk::EndEarly { .. } => Some(Leave { end: SpeechEnd::Cut, close: Some((1000, String::new())) }),
            Quirk::SocketClose { code, reason, .. } => {
                Some(Leave { end: SpeechEnd::Cut, close: Some((code, reason)) })
            }
            Quirk::Garbage { .. } => {
                let sent = self.socket.send(Message::text("{\"audio\":\"//8")).await;
                sent.is_err().then(Leave::gone)
            }
            Quirk::SocketError { error, message, .. } => Some(self.refuse(&error, &message).await),
            Quirk::Reply(_)
            | Quirk::Hang
            | Quirk::SlowFirstByte { .. }
            | Quirk::Chunks { .. }
            | Quirk::NoAlignment
            | Quirk::NullAudio => unreachable!("{quirk:?} does not wait for audio"),
        }
    }

    /// Tells an error, and leaves.
    async fn refuse(&mut self, error: &str, message: &str) -> Leave {
        let _ = self.socket.send(Message::text(on_socket(error, message).to_string())).await;
        Leave { end: SpeechEnd::Refused { status: POLICY }, close: Some((POLICY, message.to_owned())) }
    }

    fn idle(&self) -> Leave {
        let reason = format!(
            "Have not received a new text input within the timeout of {} seconds. Streaming input terminated. \
             Please make sure to either feed the input in the timely manner, or to send the end of input text \
             (empty string \"\") when done.",
            self.inactivity.as_secs()
        );
        Leave { end: SpeechEnd::Idle, close: Some((POLICY, reason)) }
    }
}

/// Says goodbye properly, and does not wait long for the answer. Reasons are cut to what fits.
async fn close(socket: &mut WebSocket, code: u16, reason: &str) {
    let fits = reason.floor_char_boundary(REASON_MAX.min(reason.len()));
    let goodbye = Message::Close(Some(CloseFrame { code, reason: reason[..fits].into() }));
    let closing = async {
        if socket.send(goodbye).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}
