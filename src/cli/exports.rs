//! `outdial export` and `outdial analytics`.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono_tz::Tz;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use outdial_jobs::operations::analytics::Asked;
use outdial_jobs::operations::exports::{Format, What};
use outdial_workflows::analytics::{Abandonment, Analysis, Rate};
use outdial_workflows::calendar::parse_zone;

use super::backend::Backend;
use super::leads::spinner;
use super::orders::moment;
use super::output::{Output, table};

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// The campaign, by name or id.
    campaign: String,
    /// What a row is: a lead, a finished lead, an attempt, a call that the carrier took, or its transcript.
    #[arg(long, value_parser = what(), default_value = "leads")]
    of: What,
    /// How rows are written.
    #[arg(long, default_value = "csv")]
    format: FormatName,
    /// The file to write; without it standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    /// Comma-separated, with a header line.
    Csv,
    /// A JSON object a line.
    Jsonl,
}

fn what() -> impl TypedValueParser<Value = What> {
    PossibleValuesParser::new(What::ALL.map(What::name)).map(|name| {
        let named = What::ALL.into_iter().find(|what| what.name() == name);
        named.expect("one of those that are possible")
    })
}

pub(super) async fn export(to: &Backend<'_>, args: ExportArgs, output: &Output) -> anyhow::Result<()> {
    let campaign = to.find_campaign(&args.campaign).await?;
    let format = match args.format {
        FormatName::Csv => Format::Csv,
        FormatName::Jsonl => Format::JsonLines,
    };
    let mut into: Box<dyn Write> = match &args.output {
        Some(path) => {
            Box::new(File::create_new(path).with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => Box::new(std::io::stdout().lock()),
    };
    let bar = spinner(output, "bytes written");
    let mut rows = to.export(campaign, args.of, format).await?;
    while let Some(piece) = rows.next().await? {
        match into.write_all(&piece) {
            // Whoever reads may have read enough, as `head` does.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written?,
        }
        bar.inc(piece.len() as u64);
    }
    let _ = into.flush();
    bar.finish_and_clear();
    Ok(())
}

#[derive(Args, Debug)]
pub(super) struct AnalyticsArgs {
    /// A campaign, by name or id.
    #[arg(long, required_unless_present = "client", conflicts_with = "client")]
    campaign: Option<String>,
    /// All campaigns of a client, by name or id.
    #[arg(long)]
    client: Option<String>,
    /// Calls from then on, as 2026-01-14T10:00:00+05:30.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Calls before then.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// By whose clock hours and weekdays are told, as Asia/Kolkata.
    #[arg(long, value_parser = zone, default_value = "UTC")]
    zone: Tz,
}

fn zone(text: &str) -> Result<Tz, String> {
    parse_zone(text).map_err(|error| error.to_string())
}

pub(super) async fn analytics(to: &Backend<'_>, args: AnalyticsArgs, output: &Output) -> anyhow::Result<()> {
    let (client, campaign) = match (&args.campaign, &args.client) {
        (Some(campaign), _) => {
            let (client, campaign) = to.find_campaign(campaign).await?;
            (client, Some(campaign))
        }
        (None, Some(client)) => (to.find_client(client).await?, None),
        (None, None) => bail!("say whose calls: --campaign or --client"),
    };
    let now = to.now().await?;
    let time = |given: &Option<String>| given.as_deref().map(|given| moment(given, now)).transpose();
    let (from, until, zone) = (time(&args.from)?, time(&args.until)?, Some(args.zone));
    let told = to.analytics(client, Asked { campaign, from, until, zone }).await?;
    output.say(text(&told), &told);
    Ok(())
}

fn text(told: &Analysis) -> String {
    let percent = |rate: Option<f64>| rate.map_or("–".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
    let head = format!(
        "{} attempts, {} answered ({}), {} successes ({}); {:.0} s connected{}; cost {}{}",
        told.total.attempts,
        told.total.answered,
        percent(told.answer_rate),
        told.total.successes,
        percent(told.success_rate),
        told.talk_s,
        told.mean_talk_s.map_or(String::new(), |mean| format!(", {mean:.0} s on average")),
        told.cost,
        told.cost_per_success.as_ref().map_or(String::new(), |cost| format!(", {cost} a success")),
    );
    let silent = told.abandonment.map(|of| {
        format!(
            "over {} days our agent was answered by {} people; {} of them heard nobody ({})",
            Abandonment::DAYS,
            of.answered,
            of.abandoned,
            percent(of.rate)
        )
    });
    let head = [Some(head), silent].into_iter().flatten().collect::<Vec<_>>().join("\n");
    let outcomes = told.by_outcome.iter().map(|(outcome, count)| vec![outcome.clone(), count.to_string()]);
    let row = |name: String, rate: &Rate| {
        let share = percent((rate.attempts > 0).then(|| ratio(rate.answered, rate.attempts)));
        vec![name, rate.attempts.to_string(), rate.answered.to_string(), share, rate.successes.to_string()]
    };
    let some = |rates: Vec<(String, Rate)>| {
        let rows =
            rates.iter().filter(|(_, rate)| rate.attempts > 0).map(|(name, rate)| row(name.clone(), rate));
        rows.collect::<Vec<_>>()
    };
    let hours =
        (0..).zip(&told.by_hour).map(|(hour, rate): (u8, _)| (format!("{hour:02}:00"), *rate)).collect();
    let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let days = weekdays.iter().zip(&told.by_weekday).map(|(day, rate)| ((*day).to_owned(), *rate)).collect();
    let attempts =
        (1..).zip(&told.by_attempt).map(|(number, rate): (u8, _)| (number.to_string(), *rate)).collect();
    let columns = |first| [first, "attempts", "answered", "of them", "successes"];
    [
        head,
        table(&["outcome", "attempts"], outcomes),
        table(&columns(&format!("hour ({})", told.zone)), some(hours)),
        table(&columns("weekday"), some(days)),
        table(&columns("attempt"), some(attempts)),
    ]
    .join("\n")
}

fn ratio(part: i64, whole: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    {
        part as f64 / whole as f64
    }
}
