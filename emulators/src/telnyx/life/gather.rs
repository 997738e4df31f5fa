//! Keys: telling them, and collecting them for `gather`.

use serde_json::json;

use super::{Due, Interrupt, Life, Topic};
use crate::telnyx::{action::Gather, stream::Word};

/// A `gather` under way.
#[derive(Debug)]
pub(super) struct Gathering {
    wanted: Gather,
    digits: String,
}

impl Gathering {
    /// Takes a key; the status once that completes it.
    fn take(&mut self, digit: char) -> Option<&'static str> {
        let ended = Some(digit) == self.wanted.terminator;
        if !ended {
            self.digits.push(digit);
        }
        if !ended && self.digits.chars().count() < self.wanted.most {
            return None;
        }
        Some(self.status("invalid"))
    }

    /// `valid`, or `otherwise` if what was pressed will not do.
    fn status(&self, otherwise: &'static str) -> &'static str {
        let known = self.digits.chars().all(|digit| self.wanted.valid.contains(digit));
        if known && self.digits.chars().count() >= self.wanted.least { "valid" } else { otherwise }
    }
}

impl Life {
    pub(super) fn press(&mut self, digit: char) -> Option<Interrupt> {
        self.tell("call.dtmf.received", &json!({ "digit": digit }));
        if let Some((words, _)) = &self.stream {
            // A stream that has just closed has heard enough.
            let _ = words.send(Word::Digit(digit));
        }
        let Some(gathering) = &mut self.gathering else { return Some(Interrupt::Digit(digit)) };
        let done = gathering.take(digit);
        let between = gathering.wanted.between;
        self.agenda.cancel(|due| matches!(due, Due::GatherTimeout | Due::GatherBegins));
        match done {
            Some(status) => self.end_gathering(status),
            None => self.agenda.note(self.after(between), Due::GatherTimeout),
        }
        None
    }

    /// A gathering that is under way already is replaced.
    pub(super) fn gather(&mut self, wanted: Gather) {
        self.end_gathering("cancelled");
        if let Some(prompt) = &wanted.prompt {
            let prompt = prompt.clone();
            self.speak(&prompt, 1);
            self.agenda.note(self.speech_until, Due::GatherBegins);
        } else {
            self.agenda.note(self.after(wanted.initial), Due::GatherTimeout);
        }
        self.gathering = Some(Gathering { wanted, digits: String::new() });
    }

    /// The prompt has ended; the wait for the first key begins.
    pub(super) fn begin_gathering(&mut self) {
        if let Some(gathering) = &self.gathering {
            self.agenda.note(self.after(gathering.wanted.initial), Due::GatherTimeout);
        }
    }

    pub(super) fn end_gathering(&mut self, status: &'static str) {
        let Some(gathering) = self.gathering.take() else { return };
        self.agenda.cancel(|due| matches!(due, Due::GatherTimeout | Due::GatherBegins));
        if gathering.wanted.prompt.is_some() {
            // Speech has no word for being cut short.
            self.hush(Topic::Speech, "completed");
        }
        // Keys that came before the time was over count.
        let pressed = status == "timeout" && !gathering.digits.is_empty();
        let status = if pressed { gathering.status("invalid") } else { status };
        let mut extras = json!({"digits": gathering.digits, "status": status});
        if let Some(id) = gathering.wanted.id {
            extras["gather_id"] = id.into();
        }
        self.tell("call.gather.ended", &extras);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn gathering(least: usize, most: usize, valid: &str) -> Gathering {
        let wanted = Gather {
            least,
            most,
            terminator: Some('#'),
            valid: valid.into(),
            initial: Duration::ZERO,
            between: Duration::ZERO,
            id: None,
            prompt: None,
        };
        Gathering { wanted, digits: String::new() }
    }

    fn ends(mut gathering: Gathering, keys: &str) -> (Option<&'static str>, String) {
        let status = keys.chars().find_map(|key| gathering.take(key));
        (status, gathering.digits)
    }

    #[test]
    fn a_gathering_ends_when_it_is_full_or_closed() {
        assert_eq!(ends(gathering(1, 2, "0123456789"), "123"), (Some("valid"), "12".into()));
        assert_eq!(ends(gathering(1, 9, "0123456789"), "12#"), (Some("valid"), "12".into()));
        assert_eq!(ends(gathering(1, 9, "0123456789"), "12"), (None, "12".into()));
    }

    #[test]
    fn too_few_keys_or_wrong_ones_are_invalid() {
        assert_eq!(ends(gathering(3, 9, "0123456789"), "12#"), (Some("invalid"), "12".into()));
        assert_eq!(ends(gathering(1, 1, "12"), "3"), (Some("invalid"), "3".into()));
    }
}
