//! From the bytes of a file to text.
//!
//! Two steps, since delimiters and line ends are the same bytes in UTF-8 and Windows-1252 but not
//! in UTF-16: [`Text`] turns UTF-16 into UTF-8 on the way in, and [`Decoder`] tells UTF-8 from
//! Windows-1252 record by record, so that nobody has to read the file twice.

use std::io::{self, Chain, Cursor, ErrorKind, Read};

use super::records::Record;

/// A reader, with the bytes taken from it to look at put back in front.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// A file's content without its byte order mark: UTF-8, Windows-1252, or bytes that are neither.
pub(super) enum Text<R> {
    Bytes(Whole<R>),
    Utf16(Utf16<Whole<R>>),
}

impl<R: Read> Text<R> {
    /// Looks for a byte order mark; the decoder knows what it said.
    pub(super) fn new(mut reader: R) -> io::Result<(Self, Decoder)> {
        let mut head = Vec::new();
        reader.by_ref().take(3).read_to_end(&mut head)?;
        let whole = |rest: &[u8], reader| Cursor::new(rest.to_vec()).chain(reader);
        let utf8 = Decoder { encoding: Some(Encoding::Utf8) };
        Ok(match head.as_slice() {
            [0xef, 0xbb, 0xbf] => (Self::Bytes(whole(&[], reader)), utf8),
            [0xff, 0xfe, rest @ ..] => {
                (Self::Utf16(Utf16::new(whole(rest, reader), u16::from_le_bytes)), utf8)
            }
            [0xfe, 0xff, rest @ ..] => {
                (Self::Utf16(Utf16::new(whole(rest, reader), u16::from_be_bytes)), utf8)
            }
            head => (Self::Bytes(whole(head, reader)), Decoder { encoding: None }),
        })
    }
}

impl<R: Read> Read for Text<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(out),
            Self::Utf16(utf16) => utf16.read(out),
        }
    }
}

/// UTF-16 read as UTF-8. What is no character comes out as U+FFFD.
pub(super) struct Utf16<R> {
    input: R,
    unit: fn([u8; 2]) -> u16,
    /// Bytes that wait for the rest of their character.
    begun: Vec<u8>,
    /// UTF-8 that waits to be read.
    ready: Cursor<Vec<u8>>,
}

impl<R: Read> Utf16<R> {
    fn new(input: R, unit: fn([u8; 2]) -> u16) -> Self {
        Self { input, unit, begun: Vec::new(), ready: Cursor::default() }
    }

    /// Decodes the next piece; false at the end of the input.
    fn refill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 8 * 1024];
        let length = loop {
            match self.input.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.begun.extend_from_slice(&piece[..length]);
        let at_end = length == 0;
        if at_end && self.begun.is_empty() {
            return Ok(false);
        }
        let (pairs, odd) = self.begun.as_chunks::<2>();
        let mut units: Vec<u16> = pairs.iter().map(|pair| (self.unit)(*pair)).collect();
        let mut kept = odd.to_vec();
        if at_end {
            units.extend(odd.iter().map(|_| 0xfffd));
            kept.clear();
        } else if units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            // Half of a pair of surrogates.
            units.pop();
            kept = [&pairs[pairs.len() - 1][..], odd].concat();
        }
        let text: String =
            char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        self.begun = kept;
        self.ready = Cursor::new(text.into_bytes());
        Ok(true)
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.ready.read(out)?;
            if read > 0 || out.is_empty() || !self.refill()? {
                return Ok(read);
            }
        }
    }
}

/// Reads the text of records, and remembers what the first telling one was written in.
pub(super) struct Decoder {
    encoding: Option<Encoding>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Windows1252,
}

/// The record is no text in the file's encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotText;

impl Decoder {
    /// The record's fields as text.
    ///
    /// What is valid UTF-8 is read so: by accident that hardly happens. What is not is taken for
    /// Windows-1252, unless the file has shown itself to be UTF-8; a broken character is then
    /// better reported than read as two wrong ones.
    pub(super) fn decode(&mut self, record: &Record) -> Result<Vec<String>, NotText> {
        let utf8: Result<Vec<&str>, _> = record.fields().map(str::from_utf8).collect();
        if let Ok(fields) = utf8 {
            if !fields.iter().all(|field| field.is_ascii()) {
                self.encoding.get_or_insert(Encoding::Utf8);
            }
            return Ok(fields.into_iter().map(str::to_owned).collect());
        }
        if self.encoding == Some(Encoding::Utf8) {
            return Err(NotText);
        }
        let fields: Vec<String> = record.fields().map(windows_1252).collect::<Option<_>>().ok_or(NotText)?;
        self.encoding = Some(Encoding::Windows1252);
        Ok(fields)
    }
}

fn windows_1252(bytes: &[u8]) -> Option<String> {
    // 0x80 to 0x9f; a space stands for the five bytes that mean nothing. Elsewhere it is Latin-1.
    const HIGH: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";
    let read = |byte: &u8| match byte {
        0x80..=0x9f => HIGH.chars().nth(usize::from(byte - 0x80)).filter(|c| *c != ' '),
        byte => Some(char::from(*byte)),
    };
    bytes.iter().map(read).collect()
}
