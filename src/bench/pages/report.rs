//! The figures.

#![expect(clippy::print_stdout, reason = "this is where the bench speaks")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::report::{rounded, whole};
use super::asked::Asked;
use crate::cli::table;

/// How soon something came, whole.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    page: &'static str,
    p50_ms: f64,
    p95_ms: f64,
    most_ms: f64,
    /// What `p95_ms` may be.
    within_ms: f64,
}

impl Page {
    pub(super) fn new(asked: &Asked, mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let at = |share: usize| milliseconds(took[((took.len() - 1) * share).div_ceil(100)]);
        let within_ms = milliseconds(asked.within);
        Self { page: asked.what, p50_ms: at(50), p95_ms: at(95), most_ms: at(100), within_ms }
    }

    fn is_late(&self) -> bool {
        self.p95_ms > self.within_ms
    }
}

fn milliseconds(took: Duration) -> f64 {
    rounded(took.as_secs_f64() * 1_000.0)
}

/// How much there is.
#[derive(Debug, Serialize)]
pub(super) struct Counts {
    /// By table, as the server estimates.
    rows: BTreeMap<String, i64>,
    gigabytes: f64,
}

impl Counts {
    pub(super) fn of(rows: Vec<(String, i64)>, bytes: i64) -> Self {
        Self { rows: rows.into_iter().collect(), gigabytes: rounded(whole(bytes) / 1e9) }
    }
}

/// The figures, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(in super::super) struct Report {
    #[serde(flatten)]
    counts: Counts,
    seeded_s: f64,
    pages: Vec<Page>,
    /// How many statements the server explained.
    explained: usize,
    /// Plans that read a large table whole, each with the page that they are for.
    whole_reads: Vec<String>,
}

impl Report {
    pub(super) fn new(
        counts: Counts,
        seeded: Duration,
        pages: Vec<Page>,
        explained: usize,
        whole_reads: Vec<String>,
    ) -> Self {
        Self { counts, seeded_s: rounded(seeded.as_secs_f64()), pages, explained, whole_reads }
    }

    /// Whether everything came in time, and nothing read a large table whole.
    pub(in super::super) fn is_sound(&self) -> bool {
        !self.pages.iter().any(Page::is_late) && self.whole_reads.is_empty() && self.explained > 0
    }

    pub(in super::super) fn show(&self, json: bool) {
        if json {
            return println!("{}", serde_json::to_string(self).unwrap_or_default());
        }
        let rows: Vec<String> = self
            .counts
            .rows
            .iter()
            .map(|(table, count)| format!("{count} {}", table.replace('_', " ")))
            .collect();
        println!("{}; {:.1} GB, made in {:.0} s", rows.join(", "), self.counts.gigabytes, self.seeded_s);
        let ms = |value: f64| format!("{value:.1}");
        let rows = self.pages.iter().map(|page| {
            let late =
                if page.is_late() { format!("LATE: more than {} ms", page.within_ms) } else { String::new() };
            vec![page.page.to_owned(), ms(page.p50_ms), ms(page.p95_ms), ms(page.most_ms), late]
        });
        println!("{}", table(&["page", "p50 ms", "p95 ms", "most ms", ""], rows));
        println!(
            "{} statements explained, {} read a large table whole",
            self.explained,
            self.whole_reads.len()
        );
        for plan in &self.whole_reads {
            println!("\n{plan}");
        }
    }
}
