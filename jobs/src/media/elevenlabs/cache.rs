//! Sentences that were spoken lately.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::media::audio::Format;

/// How much audio is kept, in bytes: some 400 sentences of five seconds in µ-law.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// A longer text is not kept, in characters with what was before it: what is said again and again is shorter, and
/// nothing that is longer should take the place of so much of it.
const TEXT_MAX: usize = 400;

/// What makes two sentences sound alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    voice: String,
    model: String,
    format: Format,
    /// What was said before changes the melody.
    before: String,
    text: String,
}

impl Key {
    pub(super) fn new(voice: &str, model: &str, format: Format, before: &str, text: &str) -> Self {
        let [voice, model, before, text] = [voice, model, before, text].map(str::to_owned);
        Self { voice, model, format, before, text }
    }

    /// Whether it is short enough to be kept.
    pub(super) fn is_kept(&self) -> bool {
        self.before.chars().count() + self.text.chars().count() <= TEXT_MAX
    }
}

#[derive(Debug)]
struct Entry {
    audio: Bytes,
    used: u64,
}

/// Whole sentences; those used longest ago make room for new ones.
#[derive(Debug)]
pub(super) struct Cache {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    bytes_max: usize,
    /// Counts uses.
    uses: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self { entries: HashMap::new(), bytes: 0, bytes_max: BYTES_MAX, uses: 0 }
    }
}

impl Cache {
    pub(super) fn find(&mut self, key: &Key) -> Option<Bytes> {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        entry.used = self.uses;
        Some(entry.audio.clone())
    }

    pub(super) fn keep(&mut self, key: Key, audio: Bytes) {
        if audio.len() > self.bytes_max {
            return;
        }
        self.uses += 1;
        self.bytes += audio.len();
        let entry = Entry { audio, used: self.uses };
        if let Some(former) = self.entries.insert(key, entry) {
            self.bytes -= former.audio.len();
        }
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.oldest() else { return };
            if let Some(gone) = self.entries.remove(&oldest) {
                self.bytes -= gone.audio.len();
            }
        }
    }

    /// There are too few entries for their order to need a structure of its own.
    fn oldest(&self) -> Option<Key> {
        self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone())
    }
}

/// What a panic elsewhere left is whole: each change is made at once.
pub(super) fn lock(cache: &Mutex<Cache>) -> MutexGuard<'_, Cache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new("voice", "model", Format::MULAW_8000, "", text)
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let mut cache = Cache { bytes_max: 25, ..Cache::default() };
        for text in ["a", "b"] {
            cache.keep(key(text), Bytes::from_static(&[1; 10]));
        }
        assert!(cache.find(&key("a")).is_some());
        cache.keep(key("c"), Bytes::from_static(&[2; 10]));
        assert_eq!(cache.find(&key("b")), None);
        assert!(cache.find(&key("a")).is_some() && cache.find(&key("c")).is_some());
        cache.keep(key("c"), Bytes::from_static(&[3; 5]));
        assert_eq!(cache.bytes, 15);
        cache.keep(key("d"), Bytes::from_static(&[4; 26]));
        assert_eq!((cache.bytes, cache.find(&key("d"))), (15, None));
    }

    #[test]
    fn a_sentence_sounds_like_itself_only_in_the_same_voice_format_and_place() {
        let mut cache = Cache::default();
        cache.keep(key("Hello."), Bytes::from_static(&[1]));
        assert!(cache.find(&key("Hello.")).is_some());
        for other in [
            Key::new("other", "model", Format::MULAW_8000, "", "Hello."),
            Key::new("voice", "other", Format::MULAW_8000, "", "Hello."),
            Key::new("voice", "model", Format::LINEAR16_8000, "", "Hello."),
            Key::new("voice", "model", Format::MULAW_8000, "Well.", "Hello."),
        ] {
            assert_eq!(cache.find(&other), None, "{other:?}");
        }
        assert!(!key(&"x".repeat(TEXT_MAX + 1)).is_kept());
    }
}
