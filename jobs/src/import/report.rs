//! Taking rows into a campaign, and what came of it.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use crate::engine::Engine;
use crate::operations::OperationError;
use crate::operations::leads::{self, Accepted, LeadSpec, PAGE};
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use serde::Serialize;

use super::{Problem, Row};

/// How many problems a summary holds; further ones are counted.
pub const PROBLEMS_KEPT: usize = 1_000;

/// How many problems a summary shows to people.
pub const PROBLEMS_SHOWN: usize = 20;

/// How many accepted leads a summary names.
const LEADS_NAMED: usize = 10;

/// What came of an import, or has come of it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Whether this was a rehearsal: nothing was written, and leads that the campaign has already
    /// count as accepted.
    pub dry_run: bool,
    /// Rows read, good or bad. Blank ones do not count.
    pub rows: u64,
    /// Leads that are new to the campaign.
    pub accepted: u64,
    /// Rows of leads that the campaign had already, or that stood in the file before.
    pub duplicates: u64,
    /// Consents that were not recorded before, of leads new or not.
    pub consents: u64,
    /// Rows that are no leads.
    pub problems_total: u64,
    /// The first [`PROBLEMS_KEPT`] problems.
    pub problems: Vec<Problem>,
    /// The first few accepted leads.
    pub first_leads: Vec<LeadId>,
    /// Whether the file could not be read to its end; the last problem says why.
    pub rest_unread: bool,
}

/// Takes rows into a campaign, page by page, and reports the bad ones.
///
/// `actor` is who records consent, where rows have it. `progress` is told after every page. Each page is a transaction of its own: after an error,
/// what was accepted stays, and the same file again adds only what is missing. With `dry_run`
/// nothing is written; leads are then compared among each other only.
///
/// Rows are read on the task's own thread, a page at a time, while the page before is written.
///
/// # Errors
/// If the campaign does not exist, or a page could not be written.
pub async fn import(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    mut rows: impl Iterator<Item = Result<Row, Problem>>,
    dry_run: bool,
    actor: &str,
    mut progress: impl FnMut(&Summary),
) -> Result<Summary, OperationError> {
    let mut tally = Tally::new(dry_run);
    // A page of none says whether the campaign exists, and writes nothing.
    leads::accept(engine, client, campaign, &[]).await?;
    let mut next = tally.page(&mut rows);
    while let Some(page) = next {
        if dry_run {
            tally.rehearse(&page);
            tokio::task::yield_now().await;
            next = tally.page(&mut rows);
        } else {
            let writing = leads::accept_due(engine, client, campaign, &page, None, actor);
            // Once the database is at work, the next page is read.
            let reading = async { tally.page(&mut rows) };
            let (accepted, read) = tokio::join!(biased; writing, reading);
            tally.accepted(&accepted?);
            next = read;
        }
        progress(&tally.summary);
    }
    Ok(tally.summary)
}

/// A summary in the making.
pub(super) struct Tally {
    pub(super) summary: Summary,
    /// Hashes of the dedupe keys that a rehearsal has seen: of all that an import holds, the one
    /// thing that grows with the file, by 8 bytes a lead. That two of a million leads share a hash
    /// has odds of one in 30 million.
    seen: HashSet<u64>,
}

impl Tally {
    pub(super) fn new(dry_run: bool) -> Self {
        Self { summary: Summary { dry_run, ..Summary::default() }, seen: HashSet::new() }
    }

    /// The leads among the next rows, `None` behind the last row.
    pub(super) fn page(
        &mut self,
        rows: &mut impl Iterator<Item = Result<Row, Problem>>,
    ) -> Option<Vec<LeadSpec>> {
        let before = self.summary.rows;
        let good: Vec<LeadSpec> = rows.take(PAGE).filter_map(|row| self.row(row)).collect();
        (self.summary.rows > before).then_some(good)
    }

    fn row(&mut self, row: Result<Row, Problem>) -> Option<LeadSpec> {
        let summary = &mut self.summary;
        summary.rows += 1;
        match row {
            Ok(row) => Some(row.spec),
            Err(problem) => {
                summary.problems_total += 1;
                summary.rest_unread |= problem.rest_unread;
                // The one that says why the file was not read to its end is kept in any case.
                if summary.problems.len() < PROBLEMS_KEPT {
                    summary.problems.push(problem);
                } else if problem.rest_unread {
                    summary.problems[PROBLEMS_KEPT - 1] = problem;
                }
                None
            }
        }
    }

    pub(super) fn accepted(&mut self, accepted: &Accepted) {
        let summary = &mut self.summary;
        summary.accepted += accepted.leads.len() as u64;
        summary.duplicates += accepted.duplicates as u64;
        summary.consents += accepted.consents as u64;
        let room = LEADS_NAMED - summary.first_leads.len();
        summary.first_leads.extend(accepted.leads.iter().take(room));
    }

    pub(super) fn rehearse(&mut self, page: &[LeadSpec]) {
        let hasher = BuildHasherDefault::<DefaultHasher>::new();
        for lead in page {
            if self.seen.insert(hasher.hash_one(lead.dedupe_key())) {
                self.summary.accepted += 1;
            } else {
                self.summary.duplicates += 1;
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, accepted) = (counted(self.rows, "row"), counted(self.accepted, "lead"));
        let duplicates = counted(self.duplicates, "duplicate");
        let problems = counted(self.problems_total, "problem");
        if self.dry_run {
            write!(
                f,
                "{rows} read, nothing written: {accepted} to accept, {duplicates} in the file, {problems}"
            )?;
        } else {
            write!(f, "{rows} read: {accepted} accepted, {duplicates}, {problems}")?;
        }
        if self.consents > 0 {
            write!(f, "; {} recorded", counted(self.consents, "consent"))?;
        }
        // The one that ended the reading matters most, and comes last.
        let ending = self.problems.iter().skip(PROBLEMS_SHOWN).filter(|problem| problem.rest_unread);
        let mut shown = 0;
        for problem in self.problems.iter().take(PROBLEMS_SHOWN).chain(ending) {
            write!(f, "\n  {problem}")?;
            shown += 1;
        }
        if self.problems_total > shown {
            write!(f, "\n  and {} more", self.problems_total - shown)?;
        }
        Ok(())
    }
}

fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
