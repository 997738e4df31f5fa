//! The process that outlives us, to leave nothing behind of a throwaway cluster.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{PostgresError, account::spawn_error, home::Home, server};

/// A shell that waits for our end, in whatever way, and then runs `watchdog.sh`.
///
/// Ending it is also how such a cluster is closed: the path that runs after a `kill -9`
/// is the one that runs every day. It keeps our own user, so that it may stop the server.
#[derive(Debug)]
pub(super) struct Watchdog(Child);

impl Watchdog {
    pub(super) fn over(home: &Home) -> Result<Self, PostgresError> {
        let program = std::path::Path::new("/bin/sh");
        Command::new(program)
            .args(["-c", include_str!("watchdog.sh"), "outdial-watchdog"])
            .arg(home.root())
            .arg(home.socket_dir())
            .current_dir("/")
            .process_group(0) // Ctrl-C is not for it.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
            .map_err(spawn_error(program, None))
    }

    /// Lets it do its work. `server` is our child, if we started it, and is waited for meanwhile.
    pub(super) fn release(mut self, server: &mut Option<Child>) {
        self.0.stdin.take();
        while matches!(self.0.try_wait(), Ok(None)) {
            server::reap(server);
            std::thread::sleep(Duration::from_millis(2));
        }
        server::reap(server);
    }
}
