//! Opening a socket.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::{Host, Url};

use super::Listener;
use super::wire::Refusal;
use crate::media::SOCKET_READ;
use crate::media::http::{presentable, reason};

/// How long opening a socket may take in all.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection, whether it is encrypted or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(super) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Why there is no socket.
#[derive(Debug)]
pub(super) struct NoSocket {
    /// In a line, without the key.
    pub(super) why: String,
    /// Whether it may be otherwise the next time.
    pub(super) passes: bool,
}

/// Opens a socket to Deepgram.
pub(super) async fn open(listener: &Listener) -> Result<Socket, NoSocket> {
    let opened = tokio::time::timeout(OPEN_TIMEOUT, upgrade(listener)).await;
    let error = match opened {
        Ok(Ok(socket)) => return Ok(socket),
        Ok(Err(Error::Http(response))) => return Err(refused(listener, &response)),
        Ok(Err(error)) => reason(&error),
        Err(_) => format!("it did not answer within {} s", OPEN_TIMEOUT.as_secs()),
    };
    let why = presentable(&format!("Deepgram could not be reached: {error}"), &listener.settings.key);
    Err(NoSocket { why, passes: true })
}

async fn upgrade(listener: &Listener) -> Result<Socket, Error> {
    let mut url = listener.url.clone();
    let encrypted = matches!(url.scheme(), "https" | "wss");
    let wire = connect(&url, encrypted, listener).await?;
    // Between special schemes, changing cannot fail.
    let _ = url.set_scheme(if encrypted { "wss" } else { "ws" });
    let mut request = url.as_str().into_client_request()?;
    request.headers_mut().insert(AUTHORIZATION, authorization(listener)?);
    let config = WebSocketConfig::default().read_buffer_size(SOCKET_READ);
    Ok(client_async_with_config(request, wire, Some(config)).await?.0)
}

fn authorization(listener: &Listener) -> Result<HeaderValue, tungstenite::http::Error> {
    let token = format!("Token {}", listener.settings.key.expose_secret());
    let mut header = HeaderValue::from_str(&token)?;
    header.set_sensitive(true);
    Ok(header)
}

async fn connect(url: &Url, encrypted: bool, listener: &Listener) -> std::io::Result<Box<dyn Wire>> {
    let no_host = || std::io::Error::other("the address has no host");
    let port = url.port_or_known_default().ok_or_else(no_host)?;
    let (tcp, name) = match url.host().ok_or_else(no_host)? {
        Host::Domain(name) => {
            let server = ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?;
            (TcpStream::connect((name, port)).await?, server)
        }
        Host::Ipv4(address) => (TcpStream::connect((address, port)).await?, IpAddr::from(address).into()),
        Host::Ipv6(address) => (TcpStream::connect((address, port)).await?, IpAddr::from(address).into()),
    };
    // Frames are small and must not wait for each other.
    tcp.set_nodelay(true)?;
    if !encrypted {
        return Ok(Box::new(tcp));
    }
    let connector = TlsConnector::from(Arc::clone(&listener.tls));
    Ok(Box::new(connector.connect(name, tcp).await?))
}

/// A request that is wrong, a key that is, an account without credit or permission: none of them passes by itself.
fn refused(listener: &Listener, response: &Response<Option<Vec<u8>>>) -> NoSocket {
    let status = response.status();
    let body = response.body().as_deref().and_then(|body| serde_json::from_slice::<Refusal>(body).ok());
    let header = || response.headers().get("dg-error")?.to_str().ok().map(str::to_owned);
    let said = body.and_then(Refusal::words).or_else(header);
    let words = said.map_or_else(String::new, |said| format!(": {said}"));
    let why = format!("Deepgram answered HTTP {}{words}", status.as_u16());
    let passes = status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
        || !status.is_client_error();
    NoSocket { why: presentable(&why, &listener.settings.key), passes }
}
