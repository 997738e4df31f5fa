//! `outdial retention`.

use clap::Args;
use indicatif::HumanBytes;
use outdial_jobs::operations::retention::{self, MOST_COUNTED, Standing};
use serde_json::json;

use super::output::{Output, table};
use crate::app::App;
use crate::config::Retention;

/// What is to be shown.
#[derive(Args, Debug)]
pub(super) struct RetentionArgs {
    #[command(flatten)]
    retention: Retention,
}

pub(super) async fn run(app: &App, args: &RetentionArgs, output: &Output) -> anyhow::Result<()> {
    let standing = retention::standing(&app.engine, &args.retention.kept()).await?;
    let text =
        table(&["What", "Kept", "Rows, about", "On disk", "Would be removed now"], standing.iter().map(row));
    output.say(text, &json!({ "items": standing }));
    Ok(())
}

fn row(Standing { kind, days, rows, bytes, old, partitions, .. }: &Standing) -> Vec<String> {
    let old = match old {
        0 => "nothing".to_owned(),
        old if *old >= MOST_COUNTED && partitions.is_empty() => format!("{MOST_COUNTED} or more"),
        old => old.to_string(),
    };
    let old = match partitions.as_slice() {
        [] => old,
        [one] => format!("{one}, with about {old} rows"),
        [first, .., last] => format!("{first} to {last}, with about {old} rows"),
    };
    let (kind, kept, bytes) = (kind.to_string(), days.to_string(), HumanBytes(*bytes).to_string());
    vec![kind, kept, rows.to_string(), bytes, old]
}
