//! One open socket, from its upgrade to its close.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket},
};
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::{
    Hub,
    config::Config,
    messages::{Writer, novelty, schema_error},
    parameters::Parameters,
    report::SessionEnd,
    scenario::{Quirk, Session},
    stream::{FromClient, Stream, Told},
};
use crate::{
    service::{Paced as _, ReportId},
    socket::Wire,
};

/// Real time in which a closing handshake must end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

const IDLE: &str =
    "NET-0001: Deepgram did not receive audio data or a text message within the timeout window.";
const UNDECODABLE: &str = "DATA-0000: The payload cannot be decoded as audio.";

/// A socket that is about to open.
pub(super) struct Socket {
    pub(super) hub: Arc<Hub>,
    pub(super) config: Arc<Config>,
    pub(super) wire: Wire,
    pub(super) report: ReportId,
    pub(super) request_id: Uuid,
    pub(super) parameters: Parameters,
    pub(super) session: Session,
}

/// How a socket is left.
struct Leave {
    end: SessionEnd,
    close: Option<(u16, String)>,
}

impl Leave {
    fn closing(end: SessionEnd, code: u16, reason: &str) -> Self {
        Self { end, close: Some((code, reason.to_owned())) }
    }
}

struct Running {
    socket: WebSocket,
    hub: Arc<Hub>,
    report: ReportId,
    wire: Wire,
    config: Arc<Config>,
    /// `None` while nobody knows what the audio is.
    stream: Option<Stream>,
    /// Quirks that wait for audio, the next one first.
    quirks: VecDeque<Quirk>,
    late_by: Duration,
    stalled: bool,
    outbox: VecDeque<(Instant, Message)>,
    had_audio: bool,
    idle_at: Instant,
}

impl Socket {
    pub(super) async fn run(self, socket: WebSocket) {
        let stopping = self.hub.stopping.clone();
        stopping.run_until_cancelled(self.running(socket).run()).await;
    }

    fn running(self, socket: WebSocket) -> Running {
        let pace = self.config.pace();
        let format = self.parameters.format;
        let writer = Writer { request_id: self.request_id, parameters: self.parameters, channels: 1 };
        let stream = format.map(|format| Stream::new(writer, format, &self.session, &self.config));
        let late_by = self.session.quirks.iter().find_map(|quirk| match quirk {
            Quirk::Slow { by } => Some(pace.wall(*by)),
            _ => None,
        });
        let mut quirks: Vec<Quirk> =
            self.session.quirks.into_iter().filter(|quirk| quirk.after().is_some()).collect();
        quirks.sort_by_key(Quirk::after);
        Running {
            socket,
            hub: self.hub,
            report: self.report,
            wire: self.wire,
            idle_at: Instant::now() + pace.wall(self.config.idle),
            config: self.config,
            stream,
            quirks: quirks.into(),
            late_by: late_by.unwrap_or_default(),
            stalled: false,
            outbox: VecDeque::new(),
            had_audio: false,
        }
    }
}

