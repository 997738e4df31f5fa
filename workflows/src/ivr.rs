//! IVR flows: what a call says and asks that no agent holds, as data.
//!
//! A flow is a TOML file of steps. [`Flow::hear`] is told where a call stands and what was heard of the person, and answers
//! with what the carrier is to do next, up to where it has to ask again. Where a call stands is in the address that the carrier
//! asks at: nothing is kept in between, so any process may answer, and one that dies loses nothing.

mod hearing;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::hearing::{Fact, Line, Turn, Verb};
pub use self::reading::{LONGEST, read};
use crate::outcome::Outcome;
use crate::template::{Missing, Template, Values, Variable};
use crate::transfer::TransferTo;

/// A flow. `T` is what its texts are: templates, or texts with every place filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow<T = Template> {
    /// Its name.
    pub name: String,
    /// The language it speaks and hears, as a BCP 47 tag: `en-IN`.
    pub language: String,
    /// The carrier's voice that it speaks with, by its name there. `None`: the carrier's own for the language.
    pub voice: Option<String>,
    /// The step that a call begins with that a mailbox has answered; `None`: it begins as any other. The carrier is to find
    /// out who answered before it asks, which it takes some seconds for, and longer for the end of a greeting.
    pub voicemail: Option<usize>,
    /// Its steps; a call begins with the first.
    pub steps: Vec<Step<T>>,
}

/// A flow for one call.
pub type Filled = Flow<String>;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<T = Template> {
    /// Its name: what others lead to, and what is told of the call's path.
    pub name: String,
    /// What is done in it.
    pub does: Does<T>,
    /// What a call has come to that comes here, if that is known then.
    pub outcome: Option<Outcome>,
}

/// The step that comes next, by its place in the flow; `None` for the end of the call.
pub type Next = Option<usize>;

/// What is done in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does<T = Template> {
    /// Something is said.
    Say {
        /// What.
        text: T,
        /// What comes then.
        then: Next,
    },
    /// A file is played.
    Play {
        /// Where the carrier finds it.
        url: String,
        /// What comes then.
        then: Next,
    },
    /// The person is asked for keys or words.
    Ask(Ask<T>),
    /// What the person says is recorded.
    Record {
        /// Said before.
        text: T,
        /// The longest recording, in seconds.
        longest_s: u16,
        /// The key that ends it.
        finish_on: char,
        /// What comes then.
        then: Next,
    },
    /// Somebody else is put through.
    Dial {
        /// Said before.
        text: Option<T>,
        /// Who.
        to: TransferTo,
        /// How long their phone rings, in seconds.
        ring_s: u16,
        /// What comes once they have talked.
        then: Next,
        /// What comes if they could not be reached.
        otherwise: Next,
    },
    /// Our own agent talks with the person.
    Talk {
        /// By which playbook.
        playbook: String,
        /// What comes once it has, if the person is still there.
        then: Next,
    },
    /// The person is never called again, and is told so.
    DoNotCall {
        /// What they are told.
        text: T,
    },
    /// The call goes on by somebody else's document.
    Redirect {
        /// Where the carrier finds it.
        url: String,
    },
    /// The call ends.
    HangUp {
        /// Said before.
        text: Option<T>,
    },
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask<T = Template> {
    /// What is asked.
    pub text: T,
    /// How it may be answered.
    pub input: Input,
    /// How many keys are an answer, at least and at most.
    pub digits: (u8, u8),
    /// The key that ends an answer of many.
    pub finish_on: char,
    /// How long the person may take, in seconds.
    pub wait_s: u8,
    /// How often it is asked, if no answer fits.
    pub tries: u8,
    /// The name under which the answer is kept.
    pub keep: Option<String>,
    /// Whether the answer stays out of what is told of the call's path.
    pub secret: bool,
    /// Where answers lead, by the keys or the words.
    pub on: BTreeMap<String, Next>,
    /// Where any other answer leads, if any other fits.
    pub any: Option<Next>,
    /// Said when an answer does not fit, before it is asked again.
    pub wrong: Option<T>,
    /// Where it goes on when none fitted, however often it was asked.
    pub otherwise: Next,
}

/// How a question may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// By keys.
    Keys,
    /// In words.
    Words,
    /// By either.
    Either,
}

impl Input {
    /// Whether keys count.
    pub fn takes_keys(self) -> bool {
        matches!(self, Self::Keys | Self::Either)
    }

    /// Whether words count.
    pub fn takes_words(self) -> bool {
        matches!(self, Self::Words | Self::Either)
    }
}

/// Where a call stands: which step is waited in, and how often it was asked there before. Written `3.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The step, by its place in the flow.
    pub step: usize,
    /// How many answers did not fit.
    pub tried: u8,
}

impl At {
    /// The beginning of a flow.
    pub const BEGINNING: Self = Self { step: 0, tried: 0 };
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.step, self.tried)
    }
}

/// What is no place in a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no place in a flow")]
pub struct NoPlace;

impl FromStr for At {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (step, tried) = text.split_once('.').ok_or(NoPlace)?;
        let at =
            Self { step: step.parse().map_err(|_| NoPlace)?, tried: tried.parse().map_err(|_| NoPlace)? };
        // One way to write each.
        if at.to_string() == text { Ok(at) } else { Err(NoPlace) }
    }
}

