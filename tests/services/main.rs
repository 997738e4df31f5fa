//! The clients of what recognises, answers and speaks, against the emulated services, over sockets.
//!
//! The clients of models and voices have no deadlines of their own: the conversation has, and drops what takes too
//! long. What is seen here of a service that falls silent is therefore that dropping hangs up.

mod deepgram;
mod elevenlabs;
mod openai;

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(30);

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, what).await.expect("stuck")
}

/// All of a stream that ends.
async fn all<T>(stream: BoxStream<'static, T>) -> Vec<T> {
    within(stream.collect()).await
}

const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}
