//! The program where nothing is: an empty directory, and an environment with nothing in it but the path.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// No command here takes longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An empty directory.
pub(crate) struct Alone {
    dir: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Alone {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory can be made") }
    }

    /// Where the program runs.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        std::fs::write(&path, text).expect("it can be written");
        path
    }

    /// Runs the program with this environment and these arguments.
    pub(crate) async fn says(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outdial"));
        command.args(arguments);
        self.hear(command, environment).await
    }

    /// Runs a command here, with the environment of the directory.
    pub(crate) async fn hear(&self, mut command: Command, environment: &[(&str, &str)]) -> Said {
        let path = std::env::var_os("PATH");
        command.env_clear().env("PATH", path.as_deref().unwrap_or(OsStr::new("")));
        command.env("HOME", self.path()).current_dir(self.path());
        command.envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
        let output =
            tokio::time::timeout(PATIENCE, command.output()).await.expect("in time").expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { out: text(&output.stdout), err: text(&output.stderr), code: output.status.code() }
    }
}
