//! Tokens: four characters each, which is what the protocol page advises for counting roughly (§6).

/// Characters of a token.
const SIZE: usize = 4;

/// A text as its tokens.
pub(super) fn split(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(SIZE).map(|token| token.iter().collect()).collect()
}

/// How many tokens a text has.
pub(super) fn count(text: &str) -> usize {
    text.chars().count().div_ceil(SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_as_many_as_are_counted_and_lose_nothing() {
        for text in ["", "abc", "abcd", "Hello there.", "नमस्ते जी"] {
            assert_eq!(split(text).concat(), text);
            assert_eq!(split(text).len(), count(text));
        }
    }
}
