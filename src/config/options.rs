//! What can be set, as documented structs. An argument whose id has a dot is a *setting*: the id is its place
//! in the configuration file, and everything else about it (flag, environment variable, default, meaning)
//! is read from here, by the file, by `config show` and by the reference.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use chrono::TimeDelta;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, CommandFactory, Parser};
use ipnet::IpNet;
use outdial_jobs::queue::Pace;
use outdial_jobs::sheets;
use secrecy::SecretString;
use url::Url;

use crate::http::{Access, origin};

use super::defaults::{Exotel, LiveKit, NewAccount, NewCampaign, Retell, Telnyx};
use super::retention::Retention;
use super::speech::Speech;

/// Whether a setting's value is never to be shown.
pub(crate) fn is_secret(key: &str) -> bool {
    Settings::command().get_arguments().any(|arg| arg.get_id() == key && arg.is_hide_env_values_set())
}

/// Everything that can be set, in the order of the reference.
#[derive(Parser, Clone, Debug)]
#[command(name = "settings", no_binary_name = true, disable_help_flag = true)]
pub struct Settings {
    /// What every command may be told.
    #[command(flatten)]
    pub global: Global,
    /// What proves to a server who we are.
    #[command(flatten)]
    pub api_key: ApiKey,
    /// What a serving process may be told.
    #[command(flatten)]
    pub serving: Serving,
    /// What Exotel knows us by.
    #[command(flatten)]
    pub exotel: Exotel,
    /// What Retell knows us by.
    #[command(flatten)]
    pub retell: Retell,
    /// What Telnyx knows us by.
    #[command(flatten)]
    pub telnyx: Telnyx,
    /// What LiveKit knows us by.
    #[command(flatten)]
    pub livekit: LiveKit,
    /// What new accounts are like.
    #[command(flatten)]
    pub new_account: NewAccount,
    /// What new campaigns are like.
    #[command(flatten)]
    pub new_campaign: NewCampaign,
}

/// What every command may be told.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "For every command")]
pub struct Global {
    /// The configuration file. Without it: outdial.toml in the working directory, else in the user's
    /// configuration directory, where there is one.
    #[arg(long, global = true, env = "OUTDIAL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// A running `outdial serve` to give the command to, instead of to the database: where it is reached, as
    /// `https://calls.example.com`. It takes a key, from OUTDIAL_API_KEY or server.api_key of the configuration
    /// file. On the command line, this and --database-url take the place of whatever is set elsewhere; set
    /// elsewhere, a server comes before a database.
    #[arg(
        id = "server.url",
        long = "server",
        global = true,
        env = "OUTDIAL_SERVER",
        value_parser = address,
        value_name = "URL"
    )]
    pub server: Option<Url>,

    /// The database. Without it, outdial runs a private Postgres of its own.
    #[arg(
        id = "database.url",
        long = "database-url",
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: Option<SecretString>,

    /// The key that stored credentials are sealed with: 64 hexadecimal digits. The private Postgres
    /// comes with a key file of its own.
    #[arg(
        id = "database.encryption_key",
        long = "encryption-key",
        global = true,
        env = "OUTDIAL_ENCRYPTION_KEY",
        hide_env_values = true,
        value_name = "HEX"
    )]
    pub encryption_key: Option<SecretString>,

    /// Where the private Postgres and its key live.
    #[arg(
        id = "database.data_dir",
        long = "data-dir",
        global = true,
        env = "OUTDIAL_DATA_DIR",
        value_name = "DIR"
    )]
    pub data_dir: Option<PathBuf>,

    /// The folder of Postgres's programs, if it is not found by itself.
    #[arg(
        id = "database.pg_bin",
        long = "pg-bin",
        global = true,
        env = "OUTDIAL_PG_BIN",
        value_name = "DIR"
    )]
    pub pg_bin: Option<PathBuf>,

    /// Networks that events may be sent to though they are not public, as 10.0.0.0/8, and by http there, too.
    #[arg(
        id = "events.allow",
        long = "allow-events-to",
        global = true,
        env = "OUTDIAL_ALLOW_EVENTS_TO",
        value_delimiter = ',',
        value_name = "NETWORKS"
    )]
    pub allow_events_to: Vec<IpNet>,

    /// Print JSON for programs instead of text for people.
    #[arg(id = "command.json", long = "json", global = true, env = "OUTDIAL_JSON", num_args = 0..=1, require_equals = true, default_value = "false",
        default_missing_value = "true", value_parser = BoolishValueParser::new(), action = ArgAction::Set,
        hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub json: bool,

    /// Who gives the order, for the record. Through a server it is whoever the key belongs to.
    #[arg(
        id = "command.actor",
        long = "actor",
        global = true,
        env = "OUTDIAL_ACTOR",
        default_value = "the command line",
        value_name = "NAME"
    )]
    pub actor: String,

    /// What to log: a level, or directives such as outdial_jobs=debug. Without it: info where it serves,
    /// errors elsewhere.
    #[arg(id = "log.filter", long = "log", global = true, env = "OUTDIAL_LOG", value_name = "FILTER", value_parser = filter)]
    pub log: Option<String>,

    /// Log as JSON lines.
    #[arg(id = "log.json", long = "log-json", global = true, env = "OUTDIAL_LOG_JSON", num_args = 0..=1, require_equals = true, default_value = "false",
        default_missing_value = "true", value_parser = BoolishValueParser::new(), action = ArgAction::Set,
        hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub log_json: bool,

    /// The collector that traces are sent to, by OTLP over HTTP, as in `http://127.0.0.1:4318`. Each lead has a trace,
    /// whose id is the lead's.
    #[arg(id = "log.otlp", long = "otlp", global = true, env = "OUTDIAL_OTLP", value_parser = address, value_name = "URL")]
    pub otlp: Option<Url>,

    /// The share of leads whose traces are sent, from 0 to 1.
    #[arg(id = "log.trace_ratio", long = "trace-ratio", global = true, env = "OUTDIAL_TRACE_RATIO", default_value_t = 1.0,
        hide_default_value = true, value_parser = share, value_name = "SHARE")]
    pub trace_ratio: f64,
}

