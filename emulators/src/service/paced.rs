//! Bodies that come piece by piece, at their time, and may stop in the middle.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

use super::{Hub, Paced as _, Service};
use crate::{clock::Pace, socket::Wire};

/// What is written before a cut reaches the client only if it has left by then.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// A step of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// So much nominal time passes.
    Wait(Duration),
    Send(Bytes),
    /// Nothing more comes, while the connection stays open.
    Hang,
    /// The connection is reset.
    Cut,
}

/// How far a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many pieces were taken, of which this is the last so far.
    Sent(usize),
    /// All of it.
    Whole,
    /// It was cut, as planned.
    Cut,
    /// The client went first.
    Gone,
}

/// A body under way. Dropping it before its end means that the client has gone.
struct Running<F: FnMut(Progress)> {
    acts: VecDeque<Act>,
    pace: Pace,
    wire: Wire,
    sent: usize,
    note: F,
    over: bool,
}

impl<F: FnMut(Progress)> Running<F> {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            match self.acts.pop_front() {
                Some(Act::Wait(time)) => tokio::time::sleep(self.pace.wall(time)).await,
                Some(Act::Send(piece)) => {
                    self.sent += 1;
                    (self.note)(Progress::Sent(self.sent));
                    return Some(Ok(piece));
                }
                Some(Act::Hang) => std::future::pending().await,
                Some(Act::Cut) => {
                    tokio::time::sleep(BEFORE_CUT).await;
                    self.end(Progress::Cut);
                    self.wire.cut();
                    return Some(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                None => {
                    self.end(Progress::Whole);
                    return None;
                }
            }
        }
    }

    fn end(&mut self, how: Progress) {
        self.over = true;
        (self.note)(how);
    }
}

impl<F: FnMut(Progress)> Drop for Running<F> {
    fn drop(&mut self) {
        if !self.over {
            self.end(Progress::Gone);
        }
    }
}

/// A body of these acts; `note` is told how far it has come.
pub(crate) fn body<S: Service>(
    hub: &Arc<Hub<S>>,
    wire: Wire,
    acts: impl IntoIterator<Item = Act>,
    note: impl FnMut(Progress) + Send + 'static,
) -> Body {
    let running = Running {
        acts: acts.into_iter().collect(),
        pace: hub.config().pace(),
        wire,
        sent: 0,
        note,
        over: false,
    };
    let stopping = hub.stopping.clone();
    let pieces = stream::unfold(running, move |mut running| {
        let stopping = stopping.clone();
        async move {
            let next = stopping.run_until_cancelled(running.next()).await;
            let piece = next.unwrap_or_else(|| Some(Err(io::ErrorKind::ConnectionAborted.into())))?;
            Some((piece, running))
        }
    });
    Body::from_stream(pieces)
}
