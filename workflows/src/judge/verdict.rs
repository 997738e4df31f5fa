//! What the judge says, in data and in sentences.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{AttemptNumber, LeadId};

/// So many findings are kept in words; beyond that they are only counted.
pub const MOST_LISTED: usize = 1_000;

/// What Outdial promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// One attempt places at most one call.
    NeverTwice,
    /// A lead that was accepted reaches a recorded final state.
    NeverLost,
    /// Hours, suppressions, caps and holds are kept at the instant of dialling.
    NeverWhenWeMayNot,
    /// Each decision is stored with its reason.
    AlwaysExplainable,
}

impl Promise {
    /// Every promise.
    pub const ALL: [Self; 4] =
        [Self::NeverTwice, Self::NeverLost, Self::NeverWhenWeMayNot, Self::AlwaysExplainable];
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverTwice => "never twice",
            Self::NeverLost => "never lost",
            Self::NeverWhenWeMayNot => "never when we may not",
            Self::AlwaysExplainable => "always explainable",
        })
    }
}

/// What a promise comes down to, one rule for each thing that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// An attempt is submitted at most once.
    OneSubmission,
    /// A carrier makes at most one call for an attempt, as far as our history tells.
    OneCall,
    /// An attempt that was concluded not to have taken place did not. Once a later attempt
    /// was dialled, that is two calls for one need; before, it is a warning.
    LateCall,
    /// A carrier's own count for an attempt is at most 1.
    ProviderDials,
    /// A carrier makes no call for an attempt that was never submitted.
    DialWithoutSubmission,
    /// A lead has at most one live attempt.
    OneLiveAttempt,
    /// A number has at most one live attempt within a client.
    OneLiveNumber,
    /// An attempt moves along the edges of the dial ledger only.
    LedgerOrder,

    /// A timer that is due fires.
    Timer,
    /// A due lead of a running campaign is called. Strict judges only.
    Stuck,
    /// A finished lead has no live attempt.
    FinishedWhileLive,
    /// The lead's state and its latest attempt tell the same story.
    StateFits,
    /// Nothing is in quarantine. A warning.
    Quarantine,

    /// Calls are made inside the hours of the revision that they name.
    Hours,
    /// The zone that an attempt names is the lead's. Where the lead's zone was corrected
    /// since, the call is judged by both: a warning if both were open, a violation if the
    /// lead's present zone was not.
    Zone,
    /// The areas that an attempt names are the lead's, likewise.
    Region,
    /// Calls keep the hours and the holidays of the places where the person may be, and those
    /// of the campaign. A warning where the packs have changed since.
    Law,
    /// Nobody is called without the consent that is asked for.
    Consent,
    /// No number is tried more often than law and campaign allow.
    Caps,
    /// Nobody is called before a campaign begins, or after it ends.
    Dates,
    /// The open calendar serves emulated accounts only.
    OpenCalendar,
    /// The rules that an attempt names can be read.
    ReadableRules,
    /// Nothing is submitted at or after its `dial_by`.
    DialBy,
    /// No suppressed number is called.
    Suppression,
    /// After a hold, a cancel or the end, nothing is dialled until a person says so.
    Orders,
    /// A lead is tried no more often than its rules allow.
    MaxAttempts,
    /// No more live attempts at once than a limit allows.
    Concurrent,
    /// No more requests in any window than a limit allows.
    Rate,
    /// No day's calls are begun that its money would not pay for.
    Spending,

    /// The history has no gap, and no event twice.
    Sequence,
    /// The history's times do not run backwards.
    TimeOrder,
    /// The rows say what the history adds up to.
    RowsAgree,
    /// A finished or held lead says why, as its history does.
    Reason,
}

impl Rule {
    /// The promise that it is part of.
    pub fn promise(self) -> Promise {
        match self {
            Self::OneSubmission
            | Self::OneCall
            | Self::LateCall
            | Self::ProviderDials
            | Self::DialWithoutSubmission
            | Self::OneLiveAttempt
            | Self::OneLiveNumber
            | Self::LedgerOrder => Promise::NeverTwice,
            Self::Timer | Self::Stuck | Self::FinishedWhileLive | Self::StateFits | Self::Quarantine => {
                Promise::NeverLost
            }
            Self::Hours
            | Self::Zone
            | Self::Region
            | Self::Law
            | Self::Consent
            | Self::Caps
            | Self::Dates
            | Self::OpenCalendar
            | Self::ReadableRules
            | Self::DialBy
            | Self::Suppression
            | Self::Orders
            | Self::MaxAttempts
            | Self::Concurrent
            | Self::Rate
            | Self::Spending => Promise::NeverWhenWeMayNot,
            Self::Sequence | Self::TimeOrder | Self::RowsAgree | Self::Reason => Promise::AlwaysExplainable,
        }
    }
}

