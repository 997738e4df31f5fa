//! The reference of all settings, in Markdown, written from the structs that hold them.

use std::fmt::Write;

use clap::{Arg, CommandFactory};

use super::Settings;
use super::file::Kind;
use super::names::{PLANNED, aliases};

/// What stands before the tables.
const OPENING: &str = "\
# Configuration

<!-- Written by `outdial config reference`; edit the structs in src/config/ instead. -->

A value is taken from the command line, else from the environment, else from the configuration file, else it is
the default. The file is the one that `--config` or `OUTDIAL_CONFIG` names; without them `outdial.toml` in the
working directory, else in the user's configuration directory (`~/.config/outdial/` on Linux). It is TOML:

```toml
";

/// A file that is right; a test reads it.
pub(super) const EXAMPLE: &str = "\
[database]
url = \"postgres://outdial@db.example.com/outdial\"

[serve]
listen = \"0.0.0.0:7700\"
public_url = \"https://calls.example.com\"
role = [\"api\", \"worker\"]

[log]
filter = \"info,sqlx=warn\"
json = true

[new_campaign]
hours_start = \"10:00\"
hours_end = \"18:30\"
max_call = \"5min\"
";

/// What stands between.
const RULES: &str = "\
```

Unknown names and wrong types are refused, with file, line and the nearest known name. Lengths of time are
written with their unit. A variable that is set and empty is refused as well: leave it out instead.
`outdial config show` prints what holds, and where it came from; secrets are never printed. A file with
secrets in it should be readable by its owner only (`chmod 600`), which `outdial doctor` looks at.
";

/// The sections, in their order, with what they are about.
const SECTIONS: [(&str, &str); 14] = [
    ("server", "For commands that are given to a running server, instead of to the database."),
    ("database", "For every command."),
    ("events", "For every command."),
    ("command", "For every command."),
    ("log", "For every command."),
    ("serve", "For `outdial serve`."),
    (
        "speech",
        "For `outdial serve`: what conversations go through. All four of keys and voice, or none are held.",
    ),
    (
        "retention",
        "For `outdial serve` with the role worker, the same in all of them, and for `outdial retention`, which shows what \
         would be removed now.",
    ),
    ("exotel", "For `outdial account add`, so that credentials need not be typed."),
    ("retell", "The same for accounts with Retell."),
    ("telnyx", "The same for accounts with Telnyx."),
    ("livekit", "The same for accounts with LiveKit."),
    ("new_account", "For `outdial account add`; accounts that are there already do not change."),
    (
        "new_campaign",
        "For `outdial campaign create`; a rules file and flags come before these, and campaigns that are there already do not change.",
    ),
];

/// The reference.
pub fn reference() -> String {
    let command = Settings::command();
    let mut text = format!("{OPENING}{EXAMPLE}{RULES}");
    for (section, about) in SECTIONS {
        let _ = write!(
            text,
            "\n## [{section}]\n\n{about}\n\n\
             | Name | Environment | Flag | In the file | Default | Meaning |\n|---|---|---|---|---|---|\n"
        );
        for setting in command.get_arguments() {
            let key = setting.get_id().as_str();
            if key.split_once('.').is_some_and(|(of, _)| of == section) {
                text.push_str(&row(setting, key));
            }
        }
    }
    text.push_str("\n## Known, and used by nothing yet\n\n| Environment | Planned for |\n|---|---|\n");
    for (name, meaning) in PLANNED {
        let _ = writeln!(text, "| `{name}` | {meaning} |");
    }
    text
}

fn row(setting: &Arg, key: &str) -> String {
    let own = setting.get_env().and_then(|name| name.to_str());
    let names = own.into_iter().chain(aliases(key).iter().copied());
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let flag = setting.get_long().filter(|_| !setting.is_hide_set());
    let flag = flag.map(|flag| format!("`--{flag}`")).unwrap_or_default();
    let defaults: Vec<_> = setting.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = if defaults.is_empty() { "–".to_owned() } else { format!("`{}`", defaults.join(",")) };
    let kind = match Kind::of(setting) {
        Kind::Text => "text",
        Kind::Whole => "number",
        Kind::Yes => "true or false",
        Kind::List => "list of texts",
        Kind::Length => "text with unit",
    };
    let secret = if setting.is_hide_env_values_set() { " Secret." } else { "" };
    let names = names.join(", ");
    format!("| `{key}` | {names} | {flag} | {kind} | {default} | {}{secret} |\n", meaning(setting))
}

/// A doc comment in one line, as a cell of a table.
fn meaning(setting: &Arg) -> String {
    let help = setting.get_long_help().or(setting.get_help()).map(ToString::to_string).unwrap_or_default();
    let line = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    if line.ends_with('.') { line } else { format!("{line}.") }
}
