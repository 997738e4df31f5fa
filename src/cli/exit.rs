//! What the program's exit code means to a script, in one place.

use std::error::Error;
use std::process::ExitCode;

use outdial_jobs::engine::{AccountError, EngineError};
use outdial_jobs::operations::OperationError;
use outdial_jobs::store::StoreError;

use crate::client::ClientError;
use crate::config::ConfigError;
use crate::postgres::PostgresError;

/// The codes, as `--help` and the README have them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    refused, or problems were found
  2    wrong usage, of the command line or of the configuration
  3    what was named is not there
  4    database or server cannot be reached, or not be asked now; for judge: there is no verdict
  130  stopped by Ctrl-C (demo and bench)";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done.
    Done = 0,
    /// It was refused as things stand, or it found problems.
    Refused = 1,
    /// The command line or the configuration is wrong; clap's own code.
    Usage = 2,
    /// What was named is not there.
    NotFound = 3,
    /// Database or server cannot be reached, or is not to be asked now: the same again may do later.
    Unreachable = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// What an error means: the first of its causes that means anything.
    pub fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(meaning).unwrap_or(Self::Refused)
    }

    /// The same where 1 means that a promise was broken: an error is no such verdict.
    #[must_use]
    pub fn without_verdict(self) -> Self {
        match self {
            Self::Usage => Self::Usage,
            Self::Done | Self::Refused | Self::NotFound | Self::Unreachable => Self::Unreachable,
        }
    }
}

/// Flags that do not go together, or lack something, in a way that clap cannot know.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub String);

/// Wrong usage, as an error.
pub(super) fn usage(text: impl Into<String>) -> anyhow::Error {
    WrongUsage(text.into()).into()
}

/// What one cause means by itself. Transparent errors are looked into, as they stand for their source and
/// hide it from the chain.
fn meaning(cause: &(dyn Error + 'static)) -> Option<Exit> {
    if cause.is::<WrongUsage>() || cause.is::<ConfigError>() {
        return Some(Exit::Usage);
    }
    if cause.is::<PostgresError>() {
        return Some(Exit::Unreachable);
    }
    if let Some(error) = cause.downcast_ref::<OperationError>() {
        return of_operation(error);
    }
    if let Some(error) = cause.downcast_ref::<EngineError>() {
        return of_engine(error);
    }
    if let Some(error) = cause.downcast_ref::<AccountError>() {
        return of_account(error);
    }
    if let Some(error) = cause.downcast_ref::<StoreError>() {
        return of_store(error);
    }
    if let Some(error) = cause.downcast_ref::<ClientError>() {
        return Some(of_server(error));
    }
    cause.downcast_ref::<sqlx::Error>().and_then(of_database)
}

fn of_operation(error: &OperationError) -> Option<Exit> {
    match error {
        OperationError::NotFound { .. } => Some(Exit::NotFound),
        OperationError::Ambiguous { .. }
        | OperationError::Exists { .. }
        | OperationError::NotPossible(_)
        | OperationError::CannotTransfer(_)
        | OperationError::NoWay(_)
        | OperationError::EditedMeanwhile(_)
        | OperationError::Invalid { .. }
        | OperationError::Playbook(_) => Some(Exit::Refused),
        OperationError::Account(error) => of_account(error),
        OperationError::Engine(error) => of_engine(error),
        OperationError::Store(error) => of_store(error),
    }
}

fn of_engine(error: &EngineError) -> Option<Exit> {
    match error {
        EngineError::Quarantined(_) => Some(Exit::Refused),
        EngineError::NoSuchLead(_) => Some(Exit::NotFound),
        EngineError::Stopping | EngineError::Full => Some(Exit::Unreachable),
        EngineError::Store(error) => of_store(error),
    }
}

fn of_account(error: &AccountError) -> Option<Exit> {
    match error {
        AccountError::NoSuchAccount(_) => Some(Exit::NotFound),
        AccountError::Sealed(_) | AccountError::Unreadable { .. } => Some(Exit::Refused),
        AccountError::Store(error) => of_store(error),
    }
}

fn of_store(error: &StoreError) -> Option<Exit> {
    match error {
        StoreError::Database(error) => of_database(error),
        StoreError::Silent { .. } => Some(Exit::Unreachable),
        StoreError::Unreadable { .. } | StoreError::Panicked(_) => Some(Exit::Refused),
    }
}

/// A missing key is wrong usage, as it is never sent; one that the server does not take is refused.
fn of_server(error: &ClientError) -> Exit {
    match error {
        ClientError::Unreachable { .. } | ClientError::Stranger { .. } => Exit::Unreachable,
        ClientError::Header(_) => Exit::Usage,
        ClientError::Unreadable(_) | ClientError::File(_) => Exit::Refused,
        ClientError::Problem(problem) => match problem.status {
            404 => Exit::NotFound,
            429 | 502 | 503 | 504 => Exit::Unreachable,
            _ if problem.is_under_way() => Exit::Unreachable,
            _ => Exit::Refused,
        },
    }
}

/// `None` for an error that says nothing of whether the database is there: its own cause may.
fn of_database(error: &sqlx::Error) -> Option<Exit> {
    match error {
        sqlx::Error::Configuration(_) => Some(Exit::Usage),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Some(Exit::Unreachable),
        // No connection; not let in; no such database; no more connections; starting, stopping or recovering.
        sqlx::Error::Database(error) => {
            let away =
                |code: &str| ["08", "28", "3D", "53", "57P"].iter().any(|class| code.starts_with(class));
            error.code().is_some_and(|code| away(&code)).then_some(Exit::Unreachable)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_means_the_same_however_deep_its_cause_lies() {
        let away = || sqlx::Error::PoolTimedOut;
        let not_found = || OperationError::NotFound { kind: "client", given: "Acme".into() };
        for (error, exit) in [
            (anyhow::anyhow!("anything"), Exit::Refused),
            (usage("give a flag"), Exit::Usage),
            (ConfigError::NoKey.into(), Exit::Usage),
            (not_found().into(), Exit::NotFound),
            (away().into(), Exit::Unreachable),
            (StoreError::from(away()).into(), Exit::Unreachable),
            (OperationError::from(EngineError::from(StoreError::from(away()))).into(), Exit::Unreachable),
            (OperationError::from(AccountError::from(StoreError::from(away()))).into(), Exit::Unreachable),
            (OperationError::from(StoreError::from(sqlx::Error::RowNotFound)).into(), Exit::Refused),
        ] {
            let said = format!("{error:#}");
            assert_eq!(
                Exit::of(&Err::<(), _>(error).context("while it was tried").unwrap_err()),
                exit,
                "{said}"
            );
        }
        assert_eq!(Exit::of(&not_found().into()).without_verdict(), Exit::Unreachable);
        assert_eq!(Exit::of(&usage("give a flag")).without_verdict(), Exit::Usage);
    }

    #[test]
    fn the_readme_has_the_codes_that_help_has() {
        let readme = include_str!("../../README.md");
        for line in EXIT_CODES.lines().skip(1) {
            assert!(readme.contains(line.trim()), "README.md lacks: {line}");
        }
    }
}
