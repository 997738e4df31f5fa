//! The command line: a subcommand per task.

mod accounts;
mod campaigns;
mod config;
mod consents;
mod doctor;
mod exit;
mod exports;
mod forecast;
mod imports;
mod keys;
mod leads;
mod limits;
mod orders;
mod output;
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
use crate::{bench, demo};
pub use exit::{EXIT_CODES, Exit, WrongUsage};
use orders::confirmed;
use output::Output;
pub(crate) use output::{columns, table};

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
    /// Play Exotel on a port of this machine, ringing nobody: for trying an account out.
    Emulator {
        /// The port.
        #[arg(long, default_value_t = 7800)]
        port: u16,
        /// How much faster than life its phones are.
        #[arg(long, default_value_t = 1.0)]
        speed: f64,
        /// End when standard input does, and so with the program that started it.
        #[arg(long, hide = true)]
        until_input_ends: bool,
    },
    /// Measure what this machine carries: nothing to set up, nobody is called.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Serve: webhooks, streams, health and metrics, and the work itself.
    Serve(Serving),
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
    /// Google Sheets that campaigns take their leads from.
    #[command(subcommand)]
    Sheet(sheets::SheetCommand),
    /// One person to call.
    #[command(subcommand)]
    Lead(leads::LeadCommand),
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
    log(&cli.global, &cli.command);
    let output = Output { json: cli.global.json };
    let judging = matches!(cli.command, Command::Judge(_));
    match carry_out(cli, &given, config, &output).await {
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
    match cli.command {
        Command::Config(command) => config::run(&command, &config, given, output),
        Command::Completions { shell } => completions(shell, output),
        Command::Demo(args) => return demo::run(global, &args, output.json).await,
        Command::Serve(serving) => app::serve(global, &serving).await?,
        Command::Emulator { port, speed, until_input_ends } => {
            let ended = async {
                match until_input_ends {
                    true => input_ended().await,
                    false => std::future::pending().await,
                }
            };
            emulate(port, speed, output, ended).await?;
        }
        Command::Bench(command) => return bench::run(global, command, output.json).await,
        Command::Doctor(args) => return Ok(doctor::run(&args, global, Ok(config), output).await),
        Command::Migrate => {
            open(global).await?.close().await?;
            output.say("the schema is up to date", &serde_json::json!({ "migrated": true }));
        }
        Command::Client(command) => {
            with(global, async |app| accounts::client(app, command, &global.actor, output).await).await?;
        }
        Command::Account(command) => {
            let account =
                async |app: &App| accounts::account(app, command, settings, &global.actor, output).await;
            return with(global, account).await;
        }
        Command::Number(command) => {
            with(global, async |app| limits::number(app, command, &global.actor, output).await).await?;
        }
        Command::Key(command) => {
            with(global, async |app| keys::run(app, command, &global.actor, output).await).await?;
        }
        Command::Campaign(command) => {
            let new = &settings.new_campaign;
            with(global, async |app| campaigns::run(app, command, new, &global.actor, output).await).await?;
        }
        Command::Leads(command) => {
            return with(global, async |app| leads::many(app, command, &global.actor, output).await).await;
        }
        Command::Import(command) => {
            return with(global, async |app| imports::run(app, command, &global.actor, output).await).await;
        }
        Command::Export(args) => {
            with(global, async |app| exports::export(app, args, output).await).await?;
        }
        Command::Analytics(args) => {
            with(global, async |app| exports::analytics(app, args, output).await).await?;
        }
        Command::Sheet(command) => {
            return with(global, async |app| sheets::run(app, command, &global.actor, output).await).await;
        }
        Command::Lead(command) => {
            return with(global, async |app| leads::one(app, command, &global.actor, output).await).await;
        }
        Command::Consent(command) => {
            with(global, async |app| consents::run(app, command, &global.actor, output).await).await?;
        }
        Command::Suppression(command) => {
            let run = async |app: &App| suppressions::run(app, command, &global.actor, output).await;
            return with(global, run).await;
        }
        Command::Subscriber(command) => {
            with(global, async |app| subscribers::run(app, command, &global.actor, output).await).await?;
        }
        Command::Operation(command) => {
            with(global, async |app| orders::run(app, command, &global.actor, output).await).await?;
        }
        Command::Judge(args) => return with(global, async |app| leads::judge(app, args, output).await).await,
    }
    Ok(ExitCode::SUCCESS)
}

fn completions(shell: Shell, output: &Output) {
    let mut script = vec![];
    clap_complete::generate(shell, &mut Cli::command(), "outdial", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.say(script.trim_end(), &serde_json::json!({ "shell": shell.to_string(), "script": script }));
}

/// Plays Exotel until Ctrl-C, or until `ended` resolves.
async fn emulate(
    port: u16,
    speed: f64,
    output: &Output,
    ended: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    use outdial_emulators::exotel::{Config, Fallback, Limits, serve};
    let limits = Limits { calls_per_minute: None, ..Limits::default() };
    let config = Config { port, speed, limits, fallback: Fallback::Mix, ..Config::default() };
    let account = config.accounts.first().cloned().unwrap_or_default();
    let started = |url: &str| {
        let text = format!(
            "Exotel is played on {url}; its account is {} with key {} and token {}. Ctrl-C ends it.",
            account.sid, account.api_key, account.api_token
        );
        output.say(text, &serde_json::json!({ "base_url": url, "account": account }));
    };
    let stop = app::stop_signal();
    let stop = async {
        tokio::select! {
            () = stop => {}
            () = ended => {}
        }
    };
    serve(config, started, stop).await?;
    Ok(())
}

/// A thread of its own: tokio's standard input would keep the runtime from ending while it reads.
async fn input_ended() {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = tell.send(());
    });
    let _ = told.await;
}

async fn open(global: &Global) -> anyhow::Result<App> {
    // Commands make no calls, so no carrier needs to reach them.
    App::open(global, Url::parse("http://127.0.0.1/")?).await
}

async fn with<T>(global: &Global, work: impl AsyncFnOnce(&App) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let app = open(global).await?;
    let done = work(&app).await;
    app.close().await?;
    done
}

/// Logs go to standard error: what a command prints stays clean.
fn log(global: &Global, command: &Command) {
    use tracing_subscriber::EnvFilter;
    let usual = match command {
        Command::Serve(_) => "info,sqlx=warn",
        _ => "error",
    };
    let filter = EnvFilter::try_new(global.log.as_deref().unwrap_or(usual));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(usual));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    if global.log_json { lines.json().init() } else { lines.init() }
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
