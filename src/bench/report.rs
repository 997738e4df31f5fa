//! The figures of a run.

#![expect(clippy::print_stdout, reason = "this is where the bench speaks")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use outdial_jobs::operations::campaigns;
use outdial_jobs::store::measure::Durability;
use serde::Serialize;

use super::Args;
use super::recorder::Percentiles;
use super::stage::Stage;
use crate::cli::table;

/// What has been used so far, or in between. `None` where it cannot be known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) engine_s: Option<f64>,
    pub(super) postgres_s: Option<f64>,
    pub(super) provider_s: Option<f64>,
    pub(super) wal_bytes: i64,
}

impl Usage {
    pub(super) fn since(self, before: Self) -> Self {
        let less = |now: Option<f64>, then: Option<f64>| Some(now? - then?);
        Self {
            engine_s: less(self.engine_s, before.engine_s),
            postgres_s: less(self.postgres_s, before.postgres_s),
            provider_s: less(self.provider_s, before.provider_s),
            wal_bytes: self.wal_bytes - before.wal_bytes,
        }
    }
}

/// The figures, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    leads: u32,
    /// 0: no limit.
    concurrency: u32,
    backlog: u32,
    /// Whether another session held a snapshot all the while.
    held_snapshot: bool,
    /// Leads accepted a second, if that was bounded.
    rate: Option<u32>,
    finished: usize,
    by_outcome: BTreeMap<String, i64>,
    elapsed_ms: u128,
    /// From the first lead's acceptance to the last outcome.
    leads_per_s: f64,
    /// While leads were being accepted.
    accepted_per_s: f64,
    /// From the first dial to the last.
    submits_per_s: f64,
    /// From a webhook's arrival to its answer, which follows the commit.
    webhook_to_outcome: Option<Percentiles>,
    /// From a slot's becoming free to the dial that takes it; only where leads wait for slots.
    slot_to_dial: Option<Percentiles>,
    /// From the commit of a job's row to the start of its handler.
    job_pickup: Option<Percentiles>,
    /// Seconds of processor time a thousand leads.
    cpu_s_per_1000_leads: Cpu,
    wal_bytes_per_1000_leads: f64,
    /// Calls by the carrier's count; `None` if it does not tell.
    dials: Option<u64>,
    /// The most for one key; more than 1 is a broken promise.
    dials_per_key_max: Option<u32>,
    postgres: Durability,
}

#[derive(Debug, Serialize)]
struct Cpu {
    engine: Option<f64>,
    postgres: Option<f64>,
    engine_and_postgres: Option<f64>,
    provider: Option<f64>,
}

impl Report {
    pub(super) async fn new(
        stage: &Stage,
        args: &Args,
        began: Instant,
        accepted_within: Duration,
        used: &Usage,
    ) -> anyhow::Result<Self> {
        let status = campaigns::status(&stage.app.engine, stage.client, stage.campaign).await?;
        let counted = stage.provider.counted(stage.client).await;
        let mut notes = stage.recorder.take();
        let elapsed = notes.last_finished.unwrap_or(began).duration_since(began);
        let slots = match (args.concurrency, args.rate) {
            (0, _) | (_, Some(_)) => None,
            (slots, None) => Some(notes.slot_waits(slots as usize)),
        };
        notes.dials.sort_unstable();
        let dialling = match notes.dials.as_slice() {
            [first, .., last] => last.duration_since(*first),
            _ => Duration::ZERO,
        };
        let leads = f64::from(args.leads.get());
        let each_1000 = |value: f64| rounded(value / leads * 1_000.0);
        let cpu = Cpu {
            engine: used.engine_s.map(each_1000),
            postgres: used.postgres_s.map(each_1000),
            engine_and_postgres: used.engine_s.zip(used.postgres_s).map(|(a, b)| each_1000(a + b)),
            provider: used.provider_s.map(each_1000),
        };
        Ok(Self {
            leads: args.leads.get(),
            concurrency: args.concurrency,
            backlog: args.backlog,
            held_snapshot: args.hold_snapshot,
            rate: args.rate.map(Into::into),
            finished: notes.finished,
            by_outcome: status.by_outcome,
            elapsed_ms: elapsed.as_millis(),
            leads_per_s: per_s(notes.finished, elapsed),
            accepted_per_s: per_s(args.leads.get() as usize, accepted_within),
            submits_per_s: per_s(notes.dials.len().saturating_sub(1), dialling),
            webhook_to_outcome: Percentiles::of(notes.webhooks),
            slot_to_dial: slots.and_then(Percentiles::of),
            job_pickup: Percentiles::of(notes.pickups),
            cpu_s_per_1000_leads: cpu,
            wal_bytes_per_1000_leads: each_1000(whole(used.wal_bytes)),
            dials: counted.map(|counted| counted.dials),
            dials_per_key_max: counted.map(|counted| counted.per_key_max),
            postgres: stage.durability.clone(),
        })
    }

