//! The command line: a subcommand per task.

mod accounts;
mod api;
mod backend;
mod campaigns;
mod config;
mod consents;
mod conversations;
mod doctor;
mod emulator;
mod exit;
mod exports;
mod forecast;
mod imports;
mod jobs;
mod keys;
mod leads;
mod limits;
mod orders;
mod output;
mod people;
mod playbooks;
mod retention;
mod sheets;
mod subscribers;
mod suppressions;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use url::Url;

use crate::app::{self, App};
use crate::config::{self as configuration, Config, ConfigError, Global, Serving};
use crate::traces::Traces;
use crate::{bench, demo};
use backend::{Backend, Way};
pub(crate) use conversations::line as line_of_turn;
use exit::usage;
pub use exit::{EXIT_CODES, Exit, WrongUsage};
use orders::confirmed;
use output::Output;
pub(crate) use output::{columns, table};

/// What to do instead, for commands about the database itself.
const DATABASE: &str = "give it where the database is, without a server; on the command line --database-url or \
                        --data-dir takes its place";
/// What to do instead, for commands that bring all that they need.
const ALONE: &str = "it brings all that it needs; leave the server out";

/// Calls people who asked, or agreed, to be called: every lead a durable workflow.
#[derive(Parser, Debug)]
#[command(name = "outdial", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Watch a campaign run from a CSV to its outcomes: nothing to set up, nobody is called.
    Demo(demo::Args),
    /// Play a carrier, or a service that conversations need, on a port of this machine: rings nobody.
    Emulator(emulator::EmulatorArgs),
    /// Measure what this machine carries: nothing to set up, nobody is called.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Serve: webhooks, streams, health and metrics, and the work itself.
    Serve(Box<Serving>),
    /// Bring the database's schema up to date.
    Migrate,
    /// Look at everything that outdial needs, and say what is wrong and what to do. Rings nobody.
    Doctor(doctor::DoctorArgs),
    /// What is set, and what could be.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print a script that completes commands and flags in a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Send any request to the API of a server, for what has no command.
    Api(api::ApiArgs),
    /// Tenants.
    #[command(subcommand)]
    Client(accounts::ClientCommand),
    /// Accounts with carriers.
    #[command(subcommand)]
    Account(accounts::AccountCommand),
    /// Numbers that accounts call from.
    #[command(subcommand)]
    Number(limits::NumberCommand),
    /// Who may speak to the API.
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// What is done in the background.
    #[command(subcommand)]
    Job(jobs::JobCommand),
    /// Sets of leads called under the same rules.
    #[command(subcommand)]
    Campaign(campaigns::CampaignCommand),
    /// People to call, many at once.
    #[command(subcommand)]
    Leads(leads::LeadsCommand),
    /// Files of leads: what came of them, and undoing one.
    #[command(subcommand)]
    Import(imports::ImportCommand),
    /// Take a campaign's leads, outcomes, attempts, calls or transcripts out, as CSV or lines of JSON.
    Export(exports::ExportArgs),
    /// Say how calls go: by outcome, hour, weekday and attempt; how long, and for how much.
    Analytics(exports::AnalyticsArgs),
    /// What our own agent says and asks in calls, in versions that stay.
    #[command(subcommand)]
    Playbook(playbooks::PlaybookCommand),
    /// Google Sheets that campaigns take their leads from.
    #[command(subcommand)]
    Sheet(sheets::SheetCommand),
    /// One person to call.
    #[command(subcommand)]
    Lead(leads::LeadCommand),
    /// People who want to be forgotten.
    #[command(subcommand)]
    Person(people::PersonCommand),
    /// What our own agent says and hears, as it goes on.
    #[command(subcommand)]
    Conversation(conversations::ConversationCommand),
    /// What people agreed to, and took back.
    #[command(subcommand)]
    Consent(consents::ConsentCommand),
    /// Numbers that must not be called.
    #[command(subcommand)]
    Suppression(suppressions::SuppressionCommand),
    /// Who is told of events, and what they were told.
    #[command(subcommand)]
    Subscriber(subscribers::SubscriberCommand),
    /// Orders for many leads that are carried out in the background.
    #[command(subcommand)]
    Operation(orders::OperationCommand),
    /// Show how long what is stored is kept, how large it is, and what would be removed now for its age. Removes nothing.
    Retention(Box<retention::RetentionArgs>),
    /// Check over the whole database that the four promises were kept. Exits with 0 if they were, with
    /// 1 if one was broken or something stored cannot be read, and with 4 if there is no verdict.
    Judge(leads::JudgeArgs),
}

