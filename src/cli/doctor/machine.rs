//! What is on this machine: the program, its configuration, the key, the private Postgres.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Finding;
use crate::config::{Config, ConfigError, Global, is_secret, planned};
use crate::postgres::{self, Found};

pub(super) fn program() -> Finding {
    Finding::ok("program", concat!("outdial ", env!("CARGO_PKG_VERSION")))
}

/// The file, if there is one, and what is set in vain.
pub(super) fn configuration(config: &Config) -> Vec<Finding> {
    let mut findings = vec![match config.layers.file() {
        None => Finding::ok("configuration", "no file; the environment and defaults"),
        Some(path) => file(config, path),
    }];
    let names: Vec<&str> = planned().into_iter().map(|(name, _)| name).collect();
    if !names.is_empty() {
        let says = format!("{} set, used by nothing yet", names.join(", "));
        findings.push(Finding::ok("planned settings", says));
    }
    findings
}

/// A file with secrets is its owner's to read.
fn file(config: &Config, path: &Path) -> Finding {
    let given: Vec<&str> = config.layers.from_file().collect();
    let secrets: Vec<&str> = given.iter().copied().filter(|key| is_secret(key)).collect();
    let shown = path.display();
    let open = path.metadata().is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    if open && !secrets.is_empty() {
        let says = format!("{shown} can be read by others on this machine, and holds {}", secrets.join(", "));
        return Finding::problem("configuration", says).remedy(format!("chmod 600 {shown}"));
    }
    Finding::ok("configuration", format!("{shown}; {} values are taken from it", given.len()))
}

/// What is wrong with file and environment.
pub(super) fn wrong(error: ConfigError) -> Vec<Finding> {
    match error {
        ConfigError::Problems(problems) => {
            let each = problems.into_iter();
            each.map(|problem| Finding::problem("configuration", problem.to_string())).collect()
        }
        other => vec![Finding::problem("configuration", other.to_string())],
    }
}

pub(super) fn key(global: &Global) -> Finding {
    match global.key() {
        Ok(key) => Finding::ok("encryption key", format!("fingerprint {}", key.fingerprint())),
        Err(error) => Finding::problem("encryption key", error.to_string()),
    }
}

pub(super) fn private_postgres(global: &Global) -> Vec<Finding> {
    let search = match global.kept() {
        Ok(options) => options.search,
        Err(error) => return vec![Finding::problem("data directory", error.to_string())],
    };
    let programs = match postgres::find_installation(&search, None) {
        Ok(found) => {
            Finding::ok("Postgres programs", format!("version {} in {}", found.major, found.bin.display()))
        }
        Err(error) => Finding::problem("Postgres programs", error.to_string()),
    };
    let dir = global.data_dir().map(|dir| dir.join("postgres")).unwrap_or_default();
    let says = match postgres::look(&dir) {
        Found::Nothing => format!("{} is made at the first start", dir.display()),
        Found::Stopped => format!("{}, not running", dir.display()),
        Found::Running { pid, owner: Some(owner) } => {
            format!("{}, running as process {pid} for process {owner}", dir.display())
        }
        Found::Running { pid, owner: None } => {
            format!(
                "{}, running as process {pid}; its owner is gone, and the next start adopts it",
                dir.display()
            )
        }
    };
    vec![programs, Finding::ok("private Postgres", says)]
}
