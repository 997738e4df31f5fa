//! `outdial doctor`: looks at everything that outdial needs, and says what is wrong.

use std::process::ExitCode;
use std::time::Duration;

use outdial_jobs::store;
use serde::Serialize;
use url::Url;

use super::output::Output;
use crate::app::App;
use crate::config::Global;
use crate::postgres::{self, Found};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    says: String,
}

pub(super) async fn run(global: &Global, output: &Output) -> anyhow::Result<ExitCode> {
    let mut findings = vec![key(global)];
    if global.database_url.is_none() {
        findings.extend(private_postgres(global));
    }
    findings.extend(database(global).await);
    let ok = findings.iter().all(|finding| finding.ok);
    let lines: Vec<String> = findings
        .iter()
        .map(|Finding { what, ok, says }| format!("{} {what}: {says}", if *ok { "ok  " } else { "FAIL" }))
        .collect();
    output.say(lines.join("\n"), &serde_json::json!({ "ok": ok, "findings": findings }));
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn key(global: &Global) -> Finding {
    match global.key() {
        Ok(key) => {
            Finding { what: "encryption key", ok: true, says: format!("fingerprint {}", key.fingerprint()) }
        }
        Err(error) => Finding { what: "encryption key", ok: false, says: error.to_string() },
    }
}

fn private_postgres(global: &Global) -> Vec<Finding> {
    let search = match global.kept() {
        Ok(options) => options.search,
        Err(error) => return vec![Finding { what: "data directory", ok: false, says: error.to_string() }],
    };
    let programs = match postgres::find_installation(&search, None) {
        Ok(found) => Finding {
            what: "Postgres programs",
            ok: true,
            says: format!("version {} in {}", found.major, found.bin.display()),
        },
        Err(error) => Finding { what: "Postgres programs", ok: false, says: error.to_string() },
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
    vec![programs, Finding { what: "private Postgres", ok: true, says }]
}

async fn database(global: &Global) -> Vec<Finding> {
    let opening = async { App::open(global, Url::parse("http://127.0.0.1/")?).await };
    let app = match opening.await {
        Ok(app) => app,
        Err(error) => return vec![Finding { what: "database", ok: false, says: format!("{error:#}") }],
    };
    let mut findings = vec![];
    let looked = look(&app, &mut findings).await;
    if let Err(error) = looked {
        findings.push(Finding { what: "database", ok: false, says: format!("{error:#}") });
    }
    if let Err(error) = app.close().await {
        findings.push(Finding { what: "closing", ok: false, says: format!("{error:#}") });
    }
    findings
}

async fn look(app: &App, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
    let mut conn = app.engine.pool().acquire().await?;
    let (applied, known) = store::installation::versions(&mut conn).await?;
    let says = format!("schema {}", applied.map_or("missing".into(), |version| version.to_string()));
    findings.push(Finding { what: "database", ok: applied == known, says });
    let asked = std::time::SystemTime::now();
    let theirs = std::time::SystemTime::from(app.engine.now_in(&mut conn).await?);
    let off = theirs.duration_since(asked).unwrap_or_else(|error| error.duration());
    let says = format!("{} ms from the database's", off.as_millis());
    findings.push(Finding { what: "clock", ok: off < Duration::from_secs(1), says });
    let quarantined = store::quarantine::open(&mut conn, 1_000).await?;
    let says = match quarantined.first() {
        None => "empty".to_owned(),
        Some(newest) => format!("{} put aside; the newest: {}", quarantined.len(), newest.error),
    };
    findings.push(Finding { what: "quarantine", ok: quarantined.is_empty(), says });
    Ok(())
}
