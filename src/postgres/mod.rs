//! A private Postgres for whoever has none: `outdial` without DATABASE_URL, the demo, the tests.
//!
//! One directory holds one cluster, reachable through a Unix socket by us (and by root),
//! and by its password. **Who stops it**: the first to open a directory starts the server and
//! is its owner, by a lock that the system frees when the owner ends; others attach, and
//! leave it running. After a `kill -9` of the owner the server runs on, and the next to open
//! the directory finds the lock free and becomes the owner. Those who attached earlier do not.
//!
//! A [`Lifetime::Throwaway`] cluster belongs to one process and ends with it, in whatever
//! way that happens: a small watchdog process stops the server and removes the directory.
//!
//! Postgres refuses to be root. As root, its programs run as another user: the owner of
//! the data if there is some, else `postgres`, else `nobody`.

mod account;
mod cluster;
mod error;
mod home;
mod installation;
mod pidfile;
mod server;
mod watchdog;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use etcetera::BaseStrategy;
use sqlx::{Connection, PgConnection};

use self::{cluster::Cluster, pidfile::Status, server::START_WAIT};
pub use self::{
    error::PostgresError,
    installation::{Installation, Search, find_installation},
};

/// The database that [`Embedded::url`] names.
const DATABASE: &str = "outdial";

/// Which cluster to open, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its data is and for how long.
    pub lifetime: Lifetime,
    /// Where to look for Postgres's programs, if the server has to be started.
    pub search: Search,
    /// Settings of the server beyond ours (not its socket or port), such as `("shared_buffers", "1GB")`.
    pub settings: Vec<(String, String)>,
}

/// How long a cluster's data lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until someone removes it. Every commit is on disk before it is acknowledged.
    Kept {
        /// The cluster's directory, made if missing. It should hold nothing else.
        data_dir: PathBuf,
    },
    /// As long as the process that opened it.
    Throwaway {
        /// Where to make the directory, usually [`std::env::temp_dir`].
        under: PathBuf,
        /// Whether it would survive a power failure as a kept one does. Tests need no such care.
        durable: bool,
    },
}

/// How this process came to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It started the server and will stop it.
    Started,
    /// The server's owner had died. This process is the owner now and will stop it.
    Adopted,
    /// Another process owns the server. This one leaves it running.
    Attached,
}

/// What there is at a cluster's directory, without touching it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No data.
    Nothing,
    /// Data, and no server.
    Stopped,
    /// A server that is running, starting or stopping.
    Running {
        /// Its process id.
        pid: i32,
        /// The process id of its owner; `None` says that the next to open it adopts it.
        owner: Option<i32>,
    },
}

/// An open cluster.
///
/// [`Embedded::close`] it. Dropping it stops the server too if that is ours to do, but
/// blocks the thread meanwhile, for 35 s in the worst case, and tells a failure only to the log.
pub struct Embedded {
    cluster: Arc<Cluster>,
    role: Role,
    url: String,
}

impl Embedded {
    /// Attaches to the server if it runs, else starts it, first making what is missing:
    /// the directory, the cluster, the database `outdial`.
    pub async fn open(options: Options) -> Result<Self, PostgresError> {
        // In this order: a drop frees the lock first, which stopping the cluster takes again.
        let (opened, lock) = blocking(move || {
            let (cluster, lock, role) = Cluster::open(options)?;
            let url = cluster.url_for(DATABASE);
            Ok::<_, PostgresError>((Self { cluster: Arc::new(cluster), role, url }, lock))
        })
        .await??;
        let made = opened.make_database().await;
        drop(lock);
        made.map(|()| opened)
    }

    /// The URL of the database `outdial`, with the password in it. It stays the same over restarts.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of another database of this cluster. The name is put in as it is.
    pub fn url_for(&self, database: &str) -> String {
        self.cluster.url_for(database)
    }

    /// Whether this process started the server, adopted it, or found it running.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The cluster's directory.
    pub fn data_dir(&self) -> &Path {
        self.cluster.root()
    }

    /// Where the server writes what it has to say.
    pub fn log(&self) -> PathBuf {
        self.cluster.log()
    }

    /// The server's process id, or `None` while it is down.
    pub fn server_pid(&self) -> Option<u32> {
        self.cluster.server_pid()
    }

    /// Stops the server as a crash would, and starts it again. Only for its owner.
    pub async fn restart_immediate(&self) -> Result<(), PostgresError> {
        self.stop_immediate().await?;
        self.start().await
    }

    /// Stops the server as a crash would, until [`Embedded::start`]. Only for its owner.
    pub async fn stop_immediate(&self) -> Result<(), PostgresError> {
        let cluster = Arc::clone(&self.cluster);
        blocking(move || cluster.stop_immediate()).await?
    }

    /// Starts the server again if it is down. Only for its owner.
    pub async fn start(&self) -> Result<(), PostgresError> {
        let cluster = Arc::clone(&self.cluster);
        blocking(move || cluster.start()).await?
    }

    /// Stops the server if this process owns it; sessions are cut off. A throwaway cluster is gone then.
    pub async fn close(self) -> Result<(), PostgresError> {
        blocking(move || self.cluster.close(START_WAIT)).await?
    }

    async fn make_database(&self) -> Result<(), PostgresError> {
        let unreached = |source| PostgresError::Connect { log: self.cluster.log(), source };
        let mut connection = PgConnection::connect(&self.url_for("postgres")).await.map_err(unreached)?;
        let exists = sqlx::query("select from pg_database where datname = $1").bind(DATABASE);
        if exists.fetch_optional(&mut connection).await.map_err(unreached)?.is_none() {
            let create = sqlx::query("create database outdial");
            create.execute(&mut connection).await.map_err(unreached)?;
        }
        connection.close().await.map_err(unreached)
    }
}

/// Without the password.
impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("data_dir", &self.data_dir())
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Looks at a cluster's directory.
pub fn look(data_dir: &Path) -> Found {
    let root = data_dir.canonicalize().unwrap_or_else(|_| data_dir.to_owned());
    let data = root.join("data");
    match Status::of(&data).pid() {
        Some(pid) => Found::Running { pid: pid.as_raw_nonzero().get(), owner: home::owner_of(&root) },
        None if data.exists() => Found::Stopped,
        None => Found::Nothing,
    }
}

/// Where this user's clusters and downloads belong: the data directory of the desktop
/// standard, `~/.local/share/outdial` unless told otherwise. Root's home is closed to the
/// user that runs its server, so for root it is `/var/lib/outdial`. `None` without a home.
pub fn default_dir() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/outdial"));
    }
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.data_dir().join("outdial"))
}

/// Runs what blocks where that is allowed. A panic in it goes on here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PostgresError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(PostgresError::Ending),
        },
    }
}
