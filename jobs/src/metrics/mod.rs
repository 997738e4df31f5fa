//! What this process counts of its work, for whoever asks: names, units and labels are those of Prometheus.
//!
//! What happens here is counted as it happens ([`Metrics`]), and what stands in the database is read when it is
//! asked for ([`standing`]), by statements that read no large table. Labels are few and bounded: clients,
//! campaigns and accounts by name, kinds, states and reasons; no lead, no number, no call.
//! `dashboards/metrics.md` describes each, and a test holds it against what a process shows.

mod names;
pub mod standing;
pub mod talk;
mod tally;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use outdial_workflows::call::{DialReply, Found, RefusalKind};
use outdial_workflows::delivering::Response;
use prometheus::proto::MetricFamily;
use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use self::names::Names;
use self::standing::Standing;
use self::talk::Talks;
pub(crate) use self::tally::Tally;
use crate::jobs::registry;
use crate::providers::Provider;
use crate::sweeps;

/// From a commit without contention to a carrier that hangs.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// From one input to the largest batch.
const INPUTS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0];

/// How long a slot may have been free when it is taken, to count as filled again rather than as idle before.
const REFILLED_WITHIN: Duration = Duration::from_secs(60);
/// More free slots than this are not told apart.
const FREED: usize = 10_000;

/// A family of metrics that differ by their labels.
pub trait Family: Clone + prometheus::core::Collector + 'static {
    /// A new one.
    ///
    /// # Errors
    /// If a name is not allowed.
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self>;
}

macro_rules! family {
    ($($family:ty),+) => {$(
        impl Family for $family {
            fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
                Self::new(Opts::new(name, help), labels)
            }
        }
    )+};
}

family![IntCounterVec, CounterVec, IntGaugeVec, GaugeVec];

impl Family for HistogramVec {
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        let buckets = if name.ends_with("_seconds") { SECONDS } else { INPUTS };
        Self::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)
    }
}

