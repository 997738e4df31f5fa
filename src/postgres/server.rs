//! The steps: initdb, start, stop. The same for root and for ordinary users.

use std::{
    fs,
    os::unix::process::CommandExt,
    process::Child,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    PostgresError,
    account::{command, spawn_error},
    home::Home,
    installation::Installation,
    pidfile::{self, Status},
};

/// The role we connect as, a superuser of this cluster.
pub(super) const ROLE: &str = "outdial";

/// How long a start may take. Replaying the log after a crash is part of it.
pub(super) const START_WAIT: Duration = Duration::from_secs(300);

/// How long to wait for the backends of a killed server, which end by themselves.
const ORPHANS_WAIT: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(5);

/// How to stop a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Ends sessions and writes everything out; without that if it takes long.
    Fast,
    /// As in a crash: the next start replays the log.
    Immediate,
}

impl Stop {
    /// What to send, and how long to wait before the next.
    fn signals(self) -> &'static [(Signal, Duration)] {
        const FAST: (Signal, Duration) = (Signal::INT, Duration::from_secs(20));
        const IMMEDIATE: (Signal, Duration) = (Signal::QUIT, Duration::from_secs(10));
        const KILL: (Signal, Duration) = (Signal::KILL, Duration::from_secs(5));
        match self {
            Self::Fast => &[FAST, IMMEDIATE, KILL],
            Self::Immediate => &[IMMEDIATE, KILL],
        }
    }
}

/// Makes an empty cluster, with `more` options of initdb's. One that did not get finished is begun anew.
pub(super) fn initdb(
    home: &Home,
    installation: &Installation,
    password: &str,
    more: &[&str],
) -> Result<(), PostgresError> {
    let unfinished = home.unfinished_data()?;
    let password_file = home.password_for_server(password)?;
    let program = installation.program("initdb");
    let mut initdb = command(&program, home.account(), home.root());
    initdb.args(["--username", ROLE, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
    if cfg!(target_os = "linux") {
        initdb.arg("--lc-ctype=C.UTF-8"); // So that `lower` knows more than ASCII.
    }
    initdb.args(more).arg("--pwfile").arg(&password_file).arg("--pgdata").arg(&unfinished);
    let output = initdb.output().map_err(spawn_error(&program, home.account()));
    let _ = fs::remove_file(&password_file);
    let output = output?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(PostgresError::Initdb { output });
    }
    home.accept_data(&unfinished)
}

/// Starts the server and returns once it takes connections.
pub(super) fn start(
    home: &Home,
    installation: &Installation,
    settings: &[(String, String)],
) -> Result<Child, PostgresError> {
    let until = Instant::now() + ORPHANS_WAIT;
    loop {
        match start_once(home, installation, settings) {
            // The shared memory of a killed server, which its backends still hold.
            Err(PostgresError::Start { tail, .. })
                if tail.contains("is still in use") && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            done => return done,
        }
    }
}

fn start_once(
    home: &Home,
    installation: &Installation,
    settings: &[(String, String)],
) -> Result<Child, PostgresError> {
    pidfile::clear_stale(home)?;
    let log = home.fresh_log()?;
    let log_again = log.try_clone().map_err(PostgresError::file("write", home.log()))?;
    let program = installation.program("postgres");
    let mut postgres = command(&program, home.account(), home.root());
    postgres.arg("-D").arg(home.data()).arg("-k").arg(home.socket_dir());
    for (name, value) in settings {
        postgres.arg("-c").arg(format!("{name}={value}"));
    }
    // A group of its own, so that Ctrl-C at the terminal reaches us and not the server.
    postgres.process_group(0).stdout(log).stderr(log_again);
    let mut child = postgres.spawn().map_err(spawn_error(&program, home.account()))?;
    match wait_until_ready(home, &mut child) {
        Ok(()) => Ok(child),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

fn wait_until_ready(home: &Home, child: &mut Child) -> Result<(), PostgresError> {
    let until = Instant::now() + START_WAIT;
    while Instant::now() < until {
        let ended = child.try_wait().map_err(PostgresError::file("watch", home.data()))?;
        if ended.is_some() {
            break;
        }
        // The file may still be that of a server before it.
        if let Status::Ready(pid) = Status::of(&home.data())
            && u32::try_from(pid.as_raw_nonzero().get()) == Ok(child.id())
        {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
    Err(PostgresError::Start { log: home.log(), tail: tail_of_log(home) })
}

fn tail_of_log(home: &Home) -> String {
    let text = fs::read_to_string(home.log()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// Waits while the server starts or stops by itself. What remains is ready or stopped.
pub(super) fn settled(home: &Home) -> Result<Status, PostgresError> {
    let until = Instant::now() + START_WAIT;
    loop {
        match Status::of(&home.data()) {
            status @ (Status::Stopped | Status::Ready(_)) => return Ok(status),
            Status::Starting(_) | Status::Stopping(_) if Instant::now() < until => {
                std::thread::sleep(POLL);
            }
            Status::Starting(_) => {
                return Err(PostgresError::Start { log: home.log(), tail: tail_of_log(home) });
            }
            Status::Stopping(pid) => {
                return Err(PostgresError::Stop { pid: pid.as_raw_nonzero().get() });
            }
        }
    }
}

/// Stops the server, whoever started it. `child` is it if we did, and wants to be waited for.
pub(super) fn stop(home: &Home, child: &mut Option<Child>, how: Stop) -> Result<(), PostgresError> {
    let data = home.data();
    let Some(pid) = Status::of(&data).pid() else {
        reap(child);
        return Ok(());
    };
    for (signal, patience) in how.signals() {
        pidfile::send(pid, *signal);
        let until = Instant::now() + *patience;
        // It removes its file a little before it ends, so the file does not tell.
        while Instant::now() < until {
            reap(child);
            if !pidfile::serves(pid, &data) {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
    }
    Err(PostgresError::Stop { pid: pid.as_raw_nonzero().get() })
}

/// Takes note of a child's end, without which its entry would stay in the process table.
pub(super) fn reap(child: &mut Option<Child>) {
    if child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
        *child = None;
    }
}