    /// Whether every lead finished and nobody was rung twice for one attempt.
    pub(super) fn is_sound(&self) -> bool {
        self.finished == self.leads as usize && self.dials_per_key_max.is_none_or(|most| most <= 1)
    }

    pub(super) fn show(&self, json: bool) {
        if json {
            println!("{}", serde_json::to_string(self).unwrap_or_default());
        } else {
            println!("{}", self.text());
        }
    }

    fn text(&self) -> String {
        let unknown = || "not known".to_owned();
        let seconds = |value: Option<f64>| value.map_or_else(unknown, |s| format!("{s:.3} s"));
        let cpu = &self.cpu_s_per_1000_leads;
        let outcomes = self.by_outcome.iter().map(|(name, count)| format!("{count} {name}"));
        let rows = [
            ("leads", format!("{} in {:.2} s", self.finished, seconds_of(self.elapsed_ms))),
            ("outcomes", outcomes.collect::<Vec<_>>().join(", ").replace('_', " ")),
            ("leads/s", format!("{:.0}", self.leads_per_s)),
            ("accepted/s", format!("{:.0}", self.accepted_per_s)),
            ("dials/s", format!("{:.0}", self.submits_per_s)),
            ("CPU per 1000 leads: engine", seconds(cpu.engine)),
            ("  Postgres", seconds(cpu.postgres)),
            ("  engine and Postgres", seconds(cpu.engine_and_postgres)),
            ("  carrier", seconds(cpu.provider)),
            ("WAL per 1000 leads", format!("{:.2} MB", self.wal_bytes_per_1000_leads / 1e6)),
            ("dials, by the carrier's count", self.dials.map_or_else(unknown, |dials| dials.to_string())),
            ("most dials for one key", self.dials_per_key_max.map_or_else(unknown, |most| most.to_string())),
            ("Postgres", self.durability()),
        ];
        let figures = table(&["", "figure"], rows.map(|(name, value)| vec![name.to_owned(), value]));
        let latencies = [
            ("webhook to outcome", self.webhook_to_outcome),
            ("free slot to dial", self.slot_to_dial),
            ("queued job to handler", self.job_pickup),
        ];
        let latencies = latencies.into_iter().filter_map(|(name, of)| of.map(|of| (name, of)));
        let latencies = table(
            &["milliseconds", "p50", "p95", "p99", "max", "of"],
            latencies.map(|(name, of)| {
                let each = [of.p50_ms, of.p95_ms, of.p99_ms, of.max_ms].map(|ms| format!("{ms:.1}"));
                std::iter::once(name.to_owned()).chain(each).chain([of.count.to_string()]).collect()
            }),
        );
        format!("{figures}\n{latencies}")
    }

    fn durability(&self) -> String {
        let Durability { version, fsync, synchronous_commit, full_page_writes } = &self.postgres;
        format!(
            "{version}; fsync {fsync}, synchronous_commit {synchronous_commit}, full_page_writes {full_page_writes}"
        )
    }
}

/// To a thousandth.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
pub(super) fn per_s(count: usize, within: Duration) -> f64 {
    match within.is_zero() {
        true => 0.0,
        false => rounded(count as f64 / within.as_secs_f64()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
pub(super) fn counted(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a run are far below 2^52")]
pub(super) fn whole(bytes: i64) -> f64 {
    bytes as f64
}

fn seconds_of(elapsed_ms: u128) -> f64 {
    Duration::from_millis(u64::try_from(elapsed_ms).unwrap_or(u64::MAX)).as_secs_f64()
}
