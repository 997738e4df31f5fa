//! Leads out of CSV files, as spreadsheets and CRMs write them.
//!
//! [`read`] looks at the head of a file, finds its encoding, delimiter and columns, and gives an
//! iterator over its rows: a [`Row`] with the lead, or a [`Problem`] with the reason. It knows
//! nothing of databases, and holds one record at a time, so that any size will do.
//! [`crate::operations::imports`] takes those rows into a campaign; [`rehearse`] counts them only.
//!
//! A bad row never stops the good ones. What makes every row doubtful (no phone column, a
//! workbook instead of CSV) is an [`ImportError`], before the first row.

mod columns;
mod error;
mod records;
mod report;
mod rows;
mod text;
mod times;

#[cfg(test)]
mod tests;

use std::io::{Chain, Cursor, Read};

use crate::operations::consents::ConsentSpec;
use outdial_workflows::phone::{PhoneError, PhoneNumber};
use serde::{Deserialize, Serialize};

use columns::Columns;
pub use error::{ImportError, Problem};
use records::{Fault, Record, Records};
pub use report::{PROBLEMS_KEPT, PROBLEMS_SHOWN, Summary, rehearse};
pub use rows::consent_level;
pub use rows::{Row, Rows};
use text::{Decoder, Text};
pub use times::moment;

/// How much of a file is looked at before its first row: enough for any header.
const HEAD_BYTES: u64 = records::MAX_RECORD_BYTES as u64 * 2;

/// Delimiters that are recognised, the first winning a tie.
const DELIMITERS: [u8; 3] = *b",;\t";

/// What the sender of a file may have to tell us about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The country of numbers written without one: an ISO 3166 code such as `IN`, or `+91`.
    pub default_region: Option<String>,
    /// What separates fields, if it is not to be recognised: any ASCII character but a quotation
    /// mark and a line end.
    pub delimiter: Option<u8>,
    /// What every person in the file agreed to whose row says nothing of it.
    pub consent: Option<ConsentSpec>,
}

