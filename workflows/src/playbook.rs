//! Playbooks: what our own agent says and asks in a call, as data.
//!
//! A playbook is a TOML file. What it says may have places for lead, campaign and client; [`Playbook::fill`] makes
//! of it what one conversation goes by.

mod prompt;
mod reading;
mod shipped;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::prompt::{ToolSpec, tools};
pub use self::reading::{LONGEST, MOST_KNOWLEDGE, read, read_with};
pub use self::shipped::{SHIPPED, shipped};
pub use self::source::{Guide, Source, is_name, name_from, no_name};
use crate::conversation::timing::Timing;
use crate::template::{Missing, Template, Values, Variable};
pub use crate::written::{Problem, Problems};

/// What an agent goes by. `T` is what its texts are: templates, or texts with every place filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playbook<T = Template> {
    /// Its name.
    pub name: String,
    /// The language it speaks, as a BCP 47 tag: `en-IN`.
    pub language: String,
    /// The voice it speaks with, by the speech service's id for it. `None`: the deployment's own.
    pub voice: Option<String>,
    /// Who the agent is and how it talks, told to the model.
    pub agent: T,
    /// What it says in its own words.
    pub says: Says<T>,
    /// The key that a person presses to be called no more: a digit, `*` or `#`.
    pub opt_out_key: Option<char>,
    /// Whom calls are handed to: a number or a SIP address. Only where the tool is allowed.
    pub transfer_to: Option<String>,
    /// How long it waits for what.
    pub timing: Timing,
    /// What it is to find out, by name.
    pub fields: BTreeMap<String, Field>,
    /// The stages of the conversation; it begins in the first.
    pub stages: Vec<Stage<T>>,
    /// What it knows.
    pub knowledge: Vec<Knowledge>,
}

/// A playbook for one conversation.
pub type Script = Playbook<String>;

/// Texts that no model writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Says<T> {
    /// The first words, after what has to be said by law.
    pub greeting: T,
    /// That a machine speaks, and for whom. Said before anything else where the law asks for it, and wherever
    /// `always_disclose` is set.
    pub disclosure: T,
    /// Whether the disclosure is said everywhere.
    pub always_disclose: bool,
    /// That the call is recorded. Said before anything else where it is, and the law asks for it.
    pub recording: T,
    /// Asked, one after the other, when the person says nothing.
    pub still_there: Vec<T>,
    /// Bridges long thinking.
    pub one_moment: T,
    /// Said when nothing works any more.
    pub sorry: T,
    /// Said when a lost stream is back.
    pub lost: T,
    /// Said when a call is handed over.
    pub transfer: T,
    /// The last words of a call that we end.
    pub goodbye: T,
    /// The last words to somebody who asks not to be called again.
    pub opted_out: T,
    /// What a mailbox is told; without it, it is told nothing.
    pub mailbox: Option<T>,
}

/// Something that is found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// What it is, told to the model.
    pub about: String,
    /// What values it may have.
    pub kind: Kind,
}

/// What values a field may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any text up to 1,000 characters.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    YesNo,
    /// A day, as 2026-01-14.
    Date,
    /// One of these.
    Choice(Vec<String>),
}

/// The longest text of a field, in characters.
pub const LONGEST_TEXT: usize = 1_000;

impl Kind {
    /// A value of the kind, or what would be one.
    ///
    /// # Errors
    /// For the model, which is told to give another.
    pub fn check(&self, value: &Value) -> Result<Value, String> {
        let text = value.as_str().map(str::trim);
        match self {
            Self::Text => text
                .filter(|text| (1..=LONGEST_TEXT).contains(&text.chars().count()))
                .map(Value::from)
                .ok_or_else(|| format!("a text of up to {LONGEST_TEXT} characters")),
            Self::Number => match value {
                Value::Number(_) => Some(value.clone()),
                _ => text
                    .and_then(|text| text.replace([',', ' '], "").parse::<f64>().ok())
                    .filter(|number| number.is_finite())
                    .map(Value::from),
            }
            .ok_or_else(|| "a number".to_owned()),
            Self::YesNo => match (value.as_bool(), text.map(str::to_lowercase).as_deref()) {
                (Some(known), _) => Ok(Value::from(known)),
                (None, Some("yes" | "true")) => Ok(Value::from(true)),
                (None, Some("no" | "false")) => Ok(Value::from(false)),
                (None, _) => Err("true or false".to_owned()),
            },
            Self::Date => text
                .and_then(|text| text.parse::<chrono::NaiveDate>().ok())
                .map(|day| Value::from(day.to_string()))
                .ok_or_else(|| "a day, as 2026-01-14".to_owned()),
            Self::Choice(choices) => text
                .and_then(|text| choices.iter().find(|choice| choice.eq_ignore_ascii_case(text)))
                .map(|choice| Value::from(choice.as_str()))
                .ok_or_else(|| format!("one of {}", choices.join(", "))),
        }
    }
}

/// A part of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage<T> {
    /// Its name.
    pub name: String,
    /// What it is for, told to the model.
    pub goal: T,
    /// How to go about it, told to the model.
    pub prompt: T,
    /// The fields that are to be found out in it.
    pub collect: Vec<String>,
    /// What the model may do in it, beside what it always may.
    pub tools: Vec<Tool>,
    /// Where it goes on: the first way whose condition holds.
    pub next: Vec<Way>,
}

