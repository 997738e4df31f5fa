//! Which voice over ours is an interruption: a cough and an "mm-hm" are not, a word to us is.

use std::time::Duration;

use super::timing::Timing;

/// What listeners say to show that they listen, in the languages that calls are held in most. A whole utterance
/// of these is no wish to speak.
const BACKCHANNELS: [&str; 30] = [
    "accha", "achha", "ah", "aha", "cool", "correct", "eh", "good", "haan", "han", "hm", "hmm", "huh", "ji",
    "mhm", "mm", "mmhm", "oh", "ok", "okay", "right", "sure", "theek", "hai", "uh", "uhhuh", "um", "yeah",
    "yep", "yes",
];
/// What somebody says who wants us to stop: one is enough, however short.
const STOPS: [&str; 12] =
    ["stop", "wait", "hold", "no", "sorry", "hello", "excuse", "listen", "ruko", "suno", "nahi", "actually"];
/// What somebody says who picks up.
const GREETINGS: [&str; 12] = [
    "hello", "hi", "hey", "haan", "ji", "yes", "namaste", "namaskar", "speaking", "good", "morning",
    "evening",
];
/// So many words are an interruption, however quickly they are said.
const MANY: usize = 3;

/// How long a voice over ours has to last to be an interruption, with these words; `None` if it is none however long.
///
/// `greeting`: we say our first words, over which whoever picks up says hello.
pub(super) fn interrupts_after(text: &str, greeting: bool, timing: &Timing) -> Option<Duration> {
    let words: Vec<String> = words(text).collect();
    if words.is_empty() {
        return Some(timing.voice_alone());
    }
    let is_in = |word: &String, list: &[&str]| list.contains(&word.as_str());
    let listens = |word: &&String| is_in(word, &BACKCHANNELS) || (greeting && is_in(word, &GREETINGS));
    let meant: Vec<_> = words.iter().filter(|word| !listens(word)).collect();
    let stops = meant.iter().any(|word| is_in(word, &STOPS));
    match meant.len() {
        0 => None,
        _ if stops => Some(Duration::ZERO),
        MANY.. => Some(Duration::ZERO),
        _ => Some(timing.interrupt()),
    }
}

/// Whether a whole utterance only shows that somebody listens.
pub(super) fn is_backchannel(text: &str) -> bool {
    words(text).all(|word| BACKCHANNELS.contains(&word.as_str()))
}

fn words(text: &str) -> impl Iterator<Item = String> {
    // "mm-hm" and "uh-huh" are one word each.
    let words = text.split_whitespace();
    words
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect())
        .filter(|word: &String| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cough_and_an_mm_hm_do_not_interrupt_and_real_speech_does() {
        let after = |text, greeting| {
            interrupts_after(text, greeting, &Timing::default()).map(|length| length.as_millis())
        };
        for (text, ms) in [
            ("", Some(1_500)),
            ("Mm-hm.", None),
            ("Yeah, okay.", None),
            ("haan ji", None),
            ("price", Some(500)),
            ("okay but", Some(500)),
            ("what about parking", Some(0)),
            ("Wait.", Some(0)),
            ("Hello?", Some(0)),
        ] {
            assert_eq!(after(text, false), ms, "{text}");
        }
        assert_eq!((after("Hello?", true), after("Hello, who is this", true)), (None, Some(0)));
        assert!(is_backchannel("Uh-huh.") && !is_backchannel("yes, tomorrow"));
    }
}
