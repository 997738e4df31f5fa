//! A few streams by name, of which one or another gives something next.

use std::future::poll_fn;
use std::task::Poll;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

/// Streams, each until its end.
pub(super) struct Streams<K, T>(Vec<(K, BoxStream<'static, T>)>);

impl<K, T> Default for Streams<K, T> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<K: Copy + PartialEq, T> Streams<K, T> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, name: K, stream: BoxStream<'static, T>) {
        self.0.push((name, stream));
    }

    pub(super) fn drop(&mut self, name: K) {
        self.0.retain(|(known, _)| *known != name);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What comes next, of whichever; `None` as the last of each. Waits for ever where there are none.
    pub(super) async fn next(&mut self) -> (K, Option<T>) {
        poll_fn(|context| {
            for at in 0..self.0.len() {
                let (name, stream) = &mut self.0[at];
                let name = *name;
                if let Poll::Ready(item) = stream.poll_next_unpin(context) {
                    if item.is_none() {
                        drop(self.0.remove(at));
                    }
                    return Poll::Ready((name, item));
                }
            }
            Poll::Pending
        })
        .await
    }
}
