//! A request to the model under way.

use super::sentences::Sentences;
use super::{AskId, CallTime, Piece, ToolCall};

/// What the model is asked, and what came of it so far.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) id: AskId,
    /// The person's words that it is to answer; empty if it answers something else.
    pub(super) answers: String,
    /// Since when we wait for it: from the end of the person's turn.
    pub(super) since: CallTime,
    /// When the last of it came.
    pub(super) last: CallTime,
    pub(super) first_text: Option<CallTime>,
    /// What came before it was sure that the person had finished; `None` once that is sure.
    pub(super) held: Option<Vec<Piece>>,
    /// Whether it is the other model.
    pub(super) fallback: bool,
    /// Whether the wait was bridged with a word.
    pub(super) bridged: bool,
    pub(super) sentences: Sentences,
    pub(super) calls: Vec<ToolCall>,
    /// Which request of our turn it is, counted from 0.
    pub(super) round: usize,
}

impl Asking {
    /// Whether anything came of it.
    pub(super) fn is_silent(&self) -> bool {
        self.first_text.is_none() && self.calls.is_empty()
    }

    pub(super) fn is_speculative(&self) -> bool {
        self.held.is_some()
    }
}
