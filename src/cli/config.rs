//! `outdial config`: what is set, and what could be.

use clap::{ArgMatches, Subcommand};
use serde_json::json;

use super::output::{Output, table};
use crate::config::{Config, planned, reference as written, shown};

#[derive(Subcommand, Debug)]
pub(super) enum ConfigCommand {
    /// Show every setting as it holds, and where it came from. Secrets are not shown.
    Show,
    /// Print the reference of all settings, in Markdown.
    Reference,
}

pub(super) fn run(command: &ConfigCommand, config: &Config, given: &ArgMatches, output: &Output) {
    match command {
        ConfigCommand::Show => show(config, given, output),
        ConfigCommand::Reference => reference(output),
    }
}

fn show(config: &Config, given: &ArgMatches, output: &Output) {
    let settings = shown(config, given);
    let planned = planned();
    let rows = settings.iter().map(|setting| {
        vec![setting.key.clone(), setting.value.clone().unwrap_or("–".into()), setting.from.to_string()]
    });
    let file = match config.layers.file() {
        Some(path) => format!("configuration file: {}", path.display()),
        None => "no configuration file".into(),
    };
    let mut text = format!("{file}\n{}", table(&["setting", "value", "from"], rows));
    for (name, meaning) in &planned {
        text.push_str(&format!("\n{name} is set, used by nothing yet (planned). {meaning}"));
    }
    let planned: Vec<_> =
        planned.iter().map(|(name, meaning)| json!({ "name": name, "for": meaning })).collect();
    let value = json!({ "file": config.layers.file(), "settings": settings, "planned": planned });
    output.say(text, &value);
}

/// Needs no configuration, and so works with one that is wrong.
pub(super) fn reference(output: &Output) {
    let text = written();
    output.say(text.trim_end(), &json!({ "markdown": text }));
}
