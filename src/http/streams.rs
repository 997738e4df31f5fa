//! The carriers' sockets: from an upgrade at an attempt's own address to the line of a conversation.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use outdial_jobs::media::SOCKET_READ;
use outdial_jobs::media::reception::{self, Received};
use outdial_jobs::media::session::{Line, LineEnds};
use outdial_jobs::media::wire::{Dialect, StreamEvent, parse};
use outdial_jobs::providers::Provider;
use outdial_workflows::call::{CallFact, CallId, CallStatus, Source};
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::input::Input;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message as Passed};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use url::Url;

use super::{Api, webhooks};

/// A socket that has not said `start` by then is closed. Carriers say it at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Set by whoever passes a stream on: it is passed on for a seat once at most.
pub(super) const PASSED: HeaderName = HeaderName::from_static("outdial-passed");

/// Another process answers within this, or is not there; the person waits meanwhile.
const REACHED_WITHIN: Duration = Duration::from_secs(1);

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
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(api, path, &headers, upgrade, (Provider::Exotel, Dialect::Exotel))
}

pub(super) async fn telnyx(
    api: State<Api>,
    path: Path<(String, String)>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(api, path, &headers, upgrade, (Provider::Telnyx, Dialect::Telnyx))
}

fn open(
    State(api): State<Api>,
    Path((key, secret)): Path<(String, String)>,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
    (provider, dialect): (Provider, Dialect),
) -> Response {
    match webhooks::authentic(&api, &key, &secret) {
        Ok(attempt) => {
            let path = format!("streams/{}/{key}/{secret}", provider.name());
            let stream = Stream { attempt, dialect, path, passed: headers.contains_key(PASSED) };
            upgrade
                .max_message_size(LONGEST_MESSAGE)
                .read_buffer_size(SOCKET_READ)
                .on_upgrade(move |socket| async move { stream.attend(&api, socket).await })
        }
        Err((result, problem)) => {
            api.metrics.webhook(provider, result);
            problem.into_response()
        }
    }
}

/// A carrier's stream, from its upgrade on.
struct Stream {
    attempt: DialKey,
    dialect: Dialect,
    /// Where it came to, in this process or another.
    path: String,
    /// Whether another process passed it on.
    passed: bool,
}

impl Stream {
    async fn attend(self, api: &Api, mut socket: WebSocket) {
        let key = self.attempt;
        let Some(Begun { call_id, stream_id, start }) = begun(&mut socket).await else {
            tracing::warn!(attempt = %key, "a stream ended before it began");
            let _ = socket.send(Message::Close(None)).await;
            return;
        };
        let (line, ends) = Line::new(stream_id);
        let received = reception::receive(&api.engine, key, self.dialect, line, !self.passed).await;
        let answered = answered(api, key, call_id);
        match received {
            Ok(Received::Held | Received::Replaced) => {
                tokio::join!(answered, carry(socket, ends));
            }
            Ok(Received::Elsewhere { address, .. }) => {
                if let Err(error) = pass_on(socket, &address, &self.path, start).await {
                    tracing::warn!(attempt = %key, %address, error = &error as &dyn std::error::Error,
                        "a stream could not be passed on");
                    if let Err(error) = reception::nobody_there(&api.engine, key.0).await {
                        tracing::error!(attempt = %key, error = &error as &dyn std::error::Error,
                            "a call that nobody talks on was not ended");
                    }
                }
            }
            // Its line is kept until the answer is taken in: giving it up may end the call.
            Ok(Received::Unattended { line }) => {
                answered.await;
                drop(line);
                carry(socket, ends).await;
            }
            Ok(Received::Refused { why, line }) => {
                tracing::warn!(attempt = %key, why, "nobody talks on a stream");
                answered.await;
                drop(line);
                carry(socket, ends).await;
            }
            Err(error) => {
                tracing::error!(attempt = %key, error = &error as &dyn std::error::Error, "nobody talks on a stream");
                answered.await;
                carry(socket, ends).await;
            }
        }
    }
}

/// Connects a carrier's socket with the process that talks on it, until either side is done.
///
/// # Errors
/// If the other process cannot be reached; the socket is closed then.
async fn pass_on(
    mut socket: WebSocket,
    address: &Url,
    path: &str,
    start: String,
) -> Result<(), tungstenite::Error> {
    let other = match reach(address, path, start).await {
        Ok(other) => other,
        Err(error) => {
            let _ = socket.send(Message::Close(None)).await;
            return Err(error);
        }
    };
    let (mut to_other, mut from_other) = other.split();
    let (to, from) = socket.split();
    let mut carried = Carried { to, from, heard: Instant::now() };
    let mut pings = tokio::time::interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let goes_on = tokio::select! {
            biased;
            message = from_other.next() => match message {
                Some(Ok(Passed::Text(text))) => carried.write(Message::text(text.as_str())).await,
                Some(Ok(Passed::Close(_)) | Err(_)) | None => false,
                Some(Ok(_)) => true,
            },
            message = carried.message() => match message {
                Some(Ok(Message::Text(text))) => {
                    let written = tokio::time::timeout(WRITE_TIMEOUT, to_other.send(Passed::text(text.as_str())));
                    matches!(written.await, Ok(Ok(())))
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => false,
                Some(Ok(_)) => true,
            },
            _ = pings.tick() => carried.is_alive() && carried.write(Message::Ping(vec![].into())).await,
        };
        if !goes_on {
            break;
        }
    }
    tokio::join!(carried.write(Message::Close(None)), async {
        let _ = tokio::time::timeout(WRITE_TIMEOUT, to_other.close()).await;
    });
    Ok(())
}

/// Opens the same stream at another process.
async fn reach(
    address: &Url,
    path: &str,
    start: String,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, tungstenite::Error> {
    let base = address.as_str().trim_end_matches('/');
    // http becomes ws, and https becomes wss.
    let base = base.strip_prefix("http").unwrap_or(base);
    let mut request = format!("ws{base}/{path}").into_client_request()?;
    request.headers_mut().insert(PASSED, HeaderValue::from_static("1"));
    let connect = async {
        let config = WebSocketConfig::default().read_buffer_size(SOCKET_READ);
        let (mut other, _) =
            tokio_tungstenite::connect_async_with_config(request, Some(config), true).await?;
        other.send(Passed::text(start)).await?;
        Ok(other)
    };
    let late = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer");
    tokio::time::timeout(REACHED_WITHIN, connect).await.map_err(late)?
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
    /// The message that said so, as it came.
    pub start: String,
}

/// Waits for a stream's start; `None` if none comes in time.
pub async fn begun(socket: &mut WebSocket) -> Option<Begun> {
    let start = async {
        while let Some(Ok(message)) = socket.recv().await {
            let Message::Text(text) = message else { continue };
            if let Ok(StreamEvent::Start { call_id, stream_id, .. }) = parse(&text) {
                return Some(Begun { call_id, stream_id, start: text.to_string() });
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

    async fn message(&mut self) -> Option<Result<Message, axum::Error>> {
        let message = self.from.next().await;
        self.heard = Instant::now();
        message
    }

    async fn next(&mut self) -> Read {
        match self.message().await {
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
