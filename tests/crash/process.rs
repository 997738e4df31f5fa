//! `outdial` as a process of its own, which is gone at the end of the test.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::world::{Waited, eventually};

/// A running program, in a process group of its own. Dropping it kills the group.
pub(super) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `outdial` with these arguments. What it says goes to `log`.
    pub(super) fn start(
        arguments: impl IntoIterator<Item = String>,
        env: &[(&str, &Path)],
        log: PathBuf,
    ) -> Self {
        let file = File::create(&log).expect("the log can be made");
        let output = file.try_clone().expect("a file has several handles");
        let child = Command::new(env!("CARGO_BIN_EXE_outdial"))
            .args(arguments)
            .env_remove("DATABASE_URL")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(file)
            .process_group(0)
            .spawn()
            .expect("the program starts");
        Self { child, log }
    }

    pub(super) fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).expect("the process is there");
    }

    /// Waits until it stands still.
    pub(super) async fn frozen(&self) {
        let stat = format!("/proc/{}/stat", self.id().as_raw_nonzero());
        let frozen = eventually(Duration::from_secs(30), async || {
            let stat = fs::read_to_string(&stat).ok()?;
            stat.rsplit_once(") ")?.1.starts_with('T').then_some(())
        });
        assert!(frozen.await.is_some(), "not frozen within 30 s:\n{}", self.said());
    }

    /// `kill -9`, and it is gone when this returns.
    pub(super) fn kill_9(mut self) {
        assert!(self.ended().is_none(), "it ended before it was killed:\n{}", self.said());
        self.signal(Signal::KILL);
        self.child.wait().expect("it is ours");
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is ours")
    }

    /// Waits until it ends by itself.
    pub(super) async fn end(&mut self, within: Duration) -> Waited<ExitStatus> {
        let ended = eventually(within, async || self.ended()).await;
        ended.unwrap_or_else(|| panic!("not ended within {within:?}:\n{}", self.said()))
    }

    /// Tells it to stop, and expects that it does so in peace.
    pub(super) async fn stop(mut self) {
        self.signal(Signal::TERM);
        let Waited { value: status, .. } = self.end(Duration::from_secs(35)).await;
        assert!(status.success(), "{status}:\n{}", self.said());
    }

    /// The last that it said.
    pub(super) fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process_group(self.id(), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A port that is free and stays so while nobody listens on it: the system takes those that it
/// gives away by itself from 32768 on.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 300).expect("it is below 300") * 40;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until whoever listens on `port` reaches its database.
pub(super) async fn ready(port: u16) {
    let asked = eventually(Duration::from_secs(20), async || {
        let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        socket.write_all(b"GET /ready HTTP/1.0\r\n\r\n").await.ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.ok()?;
        answer.contains(" 200 ").then_some(())
    });
    asked.await.expect("it is ready within 20 s");
}