impl Running {
    async fn run(mut self) {
        let leave = self.listen().await;
        self.hub.note(self.report, |report| report.ended = Some(leave.end));
        let Some((code, reason)) = leave.close else { return };
        let goodbye = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let close = async {
            if self.socket.send(goodbye).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        let _ = timeout(CLOSE_TIMEOUT, close).await;
    }

    async fn listen(&mut self) -> Leave {
        loop {
            let due = self.outbox.front().map(|(at, _)| *at);
            let left = tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => self.take(message).await,
                    Some(Err(_)) | None => Some(Leave { end: SessionEnd::Gone, close: None }),
                },
                () = sleep_until(due.unwrap_or(self.idle_at)), if due.is_some() => self.send_due().await,
                () = sleep_until(self.idle_at) => Some(Leave::closing(SessionEnd::Idle, 1011, IDLE)),
            };
            if let Some(leave) = left {
                return leave;
            }
        }
    }

    async fn take(&mut self, message: Message) -> Option<Leave> {
        match message {
            Message::Binary(bytes) if bytes.is_empty() => self.close_stream().await,
            Message::Binary(bytes) => self.hear(&bytes).await,
            Message::Text(text) => self.read(&text).await,
            Message::Ping(_) | Message::Pong(_) => None,
            Message::Close(_) => Some(Leave { end: SessionEnd::Gone, close: None }),
        }
    }

    async fn hear(&mut self, bytes: &Bytes) -> Option<Leave> {
        self.had_audio = true;
        self.stay();
        let Some(stream) = &mut self.stream else {
            return Some(Leave::closing(SessionEnd::Undecodable, 1008, UNDECODABLE));
        };
        let told = stream.hear(bytes);
        let audio = stream.audio();
        self.hub.note(self.report, |report| {
            report.frames += 1;
            report.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            report.audio = audio;
        });
        if let Some(gone) = self.tell(told).await {
            return Some(gone);
        }
        while let Some(quirk) = self.quirks.pop_front_if(|quirk| quirk.after() <= Some(audio)) {
            if let Some(leave) = self.suffer(quirk).await {
                return Some(leave);
            }
        }
        None
    }

    async fn suffer(&mut self, quirk: Quirk) -> Option<Leave> {
        match quirk {
            Quirk::Stall { .. } => {
                self.stalled = true;
                None
            }
            Quirk::Close { code, reason, .. } => Some(Leave::closing(SessionEnd::Quirk, code, &reason)),
            Quirk::Cut { .. } => {
                self.wire.cut();
                // The write that fails is what resets the connection.
                let _ = self.socket.send(Message::Ping(Bytes::new())).await;
                Some(Leave { end: SessionEnd::Quirk, close: None })
            }
            Quirk::Garbage { .. } => self.send(Message::text("{\"type\":\"Results\",\"chan")).await,
            Quirk::UnknownType { .. } => self.send(Message::text(novelty().to_string())).await,
            Quirk::Refuse(_) | Quirk::Slow { .. } | Quirk::NoSpeechFinal | Quirk::RepeatedSpeechStarted => {
                unreachable!("{quirk:?} does not wait for audio")
            }
        }
    }

    async fn read(&mut self, text: &str) -> Option<Leave> {
        self.stay();
        let message = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(error) => return self.complain(text, &error.to_string()).await,
        };
        match message {
            FromClient::KeepAlive => {
                self.hub.note(self.report, |report| report.keep_alives += 1);
                None
            }
            FromClient::Finalize { channel } => {
                self.hub.note(self.report, |report| report.finalizes += 1);
                let told = self.stream.as_mut().map(|stream| stream.finalize(channel));
                self.tell(told.unwrap_or_default()).await
            }
            FromClient::Configure { keyterms } => {
                let told = self.stream.as_ref().map(|stream| stream.configure(keyterms));
                self.tell(told).await
            }
            FromClient::CloseStream => self.close_stream().await,
        }
    }

    async fn complain(&mut self, text: &str, why: &str) -> Option<Leave> {
        self.hub.note(self.report, |report| report.nonsense += 1);
        if self.config.bad_messages_are_errors {
            return self.send(Message::text(schema_error(text, why).to_string())).await;
        }
        Some(Leave::closing(SessionEnd::Undecodable, 1008, UNDECODABLE))
    }

    async fn close_stream(&mut self) -> Option<Leave> {
        let told = self.stream.as_mut().map(Stream::close);
        if let Some(gone) = self.tell(told.unwrap_or_default()).await {
            return Some(gone);
        }
        while let Some((due, message)) = self.outbox.pop_front() {
            sleep_until(due).await;
            if let Some(gone) = self.write(message).await {
                return Some(gone);
            }
        }
        if self.stalled {
            // Whoever waits for the end of a stalled stream waits in vain.
            std::future::pending::<()>().await;
        }
        Some(Leave::closing(SessionEnd::Closed, 1000, ""))
    }

    /// Whatever comes in the first place must be audio; then anything keeps the stream alive.
    fn stay(&mut self) {
        if self.had_audio {
            self.idle_at = Instant::now() + self.config.pace().wall(self.config.idle);
        }
    }

    async fn tell(&mut self, told: impl IntoIterator<Item = Told>) -> Option<Leave> {
        for Told { message, transcript } in told {
            if let Some(transcript) = transcript.filter(|_| !self.stalled) {
                self.hub.note(self.report, |report| report.add_final(&transcript));
            }
            if let Some(gone) = self.send_json(&message).await {
                return Some(gone);
            }
        }
        None
    }

    async fn send_json(&mut self, message: &Value) -> Option<Leave> {
        self.send(Message::text(message.to_string())).await
    }

    /// Sends now, or when its time has come.
    async fn send(&mut self, message: Message) -> Option<Leave> {
        if self.stalled {
            return None;
        }
        if self.late_by.is_zero() {
            return self.write(message).await;
        }
        self.outbox.push_back((Instant::now() + self.late_by, message));
        None
    }

    async fn send_due(&mut self) -> Option<Leave> {
        let (_, message) = self.outbox.pop_front()?;
        self.write(message).await
    }

    async fn write(&mut self, message: Message) -> Option<Leave> {
        match self.socket.send(message).await {
            Ok(()) => {
                self.hub.note(self.report, |report| report.sent += 1);
                None
            }
            Err(_) => Some(Leave { end: SessionEnd::Gone, close: None }),
        }
    }
}
