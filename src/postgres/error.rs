//! What can go wrong with a private Postgres, each with what to do about it.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a private Postgres could not be had, reached or stopped.
///
/// Every message ends with the remedy. The cause, if there is one, is the `source`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// There is none on this machine and none was downloaded.
    #[error(
        "no Postgres 14 or newer was found{}; \
         install one (`apt-get install postgresql`), name its directory in OUTDIAL_PG_BIN, \
         or set DATABASE_URL to use a server of yours",
        if source.is_some() { ", and downloading one failed" } else { "" }
    )]
    NotInstalled {
        /// Why the download failed, if one was tried.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The directory we were told to use does not hold a usable Postgres.
    #[error(
        "{} holds no usable Postgres 14 or newer; point OUTDIAL_PG_BIN at a directory \
         that holds `postgres` and `initdb`, or unset it",
        bin.display()
    )]
    NotUsable {
        /// The directory that was named.
        bin: PathBuf,
    },
    /// The data was written by another major version than those at hand.
    #[error(
        "the data in {} needs Postgres {wanted}, and only {} found; install it \
         (`apt-get install postgresql-{wanted}`), or move the data with pg_dump or pg_upgrade",
        data.display(),
        if found.is_empty() { "none was".to_owned() } else { format!("{found:?} were") }
    )]
    OtherVersion {
        /// The data directory.
        data: PathBuf,
        /// The major version that wrote it.
        wanted: u32,
        /// The major versions found on this machine.
        found: Vec<u32>,
    },
    /// The user whom the server runs as may not get to a path.
    #[error(
        "the database server runs as user {user}, because it refuses to run as root, \
         and that user may not use {}; choose a place that others may enter, or do not run as root",
        path.display()
    )]
    OutOfReach {
        /// The unprivileged user.
        user: String,
        /// What it cannot enter or run.
        path: PathBuf,
    },
    /// We are root but may not start a program as someone else.
    #[error(
        "Postgres refuses to run as root, and this root may not become the user {user} to run it; \
         run as an ordinary user, or allow changing users (the setuid and setgid capabilities)"
    )]
    RootConfined {
        /// The unprivileged user.
        user: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A file or directory of ours could not be used.
    #[error("could not {doing} {}; check its owner, its permissions and the free space", path.display())]
    File {
        /// What we were about to do, as a verb.
        doing: &'static str,
        /// To which path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is data but its password is gone.
    #[error(
        "the password file {} is missing beside existing data; restore it, \
         or move that data away to begin with an empty database",
        path.display()
    )]
    NoPassword {
        /// Where the password should be.
        path: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb failed, mend what it names and try again: {output}")]
    Initdb {
        /// What it printed.
        output: String,
    },
    /// The server ended, or did not get ready in time.
    #[error("the database server did not start, mend what its log {} names: {tail}", log.display())]
    Start {
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// The server did not end, even when killed.
    #[error("the database server, process {pid}, does not end; look for a stuck disk, then kill it")]
    Stop {
        /// Its process id.
        pid: i32,
    },
    /// Another process has been starting or stopping the same server for too long.
    #[error(
        "another process is busy starting or stopping this database; end process {holder} if it is stuck"
    )]
    Busy {
        /// The process that holds the lock, as far as it is known.
        holder: String,
    },
    /// The server runs but refuses us.
    #[error("the database server runs but a connection failed; its log {} may say why", log.display())]
    Connect {
        /// Its log.
        log: PathBuf,
        /// The reason.
        source: sqlx::Error,
    },
    /// The server belongs to another process.
    #[error("this database is run by another process, which alone may stop or restart it")]
    NotOurs,
    /// The async runtime is going away.
    #[error("the program is ending")]
    Ending,
}

impl PostgresError {
    /// Names what was done to which path when `source` came back.
    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}
