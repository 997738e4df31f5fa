//! A model's words, cut into sentences as they come, so that the first is spoken while the next is written.

/// Cuts a stream of words.
#[derive(Clone, Debug, Default)]
pub(super) struct Sentences {
    rest: String,
}

/// Shorter pieces wait for the next: a voice sounds odd that begins anew for two words.
const LEAST: usize = 12;
/// A piece of this length is cut at a comma or a space although no sentence ends: nobody waits for a novel.
const MOST: usize = 240;

/// After these a full stop ends no sentence.
const ABBREVIATIONS: [&str; 17] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "no", "vs", "approx", "sq", "ft", "rs", "e.g", "i.e", "etc",
    "a.m", "p.m",
];

impl Sentences {
    /// Takes further words in, and gives the sentences that they complete.
    pub(super) fn push(&mut self, text: &str) -> Vec<String> {
        self.rest.push_str(text);
        let mut whole = vec![];
        while let Some(at) = self.end() {
            let behind = self.rest.split_off(at);
            let sentence = std::mem::replace(&mut self.rest, behind);
            whole.extend(spoken(&sentence));
        }
        whole
    }

    /// What is left when nothing more comes.
    pub(super) fn finish(&mut self) -> Option<String> {
        spoken(&std::mem::take(&mut self.rest))
    }

    /// Where the first sentence ends: behind the space that follows it, since a dot may still become a number.
    fn end(&self) -> Option<usize> {
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let ends = match c {
                '.' | '!' | '?' => chars.peek().is_some_and(|(_, next)| next.is_whitespace()),
                // These scripts put no space behind.
                '।' | '。' | '？' | '！' => true,
                '\n' => true,
                _ => false,
            };
            let so_far = &self.rest[..at];
            if ends && so_far.trim().len() >= LEAST && !(c == '.' && is_abbreviation(so_far)) {
                return Some(at + c.len_utf8());
            }
            if at >= MOST && (c == ' ' || c == ',') {
                return Some(at + c.len_utf8());
            }
        }
        None
    }
}

fn is_abbreviation(text: &str) -> bool {
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
    ABBREVIATIONS.contains(&last.as_str()) || last.chars().count() == 1
}

/// Without the marks of written text, which a voice would read aloud; `None` if nothing is to be said.
fn spoken(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !matches!(c, '*' | '#' | '`' | '_')).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().any(char::is_alphanumeric).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the words come, the sentences are the same.
    fn check(text: &str, expected: &[&str]) {
        for step in [1, 3, 1_000] {
            let mut sentences = Sentences::default();
            let pieces: Vec<char> = text.chars().collect();
            let pieces = pieces.chunks(step).map(|piece| piece.iter().collect::<String>());
            let mut whole: Vec<String> = pieces.flat_map(|piece| sentences.push(&piece)).collect();
            whole.extend(sentences.finish());
            assert_eq!(whole, expected, "in steps of {step}");
        }
    }

    #[test]
    fn words_are_cut_into_sentences_as_they_come() {
        check(
            "Good morning, Asha. Is this a good time to talk?",
            &["Good morning, Asha.", "Is this a good time to talk?"],
        );
        check(
            "It costs Rs. 85.5 lakh, about 1,200 sq. ft. in all. Shall we?",
            &["It costs Rs. 85.5 lakh, about 1,200 sq. ft. in all.", "Shall we?"],
        );
        check("Hi. I am calling about the flat.", &["Hi. I am calling about the flat."]);
        check("**Two** things:\n- parking\n- price", &["Two things:", "- parking - price"]);
        check("नमस्ते आशा जी। कैसे हैं?", &["नमस्ते आशा जी।", "कैसे हैं?"]);
        check(" ... ", &[]);
    }

    #[test]
    fn a_sentence_without_an_end_is_cut_at_a_space() {
        let mut sentences = Sentences::default();
        let cut = sentences.push(&"and so on ".repeat(40));
        assert!(cut.len() == 1 && cut[0].len() <= MOST + 10, "{cut:?}");
    }
}
