//! How long what is stored is kept, and what is old enough to go.
//!
//! What the promises stand on is not in here: leads, their states, the dial ledger, consents and suppressions are never
//! removed for their age. Without its ledger a lead could be called again, and without its lead a file that is imported
//! again would have the person called anew.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};
use serde::Serialize;

use crate::Moment;

/// Something that is removed once it is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What happened to leads, by whole months.
    History,
    /// What calls yielded: transcripts, summaries, analysis; and what conversations are known by.
    Results,
    /// Recordings of our own agent's conversations.
    Recordings,
    /// Who ordered what.
    Audit,
    /// How calls went, by the quarter of an hour.
    Statistics,
    /// What was wrong with rows of files.
    Notes,
    /// What could not be processed, once it was put back to work or discarded.
    Quarantine,
    /// What subscribers were told.
    Deliveries,
    /// Webhooks of unknown types.
    Webhooks,
}

/// What the records of a call must be kept in the USA, the longest of the laws that the packs know: five years
/// (16 CFR 310.5, as amended in 2024).
const FIVE_YEARS: u32 = 1_827;

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::History,
        Self::Results,
        Self::Recordings,
        Self::Audit,
        Self::Statistics,
        Self::Notes,
        Self::Quarantine,
        Self::Deliveries,
        Self::Webhooks,
    ];

    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Results => "results",
            Self::Recordings => "recordings",
            Self::Audit => "audit",
            Self::Statistics => "statistics",
            Self::Notes => "notes",
            Self::Quarantine => "quarantine",
            Self::Deliveries => "deliveries",
            Self::Webhooks => "webhooks",
        }
    }

    /// For how many days it is kept unless somebody says otherwise.
    pub const fn usual_days(self) -> u32 {
        match self {
            Self::History | Self::Results | Self::Recordings | Self::Statistics => FIVE_YEARS,
            Self::Audit => 2 * FIVE_YEARS,
            Self::Notes => 365,
            Self::Quarantine => 90,
            Self::Deliveries | Self::Webhooks => 30,
        }
    }

    /// For how many days it must be kept at least.
    ///
    /// Calls last up to four hours, carriers tell of results and costs for days, and events wait a week for their
    /// subscribers: what is younger than a month may be needed still. Who ordered what has to be provable for as long as
    /// the calls that came of it.
    pub const fn least_days(self) -> u32 {
        match self {
            Self::History | Self::Results | Self::Statistics => 31,
            Self::Audit => FIVE_YEARS,
            Self::Recordings | Self::Notes | Self::Quarantine | Self::Webhooks => 1,
            Self::Deliveries => 7,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// For how long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Kept(Option<u32>);

impl Kept {
    /// For ever.
    pub const FOR_EVER: Self = Self(None);

    /// For so many days; 0 is for ever.
    ///
    /// # Errors
    /// If that is shorter than things of the kind have to be kept.
    pub fn days(kind: Kind, days: u32) -> Result<Self, String> {
        match days {
            0 => Ok(Self::FOR_EVER),
            days if days < kind.least_days() => Err(format!(
                "{kind} must be kept for {} days at least, or for ever, which is 0",
                kind.least_days()
            )),
            days => Ok(Self(Some(days))),
        }
    }

    /// What is from before this is too old; `None` if nothing ever is.
    pub fn horizon(self, now: Moment) -> Option<Moment> {
        now.checked_sub_days(Days::new(self.0?.into()))
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("for ever"),
            Some(1) => f.write_str("1 day"),
            Some(days) if days % FIVE_YEARS == 0 => write!(f, "{} years", days / FIVE_YEARS * 5),
            Some(days) => write!(f, "{days} days"),
        }
    }
}

/// For how long each kind is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention([Kept; Kind::ALL.len()]);

impl Default for Retention {
    fn default() -> Self {
        Self(Kind::ALL.map(|kind| Kept(Some(kind.usual_days()))))
    }
}

impl Retention {
    /// The same, but for one kind.
    #[must_use]
    pub fn with(mut self, kind: Kind, kept: Kept) -> Self {
        self.0[kind as usize] = kept;
        self
    }

    /// For how long things of a kind are kept.
    pub fn of(&self, kind: Kind) -> Kept {
        self.0[kind as usize]
    }

    /// What of a kind is from before this is too old; `None` if nothing ever is.
    pub fn horizon(&self, kind: Kind, now: Moment) -> Option<Moment> {
        self.of(kind).horizon(now)
    }
}

/// A month of the history, which is a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    first: NaiveDate,
}

