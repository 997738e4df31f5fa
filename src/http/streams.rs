//! The carriers' sockets: from an upgrade at an attempt's own address to the line of a conversation.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use outdial_jobs::media::reception::{self, Received};
use outdial_jobs::media::session::{Line, LineEnds};
use outdial_jobs::media::wire::{Dialect, StreamEvent, parse};
use outdial_jobs::providers::Provider;
use outdial_workflows::call::{CallFact, CallId, CallStatus, Source};
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::input::Input;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Api, webhooks};

/// A socket that has not said `start` by then is closed. Carriers say it at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the other side is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(5);

/// A socket on which nothing came for so long, not even the answer to a ping, is dead: three pings.
const DEAD_AFTER: Duration = Duration::from_secs(15);

/// A message that cannot be written for so long will be of no use any more.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest message that is read. A second of audio of 16 bits at 16 kHz is 43 kB in base64.
const LONGEST_MESSAGE: usize = 256 * 1024;

pub(super) async fn exotel(
    api: State<Api>,
    path: Path<(String, String)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(api, path, upgrade, Provider::Exotel, Dialect::Exotel)
}

pub(super) async fn telnyx(
    api: State<Api>,
    path: Path<(String, String)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(api, path, upgrade, Provider::Telnyx, Dialect::Telnyx)
}

fn open(
    State(api): State<Api>,
    Path((key, secret)): Path<(String, String)>,
    upgrade: WebSocketUpgrade,
    provider: Provider,
    dialect: Dialect,
) -> Response {
    match webhooks::authentic(&api, &key, &secret) {
        Ok(key) => upgrade
            .max_message_size(LONGEST_MESSAGE)
            .on_upgrade(move |socket| attend(api, key, dialect, socket)),
        Err((result, problem)) => {
            api.metrics.webhook(provider, result);
            problem.into_response()
        }
    }
}

async fn attend(api: Api, key: DialKey, dialect: Dialect, mut socket: WebSocket) {
    let Some(Begun { call_id, stream_id }) = begun(&mut socket).await else {
        tracing::warn!(attempt = %key, "a stream ended before it began");
        let _ = socket.send(Message::Close(None)).await;
        return;
    };
    let (line, ends) = Line::new(stream_id);
    let talk = async {
        let (received, ()) =
            tokio::join!(reception::receive(&api.engine, key, dialect, line), answered(&api, key, call_id));
        match received {
            Ok(Received::Held | Received::Replaced) => {}
            // Its line was kept until the answer was taken in: giving it up may end the call.
            Ok(Received::Refused { why, .. }) => {
                tracing::info!(attempt = %key, why, "nobody talks on a stream");
            }
            Err(error) => tracing::error!(attempt = %key, error = &error as &dyn std::error::Error,
                "nobody talks on a stream"),
        }
    };
    tokio::join!(talk, carry(socket, ends));
}

async fn answered(api: &Api, key: DialKey, call_id: CallId) {
    let AttemptRef { client, lead, number } = key.0;
    let fact = CallFact::progress(Some(call_id), CallStatus::Connected);
    let news = Input::News { attempt: number, fact, source: Source::Stream };
    if let Err(error) = api.engine.input(client, lead, news, None).await {
        tracing::warn!(attempt = %key, error = &error as &dyn std::error::Error, "an answer was not taken in");
    }
}

/// A stream that has said whose it is.
pub struct Begun {
    /// The call.
    pub call_id: CallId,
    /// The stream's name.
    pub stream_id: String,
}

/// Waits for a stream's start; `None` if none comes in time.
pub async fn begun(socket: &mut WebSocket) -> Option<Begun> {
    let start = async {
        while let Some(Ok(message)) = socket.recv().await {
            let Message::Text(text) = message else { continue };
            if let Ok(StreamEvent::Start { call_id, stream_id, .. }) = parse(&text) {
                return Some(Begun { call_id, stream_id });
            }
        }
        None
    };
    tokio::time::timeout(PATIENCE, start).await.ok().flatten()
}

/// Reads and writes the socket of a [`Line`], until either side is done with it or the other side is dead; then
/// closes it.
pub async fn carry(socket: WebSocket, ends: LineEnds) {
    let (to, from) = socket.split();
    let LineEnds { events, messages } = ends;
    let mut carried = Carried { to, from, heard: Instant::now() };
    let mut pings = tokio::time::interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut messages = messages;
    loop {
        let goes_on = tokio::select! {
            // Audio that is due is written first.
            biased;
            message = messages.recv() => match message {
                Some(message) => carried.write(Message::text(message)).await,
                None => false,
            },
            event = carried.next() => match event {
                // Read no faster than it is taken in: what a carrier sends is paced.
                Read::Event(event) => events.send(event).await.is_ok(),
                Read::Nothing => true,
                Read::Over => false,
            },
            _ = pings.tick() => carried.is_alive() && carried.write(Message::Ping(vec![].into())).await,
            // The conversation is over, and nothing waits to be written.
            () = events.closed() => false,
        };
        if !goes_on {
            break;
        }
    }
    carried.write(Message::Close(None)).await;
}

struct Carried {
    to: SplitSink<WebSocket, Message>,
    from: SplitStream<WebSocket>,
    /// When anything came last.
    heard: Instant,
}

enum Read {
    Event(StreamEvent),
    /// What is of no concern.
    Nothing,
    Over,
}

impl Carried {
    /// Whether the message was written.
    async fn write(&mut self, message: Message) -> bool {
        let written = tokio::time::timeout(WRITE_TIMEOUT, self.to.send(message)).await;
        matches!(written, Ok(Ok(())))
    }

    fn is_alive(&self) -> bool {
        self.heard.elapsed() < DEAD_AFTER
    }

    async fn next(&mut self) -> Read {
        let message = self.from.next().await;
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => match parse(&text) {
                Ok(event) => Read::Event(event),
                Err(problem) => {
                    tracing::debug!(%problem, "a message of a stream cannot be read");
                    Read::Nothing
                }
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => Read::Nothing,
            Some(Ok(Message::Close(_)) | Err(_)) | None => Read::Over,
        }
    }
}
