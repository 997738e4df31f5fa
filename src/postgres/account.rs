//! Which user the server runs as, and how its programs are run as that user.

use std::{
    fs, io,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use super::PostgresError;

/// The unprivileged user that runs the server for us when we are root, since
/// Postgres refuses to be root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// Nobody else when we are an ordinary user. As root, whoever owns the data
    /// already, else `postgres`, else `nobody`.
    pub(super) fn for_server(data: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Some(
            Self::owner_of(data)
                .or_else(|| Self::named("postgres", &users))
                .or_else(|| Self::named("nobody", &users))
                .unwrap_or_else(|| Self { name: "nobody".to_owned(), uid: 65534, gid: 65534 }),
        )
    }

    fn owner_of(data: &Path) -> Option<Self> {
        let found = fs::metadata(data).ok()?;
        (found.uid() != 0).then(|| Self { name: found.uid().to_string(), uid: found.uid(), gid: found.gid() })
    }

    fn named(name: &str, users: &str) -> Option<Self> {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2);
        let (uid, gid) = (ids.next()?.parse().ok()?, ids.next()?.parse().ok()?);
        (uid != 0).then(|| Self { name: name.to_owned(), uid, gid })
    }

    /// Gives `path` to this user.
    pub(super) fn own(&self, path: &Path) -> Result<(), PostgresError> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(PostgresError::file("change the owner of", path))
    }

    /// The user's id.
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// Refuses a directory that this user could not enter.
    pub(super) fn check_reach(&self, dir: &Path) -> Result<(), PostgresError> {
        let entered = command(Path::new("/bin/sh"), Some(self), Path::new("/"))
            .args(["-c", "cd -- \"$1\"", "sh"])
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match entered {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(self.out_of_reach(dir)),
            Err(source) => Err(PostgresError::RootConfined { user: self.name.clone(), source }),
        }
    }

    fn out_of_reach(&self, path: &Path) -> PostgresError {
        PostgresError::OutOfReach { user: self.name.clone(), path: path.to_owned() }
    }
}

/// A program run as `account`, in `dir`, with nothing of our environment: secrets
/// there are not for another user's eyes, and `PG*` variables would change the server.
pub(super) fn command(program: &Path, account: Option<&Account>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// Says what a failed spawn of `program` means.
pub(super) fn spawn_error(
    program: &Path,
    account: Option<&Account>,
) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| match account {
        Some(account) if source.kind() == io::ErrorKind::PermissionDenied => account.out_of_reach(program),
        _ => PostgresError::file("run", program)(source),
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn an_account_is_read_from_its_line_and_never_is_root() {
        let users = "root:x:0:0::/root:/bin/sh\npostgres:x:101:104::/:/bin/sh\npostgres2:x:0:0::/:/bin/sh\n";
        let postgres = Account { name: "postgres".to_owned(), uid: 101, gid: 104 };
        assert_eq!(Account::named("postgres", users), Some(postgres));
        assert_eq!(Account::named("postgres2", users), None);
        assert_eq!(Account::named("nobody", users), None);
    }
}
