//! Files that come as the body of a request: read row by row, on a thread that may wait, while they come in.

use std::io::{self, Cursor, Read};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use crate::http::Problem;

/// The largest file: some twenty million leads.
const MOST_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// So many pieces wait to be read: whoever sends faster than rows are dealt with is made to wait.
const PIECES: usize = 8;

/// The body of a request, piece by piece.
pub(super) fn bytes_of(request: Request<Body>) -> impl Stream<Item = Result<Bytes, Problem>> + Send {
    let cut_short =
        |error: axum::Error| Problem::new(StatusCode::BAD_REQUEST, "cut-short", error.to_string());
    request.into_body().into_data_stream().map_err(cut_short)
}

/// That a file of which so much came is not too large.
pub(super) fn not_too_large(came: u64) -> Result<(), Problem> {
    if came <= MOST_BYTES {
        return Ok(());
    }
    let detail = format!("a file may have {MOST_BYTES} bytes; cut it into several");
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail))
}

/// Where pieces are put in, and where they are read.
pub(super) fn pipe() -> (Pieces, Incoming) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (Pieces(sender), Incoming { receiver, piece: Cursor::default() })
}

/// Where pieces are put in.
pub(super) struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Pieces {
    /// Puts all of them in, until nobody reads any more.
    ///
    /// # Errors
    /// If the file is cut short or too large; whoever reads it is told, too, and does not take it for its end.
    pub(super) async fn feed(
        self,
        bytes: impl Stream<Item = Result<Bytes, Problem>> + Send,
    ) -> Result<(), Problem> {
        let (mut bytes, mut came) = (std::pin::pin!(bytes), 0);
        while let Some(piece) = bytes.next().await {
            let piece = piece.and_then(|piece| {
                came += piece.len() as u64;
                not_too_large(came).map(|()| piece)
            });
            match piece {
                Ok(piece) => {
                    if self.0.send(Ok(piece)).await.is_err() {
                        break;
                    }
                }
                Err(problem) => {
                    let _ = self.0.send(Err(io::Error::other("the file was cut short"))).await;
                    return Err(problem);
                }
            }
        }
        Ok(())
    }
}

/// Pieces of a body, read on a thread that may wait.
pub(super) struct Incoming {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    piece: Cursor<Bytes>,
}

impl Read for Incoming {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(out)?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = Cursor::new(piece?),
                None => return Ok(0),
            }
        }
    }
}
