//! `outdial bench idle`: what nodes ask of the database when there is nothing to do.

#![expect(clippy::print_stdout, reason = "this is where the bench speaks")]

use std::num::NonZeroU32;
use std::time::Duration;

use outdial_jobs::operations::campaigns::{self, Order};
use outdial_jobs::store;
use outdial_jobs::store::measure::Statement;
use serde::Serialize;

use super::Progress;
use super::stage::{Props, Stage};
use crate::cli::table;
use crate::config::Global;

/// Nodes are left alone for so long before the count begins: they have come up by then.
const SETTLE: Duration = Duration::from_secs(10);
/// So many statements are listed.
const LISTED: usize = 40;

/// How many nodes, for how long.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Nodes, each with an engine, workers and connections of its own.
    #[arg(long, value_name = "N", default_value = "3")]
    nodes: NonZeroU32,
    /// For how long statements are counted.
    #[arg(long, value_name = "S", default_value = "60")]
    seconds: NonZeroU32,
}

/// The figures, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    nodes: u32,
    seconds: u32,
    /// All statements that the server ran, transactions' beginnings and ends included.
    statements: i64,
    statements_per_s_and_node: f64,
    /// Those that came most often.
    most: Vec<Statement>,
}

pub(super) async fn run(global: &Global, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    let counting = vec![("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned())];
    let props = Props { nodes: args.nodes.get(), settings: counting, ..Props::default() };
    let stage = Stage::set(global, &props, progress).await?;
    let measured = measure(&stage, args, progress).await;
    stage.strike().await?;
    measured
}

async fn measure(stage: &Stage, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    let mut conn = stage.app.engine.pool().acquire().await?;
    store::measure::count_statements(&mut conn).await?;
    // A running campaign without leads: whoever looks for due leads does it then.
    campaigns::order(&stage.app.engine, stage.client, stage.campaign, Order::Start, "the bench", None)
        .await?;
    tokio::time::sleep(SETTLE).await;
    progress.begin("seconds", args.seconds.get());
    store::measure::forget_statements(&mut conn).await?;
    for second in 1..=args.seconds.get() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        progress.bar.set_position(second.into());
    }
    let mut most = store::measure::statements(&mut conn).await?;
    let statements = most.iter().map(|statement| statement.calls).sum();
    most.truncate(LISTED);
    let each = f64::from(args.seconds.get()) * f64::from(args.nodes.get());
    Ok(Report {
        nodes: args.nodes.get(),
        seconds: args.seconds.get(),
        statements,
        statements_per_s_and_node: super::report::rounded(super::report::whole(statements) / each),
        most,
    })
}

impl Report {
    pub(super) fn show(&self, json: bool) {
        if json {
            return println!("{}", serde_json::to_string(self).unwrap_or_default());
        }
        println!(
            "{} statements in {} s on {} nodes: {:.2} a second and node",
            self.statements, self.seconds, self.nodes, self.statements_per_s_and_node
        );
        let short = |text: &str| {
            let words: Vec<&str> = text.split_whitespace().collect();
            words.join(" ").chars().take(100).collect::<String>()
        };
        let rows = self.most.iter().map(|one| vec![one.calls.to_string(), short(&one.query)]);
        println!("{}", table(&["calls", "statement"], rows));
    }
}