/// What was heard of the person in the step that the call stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The call begins.
    Began,
    /// The call begins, and a mailbox has answered it.
    Mailbox,
    /// They pressed keys.
    Keys(String),
    /// They said something.
    Words(String),
    /// They did neither, for as long as they may take.
    Nothing,
    /// What they said was recorded; `None` if they said nothing.
    Recorded(Option<String>),
    /// Whether the one who was dialled was reached.
    Dialled(bool),
    /// Our agent has talked with them.
    Talked,
}

impl Flow<Template> {
    /// Whether it can be filled for a call.
    ///
    /// # Errors
    /// Names the first variable that has no value.
    pub fn can_fill(&self, values: &Values<'_>) -> Result<(), Missing> {
        self.fill(values).map(drop)
    }

    /// The flow for one call.
    ///
    /// # Errors
    /// Names a variable that has no value.
    pub fn fill(&self, values: &Values<'_>) -> Result<Filled, Missing> {
        let fill = |text: &Template| text.fill(values);
        let maybe = |text: &Option<Template>| text.as_ref().map(fill).transpose();
        let steps = self.steps.iter().map(|step| {
            let does = match &step.does {
                Does::Say { text, then } => Does::Say { text: fill(text)?, then: *then },
                Does::Play { url, then } => Does::Play { url: url.clone(), then: *then },
                Does::Ask(ask) => Does::Ask(Ask {
                    text: fill(&ask.text)?,
                    wrong: maybe(&ask.wrong)?,
                    input: ask.input,
                    digits: ask.digits,
                    finish_on: ask.finish_on,
                    wait_s: ask.wait_s,
                    tries: ask.tries,
                    keep: ask.keep.clone(),
                    secret: ask.secret,
                    on: ask.on.clone(),
                    any: ask.any,
                    otherwise: ask.otherwise,
                }),
                Does::Record { text, longest_s, finish_on, then } => Does::Record {
                    text: fill(text)?,
                    longest_s: *longest_s,
                    finish_on: *finish_on,
                    then: *then,
                },
                Does::Dial { text, to, ring_s, then, otherwise } => Does::Dial {
                    text: maybe(text)?,
                    to: to.clone(),
                    ring_s: *ring_s,
                    then: *then,
                    otherwise: *otherwise,
                },
                Does::Talk { playbook, then } => Does::Talk { playbook: playbook.clone(), then: *then },
                Does::DoNotCall { text } => Does::DoNotCall { text: fill(text)? },
                Does::Redirect { url } => Does::Redirect { url: url.clone() },
                Does::HangUp { text } => Does::HangUp { text: maybe(text)? },
            };
            Ok(Step { name: step.name.clone(), does, outcome: step.outcome })
        });
        let steps = steps.collect::<Result<_, Missing>>()?;
        Ok(Flow {
            name: self.name.clone(),
            language: self.language.clone(),
            voice: self.voice.clone(),
            voicemail: self.voicemail,
            steps,
        })
    }

    /// The variables that its texts take, each once.
    pub fn variables(&self) -> BTreeSet<&Variable> {
        self.steps.iter().flat_map(|step| step.does.texts()).flat_map(Template::variables).collect()
    }

    /// The names that answers are kept under.
    pub fn keeps(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match &step.does {
            Does::Ask(ask) => ask.keep.as_deref(),
            _ => None,
        })
    }

    /// The playbooks that our agent talks by.
    pub fn playbooks(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match &step.does {
            Does::Talk { playbook, .. } => Some(playbook.as_str()),
            _ => None,
        })
    }
}

impl<T> Does<T> {
    fn texts(&self) -> Vec<&T> {
        match self {
            Self::Say { text, .. } | Self::Record { text, .. } | Self::DoNotCall { text } => vec![text],
            Self::Ask(ask) => [Some(&ask.text), ask.wrong.as_ref()].into_iter().flatten().collect(),
            Self::Dial { text, .. } | Self::HangUp { text } => text.iter().collect(),
            Self::Play { .. } | Self::Talk { .. } | Self::Redirect { .. } => vec![],
        }
    }

    /// The steps that it may lead to.
    fn ways(&self) -> Vec<usize> {
        let ways: Vec<Next> = match self {
            Self::Say { then, .. }
            | Self::Play { then, .. }
            | Self::Record { then, .. }
            | Self::Talk { then, .. } => {
                vec![*then]
            }
            Self::Ask(ask) => ask.on.values().copied().chain(ask.any).chain([ask.otherwise]).collect(),
            Self::Dial { then, otherwise, .. } => vec![*then, *otherwise],
            Self::DoNotCall { .. } | Self::Redirect { .. } | Self::HangUp { .. } => vec![],
        };
        ways.into_iter().flatten().collect()
    }

    /// Whether the person, or somebody else, is waited for in it.
    fn waits(&self) -> bool {
        match self {
            Self::Ask(_) | Self::Record { .. } | Self::Dial { .. } | Self::Talk { .. } => true,
            Self::Say { .. }
            | Self::Play { .. }
            | Self::DoNotCall { .. }
            | Self::Redirect { .. }
            | Self::HangUp { .. } => false,
        }
    }
}