impl Options {
    /// Checks what can be checked without the file.
    ///
    /// # Errors
    /// If the delimiter cannot be one, or the region is unknown.
    pub fn check(&self) -> Result<(), ImportError> {
        if let Some(byte) = self.delimiter.filter(|byte| !byte.is_ascii() || b"\"\r\n\0".contains(byte)) {
            return Err(ImportError::Delimiter(byte));
        }
        // The region is looked up before the number is.
        match PhoneNumber::parse("+12025550123", self.default_region.as_deref()) {
            Err(unknown @ PhoneError::UnknownRegion(_)) => Err(ImportError::Region(unknown)),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// Reads a file's head, and gives its rows.
///
/// Taken: UTF-8, UTF-16 with a byte order mark, and Windows-1252; comma, semicolon or tab; line
/// ends of every system, also inside quotation marks; a `sep=;` line before the header.
///
/// # Errors
/// If no row of the file could be read; each variant names the remedy.
pub fn read<R: Read>(reader: R, options: &Options) -> Result<Rows<R>, ImportError> {
    let Opened { mut records, header, mut decoder } = open(reader, options)?;
    let columns = columns(&header, &mut decoder)?;
    let first = next_filled(&mut records)?.ok_or(ImportError::NoLeads)?;
    Ok(Rows::new(records, first, columns, decoder, options))
}

/// The same for a list of numbers: what [`read`] takes, of which only the phone column counts, or a
/// number on each line without a header.
///
/// # Errors
/// As [`read`].
pub fn read_numbers<R: Read>(reader: R, options: &Options) -> Result<Rows<R>, ImportError> {
    let Opened { mut records, header, mut decoder } = open(reader, options)?;
    if let Some(columns) = Columns::of_numbers(&names(&header, &mut decoder)?) {
        let first = next_filled(&mut records)?.ok_or(ImportError::NoLeads)?;
        return Ok(Rows::new(records, first, columns, decoder, options));
    }
    match columns(&header, &mut decoder) {
        Err(ImportError::NoHeader) if header.lossy().len() == 1 => {
            let columns = Columns::only_phone(0, vec!["number".to_owned()]);
            Ok(Rows::new(records, header, columns, decoder, options))
        }
        Err(error) => Err(error),
        Ok(_) => Err(ImportError::NoHeader),
    }
}

/// A file whose head was looked at.
struct Opened<R> {
    records: Records<Chain<Cursor<Vec<u8>>, Text<R>>>,
    header: Record,
    decoder: Decoder,
}

fn open<R: Read>(reader: R, options: &Options) -> Result<Opened<R>, ImportError> {
    options.check()?;
    let delimiter = options.delimiter;
    let (mut text, decoder) = Text::new(reader).map_err(ImportError::Read)?;
    let mut head = Vec::new();
    text.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(ImportError::Read)?;
    refuse_what_is_not_text(&head)?;
    let announced = announced_delimiter(&head);
    let delimiter = delimiter.or(announced).unwrap_or_else(|| detect_delimiter(&head));
    let mut records = Records::new(Cursor::new(head).chain(text), delimiter);
    if announced.is_some() {
        records.next_record().map_err(ImportError::Read)?;
    }
    let header = next_filled(&mut records)?.ok_or(ImportError::Empty)?;
    Ok(Opened { records, header, decoder })
}

/// Refuses what people send by mistake for CSV.
fn refuse_what_is_not_text(head: &[u8]) -> Result<(), ImportError> {
    // A zip archive, which xlsx and ods are, and the older xls.
    const WORKBOOKS: [&[u8]; 2] = [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"];
    if WORKBOOKS.iter().any(|magic| head.starts_with(magic)) {
        return Err(ImportError::Workbook);
    }
    if head.contains(&0) {
        return Err(ImportError::Binary);
    }
    // Some systems export a web page and call it a spreadsheet.
    if head.trim_ascii_start().starts_with(b"<") {
        return Err(ImportError::WebPage);
    }
    Ok(())
}

/// The delimiter that a first line `sep=;` names, which Excel understands and others write.
fn announced_delimiter(head: &[u8]) -> Option<u8> {
    let (key, rest) = head.split_at_checked(4)?;
    let (delimiter, rest) = rest.split_first()?;
    let alone = rest.is_empty() || rest.starts_with(b"\r") || rest.starts_with(b"\n");
    let usable = delimiter.is_ascii() && !b"\"\r\n".contains(delimiter);
    (key.eq_ignore_ascii_case(b"sep=") && alone && usable).then_some(*delimiter)
}

/// The delimiter under which the header has a phone column, or else the most columns.
fn detect_delimiter(head: &[u8]) -> u8 {
    let score = |delimiter: &u8| {
        let header = next_filled(&mut Records::new(head, *delimiter)).ok().flatten();
        let names = header.map(|header| header.lossy()).unwrap_or_default();
        (columns::have_phone(&names), names.len())
    };
    // Of equals `max_by_key` gives the last.
    DELIMITERS.into_iter().rev().max_by_key(score).unwrap_or(DELIMITERS[0])
}

fn columns(header: &Record, decoder: &mut Decoder) -> Result<Columns, ImportError> {
    Columns::of(&names(header, decoder)?)
}

/// What stands in the header.
fn names(header: &Record, decoder: &mut Decoder) -> Result<Vec<String>, ImportError> {
    match header.fault {
        Some(Fault::TooLong) => return Err(ImportError::HeaderTooLong),
        Some(Fault::Unclosed { line }) => return Err(ImportError::HeaderUnclosed { line }),
        None => {}
    }
    let names = decoder.decode(header).map_err(|_| ImportError::Encoding)?;
    // Behind blank lines without end the header is not in the head that was looked at.
    if names.iter().any(|name| name.contains('\0')) {
        return Err(ImportError::Binary);
    }
    Ok(names)
}

/// The next record that has anything in it.
fn next_filled<R: Read>(records: &mut Records<R>) -> Result<Option<Record>, ImportError> {
    loop {
        match records.next_record().map_err(ImportError::Read)? {
            Some(record) if record.is_blank() => {}
            other => return Ok(other),
        }
    }
}
