//! Records of delimited text, as bytes.
//!
//! Read by hand, as the csv crate reads them, because a report needs what that crate does not
//! tell: the line a record begins on in every kind of file, and that a quotation mark was never
//! closed. It also sets no bound to a record, and one stray mark would take a whole file into
//! memory.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

/// The most bytes of one record. Longer ones are read past and reported.
///
/// Far above any lead, and low enough that a page of the longest still fits into memory.
pub(super) const MAX_RECORD_BYTES: usize = 64 * 1024;

/// Why a record cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has more than [`MAX_RECORD_BYTES`].
    TooLong,
    /// A quotation mark is opened on this line, and the file ends before it is closed.
    Unclosed { line: u64 },
}

/// One record: fields, and the line it begins on, counted from 1.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) line: u64,
    pub(super) fault: Option<Fault>,
    /// The fields without what separates them, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    fn at(line: u64) -> Self {
        Self { line, fault: None, bytes: Vec::new(), ends: Vec::new() }
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    pub(super) fn lossy(&self) -> Vec<String> {
        self.fields().map(|field| String::from_utf8_lossy(field).into_owned()).collect()
    }

    /// Whether nothing stands in it: an empty line, or the delimiters of one.
    pub(super) fn is_blank(&self) -> bool {
        self.fault.is_none() && self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    fn keep(&mut self, byte: u8) {
        if self.has_room() {
            self.bytes.push(byte);
        }
    }

    fn end_field(&mut self) {
        if self.has_room() {
            self.ends.push(self.bytes.len());
        }
    }

    fn has_room(&mut self) -> bool {
        // Empty fields take memory too.
        let room = self.bytes.len() + self.ends.len() < MAX_RECORD_BYTES;
        if !room {
            self.fault = Some(Fault::TooLong);
        }
        room
    }
}

/// The records of a text whose delimiters, quotation marks and line ends are single bytes.
pub(super) struct Records<R> {
    input: BufReader<R>,
    delimiter: u8,
    /// The line of the next byte.
    line: u64,
    /// Whether the last byte was a carriage return: a line feed then belongs to it.
    after_return: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// Behind a quotation mark that ends the quoted text, unless another follows.
    QuoteInQuoted,
}

enum Act {
    Keep,
    Drop,
    EndField,
    EndRecord,
}

fn step(state: State, byte: u8, delimiter: u8) -> (State, Act) {
    match (state, byte) {
        (State::FieldStart, b'"') => (State::Quoted, Act::Drop),
        (State::Quoted, b'"') => (State::QuoteInQuoted, Act::Drop),
        (State::Quoted, _) | (State::QuoteInQuoted, b'"') => (State::Quoted, Act::Keep),
        (State::FieldStart | State::Plain | State::QuoteInQuoted, byte) => match byte {
            b'\r' | b'\n' => (State::FieldStart, Act::EndRecord),
            byte if byte == delimiter => (State::FieldStart, Act::EndField),
            _ => (State::Plain, Act::Keep),
        },
    }
}

impl<R: Read> Records<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        Self { input: BufReader::with_capacity(32 * 1024, input), delimiter, line: 1, after_return: false }
    }

    /// The next record, `None` behind the last.
    pub(super) fn next_record(&mut self) -> io::Result<Option<Record>> {
        if self.after_return && self.peek()? == Some(b'\n') {
            self.next_byte()?;
        }
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let mut record = Record::at(self.line);
        let (mut state, mut quoted_on) = (State::FieldStart, self.line);
        while let Some(byte) = self.next_byte()? {
            let before = state;
            let (next, act) = step(state, byte, self.delimiter);
            state = next;
            if (before, state) == (State::FieldStart, State::Quoted) {
                quoted_on = self.line;
            }
            match act {
                Act::Keep => record.keep(byte),
                Act::Drop => {}
                Act::EndField => record.end_field(),
                Act::EndRecord => break,
            }
        }
        record.end_field();
        if state == State::Quoted {
            record.fault = Some(Fault::Unclosed { line: quoted_on });
        }
        Ok(Some(record))
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        let Some(byte) = self.peek()? else { return Ok(None) };
        self.input.consume(1);
        if byte == b'\r' || byte == b'\n' && !self.after_return {
            self.line += 1;
        }
        self.after_return = byte == b'\r';
        Ok(Some(byte))
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(waiting) => return Ok(waiting.first().copied()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
