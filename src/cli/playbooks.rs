//! `outdial playbook`: what our own agent says and asks in calls, and the flows of calls that no agent holds.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use outdial_workflows::ivr::Flow;
use outdial_workflows::playbook::{
    Guide, LONGEST, MOST_KNOWLEDGE, Playbook, Problem, Problems, Source, read_with,
};
use serde_json::json;

use super::backend::{Backend, Kept};
use super::exit::{Exit, usage};
use super::output::{Output, table};

#[derive(Subcommand, Debug)]
pub(super) enum PlaybookCommand {
    /// Say what is wrong with a playbook or a flow, each problem with its line. Nothing is stored, and no database is needed.
    Check {
        /// A TOML file. Files of knowledge are read beside it.
        file: PathBuf,
    },
    /// Add a version of a playbook or a flow, or the first one under a new name. What says the same as the latest version
    /// makes no other.
    Add {
        /// A TOML file. Files of knowledge are read beside it.
        file: PathBuf,
        /// The client, by name or id.
        #[arg(long)]
        client: String,
        /// Under which name campaigns name it; without it, the file's, without `.toml`.
        #[arg(long)]
        name: Option<String>,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// List a client's playbooks and flows, and those that come with the program.
    List {
        /// The client, by name or id.
        #[arg(long)]
        client: String,
        /// The most to show.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Print a playbook or a flow, as it was given.
    Show {
        /// Its name.
        name: String,
        /// The client, by name or id.
        #[arg(long)]
        client: String,
        /// Which version; without it, the latest. 0 is the one that comes with the program.
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// List the versions of a playbook or a flow, the newest first.
    Versions {
        /// Its name.
        name: String,
        /// The client, by name or id.
        #[arg(long)]
        client: String,
        /// The most to show.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

/// Looks at a file, and nothing else.
pub(super) fn check(file: &Path, output: &Output) -> anyhow::Result<ExitCode> {
    let given = match read(file)? {
        Ok((given, _)) => given,
        Err(problems) => return Ok(told(file, &problems, output)),
    };
    let (title, language, parts, keeps, variables): (_, _, Vec<&str>, Vec<&str>, Vec<String>) = match &given {
        Given::Playbook(it) => (
            &it.name,
            &it.language,
            it.stages.iter().map(|stage| stage.name.as_str()).collect(),
            it.fields.keys().map(String::as_str).collect(),
            it.variables().into_iter().map(ToString::to_string).collect(),
        ),
        Given::Flow(it) => (
            &it.name,
            &it.language,
            it.steps.iter().map(|step| step.name.as_str()).collect(),
            it.keeps().collect(),
            it.variables().into_iter().map(ToString::to_string).collect(),
        ),
    };
    let (kind, part, kept) = match &given {
        Given::Playbook(_) => (Guide::Playbook, "stages", "fields"),
        Given::Flow(_) => (Guide::Flow, "steps", "answers kept"),
    };
    let text = format!(
        "{}: the {} `{title}`, {language}, {} {part}, {} {kept}; it takes {}",
        file.display(),
        kind.name(),
        parts.len(),
        keeps.len(),
        if variables.is_empty() { "no variables".to_owned() } else { variables.join(", ") }
    );
    let voice = match &given {
        Given::Playbook(playbook) => &playbook.voice,
        Given::Flow(flow) => &flow.voice,
    };
    let value = json!({
        "file": file.display().to_string(), "kind": kind, "title": title, "language": language, "voice": voice,
        "stages": parts, "fields": keeps, "variables": variables, "problems": [],
    });
    output.say(text, &value);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn run(
    to: &Backend<'_>,
    command: PlaybookCommand,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    match command {
        PlaybookCommand::Check { file } => return check(&file, output),
        PlaybookCommand::Add { file, client, name, reason } => {
            let client = to.find_client(&client).await?;
            let source = match read(&file)? {
                Ok((_, source)) => source,
                Err(problems) => return Ok(told(&file, &problems, output)),
            };
            let name = match &name {
                Some(name) => name.as_str(),
                None => {
                    file.file_stem().and_then(|stem| stem.to_str()).filter(|stem| *stem != "-").ok_or_else(
                        || usage(format!("{} gives no name; say one with --name", file.display())),
                    )?
                }
            };
            let added = to.add_playbook(client, name, &source, reason.as_deref()).await?;
            let Kept { name, version, kind, .. } = &added.kept;
            let kind = kind.name();
            let text = match added.new {
                true => format!("added version {version} of the {kind} `{name}`"),
                false => format!("version {version} of the {kind} `{name}` says the same already"),
            };
            output.say(text, &added);
        }
        PlaybookCommand::List { client, limit } => {
            let found = to.playbooks(to.find_client(&client).await?, limit).await?;
            output.say(versions(&found), &found);
        }
        PlaybookCommand::Show { name, client, version } => {
            let whole = to.playbook(to.find_client(&client).await?, &name, version).await?;
            output.say(whole.source.text.trim_end(), &whole);
        }
        PlaybookCommand::Versions { name, client, limit } => {
            let found = to.playbook_versions(to.find_client(&client).await?, &name, limit).await?;
            output.say(versions(&found), &found);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn versions(found: &[Kept]) -> String {
    let rows = found.iter().map(|kept| {
        let at = kept.created_at.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
        let by = kept.created_by.clone().unwrap_or_else(|| "comes with outdial".to_owned());
        vec![kept.name.clone(), kept.kind.name().into(), kept.version.to_string(), at.unwrap_or_default(), by]
    });
    table(&["name", "kind", "version", "added", "by"], rows)
}

/// What a file holds.
enum Given {
    Playbook(Box<Playbook>),
    Flow(Box<Flow>),
}

/// A playbook or flow of a file, with the files that it names.
fn read(file: &Path) -> anyhow::Result<Result<(Given, Source), Problems>> {
    let text = text_of(file, LONGEST).with_context(|| format!("cannot read {}", file.display()))?;
    let source = Source::alone(&text);
    if source.guide() == Guide::Flow {
        return Ok(source.read_flow().map(|flow| (Given::Flow(Box::new(flow)), source)));
    }
    let beside = file.parent().unwrap_or(Path::new(""));
    let mut files = BTreeMap::new();
    let read = read_with(&text, |name| {
        let text = text_of(&beside.join(name), MOST_KNOWLEDGE).map_err(|error| error.to_string())?;
        files.insert(name.to_owned(), text.clone());
        Ok(text)
    });
    Ok(read.map(|playbook| (Given::Playbook(Box::new(playbook)), Source { text, files })))
}

/// The text of a file, or of standard input; of one that is too long, as much as shows that it is.
fn text_of(file: &Path, most: usize) -> anyhow::Result<String> {
    let mut bytes = vec![];
    let file = if file == Path::new("-") { File::open("/dev/stdin")? } else { File::open(file)? };
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).context("it is not text in UTF-8")
}

/// Says what is wrong with a file, as compilers do.
fn told(file: &Path, Problems(problems): &Problems, output: &Output) -> ExitCode {
    let lines = problems.iter().map(|Problem { line, place, problem }| {
        let line = line.map(|line| format!("{line}:")).unwrap_or_default();
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        format!("{}:{line} {place}{problem}", file.display())
    });
    let each = problems
        .iter()
        .map(|Problem { line, place, problem }| json!({ "line": line, "place": place, "problem": problem }));
    let value = json!({ "file": file.display().to_string(), "problems": each.collect::<Vec<_>>() });
    output.say(lines.collect::<Vec<_>>().join("\n"), &value);
    Exit::Refused.into()
}
