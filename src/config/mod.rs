//! Configuration, read once: from the command line, else the environment, else the configuration file, else
//! the default.
//!
//! The structs of `options.rs` and `defaults.rs` say what can be set. `file.rs` reads the file against
//! them, `layers.rs` puts file and environment under the command line, `show.rs` tells where each value
//! came from, and `reference.rs` writes them down as `reference.md`.

mod defaults;
mod file;
mod key_file;
mod layers;
mod names;
mod options;
mod reference;
mod retention;
mod show;
mod speech;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches};
use outdial_jobs::seal::SealKey;
use secrecy::ExposeSecret;

use crate::postgres::{Lifetime, Options, Search, default_dir};

pub use defaults::{Exotel, NewAccount, NewCampaign, call_length, hours, time_of_day};
pub(crate) use layers::without_environment;
pub use layers::{Layers, Problem, Source};
pub use options::{ApiKey, Global, Role, Serving, Settings};
pub(crate) use options::{address, is_secret};
pub use reference::reference;
pub use retention::Retention;
pub use show::{Shown, planned, shown};

/// What was found in the environment and in the file.
pub struct Config {
    /// Which value came from where.
    pub layers: Layers,
    /// The settings, without what the command line says: commands take that on top.
    pub settings: Settings,
}

/// Reads environment and configuration file. Of the arguments, it looks at `--config` only: the others are
/// read once these are known, with them underneath.
///
/// # Errors
/// All that is wrong in them.
pub fn load(arguments: &[OsString]) -> Result<Config, ConfigError> {
    load_from(arguments, &file::places(), &|name| std::env::var_os(name))
}

fn load_from(
    arguments: &[OsString],
    places: &[PathBuf],
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Config, ConfigError> {
    let named = file::named(arguments).or_else(|| environment("OUTDIAL_CONFIG").map(PathBuf::from));
    let path = named.or_else(|| places.iter().find(|path| path.exists()).cloned());
    let all = Settings::command();
    let layers = Layers::read(&all, path, environment).map_err(ConfigError::Problems)?;
    let matches = layers.under(all).mut_args(|arg| arg.env(None::<&str>));
    let unreadable =
        |error: clap::Error| ConfigError::Problems(vec![Problem::new("settings", error.to_string())]);
    let matches = matches.try_get_matches_from([""; 0]).map_err(unreadable)?;
    let settings = Settings::from_arg_matches(&matches).map_err(unreadable)?;
    settings.new_campaign.rules().map_err(|problem| {
        ConfigError::Problems(vec![Problem::new("what new campaigns are like", format!("{problem:#}"))])
    })?;
    Ok(Config { layers, settings })
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file or the environment says what cannot be.
    #[error("{}", listed(.0))]
    Problems(Vec<Problem>),
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
        key_file::key_file(&path).map_err(|problem| ConfigError::KeyFile { path, problem })
    }
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
