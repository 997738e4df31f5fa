//! When a socket's text is spoken: by its schedule, a trigger, a flush, or at once (§3).

/// The schedule unless the first message has one.
const SCHEDULE: [usize; 4] = [120, 160, 250, 290];

/// Text that waits.
#[derive(Debug)]
pub(super) struct Buffer {
    text: String,
    schedule: Vec<usize>,
    /// Stretches generated so far, which the schedule counts.
    generated: usize,
    trigger_min: usize,
    /// Nothing waits.
    auto: bool,
}

/// What comes with a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) trigger: bool,
    pub(super) flush: bool,
}

impl Buffer {
    pub(super) fn new(trigger_min: usize, auto: bool) -> Self {
        Self { text: String::new(), schedule: SCHEDULE.to_vec(), generated: 0, trigger_min, auto }
    }

    /// `false` if the schedule is not one.
    pub(super) fn schedule(&mut self, schedule: Vec<usize>) -> bool {
        let fine = !schedule.is_empty() && schedule.iter().all(|characters| (50..=500).contains(characters));
        if fine {
            self.schedule = schedule;
        }
        fine
    }

    /// Takes more text, and gives what is to be spoken now.
    pub(super) fn add(&mut self, text: &str, wish: Wish) -> Option<String> {
        self.text.push_str(text);
        let waiting = self.text.chars().count();
        let due = self.auto
            || wish.flush
            || (wish.trigger && waiting >= self.trigger_min)
            || waiting >= self.threshold();
        if due { self.take() } else { None }
    }

    /// Everything that is left.
    pub(super) fn take(&mut self) -> Option<String> {
        if self.text.trim().is_empty() {
            return None;
        }
        self.generated += 1;
        Some(std::mem::take(&mut self.text))
    }

    fn threshold(&self) -> usize {
        let place = self.generated.min(self.schedule.len() - 1);
        self.schedule[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIGGER: Wish = Wish { trigger: true, flush: false };
    const FLUSH: Wish = Wish { trigger: false, flush: true };
    const NONE: Wish = Wish { trigger: false, flush: false };

    #[test]
    fn text_waits_until_the_schedule_has_enough_and_each_stretch_needs_its_own() {
        let mut buffer = Buffer::new(50, false);
        assert!(buffer.schedule(vec![50, 100]));
        let word = "ten chars ";
        for (round, needed) in [(1, 5), (2, 10), (3, 10)] {
            for _ in 1..needed {
                assert_eq!(buffer.add(word, NONE), None, "{round}");
            }
            assert_eq!(buffer.add(word, NONE), Some(word.repeat(needed)), "{round}");
        }
    }

    #[test]
    fn a_trigger_needs_a_few_characters_and_a_flush_needs_any() {
        let mut buffer = Buffer::new(20, false);
        assert_eq!(buffer.add("ten chars ", TRIGGER), None);
        assert_eq!(buffer.add("ten chars ", TRIGGER), Some("ten chars ten chars ".into()));
        assert_eq!(buffer.add("Hi. ", FLUSH), Some("Hi. ".into()));
        assert_eq!(buffer.add(" ", FLUSH), None);
    }

    #[test]
    fn in_auto_mode_nothing_waits() {
        assert_eq!(Buffer::new(50, true).add("Hi. ", NONE), Some("Hi. ".into()));
    }

    #[test]
    fn a_schedule_has_numbers_from_50_to_500() {
        let mut buffer = Buffer::new(50, false);
        assert!(!buffer.schedule(vec![49]) && !buffer.schedule(vec![]) && !buffer.schedule(vec![50, 501]));
    }
}
