//! The task that listens: from socket to socket until the audio ends.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::hearing::Hearing;
use super::link::{self, NoSocket, Socket};
use super::replay::Replay;
use super::wire::{CLOSE_STREAM, FromDeepgram, KEEP_ALIVE};
use super::{Listener, Patience};
use crate::media::http::{presentable, reason};
use crate::media::services::Recognised;

/// A socket that takes nothing for so long is given up.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// Nobody listens any more.
struct Unheard;

/// How a socket was left.
enum Left {
    /// All audio was recognised.
    Complete,
    /// It failed, and why.
    Lost(String),
}

pub(super) struct Listening {
    listener: Listener,
    audio: mpsc::Receiver<Bytes>,
    /// Whether no more audio comes.
    audio_ended: bool,
    tell: mpsc::Sender<Recognised>,
    replay: Replay,
    hearing: Hearing,
    /// In a row, without a result between them.
    failures: u32,
    /// Since when something is to be told of what was sent, and how many bytes that were.
    untold_since: Instant,
    untold: usize,
}

impl Listening {
    pub(super) fn new(
        listener: Listener,
        audio: mpsc::Receiver<Bytes>,
        tell: mpsc::Sender<Recognised>,
    ) -> Self {
        let replay = Replay::new(listener.format);
        Self {
            listener,
            audio,
            audio_ended: false,
            tell,
            replay,
            hearing: Hearing::default(),
            failures: 0,
            untold_since: Instant::now(),
            untold: 0,
        }
    }

    /// Ends when the audio does, when nothing can be recognised any more, or when nobody listens.
    pub(super) async fn run(mut self) {
        // A socket that gets no audio within 10 s would be closed.
        while self.replay.is_empty() {
            let audio = self.audio.recv().await;
            if !self.took(audio) {
                return;
            }
        }
        if let Ok(Some(why)) = self.listen().await {
            let _ = self.tell.send(Recognised::Failed(why)).await;
        }
    }

    /// From socket to socket; why nothing is recognised any more, if that is why it ends.
    async fn listen(&mut self) -> Result<Option<String>, Unheard> {
        loop {
            let listener = self.listener.clone();
            let lost = match self.meanwhile(link::open(&listener)).await {
                Ok(socket) => match self.session(socket).await? {
                    Left::Complete => return Ok(None),
                    Left::Lost(why) => why,
                },
                Err(NoSocket { why, passes: true }) => why,
                Err(NoSocket { why, passes: false }) => return Ok(Some(why)),
            };
            let Patience { failures, first_wait, .. } = self.listener.settings.patience;
            self.failures += 1;
            tracing::debug!(why = %lost, failures = self.failures, "the recogniser is lost");
            if self.failures >= failures {
                return Ok(Some(lost));
            }
            if self.failures > 1 {
                self.meanwhile(sleep(first_wait * 2_u32.saturating_pow(self.failures - 2))).await;
            }
        }
    }

