//! A server that answers one thing after the other, and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A status and a body.
pub(super) type Answer = (u16, Value);

/// A running stub. It serves until the test's runtime ends, and hangs up past its last answer.
pub(super) struct Stub {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    pub(super) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&asked);
        let mut answers = answers.into_iter().collect::<VecDeque<_>>();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                serve(socket, answers.pop_front(), &kept).await;
            }
        });
        Self { url, asked }
    }

    /// Every request so far: method, path and, after a space, the body.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic while held").clone()
    }
}

/// One request a connection.
async fn serve(mut socket: TcpStream, answer: Option<Answer>, kept: &Mutex<Vec<String>>) {
    let mut buffer = Vec::new();
    let (head, body) = loop {
        if socket.read_buf(&mut buffer).await.unwrap_or_default() == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&buffer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if body.len() >= content_length(head) {
            break (head.to_owned(), body.to_owned());
        }
    };
    assert!(head.to_ascii_lowercase().contains("authorization: bearer key_rest1\r\n"), "{head}");
    let target = head.split(" HTTP").next().unwrap_or_default();
    kept.lock().expect("no panic while held").push(format!("{target} {body}").trim_end().to_owned());
    let Some((status, body)) = answer else { return };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    socket.write_all(text.as_bytes()).await.expect("the client listens");
}

fn content_length(head: &str) -> usize {
    let head = head.to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.map_or(0, |value| value.trim().parse().expect("a number"))
}
