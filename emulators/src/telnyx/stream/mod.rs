//! The media stream (protocol page, §6). Telnyx is the client; the bot hosts the server.

mod session;
mod settings;
mod wire;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub(super) use self::settings::Settings;
use self::{session::Session, settings::Codec, wire::Script};
use super::{
    Hub,
    call::{Call, Letter},
    config::Config,
};
use crate::media::{BotSocket, Caller, Conversation};

/// Who ended a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    /// Nobody yet.
    Open,
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
    /// What the caller said, and heard of the bot: what was cleared before it was played is not there.
    pub conversation: Conversation,
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
    /// Whoever is on the phone has said all they had to say, and hangs up.
    CallerLeaves,
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
    pub(super) caller: Caller,
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
        let mut handset = session::handset(&self.caller, &self.settings);
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
            let session = Session::new(&self, &config, script, handset, report, breaks_after);
            let clean;
            (clean, script, handset, report) = session.run(socket, &mut words).await;
            if clean || left == 0 {
                break;
            }
            left -= 1;
            handset.reconnect();
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

    async fn open(&self, config: &Config, report: &mut StreamReport) -> Option<BotSocket> {
        let token = self.settings.token.as_ref().filter(|_| config.streams.bearer_token);
        let authorization = token.map(|token| format!("Bearer {token}"));
        let longest = config.streams.handshake_timeout;
        let tried = || report.handshakes += 1;
        let failed = || self.hub.count(|totals| totals.handshakes_failed += 1);
        BotSocket::open(&self.settings.url, authorization.as_deref(), longest, tried, failed).await
    }
}

/// Returns when the stream is to stop. Keys are lost while there is no socket to tell them on.
async fn stopped(words: &mut mpsc::UnboundedReceiver<Word>) {
    while let Some(Word::Digit(_)) = words.recv().await {}
}
