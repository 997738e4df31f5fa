//! A bot's socket, of which the carrier is the client.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{self, Interval, MissedTickBehavior},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message, Utf8Bytes,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};
use url::Url;

use crate::socket::READ;

/// A failed handshake is tried once more.
const HANDSHAKES: u32 = 2;
/// Shortest real time between two ticks; at high speeds several frames go out per tick.
const TICK_MIN: Duration = Duration::from_millis(10);
/// Real time in which a bot must take a message, and in which a closing handshake must end.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The bot can no longer be reached.
pub(crate) struct Gone;

/// What came from the bot.
pub(crate) enum Came {
    Text(Utf8Bytes),
    Binary,
    /// It closes the socket.
    Closed,
}

/// An open socket.
pub(crate) struct BotSocket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl BotSocket {
    /// Opens it, with one more try. `tried` is told before each try, `failed` after each that failed.
    pub(crate) async fn open(
        url: &Url,
        authorization: Option<&str>,
        longest: Duration,
        mut tried: impl FnMut(),
        failed: impl Fn(),
    ) -> Option<Self> {
        for _ in 0..HANDSHAKES {
            tried();
            match time::timeout(longest, handshake(url, authorization)).await {
                Ok(Ok(socket)) => return Some(socket),
                Ok(Err(error)) => tracing::debug!(%error, "a bot's handshake failed"),
                Err(_) => tracing::debug!("a bot's handshake took too long"),
            }
            failed();
        }
        None
    }

    pub(crate) async fn send(&mut self, message: &Value) -> Result<(), Gone> {
        let sent = self.0.send(Message::text(message.to_string()));
        match time::timeout(SEND_TIMEOUT, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// The next thing that comes. Nothing is lost if this is dropped before.
    pub(crate) async fn next(&mut self) -> Result<Came, Gone> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Came::Text(text)),
                Some(Ok(Message::Binary(_))) => return Ok(Came::Binary),
                Some(Ok(Message::Close(_))) => return Ok(Came::Closed),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(_)) | None => return Err(Gone),
            }
        }
    }

    /// Says goodbye properly, and does not wait long for the answer.
    pub(crate) async fn close(mut self) {
        let goodbye = async {
            let _ = self.0.close(None).await;
            while let Some(Ok(_)) = self.0.next().await {}
        };
        let _ = time::timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

async fn handshake(url: &Url, authorization: Option<&str>) -> Result<BotSocket, Error> {
    let mut request = url.as_str().into_client_request()?;
    if let Some(credentials) = authorization {
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(credentials)?);
    }
    let config = WebSocketConfig::default().read_buffer_size(READ);
    let connected = connect_async_with_config(request, Some(config), true).await;
    connected.map(|(socket, _)| BotSocket(socket))
}

/// The timer that paces all that is sent: a tick for each frame that lasts so long on the wall.
pub(crate) fn ticks(frame: Duration) -> Interval {
    let mut ticks = time::interval(frame.max(TICK_MIN));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
