//! What holds for every file.

use std::io::Read;

use csv::{QuoteStyle, ReaderBuilder, Terminator, WriterBuilder};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;

use super::options;
use crate::import::records::Records;
use crate::import::{Options, Row, read};

/// Gives few bytes at a time, as sockets do.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = out.len().min(self.1);
        self.0.read(&mut out[..length])
    }
}

#[derive(Clone, Copy, Debug)]
enum Written {
    Utf8,
    Utf8WithMark,
    Utf16LittleEndian,
    Utf16BigEndian,
    Windows1252,
}

impl Written {
    fn bytes(self, text: &str) -> Vec<u8> {
        let marked = || ['\u{feff}'].into_iter().chain(text.chars()).collect::<String>();
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf8WithMark => marked().into_bytes(),
            Self::Utf16LittleEndian => marked().encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16BigEndian => marked().encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Windows1252 => text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect(),
        }
    }
}

/// An encoding, and texts it can write. In Windows-1252 letters alone, so that no two of them are
/// one character of UTF-8.
fn encoding() -> impl Strategy<Value = (Written, Vec<[String; 3]>)> {
    let rows = |value: &'static str| vec([value; 3], 1..6);
    let unicode = select(vec![
        Written::Utf8,
        Written::Utf8WithMark,
        Written::Utf16LittleEndian,
        Written::Utf16BigEndian,
    ]);
    prop_oneof![
        (unicode, rows("[a-zé日😀]([a-z \",;\t\r\n'é日😀₹]{0,12}[a-zé日😀])?")),
        (Just(Written::Windows1252), rows("[a-zÀ-ÿ]([a-z \",;\t\r\n'À-ÿ]{0,12}[a-zÀ-ÿ])?")),
    ]
}

/// Bytes that are often nearly a file.
fn nearly_a_file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..8),
        select(vec!["phone", "name", "zone", "priority", "id", "sep=;", "+919876543210", "IST", "'", "=\""])
            .prop_map(|text| text.as_bytes().to_vec()),
        select(b",;\t\"\r\n\0".to_vec()).prop_map(|byte| vec![byte]),
        select(vec![&b"\xff\xfe"[..], b"\xfe\xff", b"\xef\xbb\xbf", b"\xd8\x00"]).prop_map(<[u8]>::to_vec),
    ];
    let header = select(vec!["", "phone,name,zone,priority,id\n", "sep=\t\nphone\tname\n"]);
    (header, vec(piece, 0..40)).prop_map(|(header, pieces)| [header.as_bytes(), &pieces.concat()].concat())
}

fn lines(text: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
    text.matches(['\r', '\n']).count() as u64
}

proptest! {
    #[test]
    fn no_bytes_whatever_make_the_reader_panic(
        file in nearly_a_file(), delimiter in any::<Option<u8>>(), region in select(vec![None, Some("IN"), Some("??")])
    ) {
        let options = Options { default_region: region.map(str::to_owned), delimiter, consent: None };
        match read(file.as_slice(), &options) {
            Ok(rows) => {
                let mut last = 0;
                for row in rows {
                    let line = row.as_ref().map_or_else(|problem| problem.line, |row| row.line);
                    prop_assert!(line > last && line <= lines(&file).max(file.len() as u64) + 1);
                    last = line;
                }
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn what_is_written_is_read(
        (written, rows) in encoding(),
        delimiter in select(b",;\t".to_vec()),
        end in select(vec![Terminator::CRLF, Terminator::Any(b'\n'), Terminator::Any(b'\r')]),
        quotes in select(vec![QuoteStyle::Necessary, QuoteStyle::Always]),
        at_a_time in 1..40_usize,
    ) {
        let mut writer = WriterBuilder::new().delimiter(delimiter).terminator(end).quote_style(quotes).from_writer(Vec::new());
        writer.write_record(["Name", "Phone Number", "External ID", "My Note"]).expect("written");
        let mut starts = Vec::new();
        for [name, id, note] in &rows {
            writer.flush().expect("written");
            starts.push(lines(writer.get_ref()) + 1);
            writer.write_record([name, "+91 98765 43210", id, note]).expect("written");
        }
        let text = String::from_utf8(writer.into_inner().expect("written")).expect("UTF-8");
        let file = written.bytes(&text);
        let read = read(Dripping(&file, at_a_time), &options("IN")).expect("the file is good");
        let read: Vec<Row> = read.collect::<Result<_, _>>().expect("every row is good");
        prop_assert_eq!(read.len(), rows.len());
        for ((row, [name, id, note]), start) in read.iter().zip(&rows).zip(starts) {
            prop_assert_eq!(row.spec.name.as_ref(), Some(name));
            prop_assert_eq!(row.spec.external_id.as_ref(), Some(id));
            prop_assert_eq!(&row.spec.attributes["My Note"], note);
            prop_assert_eq!(row.line, start);
        }
    }

    #[test]
    fn records_are_those_that_the_csv_crate_reads(text in "[a,\"\r\n ]{0,60}") {
        let mut ours = Vec::new();
        let mut records = Records::new(text.as_bytes(), b',');
        while let Some(record) = records.next_record().expect("memory does not fail") {
            ours.push(record.lossy());
        }
        let theirs = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes()).into_records();
        let theirs = theirs.map(|record| record.expect("text").iter().map(str::to_owned).collect::<Vec<_>>());
        // The csv crate leaves empty lines out.
        let filled = |record: &Vec<String>| record != &[""];
        prop_assert_eq!(ours.into_iter().filter(filled).collect::<Vec<_>>(), theirs.filter(filled).collect::<Vec<_>>());
    }
}
