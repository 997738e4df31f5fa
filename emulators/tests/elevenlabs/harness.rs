//! A client over HTTP, and one of a socket.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{SinkExt as _, StreamExt as _};
use outdial_emulators::{
    audio::Encoding,
    elevenlabs::{Config, ElevenLabs, SpeechReport},
    speech,
};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest as _, http},
};

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(20);

pub(crate) const ULAW: &str = "output_format=ulaw_8000";

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(STUCK, what).await.expect("stuck")
}

pub(crate) const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// What µ-law audio says.
pub(crate) fn heard(audio: &[u8]) -> String {
    speech::heard(&Encoding::Mulaw.decode(audio), 8000)
}

pub(crate) struct World {
    pub(crate) elevenlabs: ElevenLabs,
    http: reqwest::Client,
}

impl World {
    pub(crate) async fn new(config: Config) -> Self {
        let elevenlabs = ElevenLabs::start(config).await.expect("a free port");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build();
        Self { elevenlabs, http: http.expect("a plain client") }
    }

    /// Posts to a path behind `/v1/text-to-speech/voice1`.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> reqwest::Result<Response> {
        let url = format!("{}/v1/text-to-speech/{path}", self.elevenlabs.base_url());
        within(self.http.post(url).header("xi-api-key", "xi_key").json(body).send()).await
    }

    pub(crate) async fn post_as(&self, key: Option<&str>, path: &str, body: &Value) -> Response {
        let url = format!("{}/v1/text-to-speech/{path}", self.elevenlabs.base_url());
        let request = self.http.post(url).json(body);
        let request = if let Some(key) = key { request.header("xi-api-key", key) } else { request };
        within(request.send()).await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.try_post(path, body).await.expect("an answer")
    }

    /// A stream of µ-law that must be accepted.
    pub(crate) async fn stream(&self, text: &str) -> Response {
        let body = json!({"text": text, "model_id": "eleven_flash_v2_5"});
        let response = self.post(&format!("voice1/stream?{ULAW}"), &body).await;
        assert_eq!(response.status(), 200);
        response
    }

    /// Status and `detail` of a request that must be refused.
    pub(crate) async fn refused(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.post(path, body).await;
        let status = response.status().as_u16();
        let body: Value = within(response.json()).await.expect("JSON");
        (status, body["detail"].clone())
    }

    /// The last report once it has ended.
    pub(crate) async fn ended(&self) -> SpeechReport {
        let all = |reports: &[SpeechReport]| reports.iter().all(|report| report.ended.is_some());
        within(self.elevenlabs.until(all)).await.pop().expect("a request")
    }

    pub(crate) async fn try_socket(&self, key: Option<&str>, query: &str) -> Result<Socket, u16> {
        let url = format!("{}/v1/text-to-speech/voice1/stream-input?{query}", self.elevenlabs.socket_url());
        let mut request = url.into_client_request().expect("a URL");
        if let Some(key) = key {
            let key = http::HeaderValue::from_str(key).expect("a header");
            request.headers_mut().insert("xi-api-key", key);
        }
        match within(connect_async(request)).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A socket of µ-law whose first message has been sent.
    pub(crate) async fn socket(&self, query: &str) -> Socket {
        let query = format!("model_id=eleven_flash_v2_5&{ULAW}&{query}");
        let mut socket = self.try_socket(Some("xi_key"), &query).await.expect("an upgrade");
        socket.send(&json!({"text": " "})).await;
        socket
    }
}

/// How much of a body has come, and whether it broke.
pub(crate) async fn body(response: &mut Response) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    loop {
        match within(response.chunk()).await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, false),
            Err(_) => return (bytes, true),
        }
    }
}

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a socket gave until it ended: its messages, and its close code and reason.
pub(crate) type Told = (Vec<Value>, Option<(u16, String)>);

impl Socket {
    pub(crate) async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.expect("an open socket");
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.send(&json!({"text": text})).await;
    }

    pub(crate) async fn next(&mut self) -> Result<Value, Option<(u16, String)>> {
        loop {
            match within(self.0.next()).await {
                // What is no JSON is shown as it came.
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text).unwrap_or_else(|_| json!(text.as_str())));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| (frame.code.into(), frame.reason.to_string())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    pub(crate) async fn rest(&mut self) -> Told {
        let mut messages = Vec::new();
        loop {
            match self.next().await {
                Ok(message) => messages.push(message),
                Err(end) => return (messages, end),
            }
        }
    }

    /// Ends the text and waits for all audio, which must end well.
    pub(crate) async fn finish(&mut self) -> Vec<Value> {
        self.say("").await;
        let (mut messages, end) = self.rest().await;
        assert_eq!(end, Some((1000, String::new())));
        let last = messages.pop().expect("a last message");
        assert_eq!((&last["audio"], &last["isFinal"]), (&Value::Null, &json!(true)));
        messages
    }
}

/// The audio of a socket's message.
pub(crate) fn audio(message: &Value) -> Vec<u8> {
    STANDARD.decode(message["audio"].as_str().expect("audio")).expect("base64")
}

pub(crate) fn all_audio(messages: &[Value]) -> Vec<u8> {
    messages.iter().flat_map(audio).collect()
}
