//! Environment over file over default, and all of them under the command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use serde::Serialize;

use super::file::{self, Entry, keys};
use super::names::aliases;

/// Something that is wrong with the environment or the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A variable's name, or a file and a line.
    pub place: String,
    /// What is wrong, and what would be right.
    pub says: String,
}

impl Problem {
    pub(super) fn new(place: &str, says: String) -> Self {
        Self { place: place.to_owned(), says }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.says)
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// The command line.
    Flag {
        /// As `--listen`.
        name: String,
    },
    /// The environment.
    Environment {
        /// The variable.
        name: String,
    },
    /// The configuration file.
    File {
        /// Which.
        path: PathBuf,
        /// Where in it, from 1.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { name } | Self::Environment { name } => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What the environment and the file say. Not `Debug`: some of it is secret.
pub struct Layers {
    given: BTreeMap<String, Given>,
    file: Option<PathBuf>,
}

struct Given {
    texts: Vec<String>,
    source: Source,
}

impl Layers {
    /// Reads both, and finds all that is wrong with either.
    pub(super) fn read(
        settings: &Command,
        file: Option<PathBuf>,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Vec<Problem>> {
        let mut layers = Self { given: BTreeMap::new(), file };
        let mut problems = vec![];
        if let Some(path) = &layers.file {
            match file::read(settings, path) {
                Ok(entries) => layers.given.extend(entries.into_iter().map(|entry| from_file(path, entry))),
                Err(found) => problems.extend(found),
            }
        }
        for setting in settings.get_arguments().filter(|arg| arg.get_id().as_str().contains('.')) {
            match from_environment(setting, environment) {
                Ok(Some(given)) => {
                    layers.given.insert(setting.get_id().to_string(), given);
                }
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(layers) } else { Err(problems) }
    }

    /// The file that was read.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Where a setting's value comes from, if the command line says nothing.
    pub fn source(&self, key: &str) -> Source {
        self.given.get(key).map_or(Source::Default, |given| given.source.clone())
    }

    /// The settings whose value is the file's.
    pub fn from_file(&self) -> impl Iterator<Item = &str> {
        let of_file = self.given.iter().filter(|(_, given)| matches!(given.source, Source::File { .. }));
        of_file.map(|(key, _)| key.as_str())
    }

    /// The command with these values in the place of its defaults, so that flags come on top of them.
    #[must_use]
    pub fn under(&self, command: Command) -> Command {
        let command = command.mut_args(|arg| match self.given.get(arg.get_id().as_str()) {
            // They are not shown in help, where a secret could be among them: `config show` is for that.
            Some(given) => arg.default_values(given.texts.clone()).hide_default_value(true),
            None => arg,
        });
        command.mut_subcommands(|command| self.under(command))
    }
}

fn from_file(path: &Path, entry: Entry) -> (String, Given) {
    let source = Source::File { path: path.to_owned(), line: entry.line };
    (entry.key, Given { texts: entry.texts, source })
}

/// What the environment says of a setting, by all of its names.
fn from_environment(
    setting: &Arg,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<Given>, Problem> {
    let own = setting.get_env().and_then(|name| name.to_str());
    let names = own.into_iter().chain(aliases(setting.get_id().as_str()).iter().copied());
    let mut found: Option<(&str, String)> = None;
    for name in names {
        let Some(value) = environment(name) else { continue };
        let text = value.into_string().map_err(|_| Problem::new(name, "is not UTF-8".into()))?;
        check(setting, &parts(setting, &text)).map_err(|says| Problem::new(name, says))?;
        match &found {
            Some((before, other)) if other.trim_end_matches('/') != text.trim_end_matches('/') => {
                let says = "are both set and say different things of the same; keep one of them";
                return Err(Problem { place: format!("{before} and {name}"), says: says.into() });
            }
            Some(_) => {}
            None => found = Some((name, text)),
        }
    }
    Ok(found.map(|(name, text)| {
        let source = Source::Environment { name: name.to_owned() };
        Given { texts: parts(setting, &text), source }
    }))
}

fn parts(setting: &Arg, text: &str) -> Vec<String> {
    match setting.get_value_delimiter() {
        Some(delimiter) => text.split(delimiter).map(str::to_owned).collect(),
        None => vec![text.to_owned()],
    }
}

/// Whether the command line would take these values. What is wrong is told without the value, which may be
/// secret.
pub(super) fn check(setting: &Arg, texts: &[String]) -> Result<(), String> {
    let Some(flag) = setting.get_long() else { return Ok(()) };
    if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
        return Err("it is empty; give a value, or leave it out".into());
    }
    let alone = setting.clone().env(None::<&str>);
    let command = Command::new("check").no_binary_name(true).disable_help_flag(true).arg(alone);
    let given = texts.iter().map(|text| format!("--{flag}={text}"));
    let repeated = setting.get_value_delimiter().is_none() && texts.len() > 1;
    match command.try_get_matches_from(given) {
        Ok(_) if !repeated => Ok(()),
        Ok(_) => Err("one value is wanted".into()),
        Err(error) => Err(told(&error)),
    }
}

fn told(error: &clap::Error) -> String {
    let valid = error.context().find_map(|(kind, value)| match (kind, value) {
        (ContextKind::ValidValue, ContextValue::Strings(values)) => Some(values.join(", ")),
        _ => None,
    });
    let cause = std::error::Error::source(error).map(ToString::to_string);
    match (error.kind(), valid, cause) {
        (ErrorKind::InvalidValue, Some(valid), _) if !valid.is_empty() => format!("none of: {valid}"),
        (.., Some(cause)) => cause,
        (kind, ..) => kind.to_string(),
    }
}

/// A command that does not look at the environment, where that could not be read.
#[must_use]
pub(crate) fn without_environment(command: Command) -> Command {
    let known: Vec<String> = keys(&command).map(str::to_owned).collect();
    let command = command.mut_args(|arg| {
        if known.iter().any(|key| arg.get_id() == key) { arg.env(None::<&str>) } else { arg }
    });
    command.mut_subcommands(without_environment)
}