/// A part of a whole.
fn share(text: &str) -> Result<f64, String> {
    let read = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    read.ok_or_else(|| "not a share; give a number from 0 to 1, as 0.05".into())
}

/// What proves to a server who we are. Part of no command: what stands in a command line is seen in lists of
/// processes, so that what is hidden here is no flag.
#[derive(Args, Clone, Debug)]
pub struct ApiKey {
    /// The key for the server that commands are given to, as `outdial key create` prints it.
    #[arg(
        id = "server.api_key",
        long = "server-api-key",
        hide = true,
        env = "OUTDIAL_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub api_key: Option<SecretString>,
}

/// What a serving process may be told.
#[derive(Args, Clone, Debug)]
pub struct Serving {
    /// The address to listen on.
    #[arg(
        id = "serve.listen",
        long = "listen",
        env = "OUTDIAL_LISTEN",
        default_value = "127.0.0.1:7700",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// Where carriers reach this service from outside, as in `https://calls.example.com`.
    #[arg(id = "serve.public_url", long = "public-url", env = "OUTDIAL_PUBLIC_URL", value_parser = address, value_name = "URL")]
    pub public_url: Option<Url>,

    /// The part this process plays.
    #[arg(
        id = "serve.role",
        long = "role",
        env = "OUTDIAL_ROLE",
        value_delimiter = ',',
        default_value = "api,worker,media",
        value_name = "ROLES"
    )]
    pub role: Vec<Role>,

    /// For emulators: where Google Sheets are read, instead of at Google.
    #[arg(long, hide = true, value_name = "URL")]
    pub sheets_url: Option<Url>,

    /// For emulators: to which other hosts its redirects may lead.
    #[arg(long, hide = true, value_delimiter = ',', requires = "sheets_url", value_name = "HOST[:PORT]")]
    pub sheets_redirect_host: Vec<String>,

    /// How many requests a minute the API takes with one key; 0 for any number.
    #[arg(
        id = "serve.requests_per_minute",
        long = "requests-per-minute",
        env = "OUTDIAL_REQUESTS_PER_MINUTE",
        default_value_t = Access::REQUESTS_PER_MINUTE,
        value_name = "N"
    )]
    pub requests_per_minute: u32,

    /// The other origins from which browsers may use the API, as `https://app.example.com`.
    #[arg(
        id = "serve.cors_origins",
        long = "cors-origins",
        env = "OUTDIAL_CORS_ORIGINS",
        value_delimiter = ',',
        value_parser = origin,
        value_name = "ORIGINS"
    )]
    pub cors_origins: Vec<HeaderValue>,

    /// How many conversations this process holds at once, as role media.
    #[arg(
        id = "serve.seats",
        long = "seats",
        env = "OUTDIAL_SEATS",
        default_value_t = 64,
        value_parser = clap::value_parser!(u16).range(1..=4096),
        value_name = "N"
    )]
    pub seats: u16,

    /// Where other processes reach this one, as `http://10.0.0.7:7700`: carriers' sockets that come to one without a
    /// free seat are passed on. Without it, the address that it listens on, unless that is every address.
    #[arg(
        id = "serve.node_url",
        long = "node-url",
        env = "OUTDIAL_NODE_URL",
        value_parser = address,
        value_name = "URL"
    )]
    pub node_url: Option<Url>,

    /// Where conversations of our own agent are recorded whose campaign says so (`record`): both sides, as WAV files of two
    /// channels. A directory that all processes share. Without it, only carriers record.
    #[arg(id = "serve.recordings", long = "recordings", env = "OUTDIAL_RECORDINGS", value_name = "DIR")]
    pub recordings: Option<PathBuf>,

    /// How long conversations may go on once this process is told to stop; those that are left are ended.
    #[arg(
        id = "serve.drain_s",
        long = "drain-s",
        env = "OUTDIAL_DRAIN_S",
        default_value_t = 600,
        value_name = "SECONDS"
    )]
    pub drain_s: u32,

    /// What conversations go through.
    #[command(flatten)]
    pub speech: Speech,

    /// How long what is stored is kept.
    #[command(flatten)]
    pub retention: Retention,

    /// For crash tests, in builds that have crash points: where the process is to die or freeze.
    #[arg(long, hide = true, value_name = "POINT[:NTH[:freeze]]")]
    pub crash_at: Option<String>,

    /// For crash tests: how long a lease lasts, instead of what is right for production.
    #[arg(long, hide = true, value_name = "MS")]
    pub pace_lease_ms: Option<u32>,
}

