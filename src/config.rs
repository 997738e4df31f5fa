//! Configuration, read once: from the command line, else from the environment.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use chrono::TimeDelta;
use clap::Args;
use outdial_jobs::queue::Pace;
use outdial_jobs::seal::SealKey;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::http::{Access, origin};
use crate::postgres::{Lifetime, Options, Search, default_dir};

/// What every command may be told.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "For every command")]
pub struct Global {
    /// The database. Without it, outdial runs a private Postgres of its own.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<SecretString>,

    /// The key that stored credentials are sealed with: 64 hexadecimal digits. The private Postgres
    /// comes with a key file of its own.
    #[arg(long, global = true, env = "OUTDIAL_ENCRYPTION_KEY", hide_env_values = true, value_name = "HEX")]
    pub encryption_key: Option<SecretString>,

    /// Where the private Postgres and its key live.
    #[arg(long, global = true, env = "OUTDIAL_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// The folder of Postgres's programs, if it is not found by itself.
    #[arg(long, global = true, env = "OUTDIAL_PG_BIN", value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,

    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,

    /// Who gives the order, for the record.
    #[arg(
        long,
        global = true,
        env = "OUTDIAL_ACTOR",
        default_value = "the command line",
        value_name = "NAME"
    )]
    pub actor: String,

    /// What to log: a level, or directives such as outdial_jobs=debug.
    #[arg(long, global = true, env = "OUTDIAL_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    /// Log as JSON lines.
    #[arg(long, global = true, env = "OUTDIAL_LOG_JSON")]
    pub log_json: bool,
}

/// What a serving process may be told.
#[derive(Args, Clone, Debug)]
pub struct Serving {
    /// The address to listen on.
    #[arg(long, env = "OUTDIAL_LISTEN", default_value = "127.0.0.1:7700", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Where carriers reach this service from outside, as in `https://calls.example.com`
    #[arg(long, env = "OUR_BASE_URL", value_name = "URL")]
    pub public_url: Option<Url>,

    /// The part this process plays.
    #[arg(
        long,
        env = "OUTDIAL_ROLE",
        value_delimiter = ',',
        default_value = "api,worker",
        value_name = "ROLES"
    )]
    pub role: Vec<Role>,

    /// How many requests a minute the API takes with one key; 0 for any number.
    #[arg(long, env = "OUTDIAL_REQUESTS_PER_MINUTE", default_value_t = Access::REQUESTS_PER_MINUTE, value_name = "N")]
    pub requests_per_minute: u32,

    /// The other origins from which browsers may use the API, as `https://app.example.com`
    #[arg(long, env = "OUTDIAL_CORS_ORIGINS", value_delimiter = ',', value_parser = origin, value_name = "ORIGINS")]
    pub cors_origins: Vec<HeaderValue>,

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

/// A part that a process plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Takes requests, webhooks and streams.
    Api,
    /// Runs jobs, timers, admission and sweeps.
    Worker,
}

impl Role {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A database of one's own needs a key of one's own.
    #[error(
        "DATABASE_URL is set and OUTDIAL_ENCRYPTION_KEY is not: make a key with `openssl rand -hex 32`, \
             keep it safe, and give it to every process of this database"
    )]
    NoKey,
    /// The key is not one.
    #[error("OUTDIAL_ENCRYPTION_KEY: {0}")]
    Key(#[from] outdial_jobs::seal::NotAKey),
    /// The key file cannot be used.
    #[error("the key file {path}: {problem}")]
    KeyFile {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is no place for data.
    #[error("no data directory is known for this user; give one with --data-dir")]
    NoDataDir,
}

impl Global {
    /// Where the private Postgres and its key live.
    ///
    /// # Errors
    /// If none was given and the user has none.
    pub fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        self.data_dir.clone().or_else(default_dir).ok_or(ConfigError::NoDataDir)
    }

    /// How to open the private Postgres that is kept.
    ///
    /// # Errors
    /// If there is no place for its data.
    pub fn kept(&self) -> Result<Options, ConfigError> {
        let dir = self.data_dir()?;
        let lifetime = Lifetime::Kept { data_dir: dir.join("postgres") };
        Ok(Options { lifetime, search: self.search(Some(dir.join("postgres-programs"))), settings: vec![] })
    }

    /// How to open a private Postgres that ends with this process.
    pub fn throwaway(&self) -> Options {
        let lifetime = Lifetime::Throwaway { under: std::env::temp_dir(), durable: true };
        let downloads = self.data_dir().ok().map(|dir| dir.join("postgres-programs"));
        Options { lifetime, search: self.search(downloads), settings: vec![] }
    }

    fn search(&self, downloads: Option<PathBuf>) -> Search {
        Search { bin: self.pg_bin.clone(), path: std::env::var_os("PATH"), downloads }
    }

    /// The encryption key: from the environment; for the private Postgres from its key file, which
    /// is made with it.
    ///
    /// # Errors
    /// If there is none, or it is not one.
    pub fn key(&self) -> Result<SealKey, ConfigError> {
        if let Some(key) = &self.encryption_key {
            return Ok(SealKey::parse(key.expose_secret())?);
        }
        if self.database_url.is_some() {
            return Err(ConfigError::NoKey);
        }
        let path = self.data_dir()?.join("encryption.key");
        key_file(&path).map_err(|problem| ConfigError::KeyFile { path, problem })
    }
}

/// Reads the key file, or makes it: readable by its owner only, and never half written.
fn key_file(path: &std::path::Path) -> Result<SealKey, String> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let text = |error: std::io::Error| error.to_string();
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(text)?;
    }
    let made = SealKey::generate();
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .map_err(text)?;
    file.write_all(made.as_bytes()).and_then(|()| file.sync_all()).map_err(text)?;
    // Two processes may come here at once: the first link stands, and both read it.
    let linked = std::fs::hard_link(&draft, path);
    let _ = std::fs::remove_file(&draft);
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(text(error)),
    }
    let stored = std::fs::read_to_string(path).map_err(text)?;
    SealKey::parse(&stored).map_err(|error| error.to_string())
}