/// Makes a family and registers it.
///
/// # Errors
/// If its name is taken or not allowed.
pub fn registered<F: Family>(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<F> {
    let family = F::make(name, help, labels)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

/// Declares a set of families: field, type, name, labels, and what `dashboards/metrics.md` says of it.
#[macro_export]
macro_rules! metrics {
    ($(#[$doc:meta])* $visibility:vis struct $set:ident {
        $($field:ident: $family:ident = $name:literal [$($label:literal),*] $help:literal;)+
    }) => {
        $(#[$doc])*
        $visibility struct $set { $($field: prometheus::$family),+ }

        impl $set {
            fn registered(registry: &prometheus::Registry) -> prometheus::Result<Self> {
                Ok(Self {
                    $($field: $crate::metrics::registered(registry, $name, $help, &[$($label),*])?),+
                })
            }
        }
    };
}

metrics! {
    /// What happens in this process.
    struct Counts {
        accepted: IntCounterVec = "outdial_leads_accepted_total" ["client", "campaign"]
            "Leads accepted.";
        dials: IntCounterVec = "outdial_dials_total" ["client", "campaign", "provider", "step"]
            "Steps of attempts in the dial ledger: reserved, withdrawn, submitted, bound, refused, unknown, absent, bound_late, resent.";
        refusals: IntCounterVec = "outdial_dial_refusals_total" ["provider", "kind"]
            "Dial requests that were turned down or not sent, by whose trouble it is.";
        turned_away: IntCounterVec = "outdial_turned_away_total" ["client", "campaign", "verdict", "reason"]
            "Leads that were looked at and not dialled: postponed, held, withdrawn or busy, and why.";
        ended: IntCounterVec = "outdial_calls_ended_total" ["client", "campaign", "provider", "result", "source"]
            "Calls that ended, by how, and by who told: webhook, poll, stream.";
        lateness: HistogramVec = "outdial_end_lateness_seconds" ["provider", "source"]
            "From a call's end, by the carrier's own times, until it was taken in; of calls that were answered.";
        talk: CounterVec = "outdial_talk_seconds_total" ["client", "campaign"]
            "Time connected, of calls that ended.";
        outcomes: IntCounterVec = "outdial_outcomes_total" ["client", "campaign", "outcome"]
            "Outcomes of attempts, as they were recorded.";
        retries: IntCounterVec = "outdial_retries_total" ["client", "campaign"]
            "Times that another attempt was decided on.";
        cost: CounterVec = "outdial_call_cost_total" ["client", "campaign"]
            "What carriers said that calls cost, in the account's currency.";
        news: IntCounterVec = "outdial_news_total" ["provider", "source", "result"]
            "News of calls that were taken in: new, or nothing_new as what comes twice or late.";
        batch_inputs: HistogramVec = "outdial_batch_inputs" []
            "Inputs in one commit of the engine.";
        commit: HistogramVec = "outdial_commit_seconds" ["kind"]
            "Time of a deciding transaction, retries left out: of a batch of inputs, or of a round of admission.";
        commit_retries: IntCounterVec = "outdial_commit_retries_total" ["cause"]
            "Batches that were tried again: after a conflict, or because the database was away.";
        quarantines: IntCounterVec = "outdial_quarantines_total" ["kind"]
            "Workflows and jobs that were put into quarantine.";
        refill: HistogramVec = "outdial_slot_refill_seconds" []
            "From a slot's becoming free to the dial that takes it, of those taken within a minute.";
        dialling: HistogramVec = "outdial_dial_request_seconds" ["provider", "result"]
            "Time of a dial request at the carrier: bound, refused or unknown.";
        asking: HistogramVec = "outdial_question_seconds" ["provider", "answer"]
            "Time of asking a carrier what became of a dial or a call: found, not_seen, or cannot_tell where it gave no answer.";
        jobs: HistogramVec = "outdial_job_seconds" ["kind", "result"]
            "Time of a run of a job: done, later as it asked for itself, or failed.";
        rescues: IntCounterVec = "outdial_jobs_rescued_total" ["kind"]
            "Jobs that were taken over because the lease of whoever ran them had run out.";
        sweeps: IntCounterVec = "outdial_sweeps_total" ["sweep", "result"]
            "Runs of sweeps: done or failed.";
        swept: IntCounterVec = "outdial_sweep_found_total" ["sweep"]
            "What sweeps found to do; of stale_calls, timers that nobody had fired.";
        deliveries: HistogramVec = "outdial_event_delivery_seconds" ["result"]
            "Time of sending an event to a subscriber: took, failed or gone.";
    }
}

/// What this process counts, and what it reads when it is asked.
pub struct Metrics {
    registry: Registry,
    counts: Counts,
    talks: Talks,
    standing: Standing,
    names: Names,
    /// When slots became free that nobody has taken since, the longest free first.
    freed: Mutex<VecDeque<Instant>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new().expect("each metric has a name of its own")
    }
}

impl Metrics {
    /// Nothing is counted yet.
    ///
    /// # Errors
    /// If two have one name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counts = Counts::registered(&registry)?;
        // What never happened is shown as such: a rate needs two values, and the second is the alarm.
        for provider in Provider::ALL {
            for kind in REFUSALS {
                counts.refusals.with_label_values(&[provider.name(), kind]);
            }
            for answer in ANSWERS {
                counts.asking.with_label_values(&[provider.name(), answer]);
            }
        }
        for kind in ["workflow", "job"] {
            counts.quarantines.with_label_values(&[kind]);
        }
        for cause in ["conflict", "away"] {
            counts.commit_retries.with_label_values(&[cause]);
        }
        for (kind, _) in registry::SLOTS {
            counts.rescues.with_label_values(&[kind]);
        }
        for sweep in sweeps::names() {
            counts.sweeps.with_label_values(&[sweep, "done"]);
            counts.sweeps.with_label_values(&[sweep, "failed"]);
            counts.swept.with_label_values(&[sweep]);
        }
        for result in ["took", "failed", "gone"] {
            counts.deliveries.with_label_values(&[result]);
        }
        counts.refill.with_label_values(NONE);
        let talks = Talks::new(&registry)?;
        let standing = Standing::new(&registry)?;
        Ok(Self { registry, counts, talks, standing, names: Names::default(), freed: Mutex::default() })
    }

    /// Where others of this process register what they count.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Everything, with names for ids.
    pub fn gather(&self) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        self.names.put_into(&mut families);
        families
    }

    pub(crate) fn committed(&self, kind: &str, inputs: usize, took: Duration) {
        self.counts.commit.with_label_values(&[kind]).observe(took.as_secs_f64());
        let inputs = u32::try_from(inputs).unwrap_or(u32::MAX);
        self.counts.batch_inputs.with_label_values(NONE).observe(inputs.into());
    }

    pub(crate) fn commit_retried(&self, cause: &str) {
        self.counts.commit_retries.with_label_values(&[cause]).inc();
    }

    pub(crate) fn quarantined(&self, kind: &str) {
        self.counts.quarantines.with_label_values(&[kind]).inc();
    }

    fn slots_freed(&self, count: usize) {
        let mut freed = self.freed.lock().unwrap_or_else(PoisonError::into_inner);
        let room = FREED.saturating_sub(freed.len());
        freed.extend(std::iter::repeat_n(Instant::now(), count.min(room)));
    }

    /// A dial request goes out: the first slot to become free is the first to be taken.
    pub(crate) fn dialling(&self) {
        let freed = self.freed.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if let Some(waited) = freed.map(|at| at.elapsed()).filter(|waited| *waited <= REFILLED_WITHIN) {
            self.counts.refill.with_label_values(NONE).observe(waited.as_secs_f64());
        }
    }

    pub(crate) fn dialled(&self, provider: Provider, reply: &DialReply, took: Duration) {
        let result = match reply {
            DialReply::Bound { .. } => "bound",
            DialReply::Refused(_) => "refused",
            DialReply::Unknown { .. } => "unknown",
        };
        let labels = [provider.name(), result];
        self.counts.dialling.with_label_values(&labels).observe(took.as_secs_f64());
    }

    pub(crate) fn asked(&self, provider: Provider, answer: &Found, took: Duration) {
        let answer = match answer {
            Found::Call(_) => ANSWERS[0],
            Found::NotSeen { .. } => ANSWERS[1],
            Found::CannotTell { .. } => ANSWERS[2],
        };
        self.counts.asking.with_label_values(&[provider.name(), answer]).observe(took.as_secs_f64());
    }

    pub(crate) fn job_ran(&self, kind: &str, result: &str, took: Duration) {
        self.counts.jobs.with_label_values(&[kind, result]).observe(took.as_secs_f64());
    }

    pub(crate) fn job_rescued(&self, kind: &str) {
        self.counts.rescues.with_label_values(&[kind]).inc();
    }

    pub(crate) fn swept(&self, sweep: &str, found: Option<u64>) {
        let result = if found.is_some() { "done" } else { "failed" };
        self.counts.sweeps.with_label_values(&[sweep, result]).inc();
        self.counts.swept.with_label_values(&[sweep]).inc_by(found.unwrap_or_default());
    }

    pub(crate) fn delivered(&self, response: &Response, took: Duration) {
        let result = match response {
            Response::Took => "took",
            Response::Failed { .. } => "failed",
            Response::Gone => "gone",
        };
        self.counts.deliveries.with_label_values(&[result]).observe(took.as_secs_f64());
    }
}

/// As Prometheus has numbers: whole ones are exact up to 2^53.
fn real(whole: i64) -> f64 {
    whole as f64
}

/// No labels.
pub(crate) const NONE: &[&str] = &[];

/// What a carrier may answer, to be shown from the beginning.
const ANSWERS: [&str; 3] = ["found", "not_seen", "cannot_tell"];

/// Every kind of refusal by name, to be shown from the beginning.
const REFUSALS: [&str; 8] = [
    "not_sent",
    "too_late",
    "throttled",
    "account_unusable",
    "invalid_number",
    "barred",
    "rejected",
    "misconfigured",
];

fn refusal(kind: &RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NotSent => "not_sent",
        RefusalKind::TooLate => "too_late",
        RefusalKind::Throttled { .. } => "throttled",
        RefusalKind::AccountUnusable => "account_unusable",
        RefusalKind::InvalidNumber => "invalid_number",
        RefusalKind::Barred => "barred",
        RefusalKind::Rejected => "rejected",
        RefusalKind::Misconfigured => "misconfigured",
    }
}
