//! What recognises, answers and speaks: three small traits. Each is made for one call; whatever it gives stops when it
//! is dropped.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use outdial_workflows::conversation::{Piece, Prompt};
use tokio::sync::mpsc;

/// Turns the voice of a person into words, while they speak.
pub trait Recogniser: Send + Sync {
    /// Listens to audio in the call's format until no more can come, and tells what it hears. Whoever implements it
    /// connects again by itself, and sends again what was not recognised yet. It reads fast enough that the channel
    /// does not fill.
    fn listen(&self, audio: mpsc::Receiver<Bytes>) -> BoxStream<'static, Recognised>;
}

/// What a recogniser tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// Words of the person.
    Words {
        /// All since the last that were confirmed.
        text: String,
        /// Whether they will stay as they are.
        confirmed: bool,
    },
    /// The end of an utterance.
    Ended,
    /// Nothing will be recognised any more, and why. Nothing follows.
    Failed(String),
}

/// Answers as the agent.
pub trait Model: Send + Sync {
    /// Answers, piece by piece; the last piece is [`Piece::Done`] or [`Piece::Failed`]. `fallback`: another model than
    /// usual, because that one failed.
    fn answer(&self, prompt: &Prompt, fallback: bool) -> BoxStream<'static, Piece>;
}

/// Speaks as the agent.
pub trait Voice: Send + Sync {
    /// Speaks a sentence: audio in the call's format, in whole samples, without silence before it. `before` is what
    /// was said before it in the same turn, for the melody.
    fn speak(&self, text: &str, before: &str) -> BoxStream<'static, Result<Bytes, VoiceError>>;
}

/// Why a sentence could not be spoken, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VoiceError(pub String);