/// A way to another stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Its index among the stages.
    pub to: usize,
    /// These fields are known.
    pub known: Vec<String>,
    /// These fields have these values.
    pub is: BTreeMap<String, Value>,
}

impl Way {
    /// Whether all of its condition holds.
    pub fn holds(&self, known: &BTreeMap<String, Value>) -> bool {
        self.known.iter().all(|name| known.contains_key(name))
            && self.is.iter().all(|(name, value)| known.get(name) == Some(value))
    }
}

/// What a model may do beside talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Note fields. Always allowed while there are any.
    Note,
    /// End the call after what it says. Always allowed.
    EndCall,
    /// See that the person is never called again. Always allowed.
    DoNotCall,
    /// Call the person again at a time that they name.
    CallBack,
    /// Hand the call to a person.
    Transfer,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Note, Self::EndCall, Self::DoNotCall, Self::CallBack, Self::Transfer];

    /// Its name in playbooks and for models.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::EndCall => "end_call",
            Self::DoNotCall => "do_not_call",
            Self::CallBack => "call_back",
            Self::Transfer => "transfer",
        }
    }

    /// Whether it is allowed in every stage.
    pub fn is_always_allowed(self) -> bool {
        match self {
            Self::Note | Self::EndCall | Self::DoNotCall => true,
            Self::CallBack | Self::Transfer => false,
        }
    }
}

/// Something that the agent knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knowledge {
    /// What it is about.
    pub name: String,
    /// All of it.
    pub text: String,
}

impl<T> Playbook<T> {
    /// Where a conversation goes from a stage, with what is known.
    pub fn next_stage(&self, from: usize, known: &BTreeMap<String, Value>) -> usize {
        // Each stage is passed once, so that ways in a circle come to an end.
        let mut at = from;
        for _ in 0..self.stages.len() {
            let way = self.stages.get(at).and_then(|stage| stage.next.iter().find(|way| way.holds(known)));
            match way {
                Some(way) if way.to != at => at = way.to,
                Some(_) | None => break,
            }
        }
        at
    }
}

impl Playbook {
    /// All texts that may have places.
    fn templates(&self) -> impl Iterator<Item = &Template> {
        let Says {
            greeting,
            disclosure,
            always_disclose: _,
            recording,
            still_there,
            one_moment,
            sorry,
            lost,
            transfer,
            goodbye,
            opted_out,
            mailbox,
        } = &self.says;
        let said = [greeting, disclosure, recording, one_moment, sorry, lost, transfer, goodbye, opted_out];
        let stages = self.stages.iter().flat_map(|stage| [&stage.goal, &stage.prompt]);
        [&self.agent].into_iter().chain(said).chain(still_there).chain(mailbox).chain(stages)
    }

    /// The variables that its texts take, each once.
    pub fn variables(&self) -> BTreeSet<&Variable> {
        self.templates().flat_map(Template::variables).collect()
    }

    /// Whether [`Self::fill`] would do, without doing it: nobody is to be called about whom the agent could not
    /// say what it is to say.
    ///
    /// # Errors
    /// Names the first variable that has no value.
    pub fn can_fill(&self, values: &Values<'_>) -> Result<(), Missing> {
        self.templates().try_for_each(|template| template.fill(values).map(drop))
    }

    /// The playbook for one conversation.
    ///
    /// # Errors
    /// Names the first variable that has no value.
    pub fn fill(&self, values: &Values<'_>) -> Result<Script, Missing> {
        let fill = |template: &Template| template.fill(values);
        let says = &self.says;
        Ok(Playbook {
            name: self.name.clone(),
            language: self.language.clone(),
            voice: self.voice.clone(),
            agent: fill(&self.agent)?,
            says: Says {
                greeting: fill(&says.greeting)?,
                disclosure: fill(&says.disclosure)?,
                always_disclose: says.always_disclose,
                recording: fill(&says.recording)?,
                still_there: says.still_there.iter().map(fill).collect::<Result<_, _>>()?,
                one_moment: fill(&says.one_moment)?,
                sorry: fill(&says.sorry)?,
                lost: fill(&says.lost)?,
                transfer: fill(&says.transfer)?,
                goodbye: fill(&says.goodbye)?,
                opted_out: fill(&says.opted_out)?,
                mailbox: says.mailbox.as_ref().map(fill).transpose()?,
            },
            opt_out_key: self.opt_out_key,
            transfer_to: self.transfer_to.clone(),
            timing: self.timing.clone(),
            fields: self.fields.clone(),
            stages: self.stages.iter().map(|stage| stage.fill(values)).collect::<Result<_, _>>()?,
            knowledge: self.knowledge.clone(),
        })
    }
}

impl Stage<Template> {
    fn fill(&self, values: &Values<'_>) -> Result<Stage<String>, Missing> {
        Ok(Stage {
            name: self.name.clone(),
            goal: self.goal.fill(values)?,
            prompt: self.prompt.fill(values)?,
            collect: self.collect.clone(),
            tools: self.tools.clone(),
            next: self.next.clone(),
        })
    }
}
