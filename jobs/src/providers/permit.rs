//! The permission to send one request, until a deadline.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The permission to send one dial request, given after its submission was
/// committed and spent by sending.
///
/// The request's body is one chunk that refuses to be read after the deadline. So
/// either the body was read in time, and the request may have taken effect; or it
/// was not read, and no phone rings.
#[derive(Debug)]
pub struct Permit {
    deadline: Instant,
    read: Arc<AtomicBool>,
}

impl Permit {
    /// How long after the commit bytes may leave, by the monotonic clock: long
    /// enough to connect (1 s) with a second to spare, short enough that what the
    /// gate saw is still so.
    pub const VALID_FOR: Duration = Duration::from_secs(2);

    /// A permit that runs from `committed`, read before the commit was sent off.
    pub fn from_commit(committed: Instant) -> Self {
        Self { deadline: committed + Self::VALID_FOR, read: Arc::default() }
    }

    /// The request's body. Afterwards the second value tells whether bytes may have left.
    pub fn seal(self, bytes: Bytes) -> (PermittedBody, Sent) {
        let sent = Sent(Arc::clone(&self.read));
        (PermittedBody { permit: self, bytes: Some(bytes) }, sent)
    }

    /// How long it still lasts; zero once it has run out.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

/// Tells whether a permitted body was read.
#[derive(Clone, Debug)]
pub struct Sent(Arc<AtomicBool>);

impl Sent {
    /// False: nobody read the body, so the carrier cannot have acted on the request.
    pub fn possible(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A request body of one chunk, readable until the permit's deadline.
#[derive(Debug)]
pub struct PermittedBody {
    permit: Permit,
    bytes: Option<Bytes>,
}

/// The permit had run out when the body was about to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the permit to send had run out; nothing was sent")]
pub struct PermitOver;

impl Body for PermittedBody {
    type Data = Bytes;
    type Error = PermitOver;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PermitOver>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        if self.permit.is_over() {
            return Poll::Ready(Some(Err(PermitOver)));
        }
        self.permit.read.store(true, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: PermittedBody) -> Option<Result<Bytes, PermitOver>> {
        let mut body = std::pin::pin!(body);
        let waker = std::task::Waker::noop();
        match body.as_mut().poll_frame(&mut Context::from_waker(waker)) {
            Poll::Ready(frame) => frame.map(|frame| frame.map(|frame| frame.into_data().expect("data"))),
            Poll::Pending => panic!("the body is always ready"),
        }
    }

    #[test]
    fn a_body_read_in_time_may_have_been_sent() {
        let (body, sent) = Permit::from_commit(Instant::now()).seal(Bytes::from_static(b"x"));
        assert!(!sent.possible());
        assert_eq!(read(body), Some(Ok(Bytes::from_static(b"x"))));
        assert!(sent.possible());
    }

    #[test]
    fn a_body_refuses_to_be_read_after_the_deadline() {
        let long_ago = Instant::now().checked_sub(Permit::VALID_FOR).expect("the machine is up longer");
        let (body, sent) = Permit::from_commit(long_ago).seal(Bytes::from_static(b"x"));
        assert_eq!(read(body), Some(Err(PermitOver)));
        assert!(!sent.possible());
    }
}
