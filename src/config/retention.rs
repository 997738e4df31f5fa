//! How long what is stored is kept.

use clap::Args;
use outdial_workflows::retention::{self, Kept, Kind};

/// How long what is stored is kept, in days; 0 is for ever. Leads, attempts, consents and lists of numbers that must not be
/// called are never removed for their age.
#[derive(Args, Clone, Debug)]
pub struct Retention {
    /// For how many days the histories of leads are kept, by whole months; 0 for ever.
    #[arg(
        id = "retention.history_days",
        long = "keep-history-days",
        env = "OUTDIAL_KEEP_HISTORY_DAYS",
        default_value_t = Kind::History.usual_days(),
        value_parser = |text: &str| days(Kind::History, text),
        value_name = "DAYS"
    )]
    pub history: u32,

    /// For how many days transcripts, summaries and whatever else calls yielded are kept; 0 for ever.
    #[arg(
        id = "retention.results_days",
        long = "keep-results-days",
        env = "OUTDIAL_KEEP_RESULTS_DAYS",
        default_value_t = Kind::Results.usual_days(),
        value_parser = |text: &str| days(Kind::Results, text),
        value_name = "DAYS"
    )]
    pub results: u32,

    /// For how many days recordings of our own agent's conversations are kept; 0 for ever. Processes that do the work of a
    /// worker need the directory of recordings for it.
    #[arg(
        id = "retention.recordings_days",
        long = "keep-recordings-days",
        env = "OUTDIAL_KEEP_RECORDINGS_DAYS",
        default_value_t = Kind::Recordings.usual_days(),
        value_parser = |text: &str| days(Kind::Recordings, text),
        value_name = "DAYS"
    )]
    pub recordings: u32,

    /// For how many days it is kept who ordered what; 0 for ever. Five years at least.
    #[arg(
        id = "retention.audit_days",
        long = "keep-audit-days",
        env = "OUTDIAL_KEEP_AUDIT_DAYS",
        default_value_t = Kind::Audit.usual_days(),
        value_parser = |text: &str| days(Kind::Audit, text),
        value_name = "DAYS"
    )]
    pub audit: u32,

    /// For how many days counts of calls are kept, which analytics are made of; 0 for ever.
    #[arg(
        id = "retention.statistics_days",
        long = "keep-statistics-days",
        env = "OUTDIAL_KEEP_STATISTICS_DAYS",
        default_value_t = Kind::Statistics.usual_days(),
        value_parser = |text: &str| days(Kind::Statistics, text),
        value_name = "DAYS"
    )]
    pub statistics: u32,

    /// For how many days it is kept what was wrong with rows of files; 0 for ever.
    #[arg(
        id = "retention.notes_days",
        long = "keep-notes-days",
        env = "OUTDIAL_KEEP_NOTES_DAYS",
        default_value_t = Kind::Notes.usual_days(),
        value_parser = |text: &str| days(Kind::Notes, text),
        value_name = "DAYS"
    )]
    pub notes: u32,

    /// For how many days what was in quarantine is kept once it was released or discarded; 0 for ever.
    #[arg(
        id = "retention.quarantine_days",
        long = "keep-quarantine-days",
        env = "OUTDIAL_KEEP_QUARANTINE_DAYS",
        default_value_t = Kind::Quarantine.usual_days(),
        value_parser = |text: &str| days(Kind::Quarantine, text),
        value_name = "DAYS"
    )]
    pub quarantine: u32,

    /// For how many days the log of events that subscribers were sent is kept; 0 for ever.
    #[arg(
        id = "retention.deliveries_days",
        long = "keep-deliveries-days",
        env = "OUTDIAL_KEEP_DELIVERIES_DAYS",
        default_value_t = Kind::Deliveries.usual_days(),
        value_parser = |text: &str| days(Kind::Deliveries, text),
        value_name = "DAYS"
    )]
    pub deliveries: u32,

    /// For how many days webhooks of unknown types are kept; 0 for ever.
    #[arg(
        id = "retention.webhooks_days",
        long = "keep-webhooks-days",
        env = "OUTDIAL_KEEP_WEBHOOKS_DAYS",
        default_value_t = Kind::Webhooks.usual_days(),
        value_parser = |text: &str| days(Kind::Webhooks, text),
        value_name = "DAYS"
    )]
    pub webhooks: u32,
}

impl Retention {
    /// As the sweep has it.
    pub fn kept(&self) -> retention::Retention {
        let days = |kind| match kind {
            Kind::History => self.history,
            Kind::Results => self.results,
            Kind::Recordings => self.recordings,
            Kind::Audit => self.audit,
            Kind::Statistics => self.statistics,
            Kind::Notes => self.notes,
            Kind::Quarantine => self.quarantine,
            Kind::Deliveries => self.deliveries,
            Kind::Webhooks => self.webhooks,
        };
        let with = |kept: retention::Retention, kind| match Kept::days(kind, days(kind)) {
            Ok(its) => kept.with(kind, its),
            // Values were checked as they were read; in doubt, nothing is removed.
            Err(_) => kept.with(kind, Kept::FOR_EVER),
        };
        Kind::ALL.into_iter().fold(retention::Retention::default(), with)
    }
}

fn days(kind: Kind, text: &str) -> Result<u32, String> {
    let days = text.parse().map_err(|_| "not a number of days".to_owned())?;
    Kept::days(kind, days).map(|_| days)
}
