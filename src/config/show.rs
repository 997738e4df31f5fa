//! The settings as they hold, each with where it came from.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory};
use serde::Serialize;

use super::names::PLANNED;
use super::{Config, Settings, Source};

/// What is shown in the place of a secret.
const SECRET: &str = "***";

/// A setting as it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its place in the file, as `serve.listen`.
    pub key: String,
    /// Its value, or stars in the place of a secret; `None` if it has none.
    pub value: Option<String>,
    /// Where it came from.
    pub from: Source,
}

/// All settings. `given` is what the command line said.
pub fn shown(config: &Config, given: &ArgMatches) -> Vec<Shown> {
    let command = Settings::command();
    let below = config.layers.under(command.clone()).mut_args(|arg| arg.env(None::<&str>));
    let below = below.try_get_matches_from([""; 0]).unwrap_or_default();
    let settings = command.get_arguments().filter(|arg| arg.get_id().as_str().contains('.'));
    settings.map(|setting| one(setting, config, given, &below)).collect()
}

fn one(setting: &Arg, config: &Config, given: &ArgMatches, below: &ArgMatches) -> Shown {
    let key = setting.get_id().as_str();
    let known = given.try_contains_id(key).is_ok();
    let flagged = known && given.value_source(key) == Some(ValueSource::CommandLine);
    let (matches, from) = match flagged {
        true => (given, Source::Flag { name: format!("--{}", setting.get_long().unwrap_or(key)) }),
        false => (below, config.layers.source(key)),
    };
    let raw = matches.try_get_raw(key).ok().flatten();
    let value = raw.map(|parts| {
        let parts: Vec<_> = parts.map(|part| part.to_string_lossy().into_owned()).collect();
        if setting.is_hide_env_values_set() { SECRET.to_owned() } else { parts.join(",") }
    });
    Shown { key: key.to_owned(), value, from }
}

/// The variables that are set and that nothing reads yet, each with what it is for. Their values are not read.
pub fn planned() -> Vec<(&'static str, &'static str)> {
    PLANNED.into_iter().filter(|(name, _)| std::env::var_os(name).is_some()).collect()
}
