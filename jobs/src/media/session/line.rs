//! A carrier's socket, as a conversation sees it.

use tokio::sync::mpsc;

use crate::media::wire::StreamEvent;

/// Messages that wait to be written: a second of the smallest frames, more than ever waits at a carrier that reads.
const UNWRITTEN: usize = 64;

/// A carrier's socket whose stream has begun. Whoever reads and writes the socket has the other ends; when either side
/// drops its own, the other knows that the line is gone.
#[derive(Debug)]
pub struct Line {
    /// The stream's name.
    pub stream_id: String,
    events: mpsc::Receiver<StreamEvent>,
    messages: mpsc::Sender<String>,
}

/// The socket's side of a [`Line`].
#[derive(Debug)]
pub struct LineEnds {
    /// Takes what was read.
    pub events: mpsc::Sender<StreamEvent>,
    /// Gives what is to be written, as text messages. Ends when the socket is to be closed.
    pub messages: mpsc::Receiver<String>,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Taken,
    /// The socket is gone, or takes nothing any more, which comes to the same.
    Gone,
}

impl Line {
    /// A line, and the ends that its socket has.
    pub fn new(stream_id: impl Into<String>) -> (Self, LineEnds) {
        // One that is not read falls behind the person; what it says then is of no use.
        let (events, read) = mpsc::channel(UNWRITTEN);
        let (messages, unwritten) = mpsc::channel(UNWRITTEN);
        (
            Self { stream_id: stream_id.into(), events: read, messages },
            LineEnds { events, messages: unwritten },
        )
    }

    pub(super) fn send(&self, message: String) -> Sent {
        match self.messages.try_send(message) {
            Ok(()) => Sent::Taken,
            Err(_) => Sent::Gone,
        }
    }

    /// The next thing that a line says, if there is a line.
    pub(super) async fn next(line: &mut Option<Self>) -> Option<StreamEvent> {
        match line {
            Some(line) => line.events.recv().await,
            None => std::future::pending().await,
        }
    }
}
