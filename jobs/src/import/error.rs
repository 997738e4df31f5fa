//! What is wrong with a file, or with a row of it.

use std::fmt;
use std::io;

use outdial_workflows::phone::PhoneError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::columns::understood;
use super::records::MAX_RECORD_BYTES;

/// The most characters of a value that a message repeats.
const SHOWN_CHARS: usize = 40;

/// The most header names that a message repeats.
const SHOWN_NAMES: usize = 30;

/// Why no row of a file can be read, and what to do about it.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The reader failed.
    #[error("the file could not be read")]
    Read(#[source] io::Error),
    /// Nothing is in it.
    #[error("the file is empty; save the sheet as CSV, with a header line and a line for each lead")]
    Empty,
    /// Only a header is in it.
    #[error("the file has a header line but no leads under it; check that the right sheet was saved as CSV")]
    NoLeads,
    /// An xlsx, ods or xls file, or a zip archive.
    #[error(
        "this is a spreadsheet file (or a zip archive), not CSV; open it and save it as CSV, best as \
         `CSV UTF-8`"
    )]
    Workbook,
    /// It contains NUL bytes.
    #[error(
        "this is not a text file (it contains NUL bytes); open it in the program it comes from and \
         save it as CSV, best as `CSV UTF-8`"
    )]
    Binary,
    /// HTML or XML, as some systems export for spreadsheets.
    #[error("this is a web page or XML, not CSV; open it in a spreadsheet and save it as CSV")]
    WebPage,
    /// The header is in no encoding we read.
    #[error("the header line is neither UTF-8 nor Windows-1252; save the file as `CSV UTF-8`")]
    Encoding,
    /// The header has more bytes than a record may have.
    #[error(
        "the header line is longer than {} KiB; check that the file is CSV with one header line",
        MAX_RECORD_BYTES / 1024
    )]
    HeaderTooLong,
    /// A quotation mark in the header is not closed.
    #[error("a quotation mark opened on line {line}, in the header, is never closed; close or remove it")]
    HeaderUnclosed {
        /// Where it is opened.
        line: u64,
    },
    /// More than a thousand columns.
    #[error("the file has {0} columns, more than a lead may have; remove those that nobody needs")]
    TooManyColumns(usize),
    /// The first line looks like a lead.
    #[error(
        "the first line looks like a lead, not like a header; put a line with the columns' names above \
         it, such as `phone,name`"
    )]
    NoHeader,
    /// No column holds phone numbers.
    #[error(
        "no column holds phone numbers: the header has {}; name one of them {}",
        list(.seen),
        list(&understood())
    )]
    NoPhoneColumn {
        /// The names in the header.
        seen: Vec<String>,
    },
    /// Columns that cannot be told apart.
    #[error("the header names columns twice: {}; rename or remove one of each", list(.0))]
    DuplicateColumns(Vec<String>),
    /// Not a delimiter.
    #[error("the byte {0:#04x} cannot separate fields; use an ASCII character, such as a comma or semicolon")]
    Delimiter(u8),
    /// The default region is unknown.
    #[error(transparent)]
    Region(PhoneError),
}

/// Why a row is no lead, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The line of the file that the row begins on, counted from 1.
    pub line: u64,
    /// The column, under its name in the file; none if it is about the whole row.
    pub column: Option<String>,
    /// What stands there, if it helps. Of phone numbers hardly more than the shape is shown.
    pub value: Option<String>,
    /// What is wrong, and what would be right.
    pub problem: String,
    /// Whether the file could not be read further.
    pub rest_unread: bool,
}

impl Problem {
    /// A problem of a whole row.
    pub(super) fn row(line: u64, problem: impl Into<String>) -> Self {
        Self { line, column: None, value: None, problem: problem.into(), rest_unread: false }
    }

    pub(super) fn cell(line: u64, column: &str, problem: impl Into<String>) -> Self {
        Self { column: Some(shown(column)), ..Self::row(line, problem) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.problem)?;
        if let Some(value) = &self.value {
            write!(f, " ({value})")?;
        }
        if self.rest_unread {
            f.write_str("; nothing behind it was read")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// A value as a message may repeat it: short, and without what would confuse a terminal.
pub(super) fn shown(value: &str) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut shown: String = value.chars().take(SHOWN_CHARS).map(plain).collect();
    if value.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// The shape of what stands in a phone column: no letters, and of the digits the last two, as
/// phone numbers show themselves.
pub(super) fn redacted(value: &str) -> String {
    let digits = value.chars().filter(|c| c.is_numeric()).count();
    let mut hidden = if digits >= 7 { digits - 2 } else { digits };
    let hide = |c: char| match c {
        c if c.is_numeric() && hidden > 0 => {
            hidden -= 1;
            '*'
        }
        c if c.is_alphabetic() => 'x',
        c => c,
    };
    shown(&value.chars().map(hide).collect::<String>())
}

fn list<T: AsRef<str>>(names: &[T]) -> String {
    let mut quoted: Vec<String> =
        names.iter().take(SHOWN_NAMES).map(|name| format!("`{}`", shown(name.as_ref()))).collect();
    if names.len() > SHOWN_NAMES {
        quoted.push(format!("{} more", names.len() - SHOWN_NAMES));
    }
    match quoted.as_slice() {
        [] => "no names".to_owned(),
        quoted => quoted.join(", "),
    }
}
