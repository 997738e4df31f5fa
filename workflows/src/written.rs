//! Files that people write, in TOML: every problem of one at once, each with its line.

use std::fmt;

use serde::de::DeserializeOwned;
use toml::Spanned;

use crate::template::Template;
use crate::transfer::TransferTo;

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1; `None` for what is not about one.
    pub line: Option<usize>,
    /// Where in the data, as `stages[1].next[0].to`; empty for what is no TOML.
    pub place: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        match self.place.as_str() {
            "" => write!(f, "{}", self.problem),
            place => write!(f, "{place}: {}", self.problem),
        }
    }
}

/// All that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// One, which is about the file as a whole.
    pub(crate) fn whole(problem: String) -> Self {
        Self(vec![Problem { line: None, place: String::new(), problem }])
    }
}

/// A text with its place in the file.
pub(crate) type Told = Spanned<String>;

/// The longest id of a voice, in bytes.
const MOST_VOICE: usize = 200;

/// A file that is being read, with what is found wrong with it.
pub(crate) struct Page<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Page<'a> {
    /// Reads the data, of which nothing is checked yet but its shape.
    ///
    /// # Errors
    /// If it is no TOML, or of another shape.
    pub(crate) fn read<F: DeserializeOwned>(text: &'a str) -> Result<(Self, F), Problems> {
        match toml::from_str(text) {
            Ok(file) => Ok((Self { text, problems: vec![] }, file)),
            Err(error) => {
                let line = error.span().map(|span| line_of(text, span.start));
                let problem = error.message().trim().to_owned();
                Err(Problems(vec![Problem { line, place: String::new(), problem }]))
            }
        }
    }

    /// What was made of it, if nothing is wrong.
    ///
    /// # Errors
    /// All that is wrong, in the order of the lines.
    pub(crate) fn end<T>(mut self, made: T) -> Result<T, Problems> {
        if self.problems.is_empty() {
            return Ok(made);
        }
        self.problems.sort_by_key(|problem| problem.line);
        Err(Problems(self.problems))
    }

    /// Something is wrong with what stands here.
    pub(crate) fn wrong<V>(&mut self, at: &Spanned<V>, place: impl Into<String>, problem: impl Into<String>) {
        let line = Some(line_of(self.text, at.span().start));
        self.problems.push(Problem { line, place: place.into(), problem: problem.into() });
    }

    /// Something is missing, or is wrong with more than one line.
    pub(crate) fn lacks(&mut self, place: impl Into<String>, problem: impl Into<String>) {
        self.problems.push(Problem { line: None, place: place.into(), problem: problem.into() });
    }

    /// What people call it.
    pub(crate) fn name(&mut self, name: &Told, place: &str) -> String {
        let text = name.get_ref().trim();
        if text.is_empty() || text.chars().count() > 100 {
            self.wrong(name, place, "give a name of up to 100 characters");
        }
        text.to_owned()
    }

    /// A BCP 47 tag.
    pub(crate) fn language(&mut self, language: &Told, place: &str) -> String {
        let tag = language.get_ref();
        let parts: Vec<&str> = tag.split('-').collect();
        let alphanumeric =
            |part: &&str| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
        let primary = parts.first().is_some_and(|first| (2..=3).contains(&first.len()));
        if !primary || !parts.iter().all(alphanumeric) {
            self.wrong(language, place, format!("`{tag}` is no language tag; give one as en-IN"));
        }
        tag.clone()
    }

    /// A speech service's id of a voice.
    pub(crate) fn voice(&mut self, voice: &Told, place: &str) -> Option<String> {
        let id = voice.get_ref();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if (1..=MOST_VOICE).contains(&id.len()) && id.bytes().all(plain) {
            return Some(id.clone());
        }
        let problem = format!("`{id}` is no id of a voice; copy it from the speech service's list of voices");
        self.wrong(voice, place, problem);
        None
    }

    /// A key of a telephone.
    pub(crate) fn key(&mut self, key: &Told, place: &str) -> Option<char> {
        let mut chars = key.get_ref().chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c.is_ascii_digit() || c == '*' || c == '#' => Some(c),
            _ => {
                self.wrong(key, place, "give one key of a telephone: a digit, * or #");
                None
            }
        }
    }

    /// Whom a call is handed to.
    pub(crate) fn transfer_to(&mut self, to: &Told, place: &str) -> String {
        if let Err(problem) = to.get_ref().parse::<TransferTo>() {
            self.wrong(to, place, problem.to_string());
        }
        to.get_ref().clone()
    }

    /// A text with places to fill.
    pub(crate) fn template(&mut self, text: &Told, place: impl Into<String>) -> Template {
        match text.get_ref().trim().parse() {
            Ok(template) => template,
            Err(problem) => {
                let problem = problem.to_string();
                self.wrong(text, place, problem);
                Template::default()
            }
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}
