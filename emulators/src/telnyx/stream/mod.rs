//! The media stream (protocol page, §6). Telnyx is the client; the bot hosts the server.

mod audio;
mod playout;
mod session;
mod settings;
mod wire;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, sync::mpsc, time};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::AUTHORIZATION},
    },
};

pub(super) use self::settings::Settings;
use self::{session::Session, settings::Codec, wire::Script};
use super::{
    Hub,
    call::{Call, Letter},
    config::Config,
    scenario::Says,
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A failed handshake is tried once more.
const HANDSHAKES: u32 = 2;

/// Who ended a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    /// The carrier, since the call is over or a command stopped it.
    Carrier,
    /// The bot closed the socket, or vanished.
    Bot,
    /// The scenario broke the connection.
    Broken,
    /// No socket was ever opened.
    #[default]
    Unreachable,
}

/// What happened on a call's stream, over all its sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Who ended it.
    pub ended_by: StreamEnd,
    /// Upgrade requests sent.
    pub handshakes: u32,
    /// Sockets opened; more than one after a reconnection.
    pub sockets: u32,
    /// Media frames sent to the bot.
    pub frames_sent: u32,
    /// Media frames from the bot.
    pub frames_received: u32,
    /// Bytes of audio in them.
    pub bytes_received: u64,
    /// Frames under 20 ms, the documented minimum.
    pub frames_too_short: u32,
    /// Frames over 30 s, the documented maximum.
    pub frames_too_long: u32,
    /// Marks from the bot.
    pub marks_received: u32,
    /// Marks returned.
    pub marks_returned: u32,
    /// Clears from the bot.
    pub clears: u32,
    /// Messages that are not in the protocol; each was answered with an error.
    pub nonsense: u32,
}

/// What a call hears of its stream.
#[derive(Debug)]
pub(super) enum News {
    /// The socket is open.
    Started { stream_id: String },
    /// It cannot be opened.
    Failed { reason: &'static str, track: &'static str, report: StreamReport },
    /// It is closed for good.
    Ended { report: StreamReport },
}

/// What a call tells its stream; that the sender is gone means to stop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    Digit(char),
    Stop,
}

/// A stream to be held.
pub(super) struct Stream {
    pub(super) hub: Arc<Hub>,
    pub(super) call: Call,
    pub(super) settings: Settings,
    pub(super) says: Says,
    /// Nominal time after which the first socket breaks.
    pub(super) breaks_after: Option<Duration>,
}

impl Stream {
    /// Runs until somebody ends it; the call is told by letter.
    pub(super) async fn hold(mut self, mut words: mpsc::UnboundedReceiver<Word>) {
        let config = self.hub.config();
        let mut report = StreamReport::default();
        let track = self.settings.track.name();
        let mut left = if self.settings.reconnects { config.streams.reconnects } else { 0 };
        if let Codec::Other(_) = self.settings.codec {
            return self.tell(News::Failed { reason: "codec_not_emulated", track, report });
        }
        let mut script = Script::new();
        loop {
            let opened = tokio::select! {
                opened = self.open(&config, &mut report) => opened,
                // A call that is over does not wait for a bot that does not answer.
                () = stopped(&mut words) => None,
            };
            let Some(socket) = opened else { break };
            self.hub.count(|totals| totals.streams += 1);
            report.sockets += 1;
            if report.sockets == 1 {
                self.tell(News::Started { stream_id: script.stream_id.clone() });
            }
            let breaks_after = self.breaks_after.take();
            let session = Session::new(&self, config.clone(), script, report, breaks_after);
            let clean;
            (clean, script, report) = session.run(socket, &mut words).await;
            if clean || left == 0 {
                break;
            }
            left -= 1;
        }
        if report.sockets == 0 {
            self.tell(News::Failed { reason: "connection_failed", track, report });
        } else {
            self.tell(News::Ended { report });
        }
    }

    fn tell(&self, news: News) {
        self.call.mailbox.post(Letter::Stream(news));
    }

    async fn open(&self, config: &Config, report: &mut StreamReport) -> Option<Socket> {
        for _ in 0..HANDSHAKES {
            report.handshakes += 1;
            let shaken = time::timeout(config.streams.handshake_timeout, self.handshake(config));
            match shaken.await {
                Ok(Ok(socket)) => return Some(socket),
                Ok(Err(error)) => tracing::debug!(%error, "a bot's handshake failed"),
                Err(_) => tracing::debug!("a bot's handshake took too long"),
            }
            self.hub.count(|totals| totals.handshakes_failed += 1);
        }
        None
    }

    async fn handshake(&self, config: &Config) -> Result<Socket, Error> {
        let mut request = self.settings.url.as_str().into_client_request()?;
        if let Some(token) = self.settings.token.as_ref().filter(|_| config.streams.bearer_token) {
            let value = HeaderValue::from_str(&format!("Bearer {token}"))?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        connect_async(request).await.map(|(socket, _)| socket)
    }
}

/// Returns when the stream is to stop. Keys are lost while there is no socket to tell them on.
async fn stopped(words: &mut mpsc::UnboundedReceiver<Word>) {
    while let Some(Word::Digit(_)) = words.recv().await {}
}
