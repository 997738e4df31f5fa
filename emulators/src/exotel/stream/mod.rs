//! The bot's WebSocket (protocol page, §5). Exotel is the client; the bot hosts the server.

mod session;
pub(super) mod target;
mod wire;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use self::{session::Session, target::Target};
use super::{Hub, call::Call, config::Config, scenario::Scenario};
use crate::media::{BotSocket, Conversation};

/// Who ended a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    /// Nobody yet.
    Open,
    /// The caller hung up.
    Caller,
    /// The bot closed the socket, or vanished.
    Bot,
    /// The time limit was reached.
    Limit,
    /// The scenario broke the connection.
    Broken,
    /// No socket was ever opened.
    #[default]
    Unreachable,
}

/// What happened on a bot's socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Who ended it.
    pub ended_by: StreamEnd,
    /// Upgrade requests sent.
    pub handshakes: u32,
    /// Media frames sent to the bot.
    pub frames_sent: u32,
    /// Media frames from the bot.
    pub frames_received: u32,
    /// Bytes of audio in them.
    pub bytes_received: u64,
    /// Frames whose size is no multiple of 320 bytes: each an audible gap.
    pub frames_misaligned: u32,
    /// Frames under 3200 bytes, the documented minimum: jitter.
    pub frames_too_small: u32,
    /// Frames over 100 000 bytes, the documented maximum: timeouts.
    pub frames_too_big: u32,
    /// What the caller said, and heard of the bot: what was cleared before it was played is not there.
    pub conversation: Conversation,
    /// Marks from the bot.
    pub marks_received: u32,
    /// Marks echoed.
    pub marks_echoed: u32,
    /// Clears from the bot.
    pub clears: u32,
    /// Messages that are not in the protocol, or name another stream.
    pub nonsense: u32,
}

/// What ends a stream if the bot does not, in nominal time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) caller_leaves: Duration,
    pub(super) cut_off: Duration,
}

/// Connects an answered call with its bot until one of them ends it. Returns the nominal time.
pub(super) async fn hold(
    hub: &Hub,
    call: &Call,
    target: &Target,
    scenario: &Scenario,
    bounds: Bounds,
) -> (Duration, StreamReport) {
    let config = hub.config();
    let mut report = StreamReport::default();
    let Some(_seat) = Seat::take(hub, call, &config) else {
        tracing::warn!("all streams of the account are taken; the call is dropped");
        return (Duration::ZERO, report);
    };
    match open(hub, target, &config, &mut report).await {
        Some(socket) => {
            hub.count(|totals| totals.streams += 1);
            Session::new(hub, call, target, scenario, bounds, report).run(socket).await
        }
        None => (Duration::ZERO, report),
    }
}

/// One of the account's concurrent streams, given back on drop (a reset aborts the call's task).
struct Seat<'a> {
    hub: &'a Hub,
    account: Arc<str>,
}

impl<'a> Seat<'a> {
    fn take(hub: &'a Hub, call: &Call, config: &Config) -> Option<Self> {
        let account = call.base.account.clone();
        let free = hub.change(|world| world.more.open_stream(&account, config.limits.max_streams));
        free.then_some(Self { hub, account })
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.hub.change(|world| world.more.close_stream(&self.account));
    }
}

async fn open(hub: &Hub, target: &Target, config: &Config, report: &mut StreamReport) -> Option<BotSocket> {
    let url = target.url(config.streams.custom_parameters_in_url);
    let longest = config.streams.handshake_timeout;
    let tried = || report.handshakes += 1;
    let failed = || hub.count(|totals| totals.handshakes_failed += 1);
    BotSocket::open(url, target.authorization.as_deref(), longest, tried, failed).await
}
