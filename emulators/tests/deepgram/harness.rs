//! A client of one stream.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use outdial_emulators::{
    audio::Encoding,
    deepgram::{Config, Deepgram, SessionReport},
    speech,
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        http::{HeaderMap, HeaderValue, Response},
    },
};

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(20);

/// A telephone's audio, and all that there is to be told of it.
pub(crate) const ALL: &str = "model=nova-3&encoding=mulaw&sample_rate=8000&punctuate=true\
     &interim_results=true&endpointing=300&utterance_end_ms=1000&vad_events=true";

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(STUCK, what).await.expect("stuck")
}

pub(crate) async fn started(config: Config) -> Deepgram {
    Deepgram::start(config).await.expect("a free port")
}

pub(crate) const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) headers: HeaderMap,
}

/// Tries to open a stream with these headers.
pub(crate) async fn try_open(
    deepgram: &Deepgram,
    query: &str,
    headers: &[(&'static str, &str)],
) -> Result<Client, Box<Response<Option<Vec<u8>>>>> {
    let url = format!("{}/v1/listen?{query}", deepgram.socket_url());
    let mut request = url.into_client_request().expect("a URL");
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
    }
    match within(connect_async(request)).await {
        Ok((socket, response)) => Ok(Client { socket, headers: response.headers().clone() }),
        Err(tungstenite::Error::Http(response)) => Err(response),
        Err(error) => panic!("{error}"),
    }
}

impl Client {
    pub(crate) async fn open(deepgram: &Deepgram, query: &str) -> Self {
        let headers = [("authorization", "Token dg_key")];
        try_open(deepgram, query, &headers).await.unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.expect("an open socket");
    }

    pub(crate) async fn order(&mut self, kind: &str) {
        self.send(Message::text(json!({"type": kind}).to_string())).await;
    }

    /// Samples as µ-law in frames of 20 ms.
    pub(crate) async fn play(&mut self, samples: &[i16]) {
        for frame in Encoding::Mulaw.encode(samples).chunks(160) {
            self.send(Message::binary(frame.to_vec())).await;
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.play(&speech::say(text, 8000)).await;
    }

    pub(crate) async fn be_silent(&mut self, length: Duration) {
        self.play(&speech::silence(length, 8000)).await;
    }

    /// The next message, or how the socket ended: its close code and reason.
    pub(crate) async fn next(&mut self) -> Result<Value, Option<(u16, String)>> {
        loop {
            match within(self.socket.next()).await {
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

    pub(crate) async fn message(&mut self) -> Value {
        self.next().await.expect("a message")
    }

    /// All messages until the socket ends, and how.
    pub(crate) async fn rest(&mut self) -> (Vec<Value>, Option<(u16, String)>) {
        let mut messages = Vec::new();
        loop {
            match self.next().await {
                Ok(message) => messages.push(message),
                Err(end) => return (messages, end),
            }
        }
    }

    /// Asks for the end and waits for it.
    pub(crate) async fn close(&mut self) -> Vec<Value> {
        self.order("CloseStream").await;
        let (messages, end) = self.rest().await;
        assert_eq!(end, Some((1000, String::new())));
        messages
    }
}

/// What a message says, in a line.
pub(crate) fn line(message: &Value) -> String {
    let transcript = message["channel"]["alternatives"][0]["transcript"].as_str().unwrap_or_default();
    let flag = |name: &str| message[name] == true;
    match message["type"].as_str().unwrap_or_default() {
        "Results" if flag("from_finalize") => format!("finalized: {transcript}"),
        "Results" if flag("speech_final") => format!("speech final: {transcript}"),
        "Results" if flag("is_final") => format!("final: {transcript}"),
        "Results" => format!("interim: {transcript}"),
        other => other.to_owned(),
    }
}

pub(crate) fn lines(messages: &[Value]) -> Vec<String> {
    messages.iter().map(line).collect()
}

/// The only session's report once it has ended.
pub(crate) async fn ended(deepgram: &Deepgram) -> SessionReport {
    within(deepgram.until(|sessions| sessions.iter().all(|session| session.ended.is_some()))).await.remove(0)
}
