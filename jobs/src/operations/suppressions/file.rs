//! Files of numbers that must not be called: read page by page, and what came of them.

use std::fmt;
use std::io::Read;

use outdial_workflows::phone::PhoneNumber;
use serde::{Deserialize, Serialize};

use super::{Added, PAGE};
use crate::import::{self, ImportError, Options, PROBLEMS_KEPT, PROBLEMS_SHOWN, Problem, Rows};

/// What came of a file of numbers, or has come of it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Rows read, good or bad.
    pub rows: u64,
    /// What came of the numbers.
    #[serde(flatten)]
    pub added: Added,
    /// Rows without a number.
    pub problems_total: u64,
    /// The first [`PROBLEMS_KEPT`] of them, and the one that ended the reading.
    pub problems: Vec<Problem>,
    /// Whether the file could not be read to its end.
    pub rest_unread: bool,
}

impl Taken {
    /// Whether the file was of no use, or not all of it was.
    pub fn failed(&self) -> bool {
        self.rest_unread || self.problems_total > 0 && self.problems_total == self.rows
    }

    /// Counts what came of a page.
    pub fn count(&mut self, page: Added) {
        self.added.added += page.added;
        self.added.extended += page.extended;
        self.added.already += page.already;
    }

    fn problem(&mut self, problem: Problem) {
        self.problems_total += 1;
        self.rest_unread |= problem.rest_unread;
        if self.problems.len() < PROBLEMS_KEPT || problem.rest_unread {
            self.problems.push(problem);
        }
    }
}

/// A file of numbers that is being read.
pub struct Numbers<R: Read> {
    rows: Rows<R>,
    taken: Taken,
}

/// Looks at the head of a file: a CSV with a phone column, or a number on each line.
///
/// # Errors
/// If no number of it could be read.
pub fn read<R: Read>(file: R, options: &Options) -> Result<Numbers<R>, ImportError> {
    Ok(Numbers { rows: import::read_numbers(file, options)?, taken: Taken::default() })
}

impl<R: Read> Numbers<R> {
    /// The numbers of the next [`PAGE`] rows, for [`super::add`]; `None` at the end.
    pub fn page(&mut self) -> Option<Vec<PhoneNumber>> {
        let (before, mut page) = (self.taken.rows, vec![]);
        for row in self.rows.by_ref().take(PAGE) {
            self.taken.rows += 1;
            match row {
                Ok(row) => page.push(row.spec.phone),
                Err(problem) => self.taken.problem(problem),
            }
        }
        (self.taken.rows > before).then_some(page)
    }

    /// Counts what came of a page.
    pub fn count(&mut self, page: Added) {
        self.taken.count(page);
    }

    /// What has come of it so far.
    pub fn taken(&self) -> &Taken {
        &self.taken
    }

    /// What came of it.
    pub fn into_taken(self) -> Taken {
        self.taken
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Added { added, extended, already } = self.added;
        write!(f, "{} rows read: {added} numbers put on the list", self.rows)?;
        write!(f, ", {extended} for longer, {already} on it already; {} problems", self.problems_total)?;
        for problem in self.problems.iter().take(PROBLEMS_SHOWN) {
            write!(f, "\n  {problem}")?;
        }
        let shown = self.problems.len().min(PROBLEMS_SHOWN) as u64;
        if self.problems_total > shown {
            write!(f, "\n  and {} more", self.problems_total - shown)?;
        }
        Ok(())
    }
}