/// Runs a command to its end: configuration first, and the command line on top of it.
pub async fn run(arguments: Vec<OsString>) -> ExitCode {
    let config = configuration::load(&arguments);
    let command = match &config {
        Ok(config) => config.layers.under(Cli::command()),
        // What is wrong with it is told once the command line has been understood.
        Err(_) => configuration::without_environment(Cli::command()),
    };
    let given = command.get_matches_from(arguments);
    let cli = match Cli::from_arg_matches(&given) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let output = Output { json: cli.global.json };
    let traces = match log(&cli.global, &cli.command) {
        Ok(traces) => traces,
        Err(error) => {
            output.error(&error);
            return Exit::of(&error).into();
        }
    };
    let judging = matches!(cli.command, Command::Judge(_));
    let done = Box::pin(carry_out(cli, &given, config, &output)).await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    match done {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            let exit = Exit::of(&error);
            // To a script, a broken promise and no verdict are not the same.
            if judging { exit.without_verdict() } else { exit }.into()
        }
    }
}

async fn carry_out(
    cli: Cli,
    given: &ArgMatches,
    config: Result<Config, ConfigError>,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let global = &cli.global;
    let config = match &cli.command {
        // These tell about the program, and work under a configuration that is wrong.
        Command::Completions { shell } => {
            completions(*shell, output);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Config(config::ConfigCommand::Reference) => {
            config::reference(output);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Doctor(args) if config.is_err() => {
            return Ok(doctor::run(args, global, config, output).await);
        }
        _ => config?,
    };
    let settings = &config.settings;
    let way = Way::chosen(global, &config, given)?;
    match cli.command {
        Command::Config(command) => config::run(&command, &config, given, output),
        Command::Completions { shell } => completions(shell, output),
        Command::Demo(args) => {
            way.not_a_server("demo", ALONE)?;
            return demo::run(global, &args, output.json).await;
        }
        Command::Serve(serving) => {
            way.not_a_server("serve", DATABASE)?;
            app::serve(global, &serving).await?;
        }
        Command::Emulator(args) => {
            way.not_a_server("emulator", ALONE)?;
            args.run(output).await?;
        }
        Command::Bench(command) => {
            way.not_a_server("bench", ALONE)?;
            return bench::run(global, command, output.json).await;
        }
        Command::Doctor(args) => {
            return Ok(match &way {
                Way::Database => doctor::run(&args, global, Ok(config), output).await,
                Way::Server(named) => doctor::run_for(named, &config, output).await,
            });
        }
        Command::Migrate => {
            way.not_a_server("migrate", DATABASE)?;
            open(global).await?.close().await?;
            output.say("the schema is up to date", &serde_json::json!({ "migrated": true }));
        }
        Command::Api(args) => {
            let Way::Server(named) = &way else {
                return Err(usage(
                    "`outdial api` speaks to a server: say which with --server, or OUTDIAL_SERVER",
                ));
            };
            args.run(&named.client()?, output).await?;
        }
        Command::Client(command) => {
            with(&way, global, async |to| accounts::client(to, command, output).await).await?;
        }
        Command::Account(command) => {
            return with(&way, global, async |to| accounts::account(to, command, settings, output).await)
                .await;
        }
        Command::Number(command) => {
            with(&way, global, async |to| limits::number(to, command, output).await).await?;
        }
        Command::Job(command) => {
            return with(&way, global, async |to| jobs::run(to, command, output).await).await;
        }
        Command::Key(command) => {
            with(&way, global, async |to| keys::run(to, command, output).await).await?;
        }
        Command::Campaign(command) => {
            let new = &settings.new_campaign;
            with(&way, global, async |to| campaigns::run(to, command, new, output).await).await?;
        }
        Command::Leads(command) => {
            return with(&way, global, async |to| leads::many(to, command, output).await).await;
        }
        Command::Import(command) => {
            return with(&way, global, async |to| imports::run(to, command, output).await).await;
        }
        Command::Export(args) => {
            with(&way, global, async |to| exports::export(to, args, output).await).await?;
        }
        Command::Analytics(args) => {
            with(&way, global, async |to| exports::analytics(to, args, output).await).await?;
        }
        // It is about a file alone.
        Command::Playbook(playbooks::PlaybookCommand::Check { file }) => {
            return playbooks::check(&file, output);
        }
        Command::Playbook(command) => {
            return with(&way, global, async |to| playbooks::run(to, command, output).await).await;
        }
        Command::Sheet(command) => {
            return with(&way, global, async |to| sheets::run(to, command, output).await).await;
        }
        Command::Lead(command) => {
            return with(&way, global, async |to| leads::one(to, command, output).await).await;
        }
        Command::Person(command) => {
            with(&way, global, async |to| people::run(to, command, output).await).await?;
        }
        Command::Conversation(command) => {
            return with(&way, global, async |to| conversations::run(to, command, output).await).await;
        }
        Command::Consent(command) => {
            with(&way, global, async |to| consents::run(to, command, output).await).await?;
        }
        Command::Suppression(command) => {
            return with(&way, global, async |to| suppressions::run(to, command, output).await).await;
        }
        Command::Subscriber(command) => {
            with(&way, global, async |to| subscribers::run(to, command, output).await).await?;
        }
        Command::Operation(command) => {
            with(&way, global, async |to| orders::run(to, command, output).await).await?;
        }
        Command::Retention(args) => {
            way.not_a_server("retention", DATABASE)?;
            let app = open(global).await?;
            let shown = retention::run(&app, &args, output).await;
            app.close().await?;
            shown?;
        }
        Command::Judge(args) => {
            way.not_a_server("judge", DATABASE)?;
            let app = open(global).await?;
            let judged = leads::judge(&app, args, output).await;
            app.close().await?;
            return judged;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn completions(shell: Shell, output: &Output) {
    let mut script = vec![];
    clap_complete::generate(shell, &mut Cli::command(), "outdial", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.say(script.trim_end(), &serde_json::json!({ "shell": shell.to_string(), "script": script }));
}

async fn open(global: &Global) -> anyhow::Result<App> {
    // Commands make no calls, so no carrier needs to reach them.
    App::open(global, Url::parse("http://127.0.0.1/")?).await
}

/// Does a command's work at the database, or through the server.
async fn with<T>(
    way: &Way,
    global: &Global,
    work: impl AsyncFnOnce(&Backend<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    match way {
        Way::Server(named) => work(&Backend::Server(&named.client()?)).await,
        Way::Database => {
            let app = open(global).await?;
            let done = work(&Backend::Database(&app, &global.actor)).await;
            app.close().await?;
            done
        }
    }
}

/// Logs go to standard error: what a command prints stays clean. Traces go to their collector, if one is named.
fn log(global: &Global, command: &Command) -> anyhow::Result<Option<Traces>> {
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    use tracing_subscriber::{EnvFilter, Layer};
    let usual = match command {
        Command::Serve(_) => "info,sqlx=warn",
        _ => "error",
    };
    let filter = EnvFilter::try_new(global.log.as_deref().unwrap_or(usual));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(usual));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
    let lines = if global.log_json { lines.json().boxed() } else { lines.boxed() };
    let traces =
        global.otlp.as_ref().map(|collector| Traces::to(collector, global.trace_ratio)).transpose()?;
    let spans = traces.as_ref().map(|traces| {
        let ours = filter_fn(|meta| meta.is_span() && meta.target().starts_with("outdial"));
        tracing_opentelemetry::layer().with_tracer(traces.tracer()).with_filter(ours)
    });
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).init();
    Ok(traces)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn every_command_can_be_given() {
        Cli::command().debug_assert();
    }
}