    /// Waits, and keeps the audio that comes meanwhile.
    async fn meanwhile<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return done,
                audio = self.audio.recv(), if !self.audio_ended => {
                    self.took(audio);
                }
            }
        }
    }

    /// Keeps audio, or notes its end; whether there may be more.
    fn took(&mut self, audio: Option<Bytes>) -> bool {
        match audio {
            // An empty frame would close the stream.
            Some(audio) if audio.is_empty() => {}
            Some(audio) => {
                if self.replay.keep(audio) {
                    tracing::debug!("audio that nobody recognised is too old to be kept");
                }
            }
            None => self.audio_ended = true,
        }
        !self.audio_ended
    }

    async fn session(&mut self, mut socket: Socket) -> Result<Left, Unheard> {
        self.untold = 0;
        match self.converse(&mut socket).await? {
            Ok(()) => Ok(Left::Complete),
            // What Deepgram had recognised of the end, it has told.
            Err(_) if self.audio_ended && self.replay.is_empty() => Ok(Left::Complete),
            Err(why) => {
                let why = format!("Deepgram's stream was lost: {why}");
                Ok(Left::Lost(presentable(&why, &self.listener.settings.key)))
            }
        }
    }

    /// Until the socket has told all of the audio (`Ok`), or is lost.
    async fn converse(&mut self, socket: &mut Socket) -> Result<Result<(), String>, Unheard> {
        let pieces: Vec<Bytes> = self.replay.again().collect();
        for piece in pieces {
            if let Err(why) = self.send_audio(socket, piece).await {
                return Ok(Err(why));
            }
        }
        let Patience { keep_alive, told_nothing, .. } = self.listener.settings.patience;
        let much = self.listener.format.bytes_in(told_nothing);
        let mut closing = false;
        let mut sent_at = Instant::now();
        loop {
            if self.audio_ended && !closing {
                closing = true;
                self.untold_since = Instant::now();
                if let Err(why) = send(socket, Message::text(CLOSE_STREAM)).await {
                    return Ok(Err(why));
                }
            }
            let sent = tokio::select! {
                message = socket.next() => match self.read(message).await? {
                    Read::On => continue,
                    Read::Closed if closing => return Ok(Ok(())),
                    Read::Closed => return Ok(Err("it was closed".to_owned())),
                    Read::Broken(why) => return Ok(Err(why)),
                },
                audio = self.audio.recv(), if !self.audio_ended => {
                    let piece = audio.clone().filter(|piece| !piece.is_empty());
                    self.took(audio);
                    match piece {
                        Some(piece) => self.send_audio(socket, piece).await,
                        None => continue,
                    }
                }
                () = sleep_until(sent_at + keep_alive), if !closing => {
                    send(socket, Message::text(KEEP_ALIVE)).await
                }
                () = sleep_until(self.untold_since + told_nothing), if closing || self.untold >= much => {
                    Err("it tells nothing any more".to_owned())
                }
            };
            if let Err(why) = sent {
                return Ok(Err(why));
            }
            sent_at = Instant::now();
        }
    }

    async fn send_audio(&mut self, socket: &mut Socket, piece: Bytes) -> Result<(), String> {
        if self.untold == 0 {
            self.untold_since = Instant::now();
        }
        self.untold += piece.len();
        send(socket, Message::Binary(piece)).await
    }

    async fn read(&mut self, message: Option<Result<Message, Error>>) -> Result<Read, Unheard> {
        let text = match message {
            None => return Ok(Read::Broken("it ended".to_owned())),
            Some(Err(error)) => return Ok(Read::Broken(reason(&error))),
            Some(Ok(Message::Close(Some(frame)))) if frame.code != CloseCode::Normal => {
                return Ok(Read::Broken(format!("{} {}", u16::from(frame.code), frame.reason)));
            }
            Some(Ok(Message::Close(_))) => return Ok(Read::Closed),
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                return Ok(Read::On);
            }
        };
        self.untold = 0;
        self.untold_since = Instant::now();
        match serde_json::from_str(&text) {
            Ok(FromDeepgram::Results(results)) => {
                self.failures = 0;
                if results.is_final {
                    self.replay.recognised(results.until());
                }
                for recognised in self.hearing.hear(&results) {
                    self.tell(recognised).await?;
                }
            }
            Ok(FromDeepgram::UtteranceEnd) => {
                if let Some(ended) = self.hearing.end() {
                    self.tell(ended).await?;
                }
            }
            Ok(FromDeepgram::Error(complaint)) => {
                tracing::warn!(says = %complaint.description, "Deepgram did not understand a message");
            }
            // One message that cannot be read costs less than the socket.
            Ok(FromDeepgram::Other) | Err(_) => {}
        }
        Ok(Read::On)
    }

    async fn tell(&self, recognised: Recognised) -> Result<(), Unheard> {
        self.tell.send(recognised).await.map_err(|_| Unheard)
    }
}

/// What a message means for its socket.
enum Read {
    On,
    /// It was closed in good order.
    Closed,
    Broken(String),
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), String> {
    match timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(sent) => sent.map_err(|error| reason(&error)),
        Err(_) => Err("it takes nothing any more".to_owned()),
    }
}
