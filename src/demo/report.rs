//! What the demo came to.

use std::collections::BTreeMap;
use std::time::Duration;

use outdial_emulators::carrier::Dials;
use outdial_jobs::operations::campaigns::Status;
use outdial_jobs::providers::Provider;
use outdial_workflows::explain::Explanation;
use outdial_workflows::judge::Verdict;
use serde::Serialize;

use super::watch::Screen;

/// The figures, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    leads: i64,
    finished: i64,
    by_outcome: BTreeMap<String, i64>,
    /// Calls that the carriers made, by their own count.
    dials: u64,
    /// The same by carrier.
    by_carrier: BTreeMap<&'static str, u64>,
    /// Attempts for which one made more than one. Zero, or a promise was broken.
    double_dials: usize,
    elapsed_ms: u128,
    /// Whether the judge found every promise kept.
    judge: &'static str,
    /// What it found, in sentences; the first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<String>,
}

impl Report {
    pub(super) fn new(parts: &[(Provider, Status, &Dials)], verdict: &Verdict, elapsed: Duration) -> Self {
        let mut by_outcome: BTreeMap<String, i64> = BTreeMap::new();
        let mut by_carrier = BTreeMap::new();
        for (provider, status, dials) in parts {
            for (outcome, count) in &status.by_outcome {
                *by_outcome.entry(outcome.clone()).or_default() += count;
            }
            by_carrier.insert(provider.name(), calls(dials));
        }
        Self {
            leads: parts.iter().map(|(_, status, _)| status.leads).sum(),
            finished: parts.iter().map(|(_, status, _)| status.finished).sum(),
            by_outcome,
            dials: by_carrier.values().sum(),
            by_carrier,
            double_dials: parts.iter().map(|(.., dials)| twice(dials)).sum(),
            elapsed_ms: elapsed.as_millis(),
            judge: if verdict.kept() { "kept" } else { "broken" },
            violations: verdict.violations.iter().take(20).map(ToString::to_string).collect(),
        }
    }

    pub(super) fn show(&self, screen: &Screen, verdict: &Verdict, story: Option<&Explanation>) {
        let rows =
            self.by_outcome.iter().map(|(name, count)| vec![name.replace('_', " "), count.to_string()]);
        screen.say(&crate::cli::table(&["outcome", "leads"], rows));
        if let Some(story) = story {
            screen.say(&format!(
                "\nThe story of one lead:\n\n{}",
                story.text(crate::cli::columns()).trim_end()
            ));
        }
        let Self { leads, dials, double_dials, .. } = self;
        let seconds = self.elapsed_ms as f64 / 1_000.0;
        screen.say(&format!(
            "\n{leads} leads in {seconds:.1} s; the {} counted {dials} calls, {double_dials} of them twice.",
            if self.by_carrier.len() == 1 { "carrier" } else { "carriers" }
        ));
        if self.by_carrier.len() > 1 {
            let each =
                self.by_carrier.iter().map(|(name, calls)| vec![(*name).to_owned(), calls.to_string()]);
            screen.say(&crate::cli::table(&["carrier", "calls"], each));
        }
        screen.say(&format!("The judge: {verdict}"));
        screen.last_line(&serde_json::to_value(self).unwrap_or_default());
    }
}

fn calls(dials: &Dials) -> u64 {
    dials.keys.values().map(|count| u64::from(count.accepted)).sum()
}

fn twice(dials: &Dials) -> usize {
    dials.keys_rung_twice().len() + dials.overlapping_numbers().len()
}
