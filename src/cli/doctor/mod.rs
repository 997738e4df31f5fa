//! `outdial doctor`: looks at everything that outdial needs, and says what is wrong and what to do.
//!
//! It looks and changes nothing in a database that was named: not even the schema, which other commands
//! bring up to date. The private Postgres it opens as they do, so that a first start is tried, too. Of a server
//! it looks at what whoever gives commands to it can see.

mod database;
mod machine;
mod network;
mod server;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use url::Url;

use super::backend::Named;
use super::exit::Exit;
use super::output::Output;
use crate::app::App;
use crate::config::{Config, ConfigError, Global, address};

/// How to look.
#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// Ask nobody but the database: leave carriers and the public address out.
    #[arg(long)]
    no_network: bool,
    /// Where carriers reach this service from outside, if `serve` is told so on its command line.
    #[arg(id = "serve.public_url", long = "public-url", value_parser = address, value_name = "URL")]
    public_url: Option<Url>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    says: String,
    /// What to do about it, unless `says` has it already.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { what: what.into(), ok: true, says: says.into(), remedy: None }
    }

    fn problem(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { what: what.into(), ok: false, says: says.into(), remedy: None }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    fn line(&self) -> String {
        let Self { what, ok, says, remedy } = self;
        let how = if *ok { "ok     " } else { "problem" };
        let remedy = remedy.as_ref().map(|remedy| format!("\n        → {remedy}")).unwrap_or_default();
        format!("{how} {what}: {says}{remedy}")
    }
}

pub(super) async fn run(
    args: &DoctorArgs,
    global: &Global,
    config: Result<Config, ConfigError>,
    output: &Output,
) -> ExitCode {
    let mut findings = vec![machine::program()];
    match config {
        Ok(config) => {
            findings.extend(machine::configuration(&config));
            findings.push(machine::key(global));
            if global.database_url.is_none() {
                findings.extend(machine::private_postgres(global));
            }
            findings.extend(opened(args, global).await);
        }
        Err(error) => {
            findings.extend(machine::wrong(error));
            let says = "not looked at: it would not be known whether it is the one that is meant";
            findings.push(Finding::problem("all the rest", says).remedy("mend the configuration first"));
        }
    }
    told(&findings, output)
}

/// Looks at a server, as those see it who give commands to it.
pub(super) async fn run_for(named: &Named, config: &Config, output: &Output) -> ExitCode {
    let mut findings = vec![machine::program()];
    findings.extend(machine::configuration(config));
    findings.extend(server::looked(named).await);
    told(&findings, output)
}

fn told(findings: &[Finding], output: &Output) -> ExitCode {
    let ok = findings.iter().all(|finding| finding.ok);
    let lines: Vec<String> = findings.iter().map(Finding::line).collect();
    output.say(lines.join("\n"), &serde_json::json!({ "ok": ok, "findings": findings }));
    if ok { Exit::Done.into() } else { Exit::Refused.into() }
}

/// What can be looked at once there is a database.
async fn opened(args: &DoctorArgs, global: &Global) -> Vec<Finding> {
    let app = match App::as_it_is(global).await {
        Ok(app) => app,
        Err(error) => return vec![Finding::problem("database", format!("{error:#}"))],
    };
    let mut findings = vec![];
    let looked = async {
        if !database::look(&app, &mut findings).await? {
            return Ok(());
        }
        let accounts = network::accounts(&app, &mut findings).await?;
        if !args.no_network {
            findings.extend(network::tried(&app, &accounts).await);
            findings.push(network::callback(&app, args.public_url.as_ref(), &accounts).await);
        }
        anyhow::Ok(())
    };
    if let Err(error) = Box::pin(looked).await {
        findings.push(Finding::problem("database", format!("{error:#}")));
    }
    if let Err(error) = app.close().await {
        findings.push(Finding::problem("closing", format!("{error:#}")));
    }
    findings
}
