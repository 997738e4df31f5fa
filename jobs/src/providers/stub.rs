//! A server that does one prescribed thing per connection or request, and keeps what it was sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What to do with the next request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Answer with these bytes and keep the connection.
    Say(String),
    /// Answer with these bytes and close.
    SayAndClose(String),
    /// Answer with these bytes as soon as the head has come, then close.
    SayEarly(String),
    /// Reset the connection.
    Reset,
    /// Say nothing, and keep the connection.
    Hang,
}

/// A whole answer of this status.
pub(super) fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(super) fn json(status: u16, body: &Value) -> Act {
    Act::Say(answer(status, &body.to_string()))
}

/// A running stub. It serves until the test's runtime ends.
pub(super) struct Stub {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Stub {
    /// Acts in this order, over all connections. Past the last one it resets.
    pub(super) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let acts = Arc::new(Mutex::new(acts.into_iter().collect::<VecDeque<_>>()));
        let connections = Arc::<AtomicUsize>::default();
        let (kept, count) = (Arc::clone(&requests), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(socket, Arc::clone(&acts), Arc::clone(&kept)));
            }
        });
        Self { url, requests, connections }
    }

    /// How many connections were opened.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Every whole request so far, head and body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic while held").clone()
    }

    /// The targets of the requests so far, decoded.
    pub(super) fn targets(&self) -> Vec<String> {
        let target = |request: &String| {
            let raw = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let (path, query) = raw.split_once('?').unwrap_or((&raw, ""));
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            let query: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
            if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
        };
        self.requests().iter().map(target).collect()
    }
}

async fn serve(mut socket: TcpStream, acts: Arc<Mutex<VecDeque<Act>>>, kept: Arc<Mutex<Vec<String>>>) {
    let mut buffer = Vec::new();
    loop {
        let Some(head) = read_until(&mut socket, &mut buffer, head_length).await else { return };
        let act = acts.lock().expect("no panic while held").pop_front().unwrap_or(Act::Reset);
        if let Act::SayEarly(text) = &act {
            socket.write_all(text.as_bytes()).await.ok();
            return;
        }
        let length = head + content_length(&buffer[..head]);
        let whole = |buffer: &[u8]| (buffer.len() >= length).then_some(length);
        let Some(length) = read_until(&mut socket, &mut buffer, whole).await else { return };
        let request: Vec<u8> = buffer.drain(..length).collect();
        kept.lock().expect("no panic while held").push(String::from_utf8_lossy(&request).into_owned());
        match act {
            Act::Say(text) => socket.write_all(text.as_bytes()).await.expect("the client listens"),
            Act::SayAndClose(text) => {
                socket.write_all(text.as_bytes()).await.expect("the client listens");
                return;
            }
            Act::Hang => std::future::pending().await,
            Act::Reset | Act::SayEarly(_) => {
                socket.set_zero_linger().expect("a live socket");
                return;
            }
        }
    }
}

async fn read_until(
    socket: &mut TcpStream,
    buffer: &mut Vec<u8>,
    done: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    loop {
        if let Some(length) = done(buffer) {
            return Some(length);
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn head_length(buffer: &[u8]) -> Option<usize> {
    buffer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.map_or(0, |value| value.trim().parse().expect("a number"))
}
