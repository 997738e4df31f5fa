//! `outdial bench import`: a CSV of any size into a campaign, and the campaign's start.

#![expect(clippy::print_stdout, reason = "this is where the bench speaks")]

use std::io::{Cursor, Read};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use outdial_jobs::import::Options;
use outdial_jobs::operations::By;
use outdial_jobs::operations::campaigns::{self, Order};
use outdial_jobs::operations::imports::{self, Sent};
use outdial_jobs::operations::leads::LeadSpec;
use outdial_jobs::store;
use serde::Serialize;

use super::stage::{Props, Stage};
use super::{Progress, memory};
use crate::cli::table;
use crate::config::Global;
use crate::demo::people;

/// How large an import.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// How many leads the file holds.
    #[arg(long, value_name = "N", default_value = "200000")]
    leads: NonZeroU32,
}

/// The figures, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    leads: u32,
    accepted: u64,
    elapsed_ms: u128,
    leads_per_s: f64,
    /// How long the order to start took.
    start_ms: f64,
    /// The most memory that this process held in each quarter of the import, in MiB.
    rss_mib_by_quarter: [Option<u64>; 4],
    wal_bytes_per_1000_leads: f64,
}

pub(super) async fn run(global: &Global, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    let stage = Stage::set(global, &Props { idle: true, ..Props::default() }, progress).await?;
    let measured = measure(&stage, args, progress).await;
    stage.strike().await?;
    measured
}

async fn measure(stage: &Stage, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    let leads = args.leads.get();
    progress.begin("leads imported", leads);
    let engine = &stage.app.engine;
    let mut conn = engine.pool().acquire().await?;
    let wal_before = store::measure::wal_bytes(&mut conn).await?;
    let began = Instant::now();
    let mut rss = [None; 4];
    let mut told = |so_far: &imports::Import| {
        let rows = u64::try_from(so_far.counts.rows).unwrap_or_default();
        progress.bar.set_position(rows);
        let quarter = usize::try_from(rows.saturating_sub(1) * 4 / u64::from(leads)).unwrap_or(3);
        rss[quarter.min(3)] = rss[quarter.min(3)].max(memory::rss_mib());
    };
    let (client, campaign) = (stage.client, stage.campaign);
    let by = By { actor: "the bench", reason: None };
    let sent = Sent { client, campaign, name: "made up", options: &Options::default(), by };
    let import = imports::begin(engine, sent, &[0; 32]).await?;
    let import = imports::take_in(engine, import, File::of(leads), &mut told).await?;
    let elapsed = began.elapsed();
    let wal = store::measure::wal_bytes(&mut conn).await? - wal_before;
    let ordered = Instant::now();
    campaigns::order(engine, client, campaign, Order::Start, "the bench", None).await?;
    let start = ordered.elapsed();
    Ok(Report {
        leads,
        accepted: u64::try_from(import.counts.accepted)?,
        elapsed_ms: elapsed.as_millis(),
        leads_per_s: super::report::per_s(leads as usize, elapsed),
        start_ms: milliseconds(start),
        rss_mib_by_quarter: rss,
        wal_bytes_per_1000_leads: super::report::rounded(
            super::report::whole(wal) / f64::from(leads) * 1_000.0,
        ),
    })
}

fn milliseconds(duration: Duration) -> f64 {
    super::report::rounded(duration.as_secs_f64() * 1_000.0)
}

impl Report {
    /// Whether every lead was taken in.
    pub(super) fn is_sound(&self) -> bool {
        self.accepted == u64::from(self.leads)
    }

    pub(super) fn show(&self, json: bool) {
        if json {
            return println!("{}", serde_json::to_string(self).unwrap_or_default());
        }
        let quarters = self.rss_mib_by_quarter.iter();
        let rss: Vec<String> =
            quarters.map(|rss| rss.map_or("not known".into(), |rss| format!("{rss} MiB"))).collect();
        let rows = [
            ("leads accepted", format!("{} of {}", self.accepted, self.leads)),
            ("leads/s", format!("{:.0}", self.leads_per_s)),
            ("the campaign's start", format!("{:.1} ms", self.start_ms)),
            ("memory, quarter by quarter", rss.join(", ")),
            ("WAL per 1000 leads", format!("{:.2} MB", self.wal_bytes_per_1000_leads / 1e6)),
        ];
        println!("{}", table(&["", "figure"], rows.map(|(name, value)| vec![name.to_owned(), value])));
    }
}

/// A CSV file that is made up as it is read, so that no size needs a disk.
struct File<I> {
    people: I,
    line: Cursor<Vec<u8>>,
}

impl File<()> {
    fn of(leads: u32) -> File<impl Iterator<Item = LeadSpec>> {
        let header = b"phone,name,time zone,external id\n".to_vec();
        File { people: people::generate(leads), line: Cursor::new(header) }
    }
}

impl<I: Iterator<Item = LeadSpec>> Read for File<I> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let read = self.line.read(into)?;
            if read > 0 {
                return Ok(read);
            }
            let Some(person) = self.people.next() else { return Ok(0) };
            let text = |value: Option<String>| value.unwrap_or_default();
            let LeadSpec { phone, name, zone, external_id, .. } = person;
            let line = format!("{},{},{},{}\n", phone.as_str(), text(name), text(zone), text(external_id));
            self.line = Cursor::new(line.into_bytes());
        }
    }
}
