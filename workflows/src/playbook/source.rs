//! A playbook as it was written: what is kept, shown and sent, and under which name.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Playbook, Problem, Problems, read_with};
use crate::ivr::{self, Flow};

/// A playbook's text, and the files that its knowledge names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The TOML as it was given.
    pub text: String,
    /// The texts of files, by the names that the knowledge has for them.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

impl Source {
    /// A playbook that names no files.
    pub fn alone(text: &str) -> Self {
        Self { text: text.to_owned(), files: BTreeMap::new() }
    }

    /// The playbook.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line; also a file that it does not name: it would be kept for
    /// nothing, and a typing error not be seen.
    pub fn read(&self) -> Result<Playbook, Problems> {
        let mut named = BTreeSet::new();
        let read = read_with(&self.text, |file| {
            named.insert(file.to_owned());
            self.files.get(file).cloned().ok_or_else(|| "it was not given with the playbook".to_owned())
        });
        // Of what is no TOML it is not known which files it names.
        let unread =
            matches!(&read, Err(Problems(problems)) if problems.iter().any(|it| it.place.is_empty()));
        let idle = self.files.keys().filter(|file| !unread && !named.contains(*file));
        let idle: Vec<Problem> = idle
            .map(|file| Problem {
                line: None,
                place: format!("files.{file}"),
                problem: "no `knowledge` names it as its `file`".to_owned(),
            })
            .collect();
        match read {
            Ok(playbook) if idle.is_empty() => Ok(playbook),
            Ok(_) => Err(Problems(idle)),
            Err(Problems(problems)) => Err(Problems([idle, problems].concat())),
        }
    }
}

/// What a source is: both kinds are kept, listed and versioned alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guide {
    /// A playbook: our own agent talks by it.
    Playbook,
    /// A flow: a call that no agent holds goes by it.
    Flow,
}

impl Guide {
    /// The name used in data, and to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Playbook => "playbook",
            Self::Flow => "flow",
        }
    }
}

impl Source {
    /// What it is: a flow has `steps`. What cannot be read at all counts as a playbook.
    pub fn guide(&self) -> Guide {
        let table: Option<toml::Table> = toml::from_str(&self.text).ok();
        match table {
            Some(table) if table.contains_key("steps") && !table.contains_key("stages") => Guide::Flow,
            Some(_) | None => Guide::Playbook,
        }
    }

    /// The flow.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line; also files, which no flow has.
    pub fn read_flow(&self) -> Result<Flow, Problems> {
        let flow = ivr::read(&self.text)?;
        match self.files.keys().next() {
            Some(file) => Err(Problems(vec![Problem {
                line: None,
                place: format!("files.{file}"),
                problem: "a flow has no files".to_owned(),
            }])),
            None => Ok(flow),
        }
    }

    /// What people call it, if nothing is wrong with it.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line.
    pub fn check(&self) -> Result<String, Problems> {
        match self.guide() {
            Guide::Playbook => self.read().map(|playbook| playbook.name),
            Guide::Flow => self.read_flow().map(|flow| flow.name),
        }
    }
}

/// The longest name under which a playbook is kept, in bytes.
const MOST_NAME: usize = 60;

/// Whether playbooks can be kept under this name: small letters, digits, `_` and `-`, a letter or digit first. It
/// stands in addresses and on command lines.
pub fn is_name(name: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=MOST_NAME).contains(&name.len())
        && name.bytes().all(|b| alphanumeric(&b) || b == b'_' || b == b'-')
        && name.as_bytes().first().is_some_and(alphanumeric)
}

/// What is wrong with a name that [`is_name`] does not take, and what would be right.
pub fn no_name(given: &str) -> String {
    format!(
        "`{given}` is no name for a playbook; take small letters, digits, `_` and `-`, a letter or digit first, \
         {MOST_NAME} at most"
    )
}

/// A name to keep a playbook under, made from the one that people read: `property-enquiry-bangalore`. `None` if it
/// has no letter or digit of ASCII.
pub fn name_from(title: &str) -> Option<String> {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    name.truncate(MOST_NAME);
    let name = name.trim_end_matches('-').to_owned();
    is_name(&name).then_some(name)
}