impl Month {
    /// The month that a table holds; `None` for a table that is none of these.
    pub fn of_table(name: &str) -> Option<Self> {
        let (year, month) = name.strip_prefix("workflow_events_")?.split_once('_')?;
        let first = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)?;
        let month = Self { first };
        (month.table() == name).then_some(month)
    }

    /// The table that holds it.
    pub fn table(self) -> String {
        format!("workflow_events_{:04}_{:02}", self.first.year(), self.first.month())
    }

    /// Its end, which is not in it.
    pub fn end(self) -> Moment {
        let next = self.first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        next.and_time(NaiveTime::MIN).and_utc()
    }
}

/// Those months of which everything is too old, the oldest first.
pub fn past(months: impl IntoIterator<Item = Month>, horizon: Moment) -> Vec<Month> {
    let mut past: Vec<Month> = months.into_iter().filter(|month| month.end() <= horizon).collect();
    past.sort_unstable();
    past
}

/// Whether the beginning of a lead's history was removed for its age: it was accepted before `since`, from where on
/// histories are kept, and what is left does not begin at the beginning.
pub fn beginning_removed(accepted: Moment, first_seq: Option<i64>, since: Option<Moment>) -> bool {
    since.is_some_and(|since| accepted < since) && first_seq != Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Moment {
        text.parse().expect("a time")
    }

    #[test]
    fn a_month_is_past_once_its_last_moment_is_too_old_and_not_sooner() {
        let tables = ["workflow_events_2026_01", "workflow_events_2025_12", "workflow_events_2026_02"];
        let months = || tables.iter().filter_map(|name| Month::of_table(name));
        let named = |horizon| past(months(), at(horizon)).into_iter().map(Month::table).collect::<Vec<_>>();
        assert_eq!(named("2026-01-31T23:59:59Z"), ["workflow_events_2025_12"]);
        assert_eq!(named("2026-02-01T00:00:00Z"), ["workflow_events_2025_12", "workflow_events_2026_01"]);
        assert!(named("2025-12-31T00:00:00Z").is_empty());
    }

    #[test]
    fn a_table_that_holds_no_month_is_none() {
        let others =
            ["workflow_events_default", "workflow_events_2026_13", "workflow_events_2026_1", "leads_2026_01"];
        for name in others {
            assert_eq!(Month::of_table(name), None, "{name}");
        }
    }

    #[test]
    fn nothing_that_is_kept_for_ever_is_ever_too_old() {
        let kept = Retention::default().with(Kind::Results, Kept::FOR_EVER);
        assert_eq!(kept.horizon(Kind::Results, at("2099-01-01T00:00:00Z")), None);
        assert_eq!(
            kept.horizon(Kind::Deliveries, at("2026-01-31T12:00:00Z")),
            Some(at("2026-01-01T12:00:00Z"))
        );
    }

    #[test]
    fn what_must_be_provable_cannot_be_kept_too_short() {
        for kind in Kind::ALL {
            assert_eq!(Kept::days(kind, 0), Ok(Kept::FOR_EVER));
            assert!(Kept::days(kind, kind.least_days()).is_ok());
            assert!(kind.least_days() <= kind.usual_days(), "{kind}");
        }
        let problem = "audit must be kept for 1827 days at least, or for ever, which is 0";
        assert_eq!(Kept::days(Kind::Audit, 1_826), Err(problem.to_owned()));
    }

    #[test]
    fn the_beginning_of_a_history_is_missed_only_where_it_was_removed() {
        let (accepted, since) = (at("2021-03-05T00:00:00Z"), Some(at("2021-04-01T00:00:00Z")));
        assert!(beginning_removed(accepted, Some(4), since));
        assert!(beginning_removed(accepted, None, since));
        assert!(!beginning_removed(accepted, Some(1), since), "it is whole");
        assert!(!beginning_removed(accepted, None, None), "nothing was ever removed");
        assert!(
            !beginning_removed(at("2021-04-01T00:00:00Z"), None, since),
            "it is from later, and was lost otherwise"
        );
    }
}
