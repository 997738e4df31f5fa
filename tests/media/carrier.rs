//! A carrier of the test's own, which says on its socket what it likes, in the words of Telnyx.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use outdial_workflows::conversation::{Act, Spoken};
use outdial_workflows::results::Speaker;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(crate) struct Carrier {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Carrier {
    /// A socket whose stream has begun.
    pub(crate) async fn open(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.expect("a socket");
        let mut carrier = Self { socket };
        carrier.say(r#"{"event":"connected","version":"1.0.0"}"#).await;
        let start = json!({"event": "start", "stream_id": "s1", "start": {"call_control_id": "c1"}});
        carrier.say(&start.to_string()).await;
        carrier
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("an open socket");
    }

    /// A frame of silence, with its place among all.
    pub(crate) async fn silence(&mut self, chunk: Option<u64>) {
        let mut media = json!({"track": "inbound", "payload": STANDARD.encode([0xff; 160])});
        if let Some(chunk) = chunk {
            media["chunk"] = chunk.to_string().into();
        }
        self.say(&json!({"event": "media", "stream_id": "s1", "media": media}).to_string()).await;
    }

    /// Waits for so many marks, and tells that what is before each was played.
    pub(crate) async fn hear_marks(&mut self, mut marks: u32) {
        while marks > 0 {
            let message = self.socket.next().await.expect("an open socket").expect("a message");
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["event"] == "mark" {
                self.say(&text).await;
                marks -= 1;
            }
        }
    }

    pub(crate) async fn stop(mut self) {
        self.say(r#"{"event":"stop","stream_id":"s1"}"#).await;
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Waits until the other side closes it.
    pub(crate) async fn closed(mut self) {
        while let Some(Ok(message)) = self.socket.next().await {
            if matches!(message, Message::Close(_)) {
                return;
            }
        }
    }

    /// The network takes it away without a word.
    pub(crate) fn drop(self) {}
}

/// The turns that were kept, a line each.
pub(crate) fn transcript(acts: &[Act]) -> String {
    let line = |spoken: &Spoken| {
        let who = match spoken.speaker {
            Speaker::Agent => "agent",
            Speaker::Person => "person",
            Speaker::Other => "other",
        };
        let cut = if spoken.interrupted { " (cut off)" } else { "" };
        format!("{who}{cut}: {}", spoken.text)
    };
    let spoken = acts.iter().filter_map(|act| match act {
        Act::Keep(spoken) => Some(line(spoken)),
        _ => None,
    });
    spoken.collect::<Vec<_>>().join("\n")
}
