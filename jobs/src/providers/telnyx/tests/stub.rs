//! A server that gives prescribed answers, and keeps what it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An answer: its status and body.
pub(in crate::providers::telnyx) type Act = (u16, Value);

/// A running stub. It serves until the test's runtime ends.
pub(in crate::providers::telnyx) struct Stub {
    pub(in crate::providers::telnyx) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Answers so, in this order, one request a connection. Past the last answer it closes.
    pub(in crate::providers::telnyx) async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut acts = VecDeque::from(acts);
            while let Ok((mut socket, _)) = listener.accept().await {
                let request = read(&mut socket).await;
                kept.lock().expect("no panic while held").push(request);
                if let Some((status, body)) = acts.pop_front() {
                    let body = body.to_string();
                    let head =
                        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}", body.len());
                    socket
                        .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
                        .await
                        .expect("the client listens");
                }
            }
        });
        Self { url, requests }
    }

    /// Every request so far, head and body.
    pub(in crate::providers::telnyx) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic while held").clone()
    }

    /// The methods and targets of the requests so far, decoded.
    pub(in crate::providers::telnyx) fn targets(&self) -> Vec<String> {
        let target = |request: &String| {
            let mut words = request.split(' ');
            let (method, raw) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (path, query) = raw.split_once('?').unwrap_or((raw, ""));
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            let query: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
            if query.is_empty() {
                format!("{method} {path}")
            } else {
                format!("{method} {path}?{}", query.join("&"))
            }
        };
        self.requests().iter().map(target).collect()
    }
}

async fn read(socket: &mut TcpStream) -> String {
    let mut buffer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&buffer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a number")) {
                return text.into_owned();
            }
        }
        if socket.read_buf(&mut buffer).await.expect("a live socket") == 0 {
            return String::from_utf8_lossy(&buffer).into_owned();
        }
    }
}
