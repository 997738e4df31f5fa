//! What comes next in a call: from where it stands and what was heard, to where it waits again or ends.

use super::{Ask, At, Does, Filled, Heard, Input, Next};
use crate::outcome::Outcome;
use crate::results::Speaker;
use crate::transfer::TransferTo;

/// Something that the carrier is to do. The last of them waits or ends the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Say something.
    Say(String),
    /// Play a file.
    Play(String),
    /// Ask, and bring the answer, or that there was none, to `at`.
    Gather {
        /// What is asked.
        text: String,
        /// How it may be answered.
        input: Input,
        /// How many keys are an answer, at least and at most.
        digits: (u8, u8),
        /// The key that ends an answer of many.
        finish_on: char,
        /// How long to wait, in seconds.
        wait_s: u8,
        /// Words that are expected, which helps to understand them.
        hints: Vec<String>,
        /// Where the call stands meanwhile.
        at: At,
    },
    /// Record, and bring the recording to `at`.
    Record {
        /// The longest, in seconds.
        longest_s: u16,
        /// The key that ends it.
        finish_on: char,
        /// Where the call stands meanwhile.
        at: At,
    },
    /// Put somebody through, and bring to `at` what became of it.
    Dial {
        /// Who.
        to: TransferTo,
        /// How long their phone rings, in seconds.
        ring_s: u16,
        /// Where the call stands meanwhile.
        at: At,
    },
    /// Have our agent talk, and come to `at` when it is over.
    Stream {
        /// By which playbook.
        playbook: String,
        /// Where the call stands meanwhile.
        at: At,
    },
    /// Go on by somebody else's document.
    Redirect(String),
    /// End the call.
    HangUp,
}

/// Something that was said or done in a step, as it stands in the call's transcript: together they are its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step's name.
    pub step: String,
    /// By whom: our side, or the person.
    pub by: Speaker,
    /// The words; in parentheses what is not said but done.
    pub text: String,
}

/// Something that is known from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// An answer that is kept.
    Kept {
        /// Under this name.
        name: String,
        /// The answer.
        value: String,
    },
    /// The person is never to be called again.
    DoNotCall,
    /// What the person said was recorded.
    Recorded {
        /// In this step.
        step: String,
        /// Where it lies.
        url: String,
    },
    /// The person was put through to somebody.
    PutThrough(TransferTo),
    /// What the call has come to so far.
    Outcome(Outcome),
}

/// What comes of what was heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What the carrier is to do.
    pub verbs: Vec<Verb>,
    /// What was heard in the step that the call stood in, and what is said and done from there on.
    pub lines: Vec<Line>,
    /// What is known from now on.
    pub facts: Vec<Fact>,
}

/// What an answer is taken for.
enum Fits {
    Way(Next),
    Not,
}

impl Filled {
    /// Goes on from where a call stands. What does not belong to the step (a late answer, an address that somebody made up) is
    /// taken as if nothing had been heard there; a place that the flow does not have ends the call.
    pub fn hear(&self, at: At, heard: &Heard) -> Turn {
        let mut turn = Turn::default();
        let Some(step) = self.steps.get(at.step) else {
            turn.verbs.push(Verb::HangUp);
            return turn;
        };
        let begins_with = match heard {
            Heard::Began => Some(at.step),
            Heard::Mailbox => Some(self.voicemail.unwrap_or(at.step)),
            _ => None,
        };
        if let Some(first) = begins_with {
            self.enter(Some(first), &mut turn);
            return turn;
        }
        let next = match (&step.does, heard) {
            (Does::Ask(ask), heard) => {
                let answer = ask.answer(heard);
                turn.hear(
                    &step.name,
                    match &answer {
                        None => "(nothing)",
                        Some(_) if ask.secret => "(a secret)",
                        Some(answer) => answer,
                    },
                );
                match answer.as_deref().map_or(Fits::Not, |answer| ask.fits(answer, heard)) {
                    Fits::Way(next) => {
                        if let Some((name, value)) = ask.keep.clone().zip(answer) {
                            turn.facts.push(Fact::Kept { name, value });
                        }
                        next
                    }
                    Fits::Not if at.tried + 1 < ask.tries => {
                        let wrong = ask.wrong.as_deref().filter(|_| *heard != Heard::Nothing);
                        if let Some(wrong) = wrong {
                            turn.say(&step.name, wrong);
                        }
                        self.wait(At { step: at.step, tried: at.tried + 1 }, &mut turn);
                        return turn;
                    }
                    Fits::Not => ask.otherwise,
                }
            }
            (Does::Record { then, .. }, Heard::Recorded(Some(url))) => {
                turn.hear(&step.name, "(a recording)");
                turn.facts.push(Fact::Recorded { step: step.name.clone(), url: url.clone() });
                *then
            }
            (Does::Record { then, .. }, _) => {
                turn.hear(&step.name, "(nothing)");
                *then
            }
            (Does::Dial { then, to, .. }, Heard::Dialled(true)) => {
                turn.hear(&step.name, "(they talked)");
                turn.facts.push(Fact::PutThrough(to.clone()));
                *then
            }
            (Does::Dial { otherwise, .. }, _) => {
                turn.hear(&step.name, "(nobody was reached)");
                *otherwise
            }
            (Does::Talk { then, .. }, _) => *then,
            // Nobody is waited for there: what is heard there was not asked.
            (does, _) => does.ways().first().copied(),
        };
        self.enter(next, &mut turn);
        turn
    }

