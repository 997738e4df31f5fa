//! The directory a cluster lives in, and the locks on it.
//!
//! ```text
//! lock          held while a process opens or closes the cluster
//! owner         held by the owner for as long as it lives; its process id inside
//! password      of the role `outdial`, readable to us alone
//! server.log    of this start; server.log.1 of the one before
//! data/         Postgres's own, owned by the user the server runs as
//! data.new/     an initdb that has not ended; never used
//! run           the socket's directory, or a link to it where its path would be too long
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{Seek, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{io::Errno, process::test_kill_process};
use uuid::Uuid;

use super::{PostgresError, account::Account, pidfile::pid_in};

/// The longest socket directory: a socket's path may have 103 bytes on macOS, 107 on
/// Linux, and Postgres adds `/.s.PGSQL.5432` to it.
const SOCKET_DIR_MAX: usize = 103 - "/.s.PGSQL.5432".len();

/// A process may die while a child of its is between fork and exec; the child holds its
/// locks until then. So long do we try for the lock of an owner that is dead.
const INHERITED_WAIT: Duration = Duration::from_secs(1);

const POLL: Duration = Duration::from_millis(5);

/// A lock on a file. It is freed here and not only by closing the file, which a child
/// between fork and exec may have open as well.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.set_len(0).and_then(|()| self.0.unlock());
    }
}

/// A cluster's directory, ready for use.
#[derive(Debug)]
pub(super) struct Home {
    root: PathBuf,
    socket_dir: PathBuf,
    account: Option<Account>,
}

