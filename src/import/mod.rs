//! Leads out of CSV files, as spreadsheets and CRMs write them.
//!
//! [`read`] looks at the head of a file, finds its encoding, delimiter and columns, and gives an
//! iterator over its rows: a [`Row`] with the lead, or a [`Problem`] with the reason. It knows
//! nothing of databases, and holds one record at a time, so that any size will do.
//! [`import()`] takes those rows into a campaign.
//!
//! A bad row never stops the good ones. What makes every row doubtful (no phone column, a
//! workbook instead of CSV) is an [`ImportError`], before the first row.

mod columns;
mod error;
mod records;
mod report;
mod rows;
mod text;

#[cfg(test)]
mod tests;

use std::io::{Cursor, Read};

use outdial_workflows::phone::{PhoneError, PhoneNumber};

use columns::Columns;
pub use error::{ImportError, Problem};
use records::{Fault, Record, Records};
pub use report::{PROBLEMS_KEPT, PROBLEMS_SHOWN, Summary, import};
pub use rows::{Row, Rows};
use text::{Decoder, Text};

/// How much of a file is looked at before its first row: enough for any header.
const HEAD_BYTES: u64 = records::MAX_RECORD_BYTES as u64 * 2;

/// Delimiters that are recognised, the first winning a tie.
const DELIMITERS: [u8; 3] = *b",;\t";

/// What the sender of a file may have to tell us about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The country of numbers written without one: an ISO 3166 code such as `IN`, or `+91`.
    pub default_region: Option<String>,
    /// What separates fields, if it is not to be recognised: any ASCII character but a quotation
    /// mark and a line end.
    pub delimiter: Option<u8>,
}

/// Reads a file's head, and gives its rows.
///
/// Taken: UTF-8, UTF-16 with a byte order mark, and Windows-1252; comma, semicolon or tab; line
/// ends of every system, also inside quotation marks; a `sep=;` line before the header.
///
/// # Errors
/// If no row of the file could be read; each variant names the remedy.
pub fn read<R: Read>(reader: R, options: &Options) -> Result<Rows<R>, ImportError> {
    let delimiter = options.delimiter;
    if let Some(byte) = delimiter.filter(|byte| !byte.is_ascii() || b"\"\r\n\0".contains(byte)) {
        return Err(ImportError::Delimiter(byte));
    }
    refuse_unknown_region(options.default_region.as_deref())?;
    let (mut text, mut decoder) = Text::new(reader).map_err(ImportError::Read)?;
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
    let columns = columns(&header, &mut decoder)?;
    let first = next_filled(&mut records)?.ok_or(ImportError::NoLeads)?;
    Ok(Rows::new(records, first, columns, decoder, options.default_region.clone()))
}

fn refuse_unknown_region(region: Option<&str>) -> Result<(), ImportError> {
    // The region is looked up before the number is.
    match PhoneNumber::parse("+12025550123", region) {
        Err(unknown @ PhoneError::UnknownRegion(_)) => Err(ImportError::Region(unknown)),
        Ok(_) | Err(_) => Ok(()),
    }
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
    Columns::of(&names)
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
