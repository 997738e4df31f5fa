//! One cluster as this process sees it: who owns it, and who has to end it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Child,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    Lifetime, Options, PostgresError, Role,
    home::{self, Home, Lock},
    installation::{Installation, obtain},
    pidfile::Status,
    server::{self, START_WAIT, Stop},
    watchdog::Watchdog,
};

/// How long `Drop` waits for another process that opens or closes the cluster.
const LAST_LOCK_WAIT: Duration = Duration::from_secs(5);

/// A cluster that is open. Dropping it stops the server if it is ours.
pub(super) struct Cluster {
    home: Home,
    options: Options,
    password: String,
    held: Mutex<Held>,
}

/// What we hold of it.
#[derive(Default)]
struct Held {
    /// The server, if this process started it.
    child: Option<Child>,
    /// The lock that makes us the owner.
    ownership: Option<Lock>,
    /// Of a throwaway cluster.
    watchdog: Option<Watchdog>,
}

impl Cluster {
    /// Attaches, adopts or starts. The lock is for the caller to hold until the cluster can be used.
    pub(super) fn open(options: Options) -> Result<(Self, Lock, Role), PostgresError> {
        let root = root_of(&options.lifetime)?;
        let thrown_away = matches!(options.lifetime, Lifetime::Throwaway { .. });
        let (home, lock) = Home::enter(&root, START_WAIT).inspect_err(|_| {
            if thrown_away {
                let _ = fs::remove_dir_all(&root);
            }
        })?;
        let watchdog = thrown_away.then(|| Watchdog::over(&home)).transpose()?;
        let held = Mutex::new(Held { watchdog, ..Held::default() });
        // From here on the drop cleans up.
        let mut cluster = Self { home, options, password: String::new(), held };
        match cluster.bring_up() {
            Ok(role) => Ok((cluster, lock, role)),
            Err(error) => {
                drop(lock); // The drop of the cluster takes it again.
                Err(error)
            }
        }
    }

    fn bring_up(&mut self) -> Result<Role, PostgresError> {
        self.password = self.home.password()?;
        let mut held = self.held();
        held.ownership = self.home.claim_ownership()?;
        let owned = held.ownership.is_some();
        match (server::settled(&self.home)?, owned) {
            (Status::Ready(_), false) => Ok(Role::Attached),
            (Status::Ready(_), true) => Ok(Role::Adopted),
            // The server of a living owner has crashed. We mend it; it remains the owner's to stop.
            (_, false) => self.start_in(&mut held).map(|()| Role::Attached),
            (_, true) => self.start_in(&mut held).map(|()| Role::Started),
        }
    }

    /// Starts a server that was stopped by [`Cluster::stop_immediate`] or crashed.
    pub(super) fn start(&self) -> Result<(), PostgresError> {
        let _lock = self.home.lock(START_WAIT)?;
        let mut held = self.held();
        if held.ownership.is_none() {
            return Err(PostgresError::NotOurs);
        }
        server::reap(&mut held.child);
        match server::settled(&self.home)? {
            Status::Ready(_) => Ok(()),
            _ => self.start_in(&mut held),
        }
    }

    fn start_in(&self, held: &mut Held) -> Result<(), PostgresError> {
        let installation = self.installation()?;
        if !self.home.data().exists() {
            server::initdb(&self.home, &installation, &self.password, self.initdb_options())?;
        }
        held.child = Some(server::start(&self.home, &installation, &self.settings())?);
        Ok(())
    }

    /// Always called on a thread where blocking is allowed, within a runtime.
    fn installation(&self) -> Result<Installation, PostgresError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| PostgresError::Ending)?;
        runtime.block_on(obtain(&self.options.search, &self.home.data()))
    }

    /// Stops the server as a crash would.
    pub(super) fn stop_immediate(&self) -> Result<(), PostgresError> {
        let _lock = self.home.lock(START_WAIT)?;
        let mut held = self.held();
        match held.ownership {
            Some(_) => server::stop(&self.home, &mut held.child, Stop::Immediate),
            None => Err(PostgresError::NotOurs),
        }
    }

    /// Stops the server if it is ours to stop, and is then no longer its owner.
    pub(super) fn close(&self, patience: Duration) -> Result<(), PostgresError> {
        let mut held = self.held();
        if let Some(watchdog) = held.watchdog.take() {
            watchdog.release(&mut held.child);
            held.ownership = None;
        }
        if held.ownership.is_none() {
            return Ok(());
        }
        let lock = self.home.lock(patience);
        let stopped = server::stop(&self.home, &mut held.child, Stop::Fast);
        held.ownership = None; // Before the lock goes: who opens next finds it free.
        stopped.and(lock.map(drop))
    }

    pub(super) fn root(&self) -> &Path {
        self.home.root()
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.log()
    }

    pub(super) fn server_pid(&self) -> Option<u32> {
        let pid = Status::of(&self.home.data()).pid()?;
        u32::try_from(pid.as_raw_nonzero().get()).ok()
    }

    /// No TLS, whatever `PGSSLMODE` says: it does not exist on a socket.
    pub(super) fn url_for(&self, database: &str) -> String {
        let (role, password, host) = (server::ROLE, &self.password, escaped(self.home.socket_dir()));
        format!("postgres://{role}:{password}@localhost:5432/{database}?host={host}&sslmode=disable")
    }

    /// What is thrown away needs no syncing; and less log to allocate makes initdb faster.
    fn initdb_options(&self) -> &'static [&'static str] {
        match self.options.lifetime {
            Lifetime::Kept { .. } => &[],
            Lifetime::Throwaway { durable: true, .. } => &["--no-sync"],
            Lifetime::Throwaway { durable: false, .. } => &["--no-sync", "--wal-segsize=1"],
        }
    }

    fn is_durable(&self) -> bool {
        match self.options.lifetime {
            Lifetime::Kept { .. } => true,
            Lifetime::Throwaway { durable, .. } => durable,
        }
    }

    /// The server's settings; the options' own come last and win.
    fn settings(&self) -> Vec<(String, String)> {
        let always = [
            ("listen_addresses", ""),
            ("port", "5432"),
            ("unix_socket_permissions", "0700"),
            ("max_connections", "200"),
            ("shared_buffers", "128MB"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            // The log is never rotated, and an error's detail may hold a phone number: what
            // goes wrong in a statement is told to the client, who reports it.
            ("log_min_messages", "log"),
            ("log_checkpoints", "off"),
            ("log_autovacuum_min_duration", "-1"),
        ];
        let careless = [
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("max_wal_size", "1GB"), // It would follow from the segments' size.
        ];
        let careless = careless.into_iter().filter(|_| !self.is_durable());
        let ours = always.into_iter().chain(careless);
        let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ours.chain(self.options.settings.iter().cloned()).collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.close(LAST_LOCK_WAIT) {
            tracing::warn!(%error, "a private database server was not stopped");
        }
    }
}

fn root_of(lifetime: &Lifetime) -> Result<PathBuf, PostgresError> {
    match lifetime {
        Lifetime::Kept { data_dir } => Ok(data_dir.clone()),
        Lifetime::Throwaway { under, .. } => {
            // Made here and now, so that it cannot be someone else's.
            let root = under.join(format!("outdial-{}", home::random_name()));
            home::make_dir(&root, 0o700, false)?;
            Ok(root)
        }
    }
}

/// A path as a value in a URL's query, as both libpq and sqlx read it.
fn escaped(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().iter().fold(String::new(), |url, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            url + &char::from(*byte).to_string()
        }
        other => format!("{url}%{other:02X}"),
    })
}
