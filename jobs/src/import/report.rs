//! What came of a file, as people see it.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Problem, Row};
use crate::operations::imports::{Import, ImportState, Note};

/// How many problems a summary holds; further ones are counted.
pub const PROBLEMS_KEPT: usize = 1_000;

/// How many problems a summary shows to people.
pub const PROBLEMS_SHOWN: usize = 20;

/// What came of a file, or has come of it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The import; `None` for a rehearsal.
    pub import: Option<Uuid>,
    /// Where it stands.
    pub state: Option<ImportState>,
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
    /// Whether the file could not be read to its end; the last problem says why.
    pub rest_unread: bool,
}

impl Summary {
    /// What came of an import, with the first of what is noted about bad rows.
    pub fn of(import: &Import, problems: Vec<Note>) -> Self {
        let count = |count: i64| u64::try_from(count).unwrap_or_default();
        let counts = &import.counts;
        let problem = |note: Note| Problem {
            line: count(note.line),
            rest_unread: counts.rest_unread && note.line == import.line,
            column: note.column,
            value: note.value,
            problem: note.problem,
        };
        Self {
            import: Some(import.id),
            state: Some(import.state),
            dry_run: false,
            rows: count(counts.rows),
            accepted: count(counts.accepted),
            duplicates: count(counts.duplicates),
            consents: count(counts.consents),
            problems_total: count(counts.problems),
            problems: problems.into_iter().map(problem).collect(),
            rest_unread: counts.rest_unread,
        }
    }
}

/// Counts what would come of these rows; nothing is written, and leads are compared among each other only.
/// `progress` is told after every row.
pub fn rehearse(
    rows: impl Iterator<Item = Result<Row, Problem>>,
    mut progress: impl FnMut(&Summary),
) -> Summary {
    let mut summary = Summary { dry_run: true, ..Summary::default() };
    // Hashes of the dedupe keys that were seen: of all that a rehearsal holds, the one thing that grows with
    // the file, by 8 bytes a lead. That two of a million leads share a hash has odds of one in 30 million.
    let mut seen = HashSet::new();
    let hasher = BuildHasherDefault::<DefaultHasher>::new();
    for row in rows {
        summary.rows += 1;
        match row {
            Ok(row) if seen.insert(hasher.hash_one(row.spec.dedupe_key())) => summary.accepted += 1,
            Ok(_) => summary.duplicates += 1,
            Err(problem) => summary.problem(problem),
        }
        progress(&summary);
    }
    summary
}

impl Summary {
    fn problem(&mut self, problem: Problem) {
        self.problems_total += 1;
        self.rest_unread |= problem.rest_unread;
        // The one that says why the file was not read to its end is kept in any case.
        if self.problems.len() < PROBLEMS_KEPT {
            self.problems.push(problem);
        } else if problem.rest_unread {
            self.problems[PROBLEMS_KEPT - 1] = problem;
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