    /// Goes through steps until one waits, or the call ends. [`super::read`] takes no flow that goes round for ever.
    fn enter(&self, mut next: Next, turn: &mut Turn) {
        while let Some((at, step)) = next.and_then(|at| Some((at, self.steps.get(at)?))) {
            turn.facts.extend(step.outcome.map(Fact::Outcome));
            next = match &step.does {
                Does::Say { text, then } => {
                    turn.say(&step.name, text);
                    *then
                }
                Does::Play { url, then } => {
                    turn.does(&step.name, format!("(plays {url})"), Verb::Play(url.clone()));
                    *then
                }
                Does::DoNotCall { text } => {
                    turn.facts.push(Fact::DoNotCall);
                    turn.say(&step.name, text);
                    None
                }
                Does::Redirect { url } => {
                    return turn.does(&step.name, format!("(goes on at {url})"), Verb::Redirect(url.clone()));
                }
                Does::HangUp { text } => {
                    match text {
                        Some(text) => turn.say(&step.name, text),
                        None => turn.tell(&step.name, Speaker::Agent, "(hangs up)"),
                    }
                    None
                }
                Does::Ask(_) | Does::Record { .. } | Does::Dial { .. } | Does::Talk { .. } => {
                    return self.wait(At { step: at, tried: 0 }, turn);
                }
            };
        }
        turn.verbs.push(Verb::HangUp);
    }

    /// Waits in a step for what it waits for.
    fn wait(&self, at: At, turn: &mut Turn) {
        let Some(step) = self.steps.get(at.step) else { return turn.verbs.push(Verb::HangUp) };
        match &step.does {
            Does::Ask(ask) => {
                turn.does(
                    &step.name,
                    ask.text.clone(),
                    Verb::Gather {
                        text: ask.text.clone(),
                        input: ask.input,
                        digits: ask.digits,
                        finish_on: ask.finish_on,
                        wait_s: ask.wait_s,
                        hints: ask.on.keys().filter(|key| !is_keys(key)).cloned().collect(),
                        at,
                    },
                );
            }
            Does::Record { text, longest_s, finish_on, .. } => {
                if !text.is_empty() {
                    turn.say(&step.name, text);
                }
                turn.verbs.push(Verb::Record { longest_s: *longest_s, finish_on: *finish_on, at });
            }
            Does::Dial { text, to, ring_s, .. } => {
                if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                    turn.say(&step.name, text);
                }
                let rings = format!("(rings {})", to.dialled());
                turn.does(&step.name, rings, Verb::Dial { to: to.clone(), ring_s: *ring_s, at });
            }
            Does::Talk { playbook, .. } => turn.verbs.push(Verb::Stream { playbook: playbook.clone(), at }),
            Does::Say { .. }
            | Does::Play { .. }
            | Does::DoNotCall { .. }
            | Does::Redirect { .. }
            | Does::HangUp { .. } => turn.verbs.push(Verb::HangUp),
        }
    }
}

impl Turn {
    fn tell(&mut self, step: &str, by: Speaker, text: impl Into<String>) {
        self.lines.push(Line { step: step.to_owned(), by, text: text.into() });
    }

    fn hear(&mut self, step: &str, text: &str) {
        self.tell(step, Speaker::Person, text);
    }

    fn does(&mut self, step: &str, text: String, verb: Verb) {
        self.tell(step, Speaker::Agent, text);
        self.verbs.push(verb);
    }

    fn say(&mut self, step: &str, text: &str) {
        self.does(step, text.to_owned(), Verb::Say(text.to_owned()));
    }
}

impl<T> Ask<T> {
    /// The answer, as it is kept: keys, or words as they were understood. `None` without one, or by a way that does not count.
    fn answer(&self, heard: &Heard) -> Option<String> {
        match heard {
            Heard::Keys(keys) if self.input.takes_keys() && !keys.is_empty() => Some(keys.clone()),
            Heard::Words(words) if self.input.takes_words() && !words.trim().is_empty() => {
                Some(words.trim().to_owned())
            }
            _ => None,
        }
    }

    /// Whether an answer fits, and where it leads.
    fn fits(&self, answer: &str, heard: &Heard) -> Fits {
        if let Heard::Keys(_) = heard {
            let length = answer.chars().count();
            let long_enough = (usize::from(self.digits.0)..=usize::from(self.digits.1)).contains(&length);
            return match (self.on.get(answer), self.any) {
                (Some(next), _) => Fits::Way(*next),
                (None, Some(next)) if long_enough && is_keys(answer) => Fits::Way(next),
                _ => Fits::Not,
            };
        }
        let said = words(answer);
        // What is said in more words was meant, where one way's words are part of another's.
        let meant = self
            .on
            .iter()
            .map(|(key, next)| (words(key), next))
            .filter(|(key, _)| !key.is_empty() && said.windows(key.len()).any(|part| part == key.as_slice()))
            .max_by_key(|(key, _)| key.len());
        match (meant, self.any) {
            (Some((_, next)), _) => Fits::Way(*next),
            (None, Some(next)) => Fits::Way(next),
            (None, None) => Fits::Not,
        }
    }
}

/// Whether it is what can be pressed.
pub(super) fn is_keys(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '*' || c == '#')
}

/// What words are compared by.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}
