//! What `postmaster.pid` tells about the server of a data directory.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, net::UnixStream},
    path::Path,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, test_kill_process},
};

use super::{PostgresError, home::Home};

/// How far the server of a data directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// No process serves the directory.
    Stopped,
    Starting(Pid),
    Ready(Pid),
    Stopping(Pid),
}

impl Status {
    /// Reads it off the file and the process named there. A file left by a crash is `Stopped`.
    pub(super) fn of(data: &Path) -> Self {
        let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        match Self::written(&text) {
            Self::Starting(pid) | Self::Ready(pid) | Self::Stopping(pid) if !serves(pid, data) => {
                Self::Stopped
            }
            status => status,
        }
    }

    /// What the file alone says. The eighth line is the state; it is missing at first.
    fn written(text: &str) -> Self {
        let pid = text.lines().next().and_then(pid_in);
        let state = text.lines().nth(7).map(str::trim);
        match (pid, state) {
            (None, _) => Self::Stopped,
            (Some(pid), Some("ready")) => Self::Ready(pid),
            (Some(pid), Some("stopping")) => Self::Stopping(pid),
            (Some(pid), _) => Self::Starting(pid),
        }
    }

    pub(super) fn pid(self) -> Option<Pid> {
        match self {
            Self::Stopped => None,
            Self::Starting(pid) | Self::Ready(pid) | Self::Stopping(pid) => Some(pid),
        }
    }
}

/// The process id that `text` consists of. Postgres writes a negative one when it runs
/// without a server, which is none.
pub(super) fn pid_in(text: &str) -> Option<Pid> {
    let number = text.trim().parse().ok().filter(|number| *number > 0)?;
    Pid::from_raw(number)
}

/// Whether `pid` is a server of `data` rather than another process that came to the
/// same number. Its command line tells, which anyone may read; the process's directory
/// would be hidden from a root without the ptrace capability, as in a container.
pub(super) fn serves(pid: Pid, data: &Path) -> bool {
    if !Path::new("/proc/self/cmdline").exists() {
        return test_kill_process(pid) != Err(Errno::SRCH);
    }
    let arguments = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    arguments.split(|byte| *byte == 0).any(|argument| argument == data.as_os_str().as_bytes())
}

/// Makes way for a start where a crash has left things behind. Call it only when stopped.
///
/// Postgres itself copes, unless the number of the dead server was given to another
/// process of its user: it then takes that for the server. It ignores its own parent's
/// number, so we write ours; its check for backends of the dead server still works,
/// which it would not if the file were removed.
pub(super) fn clear_stale(home: &Home) -> Result<(), PostgresError> {
    let socket = home.socket_dir().join(".s.PGSQL.5432");
    if UnixStream::connect(&socket).is_ok() {
        return Ok(()); // Someone serves it whom we cannot see. Postgres will refuse to start.
    }
    for leftover in [socket.with_file_name(".s.PGSQL.5432.lock"), socket] {
        let _ = fs::remove_file(leftover);
    }
    let path = home.data().join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(());
    };
    match text.split_once('\n') {
        Some((pid, rest)) if is_taken(pid) => {
            home.replace_in_data(&path, &format!("{}\n{rest}", std::process::id()))
        }
        Some(_) => Ok(()),
        // Cut short by a power failure, after which no server lives. Postgres refuses such a file.
        None => fs::remove_file(&path).map_err(PostgresError::file("remove", &path)),
    }
}

/// Whether any process goes by this number.
fn is_taken(pid: &str) -> bool {
    pid_in(pid).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Sends `signal`; a process that has just ended is no error, its absence is what counts.
pub(super) fn send(pid: Pid, signal: Signal) {
    if let Err(error) = rustix::process::kill_process(pid, signal) {
        tracing::debug!(pid = pid.as_raw_nonzero().get(), %error, "the database server took no signal");
    }
}

#[cfg(test)]
mod tests {
    use super::{Pid, Status};

    #[test]
    fn the_state_is_the_eighth_line_of_the_pid_file() {
        let pid = Pid::from_raw(13557).expect("a process id is not 0");
        let head = "13557\n/srv/data\n1795171216\n5432\n/srv/run\n\n 10043403        12\n";
        assert_eq!(Status::written(&format!("{head}ready   \n")), Status::Ready(pid));
        assert_eq!(Status::written(&format!("{head}stopping\n")), Status::Stopping(pid));
        assert_eq!(Status::written(head), Status::Starting(pid));
        assert_eq!(Status::written(""), Status::Stopped);
        assert_eq!(Status::written("-4\nsingle-user\n"), Status::Stopped);
    }
}