impl Serving {
    /// How the API may be used.
    pub fn access(&self) -> Access {
        let requests_per_minute = NonZeroU32::new(self.requests_per_minute);
        Access { requests_per_minute, cors_origins: self.cors_origins.clone() }
    }

    /// Where other processes pass sockets on to, if they can.
    ///
    /// # Errors
    /// If the address that it listens on makes no URL.
    pub fn address(&self, listens_on: SocketAddr) -> Result<Option<Url>, url::ParseError> {
        match &self.node_url {
            Some(url) => Ok(Some(url.clone())),
            None if listens_on.ip().is_unspecified() => Ok(None),
            None => Url::parse(&format!("http://{listens_on}")).map(Some),
        }
    }

    /// How fast the queue notices things.
    pub fn pace(&self) -> Pace {
        let Some(lease_ms) = self.pace_lease_ms else { return Pace::default() };
        let lease = Duration::from_millis(lease_ms.into());
        Pace {
            lease: TimeDelta::milliseconds(lease_ms.into()),
            renew: lease / 3,
            fallback: lease / 5,
            idle: lease * 5 / 2,
            ..Pace::default()
        }
    }
}

impl Serving {
    /// Where sheets are read.
    pub fn sheets(&self) -> sheets::Settings {
        let redirect_hosts = self.sheets_redirect_host.clone();
        let elsewhere = |base_url| sheets::Settings { base_url, redirect_hosts };
        self.sheets_url.clone().map_or_else(sheets::Settings::default, elsewhere)
    }
}

/// A part that a process plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Takes requests, webhooks and streams.
    Api,
    /// Runs jobs, timers, admission and sweeps.
    Worker,
    /// Holds conversations, once what they go through is set up.
    Media,
}

impl Role {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Media => "media",
        }
    }
}

/// A filter of log lines, as `tracing` understands it.
fn filter(text: &str) -> Result<String, String> {
    let read = tracing_subscriber::EnvFilter::try_new(text);
    read.map(|_| text.to_owned())
        .map_err(|_| "not a filter; give a level, or as info,outdial_jobs=debug".into())
}

/// Where something is reached over HTTP.
pub(crate) fn address(text: &str) -> Result<Url, String> {
    let bare = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let read = Url::parse(text).ok().filter(bare);
    read.ok_or_else(|| "not an address; give it as https://calls.example.com".into())
}
