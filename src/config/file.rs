//! The configuration file: TOML, read against the settings, so that what is wrong is told by its line.

use std::any::TypeId;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, Command};
use etcetera::BaseStrategy;
use toml::de::{DeTable, DeValue};

use super::layers::{Problem, check};

/// What a file is called where none is named.
const NAME: &str = "outdial.toml";

/// Names less alike than this are not taken for each other: `listn` and `listen` are 0.8 alike.
const ALIKE: f64 = 0.5;

/// A value that a file gives, as the command line would have it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Which setting, as `serve.listen`.
    pub(super) key: String,
    /// Its parts: more than one only in lists.
    pub(super) texts: Vec<String>,
    /// Where, from 1.
    pub(super) line: usize,
}

/// The places where a file is looked for if none is named.
pub(super) fn places() -> Vec<PathBuf> {
    let users = etcetera::choose_base_strategy().ok().map(|strategy| strategy.config_dir());
    let mut places = vec![PathBuf::from(NAME)];
    places.extend(users.map(|dir| dir.join("outdial").join(NAME)));
    places
}

/// The file that `--config` names. Its value is never mistaken for another flag's: no flag here takes a value
/// that begins with a dash.
pub(super) fn named(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|argument| argument.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    None
}

/// Reads a file; `settings` says what may be in it.
pub(super) fn read(settings: &Command, path: &Path) -> Result<Vec<Entry>, Vec<Problem>> {
    let place = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|error| vec![Problem::new(&place, error.to_string())])?;
    parse(settings, &place, &text)
}

pub(super) fn parse(settings: &Command, place: &str, text: &str) -> Result<Vec<Entry>, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reading = Reading { settings, place, text, entries: vec![], problems: vec![] };
    for error in &errors {
        // The message alone: the whole error shows the line, and there may be a secret in it.
        reading.problem(error.span().unwrap_or_default(), error.message().to_owned());
    }
    // What follows from an error of form is not worth telling beside it.
    if errors.is_empty() {
        reading.sections(table.get_ref());
    }
    // Tables are kept by name; people read from the top.
    reading.problems.sort_by_key(|(line, _)| *line);
    let problems: Vec<Problem> = reading.problems.into_iter().map(|(_, problem)| problem).collect();
    if problems.is_empty() { Ok(reading.entries) } else { Err(problems) }
}

struct Reading<'a> {
    settings: &'a Command,
    place: &'a str,
    text: &'a str,
    entries: Vec<Entry>,
    /// Each with its line.
    problems: Vec<(usize, Problem)>,
}

impl Reading<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    fn problem(&mut self, span: Range<usize>, says: String) {
        let line = self.line(span.start);
        self.problems.push((line, Problem::new(&format!("{}:{line}", self.place), says)));
    }

    fn sections(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let section = name.get_ref();
            let known =
                keys(self.settings).any(|key| key.split_once('.').is_some_and(|(of, _)| of == section));
            match value.get_ref() {
                DeValue::Table(values) if known => self.values(section, values),
                _ if known => {
                    let says = format!("`{section}` is a section; begin it with a line [{section}]");
                    self.problem(name.span(), says);
                }
                _ => {
                    let says = self.unknown(section);
                    self.problem(name.span(), says);
                }
            }
        }
    }

    fn values(&mut self, section: &str, values: &DeTable<'_>) {
        for (name, value) in values {
            let key = format!("{section}.{}", name.get_ref());
            let Some(setting) = setting(self.settings, &key) else {
                let says = self.unknown(&key);
                self.problem(name.span(), says);
                continue;
            };
            let texts = texts(setting, value.get_ref());
            let checked = texts.and_then(|texts| check(setting, &texts).map(|()| texts));
            match checked {
                Ok(texts) => {
                    let line = self.line(name.span().start);
                    self.entries.push(Entry { key, texts, line });
                }
                Err(says) => self.problem(value.span(), format!("`{key}`: {says}")),
            }
        }
    }

    fn unknown(&self, given: &str) -> String {
        let kind = if given.contains('.') { "setting" } else { "section" };
        match nearest(keys(self.settings), given) {
            Some(known) => format!("unknown {kind} `{given}`; did you mean `{known}`?"),
            None => format!("unknown {kind} `{given}`; `outdial config reference` lists what there is"),
        }
    }
}

/// The names of all settings.
pub(super) fn keys(settings: &Command) -> impl Iterator<Item = &str> {
    settings.get_arguments().map(|arg| arg.get_id().as_str()).filter(|id| id.contains('.'))
}

fn setting<'a>(settings: &'a Command, key: &str) -> Option<&'a Arg> {
    settings.get_arguments().find(|arg| key.contains('.') && arg.get_id() == key)
}

/// The known name that is most like `given`: a whole name; a section's, for one; or a whole name for one
/// that was given without its section.
fn nearest<'a>(keys: impl Iterator<Item = &'a str>, given: &str) -> Option<String> {
    let alike = strsim::normalized_damerau_levenshtein;
    let candidates = keys.filter_map(|key| {
        let (section, name) = key.split_once('.')?;
        Some(match given.rsplit_once('.') {
            // Right in its name and wrong in its section is likelier than the other way around.
            Some((_, last)) if last == name => (0.99, key),
            Some(_) => (alike(given, key), key),
            None if alike(given, section) >= alike(given, name) => (alike(given, section), section),
            None => (alike(given, name), key),
        })
    });
    let best = candidates.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, key)| key.to_owned())
}

/// A value as the command line would have it, if it is of the right type.
fn texts(setting: &Arg, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let wanted = Kind::of(setting);
    match (wanted, value) {
        (Kind::Text | Kind::List, DeValue::String(text)) => Ok(vec![text.to_string()]),
        (Kind::Length, DeValue::String(text)) if text.bytes().any(|byte| byte.is_ascii_alphabetic()) => {
            Ok(vec![text.to_string()])
        }
        (Kind::Yes, DeValue::Boolean(yes)) => Ok(vec![yes.to_string()]),
        (Kind::Whole, DeValue::Integer(number)) if number.radix() == 10 => {
            Ok(vec![number.as_str().to_owned()])
        }
        (Kind::List, DeValue::Array(items)) => {
            let item = |item: &DeValue<'_>| match item {
                DeValue::String(text) => Ok(text.to_string()),
                other => Err(format!("a list of texts in quotes is wanted, and one item is {}", told(other))),
            };
            items.iter().map(|each| item(each.get_ref())).collect()
        }
        (Kind::Length, DeValue::String(_)) => Err("it lacks its unit; give it as \"10min\"".into()),
        (_, given) => Err(format!("{} is wanted, and this is {}", wanted.told(), told(given))),
    }
}

/// What a setting's value looks like in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text in quotes.
    Text,
    /// A whole number.
    Whole,
    /// True or false.
    Yes,
    /// Texts.
    List,
    /// A length of time.
    Length,
}

impl Kind {
    pub(super) fn of(setting: &Arg) -> Self {
        let parsed = setting.get_value_parser().type_id();
        match () {
            () if setting.get_value_delimiter().is_some() => Self::List,
            () if parsed == TypeId::of::<bool>() => Self::Yes,
            () if parsed == TypeId::of::<u32>() => Self::Whole,
            () if parsed == TypeId::of::<Duration>() => Self::Length,
            () => Self::Text,
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Text => "text in quotes",
            Self::Whole => "a whole number, without quotes,",
            Self::Yes => "true or false, without quotes,",
            Self::List => "a list of texts, as [\"one\", \"two\"],",
            Self::Length => "a length of time in quotes with its unit, as \"10min\",",
        }
    }
}

fn told(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