/// One thing that is not as promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that was broken.
    pub rule: Rule,
    /// The lead.
    pub lead: LeadId,
    /// The attempt, if it is about one.
    pub attempt: Option<AttemptNumber>,
    /// True if it breaks no promise yet, but somebody should look.
    pub warning: bool,
    /// What was found, with its numbers and without personal data.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.warning {
            true => f.write_str("warning")?,
            false => write!(f, "{}", self.rule.promise())?,
        }
        write!(f, ": lead {}", self.lead)?;
        if let Some(attempt) = self.attempt {
            write!(f, ", attempt {attempt}")?;
        }
        write!(f, ": {}", self.found)
    }
}

/// Something stored that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The lead that it is about, if it is about one; that lead was not judged.
    pub lead: Option<LeadId>,
    /// Which row, and what is wrong with it.
    pub problem: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lead {
            Some(lead) => write!(f, "not judged: lead {lead}: {}", self.problem),
            None => write!(f, "judged without: {}", self.problem),
        }
    }
}

/// What the judge says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How many leads were heard.
    pub leads: u64,
    /// How many attempts they had.
    pub attempts: u64,
    /// How many of the leads are finished.
    pub finished: u64,
    /// How many were not, since the beginning of their history is no longer kept.
    #[serde(default, skip_serializing_if = "is_none")]
    pub past: u64,
    /// How often each promise was broken; a promise that was kept is not listed.
    pub counts: BTreeMap<Promise, u64>,
    /// How many warnings there were.
    pub warned: u64,
    /// How many rows could not be read.
    pub unread: u64,
    /// Those rows, the first [`MOST_LISTED`].
    pub unreadable: Vec<Unreadable>,
    /// What broke a promise, the first [`MOST_LISTED`].
    pub violations: Vec<Finding>,
    /// What did not, but should be looked at, the first [`MOST_LISTED`].
    pub warnings: Vec<Finding>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Verdict {
    /// Whether everything could be read, and every promise was kept.
    pub fn kept(&self) -> bool {
        self.counts.is_empty() && self.unread == 0
    }

    pub(super) fn cannot_read(&mut self, row: Unreadable) {
        self.unread += 1;
        if self.unreadable.len() < MOST_LISTED {
            self.unreadable.push(row);
        }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        let list = if finding.warning {
            self.warned += 1;
            &mut self.warnings
        } else {
            *self.counts.entry(finding.rule.promise()).or_default() += 1;
            &mut self.violations
        };
        if list.len() < MOST_LISTED {
            list.push(finding);
        }
    }
}

impl fmt::Display for Verdict {
    /// One sentence, then one for each finding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { leads, attempts, finished, .. } = self;
        write!(f, "Leads heard: {leads}, finished: {finished}, attempts: {attempts}; ")?;
        if self.kept() {
            f.write_str("all four promises were kept")?;
        } else if self.counts.is_empty() {
            f.write_str("as far as it can be read, all four promises were kept")?;
        } else {
            let counts = self.counts.iter().map(|(promise, count)| format!("{promise} (broken: {count})"));
            write!(f, "not kept: {}", counts.collect::<Vec<_>>().join(", "))?;
        }
        if self.past > 0 {
            write!(f, "; not judged, since the beginning of their history is no longer kept: {}", self.past)?;
        }
        if self.unread > 0 {
            write!(f, "; rows that cannot be read: {}", self.unread)?;
        }
        if self.warned > 0 {
            write!(f, "; warnings: {}", self.warned)?;
        }
        f.write_str(".")?;
        for row in &self.unreadable {
            write!(f, "\n{row}")?;
        }
        for finding in self.violations.iter().chain(&self.warnings) {
            write!(f, "\n{finding}")?;
        }
        let unlisted = self.counts.values().sum::<u64>() + self.warned + self.unread;
        let listed = self.violations.len() + self.warnings.len() + self.unreadable.len();
        match unlisted.saturating_sub(u64::try_from(listed).unwrap_or(u64::MAX)) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more, not listed"),
        }
    }
}