impl Home {
    /// Makes what is missing at `root`, refusing a place that the server could not reach,
    /// and locks it as [`Home::lock`] does.
    pub(super) fn enter(root: &Path, patience: Duration) -> Result<(Self, Lock), PostgresError> {
        let account = Account::for_server(&root.join("data"));
        // As root the server is someone else, who has to pass through but not to look around.
        let mode = if account.is_some() { 0o711 } else { 0o700 };
        make_dir(root, mode, true)?;
        let root = root.canonicalize().map_err(PostgresError::file("find", root))?;
        if let Some(account) = &account {
            set_mode(&root, mode)?;
            account.check_reach(&root)?;
        }
        let lock = wait_for(&root.join("lock"), patience)?;
        let socket_dir = socket_dir(&root, account.as_ref())?;
        Ok((Self { root, socket_dir, account }, lock))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Short enough for a socket.
    pub(super) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    /// An empty log, the one before it put aside.
    pub(super) fn fresh_log(&self) -> Result<File, PostgresError> {
        let log = self.log();
        if log.exists() {
            let aside = self.root.join("server.log.1");
            fs::rename(&log, &aside).map_err(PostgresError::file("write", &aside))?;
        }
        private_file().open(&log).map_err(PostgresError::file("write", &log))
    }

    /// Waits for the right to open or close the cluster, which ends when the lock is dropped.
    pub(super) fn lock(&self, patience: Duration) -> Result<Lock, PostgresError> {
        wait_for(&self.root.join("lock"), patience)
    }

    /// Becomes the owner until the lock is dropped, or this process ends in whatever
    /// way. `None` says that another owner lives.
    pub(super) fn claim_ownership(&self) -> Result<Option<Lock>, PostgresError> {
        let until = Instant::now() + INHERITED_WAIT;
        loop {
            let claimed = claim(&self.root.join("owner"))?;
            let decided = owner_of(&self.root).is_some() || Instant::now() >= until;
            if claimed.is_some() || decided {
                return Ok(claimed);
            }
            std::thread::sleep(POLL);
        }
    }

    /// The password, made up at the first time.
    pub(super) fn password(&self) -> Result<String, PostgresError> {
        let path = self.root.join("password");
        if path.exists() {
            return fs::read_to_string(&path).map_err(PostgresError::file("read", &path));
        }
        if self.data().exists() {
            return Err(PostgresError::NoPassword { path });
        }
        let password = Uuid::new_v4().simple().to_string();
        let unfinished = self.root.join("password.new");
        self.write_private(&unfinished, &password)?;
        fs::rename(&unfinished, &path).map_err(PostgresError::file("write", &path))?;
        Ok(password)
    }

    /// A copy of the password that the server's user may read. The caller removes it.
    pub(super) fn password_for_server(&self, password: &str) -> Result<PathBuf, PostgresError> {
        let path = self.root.join("password.initdb");
        self.write_private(&path, password)?;
        if let Some(account) = &self.account {
            account.own(&path)?;
        }
        Ok(path)
    }

    fn write_private(&self, path: &Path, text: &str) -> Result<(), PostgresError> {
        let _ = fs::remove_file(path); // One left behind may have other permissions.
        let mut file = private_file().open(path).map_err(PostgresError::file("write", path))?;
        file.write_all(text.as_bytes()).map_err(PostgresError::file("write", path))
    }

    /// An empty directory for initdb, which becomes `data` by [`Home::accept_data`].
    pub(super) fn unfinished_data(&self) -> Result<PathBuf, PostgresError> {
        let unfinished = self.root.join("data.new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(PostgresError::file("remove", &unfinished))?;
        }
        make_dir(&unfinished, 0o700, false)?;
        if let Some(account) = &self.account {
            account.own(&unfinished)?;
        }
        Ok(unfinished)
    }

    /// Replaces a file of the server's in one step.
    pub(super) fn replace_in_data(&self, path: &Path, text: &str) -> Result<(), PostgresError> {
        let unfinished = path.with_extension("new");
        self.write_private(&unfinished, text)?;
        if let Some(account) = &self.account {
            account.own(&unfinished)?;
        }
        fs::rename(&unfinished, path).map_err(PostgresError::file("write", path))
    }

    /// Takes what initdb has finished into use.
    pub(super) fn accept_data(&self, unfinished: &Path) -> Result<(), PostgresError> {
        fs::rename(unfinished, self.data()).map_err(PostgresError::file("rename", unfinished))
    }
}

/// The process that owns the cluster at `root`, if one lives.
pub(super) fn owner_of(root: &Path) -> Option<i32> {
    let written = fs::read_to_string(root.join("owner")).ok()?;
    let pid = pid_in(&written)?;
    (test_kill_process(pid) != Err(Errno::SRCH)).then(|| pid.as_raw_nonzero().get())
}

fn wait_for(path: &Path, patience: Duration) -> Result<Lock, PostgresError> {
    let until = Instant::now() + patience;
    loop {
        if let Some(lock) = claim(path)? {
            return Ok(lock);
        }
        if Instant::now() >= until {
            let holder = fs::read_to_string(path).unwrap_or_default();
            return Err(PostgresError::Busy { holder });
        }
        std::thread::sleep(POLL);
    }
}

/// The lock on `path`, with our process id in the file, or `None` while someone holds it.
/// The system frees it when the holder ends, so it needs no checking of process ids.
fn claim(path: &Path) -> Result<Option<Lock>, PostgresError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(PostgresError::file("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(PostgresError::file("lock", path)(error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(PostgresError::file("write", path))?;
    Ok(Some(Lock(file)))
}

/// `run` inside `root` where its path is short enough, else a link there to a directory
/// in /tmp with a random name.
fn socket_dir(root: &Path, account: Option<&Account>) -> Result<PathBuf, PostgresError> {
    let run = root.join("run");
    if run.as_os_str().as_bytes().len() <= SOCKET_DIR_MAX {
        return make_socket_dir(run, account);
    }
    let wanted_owner = account.map_or_else(|| rustix::process::geteuid().as_raw(), Account::uid);
    if let Ok(linked) = fs::read_link(&run) {
        let ours = fs::symlink_metadata(&linked).is_ok_and(|it| it.is_dir() && it.uid() == wanted_owner);
        if ours {
            return Ok(linked);
        }
        fs::remove_file(&run).map_err(PostgresError::file("remove", &run))?;
    }
    let made = make_socket_dir(Path::new("/tmp").join(format!("outdial-{}", random_name())), account)?;
    symlink(&made, &run).map_err(PostgresError::file("write", &run))?;
    Ok(made)
}

fn make_socket_dir(dir: PathBuf, account: Option<&Account>) -> Result<PathBuf, PostgresError> {
    if !dir.is_dir() {
        make_dir(&dir, 0o700, false)?;
        if let Some(account) = account {
            account.own(&dir)?;
        }
    }
    Ok(dir)
}

/// A name for a directory in a place that all may write to.
pub(super) fn random_name() -> String {
    let name = Uuid::new_v4().simple().to_string();
    name[..12].to_owned()
}

pub(super) fn make_dir(dir: &Path, mode: u32, with_parents: bool) -> Result<(), PostgresError> {
    let made = DirBuilder::new().recursive(with_parents).mode(mode).create(dir);
    made.map_err(PostgresError::file("create", dir))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), PostgresError> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(PostgresError::file("change the permissions of", path))
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
}
